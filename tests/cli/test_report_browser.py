"""The page in a real browser: offline, in step with the sound, for keyboards, screen readers and small screens."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit
import pytest
from page_kit import page_of, spoken_run
from reporting_kit import poisoned

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser was driven")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no browser executed the page")

PICTURES = os.environ.get("TTSARTIFACT_PICTURES")
"""Where the documentation's pictures are written (`make pictures`); else they are only looked at for their size."""
KINDS = ("run", "two", "set")
RELEASED = sorted(Path("fixtures/released/0.1.0").glob("*.tts.wav"))
SHOWN = {"run": RELEASED[1:2], "two": RELEASED, "set": ["fixtures/released"]}
"""What the documentation's pictures show, by paths from the repository's root."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the browser once."""
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--mute-audio"])
        yield running
        running.close()


@contextmanager
def opened(browser: Any, page: Path, *, width: int = 1280, fragment: str = "") -> Iterator[tuple[Any, list[str]]]:
    """Open a page from its file with no network; yield it and the addresses that it asked for."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    tab, asked = context.new_page(), []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri() + fragment)
    try:
        yield tab, asked
    finally:
        context.close()


def until(tab: Any, expression: str) -> None:
    """Wait until an expression holds; the page's policy lets no string become a program, so that Python asks."""
    for _ in range(2400):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(25)
    raise AssertionError(f"{expression} does not hold after a minute")


def _runs(folder: Path, kind: str) -> list[Path]:
    count = {"run": 1, "two": 2, "set": 4}[kind]
    runs = [spoken_run(folder, 20, name=f"{kind}-{n}.tts.wav") for n in range(count)]
    session = kit.put(run__session_id="evening-1")
    return [*runs, kit.artifact(folder, name="other.tts.wav", patch=session)] if kind == "set" else runs


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a page of one run, of two, and of a set."""
    made = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        page_of(folder, *(SHOWN[kind] if PICTURES else _runs(folder, kind)))
        made[kind] = folder / "page.html"
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_leaves_the_page(browser: Any, pages: dict[str, Path], kind: str) -> None:
    """Opened from its file and offline, the page asks for itself and for what it holds."""
    with opened(browser, pages[kind]) as (tab, asked):
        tab.wait_for_load_state("networkidle")
    assert asked[0] == pages[kind].as_uri()
    assert [url[:40] for url in asked[1:] if not url.startswith("data:")] == []


def test_after_a_seek_the_cursor_is_at_that_instant(browser: Any, pages: dict[str, Path]) -> None:
    """At 12.500 s of the audio the words say 12.500 s, and the cursor lies where the axis has it."""
    with opened(browser, pages["run"]) as (tab, _):
        tab.evaluate("document.querySelector('audio').currentTime = 12.5")
        until(tab, "document.getElementById('now').textContent.startsWith('audio 12.500 s')")
        data = tab.evaluate("JSON.parse(document.getElementById('data').textContent).players[0]")
        left = tab.evaluate("parseFloat(document.getElementById('cursor-run').style.left)")
    assert left == pytest.approx((12.5 + data["stretches"][0][0] - data["start"]) / data["length"] * 100, abs=1e-3)


def test_keys_move_the_sound(browser: Any, pages: dict[str, Path]) -> None:
    """Right and left move by a second; space begins to play."""
    with opened(browser, pages["run"], fragment="#t=3") as (tab, _):
        until(tab, "document.querySelector('audio').currentTime === 3")
        for key, second in (("ArrowRight", 4), ("ArrowRight", 5), ("ArrowLeft", 4)):
            tab.keyboard.press(key)
            assert tab.evaluate("document.querySelector('audio').currentTime") == second
        tab.keyboard.press(" ")
        until(tab, "document.querySelector('audio').currentTime > 4")
        assert not tab.evaluate("document.querySelector('audio').paused")


def test_b_goes_on_where_a_was(browser: Any, pages: dict[str, Path]) -> None:
    """The switch changes the player and not the instant, while it plays too."""
    with opened(browser, pages["two"], fragment="#t=7.25") as (tab, _):
        until(tab, "document.getElementById('audio-a').currentTime === 7.25")
        tab.keyboard.press("b")
        assert tab.evaluate("document.getElementById('audio-b').currentTime") == 7.25
        tab.keyboard.press(" ")
        until(tab, "document.getElementById('audio-b').currentTime > 7.5")
        switched = "document.querySelector('[data-player=a]').click()"
        apart = "document.getElementById('audio-a').currentTime - document.getElementById('audio-b').currentTime"
        assert abs(tab.evaluate(f"({switched}, {apart})")) < 0.01
        assert tab.evaluate("document.getElementById('audio-b').paused")


def test_a_set_sorts_and_filters(browser: Any, pages: dict[str, Path]) -> None:
    """Sorted by duration the short run comes first, then last; the filter says how many rows are left."""
    with opened(browser, pages["set"]) as (tab, _):
        first = "document.querySelector('#run-table tbody tr th').textContent"
        for name in ("other.tts.wav", "set-0.tts.wav"):
            tab.click("#run-table thead th:nth-child(8) button")
            assert tab.evaluate(first).endswith(name)
        tab.fill("#filter", "other")
        assert tab.evaluate("document.getElementById('shown').textContent") == "1 of 5 runs."


def test_a_strangers_words_execute_nothing(browser: Any, tmp_path: Path) -> None:
    """Scripts wherever a descriptor has room: the policy reports nothing to block, since all of it is text."""
    page_of(tmp_path, poisoned(tmp_path, "<img src=x onerror=\"document.title='PWNED'\">"))
    with opened(browser, tmp_path / "page.html") as (tab, asked):
        assert "PWNED" not in tab.title().replace("&#x27;", "'").split("onerror", maxsplit=1)[0]
        assert tab.evaluate("document.images.length") == 0
        assert [url for url in asked[1:] if not url.startswith("data:")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_obstacle(browser: Any, pages: dict[str, Path], kind: str, scheme: str) -> None:
    """axe-core's rules for WCAG 2 A and AA hold: names, contrast, order of headings, labels."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with opened(browser, pages[kind]) as (tab, _):
        tab.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(tab).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found] == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_fits_the_screen(browser: Any, pages: dict[str, Path], kind: str, width: int, tmp_path: Path) -> None:
    """Nothing of it is wider than the screen; wide tables scroll in their own box."""
    out = Path(PICTURES or tmp_path) / f"{kind}-{width}.png"
    with opened(browser, pages[kind], width=width, fragment="#t=5") as (tab, _):
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.screenshot(path=out)
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
