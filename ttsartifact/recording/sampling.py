"""The process that reads a sensor at a fast pace, so that a busy interpreter delays no reading.

    python -m ttsartifact.recording.sampling '{"sensor": {"kind": "rapl"}, "period_ns": 10000000}'

One JSON line describes the channels, or why there are none; then one line for each reading: begun, ended, values,
processor time, the driver's own samples. Times are those of the machine's monotonic clock, which all processes share.
It ends when its standard input does.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

from ttsartifact.recording.sensors import Drain
from ttsartifact.recording.sensors.choosing import sensor_from

__all__ = ["main"]


def main(argument: str) -> int:
    """Read until standard input ends; return the exit code."""
    wanted = json.loads(argument)
    sensor, period_ns = sensor_from(wanted["sensor"]), wanted["period_ns"]
    why = sensor.open()
    told = {"why": why} if why is not None else _description(sensor, period_ns)
    _say(told)
    if why is not None:
        return 1
    try:
        _read(sensor, period_ns)
    finally:
        sensor.close()
    return 0


def _read(sensor: Any, period_ns: int) -> None:
    deadline, drain = time.perf_counter_ns(), Drain(sensor)
    while True:
        before = time.perf_counter_ns()
        row = sensor.read()
        after = time.perf_counter_ns()
        _say([before, after, row, time.process_time_ns(), drain.due(after)])
        # A reading that took longer than a period skips deadlines instead of hurrying after them.
        deadline += period_ns * max(1, -(-(after - deadline) // period_ns))
        rest_s = max(0, deadline - time.perf_counter_ns()) / 1e9
        if select.select([sys.stdin], [], [], rest_s)[0]:
            return


def _description(sensor: Any, period_ns: int) -> dict[str, Any]:
    return {"devices": sensor.devices(), "runtime": sensor.runtime(), "channels": sensor.channels(period_ns)}


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
