"""The readings of a sensor log as values, whatever file they came in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Marker", "ReadingKind", "SensorLog", "TimeBase", "middle_step"]


class TimeBase(StrEnum):
    """What the times of a log count from."""

    UTC = "utc"
    """Nanoseconds since 1970 in UTC."""
    LOCAL = "local"
    """Civil time of a zone that the log does not name, counted as if it were UTC."""
    START = "start"
    """Time since the instrument was started."""


class ReadingKind(StrEnum):
    """What a reading is."""

    POWER = "power"
    """Milliwatts."""
    COUNTER = "counter"
    """Millijoules since some moment."""


class Marker(NamedTuple):
    """A moment marked in the log."""

    t_ns: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorLog:
    """A log as read: times in the log's own count, readings in mW or mJ.

    `window_ns` is the time that one reading averages, None where it is the time between readings. `resolution_ns` is
    the last digit of a time stamp; `skew_ns` how far the instruments behind one reading lie apart.
    """

    dialect: str
    base: TimeBase
    kind: ReadingKind
    t_ns: tuple[int, ...]
    values: tuple[int, ...]
    column: str
    scope: str
    resolution_ns: int
    digest: str
    size: int
    window_ns: int | None = None
    skew_ns: int = 0
    markers: tuple[Marker, ...] = ()
    left_out: tuple[str, ...] = ()
    """Rows that were not read, and why."""

    @property
    def period_ns(self) -> int:
        """The median time between two readings."""
        return middle_step(self.t_ns)

    @property
    def averaged_ns(self) -> int:
        """The time that one reading averages: what the dialect says, else the time between readings."""
        return self.period_ns if self.window_ns is None else self.window_ns


def middle_step(t_ns: Sequence[int]) -> int:
    """Return the median distance of neighbours; there are at least two."""
    steps = sorted(b - a for a, b in pairwise(t_ns))
    return steps[len(steps) // 2]
