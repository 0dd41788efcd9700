"""Reads a sensor at a steady pace while runs happen.

One thread per sensor serves every run of the process that reads it: fifty requests at once are not fifty threads, and
the driver is asked once. It has absolute deadlines: beside a busy interpreter it may be late by a switch interval,
which does no harm because each row states when its reading began and ended. The first row of a run is older than
anything the run does, and the last is younger, so that a mean over the run is never extrapolated (TEL03).

Faster than 20 times a second the readings come from a process of their own (`sampling`), where the sensor can be made
again in one, and some hundred milliseconds of them at a time: a thread that is woken for each reading takes the
interpreter from the engine each time. What reading cost is kept beside the readings.

The first reading of a run is of every column, taken as soon as the run asks for it, and is of no other run: theirs go
on at their pace. In the others a column whose call is slow takes its turns (`sensors.Pace`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ttsartifact.recording.clock import SystemClock
from ttsartifact.recording.sampling import AT_ONCE, IN_TURN, words_of
from ttsartifact.recording.sensors import BESIDE_COLUMNS, DRIVER_COLUMNS, TELEMETRY_COLUMNS, Drain
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ttsartifact.recording.clock import Clock, Timebase
    from ttsartifact.recording.sensors import DriverSample, Sensor

OWN_PROCESS_BELOW_NS = 50_000_000
PERIOD_NS = 50_000_000  # NVML answers 0 or nothing when it is asked faster, and the driver's lock is shared

_Row = tuple[int, int, "dict[str, int | None]", "list[DriverSample]"]
"""When the reading began and ended, what it found, and what the driver had sampled by itself until then."""


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
        self.cost: dict[str, Any] | None = None
        """/run/sampling: where the readings were made, how many, and the processor time that they took."""

    def start(self) -> None:
        """Open the sensor where no other run has, and return when the first row of this run is there."""
        if isinstance(self._sensor, Absent):  # no thread is there to be joined
            self.absence = self._sensor.open()
            return
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
            "t_before_ns": [before - origin for before, _, _, _ in self._rows],
            "t_ns": [after - origin for _, after, _, _ in self._rows],
        }
        columns |= {name: [row.get(name) for _, _, row, _ in self._rows] for name in TELEMETRY_COLUMNS}
        return Trace("telemetry", columns)

    def beside(self) -> list[Trace]:
        """Return a channel for each column that is not of telemetry; a lost reading has no row."""
        if self.trace() is None:
            return []
        origin = self._timebase.origin_ns
        read: dict[str, list[tuple[int, int]]] = {
            name: [(after - origin, value) for _, after, row, _ in self._rows if (value := row.get(name)) is not None]
            for name in BESIDE_COLUMNS
        }
        read |= {name: self._sampled(name) for name in DRIVER_COLUMNS}
        return [
            Trace(f"channel/{name}", {"t_ns": [t for t, _ in rows], "value": [value for _, value in rows]})
            for name, rows in read.items()
            if rows
        ]

    def _sampled(self, name: str) -> list[tuple[int, int]]:
        """Return the driver's samples of a column by their own stamps; the others are of no time of this run."""
        end = self._rows[-1][1] - self._timebase.origin_ns
        found = {
            (self._timebase.at_utc(utc_ns), value)
            for _, _, _, samples in self._rows
            for column, utc_ns, value in samples
            if column == name
        }
        return sorted(each for each in found if 0 <= each[0] <= end)

    def _leave(self, *, wait: bool) -> None:
        if self._reader is None:
            return
        broke = self._reader.leave(self._rows, wait=wait)
        spent = self._reader.cpu_ns
        self.cost = {
            "place": "process" if self._reader.is_remote else "thread",
            "period_ns": self._period_ns,
            "readings": len(self._rows),
            "cpu_ns": spent if self._reader.is_remote or spent else absent("unknown", "the platform does not say"),
        }
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
        """Whether a run waits for its first reading."""
        self._ending = False
        """Whether a run waits for its last reading, which comes in its turn with all that the driver sampled."""
        self._read_from_ns = 0
        """When the last reading in its turn began."""
        self._broke: str | None = None
        self._thread: threading.Thread | None = None
        spec = getattr(sensor, "spec", None)
        # Another process reads the same clock, and a clock of somebody's own it cannot read.
        remote = period_ns < OWN_PROCESS_BELOW_NS and spec is not None and isinstance(clock, SystemClock)
        self._spec: dict[str, Any] | None = spec if remote else None
        self._child: subprocess.Popen[bytes] | None = None
        self.cpu_ns = 0
        """Processor time that reading took so far, of all runs that share the reader."""
        self.devices: list[dict[str, Any]] = []
        self.runtime: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    @property
    def is_remote(self) -> bool:
        """Whether the readings come from a process of their own."""
        return self._spec is not None

    def join(self, rows: list[_Row]) -> str | None:
        """Let every reading from now on be one of `rows` too, and wait for the first; return why there is none."""
        with self._gate:
            if self._thread is None and (why := self._open()) is not None:
                _READERS.pop(self._key, None)
                return why
            with self._changed:
                self._listeners.append((rows, self._now()))
                self._wanted = True  # at once: a request is not held up for a period
                self._order(AT_ONCE)
        with self._changed:
            self._changed.wait_for(lambda: rows or self._broke)
            broke = self._broke
        if broke is not None:
            self.leave(rows, wait=False)
        return broke

    def leave(self, rows: list[_Row], *, wait: bool) -> str | None:
        """Let go, with `wait` after one more row that began after this call; return why the sensor broke."""
        with self._changed:
            if wait:
                self._ending = True
                asked_ns = self._now()
                self._order(IN_TURN)
                self._changed.wait_for(lambda: self._broke or self._read_from_ns >= asked_ns)
        with self._gate:
            with self._changed:
                self._listeners = [each for each in self._listeners if each[0] is not rows]
                self._stopping = not self._listeners
                self._changed.notify_all()
            if self._stopping and self._thread is not None:
                self._close_orders()
                self._thread.join()
                self._thread = None
                _READERS.pop(self._key, None)
                _quietly(self._sensor.close)
            return self._broke

    def _open(self) -> str | None:
        """Open the sensor and begin to read; a sensor of a third party's may raise whatever it likes."""
        self._broke, self._stopping = None, False
        try:
            why = self._open_child(self._spec) if self._spec is not None else self._open_here()
        except Exception as error:  # noqa: BLE001
            _quietly(self._sensor.close)
            self._end_child()
            why = words_of(error)
        if why is None:
            self._thread = threading.Thread(
                target=self._take_from_child if self._spec is not None else self._read,
                name="ttsartifact-sampler",
                daemon=True,
            )
            self._thread.start()
        return why

    def _open_here(self) -> str | None:
        why = self._sensor.open()
        if why is None:
            self.devices, self.runtime = self._sensor.devices(), self._sensor.runtime()
            self.channels = self._sensor.channels(self._period_ns)
        return why

    def _open_child(self, spec: dict[str, Any]) -> str | None:
        argument = json.dumps({"sensor": spec, "period_ns": self._period_ns})
        argv = [sys.executable, "-m", "ttsartifact.recording.sampling", argument]
        self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            return "the process that reads the sensor ended before its first reading"
        answer = json.loads(line)
        if answer.get("why") is not None:
            self._end_child()
            return str(answer["why"])
        self.devices, self.runtime, self.channels = answer["devices"], answer["runtime"], answer["channels"]
        return None

    def _order(self, order: bytes) -> None:
        """Say to whoever reads that a reading is awaited; `_changed` is held."""
        self._changed.notify_all()
        child = self._child
        if child is not None and child.stdin is not None:
            with suppress(OSError, ValueError):  # a child that ended shows in what it does not say any more
                child.stdin.write(order)
                child.stdin.flush()

    def _close_orders(self) -> None:
        """Tell the child, if there is one, to end: its input ends."""
        child = self._child
        if child is not None and child.stdin is not None:
            with suppress(OSError):
                child.stdin.close()

    def _end_child(self) -> None:
        """End the child, if there is one, and wait for it."""
        self._close_orders()
        child, self._child = self._child, None
        if child is not None:
            assert child.stdout is not None
            child.stdout.close()
            child.wait()

    def _take_from_child(self) -> None:
        """Hand on what the child reads, as often as it says something."""
        child = self._child
        assert child is not None
        assert child.stdout is not None
        broke = "the process that reads the sensor ended"
        try:
            for line in child.stdout:
                broke = self._take(*json.loads(line)) or broke
        except (TypeError, ValueError) as error:
            broke = words_of(error)
        with self._changed:
            if not self._stopping:
                self._broke = broke
                self._changed.notify_all()
        self._end_child()

    def _take(self, cpu_ns: int, rows: list[tuple[Any, ...]], broke: str | None) -> str | None:
        """Hand on what one line of the child's holds; return why its sensor broke, if it did."""
        with self._changed:
            self.cpu_ns = cpu_ns
            for before, after, row, samples, first in rows:
                self._hand_on((before, after, row, samples), first=first)
            self._changed.notify_all()
        return broke

    def _hand_on(self, row: _Row, *, first: bool) -> None:
        """Give the first row to the runs that joined before it was begun, others to those that have one.

        `_changed` is held.
        """
        for rows, joined_ns in self._listeners:
            if first is not bool(rows) and row[0] >= joined_ns:
                rows.append(row)
        if not first:
            self._read_from_ns = row[0]
        self._wanted = any(not rows for rows, _ in self._listeners)

    def _read(self) -> None:
        deadline, drain = self._now(), Drain(self._sensor)
        read_due = getattr(self._sensor, "read_due", self._sensor.read)
        while not self._stopping:
            with self._changed:
                first, ending = self._wanted, self._ending
                self._ending = ending and first
            before = self._now()
            try:
                row = self._sensor.read() if first else read_due()
                after = self._now()
                samples = drain.due(after, at_once=first or ending)
            except Exception as error:  # noqa: BLE001
                with self._changed:
                    self._broke = words_of(error)
                    self._changed.notify_all()
                return
            if not first:
                # A reading that took longer than a period skips deadlines instead of hurrying after them.
                deadline += self._period_ns * max(1, -(-(after - deadline) // self._period_ns))
            with self._changed:
                self._hand_on((before, after, row, samples), first=first)
                self._changed.notify_all()
                self.cpu_ns = _thread_cpu_ns()
                self._changed.wait_for(
                    lambda: self._wanted or self._stopping, timeout=max(0, deadline - self._now()) / 1e9
                )


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


def _thread_cpu_ns() -> int:
    """Return the processor time of this thread, or 0 where the platform does not count it."""
    try:
        return time.thread_time_ns()
    except (AttributeError, OSError):
        return 0


def _quietly(close: Callable[[], object]) -> None:
    """Release a sensor that is no longer read."""
    with suppress(Exception):
        close()
