"""What follows from a queue's trace alone (clause 7.5). The recorder and the rule TIM09 both ask here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["depth_at"]


def depth_at(
    moment: int, t_ns: Sequence[int], waiting: Sequence[int | None], running: Sequence[int | None]
) -> int | None:
    """Return how many requests are accepted and unfinished at `moment`, or None before the first row or where unknown.

    The rows are steps; an engine that does not say how many run is taken to run none that do not wait.
    """
    held = None
    for t, waits, runs in zip(t_ns, waiting, running, strict=True):
        if t > moment:
            break
        held = None if waits is None else waits + (runs or 0)
    return held
