"""Numbers as English words."""

from __future__ import annotations

__all__ = ["LARGEST_NUMBER", "WORDS", "cardinal", "decade", "digits", "fraction", "ordinal", "say_number", "year"]

LARGEST_NUMBER = 999_999_999_999_999_999

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = (
    (10**15, "quadrillion"), (10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1_000, "thousand"),
)  # fmt: skip
_IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_HALVES_AND_QUARTERS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


def cardinal(number: int) -> str:
    """Return a number from 0 to LARGEST_NUMBER in words; larger or negative ones are a ValueError."""
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError(f"a number out of reach: got {number}, expected 0 to {LARGEST_NUMBER}")
    words: list[str] = []
    for size, name in _GROUPS:
        if number >= size:
            words += [cardinal(number // size), name]
            number %= size
    if number >= 100:
        words += [_SMALL[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        words.append(_TENS[number // 10])
        number %= 10
        if number:
            words.append(_SMALL[number])
    elif number or not words:
        words.append(_SMALL[number])
    return " ".join(words)


def ordinal(number: int) -> str:
    """Return 21 as "twenty first"."""
    *rest, last = cardinal(number).split()
    return " ".join([*rest, _ordinal_word(last)])


def _ordinal_word(word: str) -> str:
    if word in _IRREGULAR_ORDINALS:
        return _IRREGULAR_ORDINALS[word]
    return word[:-1] + "ieth" if word.endswith("y") else word + "th"


def digits(text: str) -> str:
    """Return "007" as "zero zero seven"."""
    return " ".join(_SMALL[int(digit)] for digit in text)


def year(number: int) -> str:
    """Return 1984 as "nineteen eighty four", 1905 as "nineteen oh five", 2024 as "twenty twenty four"."""
    century, rest = divmod(number, 100)
    if rest == 0 and century % 10 == 0:
        return cardinal(number)
    if 2000 <= number < 2010:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    if rest < 10:
        return f"{cardinal(century)} oh {_SMALL[rest]}"
    return f"{cardinal(century)} {cardinal(rest)}"


def decade(number: int) -> str:
    """Return 1990 as "nineteen nineties", 1800 as "eighteen hundreds", 90 as "nineties"."""
    *rest, last = (year(number) if number >= 100 else cardinal(number)).split()
    return " ".join([*rest, last[:-1] + "ies" if last.endswith("y") else last + "s"])


def fraction(numerator: int, denominator: int) -> str:
    """Return 3 and 4 as "three quarters", 1 and 2 as "one half", 5 and 21 as "five twenty firsts"."""
    one, many = _HALVES_AND_QUARTERS.get(denominator, (ordinal(denominator), ordinal(denominator) + "s"))
    return f"{cardinal(numerator)} {one if numerator == 1 else many}"


def say_number(written: str) -> str:
    """Return an unsigned number as written: "1,234.5", ".5", "007", "1,00,000", or digits beyond all names."""
    whole, _, decimals = written.replace(",", "").partition(".")
    words = [_whole(whole)] if whole else []
    if decimals:
        words += ["point", digits(decimals)]
    return " ".join(words)


def _whole(text: str) -> str:
    if len(text) > 1 and text.startswith("0"):
        return digits(text)
    return cardinal(int(text)) if int(text) <= LARGEST_NUMBER else digits(text)


WORDS = frozenset(
    {*_SMALL, *_TENS, "hundred", "hundreds", "hundredth", "hundredths", "oh", "point", "half", "halves"}
    | {"quarter", "quarters", *(name for _, name in _GROUPS), *(name + "s" for _, name in _GROUPS)}
    | {form for _, name in _GROUPS for form in (name + "th", name + "ths")}
    | {form for word in (*_SMALL, *_TENS) for form in (_ordinal_word(word), _ordinal_word(word) + "s")}
    | {word[:-1] + "ies" for word in _TENS if word.endswith("y")}
    | {word + "s" for word in _SMALL}
)
"""Every word that this module can utter."""
