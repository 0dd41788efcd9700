"""Pages for tests: a run long enough to look at, and the page of some files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import kit
import numpy as np

from ttsartifact.cli import main
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["page_of", "require_named", "spoken_run"]


def page_of(folder: Path, *paths: object) -> str:
    """Write `page.html` of the files into the folder, and return it."""
    out = folder / "page.html"
    assert main(["report", *map(str, paths), "-o", str(out), "--force"]) == 0
    page = out.read_text(encoding="ascii")
    require_named(page)
    return page


_TAGS = {
    *("audio", "b", "body", "button", "code", "data", "details", "div", "figcaption", "figure", "footer", "h1", "h2"),
    *("h3", "head", "header", "html", "image", "img", "input", "label", "line", "main", "meta", "output", "p", "path"),
    *("rect", "section", "span", "strong", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title"),
    "tr",
}


def require_named(page: str) -> None:
    """Assert that every element has a name of HTML or SVG, and every attribute but a value something in it."""
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL).removeprefix("<!doctype html>")
    tags = re.findall(r"</?([^\s>]*)([^>]*)>", body)
    assert {name for name, _ in tags} <= _TAGS
    attributes = " ".join(written for _, written in tags)
    assert set(re.findall(r' ([\w-]+)=""', attributes)) <= {"value", "alt"}
    assert not re.search(r"\s=", re.sub(r'"[^"]*"', '""', attributes))


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
