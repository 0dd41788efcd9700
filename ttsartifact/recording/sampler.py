"""Reads a sensor at a steady pace while runs happen.

One thread a sensor serves every run of the process that reads it: fifty requests at once are no fifty threads, and the
driver is asked once. It has absolute deadlines: beside a busy interpreter it may be late by a switch interval, which
does no harm because each row states when its reading began and ended. The first row of a run is older than anything
the run does, and the last is younger, so that a mean over the run is never extrapolated (TEL03).
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.clock import SystemClock
from ttsartifact.recording.sensors import TELEMETRY_COLUMNS
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ttsartifact.recording.clock import Clock, Timebase
    from ttsartifact.recording.sensors import Sensor

__all__ = ["PERIOD_NS", "Sampler"]

PERIOD_NS = 50_000_000  # NVML answers 0 or nothing when it is asked faster, and the driver's lock is shared

_Row = tuple[int, int, "dict[str, int | None]"]


class Sampler:
    """What one run sees of a sensor. A sensor that cannot be opened, or breaks, leaves `absence` and no rows."""

    def __init__(self, sensor: Sensor, timebase: Timebase, *, period_ns: int = PERIOD_NS) -> None:
        self._sensor, self._timebase, self._period_ns = sensor, timebase, period_ns
        self._reader: _Reader | None = None
        self._rows: list[_Row] = []
        self.absence: str | None = None
        self.devices: list[dict[str, Any]] = []
        self.runtime: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    def start(self) -> None:
        """Open the sensor where no other run has, and return when the first row of this run is there."""
        reader = _reader_of(self._sensor, self._timebase.clock, self._period_ns)
        self.absence = reader.join(self._rows)
        if self.absence is None:
            self._reader = reader
            self.devices, self.runtime, self.channels = reader.devices, reader.runtime, reader.channels

    def stop(self) -> None:
        """Wait for one more row at its own time, so that the pace holds to the end; then let go of the sensor."""
        self._leave(wait=True)

    def abandon(self) -> None:
        """Let go at once."""
        self._leave(wait=False)

    def trace(self) -> Trace | None:
        """Return the telemetry, or None where there was no sensor or it broke; half a run's readings cover none."""
        if not self._rows or self.absence is not None:
            return None
        origin = self._timebase.origin_ns
        columns: dict[str, list[Any]] = {
            "t_before_ns": [before - origin for before, _, _ in self._rows],
            "t_ns": [after - origin for _, after, _ in self._rows],
        }
        columns |= {name: [row.get(name) for _, _, row in self._rows] for name in TELEMETRY_COLUMNS}
        return Trace("telemetry", columns)

    def _leave(self, *, wait: bool) -> None:
        if self._reader is None:
            return
        broke = self._reader.leave(self._rows, wait=wait)
        self._reader = None
        if broke is not None and self.absence is None:
            self.absence, self.channels = broke, []


class _Reader:
    """The thread that reads one sensor, for all runs that joined."""

    def __init__(self, key: Hashable, sensor: Sensor, clock: Clock, period_ns: int) -> None:
        self._key, self._sensor, self._now, self._period_ns = key, sensor, clock.now_ns, period_ns
        self._gate = threading.Lock()
        """Held while the sensor is opened or closed."""
        self._changed = threading.Condition()
        """Guards what follows; notified after each reading."""
        self._listeners: list[tuple[list[_Row], int]] = []
        self._stopping = False
        self._wanted = False
        self._read_from_ns = 0
        self._broke: str | None = None
        self._thread: threading.Thread | None = None
        self.devices: list[dict[str, Any]] = []
        self.runtime: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    def join(self, rows: list[_Row]) -> str | None:
        """Let every reading from now on be one of `rows` too, and wait for the first; return why there is none."""
        with self._gate:
            if self._thread is None and (why := self._open()) is not None:
                _READERS.pop(self._key, None)
                return why
            with self._changed:
                self._listeners.append((rows, self._now()))
                self._wanted = True  # at once: a request is not held up for a period
                self._changed.notify_all()
        with self._changed:
            self._changed.wait_for(lambda: rows or self._broke)
            broke = self._broke
        if broke is not None:
            self.leave(rows, wait=False)
        return broke

    def leave(self, rows: list[_Row], *, wait: bool) -> str | None:
        """Let go, with `wait` after one more row that began later than this call; return why the sensor broke."""
        asked_ns = self._now()
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._broke or self._read_from_ns > asked_ns)
        with self._gate:
            with self._changed:
                self._listeners = [each for each in self._listeners if each[0] is not rows]
                self._stopping = not self._listeners
                self._changed.notify_all()
            if self._stopping and self._thread is not None:
                self._thread.join()
                self._thread = None
                _READERS.pop(self._key, None)
                _quietly(self._sensor.close)
            return self._broke

    def _open(self) -> str | None:
        """Open the sensor and begin to read; a sensor of somebody else's may raise whatever it likes."""
        self._broke, self._stopping = None, False
        try:
            why = self._sensor.open()
            if why is None:
                self.devices, self.runtime = self._sensor.devices(), self._sensor.runtime()
                self.channels = self._sensor.channels(self._period_ns)
        except Exception as error:  # noqa: BLE001
            _quietly(self._sensor.close)
            why = _words_of(error)
        if why is None:
            self._thread = threading.Thread(target=self._read, name="ttsartifact-sampler", daemon=True)
            self._thread.start()
        return why

    def _read(self) -> None:
        deadline = self._now()
        while not self._stopping:
            before = self._now()
            try:
                row = self._sensor.read()
            except Exception as error:  # noqa: BLE001
                with self._changed:
                    self._broke = _words_of(error)
                    self._changed.notify_all()
                return
            after = self._now()
            # A reading that took longer than a period skips deadlines instead of hurrying after them.
            deadline += self._period_ns * max(1, -(-(after - deadline) // self._period_ns))
            with self._changed:
                self._read_from_ns = before
                for rows, joined_ns in self._listeners:
                    if before >= joined_ns:
                        rows.append((before, after, row))
                self._wanted = any(not rows for rows, _ in self._listeners)
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._wanted or self._stopping, timeout=max(0, deadline - self._now()) / 1e9
                )
                if self._wanted:
                    deadline = self._now()


_READERS: dict[Hashable, _Reader] = {}
_LOCK = threading.Lock()


def _reader_of(sensor: Sensor, clock: Clock, period_ns: int) -> _Reader:
    """Return the reader of a sensor: one for all runs of the process that read the same device on the same clock."""
    same = getattr(sensor, "same_as", None)
    # A child process that was forked has none of its parent's threads.
    key = (
        os.getpid(),
        id(sensor) if same is None else same,
        SystemClock if isinstance(clock, SystemClock) else id(clock),
        period_ns,
    )
    with _LOCK:
        reader = _READERS.get(key)
        if reader is None:
            reader = _READERS[key] = _Reader(key, sensor, clock, period_ns)
        return reader


def _words_of(error: Exception) -> str:
    return f"the sensor broke: {type(error).__name__}: {error}"[:480]


def _quietly(close: Callable[[], object]) -> None:
    """Let go of a sensor of which nothing is read any more."""
    with suppress(Exception):
        close()
