"""Puts a text and paths into a command's argv; `inert` refuses a text that would be more than a text there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PLACES", "Filling"]

PLACES = re.compile(r"\{(text|out|ref)\}")


class Filling(NamedTuple):
    """What stands for the places of an argv."""

    text: str
    out: str
    references: tuple[str, ...]

    def of(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` with its places filled, each inside its argument; a word with {ref} stands once a clip."""
        words: list[str] = []
        for word in argv:
            clips = self.references if "{ref}" in word else ("",)
            words += [self._in(word, clip) for clip in clips]
        return words

    def _in(self, word: str, clip: str) -> str:
        values = {"text": self.text, "out": self.out, "ref": clip}
        return PLACES.sub(lambda place: values[place[1]], word)
