"""Dates, times of day, years and decades."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reference_runner.frontend.abbreviations import MONTHS
from reference_runner.frontend.letters import spell
from reference_runner.frontend.numbers import cardinal, decade, ordinal, year

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMS", "WORDS"]

_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_ANY_MONTH = "|".join(
    sorted({*(name.capitalize() for name in (*_NAMES, *MONTHS)), *(n.upper() for n in MONTHS)}, key=len, reverse=True)
)
_DAY = r"(0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(\d{4})"

WORDS = frozenset({*_NAMES, "the", "of", "to", "o'clock", "oh", "midnight", "hundred", "hours", "minutes", "seconds"}
                  | {"hour", "minute", "second", "and", "b", "c", "d", "e", "m", "p", "ay", "in"})  # fmt: skip
"""Every word that this module can utter, beside numbers and single letters."""

_ISO = re.compile(r"(?<![\w-])(\d{4})[-/](0[1-9]|1[0-2])[-/](0[1-9]|[12]\d|3[01])(?:[T\s](?=\d\d:))?(?![\w-])|"
                  r"(?<![\w-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T(?=\d\d:)")  # fmt: skip
_SLASHED = re.compile(r"(?<![\w/.])(\d{1,2})([/.])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|\.\d)")
_MONTH_DAY = re.compile(
    rf"\b({_ANY_MONTH})\.?\s{_DAY}(?:\s?[-\u2013]\s?{_DAY})?(?:(?:,\s?|\s)'?{_YEAR})?(?![\w:]|[.,]\d|\s?%)"
)
_DAY_MONTH = re.compile(
    rf"\b(the\s)?{_DAY}(?:\s?[-\u2013]\s?{_DAY})?\s(of\s)?({_ANY_MONTH})\b\.?(?:,?\s{_YEAR})?(?![\w:])"
)
_MONTH_YEAR = re.compile(rf"\b({_ANY_MONTH})\.?,?\s{_YEAR}(?![\w:])")
_TIME = re.compile(
    r"(?<![\w:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([ap])\.?m\b(\.?))?(Z\b)?", re.IGNORECASE
)
_WHOLE_HOUR = re.compile(r"(?<![\w:.])(1[0-2]|0?[1-9])\s?([ap])\.?\s?m\b(\.?)", re.IGNORECASE)
_HOURS = re.compile(
    r"(?<![\w:.])(1[0-2]|0?[1-9])(?::([0-5]\d))?\s?[-\u2013]\s?(?=(?:1[0-2]|0?[1-9])(?::[0-5]\d)?\s?[ap]\.?m\b)",
    re.IGNORECASE,
)
_NOON = re.compile(r"\b(noon|midnight)\s?[-\u2013]\s?(?=\d)", re.IGNORECASE)
_UNTIL = re.compile(
    r"(\d\s?[ap]\.?m|(?<![\d:])\d?\d:\d\d)\.?\s?[-\u2013]\s?(?=\d?\d(?::\d\d|\s?[ap]\.?m))", re.IGNORECASE
)
_RATIO = re.compile(r"(?<![\w:.])(\d+):(\d)(?![\d:])")
_WIDE_RATIO = re.compile(r"(?<![\w:.])(1:1\d\d?|16:10|21:09|\d{3,}:\d+)(?![\d:])")
_ERA = re.compile(r"\b(\d{1,4})\s?(BC|AD|BCE|CE|B\.C\.E?\.|A\.D\.|C\.E\.)(?![\w])")
_ERA_FIRST = re.compile(r"\b(AD|A\.D\.)\s?(\d{1,4})\b")
_FULL_DECADE = re.compile(r"(?<![\w'.,])(\d{3}0)(?:'?s)\b(?!\sof\b)")
_MANY = re.compile(r"(?<![\w'.,])(?:(10s)|(100s)|(1,?000s)|(1,?000,?000s))(?=\sof\b)")
_SHORT_DECADE = re.compile(
    r"(?:'|\b((?:the|early|late|mid|his|her|their|my|our|your)[\s-]"
    r"(?:(?!first|last|next|final|past|previous|only)[a-z]+[\s-])?)'?)([1-9]0)'?s\b|\b([1-9]0)'s\b",
    re.IGNORECASE,
)
_SHORT_YEARS = re.compile(r"(?<![\w\"'])'(\d\d)\s?[-\u2013]\s?'?(\d\d)(?![\w'\"])")
_SHORT_YEAR = re.compile(r"(?<![\w\"'])'(\d\d)(?![\w'\"])")
_OLD_YEAR = re.compile(
    r"\b(in|since|of|from|until|by|before|after|year|year,|around|about)\s(1[0-9]\d\d|20\d\d)(?![\w:%]|[.,]\d|\s?[-\u2013/]\s?\d)",
    re.IGNORECASE,
)
_YEARS = re.compile(
    r"(?<![\w.,$\u00a3\u20ac-])(1[1-9]\d\d|20\d\d)\s?[-\u2013/]\s?(1[1-9]\d\d|20\d\d|\d\d)(?![\w.,]?\d|-)"
)


def _date(month: int, day: int, year_number: str | None) -> str:
    words = f"{_NAMES[month - 1]} {ordinal(day)}"
    return f"{words}, {_year(year_number)}" if year_number else words


def _year(text: str) -> str:
    number = int(text)
    if len(text) == 2:
        return f"oh {cardinal(number)}" if 0 < number < 10 else (cardinal(number) if number else "two thousand")
    return year(number) if number >= 1000 else cardinal(number)


def _month(name: str) -> int:
    return _NAMES.index(MONTHS.get(name.lower(), name.lower())) + 1


def _say_iso(found: re.Match[str]) -> str:
    year_number, month, day = (found.group(place) or found.group(place + 3) for place in (1, 2, 3))
    return f" {_date(int(month), int(day), year_number)} "


def _say_slashed(found: re.Match[str]) -> str:
    first, sign, second, year_number = int(found.group(1)), found.group(2), int(found.group(3)), found.group(4)
    # Slashes are American, the month first, unless only the other way gives a date; dots are European.
    month, day = (first, second) if sign == "/" and first <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31) or (sign == "." and len(year_number) == 2):
        return found.group(0)
    century = "20" if int(year_number) < 50 else "19"
    return f" {_date(month, day, year_number if len(year_number) == 4 else century + year_number)} "


def _say_month_day(found: re.Match[str]) -> str:
    month, day, last, year_number = found.groups()
    words = f"{_NAMES[_month(month) - 1]} {ordinal(int(day))}"
    if last:
        words += f" to {ordinal(int(last))}"
    return words + (f", {_year(year_number)}" if year_number else "")


def _say_day_month(found: re.Match[str]) -> str:
    _, day, last, _, month, year_number = found.groups()
    until = f" to the {ordinal(int(last))}" if last else ""
    words = f"the {ordinal(int(day))}{until} of {_NAMES[_month(month) - 1]}"
    return words + (f", {_year(year_number)}" if year_number else "")


def _hour_and_minute(hour: int, minute: int, *, clock: bool) -> str:
    if minute:
        return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    if not clock:
        return cardinal(hour)
    if hour in {0, 24}:
        return "midnight"
    return f"{cardinal(hour)} " + ("hundred" if hour > 12 else "o'clock")


def _counted(count: int, noun: str) -> str:
    return f"{cardinal(count)} {noun}{'' if count == 1 else 's'}"


def _say_time(found: re.Match[str]) -> str:
    hour, minute = int(found.group(1)), int(found.group(2))
    second, half, stop, zulu = found.group(3), found.group(4), found.group(5), found.group(6)
    words = _hour_and_minute(hour, minute, clock=not (half or second))
    if second:
        parts = [_counted(hour, "hour"), _counted(minute, "minute"), f"and {_counted(int(second), 'second')}"]
        words = f"{words} and {_counted(int(second), 'second')}" if half else " ".join(parts)
    if half:
        words += f" {spell(half)} m" + _stop_after(found, stop)
    return f" {words}{' u t c' if zulu else ''} "


def _say_whole_hour(found: re.Match[str]) -> str:
    return f" {cardinal(int(found.group(1)))} {spell(found.group(2))} m{_stop_after(found, found.group(3))} "


def _stop_after(found: re.Match[str], stop: str | None) -> str:
    """Return the full stop of "p.m." where it is also the sentence's."""
    after = found.string[found.end() :]
    days = r"\s+(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{2,}\b|Eastern|Pacific|Central|Mountain|Greenwich)"
    ends = not after.strip() or (re.match(r"[\"')\]]*\s+[\"'(]*[A-Z]", after) and not re.match(days, after))
    return (stop or "") if ends else ""


def _say_hours(found: re.Match[str]) -> str:
    minute = int(found.group(2) or 0)
    return f" {_hour_and_minute(int(found.group(1)), minute, clock=False)} to "


def _say_era(found: re.Match[str]) -> str:
    return f" {_year_of_era(found.group(1))} {spell(found.group(2).replace('.', ''))} "


def _year_of_era(text: str) -> str:
    number = int(text)
    # Three digits are read like four: "four seventy six", but "four hundred".
    if 100 < number < 1000 and number % 100 > 9:
        return f"{cardinal(number // 100)} {cardinal(number % 100)}"
    return year(number) if number >= 1000 else cardinal(number)


def _say_years(found: re.Match[str]) -> str:
    first, last = found.groups()
    # "2004-05" is a season; "2024-05" cannot be one and is a month.
    if len(last) == 2 and int(last) <= int(first[2:]) and 1 <= int(last) <= len(_NAMES):
        return f" {_NAMES[int(last) - 1]} {year(int(first))} "
    return f" {year(int(first))} to {_year(last)} "


def _say_many(found: re.Match[str]) -> str:
    return ("tens", "hundreds", "thousands", "millions")[(found.lastindex or 1) - 1]


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_ISO, _say_iso),
    (_SLASHED, _say_slashed),
    (_MONTH_DAY, _say_month_day),
    (_DAY_MONTH, _say_day_month),
    (_MONTH_YEAR, lambda found: f"{_NAMES[_month(found.group(1)) - 1]} {_year(found.group(2))}"),
    (_WIDE_RATIO, lambda found: " {} to {} ".format(*(cardinal(int(part)) for part in found.group(1).split(":")))),
    (_NOON, lambda found: f"{found.group(1)} to "),
    (_UNTIL, lambda found: f"{found.group(1)} to "),
    (_HOURS, _say_hours),
    (_TIME, _say_time),
    (_WHOLE_HOUR, _say_whole_hour),
    (_RATIO, lambda found: f" {cardinal(int(found.group(1)))} to {cardinal(int(found.group(2)))} "),
    (_ERA_FIRST, lambda found: f" ay d {_year_of_era(found.group(2))} "),
    (_ERA, _say_era),
    (_MANY, _say_many),
    (_FULL_DECADE, lambda found: f" {decade(int(found.group(1)))} "),
    (_SHORT_DECADE, lambda found: f"{found.group(1) or ''}{decade(int(found.group(2) or found.group(3)))} "),
    (_YEARS, _say_years),
    (_OLD_YEAR, lambda found: f"{found.group(1)} {_year(found.group(2))} "),
    (_SHORT_YEARS, lambda found: f" {_year(found.group(1))} to {_year(found.group(2))} "),
    (_SHORT_YEAR, lambda found: f" {_year(found.group(1))} "),
)
"""In this order: what is longer first."""
