"""Web and mail addresses, file names, handles, versions, IP addresses and telephone numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reference_runner.frontend.letters import spell
from reference_runner.frontend.lexicon import read_lexicon
from reference_runner.frontend.numbers import cardinal, digits, say_number

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMS", "LATE_FORMS", "WORDS"]

_DOMAINS = {
    "com": "com", "org": "org", "net": "net", "edu": "e d u", "gov": "gov", "info": "info", "dev": "dev", "app": "app",
    "co": "co", "io": "i o", "ai": "ay i", "me": "me", "biz": "biz", "mil": "mil", "int": "int", "tv": "t v",
    "example": "example", "local": "local", "cloud": "cloud", "tech": "tech", "online": "online", "xyz": "x y z",
}  # fmt: skip
_COUNTRIES = (
    ["uk", "de", "fr", "es", "it", "nl", "se", "no", "dk", "fi", "pl", "cz", "at", "ch", "be", "eu", "us", "ca", "au",
     "nz", "jp", "cn", "kr", "in", "br", "mx", "ru", "ua", "pt", "gr", "ie", "tr", "za"]
)  # fmt: skip
_SUFFIXES = {
    "txt": "t x t", "md": "m d", "pdf": "p d f", "py": "p y", "js": "j s", "ts": "t s", "html": "h t m l",
    "css": "c s s",
    "json": "jason", "xml": "x m l", "csv": "c s v", "wav": "wave", "mp3": "m p three", "mp4": "m p four",
    "flac": "flack", "ogg": "ogg", "png": "p n g", "jpg": "jay peg", "jpeg": "jay peg", "gif": "gif", "svg": "s v g",
    "zip": "zip", "gz": "g z", "tar": "tar", "exe": "e x e", "dll": "d l l", "doc": "doc", "docx": "doc x",
    "xls": "x l s",
    "xlsx": "x l s x", "ppt": "p p t", "toml": "toml", "yaml": "yaml", "yml": "yaml", "ini": "ini", "cfg": "c f g",
    "log": "log", "sh": "s h", "rs": "r s", "go": "go", "cpp": "c p p", "hpp": "h p p", "java": "java",
    "parquet": "parkay",
    "onnx": "onyx", "safetensors": "safe tensors", "whl": "wheel", "bin": "bin", "so": "s o", "net": "net",
    "bak": "back",
}  # fmt: skip
_MARKS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark", "=": "equals",
    "&": "and", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "@": "at", "\\": "backslash", ",": "comma",
}  # fmt: skip
_LANGUAGES = {"C++": "c plus plus", "C#": "c sharp", "F#": "f sharp", "G++": "g plus plus", "c++": "c plus plus"}

WORDS = frozenset(
    word for table in (_DOMAINS, _SUFFIXES, _MARKS, _LANGUAGES) for said in table.values() for word in said.split()
) | frozenset({"version", "hashtag", "extension", "dot", "w", "to"})  # fmt: skip
"""Every word that this module can utter, beside numbers and single letters."""

_HOST = rf"(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+(?:{'|'.join([*_DOMAINS, *_COUNTRIES])})"
_URL = re.compile(r"\b(?:https?|ftp)://([^\s<>\"')\]]*[^\s<>\"')\].,;:!?])", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])([\w.+-]+@[A-Za-z0-9][\w-]*(?:\.[\w-]+)+)")
_SITE = re.compile(rf"(?<![\w.@/-])((?:{_HOST})(?::\d+)?(?:/[^\s<>\"')\]]*[^\s<>\"')\].,;:!?])?)(?![\w-]|\.\w)")
_FILE = re.compile(
    r"(?<![\w./])((?:[\w-]+[./])*[\w-]*[A-Za-z][\w-]*|[A-Za-z])\."
    rf"({'|'.join(sorted(_SUFFIXES, key=len, reverse=True))})(?![\w]|\.\w)",
    re.IGNORECASE,
)
_DOT_NAME = re.compile(r"(?<![\w.])\.([A-Za-z]{2,})\b")
_LANGUAGE = re.compile(r"(?<!\w)(C\+\+|c\+\+|G\+\+|C#|F#)(?!\w)")
_TAG = re.compile(r"(?<!\w)#([A-Za-z]\w*)")
_HANDLE = re.compile(r"(?<!\w)@([A-Za-z]\w*)")
_IP = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?::(\d+))?(?!\w|\.\d)")
_V_VERSION = re.compile(
    r"(?<!\w)[vV]\.?\s?(\d+(?:\.\d+)+)(?:-?(rc|a|b|beta|alpha|dev|post)\.?(\d+))?(?!\w)|(?<!\w)v(\d+)(?![\w.]\d?)"
)
_DOTTED_THOUSANDS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?!\w|\.\d)")
_LONG_VERSION = re.compile(r"(?<![\w.,])(\d+(?:\.\d+){2,})(?:-?(rc|a|b|beta|alpha|dev|post)\.?(\d+))?(?!\w|\.\d)")
_NAMED_VERSION = re.compile(
    r"\b(version|release|python|java|ubuntu|debian|android|ios|macos|windows|cuda|torch|pytorch|numpy|node|node\.js|"
    r"chrome|firefox|kernel|linux|usb|bluetooth|hdmi|php|ruby|rust|postgres|openssl|django|http)"
    r"\s(\d+(?:\.\d+)+)(?!\w|\.\d)", re.IGNORECASE,
)  # fmt: skip
_PHONE = re.compile(
    r"(?<![\w.-])(?:(\+\d{1,3})[\s.-]?)?(?:(1)[-.\s])?(\(\d{2,5}\)\s?|\d{3}[-.\s])(\d{3})[-.\s](\d{4})(?!\w|-\d)"
    r"(?:\s?(?:x|ext\.?|extension)\s?(\d+))?"
)
_ABROAD = re.compile(r"(?<![\w.])(\+\d{1,3})((?:[\s.-]?\(?\d{1,5}\)?){2,6})(?!\w)")
_LOCAL = re.compile(r"(?<![\w.$-])(\d{3})-(\d{4})(?![\w-])")
_PIECE = re.compile(r"[A-Za-z]+|\d+|[./\-_:?=&#%+~@\\,]")


def _say_address(text: str) -> str:
    """Read an address piece by piece: words as words, the rest by letters, signs by name."""
    words: list[str] = []
    pieces = _PIECE.findall(text)
    for place, piece in enumerate(pieces):
        if piece in _MARKS:
            words.append(_MARKS[piece])
        elif piece.isdigit():
            words.append(cardinal(int(piece)) if len(piece) < 3 and not piece.startswith("0") else digits(piece))
        else:
            after_dot = place > 0 and pieces[place - 1] == "."
            words.append(_say_label(piece.lower(), after_dot=after_dot))
    return " ".join(words)


def _say_label(label: str, *, after_dot: bool) -> str:
    if label == "www":
        return "w w w"
    if after_dot and label in _DOMAINS:
        return _DOMAINS[label]
    if after_dot and label in _SUFFIXES:
        return _SUFFIXES[label]
    if (after_dot and label in _COUNTRIES) or len(label) < 3 or not re.search("[aeiouy]", label):
        known = len(label) == 2 and not after_dot and read_lexicon().get(label) is not None
        return label if known else spell(label)
    return label


def _dotted(numbers: str) -> str:
    """Read the parts of a version: "2.13.0" as "two point thirteen point zero", a part like 04 as "oh four"."""
    parts = [f"oh {cardinal(int(part))}" if len(part) == 2 and part[0] == "0" and part != "00" else _part(part)
             for part in numbers.split(".")]  # fmt: skip
    return " point ".join(parts)


def _part(part: str) -> str:
    return cardinal(int(part)) if len(part) < 5 and not (len(part) > 1 and part.startswith("0")) else digits(part)


_STAGES = {"rc": "release candidate", "a": "alpha", "b": "beta"}
WORDS |= frozenset({"release", "candidate", "alpha", "beta", "dev", "post"})


def _staged(numbers: str, stage: str | None, number: str | None) -> str:
    return _dotted(numbers) + (f" {_STAGES.get(stage, stage)} {_part(number)}" if stage and number else "")


def _say_v(found: re.Match[str]) -> str:
    dotted, stage, number, single = found.groups()
    return f" version {_part(single) if single else _staged(dotted, stage, number)} "


def _say_named(found: re.Match[str]) -> str:
    name, numbers = found.groups()
    return f"{name} {_dotted(numbers)}"


def _say_ip(found: re.Match[str]) -> str:
    address, port = found.groups()
    parts = address.split(".")
    if any(int(part) > 255 for part in parts):
        return found.group(0)
    words = " dot ".join(digits(part) for part in parts)
    return f" {words}{' colon ' + digits(port) if port else ''} "


def _say_phone(found: re.Match[str]) -> str:
    country, trunk, area, middle, last, extension = found.groups()
    groups = [f"plus {digits(country[1:])}"] if country else []
    groups += [digits(trunk)] if trunk else []
    groups += [digits(re.sub(r"\D", "", group)) for group in (area, middle, last)]
    groups += [f"extension {digits(extension)}"] if extension else []
    return f" {', '.join(groups)} "


def _say_abroad(found: re.Match[str]) -> str:
    country, rest = found.groups()
    groups = re.findall(r"\d+", rest)
    if sum(map(len, groups)) < 6:
        return found.group(0)
    return f" {', '.join([f'plus {digits(country[1:])}', *map(digits, groups)])} "


def _say_file(found: re.Match[str]) -> str:
    name, suffix = found.groups()
    return f" {_say_address(name)} dot {_SUFFIXES[suffix.lower()]} "


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_URL, lambda found: f" {_say_address(found.group(1).rstrip('/'))} "),
    (_MAIL, lambda found: f" {_say_address(found.group(1))} "),
    (_SITE, lambda found: f" {_say_address(found.group(1))} "),
    (_FILE, _say_file),
    (_LANGUAGE, lambda found: f" {_LANGUAGES[found.group(1)]} "),
    (_DOT_NAME, lambda found: f" dot {_SUFFIXES.get(found.group(1).lower(), found.group(1))} "),
    (_IP, _say_ip),
    (_V_VERSION, _say_v),
    (_NAMED_VERSION, _say_named),
    (_PHONE, _say_phone),
    (_ABROAD, _say_abroad),
    (_LOCAL, lambda found: f" {digits(found.group(1))}, {digits(found.group(2))} "),
    (_TAG, lambda found: f" hashtag {found.group(1)} "),
    (_HANDLE, lambda found: f" at {found.group(1)} "),
)
"""In this order."""

LATE_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_DOTTED_THOUSANDS, lambda found: f" {say_number(found.group(0).replace('.', ''))} "),
    (_LONG_VERSION, lambda found: f" {_staged(*found.groups())} "),
)
"""After dates, which may be written with full stops."""
