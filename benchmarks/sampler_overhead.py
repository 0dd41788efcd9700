"""What reading a sensor costs the program that it watches, at 10, 50 and 100 Hz, and how true the pace is.

    python benchmarks/sampler_overhead.py [ROUNDS]

A round measures each pace and the bare program in turn, half a second each: matrix products in numpy, the nearest to an
engine that every machine has. The sensor is a file in the form of a RAPL counter, so that the driver's own time is not
in the figures. Throughput is products for a second of processor time of the program's thread, so that other programs of
a shared machine do not count; what a sampler takes from it by the interpreter's lock and the caches does. What a
sampler costs a process that does nothing, in processor time and in wake-ups, is what a busy machine moves least.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.sampler import Sampler
from ttsartifact.recording.sensors.rapl import Rapl

PACES_HZ = (10, 50, 100)
GOALS = {10: 0.99, 50: 0.98, 100: 0.97}
_LENGTH_S = 0.5
_SETTLE_S, _IDLE_S = 0.3, 4.0


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        _counter(Path(folder))
        speeds: dict[int, list[float]] = {pace: [] for pace in (0, *PACES_HZ)}
        errors: dict[int, list[float]] = {pace: [] for pace in PACES_HZ}
        for _ in range(rounds):
            for pace, held in speeds.items():
                speed, late = measured(folder, pace)
                held.append(speed)
                errors.get(pace, []).extend(late)
    bare = statistics.median(speeds[0])
    print(f"{rounds} rounds, load average {load:.1f} on {os.cpu_count()} processors")
    print(f"{'pace':>7} {'where':8} {'throughput':>10} {'goal':>5} {'p99 of period error':>20}")
    for pace in PACES_HZ:
        ratio = statistics.median(a / b for a, b in zip(speeds[pace], speeds[0], strict=True))
        p99 = sorted(errors[pace])[-max(1, len(errors[pace]) // 100)] if errors[pace] else float("nan")
        where = "process" if pace > 20 else "thread"
        print(f"{pace:4} Hz {where:8} {ratio:10.3f} {GOALS[pace]:5.2f} {p99:17.2f} ms")
    print(f"bare: {bare:.0f} products a second of processor time")
    with tempfile.TemporaryDirectory() as folder:
        _counter(Path(folder))
        for pace in PACES_HZ:
            cpu_us, wakes = idle_cost(folder, pace)
            print(
                f"{pace:4} Hz in the program's process: {cpu_us:.0f} us of processor and {wakes:.1f} wake-ups a second"
            )


def idle_cost(folder: str, pace_hz: int) -> tuple[float, float]:
    """Return processor time in us and wake-ups, both a second, that a sampler costs a process that waits."""
    sampler = Sampler(Rapl(folder), Timebase(SystemClock()), period_ns=1_000_000_000 // pace_hz)
    sampler.start()
    time.sleep(_SETTLE_S)
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    time.sleep(_IDLE_S)
    after, took_s = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begun
    sampler.stop()
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent_s / took_s * 1e6, (after.ru_nvcsw - before.ru_nvcsw) / took_s


def measured(folder: str, pace_hz: int) -> tuple[float, list[float]]:
    """Return products a second beside a sampler of that pace (0: none), and by how much each period was off in ms."""
    sampler = Sampler(Rapl(folder), Timebase(SystemClock()), period_ns=1_000_000_000 // pace_hz) if pace_hz else None
    if sampler is not None:
        sampler.start()
    matrix, count = np.ones((64, 64)), 0
    begun, until = time.thread_time(), time.perf_counter() + _LENGTH_S
    while time.perf_counter() < until:
        matrix @ matrix
        count += 1
    speed = count / (time.thread_time() - begun)
    if sampler is None:
        return speed, []
    sampler.stop()
    trace = sampler.trace()
    assert trace is not None, sampler.absence
    before = trace.columns["t_before_ns"][1:]
    return speed, [abs(b - a - 1e9 / pace_hz) / 1e6 for a, b in pairwise(before)]


def _counter(folder: Path) -> None:
    place = folder / "intel-rapl:0"
    place.mkdir()
    for name, words in (("name", "package-0"), ("energy_uj", "1"), ("max_energy_range_uj", "262143328850")):
        (place / name).write_text(words + "\n")


if __name__ == "__main__":
    main()
