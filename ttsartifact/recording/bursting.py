"""A load in a known code before and after a run, by which the log of any meter finds its place (clause 6.4).

The load follows the Barker code of 13 chips (Barker 1953), whose autocorrelation has one peak of 13 and no side lobe
above 1: noise, a steady load and a periodic one do not resemble it. A chip of rest lies on both sides of each burst.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

BARKER = (1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1)
_BLOCK = bytes(1 << 18)
_SHORTEST_S, _LONGEST_S = 0.01, 60.0


def every_core(is_over: Callable[[], bool]) -> None:
    """Keep every core that this process may use busy until `is_over` returns true, by digests of zeros."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1

    def work() -> None:
        while not is_over():
            hashlib.sha256(_BLOCK).digest()  # releases the interpreter's lock

    threads = [threading.Thread(target=work, daemon=True) for _ in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncBurst:
    """A coded load before and after a run; each of the two takes 15 chips.

    Example: `Recorder("run.tts.wav", text="Hello.", sync_burst=SyncBurst(chip_s=0.5))`
    """

    chip_s: float = 1.0
    """Seconds per chip, not below the interval of the meter: shorter chips are averaged away."""
    load: Callable[[Callable[[], bool]], None] = every_core
    """Keeps what the meter measures busy until the function that it is handed returns true; by default the CPU."""

    def __post_init__(self) -> None:
        if not _SHORTEST_S <= self.chip_s <= _LONGEST_S:
            expected = f"{_SHORTEST_S} to {_LONGEST_S} s"
            raise Refused("the length of a chip is out of range", where="chip_s", found=self.chip_s, expected=expected)

    def give(self, sample: Callable[[int | None], None], now: Callable[[], int]) -> None:
        """Load the machine by the code, and block for 15 chips.

        Args:
            sample: Called at the beginning of each chip, with 1 for load and 0 for rest, and with None at the end.
            now: The time in nanoseconds.
        """
        begun, chip_ns = now(), round(self.chip_s * 1e9)
        for place, chip in enumerate((0, *BARKER, 0), start=1):
            end = begun + place * chip_ns
            sample(chip)
            if chip:
                self.load(lambda end=end: now() >= end)  # type: ignore[misc]
            time.sleep(max(0, end - now()) / 1e9)
        sample(None)
