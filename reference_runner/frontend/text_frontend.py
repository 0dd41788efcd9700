"""The front end: text in, phones out, and a list of the words it had to guess."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reference_runner.frontend.letter_to_sound import LetterRules, read_letter_rules
from reference_runner.frontend.lexicon import Lexicon, read_lexicon
from reference_runner.frontend.normalization import normalize
from reference_runner.frontend.phones import PhoneSequence, is_vowel

if TYPE_CHECKING:
    from reference_runner.frontend.lexicon import Pronunciation
    from reference_runner.frontend.normalization import SpokenSentence

__all__ = ["FRONT_END_NAME", "FRONT_END_VERSION", "ReadSentence", "ReadText", "TextFrontEnd"]

FRONT_END_NAME = "ttsartifact-frontend"
FRONT_END_VERSION = "2"

_WEAK_FORMS: dict[str, Pronunciation] = {
    "a": (("ax", 0),),
    "the": (("dh", 0), ("ax", 0)),
    "to": (("t", 0), ("ax", 0)),
}
"""How these words sound inside a sentence; the lexicon has them as said alone."""

_THE_BEFORE_VOWEL: Pronunciation = (("dh", 0), ("iy", 0))
_VOICELESS = ("p", "t", "k", "f", "th")
_SIBILANTS = ("s", "z", "sh", "zh", "ch", "jh")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSentence:
    """One sentence, ready for the text encoder."""

    text: str
    """The spoken words."""
    phones: PhoneSequence


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadText:
    """What the front end made of a text."""

    sentences: tuple[ReadSentence, ...]
    out_of_vocabulary: tuple[str, ...]
    """Words pronounced by rule, each once, in the order of their first appearance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFrontEnd:
    """The lexicon first, its inflections next, letter-to-sound rules last."""

    lexicon: Lexicon = field(default_factory=read_lexicon)
    rules: LetterRules = field(default_factory=read_letter_rules)

    def read(self, text: str) -> ReadText:
        """Return the phones of a text; without a word it is an `EmptyText`."""
        unknown: dict[str, None] = {}
        sentences = tuple(self._read_sentence(sentence, unknown) for sentence in normalize(text))
        return ReadText(sentences=sentences, out_of_vocabulary=tuple(unknown))

    def identity(self) -> dict[str, str]:
        """Return what a run says of its front end."""
        return {
            "name": FRONT_END_NAME,
            "version": FRONT_END_VERSION,
            "lexicon_sha256": self.lexicon.sha256,
            "letter_to_sound_sha256": self.rules.sha256,
        }

    def _read_sentence(self, sentence: SpokenSentence, unknown: dict[str, None]) -> ReadSentence:
        words = [self._word(word.text, unknown) for word in sentence.words]
        for place, word in enumerate(sentence.words):
            follows = words[place + 1] if place + 1 < len(words) and word.pause is None else None
            if word.text == "the" and follows and is_vowel(follows[0][0]):
                words[place] = _THE_BEFORE_VOWEL
        return ReadSentence(
            text=sentence.text,
            phones=PhoneSequence.from_words(words, [word.pause for word in sentence.words]),
        )

    def _word(self, word: str, unknown: dict[str, None]) -> Pronunciation:
        if word in _WEAK_FORMS:
            return _WEAK_FORMS[word]
        plain = word.replace("'", "")
        known = self.lexicon.get(word) or (self.lexicon.get(plain) if "'" in word and not word.endswith("'s") else None)
        if known is not None:
            return known
        stem = word.removesuffix("'s") if word.endswith("'s") else ""
        if stem and (said := self.lexicon.get(stem)):
            return said + _plural_ending(said[-1][0])
        unknown[word] = None
        return self.rules.pronounce(plain)


def _plural_ending(last: str) -> Pronunciation:
    """Return how "s" sounds after a phone: buses, cats, dogs."""
    if last in _SIBILANTS:
        return (("ax", 0), ("z", 0))
    return (("s", 0),) if last in _VOICELESS else (("z", 0),)
