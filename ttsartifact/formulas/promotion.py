"""What the inputs of a gate decide (clause 6.8)."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["OPERATORS", "OTHER_SIDE", "failed", "holds", "median"]

OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
OTHER_SIDE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
"""Each operator with its boundary on the other side."""


def median(repeats: Sequence[int]) -> int:
    """Return the lower median of repeated measurements: one that was measured, and none between two."""
    return sorted(repeats)[(len(repeats) - 1) // 2]


def holds(entry: Mapping[str, Any], *, other_side: bool = False) -> bool:
    """Return whether an input of /gate holds: its value is known, its repeats agree, and the comparison is true."""
    value, repeats = entry["value_milli"], entry.get("repeats_milli", ())
    if type(value) is not int:
        return False
    if repeats and max(repeats) - min(repeats) > entry.get("spread_milli", 0):
        return False
    word = entry["operator"]
    return OPERATORS[OTHER_SIDE.get(word, word) if other_side else word](value, entry["threshold_milli"])


def failed(inputs: Iterable[Mapping[str, Any]], *, other_side: bool = False) -> int:
    """Return failed_promotion: 0 where every input holds."""
    return int(not all(holds(entry, other_side=other_side) for entry in inputs))
