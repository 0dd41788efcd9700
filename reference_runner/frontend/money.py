"""Sums of money: signs, codes, scales, minor units, ranges and what a sum is per."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_runner.frontend.numbers import cardinal, say_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FORMS", "NUMBER", "SCALES", "WORDS", "is_adjective"]

NUMBER = r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
"""A number as written: grouped by commas or not, with decimals or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Currency:
    """How a currency is said."""

    one: str
    many: str
    part: str = ""
    """The hundredth of it; without one, decimals are read out."""
    parts: str = ""


def _currency(one: str, many: str = "", part: str = "", parts: str = "") -> _Currency:
    return _Currency(one=one, many=many or one + "s", part=part, parts=parts or (part and part + "s"))


_DOLLAR = _currency("dollar", part="cent")
_EURO = _currency("euro", part="cent")
_POUND = _currency("pound", part="penny", parts="pence")
_YEN = _currency("yen", "yen")
_RUPEE = _currency("rupee", part="paisa", parts="paise")
_ROUBLE = _currency("ruble", part="kopeck")
_KRONA = _currency("krona", "kronor")
_KRONE = _currency("krone", "kroner")
_FRANC = _currency("franc", part="centime")
_PESO = _currency("peso", part="centavo")
_ZLOTY = _currency("zloty", "zlotys")


def _of(country: str, base: _Currency) -> _Currency:
    return _Currency(one=f"{country} {base.one}", many=f"{country} {base.many}", part=base.part, parts=base.parts)


_SIGNS = {
    "US$": _of("u s", _DOLLAR), "A$": _of("australian", _DOLLAR), "AU$": _of("australian", _DOLLAR),
    "C$": _of("canadian", _DOLLAR), "CA$": _of("canadian", _DOLLAR), "NZ$": _of("new zealand", _DOLLAR),
    "HK$": _of("hong kong", _DOLLAR), "S$": _of("singapore", _DOLLAR), "R$": _currency("real", "reais", "centavo"),
    "MX$": _of("mexican", _PESO), "$": _DOLLAR, "\u00a3": _POUND, "\u20ac": _EURO, "\u00a5": _YEN, "\u20b9": _RUPEE,
    "Rs.": _RUPEE, "Rs": _RUPEE, "\u20bd": _ROUBLE, "\u20a9": _currency("won", "won"), "\u20bf": _currency("bitcoin"),
    "\u20ba": _currency("lira", "lira"), "\u20aa": _currency("shekel"), "\u20ab": _currency("dong", "dong"),
    "\u20b4": _currency("hryvnia", "hryvnias"), "\u20b1": _PESO, "\u0e3f": _currency("baht", "baht"),
    "\u20a6": _currency("naira", "naira"), "\u20a1": _currency("colon", "colones"), "\u20b5": _currency("cedi"),
    "\u20b8": _currency("tenge", "tenge"), "kr": _KRONA, "Kr": _KRONA, "zl": _ZLOTY,
    "Ft": _currency("forint"), "Kc": _currency("koruna", "koruna"), "Fr.": _FRANC,
}  # fmt: skip
_CODES = {
    "USD": _of("u s", _DOLLAR), "EUR": _EURO, "GBP": _of("british", _POUND), "JPY": _of("japanese", _YEN),
    "CHF": _of("swiss", _FRANC), "CAD": _of("canadian", _DOLLAR), "AUD": _of("australian", _DOLLAR),
    "NZD": _of("new zealand", _DOLLAR), "HKD": _of("hong kong", _DOLLAR), "SGD": _of("singapore", _DOLLAR),
    "INR": _of("indian", _RUPEE), "CNY": _currency("yuan", "yuan"), "RMB": _currency("yuan", "yuan"),
    "SEK": _of("swedish", _KRONA), "NOK": _of("norwegian", _KRONE), "DKK": _of("danish", _KRONE), "PLN": _ZLOTY,
    "CZK": _of("czech", _currency("koruna", "koruna")), "HUF": _currency("forint"), "RUB": _ROUBLE,
    "TRY": _of("turkish", _currency("lira", "lira")), "BRL": _of("brazilian", _currency("real", "reais", "centavo")),
    "MXN": _of("mexican", _PESO), "ZAR": _currency("rand", "rand"), "KRW": _currency("won", "won"),
    "ILS": _currency("shekel"), "THB": _currency("baht", "baht"), "BTC": _currency("bitcoin"),
    "UAH": _currency("hryvnia", "hryvnias"), "AED": _currency("dirham"), "SAR": _currency("riyal"),
}  # fmt: skip
_COINS = {"\u00a2": ("cent", "cents"), "c": ("cent", "cents"), "p": ("penny", "pence")}

SCALES = {
    "k": "thousand", "K": "thousand", "M": "million", "m": "million", "mn": "million", "mln": "million",
    "mil": "million", "MM": "million", "B": "billion", "b": "billion", "bn": "billion", "Bn": "billion",
    "T": "trillion", "tn": "trillion", "trn": "trillion", "thousand": "thousand", "million": "million",
    "billion": "billion", "trillion": "trillion", "hundred": "hundred",
    "lakh": "lakh", "crore": "crore", "quadrillion": "quadrillion",
}  # fmt: skip
_FUNCTION_WORDS = frozenset(
    ["and", "or", "of", "to", "in", "on", "at", "for", "per", "is", "are", "was", "were", "will", "would", "in",
     "with", "from", "by", "than", "that", "as", "if", "but", "more", "less", "each", "it", "he", "she", "they", "we",
     "you", "i", "a", "an", "the", "his", "her", "am", "be", "been", "being", "has", "have", "had", "having", "does",
     "did", "could", "should", "may", "might", "must", "shall", "ought", "cannot"]
)  # fmt: skip
"""What is no noun after a quantity. Auxiliaries that are nouns too are left out: "a $5 can"."""

_NOUNS = [*_SIGNS.values(), *_CODES.values()]
WORDS = frozenset(
    word for said in _NOUNS for name in (said.one, said.many, said.part, said.parts) for word in name.split()
) | frozenset({*SCALES.values(), "cent", "cents", "penny", "pence", "per", "to", "minus", "plus", "and"})  # fmt: skip
"""Every word that this module can utter, beside numbers."""


def _either(table: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(table, key=len, reverse=True))


_BEFORE = _either([sign for sign in _SIGNS if sign not in {"kr", "Kr", "zl", "Ft", "Kc"}])
_AFTER = _either([sign for sign in _SIGNS if not sign.endswith("$") or sign == "$"])
_SCALE = "|".join(sorted(SCALES, key=len, reverse=True))
_AMOUNT = rf"(?:{NUMBER}|\d+,\d\d)"
_TAIL = rf"(?:(?:\s|-)?({_SCALE})(?![A-Za-z]))?"
_PER = r"(?:\s?/\s?([a-z]+)\b)?"
_SIGNED = re.compile(
    rf"(?<![\w$])([-+]?)({_BEFORE}|(?:{_either(_CODES)})\s)\s?([-+]?)({_AMOUNT})"
    rf"(?:(?:\s?({_SCALE}))?\s?[-\u2013]\s?(?:{_BEFORE})?({_AMOUNT}))?"
    rf"(?![\d]){_TAIL}{_PER}"
)
_FOLLOWED = re.compile(
    rf"(?<![\w.,$])([-+]?)({_AMOUNT})(?:\s?[-\u2013]\s?({_AMOUNT}))?{_TAIL}\s?({_AFTER}|{_either(_CODES)})(?![\w]){_PER}"
)
_COIN = re.compile(r"(?<![\w.,])(?!(?:240|360|480|540|720|1080|1440|2160)p)(\d+(?:\.\d+)?)(\u00a2|[cp])(?![\w])")
_PER_UNITS = {
    "h": "hour", "hr": "hour", "mo": "month", "yr": "year", "kg": "kilogram", "lb": "pound", "wk": "week",
    "gal": "gallon",
    "l": "liter", "g": "gram", "km": "kilometer", "min": "minute", "s": "second", "kwh": "kilowatt hour", "mi": "mile",
    "gb": "gigabyte", "oz": "ounce", "sqft": "square foot", "pp": "person",
}  # fmt: skip
WORDS |= frozenset(word for said in _PER_UNITS.values() for word in said.split())


def is_adjective(found: re.Match[str]) -> bool:
    """Say whether a quantity stands between an article and a noun: "a $5 bill", "an 8 km run"."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    noun = re.match(r"[ -]([a-z]+)(?!n?['\u2019]t\b)\b", after)
    return bool(re.search(r"\b(?:an?|another)\s$", before, re.IGNORECASE)) and bool(
        noun and noun.group(1) not in _FUNCTION_WORDS
    )


def _say_signed(found: re.Match[str]) -> str:
    outer, sign, inner, low, low_scale, high, scale, per = found.groups()
    name = sign.strip()
    words = _sum(found, _SIGNS.get(name) or _CODES[name], outer or inner, low, high, scale, per)
    return words.replace(" to ", f" {SCALES[low_scale]} to ", 1) if low_scale and low_scale != scale else words


def _say_followed(found: re.Match[str]) -> str:
    sign, low, high, scale, name, per = found.groups()
    return _sum(found, _SIGNS.get(name) or _CODES[name], sign, low, high, scale, per)


def _sum(
    found: re.Match[str], currency: _Currency, sign: str, low: str, high: str | None, scale: str | None, per: str | None
) -> str:
    prefix = {"-": "minus ", "+": "plus "}.get(sign, "")
    adjective = is_adjective(found)
    if high is not None:
        words = f"{_plain(low)} to {_amount(high, currency, scale, adjective=adjective)}"
    else:
        words = _amount(low, currency, scale, adjective=adjective)
    follows = f" per {_PER_UNITS.get(per.lower(), per)}" if per else ""
    return f" {prefix}{words}{follows} "


def _plain(amount: str) -> str:
    return say_number(_with_point(amount))


def _with_point(amount: str) -> str:
    """Return an amount whose decimals stand after a point, as they do after a comma in most of Europe."""
    return re.sub(r"^(\d+),(\d\d)$", r"\1.\2", amount)


def _amount(written: str, currency: _Currency, scale: str | None, *, adjective: bool) -> str:
    written = _with_point(written)
    if scale:
        return f"{say_number(written)} {SCALES[scale]} {currency.one if adjective else currency.many}"
    whole, _, decimals = written.replace(",", "").partition(".")
    noun = currency.one if adjective or (whole == "1" and not decimals.strip("0")) else currency.many
    if not decimals.strip("0"):
        return f"{say_number(whole)} {noun}"
    if len(decimals) != 2 or not currency.part:
        return f"{say_number(written)} {noun}"
    cents = int(decimals)
    part = f"{cardinal(cents)} {currency.part if cents == 1 or adjective else currency.parts}"
    if not int(whole or 0):
        return part
    return f"{say_number(whole)} {currency.one if int(whole) == 1 else noun} and {part}"


def _say_coin(found: re.Match[str]) -> str:
    one, many = _COINS[found.group(2)]
    return f" {say_number(found.group(1))} {one if found.group(1) == '1' or is_adjective(found) else many} "


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_SIGNED, _say_signed),
    (_FOLLOWED, _say_followed),
    (_COIN, _say_coin),
)
"""In this order."""
