"""Reads a sensor at a steady pace while a run happens.

A thread with absolute deadlines: beside a busy interpreter it may be late by a switch interval, which does no harm
because each row states when its reading began and ended. The first row is older than anything the run does, and the
last is younger, so that a mean over the run is never extrapolated (TEL03).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.sensors import TELEMETRY_COLUMNS
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from ttsartifact.recording.clock import Timebase
    from ttsartifact.recording.sensors import Sensor

__all__ = ["PERIOD_NS", "Sampler"]

PERIOD_NS = 50_000_000  # NVML answers 0 or nothing when it is asked faster, and the driver's lock is shared


class Sampler:
    """A sensor and the rows it gave. A sensor that cannot be opened leaves `absence` and no rows."""

    def __init__(self, sensor: Sensor, timebase: Timebase, *, period_ns: int = PERIOD_NS) -> None:
        self._sensor, self._timebase, self._period_ns = sensor, timebase, period_ns
        self._rows: list[tuple[int, int, dict[str, int | None]]] = []
        self._first = threading.Event()
        self._abandoned = threading.Event()
        self._stopped_ns: int | None = None
        self._thread: threading.Thread | None = None
        self.absence: str | None = None
        self.devices: list[dict[str, Any]] = []
        self.runtime: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    def start(self) -> None:
        """Open the sensor, ask who it is, and return when the first row is there."""
        self.absence = self._sensor.open()
        if self.absence is not None:
            return
        self.devices, self.runtime = self._sensor.devices(), self._sensor.runtime()
        self.channels = self._sensor.channels(self._period_ns)
        self._thread = threading.Thread(target=self._sample, name="ttsartifact-sampler", daemon=True)
        self._thread.start()
        self._first.wait()

    def stop(self) -> None:
        """Wait for one more row at its own time, so that the pace holds to the end; then let go of the sensor."""
        self._stopped_ns = self._timebase.now()
        self._leave()

    def abandon(self) -> None:
        """Let go at once; the rows are worth nothing any more."""
        self._abandoned.set()
        self._leave()

    def trace(self) -> Trace | None:
        """Return the telemetry, or None where there was no sensor or it broke; half a run's readings cover none."""
        if not self._rows or self.absence is not None:
            return None
        columns: dict[str, list[Any]] = {
            "t_before_ns": [before for before, _, _ in self._rows],
            "t_ns": [after for _, after, _ in self._rows],
        }
        columns |= {name: [row.get(name) for _, _, row in self._rows] for name in TELEMETRY_COLUMNS}
        return Trace("telemetry", columns)

    def _sample(self) -> None:
        try:
            self._read_until_stopped()
        except Exception as error:  # noqa: BLE001 - a sensor of somebody else's must not take the run with it
            self.absence, self.channels = f"the sensor broke: {type(error).__name__}: {error}", []
        finally:
            self._first.set()

    def _read_until_stopped(self) -> None:
        now = self._timebase.now
        deadline = now()
        while True:
            before = now()
            row = self._sensor.read()
            self._rows.append((before, now(), row))
            self._first.set()
            if self._stopped_ns is not None and before > self._stopped_ns:
                return
            # A reading that took longer than a period skips deadlines instead of hurrying after them.
            deadline += self._period_ns * max(1, -(-(now() - deadline) // self._period_ns))
            if self._abandoned.wait(max(0, deadline - now()) / 1e9):
                return

    def _leave(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._sensor.close()
