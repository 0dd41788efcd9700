"""What a recorder costs an engine that delivers fifty chunks a second, and the event loop that serves its listeners.

`python benchmarks/recorder_pace.py [--rounds N] [--streams N]`. The engine is paced: it computes for a while and hands
over a chunk of 20 ms at its time. First chunk and throughput are those of the engine alone and recorded, in turn; the
longest block of an event loop is the longest delay of a task that wakes up every millisecond.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ttsartifact import wrap_async_iterator, wrap_iterator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

RATE_HZ = 24_000
CHUNK = bytes(2 * RATE_HZ // 50)
CHUNKS = 50
PERIOD_S = 1 / 50
TOLD = {"text": "A bench has no text.", "sample_rate_hz": RATE_HZ, "replace": True}


def paced() -> Iterator[bytes]:
    """Yield fifty chunks, each at its own time."""
    began = time.perf_counter()
    for number in range(CHUNKS):
        time.sleep(max(0, began + (number + 1) * PERIOD_S - time.perf_counter()))
        yield CHUNK


def unpaced() -> Iterator[bytes]:
    """Yield fifty chunks, each after two milliseconds of arithmetic."""
    numbers = list(range(1_000))
    for _ in range(CHUNKS):
        for _ in range(120):
            max(numbers)
        yield CHUNK


def spent(chunks: Callable[[], Iterable[bytes]]) -> tuple[float, float]:
    """Return the seconds to the first chunk and to the last."""
    began = time.perf_counter()
    first = last = 0.0
    for _ in chunks():
        last = time.perf_counter() - began
        first = first or last
    return first, last


def sync(folder: Path, rounds: int) -> None:
    """Print first chunk and throughput, alone and recorded."""
    for name, engine in (("50 chunks a second", paced), ("as fast as it computes", unpaced)):
        ways: dict[str, Callable[[], Iterable[bytes]]] = {
            "alone": engine,
            "recorded": lambda engine=engine: wrap_iterator(engine, folder / "a.tts.wav", **TOLD),  # type: ignore[misc]
        }
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, chunks in ways.items():
                taken[way].append(spent(chunks))
        for place, what in ((0, "first chunk"), (1, "last chunk")):
            alone, recorded = (statistics.median(each[place] for each in taken[way]) for way in ("alone", "recorded"))
            line = f"{name}, {what}: {alone * 1e3:.2f} ms alone, {recorded * 1e3:.2f} ms recorded"
            print(f"{line}, ratio {recorded / alone:.3f} (aim at most 1.02)")


async def awaited() -> AsyncIterator[bytes]:
    """Yield fifty chunks, each at its own time."""
    for _ in range(CHUNKS):
        await asyncio.sleep(PERIOD_S)
        yield CHUNK


async def longest_block(streams: int, folder: Path | None) -> float:
    """Return the longest delay of a task that wakes up every millisecond beside `streams` listeners."""
    longest, ended = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not ended:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    async def listen(number: int) -> None:
        chunks = awaited() if folder is None else wrap_async_iterator(awaited, folder / f"{number}.tts.wav", **TOLD)
        async for _ in chunks:
            pass

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(listen(number) for number in range(streams)))
    ended = True
    await watching
    return longest


def main() -> None:
    """Print the ratios and the blocks."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--streams", type=int, default=50)
    asked = options.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="ttsa-bench-") as temporary:
        folder = Path(temporary)
        spent(lambda: wrap_iterator(unpaced, folder / "a.tts.wav", **TOLD))  # what is imported once
        sync(folder, asked.rounds)
        for streams in (1, asked.streams):
            idle = [asyncio.run(longest_block(streams, None)) for _ in range(3)]
            recorded = [asyncio.run(longest_block(streams, folder)) for _ in range(3)]
            line = f"{streams} awaited streams, longest block of the loop: {statistics.median(idle) * 1e3:.1f} ms idle"
            print(f"{line}, {statistics.median(recorded) * 1e3:.1f} ms recorded (aim 20 ms)")


if __name__ == "__main__":
    main()
