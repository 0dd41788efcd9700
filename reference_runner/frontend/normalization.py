"""Written text to spoken words: numbers, money, times, abbreviations and signs read out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reference_runner.errors import EmptyText
from reference_runner.frontend import abbreviations, addresses, folding, letters, moments, money, numbers, quantities
from reference_runner.frontend.abbreviations import expand_abbreviations, split_sentences
from reference_runner.frontend.folding import fold
from reference_runner.frontend.letters import part_names, say_capitals, say_romans

__all__ = ["WORDS", "SpokenSentence", "SpokenWord", "normalize", "read_out"]

LONGEST_SENTENCE_WORDS = 40
"""A longer stretch without punctuation is cut here: nobody speaks that long in one breath."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenWord:
    """One word to be looked up, and the pause after it."""

    text: str
    """Lower case, letters and apostrophes."""
    pause: str | None = None
    """comma, statement or question, None within a phrase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenSentence:
    """The words of one sentence, the last with its pause."""

    words: tuple[SpokenWord, ...]

    @property
    def text(self) -> str:
        """Return the words as one line."""
        return " ".join(word.text for word in self.words)


_PRONOUNCED_SIGNS = {
    "&": " and ", "@": " at ", "%": " percent ", "+": " plus ", "=": " equals ", "#": " number ", "\u00b0": " degrees ",
    "/": " slash ", "*": " star ", "~": " about ", "<": " less than ", ">": " greater than ", "_": " ",
    "\u00d7": " times ", "\u00f7": " divided by ", "\u00b1": " plus or minus ", "\u2248": " about ",
    "\u2264": " less than or equal to ", "\u2265": " greater than or equal to ", "\u2260": " not equal to ",
    "\u226e": " not less than ", "\u226f": " not greater than ",
    "\u221e": " infinity ", "\u2030": " per mille ", "\u221a": " square root of ", "\\": " backslash ", "^": " ",
    "$": " dollars ", "\u20ac": " euros ", "\u00a3": " pounds ", "\u00a5": " yen ", "\u2211": " sum ",
}  # fmt: skip
_CONNECTED = {"and/or": "and or", "he/she": "he or she", "his/her": "his or her", "him/her": "him or her",
              "yes/no": "yes or no", "s/he": "she or he"}  # fmt: skip
"""Signs between words that are not said as signs."""

WORDS = frozenset(
    word
    for table in (_PRONOUNCED_SIGNS, _CONNECTED)
    for said in table.values()
    for word in said.split()
) | frozenset().union(*(part.WORDS for part in (abbreviations, addresses, folding, letters, moments, money, numbers,
                                                 quantities)))  # fmt: skip
"""Every word that the reading of signs, numbers and abbreviations can utter."""

_CONNECTIONS = re.compile("|".join(f"(?<!\\w){re.escape(written)}(?!\\w)" for written in _CONNECTED), re.IGNORECASE)
_AND = re.compile(r"\s?'n'\s?", re.IGNORECASE)
_DASHED = re.compile(r"\s+(?:-|\u2013|--+)\s+(?=\D)|(?<=\D)\s+(?:\u2013|--+)\s+|(?<=[a-z])\u2013(?=[a-z])")
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*|[.,;:!?]|--")
_PAUSES = {",": "comma", ";": "comma", ":": "comma", "--": "comma", ".": "statement", "!": "statement", "?": "question"}
_STRENGTH = {None: 0, "comma": 1, "statement": 2, "question": 3}


def normalize(text: str) -> list[SpokenSentence]:
    """Return the sentences of a text as spoken words; nothing to say, or letters we cannot say, is an error.

    >>> [sentence.text for sentence in normalize("Dr. Smith paid $3.5 million in the 1990s.")]
    ['doctor smith paid three point five million dollars in the nineteen nineties']
    """
    words = [_words(part) for part in split_sentences(read_out(fold(text)))]
    spoken = [piece for sentence in words for piece in _breathe(sentence)]
    if not spoken:
        raise EmptyText("the text has no word to speak")
    return spoken


def read_out(text: str) -> str:
    """Return a text of plain characters in words and punctuation: what is longest and clearest is read first."""
    text = _AND.sub(" and ", text)
    text = _CONNECTIONS.sub(lambda found: _CONNECTED[found.group(0).lower()], text)
    for pattern, say in addresses.FORMS:
        text = pattern.sub(say, text)
    text = say_romans(expand_abbreviations(text))
    for pattern, say in (*moments.FORMS, *addresses.LATE_FORMS, *money.FORMS):
        text = pattern.sub(say, text)
    *measured, plain = quantities.FORMS
    for pattern, say in measured:
        text = pattern.sub(say, text)
    text = _DASHED.sub(", ", say_capitals(part_names(text)))
    pattern, say = plain
    text = pattern.sub(say, text)
    for sign, spelled in _PRONOUNCED_SIGNS.items():
        text = text.replace(sign, spelled)
    return text


def _words(sentence: str) -> list[SpokenWord]:
    words: list[SpokenWord] = []
    for token in _TOKEN.findall(sentence.lower()):
        pause = _PAUSES.get(token)
        if pause is None:
            words.append(SpokenWord(text=token))
        elif words and _STRENGTH[pause] > _STRENGTH[words[-1].pause]:
            words[-1] = SpokenWord(text=words[-1].text, pause=pause)
    return words


def _breathe(words: list[SpokenWord]) -> list[SpokenSentence]:
    """Cut what is too long for one breath, and end every sentence with a pause."""
    pieces = [words[start : start + LONGEST_SENTENCE_WORDS] for start in range(0, len(words), LONGEST_SENTENCE_WORDS)]
    sentences = []
    for piece in pieces:
        last = piece[-1]
        pause = last.pause if last.pause in {"statement", "question"} else "statement"
        inner = [SpokenWord(text=word.text, pause="comma" if word.pause else None) for word in piece[:-1]]
        sentences.append(SpokenSentence(words=(*inner, SpokenWord(text=last.text, pause=pause))))
    return sentences
