"""How often each column of a sensor is read: a call that is slow against the period is not made at every reading.

NVML's energy counter takes 3 ms a call on an H100, and 16 ms at times, during which the engine may wait for the
driver's lock; its neighbours take microseconds. Each call is timed when the sensor is opened, and its channel states
the resulting rate (clause 6.4).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SHARE", "Pace", "cost_ns"]

SHARE = 20
"""A call takes at most one part in so many of the time between two of its readings."""

_LEAST_NS = {"energy_mj": 100_000_000}
"""Column -> the time in which drivers renew it: to read it more often finds nothing new."""


class Pace:
    """Whose turn it is, of columns that are read every `period_ns` or at a multiple of it."""

    def __init__(self, costs_ns: Mapping[str, int], period_ns: int) -> None:
        """Take what one call for each column costs in nanoseconds."""
        self._period_ns = period_ns
        wanted_ns = {column: max(_LEAST_NS.get(column, 0), SHARE * cost) for column, cost in costs_ns.items()}
        self._strides = {column: -(-ns // period_ns) for column, ns in wanted_ns.items() if ns > period_ns}
        self._waited = {column: stride - 1 for column, stride in self._strides.items()}

    def period_ns(self, column: str) -> int:
        """Return the time between two readings of a column."""
        return self._period_ns * self._strides.get(column, 1)

    def resting(self) -> set[str]:
        """Return the columns that the reading which is due now leaves out."""
        for column, stride in self._strides.items():
            self._waited[column] = self._waited[column] % stride + 1
        return {column for column, waited in self._waited.items() if waited < self._strides[column]}


def cost_ns(call: Callable[[], object]) -> int:
    """Return how long a call takes, the shorter of two: the first one of a driver may open what the next ones use."""
    moments = [time.perf_counter_ns()]
    for _ in range(2):
        call()
        moments.append(time.perf_counter_ns())
    return min(moments[1] - moments[0], moments[2] - moments[1])
