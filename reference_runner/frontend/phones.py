"""The alphabet between text and sound: phones, stress, and where a phone stands in its phrase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BREAKS", "PAUSE", "PHONES", "VOWELS", "Phone", "PhoneSequence", "is_vowel"]

PAUSE = "pau"

VOWELS = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw",
)  # fmt: skip

PHONES = (
    "<padding>", PAUSE, *VOWELS,
    "b", "ch", "d", "dh", "f", "g", "hh", "jh", "k", "l", "m", "n", "ng",
    "p", "r", "s", "sh", "t", "th", "v", "w", "y", "z", "zh",
)  # fmt: skip
"""Index 0 pads a batch; every other index is a phone of flite's inventory."""

BREAKS = ("within_word", "word_end", "phrase_start", "comma", "statement", "question")
"""`word_end` marks the last phone of a word; the last four mark pauses."""

_PHONE_INDEX = {phone: index for index, phone in enumerate(PHONES)}
_BREAK_INDEX = {name: index for index, name in enumerate(BREAKS)}


def is_vowel(phone: str) -> bool:
    """Say whether the phone is the core of a syllable."""
    return phone in VOWELS


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """One phone of an utterance."""

    name: str
    stress: int = 0
    """1 for the vowel of a stressed syllable, else 0."""
    boundary: str = "within_word"
    """One of BREAKS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhoneSequence:
    """The phones of one utterance, a pause first and a pause last."""

    phones: tuple[Phone, ...]

    def __len__(self) -> int:
        return len(self.phones)

    def phone_ids(self) -> list[int]:
        """Return the indices into PHONES."""
        return [_PHONE_INDEX[phone.name] for phone in self.phones]

    def stress_ids(self) -> list[int]:
        """Return 0 or 1 a phone."""
        return [phone.stress for phone in self.phones]

    def break_ids(self) -> list[int]:
        """Return the indices into BREAKS."""
        return [_BREAK_INDEX[phone.boundary] for phone in self.phones]

    @classmethod
    def from_words(
        cls, words: Sequence[Sequence[tuple[str, int]]], pauses_after: Sequence[str | None]
    ) -> PhoneSequence:
        """Join words, each a list of (phone, stress), with the pause named after each, `None` for no pause."""
        phones = [Phone(name=PAUSE, boundary="phrase_start")]
        for word, pause in zip(words, pauses_after, strict=True):
            last = len(word) - 1
            phones.extend(
                Phone(name=name, stress=stress, boundary="word_end" if place == last else "within_word")
                for place, (name, stress) in enumerate(word)
            )
            if pause is not None:
                phones.append(Phone(name=PAUSE, boundary=pause))
        if phones[-1].name != PAUSE:
            phones.append(Phone(name=PAUSE, boundary="statement"))
        return cls(phones=tuple(phones))
