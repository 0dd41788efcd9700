"""No byte of an artifact moves a cursor, ends a line, or becomes a formula."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting_kit import HOSTILE

from ttsartifact.reporting.terminal import LONGEST, safe, safe_tsv

FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def forbidden_in(text: str) -> list[str]:
    return [repr(character) for character in text if unicodedata.category(character) in FORBIDDEN]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_string_keeps_a_control_character(text: str) -> None:
    """Control, format, surrogate, private, unassigned and line-breaking characters are spelled; length is bound."""
    assert forbidden_in(safe(text)) == []
    assert forbidden_in(safe_tsv(text)) == []
    assert len(safe(text)) < 10 * LONGEST + 40


@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    """What is safe holds for every text, not only for those we thought of."""
    assert forbidden_in(safe(text)) == []
    assert "\t" not in safe_tsv(text)


@given(st.text(max_size=LONGEST), st.text(max_size=LONGEST))
def test_two_texts_are_never_spelled_the_same(one: str, other: str) -> None:
    """An escape cannot be imitated by the characters that spell it."""
    assert (safe(one) == safe(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("plain words, größer, 声", "plain words, größer, 声"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r\\", "a\\nb\\tc\\r\\\\"),
        ("\u202e", "\\u202e"),
        ("\U000e0041", "\\U000e0041"),
        ("no\u00a0break", "no\u00a0break"),
        (None, "None"),
        ("x" * 401, "x" * 400 + "... (1 more)"),
    ],
)
def test_the_spelling(text: object, spelled: str) -> None:
    """Escapes are those that Python, C and JSON readers know."""
    assert safe(text) == spelled


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, r"\N"),
        ("", r"\N"),
        (r"\N", r"\\N"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        (-1, "-1"),
        ("@x", "'@x"),
        ("\tx", "'\\tx"),
        ("a\tb\nc", "a\\tb\\nc"),
        (True, "true"),
        (0.5, "0.5"),
    ],
)
def test_a_cell(value: object, cell: str) -> None:
    r"""Null is \N, a formula is quoted, and a number stays a number."""
    assert safe_tsv(value) == cell
