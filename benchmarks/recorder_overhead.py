"""What being recorded costs an engine: one chunk's stamp, and throughput with a sensor read 10 and 50 times a second.

`python benchmarks/recorder_overhead.py [--rounds N] [--seconds S]`. The engine is arithmetic in plain Python, which
competes with the sampler for the interpreter as no engine on a device does. The sensor plays a recording back and
sleeps 200 us for each of five readings, about what a driver takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rounds import Spent, medians, say, say_how_idle

from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.sensors.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.recording.sensors import Reading

SAMPLE_RATE_HZ = 24_000
CHUNK_FRAMES = 1_920  # 80 ms, as streaming engines deliver
STAMPS = 20_000
COLUMNS = ("clock_mhz", "power_mw", "util_gpu_pct", "mem_used_mib", "temperature_c")


class Slow(Replay):
    """A replayed sensor that takes its time, as a driver does: five calls, each outside the interpreter."""

    def read(self) -> Reading:
        """Return the next row after five waits."""
        for _ in COLUMNS:
            time.sleep(0.000_2)
        return super().read()


def engine(chunks: int) -> Iterator[bytes]:
    """Yield silence, each chunk after some milliseconds of arithmetic."""
    silence, numbers = bytes(2 * CHUNK_FRAMES), list(range(1_000))
    for _ in range(chunks):
        for _ in range(500):
            max(numbers)  # makes no object, whose place in memory would decide the ratio by a tenth
        yield silence


def main() -> None:
    """Print the cost of a stamp and the two ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=float, default=1.0, help="of the engine's own work a round")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ttsa-bench-") as folder:
        measure(Path(folder), asked.rounds, asked.seconds)


def write_recording(folder: Path) -> Path:
    """Write what a sensor is played back from."""
    recording = folder / "sensor.csv"
    recording.write_text("\n".join([",".join(COLUMNS), *["1980,300000,97,4096,61"] * 2_000]) + "\n", encoding="utf-8")
    return recording


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Stamp chunks, then run the engine alone and recorded, in turn."""
    out = folder / "run.tts.wav"
    recording = write_recording(folder)

    say_how_idle()
    start = time.perf_counter()
    for _ in engine(20):
        pass
    chunks = max(20, round(20 * seconds / (time.perf_counter() - start)))

    def alone() -> Spent:
        began = Spent.now()
        for _ in engine(chunks):
            pass
        return began.since()

    def recorded(sensor: Replay | None, hz: int = 10) -> Spent:
        """Return what was spent from the first to the last chunk; packing comes after the run."""
        with Recorder(
            out,
            text="A bench has no text.",
            sample_rate_hz=SAMPLE_RATE_HZ,
            sensor=sensor,
            period_ns=10**9 // hz,
            replace=True,
        ) as recorder:
            recorder.submit()
            began = Spent.now()
            for chunk in engine(chunks):
                recorder.chunk(chunk)
            return began.since()

    stamps = [stamp_ns(out) for _ in range(rounds)]
    print(
        f"one chunk of {2 * CHUNK_FRAMES} bytes: stamped and written in {statistics.median(stamps) / 1e3:.2f} us",
        end="",
    )
    print(
        f" ({min(stamps) / 1e3:.2f} to {max(stamps) / 1e3:.2f}); it holds {CHUNK_FRAMES / SAMPLE_RATE_HZ * 1e6:.0f} us"
    )
    spent = medians(
        {
            "engine alone": alone,
            "recorded, no sensor": lambda: recorded(None),
            "recorded, sensor at 10 Hz": lambda: recorded(Slow(recording), 10),
            "recorded, sensor at 50 Hz": lambda: recorded(Slow(recording), 50),
        },
        rounds,
    )
    for name, goal in (("no sensor", "1.01"), ("sensor at 10 Hz", "1.01"), ("sensor at 50 Hz", "1.02")):
        say(f"an engine {name}", spent, f"recorded, {name}", "engine alone", f"at most {goal}")


def stamp_ns(out: Path) -> float:
    """Return the nanoseconds that one chunk takes of its engine's thread."""
    silence = bytes(2 * CHUNK_FRAMES)
    with Recorder(out, text="A bench has no text.", sample_rate_hz=SAMPLE_RATE_HZ, replace=True) as recorder:
        recorder.submit()
        start = time.perf_counter_ns()
        for _ in range(STAMPS):
            recorder.chunk(silence)
        return (time.perf_counter_ns() - start) / STAMPS


if __name__ == "__main__":
    main()
