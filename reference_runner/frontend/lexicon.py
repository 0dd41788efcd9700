"""The lexicon: how words are said, made by our own corpus builder and shipped as data with its hash."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ADDITIONS_FILE", "LEXICON_FILE", "Lexicon", "Pronunciation", "format_lexicon", "parse_lexicon", "read_base",
    "read_lexicon", "read_pronunciation",
]  # fmt: skip

LEXICON_FILE = "lexicon.txt.gz"
"""The words of a word list; the corpus draws phrases from it."""
ADDITIONS_FILE = "lexicon_additions.txt"
"""Names, terms of our time, and what the front end itself utters."""

Pronunciation = tuple[tuple[str, int], ...]
"""Phones, each with its stress (0 or 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """Words in lower case and their pronunciations."""

    entries: Mapping[str, Pronunciation]
    sha256: str
    """Of the files as shipped, one after the other."""

    def get(self, word: str) -> Pronunciation | None:
        """Return the pronunciation of a word, `None` when it is not listed."""
        return self.entries.get(word.lower())


def format_lexicon(entries: Mapping[str, Pronunciation]) -> bytes:
    """Write entries as lines `word phone phone1 ...`, sorted; a 1 after a phone is stress."""
    lines = [
        " ".join([word, *(phone + ("1" if stress else "") for phone, stress in entries[word])])
        for word in sorted(entries)
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def parse_lexicon(lines: Iterable[str]) -> dict[str, Pronunciation]:
    """Read what `format_lexicon` wrote."""
    entries: dict[str, Pronunciation] = {}
    for line in lines:
        word, *phones = line.split()
        entries[word] = read_pronunciation(phones)
    return entries


def read_pronunciation(phones: Iterable[str]) -> Pronunciation:
    """Read phones such as `ax` and `ey1`; the 1 is stress."""
    return tuple((phone.removesuffix("1"), int(phone.endswith("1"))) for phone in phones)


@cache
def read_base() -> Lexicon:
    """Read the lexicon that stands beside this module, without the additions."""
    content = _content(LEXICON_FILE)
    lines = gzip.decompress(content).decode("ascii").splitlines()
    return Lexicon(entries=parse_lexicon(lines), sha256=hashlib.sha256(content).hexdigest())


@cache
def read_lexicon() -> Lexicon:
    """Read the lexicon with its additions."""
    additions = _content(ADDITIONS_FILE)
    entries = parse_lexicon(additions.decode("ascii").splitlines())
    both = hashlib.sha256(_content(LEXICON_FILE) + additions)
    return Lexicon(entries={**read_base().entries, **entries}, sha256=both.hexdigest())


def _content(name: str) -> bytes:
    return files("reference_runner.frontend").joinpath(name).read_bytes()
