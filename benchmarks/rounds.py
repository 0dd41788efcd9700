"""Times commands in turn (A B C, A B C, ...) and says ratios: what drifts on a shared machine drifts for all."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["SAID", "Spent", "busy_share", "medians", "say", "say_how_idle", "slug"]


SAID: list[dict[str, object]] = []
"""Every pair that was printed, for a file of results."""


class Spent(NamedTuple):
    """What one job took in one round. On a busy machine the processor's seconds are the steadier measure."""

    wall: float
    cpu: float

    @staticmethod
    def now() -> Spent:
        """Return where both clocks stand; the processor's is that of this process and of its children that ended."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Spent(time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime)

    def since(self) -> Spent:
        """Return what was spent since `now` made this."""
        wall, cpu = Spent.now()
        return Spent(wall - self.wall, cpu - self.cpu)


def medians(
    jobs: Mapping[str, Sequence[str] | Callable[[], object]],
    rounds: int,
    warmups: int = 1,
    environment: Mapping[str, str] | None = None,
) -> dict[str, list[Spent]]:
    """Return what every job took in every round; a command that fails stops the benchmark.

    A function that returns `Spent` has looked at the clocks itself, where only a part of it is of interest.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in jobs}
    for turn in range(warmups + rounds):
        for name, job in jobs.items():
            start = Spent.now()
            told = job() if callable(job) else _run(job, environment)
            if turn >= warmups:
                spent[name].append(told if isinstance(told, Spent) else start.since())
        print(f"\r  round {turn + 1} of {warmups + rounds}", end="", file=sys.stderr, flush=True)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return spent


def _run(command: Sequence[str], environment: Mapping[str, str] | None) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def say(title: str, spent: Mapping[str, list[Spent]], job: str, yardstick: str, goal: str) -> None:
    """Print one pair: both medians, their ratio by either clock, its spread over rounds, and the goal it is held to."""
    pairs = list(zip(spent[job], spent[yardstick], strict=True))
    by_wall = sorted(a.wall / b.wall for a, b in pairs)
    print(title)
    for name in (job, yardstick):
        wall, cpu = (statistics.median(column) for column in zip(*spent[name], strict=True))
        print(f"  {name:<34} {wall * 1e3:10.1f} ms, {cpu * 1e3:10.1f} ms of processors")
    by_cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
    SAID.append({
        "what": title, "job": job, "beside": yardstick, "wall": round(statistics.median(by_wall), 3),
        "wall_spread": [round(by_wall[0], 3), round(by_wall[-1], 3)], "processors": round(by_cpu, 3), "goal": goal,
    })  # fmt: skip
    print(
        f"  ratio {statistics.median(by_wall):.2f} ({by_wall[0]:.2f} to {by_wall[-1]:.2f} over {len(pairs)} rounds), "
        f"{by_cpu:.2f} of processors; goal {goal}"
    )


def say_how_idle(seconds: float = 0.5) -> None:
    """Print how busy the machine is with other things: ratios of wall time mean little on a busy one."""
    share = busy_share(seconds)
    if share is not None:
        told = "; trust the processors' ratios" * (share > 0.1)
        print(f"others use {share:.0%} of {os.cpu_count()} processors{told}")


def busy_share(seconds: float = 0.5) -> float | None:
    """Return the share of the processors that others use now; None where the system does not say."""
    try:
        before = _busy_and_all()
        time.sleep(seconds)
        busy, everything = (b - a for a, b in zip(before, _busy_and_all(), strict=True))
    except OSError:  # no Linux
        return None
    return busy / max(1, everything)


def slug(name: str) -> str:
    """Return a device's name as part of a file's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _busy_and_all() -> tuple[int, int]:
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
