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

__all__ = ["LEXICON_FILE", "Lexicon", "Pronunciation", "format_lexicon", "parse_lexicon", "read_lexicon"]

LEXICON_FILE = "lexicon.txt.gz"

Pronunciation = tuple[tuple[str, int], ...]
"""Phones, each with its stress (0 or 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lexicon:
    """Words in lower case and their pronunciations."""

    entries: Mapping[str, Pronunciation]
    sha256: str
    """Of the file as shipped."""

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
        entries[word] = tuple((phone.removesuffix("1"), int(phone.endswith("1"))) for phone in phones)
    return entries


@cache
def read_lexicon() -> Lexicon:
    """Read the lexicon that stands beside this module."""
    content = files("reference_runner.frontend").joinpath(LEXICON_FILE).read_bytes()
    lines = gzip.decompress(content).decode("ascii").splitlines()
    return Lexicon(entries=parse_lexicon(lines), sha256=hashlib.sha256(content).hexdigest())
