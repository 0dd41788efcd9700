"""Times commands in turn (A B C, A B C, ...) and says ratios: what drifts on a shared machine drifts for all."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def medians(
    jobs: Mapping[str, Sequence[str] | Callable[[], object]], rounds: int, warmups: int = 1
) -> dict[str, list[float]]:
    """Return the seconds of every job in every round; a command that fails stops the benchmark."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warmups + rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            if callable(job):
                job()
            else:
                subprocess.run(job, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if turn >= warmups:
                seconds[name].append(time.perf_counter() - start)
        print(f"\r  round {turn + 1} of {warmups + rounds}", end="", file=sys.stderr, flush=True)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return seconds


def ratio(seconds: Mapping[str, list[float]], job: str, yardstick: str) -> float:
    """Return the median over rounds of job / yardstick in the same round."""
    return statistics.median(a / b for a, b in zip(seconds[job], seconds[yardstick], strict=True))


def say(title: str, seconds: Mapping[str, list[float]], job: str, yardstick: str, goal: str) -> None:
    """Print one pair: both medians, their ratio, its spread over rounds, and the goal it is held to."""
    ratios = sorted(a / b for a, b in zip(seconds[job], seconds[yardstick], strict=True))
    print(
        f"{title}\n"
        f"  {job:<34} {statistics.median(seconds[job]) * 1e3:10.1f} ms\n"
        f"  {yardstick:<34} {statistics.median(seconds[yardstick]) * 1e3:10.1f} ms\n"
        f"  ratio {ratio(seconds, job, yardstick):.2f}"
        f" ({ratios[0]:.2f} to {ratios[-1]:.2f} over {len(ratios)} rounds); goal {goal}"
    )
