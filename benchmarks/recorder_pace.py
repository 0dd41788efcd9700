"""What a recorder costs an engine that delivers fifty chunks a second, and the event loop that serves its listeners.

`python benchmarks/recorder_pace.py [--rounds N] [--streams N]`. Engines hand over chunks of 20 ms: at their time, after
a first one that takes 20 ms or 150 ms, or as fast as they compute. First chunk and throughput are those of the engine
alone and recorded, in turn, from the call of `wrap_iterator`; what is added to the first chunk leaves out the time
inside the engine, which differs from run to run by more. The longest block of an event loop is the longest delay of a
task that wakes up every millisecond.
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
    from collections.abc import AsyncIterator, Iterator

RATE_HZ = 24_000
CHUNK = bytes(2 * RATE_HZ // 50)
CHUNKS = 50
PERIOD_S = 1 / 50
TOLD = {"text": "A bench has no text.", "sample_rate_hz": RATE_HZ, "replace": True}


class Engine:
    """An engine that knows how long it took itself until its first chunk."""

    def __init__(self, name: str, *, first_s: float, period_s: float, computes: bool = False) -> None:
        self.name = name
        self._first_s, self._period_s, self._computes = first_s, period_s, computes
        self.own_s = 0.0

    def __call__(self, chunks: int = CHUNKS) -> Iterator[bytes]:
        """Yield chunks, each at its own time, or after that time of arithmetic."""
        began = due = time.perf_counter()
        for number in range(chunks):
            due += self._period_s if number else self._first_s
            self._work(due)
            if not number:
                self.own_s = time.perf_counter() - began
            yield CHUNK

    def _work(self, due: float) -> None:
        if self._computes:
            while time.perf_counter() < due:
                pass
        else:
            time.sleep(max(0, due - time.perf_counter()))


ENGINES = (
    Engine("first chunk after 20 ms, 50 a second", first_s=PERIOD_S, period_s=PERIOD_S),
    Engine("first chunk after 150 ms, 50 a second", first_s=0.15, period_s=PERIOD_S),
    Engine("2 ms of arithmetic a chunk", first_s=0.002, period_s=0.002, computes=True),
    Engine("chunks at once", first_s=0, period_s=0),
)


def spent(engine: Engine, out: Path | None, chunks: int) -> tuple[float, float, float]:
    """Return the seconds to the first chunk, those of them outside of the engine, and the seconds to the last."""
    began = time.perf_counter()
    given = engine(chunks) if out is None else wrap_iterator(lambda: engine(chunks), out, **TOLD)
    first = last = 0.0
    for _ in given:
        last = time.perf_counter() - began
        first = first or last
    return first, first - engine.own_s, last


def sync(folder: Path, rounds: int) -> None:
    """Print first chunk and throughput, alone and recorded."""
    out = folder / "a.tts.wav"
    for engine in ENGINES:
        short = [(spent(engine, None, 2), spent(engine, out, 2)) for _ in range(5 * rounds)]
        alone, recorded = ([pair[way] for pair in short] for way in (0, 1))
        added = statistics.median(each[1] for each in recorded) - statistics.median(each[1] for each in alone)
        print(f"{engine.name}: {added * 1e6:.0f} us are added to the first chunk")
        compare("first chunk", [each[0] for each in alone], [each[0] for each in recorded])
        whole = [(spent(engine, None, CHUNKS)[2], spent(engine, out, CHUNKS)[2]) for _ in range(rounds)]
        compare("last chunk", [pair[0] for pair in whole], [pair[1] for pair in whole])


def compare(what: str, alone: list[float], recorded: list[float]) -> None:
    """Print two medians and their ratio."""
    bare, more = statistics.median(alone), statistics.median(recorded)
    print(f"    {what}: {bare * 1e3:.2f} ms alone, {more * 1e3:.2f} ms recorded, ratio {more / bare:.3f} (aim 1.02)")


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
        spent(ENGINES[-1], folder / "a.tts.wav", CHUNKS)  # what is imported once
        sync(folder, asked.rounds)
        for streams in (1, asked.streams):
            idle = [asyncio.run(longest_block(streams, None)) for _ in range(3)]
            recorded = [asyncio.run(longest_block(streams, folder)) for _ in range(3)]
            line = f"{streams} awaited streams, longest block of the loop: {statistics.median(idle) * 1e3:.1f} ms idle"
            print(f"{line}, {statistics.median(recorded) * 1e3:.1f} ms recorded (aim 20 ms)")


if __name__ == "__main__":
    main()
