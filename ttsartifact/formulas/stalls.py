"""What follows from a chunk log alone (clause 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["least_stalls_ns", "stalls"]


def stalls(
    t_ns: Sequence[int], frame_start: Sequence[int], frame_count: Sequence[int], sample_rate_hz: int
) -> tuple[int, int]:
    """Return how often and for how long in all a player that starts at the first chunk would have run dry.

    The player begins when the first chunk of at least one frame is there and plays without pause. It needs frame f at
    start + floor(f * 10^9 / rate) + what it has waited so far; a chunk that comes later is one stall of the difference.
    """
    count, waited_ns, began_ns, first_frame = 0, 0, None, 0
    for t, start, frames in zip(t_ns, frame_start, frame_count, strict=True):
        if frames == 0:
            continue
        if began_ns is None:
            began_ns, first_frame = t, start
            continue
        due_ns = began_ns + (start - first_frame) * 1_000_000_000 // sample_rate_hz + waited_ns
        if t > due_ns:
            count += 1
            waited_ns += t - due_ns
    return count, waited_ns


def least_stalls_ns(
    t_ns: Sequence[int], frame_start: Sequence[int], frame_count: Sequence[int], sample_rate_hz: int
) -> int:
    """Return the total of `stalls` rounded down.

    What is waited in all is the time of the last stall less when its frame would have been due without any wait, and
    has therefore one fraction only.
    """
    count, total_ns = stalls(t_ns, frame_start, frame_count, sample_rate_hz)
    chunks = [chunk for chunk in zip(t_ns, frame_start, frame_count, strict=True) if chunk[2]]
    for t, start, _ in chunks[1:] if count else ():
        due, fraction = divmod((start - chunks[0][1]) * 1_000_000_000, sample_rate_hz)
        if t - chunks[0][0] - due == total_ns:
            return total_ns - bool(fraction)
    return total_ns
