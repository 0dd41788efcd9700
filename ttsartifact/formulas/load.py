"""What follows from a queue's trace alone (clause 7.5). The recorder and the rules TIM09 and TIM10 ask here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["depth_at", "running_at"]


def depth_at(
    moment: int, t_ns: Sequence[int], waiting: Sequence[int | None], running: Sequence[int | None]
) -> int | None:
    """Return how many requests are accepted and unfinished at `moment`, or None before the first row or where unknown.

    The rows are steps. Where an engine does not say how many run, the depth is not known.
    """
    held = None
    for t, waits, runs in zip(t_ns, waiting, running, strict=True):
        if t > moment:
            break
        held = None if waits is None or runs is None else waits + runs
    return held


def running_at(moment: int, t_ns: Sequence[int], running: Sequence[int | None]) -> int | None:
    """Return how many requests run at `moment`, or None before the first row or where unknown."""
    return next((runs for t, runs in zip(reversed(t_ns), reversed(running), strict=True) if t <= moment), None)
