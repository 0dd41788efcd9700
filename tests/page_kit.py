"""Pages for tests: a run long enough to look at, and the page of some files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kit
import numpy as np

from ttsartifact.cli import main
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["page_of", "spoken_run"]


def page_of(folder: Path, *paths: object) -> str:
    """Write `page.html` of the files into the folder, and return it."""
    out = folder / "page.html"
    assert main(["report", *map(str, paths), "-o", str(out), "--force"]) == 0
    return out.read_text(encoding="ascii")


def spoken_run(folder: Path, seconds: int, name: str = "long.tts.wav") -> Path:
    """Write a run of so many seconds at 24 kHz that is about as hard to compress as speech."""
    rate, total = 24_000, 24_000 * seconds
    time = np.arange(total) / rate
    loud, noise = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time), np.random.default_rng(12345).uniform(0, 300, total)
    samples = np.round(loud * (6000 * np.sin(2 * np.pi * 180 * time) + noise)).astype("<i2")
    count = seconds * 4
    log = Trace(
        "chunks",
        {
            "t_ns": [21_000_017 + n * 20_000_000 for n in range(count)],
            "frame_start": [n * 6000 for n in range(count)],
            "frame_count": [6000] * count,
        },
    )
    last = 21_000_017 + (count - 1) * 20_000_000
    run = kit.descriptor()["run"]
    times = run["times"] | {"t_last_token_ns": last, "first_chunk_frames": 6000}
    audio = kit.wav(samples.tobytes(), rate_hz=rate)
    return kit.artifact(folder, name=name, audio=audio, run=kit.draft(traces=(log,), run=run | {"times": times}))
