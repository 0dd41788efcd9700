"""What follows from the logs of a run alone: stalls, load and the telemetry columns (clauses 6.3, 6.5 and 7.5).

A reading holds from its own t_ns until the next reading that arrived; None holds nothing and ends nothing. Over the
window [t_submit, t_last_token] each reading weighs as long as it holds inside it. Nothing is extrapolated backwards:
the window begins no earlier than the first reading. For a window of zero length, the reading that holds there is used.
The mean is the weighted sum over the sum of weights, in thousandths of the key's unit, rounded half up.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.terms.trace import Trace

LEAST_UPDATES = 20
"""Fewer updates of a counter within a run do not give its energy (clause 6.5)."""

SUMMARY_COLUMNS: dict[str, tuple[str, int]] = {
    "clock_mhz": ("clock_mhz", 1000),
    "power_w": ("power_mw", 1),
    "util_gpu": ("util_gpu_pct", 1000),
}
"""Key of /summary -> the telemetry column behind it, and how many thousandths of the key's unit one step of it is."""


def summary_of(telemetry: Trace, start_ns: int, end_ns: int) -> dict[str, Any]:
    """Return the values of /summary that `telemetry` backs over [start_ns, end_ns]; None where nothing was read."""
    t_ns, columns = telemetry.columns["t_ns"], telemetry.columns
    values: dict[str, Any] = {
        key: stat(column, t_ns, columns[column], start_ns, end_ns, milli=milli)
        for key, (column, milli) in SUMMARY_COLUMNS.items()
    }
    counter = columns["energy_mj"]
    is_enough = updates_within(t_ns, counter, start_ns, end_ns) >= LEAST_UPDATES
    return values | {"energy_mj": energy_between(t_ns, counter, start_ns, end_ns) if is_enough else None}


def stat(
    channel: str, t_ns: Sequence[int], values: Sequence[int | None], start_ns: int, end_ns: int, *, milli: int
) -> dict[str, Any] | None:
    """Return mean, minimum and maximum of the readings that hold somewhere in [start_ns, end_ns], or None of none."""
    weighed = _weighed(t_ns, values, start_ns, end_ns)
    if not weighed:
        return None
    total = sum(weight for _, weight in weighed)
    if total == 0:
        weighed, total = [(value, 1) for value, _ in weighed], len(weighed)
    return {
        "channel": channel,
        "mean_milli": _nearest(sum(value * weight for value, weight in weighed) * milli, total),
        "min_milli": min(value for value, _ in weighed) * milli,
        "max_milli": max(value for value, _ in weighed) * milli,
        "samples": len(weighed),
    }


def energy_between(t_ns: Sequence[int], counter_mj: Sequence[int | None], start_ns: int, end_ns: int) -> int | None:
    """Return the counter that holds at the end minus the one that holds at the start; None if either is missing.

    A counter that ran backwards in between was reset, and gives no energy.
    """
    ends = [_held_at(t_ns, counter_mj, moment) for moment in (start_ns, end_ns)]
    if ends[0] is None or ends[1] is None:
        return None
    between = [value for t, value in zip(t_ns, counter_mj, strict=True) if value is not None and start_ns < t <= end_ns]
    if any(later < earlier for earlier, later in pairwise([ends[0], *between])):
        return None
    return ends[1] - ends[0]


def updates_within(t_ns: Sequence[int], counter_mj: Sequence[int | None], start_ns: int, end_ns: int) -> int:
    """Return how often the counter was seen to grow within [start_ns, end_ns]."""
    within = [value for t, value in zip(t_ns, counter_mj, strict=True) if value is not None and start_ns <= t <= end_ns]
    return sum(later > earlier for earlier, later in pairwise(within))


def energy_error_ppm(updates: int) -> int:
    """Return the standard uncertainty of a counter's difference over a window of so many updates, in millionths.

    Each end is late by up to one update and up to one reading, both evenly distributed and at most the time between two
    updates that were seen, and power is taken as steady: u(E) / E = 1 / (n * sqrt 3), rounded up (clause 6.5). The
    sensor's own error is not included; vendors do not document it for newer devices.
    """
    import math

    exact = 10**12 // (3 * updates * updates)
    root = math.isqrt(exact)
    return root + (root * root < exact)


def _weighed(t_ns: Sequence[int], values: Sequence[int | None], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    arrived = [(t, value) for t, value in zip(t_ns, values, strict=True) if value is not None and t <= end_ns]
    if not arrived:
        return []
    until = [t for t, _ in arrived[1:]] + [end_ns]
    # A reading that gave way before the window, or on its very edge, holds nowhere inside it.
    return [
        (value, min(stop, end_ns) - max(t, start_ns))
        for place, ((t, value), stop) in enumerate(zip(arrived, until, strict=True))
        if stop > start_ns or place == len(arrived) - 1
    ]


def _held_at(t_ns: Sequence[int], values: Sequence[int | None], moment: int) -> int | None:
    held = None
    for t, value in zip(t_ns, values, strict=True):
        if t > moment:
            break
        held = held if value is None else value
    return held


def _nearest(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


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
