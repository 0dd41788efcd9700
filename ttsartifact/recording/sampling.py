"""The process that reads a sensor at a fast pace, so that a busy interpreter delays no reading.

    python -m ttsartifact.recording.sampling '{"sensor": {"kind": "rapl"}, "period_ns": 10000000}'

One JSON line describes the channels, or why there are none; then come lines of what was read since the line before:
processor time, for each reading when it began and ended, its values, the driver's own samples and whether it was an
extra one, and why the sensor broke, if it did. A line is said every half second, and when standard input asks for it:
byte `!` for an extra reading of every column at once, `+` for the next one in its turn. Times are those of the
machine's monotonic clock, which all processes share. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any

from ttsartifact.errors import cause_of
from ttsartifact.recording.sensors import Drain
from ttsartifact.recording.sensors.choosing import sensor_from

AT_ONCE, IN_TURN = b"!", b"+"
_SAY_EVERY_NS = 500_000_000
_STDIN, _ENDED = 0, b""


def main(argument: str) -> int:
    """Read until standard input ends; return the exit code."""
    wanted = json.loads(argument)
    sensor, period_ns = sensor_from(wanted["sensor"]), wanted["period_ns"]
    why = sensor.open()
    sensor_facts = {"why": why} if why is not None else _description(sensor, period_ns)
    _say(sensor_facts)
    if why is not None:
        return 1
    try:
        _read(sensor, period_ns)
    except Exception as error:  # noqa: BLE001 - a driver's library may raise whatever it likes
        _say([time.process_time_ns(), [], words_of(error)])
        return 1
    finally:
        sensor.close()
    return 0


def words_of(error: Exception) -> str:
    """Return why a sensor gives nothing any more."""
    return f"the sensor broke: {cause_of(error)}"[:480]


class _Orders:
    """What standard input asks for; a thread reads it, since Windows cannot wait for a pipe and a deadline at once."""

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.is_awaited = False
        """Whether somebody waits for the next reading in its turn."""
        threading.Thread(target=self._listen, daemon=True).start()

    def until(self, deadline: int) -> bytes | None:
        """Return AT_ONCE or the end of the input as soon as it comes, or None at the deadline."""
        while True:
            try:
                order = self._came.get(timeout=max(0, deadline - time.perf_counter_ns()) / 1e9)
            except queue.Empty:
                return None
            if order != IN_TURN:
                return order
            self.is_awaited = True

    def _listen(self) -> None:
        while order := os.read(_STDIN, 1):
            self._came.put(order)
        self._came.put(_ENDED)


def _read(sensor: Any, period_ns: int) -> None:
    orders, drain = _Orders(), Drain(sensor)
    read_due = getattr(sensor, "read_due", sensor.read)
    unsaid: list[tuple[Any, ...]] = []
    deadline, order = time.perf_counter_ns(), None
    while order != _ENDED:
        extra = order == AT_ONCE
        is_awaited = extra or orders.is_awaited
        before = time.perf_counter_ns()
        row = sensor.read() if extra else read_due()
        after = time.perf_counter_ns()
        unsaid.append((before, after, row, drain.due(after, at_once=is_awaited), extra))
        if is_awaited or after - unsaid[0][0] >= _SAY_EVERY_NS:
            _say([time.process_time_ns(), unsaid, None])
            unsaid = []
        if not extra:
            orders.is_awaited = False
            # A reading that took longer than a period skips deadlines instead of hurrying after them.
            deadline += period_ns * max(1, -(-(after - deadline) // period_ns))
        order = orders.until(deadline)


def _description(sensor: Any, period_ns: int) -> dict[str, Any]:
    return {"devices": sensor.devices(), "runtime": sensor.runtime(), "channels": sensor.channels(period_ns)}


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
