"""When the means of two channels of power can be compared (clause 6.4)."""

from __future__ import annotations

from typing import Any

from ttsartifact.formulas.logs import stat

__all__ = ["FEW", "MOVED_PERCENT", "UPDATE_NS", "comparable", "is_steady", "levels", "mean_power"]

FEW, _MANY = 5, 20
MOVED_PERCENT = 10  # of what a meter reads; a power supply's own losses move with the load
UPDATE_NS = 100_000_000  # how often NVML's counter and power are renewed where the file does not say
_WINDOW_NS = 1_000_000_000  # the longest that NVML averages over: what a mean of unknown window may be


def levels(powers: list[tuple[int, int]], start: int, end: int, windows: int) -> tuple[int, int]:
    """Return the least mean power of the windows from start to end, and how much more the greatest is."""
    held: dict[int, list[int]] = {}
    for t_ns, power in powers:
        if start <= t_ns < end:
            held.setdefault((t_ns - start) * windows // (end - start), []).append(power)
    means = [sum(window) // len(window) for window in held.values()]
    return min(means, default=0), max(means, default=0) - min(means, default=0)


def is_steady(powers: list[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether the mean powers of the quarters of the time are within a tenth of each other."""
    level, moved = levels(powers, start, end, 4)
    return moved * 100 <= level * MOVED_PERCENT


def comparable(both: tuple[tuple[dict[str, Any], list[tuple[int, int]]], ...], start: int, end: int) -> bool:
    """Return whether the time is long enough for means of both channels to be equal.

    The mean of a window holds what was before, and few readings of a power that moves hit its peaks by chance: steady
    powers are compared over half a window and a few updates, others over ten windows and many updates.
    """
    window_ns = max(_window_ns(channel) for channel, _ in both)
    updates = min((end - start) // _period_ns(channel, powers) for channel, powers in both)
    if all(is_steady(powers, start, end) for _, powers in both):
        return updates >= FEW and 2 * (end - start) >= window_ns
    return updates >= _MANY and end - start >= 10 * window_ns


def _window_ns(channel: dict[str, Any]) -> int:
    if channel["semantics"] != "window_mean":
        return 0
    window = channel["window_ns"]
    return window if type(window) is int else _WINDOW_NS


def _period_ns(channel: dict[str, Any], powers: list[tuple[int, int]]) -> int:
    """Return the time between updates as stated, else NVML's, but no less than those between readings."""
    stated = channel.get("update_period_ns")
    spacing = (powers[-1][0] - powers[0][0]) // (len(powers) - 1)
    return max(spacing, stated if type(stated) is int else UPDATE_NS, 1)


def mean_power(powers: list[tuple[int, int]], start: int, end: int) -> int:
    """Return the mean of the powers from start to end, each weighed by the time that it held."""
    t_ns, values = zip(*powers, strict=True)
    found = stat("", t_ns, values, start, end, milli=1)
    return found["mean_milli"] if found is not None else 0
