"""Measures, percentages, temperatures, powers, fractions, ranges and plain numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reference_runner.frontend.letters import letter
from reference_runner.frontend.money import NUMBER, SCALES, is_adjective
from reference_runner.frontend.numbers import cardinal, digits, fraction, ordinal, say_number, year

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMS", "WORDS"]

_PREFIXES = {"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "u": "micro", "n": "nano"}


def _prefixed(symbol: str, one: str, prefixes: str) -> dict[str, tuple[str, str]]:
    return {
        prefix + symbol: (_PREFIXES[prefix] + one, _PREFIXES[prefix] + one + ("" if one.endswith("hertz") else "s"))
        for prefix in prefixes
    }


def _regular(**names: str) -> dict[str, tuple[str, str]]:
    return {symbol: (name, name + "s") for symbol, name in names.items()}


_UNITS: dict[str, tuple[str, str]] = {
    **_prefixed("m", "meter", "kmun"), **_prefixed("g", "gram", "kmu"), **_prefixed("s", "second", "mun"),
    **_prefixed("Hz", "hertz", "kMG"), **_prefixed("W", "watt", "kMGTm"), **_prefixed("V", "volt", "kMm"),
    **_prefixed("Wh", "watt hour", "kMGT"), **_prefixed("eV", "electron volt", "kMGT"), **_prefixed("J", "joule", "kM"),
    **_prefixed("Pa", "pascal", "kM"), **_prefixed("N", "newton", "k"), **_prefixed("A", "amp", "kmu"),
    **_prefixed("F", "farad", "un"), **_prefixed("ohm", "ohm", "kM"), **_prefixed("B", "byte", "kMGT"),
    **_prefixed("b", "bit", "kMG"), **_prefixed("bit", "bit", "kMG"), **_prefixed("L", "liter", "mu"),
    **_prefixed("l", "liter", "mu"), **_prefixed("cal", "calorie", "k"), **_prefixed("px", "pixel", "M"),
    **_regular(
        m="meter", g="gram", s="second", W="watt", V="volt", Wh="watt hour", eV="electron volt", J="joule", Pa="pascal",
        N="newton", ohm="ohm", B="byte", L="liter", l="liter", cal="calorie", px="pixel", cm="centimeter",
        dm="decimeter", KB="kilobyte", PB="petabyte", KiB="kibibyte", MiB="mebibyte", GiB="gibibyte", TiB="tebibyte",
        cl="centiliter", dl="deciliter", cL="centiliter", dL="deciliter", mAh="milliamp hour", Ah="amp hour",
        t="ton", h="hour", hr="hour", hrs="hour", min="minute", mins="minute", sec="second", secs="second", wk="week",
        wks="week", mo="month", yr="year", yrs="year", mi="mile", yd="yard", yds="yard", lb="pound", lbs="pound",
        oz="ounce", gal="gallon", qt="quart", pt="point", pts="point", tsp="teaspoon", tbsp="tablespoon",
        ha="hectare", dB="decibel", dBA="decibel", lm="lumen", mol="mole", atm="atmosphere", bar="bar",
        kn="knot", kt="kiloton", rad="radian", ch="channel", pcs="piece", ppl="person", amp="amp",
    ),
    "Hz": ("hertz", "hertz"), "lx": ("lux", "lux"), "ft": ("foot", "feet"), "K": ("kelvin", "kelvin"),
    "ppl": ("person", "people"), "Nm": ("newton meter", "newton meters"), "hp": ("horsepower", "horsepower"),
    "cc": ("c c", "c c"), "mph": ("mile per hour", "miles per hour"), "kph": ("kilometer per hour",
    "kilometers per hour"),
    "kmh": ("kilometer per hour", "kilometers per hour"), "rpm": ("r p m", "r p m"), "bpm": ("beat per minute",
    "beats per minute"),
    "fps": ("frame per second", "frames per second"), "dpi": ("dot per inch", "dots per inch"),
    "ppi": ("pixel per inch", "pixels per inch"), "ppm": ("part per million", "parts per million"),
    "ppb": ("part per billion", "parts per billion"), "psi": ("p s i", "p s i"), "mpg": ("mile per gallon",
    "miles per gallon"),
    "kbps": ("kilobit per second", "kilobits per second"), "Kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "bps": ("bit per second", "bits per second"), "dBFS": ("decibel full scale", "decibels full scale"),
    "sq ft": ("square foot", "square feet"), "sq m": ("square meter", "square meters"),
    "sq km": ("square kilometer", "square kilometers"), "sq mi": ("square mile", "square miles"),
    "cu ft": ("cubic foot", "cubic feet"), "fl oz": ("fluid ounce", "fluid ounces"), "in.": ("inch", "inches"),
    "sq in": ("square inch", "square inches"), "inHg": ("inch of mercury", "inches of mercury"), "kN": ("kilonewton",
    "kilonewtons"),
    "mmHg": ("millimeter of mercury", "millimeters of mercury"), "hPa": ("hectopascal", "hectopascals"),
    "pct": ("percent", "percent"), "LUFS": ("l u f s", "l u f s"), "LU": ("l u", "l u"),
}  # fmt: skip
_LOOSE = {
    name.lower(): said
    for name, said in _UNITS.items()
    if len(name) > 2 and name.lower() not in _UNITS and name not in {"Mpx", "MPa", "MeV", "Mbit", "MWh", "Mohm"}
}
"""Symbols of three letters and more that people also write small or large."""
_LOOSE |= {name: _UNITS[symbol] for name, symbol in (
    ("KM", "km"), ("Km", "km"), ("KG", "kg"), ("Kg", "kg"), ("CM", "cm"), ("MM", "mm"), ("KHz", "kHz"), ("khz", "kHz"),
    ("hz", "Hz"), ("HZ", "Hz"), ("KHZ", "kHz"), ("mhz", "MHz"), ("MHZ", "MHz"), ("ghz", "GHz"), ("GHZ", "GHz"),
    ("kw", "kW"), ("KW", "kW"), ("mb", "MB"), ("gb", "GB"), ("tb", "TB"), ("kb", "kB"), ("db", "dB"), ("DB", "dB"),
    ("ML", "ml"), ("MPH", "mph"), ("RPM", "rpm"), ("FPS", "fps"), ("BPM", "bpm"), ("DPI", "dpi"), ("PSI", "psi"),
    ("PPM", "ppm"), ("LB", "lb"), ("LBS", "lbs"), ("OZ", "oz"), ("FT", "ft"), ("MS", "ms"), ("kwh", "kWh"),
    ("KWh", "kWh"), ("KWH", "kWh"), ("mah", "mAh"), ("MAH", "mAh"), ("v", "V"), ("w", "W"), ("mpx", "Mpx"),
)}  # fmt: skip
_AREAS = {"2": "square", "3": "cubic"}
_SIZED = ("km", "m", "cm", "mm", "ft", "mi", "yd", "dm", "um", "nm")
_POWERS = {"2": "squared", "3": "cubed"}
_DEGREES = {"C": "celsius", "F": "fahrenheit", "K": "kelvin"}
_WINDS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_SIGN_WORDS = {"-": "minus ", "+": "plus ", "\u00b1": "plus or minus "}
_PICTURE_WIDTHS = ("4", "8")
_OUT_OF = (5, 10, 100)

_ALL_UNITS = _UNITS | _LOOSE
WORDS = frozenset(
    {word for names in _ALL_UNITS.values() for name in names for word in name.split()}
    | {*_AREAS.values(), *_POWERS.values(), *_DEGREES.values(), *_WINDS.values(), "degree", "degrees", "percent"}
    | {"minus", "plus", "or", "to", "the", "power", "of", "times", "ten", "by", "and", "per", "mille", "over", "out"}
    | {"feet", "foot", "inches", "inch", "minutes", "seconds", "eleven", "mach", "square", "cubic", "root", "number"}
)  # fmt: skip
"""Every word that this module can utter, beside numbers and single letters."""

_UNIT = "|".join(re.escape(unit) for unit in sorted(_ALL_UNITS, key=len, reverse=True))
_SIGN = r"((?<![\w.)])[-+\u00b1])?"
_LOW_HIGH = rf"({NUMBER})(?:\s?(?:-|\u2013)\s?({NUMBER}))?"
_MEASURE = re.compile(
    rf"(?<![\w.,^])(?<!\^-){_SIGN}{_LOW_HIGH}(?:\s({'|'.join(name for name in SCALES if len(name) > 3)}))?(\s?-?)"
    rf"({_UNIT})(?:\^?([23]))?(?:\s?/\s?({_UNIT})(?:\^?([23]))?)?(?![\w\^&]|'[a-z]|\.\w)"
)
_SQUARE_BEFORE = re.compile(r"\b([kcm]?m|ft|mi|yd)\^([23])\b")
_PERCENT = re.compile(
    rf"{_SIGN}({NUMBER})(?:\s?%?\s?(?:-|\u2013)\s?({NUMBER}))?(?:\s?%|\s(?=\u2030)|(?=\u2030))(\s?-?\s?\u2030)?"
)
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2})(?=\s?%|\s?\u00b0)")
_TEMPERATURE = re.compile(rf"{_SIGN}{_LOW_HIGH}\s?\u00b0\s?([CFKcf])(?!\w)")
_DEGREE_LETTER = re.compile(r"(?<=\bdegrees )([CF])(?!\w)")
_COORDINATE = re.compile(
    _SIGN + r"(\d+(?:\.\d+)?)\s?\u00b0\s?(?:(\d+(?:\.\d+)?)'\s?)?(?:(\d+(?:\.\d+)?)(?:\"|'')\s?)?([NSEW])?(?![A-Za-z])"
)
_HEIGHT = re.compile(r"(?<![\w'])(\d+)(?:'\s?(\d{1,2})(?:\"|'')(?!\w)|\s?(?:ft|feet|foot)\.?\s(\d{1,2})\s?in\b\.?)")
_FEET = re.compile(r"(?<![\w'])(\d+)'(?=\s|$|[,.;)])")
_INCHES = re.compile(rf"(?<![\w\"])({NUMBER})\"(?=[\s,.;)-]|$)")
_SCIENTIFIC = re.compile(rf"(?<![\w.])([-+])?({NUMBER})(?:\s?\u00d7\s?10\^(-?\d+)|[eE]([-+]?\d+))(?!\w)")
_POWER = re.compile(
    r"(\d+(?:\.\d+)?|\b[A-Za-z]{1,3}|\))\^\(?([-+]?)(\d+|[a-z])\)?(?!\w)(?:\s("
    + "|".join(name for name in ("m", "s", "g", "Hz", "W", "V", "J", "kg", "km", "cm", "mm", "Pa", "eV", "m/s"))
    + r")(?!\w))?"
)
_PRODUCT = re.compile(r"(?<=[a-z])(?=mc\^2)")
_DIMENSIONS = re.compile(rf"(?<![\w.])({NUMBER})(?:\s?[xX]\s?|\u00d7)(?=(?:{NUMBER})(?!\w*[a-wyz]\d))(?!\d+\^)")
_FOLD = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?:x|X|\u00d7)(?!\w)")
_MIXED = re.compile(rf"(?<![\w./])(\d+)[\s-](\d+)/(\d+)(?![\w/])(?:[\s-]?({_UNIT})(?!\w))?")
_FRACTION = re.compile(rf"(?<![\w./,])(\d+)/(\d+)(?![\d/]|\.\d|\w+/)(?:[\s-]?({_UNIT})(?!\w)|(rds|ths|th|rd))?(?!\w)")
_SCALED = re.compile(rf"(?<![\w.,$]){_SIGN}{_LOW_HIGH}(k|K|M|m|bn|B|T|mn)(?!\w)")
_ORDINALS = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_RANGE = re.compile(rf"(?<![\w.-])({NUMBER})(?:\s?\u2013\s?|-)({NUMBER})(?![\w-]|\.\d)")
_SUBTRACTION = re.compile(rf"(?<=\d)\s-\s(?=(?:{NUMBER}))")
_DIGIT_GROUPS = re.compile(r"(?<![\w-])\d+(?:-\d+){2,}(?![\w-])")
_ROOT = re.compile(r"\u221a\s?(?=\w)")
_PLAIN = re.compile(rf"{_SIGN}({NUMBER})")
_ROOMS = re.compile(
    r"\b(room|route|flight|highway|interstate|apartment|suite|channel|bus)\s([1-9])0([1-9])\b", re.IGNORECASE
)
_DOOR = re.compile(
    r"\b(room|gate|apartment|apt|seat|section|unit|flat|suite|grade|class|question|exercise|row|platform|floor|stand)"
    r"\s(\d+)\s?([A-Z])\b", re.IGNORECASE,
)  # fmt: skip
_PICTURE_LINES = re.compile(r"(?<![\w.])(240|360|480|540|720|1080|1440|2160)([pi])(?!\w)")
_FRACTION_INCHES = re.compile(r"(\d/\d+)\"(?=[\s,.;)-]|$)")
_OFFSET = re.compile(r"\b(UTC|GMT)\s?([-+])(?=\d)")
_EMERGENCY = re.compile(r"\b(call(?:ed|ing)?|dial(?:ed|led|ing)?|phone(?:d)?|rang|ring)\s(\d{3})\b(?!-)", re.IGNORECASE)


def _signed(sign: str | None) -> str:
    return _SIGN_WORDS.get(sign or "", "")


def _span(low: str, high: str | None) -> str:
    return say_number(low) if high is None else f"{say_number(low)} to {say_number(high)}"


def _say_measure(found: re.Match[str]) -> str:
    sign, low, high, scale, link, unit, power, per, per_power = found.groups()
    if unit == "K" and not link.strip(" ") and link != " ":
        distance = re.match(r"\s(?:run|race|video|display|monitor|resolution|tv)\b", found.string[found.end() :])
        said = "k" if low in _PICTURE_WIDTHS or distance else "thousand"
        return f" {_signed(sign)}{_span(low, high)} {said} "
    single = high is None and scale is None and (low == "1" or link.endswith("-") or is_adjective(found))
    one, many = _ALL_UNITS[unit]
    area = f"{_AREAS[power]} " if power and unit in _SIZED else ""
    words = f"{_signed(sign)}{_span(low, high)}{' ' + scale if scale else ''} {area}{one if single else many}"
    if power and unit not in _SIZED:
        words += f" {_POWERS[power]}"
    if per:
        per_area = f" {_POWERS[per_power]}" if per_power else ""
        words += f" per {_ALL_UNITS[per][0]}{per_area}"
    return f" {words} "


def _say_percent(found: re.Match[str]) -> str:
    sign, low, high, mille = found.groups()
    return f" {_signed(sign)}{_span(low, high)} {'per mille' if mille else 'percent'} "


def _say_temperature(found: re.Match[str]) -> str:
    sign, low, high, scale = found.groups()
    degree = "" if scale == "K" else ("degree " if low == "1" and high is None else "degrees ")
    return f" {_signed(sign)}{_span(low, high)} {degree}{_DEGREES[scale.upper()]} "


def _say_coordinate(found: re.Match[str]) -> str:
    sign, degrees, minutes, seconds, wind = found.groups()
    words = [f"{_signed(sign)}{say_number(degrees)} degree{'' if degrees == '1' else 's'}"]
    words += [f"{say_number(minutes)} minutes"] if minutes else []
    words += [f"{say_number(seconds)} seconds"] if seconds else []
    words += [_WINDS[wind]] if wind else []
    return f" {' '.join(words)} "


def _say_height(found: re.Match[str]) -> str:
    feet, inches = (int(part) for part in found.groups() if part)
    foot = "foot" if feet == 1 else "feet"
    return f" {cardinal(feet)} {foot} {cardinal(inches)} {'inch' if inches == 1 else 'inches'} "


def _in_quotation(before: str) -> bool:
    """Say whether a quotation is open; behind a number, and where none is open, the sign is that of inches."""
    is_open = False
    for place, character in enumerate(before):
        if character == '"' and (is_open or not before[:place][-1:].isdigit()):
            is_open = not is_open
    return is_open


def _say_inches(found: re.Match[str]) -> str:
    if _in_quotation(found.string[: found.start()]):
        return found.group(0)  # it closes a quotation
    after = found.string[found.end() :]
    names = re.match(
        r"-|\s(?!(?:and|or|of|to|in|on|by|x|is|was|tall|long|wide|deep|high|thick|above|below|from|apart)\b)[a-z]",
        after,
    )
    single = found.group(1) == "1" or names is not None
    return f" {say_number(found.group(1))} {'inch' if single else 'inches'} "


def _to_the_power(sign: str, exponent: str) -> str:
    if not sign and exponent in _POWERS:
        return _POWERS[exponent]
    said = say_number(exponent) if exponent.isdigit() else letter(exponent)
    return f"to the power of {_signed(sign)}{said}"


def _say_scientific(found: re.Match[str]) -> str:
    sign, base, *exponents = found.groups()
    exponent = exponents[0] or exponents[1]
    minus = "-" if exponent.startswith("-") else ""
    power = f"to the power of {_signed(minus)}{say_number(exponent.lstrip('-+'))}"
    return f" {_signed(sign)}{say_number(base)} times ten {power} "


def _say_power(found: re.Match[str]) -> str:
    base, sign, exponent, unit = found.groups()
    said = say_number(base) if base[0].isdigit() else " ".join(letter(one) for one in base if one != ")")
    measured = f" {_ALL_UNITS[unit][1]}" if unit in _ALL_UNITS else f" {unit or ''}"
    return f" {said} {_to_the_power(sign, exponent)}{measured} "


def _say_mixed(found: re.Match[str]) -> str:
    whole, numerator, denominator, unit = found.groups()
    if not 2 <= int(denominator) <= 64 or int(numerator) >= int(denominator):
        return found.group(0)
    part = "a half" if (numerator, denominator) == ("1", "2") else _part(int(numerator), int(denominator))
    return f" {say_number(whole)} and {part} {_ALL_UNITS[unit][1] if unit else ''} "


def _part(numerator: int, denominator: int) -> str:
    words = fraction(numerator, denominator)
    return "a" + words.removeprefix("one") if numerator == 1 else words


def _say_fraction(found: re.Match[str]) -> str:
    top, bottom, unit, _ = found.groups()
    numerator, denominator = int(top), int(bottom)
    after = found.string[found.end() :]
    if (top, bottom) in {("24", "7"), ("9", "11"), ("50", "50"), ("7", "11")}:
        return f" {cardinal(numerator)} {cardinal(denominator)} "
    if denominator in _OUT_OF and (numerator == denominator or re.match(r"\s(?:stars?|points?|rating)\b", after)):
        return f" {cardinal(numerator)} out of {cardinal(denominator)} "
    if denominator < 2 or (denominator > 20 and denominator not in {32, 64, 100, 1000}) or numerator > 999:
        return f" {say_number(top)} over {say_number(bottom)} "
    said = f"one {ordinal(denominator)}" if top == "1" and denominator > 4 else fraction(numerator, denominator)
    if after.startswith("-"):
        said = said.removesuffix("s")  # "a three quarter inch pipe"
    if unit:
        one, many = _ALL_UNITS[unit]
        said += f" {one if numerator <= denominator else many}"
    return f" {said} "


def _say_scaled(found: re.Match[str]) -> str:
    sign, low, high, scale = found.groups()
    if scale == "m" or (scale == "K" and low in _PICTURE_WIDTHS):
        return found.group(0)
    return f" {_signed(sign)}{_span(low, high)} {SCALES[scale]} "


def _say_range(found: re.Match[str]) -> str:
    low, high = found.groups()
    # "50-50" and "747-400" go from nothing to nothing.
    apart = low == high or (
        len(low) > 2 and low.isdigit() and high.isdigit() and int(low) > int(high) and len(high) > 2
    )
    return f" {_reading(low)} {'' if apart else 'to '}{_reading(high)} "


def _reading(written: str) -> str:
    """Return a number as it is read alone: four digits of the last millennium as a year."""
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", written):
        return year(int(written))
    return say_number(written)


def _say_plain(found: re.Match[str]) -> str:
    sign, written = found.groups()
    return f" {_signed(sign)}{_reading(written)} "


def _say_groups(found: re.Match[str]) -> str:
    return " " + ", ".join(digits(group) for group in found.group(0).split("-")) + " "


def _say_lines(found: re.Match[str]) -> str:
    lines = int(found.group(1))
    high, low = divmod(lines, 100)
    said = f"{cardinal(high)} {cardinal(low)}" if low else f"{cardinal(high)} hundred"
    return f" {said} {found.group(2).lower()} "


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_PICTURE_LINES, _say_lines),
    (_FRACTION_INCHES, lambda found: f"{found.group(1)} in."),
    (_OFFSET, lambda found: f"{found.group(1)} {_SIGN_WORDS[found.group(2)]}"),
    (_EMERGENCY, lambda found: f"{found.group(1)} {digits(found.group(2))}"),
    (_DOOR, lambda found: f"{found.group(1)} {_reading(found.group(2))} {letter(found.group(3))}"),
    (_DIGIT_GROUPS, _say_groups),
    (_DECIMAL_COMMA, lambda found: f"{found.group(1)}.{found.group(2)}"),
    (_TEMPERATURE, _say_temperature),
    (_DEGREE_LETTER, lambda found: _DEGREES[found.group(1)]),
    (_COORDINATE, _say_coordinate),
    (_HEIGHT, _say_height),
    (_FEET, lambda found: f" {say_number(found.group(1))} {'foot' if found.group(1) == '1' else 'feet'} "),
    (_INCHES, _say_inches),
    (_PERCENT, _say_percent),
    (_SCIENTIFIC, _say_scientific),
    (_MIXED, _say_mixed),
    (_FRACTION, _say_fraction),
    (_DIMENSIONS, lambda found: f" {say_number(found.group(1))} by "),
    (_MEASURE, _say_measure),
    (_SQUARE_BEFORE, lambda found: f" {_AREAS[found.group(2)]} {_ALL_UNITS[found.group(1)][1]} "),
    (_PRODUCT, lambda _: " "),
    (_POWER, _say_power),
    (_SCALED, _say_scaled),
    (_FOLD, lambda found: f" {say_number(found.group(1))} times "),
    (_ORDINALS, lambda found: f" {ordinal(int(found.group(1).replace(',', '')))} "),
    (_ROOMS, lambda found: f"{found.group(1)} {cardinal(int(found.group(2)))} oh {cardinal(int(found.group(3)))} "),
    (_RANGE, _say_range),
    (_SUBTRACTION, lambda _: " minus "),
    (_ROOT, lambda _: " square root of "),
    (_PLAIN, _say_plain),
)
"""In this order: what is longer first."""
