"""How large a page is, how long it takes to write, and how soon a browser has it ready: python benchmarks/pages.py.

A run of 30 s, and a set of 1,000 runs. Ready is the load event of Debian's Chromium, headless and offline, whose script
has then run; the best of three openings is printed, and all of them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS)]

import kit
from page_kit import page_of, spoken_run
from playwright.sync_api import sync_playwright

RUNS = 1000
OPENINGS = 3


def main() -> None:
    """Write both pages, open each, and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said("run of 30 s", folder, [spoken_run(folder, 30)])
        one = kit.artifact(folder, name="one.tts.wav")
        copies = [folder / f"{number:04}.tts.wav" for number in range(RUNS)]
        for copy in copies:
            shutil.copyfile(one, copy)
        said(f"set of {RUNS:,} runs", folder, copies)


def said(what: str, folder: Path, files: list[Path]) -> None:
    """Print one line about the page of some files."""
    begun = time.perf_counter()
    page_of(folder, *files)
    written_s = time.perf_counter() - begun
    page = folder / "page.html"
    ready_ms = [opened_ms(page) for _ in range(OPENINGS)]
    each = ", ".join(f"{ms:.0f}" for ms in ready_ms)
    size_mb = page.stat().st_size / 1e6
    print(f"{what}: {size_mb:.2f} MB, written in {written_s:.1f} s, ready in {min(ready_ms):.0f} ms ({each})")


def opened_ms(page: Path) -> float:
    """Return the time from navigation to the end of the load event, as the browser counts it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_context(offline=True).new_page()
        tab.goto(page.as_uri())
        took = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        browser.close()
    return float(took)


if __name__ == "__main__":
    main()
