"""The values of one run: integers on the grids of their metrics, and why one is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.measuring.metrics import metric_named, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Measured"]

_MICRO_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one run."""

    values: Mapping[str, int | tuple[int, ...] | None]
    """By the name of the metric, as integers of its last decimal place; of phones one each."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Why a value is None."""
    factor: Mapping[str, int] = field(default_factory=dict)
    """What a slope is over, in millionths: of `reference` by metric, else by the pointer of the factor."""
    instruments: tuple[Mapping[str, Any], ...] = ()
    """The measuring tool: name, version and all settings that decide its numbers."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form: decimal fractions by the name of the metric, null for what is not known."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            decimals = metric_named(name).decimals
            if isinstance(value, tuple):
                found[name] = [shown(one, decimals) for one in value]
            else:
                found[name] = None if value is None else shown(value, decimals)
        if self.factor:
            found["factor"] = {key: shown(value, _MICRO_DIGITS) for key, value in self.factor.items()}
        return found
