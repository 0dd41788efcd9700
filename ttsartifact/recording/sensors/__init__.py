"""The sensor protocol: read repeatedly during a run, with a statement of how each number was obtained.

A reading that did not arrive is None and never 0. A sensor that cannot be read states the reason and the run continues.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ttsartifact.recording.clock import MONOTONIC, REALTIME
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BESIDE_COLUMNS",
    "DRIVER_COLUMNS",
    "TELEMETRY_COLUMNS",
    "Call",
    "Drain",
    "DriverSample",
    "Pace",
    "Reading",
    "Sensor",
    "channel",
    "cost_ns",
    "driver_channel",
]

SHARE = 20
"""A call takes at most one part in so many of the time between two of its readings."""

_LEAST_NS = {"energy_mj": 100_000_000}
"""Column -> the time in which drivers renew it: to read it more often finds nothing new."""

Reading = dict[str, int | None]
"""One row: telemetry columns by name; a column that is missing reads as None."""

TELEMETRY_COLUMNS: dict[str, tuple[str, str]] = {
    "clock_mhz": ("MHz", "instant"),
    "mem_clock_mhz": ("MHz", "instant"),
    "power_mw": ("mW", "instant"),
    "energy_mj": ("mJ", "counter"),
    "util_gpu_pct": ("%", "window_mean"),
    "mem_used_mib": ("MiB", "instant"),
    "temperature_c": ("degC", "instant"),
    "clock_event_reasons": ("bitmask", "instant"),
}
"""Telemetry column -> its unit and what a reading of it stands for, unless the call behind it says otherwise."""

BESIDE_COLUMNS: dict[str, tuple[str, str]] = {"power_average_mw": ("mW", "window_mean")}
"""What some sensors read in the same row and the table of telemetry does not hold; each is a `channel/<name>`."""

DRIVER_COLUMNS: dict[str, tuple[str, str]] = {"power_samples_mw": ("mW", "window_mean")}
"""What a driver samples at its own pace and keeps until it is asked; each is a `channel/<name>` with its own stamps."""

DriverSample = tuple[str, int, int]
"""A column of `DRIVER_COLUMNS`, the driver's stamp in nanoseconds of UTC, the value."""

_DRAIN_NS = 40_000_000
"""Between two requests for a driver's samples: each reading at the usual 50 ms, and not each one at a faster pace."""
_LONGEST_DRAIN_NS = 1_000_000_000  # drivers keep two seconds of samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a column is read here: the call that answered its probe, or the one that did not and why."""

    column: str
    name: str | None
    status: str = "ok"
    semantics: str | None = None
    window_ns: int | None = None
    """How long a reading looks back; None if not stated."""
    scope: str | None = "gpu"


class Sensor(Protocol):
    """One device that is read while a run happens.

    A sensor may have two methods more: `read_due`, which reads only the columns whose turn it is (`pacing`), and
    `drain`, which returns what the driver sampled by itself since the last call.
    """

    def open(self) -> str | None:
        """Make ready to read. Return None, or the reason why there is nothing to read."""
        ...

    def devices(self) -> list[dict[str, Any]]:
        """Return the entries of /env/devices; asked once, after open."""
        ...

    def runtime(self) -> list[dict[str, Any]]:
        """Return the libraries between us and the device, as tools for /env/runtime."""
        ...

    def channels(self, period_ns: int) -> list[dict[str, Any]]:
        """Return the entries of /channels for the telemetry columns, read every `period_ns`."""
        ...

    def read(self) -> Reading:
        """Read every column that can be read. Raises nothing: what did not arrive is None."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class Drain:
    """Takes from a sensor what its driver sampled by itself; most sensors have nothing of the kind."""

    def __init__(self, sensor: Sensor) -> None:
        self._take = getattr(sensor, "drain", None)
        self._next_ns = 0

    def due(self, now_ns: int, *, at_once: bool = False) -> list[DriverSample]:
        """Return the samples since the last call; none before it is time for the next one, or `at_once`."""
        if self._take is None or (now_ns < self._next_ns and not at_once):
            return []
        began_ns = time.perf_counter_ns()
        samples = list(self._take())
        cost_ns = time.perf_counter_ns() - began_ns
        self._next_ns = now_ns + min(max(_DRAIN_NS, SHARE * cost_ns), _LONGEST_DRAIN_NS)
        return samples


def driver_channel(call: Call, *, source: str, device: int) -> dict[str, Any]:
    """Return the entry of /channels of samples that the driver took and stamped in UTC, at a pace of its own."""
    return channel(call, source=source, device=device, period_ns=1) | {
        "clock": REALTIME,
        "latency_ns": absent("unknown", "the driver does not say when a sample's window ended"),
        "rate_mhz": absent("unknown", "the driver's own pace"),
    }


def channel(call: Call, *, source: str, device: int, period_ns: int) -> dict[str, Any]:
    """Return the entry of /channels that a column's call makes."""
    unit, semantics = (TELEMETRY_COLUMNS | BESIDE_COLUMNS | DRIVER_COLUMNS)[call.column]
    return {
        "name": call.column,
        "unit": unit,
        "clock": MONOTONIC,
        "semantics": call.semantics or semantics,
        "stamp": "window_end",
        "window_ns": absent("unknown", "the driver does not say") if call.window_ns is None else call.window_ns,
        "latency_ns": absent("unknown", "each row states when its reading began and ended"),
        "rate_mhz": max(1, 1_000_000_000_000 // period_ns),
        "source": source,
        "call": absent("unknown") if call.name is None else call.name,
        "scope": absent("unknown") if call.scope is None else call.scope,
        "status": call.status,
        "device": device,
    }


class Pace:
    """Whose turn it is, of columns that are read every `period_ns` or at a multiple of it.

    NVML's energy counter takes 3 ms a call on an H100, and 16 ms at times, during which the engine may wait for the
    driver's lock; its neighbours take microseconds. Each call is timed when the sensor is opened, and its channel
    states the resulting rate (clause 6.4).
    """

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
