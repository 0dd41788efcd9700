"""A place where a shape does not hold, said by whichever library looked."""

from __future__ import annotations

from typing import Any

from ttsartifact._starting import NamedTuple

__all__ = ["Violation", "shortened"]


class Violation(NamedTuple):
    """One place where the shape does not hold, under the rule that it breaks.

    `where` is a JSON pointer into the descriptor, or `trace/<name>` and a pointer into that trace.
    """

    rule: str
    where: str
    found: Any = None
    expected: Any = None
    message: str = ""


def shortened(value: Any) -> Any:
    """Return `value` as a finding may carry it: scalars as they are, long ones cut, containers by their kind."""
    if isinstance(value, str):
        return value if len(value) <= 80 else f"{value[:77]}..."
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value)[:40] if isinstance(value, int) and abs(value) > 1 << 63 else value
