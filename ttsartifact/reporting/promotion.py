"""What a gate decided, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.promotion import holds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decision", "in_units"]


def decision(gate: Mapping[str, Any]) -> str:
    """Return the decision, and of a reject every input that does not hold."""
    policy = f"{gate['policy']['id']} {gate['policy']['version']}"
    broken = [_broken(entry) for entry in gate["inputs"] if not holds(entry)]
    return f"failed {policy}: {'; '.join(broken)}" if broken else f"promoted by {policy}"


def in_units(milli: int) -> str:
    """Return thousandths as a decimal fraction."""
    sign, whole = "-" if milli < 0 else "", abs(milli)
    return f"{sign}{whole // 1000}.{whole % 1000:03}"


def _broken(entry: Mapping[str, Any]) -> str:
    metric, value, repeats = entry["metric"], entry["value_milli"], entry.get("repeats_milli", ())
    if type(value) is not int:
        return f"{metric} has no value ({value.get('detail', value['reason'])})"
    if repeats and max(repeats) - min(repeats) > entry.get("spread_milli", 0):
        apart = in_units(max(repeats) - min(repeats))
        return f"{metric} changed by {apart} when it was measured again, more than {in_units(entry['spread_milli'])}"
    return f"{metric} {in_units(value)} is not {entry['operator']} {in_units(entry['threshold_milli'])}"
