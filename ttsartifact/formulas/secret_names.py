"""Names whose value is a secret, and values that are none: the words of registry/privacy.toml (clause 11.1)."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern

LONGEST_NAME = 64
_FOLD = late_pattern(r"[^a-z0-9]+")
# A place to be filled, a number, or where a secret is to be read.
_PLACE = late_pattern(r"\{+[^\"{}]*\}+|\$.*|<.*>|\*+|%.*%|\.\.\.|[xX]+|[+-]?[0-9.]+|(?:env|file|fd):.*", re.DOTALL)
_DRAWN = late_pattern(r"[\w+~-]{8,1024}={0,2}|[\w+/~-]{40,1024}={0,2}")
_PIN = late_pattern(r"[0-9]{4,12}")
_TURN = late_pattern(r"(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")


class _Letters(dict[int, str]):
    """What each letter is when names are compared (clause 11.1), one for one, so that every place is kept."""

    def __missing__(self, point: int) -> str:
        import unicodedata

        letter = chr(point)
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", letter).casefold())
        self[point] = folded if folded in _OF_NAMES else letter
        return self[point]


LETTERS = _Letters({point: chr(point).lower() for point in range(128)})


class SecretWords(NamedTuple):
    """registry/privacy.toml, compiled."""

    endings: tuple[str, ...]
    exact: frozenset[str]
    harmless: tuple[str, ...]
    loud: tuple[str, ...]
    values: frozenset[str]
    keys: re.Pattern[str]
    owners: tuple[str, ...]
    whole: tuple[str, ...]
    forms: re.Pattern[str]
    """What may follow the name of any secret."""
    marks: re.Pattern[str]
    """What may follow a name in `loud`."""
    doubtful: frozenset[str]
    holders: frozenset[str]
    files: tuple[str, ...]
    stdin: tuple[str, ...]
    named: re.Pattern[str]
    """The end of a name, its mark, and the value; over text in lower case."""
    stems: tuple[bytes, ...]
    heads: frozenset[bytes]
    """The first five letters, at most, of keys and of what commands that read a secret have in their line."""
    pins: frozenset[str]


@cache
def words() -> SecretWords:
    """Return the words of the registry, once."""
    held = _spec.table("registry/privacy")
    keys = held["keys"]
    own = "|".join(
        rf"({key.get('before', '')}(?:{'|'.join(map(re.escape, key['starts']))})[{key['letters']}]{{{key['least']},}})"
        for key in keys
    )
    schemes = "|".join(held["schemes"]).lower()
    names = sorted({*held["endings"], *held["exact"], *held["doubtful"]}, key=len, reverse=True)
    marks = "|".join((*held["forms"], *held["marks"]))
    spelled = "|".join(name.replace(" ", "[_.-]?") for name in names)
    named = rf"(?:{spelled})(?:[_.-]?(?:{marks}|\d{{1,3}}))?"
    return SecretWords(
        endings=tuple(map(folded, held["endings"])),
        exact=frozenset(held["exact"]),
        harmless=tuple(held["harmless"]),
        loud=tuple(map(folded, held["loud"])),
        values=frozenset(held["values"]),
        keys=late_pattern(
            rf"(?<![A-Za-z0-9])(?:{own})|(?<![\w-])(eyJ[\w-]{{10,}}\.[\w-]*\.[\w-]*(?:\.[\w-]*){{0,2}})"
            r"|(-----BEGIN [A-Z ]{0,32}PRIVATE KEY[^\0]*|PuTTY-User-Key-File-[^\0]*)"
            r"|(?<=//)[^/\s:@\"{}]{0,256}:([^/\s:@\"{}]{1,1024})@"
            r"|(?<=//)((?=[A-Za-z_.~-]{0,256}\d)[\w.~-]{20,256})@"
            r"|(?<=[?&])(?:key|code)=([\w~+/%=-]{20,1024})"
        ),
        owners=(*(key["of"] for key in keys), "a JSON Web Token", "a private key", *["an address"] * 3),
        whole=tuple(map(folded, held["whole"])),
        forms=late_pattern(rf"(?:{'|'.join(held['forms'])})\Z"),
        marks=late_pattern(rf"(?:{'|'.join(held['marks'])}|\d{{1,3}})\Z"),
        doubtful=frozenset(held["doubtful"]),
        holders=frozenset(held["holders"]),
        files=tuple(held["files"]),
        stdin=tuple(held["stdin"]),
        named=late_pattern(
            rf"{named}(?P<mark> = |=|\\{{0,2}}[\"'] ?: ?(?=\\{{0,2}}[\"'])|: {{0,2}})(?:(?:{schemes}) {{1,2}})?"
            r"(?:\\{0,2}[\"'](?P<quoted>[^\"']+?)(?=\\{0,2}[\"']|\Z)|(?P<plain>[^\s\"'&;,<>]+))"
        ),
        stems=_stems(held),
        heads=frozenset(start[:5].encode() for start in (*held["stdin"], *(s for key in keys for s in key["starts"]))),
        pins=frozenset(held["pins"]),
    )


def _stems(held: dict[str, list[str]]) -> tuple[bytes, ...]:
    """Return how the folded name of a secret ends, numbers left out."""
    sure = {folded(name) for name in (*held["endings"], *held["exact"])}
    marked = {folded(name) + mark for name in held["loud"] for mark in held["marks"]}
    marked |= {name + form for name in sure for form in held["forms"]}
    return tuple(sorted(name.rstrip("0123456789").encode() for name in sure | marked))


def folded(name: str) -> str:
    """Return a name as names are compared: its letters a-z and digits alone."""
    return _FOLD.sub("", name.lower() if name.isascii() else name.translate(LETTERS))


def is_stated(name: str, value: str) -> bool:
    """Return whether a field, option or variable of that name states a secret; PWD may be a folder."""
    if not _is_secret_ending(name[-2 * LONGEST_NAME :]) or not is_value(value):
        return False
    return not (value.startswith("/") and folded(name) == "pwd")


@lru_cache(maxsize=1024)
def _is_secret_ending(name: str) -> bool:
    held, plain = words(), words().forms.sub("", folded(name))
    if plain in held.exact or (plain.endswith(held.endings) and not plain.endswith(held.harmless)):
        return True
    return held.marks.sub("", plain).endswith(held.loud)


def is_holder(name: str) -> bool:
    """Return whether every member of a field of that name is a secret."""
    return name[-1:] in {"s", "S"} and folded(name[-LONGEST_NAME:]) in words().holders


def is_loud(name: str) -> bool:
    """Return whether the name says so aloud that it is believed in prose too, in front of a colon."""
    return _is_loud_ending(name[-2 * LONGEST_NAME :])


@lru_cache(maxsize=1024)
def _is_loud_ending(name: str) -> bool:
    held, plain = words(), folded(name)
    return plain.endswith(held.loud) or held.marks.sub("", plain).endswith(held.loud)


def is_header_name(name: str) -> bool:
    """Return whether a header of that name states a secret; `X-` in front changes nothing."""
    held, plain = words(), folded(name)
    plain = plain.removeprefix("x")
    return (
        _is_secret_ending(plain)
        or plain in held.doubtful
        or (plain.endswith("key") and not plain.endswith(held.harmless))
    )


def is_doubtful_name(name: str) -> bool:
    """Return whether an option of that name has a secret for a value if the value looks drawn."""
    return folded(name[-LONGEST_NAME:]) in words().doubtful


def is_doubtful(name: str, value: str) -> bool:
    """Return whether the value of an option with a doubtful name looks like a secret: drawn, or the digits of a PIN."""
    if not is_doubtful_name(name):
        return False
    return is_drawn(value) or (folded(name[-LONGEST_NAME:]) in words().pins and bool(_PIN.fullmatch(value)))


def is_drawn(value: str) -> bool:
    """Return whether a value looks drawn at random: letters and digits alternate, and it is not a path."""
    if value.startswith("/") or not _DRAWN.fullmatch(value):
        return False
    return len(_TURN.findall(value)) > (1 if len(value) >= 20 else 2)


def is_password(value: str) -> bool:
    """Return whether what a program takes as a password is one: digits may be."""
    return is_value(value) or bool(_PIN.fullmatch(value))


def is_value(value: str) -> bool:
    """Return whether the value of a name may be a secret: no place to be filled, no number, no file."""
    held, lower = words(), value.lower()
    return (
        len(value) >= 3 and lower not in held.values and not lower.endswith(held.files) and not _PLACE.fullmatch(value)
    )
