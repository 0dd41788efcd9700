"""The grammar's words, read from `vocabulary.txt`, and their regular inflections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from reference_runner.frontend.lexicon import read_base

__all__ = ["Verb", "Vocabulary", "gerund", "lexicon_words", "past", "plural", "read_vocabulary"]

_VOWELS = "aeiou"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verb:
    """A verb in the three forms that English may have irregular."""

    base: str
    past: str
    participle: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The words by class, each once, in the order of the file."""

    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[Verb, ...]
    adverbs: tuple[str, ...]
    prepositions: tuple[str, ...]
    determiners: tuple[str, ...]
    pronouns: tuple[str, ...]
    names: tuple[str, ...]
    places: tuple[str, ...]
    times: tuple[str, ...]
    numbers: tuple[str, ...]
    ordinals: tuple[str, ...]
    phrases: tuple[str, ...]
    contractions: tuple[str, ...]
    """Not spoken by the grammar; the lexicon has them."""

    def spellings(self) -> tuple[str, ...]:
        """Return every word in every form the grammar can write, in lower case, sorted."""
        words: set[str] = set()
        for section in (
            self.adjectives, self.adverbs, self.prepositions, self.determiners, self.pronouns,
            self.names, self.places, self.times, self.numbers, self.ordinals,
        ):  # fmt: skip
            words.update(section)
        for noun in self.nouns:
            words.update((noun, plural(noun)))
        for verb in self.verbs:
            words.update((verb.base, verb.past, verb.participle, plural(verb.base), gerund(verb.base)))
        for phrase in self.phrases:
            words.update(phrase.split())
        return tuple(sorted({word.lower() for word in words}))


def _ends_in_consonant_y(word: str) -> bool:
    return len(word) > 1 and word.endswith("y") and word[-2] not in _VOWELS


def _doubles_last_letter(word: str) -> bool:
    """Say whether "stop" becomes "stopped".

    The rule is rough: it also writes "openned". The corpus is locked with it, and it sounds the same.
    """
    short = len(word) == 3 or (len(word) == 4 and word[1] not in _VOWELS)
    return short and word[-1] not in _VOWELS + "wxy" and word[-2] in _VOWELS and word[-3] not in _VOWELS


def plural(word: str) -> str:
    """Return the regular plural of a noun, or the third person of a verb."""
    if _ends_in_consonant_y(word):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"


def past(word: str) -> str:
    """Return the regular past of a verb."""
    if word.endswith("e"):
        return word + "d"
    if _ends_in_consonant_y(word):
        return word[:-1] + "ied"
    if _doubles_last_letter(word):
        return word + word[-1] + "ed"
    return word + "ed"


def gerund(word: str) -> str:
    """Return the form in -ing."""
    if word.endswith("ie"):
        return word[:-2] + "ying"
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    if _doubles_last_letter(word):
        return word + word[-1] + "ing"
    return word + "ing"


def _verb(entry: str) -> Verb:
    base, *forms = entry.split(":")
    if not forms:
        return Verb(base=base, past=past(base), participle=past(base))
    simple_past, participle = forms
    return Verb(base=base, past=simple_past, participle=participle)


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
            sections[current] = []
        elif line and not line.startswith("#"):
            sections[current].append(line)
    return sections


@cache
def lexicon_words() -> tuple[str, ...]:
    """Return the words of the lexicon that phrases are made of so that every sound is met: of letters, two or more."""
    return tuple(sorted(word for word in read_base().entries if word.isalpha() and len(word) > 1))


@cache
def read_vocabulary() -> Vocabulary:
    """Read the vocabulary that stands beside this module."""
    text = files("reference_runner.laboratory.corpus").joinpath("vocabulary.txt").read_text(encoding="utf-8")
    sections = _sections(text)
    words = {
        name: tuple(dict.fromkeys(" ".join(lines).split()))
        for name, lines in sections.items()
        if name not in {"verbs", "phrases"}
    }
    verbs = dict.fromkeys(" ".join(sections["verbs"]).split())
    phrases = " | ".join(sections["phrases"]).split(" | ")
    return Vocabulary(
        **words,
        verbs=tuple(_verb(entry) for entry in verbs),
        phrases=tuple(phrase.strip() for phrase in phrases),
    )
