"""Numbers as English words."""

from __future__ import annotations

__all__ = ["LARGEST_NUMBER", "cardinal", "digits", "ordinal", "year"]

LARGEST_NUMBER = 999_999_999_999

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))
_IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


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
    if last in _IRREGULAR_ORDINALS:
        last = _IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*rest, last])


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
