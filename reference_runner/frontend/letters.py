"""Capitals and Roman numerals: what is spelled, what is said as a word, and what is a number."""

from __future__ import annotations

import re
from string import ascii_lowercase

from reference_runner.frontend.lexicon import read_lexicon
from reference_runner.frontend.numbers import cardinal, ordinal

__all__ = ["SAID_A", "WORDS", "letter", "part_names", "say_capitals", "say_romans", "spell"]

SAID_A = "ay"
"""The letter a; the lexicon has the other letters under themselves, and "a" is the article."""

_SPELLED = frozenset(["ACLU", "AM", "ETA", "GPU", "IT", "LED", "UCLA", "US", "USAF", "WHO"])
"""Spelled although they are words, or could be said as one; other capitals that are no word are spelled anyway."""
_NAMES = {
    "OK": "okay", "JPEG": "jay peg", "JPG": "jay peg", "JSON": "jason", "ASAP": "ay s ay p", "AAA": "triple ay",
    "IEEE": "i triple e", "WAV": "wave", "NAACP": "n double ay c p",
    "WWI": "world war one", "WWII": "world war two",
}  # fmt: skip
_SHORT_WORDS = frozenset(
    ["am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "me", "my", "no", "of", "oh", "on", "or",
     "ox", "so", "to", "up", "us", "we", "hi", "ha", "ah", "it", "i", "a"]
)  # fmt: skip
_SHOUTED_WORDS = _SHORT_WORDS - {"am", "it", "us", "a", "i"}
"""Two letters that are a word even where the words around them are written small."""

_CAPITALS = re.compile(r"(?<![\w'])([A-Z]{2,}(?:&[A-Z]{1,2})?)('?s)?(?![\w'])")
_JOINED = re.compile(r"(?<![\w'&])([A-Z])&([A-Z])(?![\w'])")
_LETTER_A = re.compile(
    r"\b((?:vitamin|grade|plan|type|team|hepatitis|point|option|class|section|group|exhibit|block|appendix|part|letter|"
    r"level|side|figure|table|box|gate|room|unit|route|schedule|size|an|the|straight|from)\s)A(?=[\s.,;:!?)]|$)",
    re.IGNORECASE,
)
_A_NUMBER = re.compile(r"(?<![A-Za-z'])A(?=-?\d)")
_GLUED = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_CAMEL = re.compile(r"\b[A-Za-z]*[a-z][A-Z][A-Za-z]*\b")
_SCOTTISH = re.compile(r"\bMc(?=[A-Z][a-z])")
_MARKED = re.compile(r"(?<![\w-])([A-DF])([-+])(?=[\s.,;:!?)]|$)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONGEST_SPELLED = 3

_VALUES = {"M": 1000, "D": 500, "C": 100, "L": 50, "X": 10, "V": 5, "I": 1}
_ROMAN = r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_RULERS = (
    "Henry|Louis|George|Charles|Edward|Richard|William|James|Elizabeth|Mary|Philip|Napoleon|Peter|Catherine|Nicholas|"
    "Alexander|Frederick|Paul|Pius|Benedict|John|Leo|Gregory|Innocent|Clement|Urban|Boniface|Ferdinand|Francis|Joseph|"
    "Leopold|Ivan|Otto|Ramses|Ramesses|Ptolemy|Darius|Xerxes|Robert|David|Harold|Stephen|Felipe|Carlos|Juan|Pedro|"
    "Gustav|Christian|Haakon|Olaf|Harald|Albert|Rainier|Wilhelm|Victor|Emmanuel|Umberto|Sixtus|Julius|Margaret|Thutmose|"
    "Selim|Mehmed|Murad|Constantine|Justinian|Theodosius|Conrad|Casimir|Sigismund|Alfonso|Adrian|Hadrian|Celestine"
)
_RULER = re.compile(rf"\b({_RULERS})\s({_ROMAN})(?![\w'])(?!\s(?:think|am|was told|have|know|said|saw|will|would)\b)")
_TITLED = re.compile(
    rf"\b((?:King|Queen|Pope|Emperor|Empress|Tsar|Czar|Kaiser|Sultan|Prince|Duke)\s[A-Z][a-z]+)\s({_ROMAN})(?![\w'])"
)
_COUNTED = re.compile(
    r"\b(war|chapter|part|volume|vol|book|act|scene|section|article|type|phase|stage|level|class|title|bowl|mark|grade|"
    r"category|figure|table|appendix|version|apollo|rocky|gemini|episode|round|group|tier|division|corps|canto|sonata|"
    rf"symphony|concerto|opus|annex|item|step|case|factor|fantasy|vatican|number|no|mod|generation)(s?)\.?\s"
    rf"({_ROMAN})(?![\w'])", re.IGNORECASE,
)  # fmt: skip
_CENTURY = re.compile(rf"\b({_ROMAN})(?=\s(?:century|centuries|dynasty|corps|olympiad)\b)", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w'&.-])(X{0,3}(?:IX|IV|V?I{1,3}|V)|X{2,3})(?![\w'&])")
_SUFFIX = re.compile(r"\b([A-Z][a-z]+\s[A-Z][a-z]+)\s(II|III|IV)(?![\w'])")
_PRONOUN = "I"

WORDS = frozenset(
    {SAID_A, *ascii_lowercase, *_SHORT_WORDS, "the", "and", "plus", "minus", "mac",
    *(word for name in _NAMES.values() for word in name.split())}
)  # fmt: skip
"""Every word that this module can utter, but for the words of a text written in capitals."""


def letter(character: str) -> str:
    """Return how a letter is said, as a word of the lexicon."""
    return SAID_A if character in "aA" else character.lower()


def spell(text: str) -> str:
    """Return the letters of a text, one word each; "and" for an ampersand."""
    return " ".join("and" if character == "&" else letter(character) for character in text)


def say_capitals(text: str) -> str:
    """Replace words in capitals, single capital letters that are letters, and words with a capital inside."""
    text = _JOINED.sub(lambda found: f"{letter(found.group(1))} and {letter(found.group(2))}", text)
    text = _MARKED.sub(lambda found: f"{letter(found.group(1))} {'plus' if found.group(2) == '+' else 'minus'}", text)
    text = _LETTER_A.sub(lambda found: found.group(1) + SAID_A, text)
    shouting = _is_shouted(text)
    text = _CAPITALS.sub(lambda found: _say_capital(found, shouting=shouting or _has_neighbour(found)), text)
    return _CAMEL.sub(_say_camel, _SCOTTISH.sub("mac ", text))


def part_names(text: str) -> str:
    """Part letters and digits that are written together: "MP3", "A4", "H2O", "x86"."""
    return _GLUED.sub(" ", _A_NUMBER.sub(f"{SAID_A} ", text))


def _is_shouted(text: str) -> bool:
    """Say whether a text of three words or more has no small letter."""
    words = re.findall("[A-Za-z]{2,}", text)
    return len(words) > 2 and all(word.isupper() for word in words)


def _has_neighbour(found: re.Match[str]) -> bool:
    """Say whether the next or the last word is an ordinary one in capitals: "ALL CAPS"."""
    before = re.search(r"([A-Z]{2,})[\s,]+$", found.string[: found.start()])
    after = re.match(r"[\s,]+([A-Z]{2,})\b", found.string[found.end() :])
    near = [side.group(1) for side in (before, after) if side]
    return any(word not in _SPELLED and _is_word(word) for word in near)


def _is_word(capitals: str) -> bool:
    word = capitals.lower()
    return word in _SHORT_WORDS if len(word) == 2 else read_lexicon().get(word) is not None


def _say_capital(found: re.Match[str], *, shouting: bool) -> str:
    word, ending = found.group(1), found.group(2) or ""
    ending = "'s" if ending else ""
    if word in _NAMES:
        return _NAMES[word] + ending
    as_word = word.lower() + ending
    if "&" in word or (word in _SPELLED and not (shouting and _is_word(word))):
        return spell(word) + ending
    if len(word) == 2:
        return as_word if word.lower() in (_SHORT_WORDS if shouting else _SHOUTED_WORDS) else spell(word) + ending
    if _is_word(word) or (len(word) > _LONGEST_SPELLED and _can_be_said(word)):
        return as_word
    return spell(word) + ending


def _can_be_said(word: str) -> bool:
    """Say whether a word unknown in any spelling has a vowel in every three letters and begins as words do."""
    begins = re.match("(?:[AEIOUY]|[B-DF-HJ-NP-TV-Z](?:[LRWHY]|(?<=S)[CKLMNPTQ])?[AEIOUY])", word)
    return begins is not None and re.search("[^AEIOUY]{3}|[AEIOU]{3}", word) is None


def _say_camel(found: re.Match[str]) -> str:
    word = found.group(0)
    if read_lexicon().get(word) is not None:
        return word
    return _HUMP.sub(" ", word)


def say_romans(text: str) -> str:
    """Replace Roman numerals: after a ruler, after what is counted, and standing alone; I alone is the pronoun."""
    text = _RULER.sub(_say_ruler, text)
    text = _TITLED.sub(_say_ruler, text)
    text = _COUNTED.sub(_say_counted, text)
    text = _SUFFIX.sub(lambda found: f"{found.group(1)} the {ordinal(_value(found.group(2)))}", text)
    text = _CENTURY.sub(_say_century, text)
    return _BARE.sub(_say_bare, text)


def _value(roman: str) -> int:
    total = 0
    for place, character in enumerate(roman):
        following = _VALUES[roman[place + 1]] if place + 1 < len(roman) else 0
        value = _VALUES[character]
        total += -value if value < following else value
    return total


def _say_ruler(found: re.Match[str]) -> str:
    name, roman = found.groups()
    after = found.string[found.end() :]
    if not roman or (
        roman == _PRONOUN and re.match(r"\s[a-z]+", after) and not re.match(r"\s(?:of|was|and|in)\b", after)
    ):
        return found.group(0)
    return f"{name} the {ordinal(_value(roman))}"


def _say_counted(found: re.Match[str]) -> str:
    noun, plural, roman = found.groups()
    pronoun = roman == _PRONOUN and (noun.lower() in {"no", "number", "item"} or (noun.islower() and noun != "chapter"))
    small = len(roman) > 1 and roman.islower() and set(roman) <= set("ivx")
    if not roman or not (roman.isupper() or small) or pronoun:
        return found.group(0)
    return f"{noun}{plural} {cardinal(_value(roman.upper()))}"


def _say_century(found: re.Match[str]) -> str:
    roman = found.group(1)
    return ordinal(_value(roman)) if roman and roman.isupper() else found.group(0)


def _say_bare(found: re.Match[str]) -> str:
    roman = found.group(1)
    return found.group(0) if len(roman) < 2 else cardinal(_value(roman))
