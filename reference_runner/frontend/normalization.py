"""Written text to spoken words: numbers, money, times, abbreviations and signs read out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_runner.errors import EmptyText, UnknownScript
from reference_runner.frontend.numbers import LARGEST_NUMBER, cardinal, digits, ordinal, year

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SpokenSentence", "SpokenWord", "normalize", "split_sentences"]

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


_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miss", "dr": "doctor", "prof": "professor", "st": "saint",
    "jr": "junior", "sr": "senior", "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department",
    "e.g": "for example", "i.e": "that is", "no": "number", "vol": "volume", "fig": "figure", "inc": "incorporated",
    "ltd": "limited", "co": "company", "capt": "captain", "gen": "general", "sgt": "sergeant", "jan": "january",
    "feb": "february", "aug": "august", "sept": "september", "oct": "october", "nov": "november", "dec": "december",
}  # fmt: skip
"""Read so only with their full stop."""

_UNITS = {
    "km": "kilometers", "cm": "centimeters", "mm": "millimeters", "kg": "kilograms", "mg": "milligrams",
    "hz": "hertz", "khz": "kilohertz", "mhz": "megahertz", "ghz": "gigahertz", "ms": "milliseconds", "s": "seconds",
    "min": "minutes", "h": "hours", "w": "watts", "kw": "kilowatts", "v": "volts", "mb": "megabytes",
    "gb": "gigabytes", "kb": "kilobytes", "db": "decibels", "ft": "feet", "lb": "pounds", "oz": "ounces", "m": "meters",
    "g": "grams", "l": "liters",
}  # fmt: skip
"""Read so only after a number."""

_SIGNS = {
    "&": " and ", "@": " at ", "%": " percent ", "+": " plus ", "=": " equals ", "#": " number ", "°": " degrees ",
    "/": " slash ", "*": " star ", "~": " about ", "<": " less than ", ">": " greater than ", "_": " ",
}  # fmt: skip

_SPOKEN_A = "ay"
"""The letter a; the lexicon has the other letters under themselves, and "a" is the article."""

_CURRENCY = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
_PLURALS = {"penny": "pence"}

_MONEY = re.compile(r"([$£€])(\d[\d,]*)(?:\.(\d\d))?(?!\d)")
_TIME = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?:\s*([ap])\.?m\b\.?)?", re.IGNORECASE)
_HALF_DAY = re.compile(r"(?<=\d)( ?[ap])\.m\.(?=\s+[a-z])")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_GROUPED = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_GROUPED_MEASURE = re.compile(
    r"\b(\d{1,3}(?:,\d{3})+)\s?(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_MEASURE = re.compile(r"(\d)\s?(" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")\b", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<![\d.])-?\d+\.\d+\b")
_INTEGER = re.compile(r"(?<![\w.])-?\d+|\d+")
_DOTTED = re.compile(r"\b(?:e\.g|i\.e)\.", re.IGNORECASE)
_SHORT = re.compile(r"\b([A-Za-z]+)\.(?=\s*\S)")
_CAPITALS = re.compile(r"\b[A-Z]{2,6}\b")
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*|[.,;:!?]|--")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n\s*\n")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ", ", "…": ".", "\u00a0": " "})  # noqa: RUF001
_PAUSES = {",": "comma", ";": "comma", ":": "comma", "--": "comma", ".": "statement", "!": "statement", "?": "question"}
_STRENGTH = {None: 0, "comma": 1, "statement": 2, "question": 3}


def split_sentences(text: str) -> list[str]:
    """Cut text after full stops, question and exclamation marks, but not after an abbreviation."""
    protected = _SHORT.sub(lambda found: _expand_short(found, keep=found.group(0)), text)
    protected = _HALF_DAY.sub(lambda found: f"{found.group(1)}m", protected)
    protected = _DOTTED.sub(lambda found: _ABBREVIATIONS[found.group(0)[:-1].lower()], protected)
    return [part.strip() for part in _SENTENCE_END.split(protected) if part and part.strip()]


def normalize(text: str) -> list[SpokenSentence]:
    """Return the sentences of a text as spoken words; nothing to say, or letters we cannot say, is an error."""
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN))
    without_accents = "".join(
        character for character in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(character)
    )
    for place, character in enumerate(without_accents):
        if character.isalpha() and not character.isascii():
            name = unicodedata.name(character, "a letter without a name")
            message = f"cannot speak {character!r} ({name}): this voice reads Latin letters only"
            raise UnknownScript(message, where=f"character {place} of the text")
    sentences = [_speak(part) for part in split_sentences(without_accents)]
    spoken = [piece for sentence in sentences for piece in _breathe(sentence)]
    if not spoken:
        raise EmptyText("the text has no word to speak")
    return spoken


def _expand_short(found: re.Match[str], keep: str) -> str:
    return _ABBREVIATIONS.get(found.group(1).lower(), keep) if found.group(1).lower() != "no" else keep


def _speak(sentence: str) -> list[SpokenWord]:
    text = _CAPITALS.sub(_spell_acronym, sentence)
    replacements: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (_MONEY, _say_money),
        (_TIME, _say_time),
        (
            _GROUPED_MEASURE,
            lambda found: f"{_number(int(found.group(1).replace(',', '')))} {_UNITS[found.group(2).lower()]} ",
        ),
        (_GROUPED, lambda found: f" {_number(int(found.group(0).replace(',', '')))} "),
        (_MEASURE, lambda found: f"{found.group(1)} {_UNITS[found.group(2).lower()]} "),
        (_ORDINAL, lambda found: f" {ordinal(int(found.group(1)))} "),
        (_DECIMAL, _say_decimal),
        (_INTEGER, _say_integer),
    )
    for pattern, replacement in replacements:
        text = pattern.sub(replacement, text)
    for sign, spelled in _SIGNS.items():
        text = text.replace(sign, spelled)
    words: list[SpokenWord] = []
    for token in _TOKEN.findall(text.lower()):
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


def _spell_acronym(found: re.Match[str]) -> str:
    word = found.group(0)
    if any(letter in "AEIOUY" for letter in word) and len(word) > 3:
        return word.lower()
    return " ".join(_letter(letter) for letter in word)


def _letter(letter: str) -> str:
    return _SPOKEN_A if letter in "aA" else letter.lower()


def _say_money(found: re.Match[str]) -> str:
    whole_name, part_name = _CURRENCY[found.group(1)]
    whole = int(found.group(2).replace(",", ""))
    words = f"{_number(whole)} {_counted(whole_name, whole)}"
    if found.group(3) and int(found.group(3)):
        part = int(found.group(3))
        words += f" and {cardinal(part)} {_counted(part_name, part)}"
    return f" {words} "


def _counted(noun: str, count: int) -> str:
    return noun if count == 1 else _PLURALS.get(noun, noun + "s")


def _say_time(found: re.Match[str]) -> str:
    hour, minute, half = int(found.group(1)), int(found.group(2)), found.group(3)
    minutes = "" if minute == 0 else (f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute))
    words = [cardinal(hour), minutes or ("" if half else "o'clock")]
    if half:
        words += [_letter(half), "m"]
    return " " + " ".join(word for word in words if word) + " "


def _say_decimal(found: re.Match[str]) -> str:
    whole, fraction = found.group(0).lstrip("-").split(".")
    sign = "minus " if found.group(0).startswith("-") else ""
    return f" {sign}{_number(int(whole))} point {digits(fraction)} "


def _say_integer(found: re.Match[str]) -> str:
    text = found.group(0)
    sign = "minus " if text.startswith("-") else ""
    text = text.lstrip("-")
    number = int(text)
    if len(text) > 1 and text.startswith("0"):
        return f" {sign}{digits(text)} "
    if len(text) == 4 and 1100 <= number < 2100:
        return f" {sign}{year(number)} "
    return f" {sign}{_number(number)} "


def _number(number: int) -> str:
    return cardinal(number) if number <= LARGEST_NUMBER else digits(str(number))
