"""Characters to the plain ones that the forms are written in: letters without marks, signs of one kind.

Compatibility normalisation alone would lose what was meant: it turns "1\u00bd" into "11/2", "10\u2076" into "106" and
"\u2122" into letters. Those are looked after before it.
"""

from __future__ import annotations

import re
import unicodedata

from reference_runner.errors import UnknownScript

__all__ = ["WORDS", "fold"]

_SIGNS = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"',
    "\u201e": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"', "\u2026": ".", "\u2014": ", ", "\u2015": ", ",
    "\u2012": "\u2013", "\u2010": "-", "\u2011": "-", "\u2212": "-", "\u2022": ", ", "\u00b7": " ", "\u2190": " ",
    "\u2192": " to ", "\u2122": " ", "\u2120": " ", "\u00ae": " ", "\u00a9": " copyright ", "\u2116": "No.",
    "\u22c5": "\u00d7", "\u2126": "\u03a9", "\u00b5": "\u03bc", "\u2044": "/", "\u2215": "/",
    "\u00ad": "", "\u200b": "", "\ufeff": "", "\u00a7": " section ", "\u00b6": " paragraph ",
    "\u2103": "\u00b0C", "\u2109": "\u00b0F",
}  # fmt: skip

_LETTERS = {
    "\u00df": "ss", "\u1e9e": "SS", "\u00f8": "o", "\u00d8": "O", "\u0142": "l", "\u0141": "L", "\u0111": "d",
    "\u0110": "D", "\u00f0": "d", "\u00d0": "D", "\u00fe": "th", "\u00de": "Th", "\u00e6": "ae", "\u00c6": "Ae",
    "\u0153": "oe", "\u0152": "Oe", "\u0131": "i", "\u0127": "h", "\u0126": "H", "\u0167": "t", "\u0166": "T",
    "\u014b": "ng", "\u014a": "Ng", "\u0138": "k", "\u0259": "e", "\u018f": "E", "\u0192": "f", "\u01e5": "g",
    "\u0180": "b", "\u0268": "i", "\u0289": "u", "\u00aa": "a", "\u00ba": "o",
}  # fmt: skip
"""Latin letters that no decomposition takes apart."""

_GREEK = {
    "\u03b1": "alpha", "\u03b2": "beta", "\u03b3": "gamma", "\u03b4": "delta", "\u03b5": "epsilon", "\u03b6": "zeta",
    "\u03b7": "eta", "\u03b8": "theta", "\u03b9": "iota", "\u03ba": "kappa", "\u03bb": "lambda", "\u03bc": "mu",
    "\u03bd": "nu", "\u03be": "xi", "\u03bf": "omicron", "\u03c0": "pi", "\u03c1": "rho", "\u03c3": "sigma",
    "\u03c4": "tau", "\u03c5": "upsilon", "\u03c6": "phi", "\u03c7": "chi", "\u03c8": "psi", "\u03c9": "omega",
}  # fmt: skip
"""Said by name where one stands alone; a word of them is another script."""

_SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a\u207f"
_SUPERSCRIPT = re.compile(f"[{_SUPERSCRIPTS}]+")
_RAISED = str.maketrans(_SUPERSCRIPTS, "0123456789-+n")
_VULGAR = re.compile("(\\d?)\\s?([\u00bc-\u00be\u2150-\u215e\u2189])")
_SUBTRACTED = re.compile("(?<=\\d)\\s?\u2212\\s?(?=\\d)")
"""The minus sign between two numbers, which is no range as a hyphen there is."""
_SPACED_THOUSANDS = re.compile("(?<=\\d)[\u00a0\u202f\u2009'_](?=\\d{3}(?!\\d))")
_UNIT_PREFIX = re.compile("\u03bc(?=(?:m|s|g|l|L|F|V|A|W|Pa|H)\\b)")
_ALONE = re.compile("(?<![\u0370-\u03ff])([\u0391-\u03c9])(?![\u0370-\u03ff])")

WORDS = frozenset({*_GREEK.values(), "to", "copyright", "section", "paragraph", "ohms"})
"""Every word that this module can utter."""


def fold(text: str) -> str:
    """Return a text in plain characters; a letter of another script is an `UnknownScript` that names it."""
    text = _SUPERSCRIPT.sub(lambda found: "^" + found.group(0).translate(_RAISED), text)
    text = _VULGAR.sub(_say_vulgar, text)
    text = _SUBTRACTED.sub(" - ", text)
    text = "".join(_SIGNS.get(character, character) for character in text)
    text = _SPACED_THOUSANDS.sub("", text)
    text = "".join(_LETTERS.get(character, character) for character in unicodedata.normalize("NFKC", text))
    text = _UNIT_PREFIX.sub("u", text).replace("\u03a9", "ohm") if _measured(text) else text
    text = _ALONE.sub(lambda found: f" {_GREEK.get(found.group(1).lower(), found.group(1))} ", text)
    plain = "".join(_without_marks(character) for character in text)
    for place, character in enumerate(plain):
        if character.isalpha() and not character.isascii():
            name = unicodedata.name(character, "a letter without a name")
            message = f"cannot speak {character!r} ({name}): this voice reads Latin letters only"
            raise UnknownScript(message, where=f"character {place} of the text")
    return plain


def _without_marks(character: str) -> str:
    """Take the marks off a letter; the stroke through a sign, as in U+2260, is what the sign says."""
    if unicodedata.combining(character):
        return ""
    if not character.isalpha():
        return character
    return "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))


def _measured(text: str) -> bool:
    """Say whether a micro or ohm sign follows a number somewhere: then it is a unit's."""
    return re.search("\\d\\s?[kM]?[\u03bc\u03a9]", text) is not None


def _say_vulgar(found: re.Match[str]) -> str:
    numerator, denominator = unicodedata.normalize("NFKD", found.group(2)).split("\u2044")
    space = " " if found.group(1) else ""
    return f"{found.group(1)}{space}{numerator}/{denominator}"
