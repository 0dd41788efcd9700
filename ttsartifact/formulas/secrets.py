"""Secrets in descriptors, before and after publication: by the name of a value, or by its look.

The words are those of registry/privacy.toml (clause 11.1). Every pattern is linear in the length of a string: each
begins where a word begins, and what it repeats without a bound ends at a letter that it cannot hold.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MASK", "Secret", "is_marked", "masked", "secrets_of"]

MASK = "{secret}"
_FOLD = late_pattern(r"[^a-z0-9]+")
_PLACE = late_pattern(r"\{.*\}|\$.*|<.*>|\*+|%.*%|\.\.\.|[xX]+|[+-]?[0-9.]+", re.DOTALL)
_LONGEST_NAME = 64
_RANDOM = late_pattern(r"(?=[A-Za-z_+/=.-]*\d)(?=[\d_+/=.-]*[A-Za-z])[\w+/=.-]{20,1024}")
_LINE = late_pattern(r"[^\r\n\"']*")
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
_SPELLED_OUT = late_pattern(r"(?:\\u[0-9a-fA-F]{4})+")  # the letters that JSON in ASCII escapes
_OPTION = late_pattern(r"--?[A-Za-z][\w.-]*")
_NAME_BEFORE = late_pattern(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
_LONGEST_WORD = 32  # of a name's end, without blanks
_ESCAPE = late_pattern(rb"\\(?:u[0-9a-f]{4}|[bfnrt])")  # what JSON writes for a letter that no folded name has
_NAME_ENDS = b"\"'=:\\"
_KEPT = b"abcdefghijklmnopqrstuvwxyz0123456789" + _NAME_ENDS
_ENDS_AS_BLANKS = bytes.maketrans(_NAME_ENDS, b" " * len(_NAME_ENDS))
_NOT_KEPT = bytes(byte for byte in range(256) if byte not in _KEPT)
_MOST_SECRETS = 1_000
_SPOKEN = "/input/text/value"  # what was spoken is published on purpose


class _Letters(dict[int, str]):
    """What each letter is when names are compared (clause 11.1), one for one, so that every place is kept."""

    def __missing__(self, point: int) -> str:
        import unicodedata

        letter = chr(point)
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", letter).casefold())
        self[point] = folded if folded in _OF_NAMES else letter
        return self[point]


_LETTERS = _Letters({point: chr(point).lower() for point in range(128)})


class Secret(NamedTuple):
    """A secret at a place of a JSON value, and how it was known."""

    where: str
    name: str
    """The option, variable or header that it is the value of, or whose key it is."""
    start: int
    end: int
    """Its place within the string at `where`."""


class _Words(NamedTuple):
    """registry/privacy.toml, compiled."""

    endings: tuple[str, ...]
    exact: frozenset[str]
    harmless: tuple[str, ...]
    loud: tuple[str, ...]
    values: frozenset[str]
    keys: re.Pattern[str]
    owners: tuple[str, ...]
    whole: tuple[str, ...]
    clients: frozenset[str]
    pairs: tuple[str, ...]
    jars: frozenset[str]
    named: re.Pattern[str]
    """The end of a name, its mark, and the value; over text in lower case."""
    stems: tuple[bytes, ...]


@cache
def _words() -> _Words:
    held = _spec.table("registry/privacy")
    keys = held["keys"]
    own = "|".join(
        rf"((?:{'|'.join(map(re.escape, key['starts']))})[{key['letters']}]{{{key['least']},}})" for key in keys
    )
    schemes = "|".join(held["schemes"]).lower()
    names = sorted({*held["endings"], *held["exact"]}, key=len, reverse=True)
    spelled = "|".join(name.replace(" ", "[_.-]?") for name in names)
    return _Words(
        endings=tuple(map(_folded, held["endings"])),
        exact=frozenset(held["exact"]),
        harmless=tuple(held["harmless"]),
        loud=tuple(map(_folded, held["loud"])),
        values=frozenset(held["values"]),
        keys=late_pattern(
            rf"(?<![A-Za-z0-9])(?:{own})|(?<![\w-])(eyJ[\w-]{{10,}}\.eyJ[\w-]{{10,}}\.[\w-]*)"
            r"|(-----BEGIN [A-Z ]{0,32}PRIVATE KEY[^\0]*|PuTTY-User-Key-File-[^\0]*)"
            r"|(?<=://)[^/\s:@\"{}]{0,256}:([^/\s:@\"{}]{1,1024})@"
            r"|(?<=://)((?=[A-Za-z_.~-]{0,256}\d)[\w.~-]{20,256})@"
            r"|(?<=[?&])(?:key|code)=([\w~+/%=-]{20,1024})"
        ),
        owners=(*(key["of"] for key in keys), "a JSON Web Token", "a private key", *["an address"] * 3),
        whole=tuple(map(_folded, held["whole"])),
        clients=frozenset(held["clients"]),
        pairs=tuple(held["pairs"]),
        jars=frozenset(held["jars"]),
        named=late_pattern(
            rf"(?:{spelled})(?P<mark> = |=|[\"'] ?: ?(?=[\"'])|: {{0,2}})(?:(?:{schemes}) {{1,2}})?"
            r"(?:[\"'](?P<quoted>[^\"']+)|(?P<plain>[^\s\"'&;,<>]+))"
        ),
        stems=tuple(sorted({_folded(name).encode() for name in names})),
    )


# What every key starts with and what every name holds; a test holds them to the registry.
_MARKS = tuple(
    mark.encode()
    for mark in (
        *("hf_", "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "sk-", "sk_", "AKIA", "ASIA", "AIza"),
        *("ya29.", "xox", "r8_", "nvapi-", "npm_", "pypi-", "eyJ", "PRIVATE KEY", "@", "api_org_", "gldt-", "glrt-"),
        *("gloas-", "GOCSPX-", "AQ.Ab", "1//0", "xapp-", ".slack.com/services/", "/api/webhooks/", "telegram.org/bot"),
        *(
            "rk_live_",
            "dop_v1_",
            "doo_v1_",
            "dor_v1_",
            "SG.",
            "dapi",
            "xai-",
            "rpa_",
            "dp.pt.",
            "dp.st.",
            "hvs.",
            "hvb.",
        ),
        *("AGE-SECRET-KEY-1", "earer ", "PuTTY-User-Key", "?key=", "&key=", "?code=", "&code="),
    )
)
_KEY_MARKS = tuple(mark.decode() for mark in _MARKS)
_CLIENTS = tuple(f'"{option}' for option in ("-u", "-U", "--user", "--proxy-user", "-a", "--auth", "-b"))
_ALL_MARKS = (*_MARKS, *(option.encode() for option in _CLIENTS))
_STEMS = (
    b"key",
    b"token",
    b"secret",
    b"credential",
    b"auth",
    b"cookie",
    b"bearer",
    b"pass",
    b"pwd",
    b"sig",
    b"sas",
    b"string",
)


@lru_cache(maxsize=4096)  # the keys of all descriptors are the same few hundred
def _ends_like_a_secret(word: bytes) -> bool:
    return word.endswith(_words().stems)


def _folded(name: str) -> str:
    return _FOLD.sub("", name.lower() if name.isascii() else name.translate(_LETTERS))


def _plain(raw: bytes) -> bytes:
    """Return JSON in lower case, with letters that fold to ASCII as what they fold to."""
    if raw.isascii() and b"\\u" not in raw:
        return raw.lower()
    import json

    text = _SPELLED_OUT.sub(lambda found: json.loads(f'"{found[0]}"'), raw.decode("utf-8", "surrogateescape"))
    return text.translate(_LETTERS).encode("utf-8", "surrogatepass")


def is_marked(raw: bytes) -> bool:
    """Return whether bytes hold anything that every secret has; almost none do, and one look spares the walk."""
    for mark in _ALL_MARKS:  # a loop: this is on the way to the first chunk of every recording, three times
        if mark in raw:
            return True
    lower = _plain(raw)
    if not any(stem in lower for stem in _STEMS):
        return False
    # Folded as names are. A name that ends there is marked; `t_first_token_ns` goes on.
    folded = _ESCAPE.sub(b"", lower).translate(_ENDS_AS_BLANKS, _NOT_KEPT)
    return any(_ends_like_a_secret(word[-_LONGEST_WORD:]) for word in set(folded.split()))


def secrets_of(value: Any, pointer: str = "") -> Iterator[Secret]:
    """Yield every secret of a JSON value, in its order; the spoken text is left out."""
    waiting: list[tuple[str, str, Any]] = [(pointer, "", value)]
    while waiting:
        where, name, held = waiting.pop()
        if isinstance(held, str):
            if not where.endswith(_SPOKEN):
                yield from _in_string(where, name, held)
        elif isinstance(held, dict):
            # What is said of a variable stands in two fields: its name, and its value.
            of = next((held[key] for key in ("name", "key", "header") if isinstance(held.get(key), str)), None)
            names_of_values: dict[str, str] = {"value": of} if of is not None else {}
            waiting += [
                (f"{where}/{key}", str(names_of_values.get(key, key)), entry) for key, entry in reversed(held.items())
            ]
        elif isinstance(held, list):
            yield from _of_clients(where, held)
            names = ["", *(word if isinstance(word, str) and _OPTION.fullmatch(word) else "" for word in held)]
            if len(held) == 2 and isinstance(held[0], str):
                names[1] = held[0]  # a pair of a name and its value
            waiting += [(f"{where}/{n}", names[n], entry) for n, entry in reversed(list(enumerate(held)))]


def _of_clients(where: str, words: list[Any]) -> Iterator[Secret]:
    """Yield the passwords that a client's command line states as `name:secret`, and its cookies."""
    held = _words()
    is_client = False
    for place, word in enumerate(words):
        if not isinstance(word, str):
            continue
        before = words[place - 1] if place else None
        option = next((each for each in held.pairs if before == each or word.startswith(each)), None)
        if is_client and before in held.jars and "=" in word:
            yield Secret(f"{where}/{place}", f"the value of {before}", 0, len(word))
        elif is_client and option is not None and (before == option or word[: len(option)] == option):
            start = word.find(":") + 1
            if start and _is_value(word[start:]):
                yield Secret(f"{where}/{place}", f"the value of {option}", start, len(word))
        is_client = is_client or word.rpartition("/")[2] in held.clients


def masked(value: Any, pointer: str = "", *, withheld: str | None = None) -> tuple[Any, list[str]]:
    """Return `value` with each secret replaced by {secret}, and a withheld text by {text}; and what was replaced.

    Example: ``masked(["say", "--token", "abcd"])[0] == ["say", "--token", "{secret}"]``.
    """
    found: dict[str, list[Secret]] = {}
    for secret in secrets_of(value, pointer):
        found.setdefault(secret.where, []).append(secret)
    reported = [f"{secret.where}: {secret.name}" for secrets in found.values() for secret in secrets]

    def replaced(where: str, held: Any) -> Any:
        if isinstance(held, dict):
            return {key: replaced(f"{where}/{key}", entry) for key, entry in held.items()}
        if isinstance(held, list):
            return [replaced(f"{where}/{place}", entry) for place, entry in enumerate(held)]
        if not isinstance(held, str):
            return held
        for secret in sorted(found.get(where, ()), key=lambda secret: secret.start, reverse=True):
            held = held[: secret.start] + MASK + held[secret.end :]
        if withheld and withheld in held:
            reported.append(f"{where}: the withheld text")
            held = held.replace(withheld, "{text}")
        return held

    return replaced(pointer, value), reported


def _in_string(where: str, name: str, text: str) -> Iterator[Secret]:
    if name and _is_secret_name(name) and _is_value(text):
        yield Secret(where, f"the value of {name[:_LONGEST_NAME]}", 0, len(text))
        return
    words, covered, line_end = _words(), 0, 0
    found: list[Secret] = []
    # Most strings are a few plain words: what every key and every named value has is looked for first.
    has_key = any(mark in text for mark in _KEY_MARKS)
    has_named = "=" in text or ":" in text
    for match in words.keys.finditer(text) if has_key else ():
        place = match.lastindex or 0
        found.append(Secret(where, f"a key of {words.owners[place - 1]}", *match.span(place)))
    for match in words.named.finditer(text.translate(_LETTERS)) if has_named else ():
        kind = "quoted" if match["quoted"] is not None else "plain"
        name = _name_before(text, match.start("mark"))
        start, end = match.span(kind)
        if start < line_end:
            continue
        is_plain = match["mark"][0] in ": " and not _RANDOM.fullmatch(text, start, end)  # prose has colons too
        believed = _is_loud(name) if is_plain else _is_secret_name(name)
        if believed and _is_value(text[start:end]):
            if match["mark"][0] == ":" and _folded(name).endswith(words.whole):
                end = line_end = _line_end(text, start)
            found.append(Secret(where, f"the value of {name}", start, end))
        if len(found) > _MOST_SECRETS:
            break
    for secret in sorted(found, key=lambda secret: (secret.start, -secret.end)):
        if secret.start >= covered:
            yield secret
            covered = secret.end


def _line_end(text: str, start: int) -> int:
    found = _LINE.match(text, start)
    return found.end() if found else start


def _name_before(text: str, end: int) -> str:
    """Return the name that ends there, as far as it begins within a name's length."""
    found = _NAME_BEFORE.search(text[max(0, end - _LONGEST_NAME) : end].translate(_LETTERS))
    return text[end - len(found[0]) : end] if found else ""


def _is_secret_name(name: str) -> bool:
    return _is_secret_ending(name[-2 * _LONGEST_NAME :])


@lru_cache(maxsize=1024)
def _is_secret_ending(name: str) -> bool:
    words = _words()
    folded = _folded(name)
    return folded in words.exact or (folded.endswith(words.endings) and not folded.endswith(words.harmless))


def _is_loud(name: str) -> bool:
    return _folded(name).endswith(_words().loud)


def _is_value(value: str) -> bool:
    return len(value) >= 3 and value.lower() not in _words().values and not _PLACE.fullmatch(value)
