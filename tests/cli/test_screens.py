"""What a terminal shows, kept as text: `python tests/write_screens.py` writes it anew."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import write_screens

from ttsartifact.reporting.terminal import fitted, shortened

if TYPE_CHECKING:
    from pathlib import Path


def test_every_screen_is_the_kept_one(tmp_path: Path) -> None:
    """At 80 and at 120 columns; no line is wider, and no digest is broken."""
    found = write_screens.screens(tmp_path)
    assert {path.name for path in write_screens.FOLDER.iterdir()} == set(found)
    for name, text in found.items():
        assert text == (write_screens.FOLDER / name).read_text(encoding="utf-8"), name
        width = int(name.rpartition("-")[2].removesuffix(".txt"))
        assert max(map(len, text.splitlines())) <= width, name
        assert not re.search(r"[0-9a-f]{13,63}$", text, re.MULTILINE), name


def test_a_digest_is_shortened_and_other_words_are_not() -> None:
    """Twelve digits of sixty-four, with or without the algorithm before them."""
    assert shortened("a sha256:" + "0f" * 32 + ", " + "ab" * 32) == "a sha256:0f0f0f0f0f0f…, abababababab…"
    assert shortened("deadbeef " + "a" * 63) == "deadbeef " + "a" * 63


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("  label  one two three", ["  label  one", "    two three"]),
        ("one two three four", ["one two three", "  four"]),
        ("\x1b[31mone two thre\x1b[0m", ["\x1b[31mone two thre\x1b[0m"]),
        ("averyveryverylongword and", ["averyveryverylongword", "  and"]),
        ("run (`one two`) now", ["run", "  (`one two`)", "  now"]),
        ("see `a b`/`c d` now", ["see", "  `a b`/`c d`", "  now"]),
        ("run `one two three four` now", ["run `one two", "  three four`", "  now"]),
        ("a lone ` mark is none", ["a lone ` mark", "  is none"]),
    ],
)
def test_a_long_line_hangs_under_its_words(line: str, lines: list[str]) -> None:
    """Colours take no room, a word that is too long stays whole, and a command that is shorter than a line."""
    assert fitted(line, 14) == lines
