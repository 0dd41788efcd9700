"""Letters to sounds: how a word that the lexicon lacks is probably said.

Every letter is given the phones it stands for by the longest context of neighbouring letters that the training knew.
Only contexts that say something else than their shorter version are kept, so the rules stay a few hundred kilobytes.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from reference_runner.frontend.phones import is_vowel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reference_runner.frontend.lexicon import Pronunciation

__all__ = ["RULES_FILE", "LetterRules", "contexts", "format_rules", "parse_rules", "read_letter_rules"]

RULES_FILE = "letter_to_sound.txt.gz"

REACHES = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4))
"""How many letters to the left and right a context sees, from the shortest on."""

_EDGE = "_"
_SILENT = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterRules:
    """What a letter in its context stands for."""

    rules: Mapping[str, str]
    """Context such as "a<t>io" to phones such as "sh"; "-" is silence."""
    sha256: str

    def pronounce(self, word: str) -> Pronunciation:
        """Return the probable pronunciation of a word of plain letters."""
        phones: list[tuple[str, int]] = []
        for place in range(len(word)):
            answer = next(
                (self.rules[context] for context in reversed(list(contexts(word, place))) if context in self.rules),
                _SILENT,
            )
            if answer != _SILENT:
                phones += [(phone.removesuffix("1"), int(phone.endswith("1"))) for phone in answer.split("+")]
        return _with_one_stress(tuple(phones))


def _with_one_stress(phones: Pronunciation) -> Pronunciation:
    """Stress the first vowel of a word that the rules left without any stress."""
    vowels = [place for place, (phone, _) in enumerate(phones) if is_vowel(phone)]
    if not vowels or any(stress for _, stress in phones):
        return phones
    first = vowels[0]
    return tuple((phone, int(place == first)) for place, (phone, _) in enumerate(phones))


def contexts(word: str, place: int) -> Iterator[str]:
    """Yield the contexts of one letter of a word, from the shortest on."""
    padded = _EDGE * 4 + word + _EDGE * 4
    centre = place + 4
    for left, right in REACHES:
        yield f"{padded[centre - left : centre]}<{padded[centre]}>{padded[centre + 1 : centre + 1 + right]}"


def format_rules(rules: Mapping[str, str]) -> bytes:
    """Write rules as sorted lines `context phones`."""
    return "".join(f"{context} {rules[context]}\n" for context in sorted(rules)).encode("ascii")


def parse_rules(text: str) -> dict[str, str]:
    """Read what `format_rules` wrote."""
    return dict(line.split(" ") for line in text.splitlines())


@cache
def read_letter_rules() -> LetterRules:
    """Read the rules that stand beside this module."""
    content = files("reference_runner.frontend").joinpath(RULES_FILE).read_bytes()
    rules = parse_rules(gzip.decompress(content).decode("ascii"))
    return LetterRules(rules=rules, sha256=hashlib.sha256(content).hexdigest())
