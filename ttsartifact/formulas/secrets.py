"""Secrets in descriptors, before and after publication: by the name of a value, or by its look.

The words are those of registry/privacy.toml (clause 11.1). Every pattern is linear in the length of a string: each
begins where a word begins, and what it repeats without a bound ends at a letter that it cannot hold.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.formulas.secret_names import (
    LETTERS,
    LONGEST_NAME,
    folded,
    is_doubtful,
    is_doubtful_name,
    is_drawn,
    is_header_name,
    is_holder,
    is_loud,
    is_password,
    is_stated,
    is_value,
    words,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

MASK = "{secret}"
_DIGEST = late_pattern(rb"sha256:[0-9a-f]{64}")
_MOST_KEPT, _LONGEST_KEPT = 4096, 64  # a stranger's words must not fill the memory
# %5F, encoded again as %255F, and \u005f; ASCII alone, for no name or mark that matters here has other letters.
_ESCAPED = late_pattern(r"%(?:25)*([0-7][0-9A-Fa-f])|\\u00([0-7][0-9A-Fa-f])")
_RANDOM = late_pattern(r"(?=[A-Za-z_+/=.-]*\d)(?=[\d_+/=.-]*[A-Za-z])[\w+/=.-]{20,1024}")
_SCHEMES = late_pattern(r"(?<![A-Za-z])(?i:bearer|token|basic|api-?key|key) {1,2}([\w.~+/=-]{8,1024})")
_HERE = late_pattern(r"<<< {0,4}([\"']?)(?P<said>[^\s\"']{1,1024})\1")
_NETRC = late_pattern(r"(?<!\w)(?:machine|login|account)\s{1,8}\S{1,256}\s{1,8}password\s{1,8}(\S{1,1024})")
_ECHO = late_pattern(
    r"(?<!\w)(?:echo|printf) {1,4}(?:-n {1,4})?([\"']?)(?P<said>[^\s\"'|]{1,1024})\1 {0,4}\|(?P<to>[^|]{1,256})"
)
_LINE = late_pattern(r"[^\r\n\"']*")
_SPELLED_OUT = late_pattern(r"(?:\\u[0-9a-fA-F]{4})+")  # the letters that JSON in ASCII escapes
_PERCENT = late_pattern(rb"%(?:25)*([0-7][0-9A-Fa-f])")
_OPTION = late_pattern(r"--?[A-Za-z][\w.-]*")
_OF_HEADERS = frozenset({"-H", "--header"})
_OF_SHELLS = frozenset({"-c", "-lc", "-ec", "-ic"})
_NAME_BEFORE = late_pattern(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
_LONGEST_WORD = 32  # of a name's end, without blanks
_ESCAPE = late_pattern(rb"\\(?:u[0-9a-f]{4}|[bfnrt])")  # what JSON writes for a letter that no folded name has
_NAME_ENDS = b"\"'=:\\"
_KEPT = b"abcdefghijklmnopqrstuvwxyz0123456789" + _NAME_ENDS
_ENDS_AS_BLANKS = bytes.maketrans(_NAME_ENDS, b" " * len(_NAME_ENDS))
_NOT_KEPT = bytes(byte for byte in range(256) if byte not in _KEPT)
_MOST_SECRETS = 1_000
_MOST_DOUBTED = 64  # looked into, each of them to its end
_SHORTEST = 9  # bytes of a string that holds a mark, as 7z -pabcd
_SPOKEN = "/input/text/value"  # what was spoken is published on purpose


class Secret(NamedTuple):
    """A secret at a place of a JSON value, and how it was known."""

    where: str
    name: str
    """The option, variable or header that it is the value of, or whose key it is."""
    start: int
    end: int
    """Its place within the string at `where`."""


_OTHER_KEYS = ("eyJ", "PRIVATE KEY", "PuTTY-User-Key", "?key=", "&key=", "?code=", "&code=", ":AA")
# What strings hold that are read in other ways: addresses, netrc, lines of a shell, headers, escapes within escapes.
_MARKS = tuple(
    mark.encode()
    for mark in (
        *(*_OTHER_KEYS, "_v1_", "<<<", "\\\\u00", '\\\\"'),
        *("ssword ", '"--', " --", '"X-', '"x-', " X-", " x-", " -p", " -P", " -a", " -k", " -K", " -u", " -U", " -b"),
        *(" -w", " -c", " -A", " -X", " /p", " /rp", " -N", " -s", " -E", " -n"),
    )
)
_HEAD = late_pattern(rb"(?<![A-Za-z0-9])(?=([!-~]{2}[ -~]{3}))")
_SCHEME_MARKS = (b"bearer ", b"token ", b"basic ", b"apikey ", b"api-key ", b"key ")  # in lower case
_SHORTEST_KEY = 15  # bytes of a string that holds a key which says itself what it is
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
    b"jwt",
)


@lru_cache(maxsize=4096)  # the keys of all descriptors are the same few hundred
def _ends_like_a_secret(word: bytes) -> bool:
    return word.rstrip(b"0123456789").endswith(words().stems)


def _plain(raw: bytes) -> bytes:
    """Return JSON in lower case, with letters that fold to ASCII as what they fold to."""
    if b"%" in raw:
        raw = _PERCENT.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
    if raw.isascii() and b"\\u" not in raw:
        return raw.lower()
    import json

    text = _SPELLED_OUT.sub(lambda found: json.loads(f'"{found[0]}"'), raw.decode("utf-8", "surrogateescape"))
    return text.translate(LETTERS).encode("utf-8", "surrogatepass")


class Screen:
    """Remembers the words in which a test found nothing."""

    def __init__(self, test: Callable[[bytes], bool]) -> None:
        """Take a test of text with words in quotes. It finds nothing in digests, and nothing that two words make up."""
        self._test = test
        self._harmless: set[bytes] = set()

    def finds(self, raw: bytes) -> bool:
        """Return whether the test finds anything in the words of a JSON text: what stands between two quotes.

        Where something is escaped, what stands outside of quotes is looked at too.
        """
        pieces = raw.split(b'"')
        known = self._harmless
        new = {word for word in (pieces if b"\\" in raw else pieces[1::2]) if word not in known}
        text = b'"'.join([word for word in new if not _DIGEST.fullmatch(word)])
        if text and self._test(b'"%b"' % text):
            return True
        if len(known) < _MOST_KEPT:
            known.update(word for word in new if len(word) <= _LONGEST_KEPT)
        return False


def is_marked(raw: bytes) -> bool:
    """Return whether bytes hold anything that every secret has; almost none do, and one look spares the walk."""
    if b"//" in raw and (b"@" in raw or b"%40" in raw or b"%2540" in raw):
        return True
    apart = set(raw.split(b'"'))
    if _has_mark(raw, apart):
        return True
    return any(_is_named_option(word) for word in apart if word[:1] == b"-") or _runs_program(apart)


def may_be_marked(words: bytes) -> bool:
    """Return whether any word between quotes is marked, or would be beside a second one of another part of the text."""
    apart = set(words.split(b'"'))
    return b"@" in words or _has_mark(words, apart) or any(map(_is_named_option, apart)) or _runs_program(apart)


def _has_mark(raw: bytes, apart: set[bytes]) -> bool:
    long = b'"' + b'"'.join([word for word in apart if len(word) >= _SHORTEST and word[:7] != b"sha256:"])
    longer = b'"'.join([word for word in apart if len(word) >= _SHORTEST_KEY and word[:7] != b"sha256:"])
    if _starts_like_a_key(longer):
        return True
    for mark in _MARKS:  # a loop: this is on the way to the first chunk of every recording, three times
        if mark in long:
            return True
    lower = _plain(raw)
    for mark in _SCHEME_MARKS:
        if mark in lower:
            return True
    if not any(stem in lower for stem in _STEMS):
        return False
    # Folded as names are. A name that ends there is marked; `t_first_token_ns` goes on.
    kept = _ESCAPE.sub(b"", lower).translate(_ENDS_AS_BLANKS, _NOT_KEPT)
    return any(_ends_like_a_secret(word[-_LONGEST_WORD:]) for word in set(kept.split()))


def _starts_like_a_key(raw: bytes) -> bool:
    heads, known = set(_HEAD.findall(raw)), words().heads
    return any(head[:length] in known for head in heads for length in (5, 4, 3, 2))


def _is_named_option(word: bytes) -> bool:
    if word[:1] != b"-":
        return False
    option = word.partition(b"=")[0].decode("utf-8", "replace")
    return option in _OF_HEADERS or is_doubtful_name(option)


def _runs_program(apart: set[bytes]) -> bool:
    return not _programs().isdisjoint(word.rpartition(b"/")[2] for word in apart)


def secrets_of(value: Any, pointer: str = "") -> Iterator[Secret]:
    """Yield every secret of a JSON value, in its order; the spoken text is left out."""
    waiting: list[tuple[str, str, Any, list[tuple[str, int]]]] = [(pointer, "", value, [])]
    while waiting:
        where, name, held, stated = waiting.pop()
        if isinstance(held, str):
            if not where.endswith(_SPOKEN):
                yield from _in_string(where, name, held, stated)
        elif isinstance(held, dict):
            names = _names_in_fields(name, held)
            waiting += [(f"{where}/{key}", names[key], entry, []) for key, entry in reversed(held.items())]
        elif isinstance(held, list):
            by_place: dict[int, list[tuple[str, int]]] = {}
            for place, option, start in _secrets_in(held):
                by_place.setdefault(place, []).append((option, start))
            listed = _names_in_list(name, held)
            waiting += [
                (f"{where}/{n}", listed[n], entry, by_place.get(n, [])) for n, entry in reversed(list(enumerate(held)))
            ]


def _names_in_fields(name: str, held: dict[str, Any]) -> dict[str, str]:
    """Return of what each field is the value: of its own name, of the holder's, or of the one that a field states."""
    if is_holder(name):
        return dict.fromkeys(held, name)
    # What is said of a variable stands in two fields: its name, and its value.
    of = next((held[key] for key in ("name", "key", "header") if isinstance(held.get(key), str)), None)
    return {key: of if key == "value" and of is not None else str(key) for key in held}


def _names_in_list(name: str, held: list[Any]) -> list[str]:
    """Return of what each entry is the value: of the option before it, or of the list's own name."""
    if is_holder(name) or is_loud(name):
        return [name] * len(held)
    names = ["", *(word if isinstance(word, str) and _OPTION.fullmatch(word) else "" for word in held)]
    if len(held) == 2 and isinstance(held[0], str):  # a pair of a name and its value
        names[1] = name if folded(name) == "auth" else held[0]
    return names


def masked(value: Any, pointer: str = "", *, withheld: str | None = None) -> tuple[Any, list[str]]:
    """Return `value` with each secret replaced by {secret}, and a withheld text by {text}; and what was replaced.

    Bytes of a file's name that are not UTF-8 are spelled out, for JSON cannot hold them.

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
        return held if held.isascii() else held.encode("utf-8", "backslashreplace").decode()

    return replaced(pointer, value), reported


def _in_string(where: str, name: str, text: str, stated: Sequence[tuple[str, int]]) -> Iterator[Secret]:
    """Yield the secrets of one string, each letter once; `stated` are those that its command line knows of."""
    is_option = name.startswith("-")
    if name and (is_stated(name, text) or (is_option and is_doubtful(name, text))):
        yield Secret(where, f"the value of {name[:LONGEST_NAME]}", 0, len(text))
        return
    found = [(start, len(text), f"the value of {option}") for option, start in stated if is_password(text[start:])]
    found += _keys(text)
    is_header = name in _OF_HEADERS or text.startswith(("-H", "--header="))
    found += _named(text, is_header=is_header)
    if (plain := decoded(text)) is not None:
        letters, places = plain
        again = [*_named(letters, is_header=is_header), *_keys(letters)]
        found += [(places[start], places[end], of) for start, end, of in again]
    if " " in text or "\n" in text:
        found += _in_prose(text)
    if " -" in text or " /" in text or text.startswith("-"):
        found += _in_line(text, is_shell=name in _OF_SHELLS)
    covered = 0
    for start, end, of in sorted(found, key=lambda each: (each[0], -each[1])):
        if start >= covered:
            yield Secret(where, of, start, end)
            covered = end


def _keys(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the secrets that say themselves what they are."""
    if (
        len(text) >= _SHORTEST
        and text[:7] != "sha256:"
        and (
            "@" in text
            or any(mark in text for mark in _OTHER_KEYS)
            or _starts_like_a_key(text.encode("utf-8", "surrogatepass"))
        )
    ):
        for match in words().keys.finditer(text):
            place = match.lastindex or 0
            yield *match.span(place), f"a key of {words().owners[place - 1]}"


def _in_prose(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what follows a scheme of authorization, a netrc's password, and what a pipe passes to a command."""
    for match in _SCHEMES.finditer(text):
        if is_drawn(match[1].replace(".", "")):
            yield *match.span(1), "what follows a scheme of authorization"
    for match in _NETRC.finditer(text) if "password" in text else ():
        if is_value(match[1]):
            yield *match.span(1), "the value of password"
    for match in _ECHO.finditer(text) if "|" in text else ():
        if any(mark in match["to"] for mark in words().stdin) and is_value(match["said"]):
            yield *match.span("said"), "what a command reads from a pipe"
    for match in _HERE.finditer(text) if any(mark in text for mark in words().stdin) else ():
        if is_value(match["said"]):
            yield *match.span("said"), "what a command reads from its input"


def _named(text: str, *, is_header: bool) -> Iterator[tuple[int, int, str]]:
    """Yield the values behind names that mark them as secrets, in assignments, headers, queries and JSON."""
    if "=" not in text and ":" not in text:
        return
    letters, place, line_end = text.translate(LETTERS), 0, 0
    found = doubted = 0
    while found <= _MOST_SECRETS and (match := words().named.search(letters, place)):
        name = _name_before(text, match.start("mark"))
        start, end = match.span("plain" if match["quoted"] is None else "quoted")
        place = match.end()
        if start < line_end:
            continue
        of_header = match["mark"][0] == ":" and (is_header or name[:2] in {"X-", "x-"})
        if of_header:  # a header's value is all that follows
            end = _line_end(text, start)
        if not (is_value(text[start:end]) and is_header_name(name) if of_header else _is_believed(text, name, match)):
            doubted += 1  # what it says may hold one that is believed: otpauth://x?secret=y
            place = match.end("mark") if doubted <= _MOST_DOUBTED else place
            continue
        if of_header or (match["mark"][0] == ":" and folded(name).endswith(words().whole)):
            end = line_end = _line_end(text, start)
        yield start, end, f"the value of {name}"
        found += 1


def _is_believed(text: str, name: str, match: re.Match[str]) -> bool:
    """Return whether a name and what follows it are a secret; prose has colons too."""
    value = match["quoted"] or match["plain"]
    at = match.start("mark") - len(name)
    if is_doubtful_name(name) and match["mark"] == "=":
        return text[at - 1 : at] == "-" and is_doubtful(name, value)
    if not is_value(value):
        return False
    is_written = match["mark"] == " = " and match["quoted"] is not None and not value.isalpha()
    if (
        not is_written
        and match["mark"][0] in ": "
        and not _RANDOM.fullmatch(text, *match.span("plain" if match["quoted"] is None else "quoted"))
    ):
        return is_loud(name)
    return is_stated(name, value)


def _in_line(text: str, *, is_shell: bool) -> Iterator[tuple[int, int, str]]:
    """Yield what the options of a shell's line state; in prose a plain word after an option is none."""
    line = _words_of(text)
    for place, option, start in _secrets_in([word.text for word in line]):
        word = line[place]
        is_plain = not is_shell and not option.startswith("-") and word.text.isalpha()  # prose names programs too
        if is_password(word.text[start:]) and not is_plain:
            yield word.start + start, word.start + len(word.text), f"the value of {option}"
    for before, word in pairwise(line):
        option, value = before.text, word.text
        if not _OPTION.fullmatch(option) or value.startswith("-"):
            continue
        is_sure = is_stated(option, value) and (is_shell or not value.isalpha())
        if is_sure or is_doubtful(option, value):
            yield word.start, word.start + len(value), f"the value of {option}"


def _line_end(text: str, start: int) -> int:
    found = _LINE.match(text, start)
    return found.end() if found else start


def _name_before(text: str, end: int) -> str:
    """Return the name that ends there, as far as it begins within a name's length."""
    found = _NAME_BEFORE.search(text[max(0, end - LONGEST_NAME) : end].translate(LETTERS))
    return text[end - len(found[0]) : end] if found else ""


def decoded(text: str) -> tuple[str, list[int]] | None:
    """Return `text` without its escapes and where each letter, and the end, stood; None if it has none.

    Example: ``decoded("a%5Fb") == ("a_b", [0, 1, 4, 5])``.
    """
    if "%" not in text and "\\u00" not in text:
        return None
    pieces, places, end = [], [], 0
    for match in _ESCAPED.finditer(text):
        pieces += [text[end : match.start()], chr(int(match[1] or match[2], 16))]
        places += [*range(end, match.start()), match.start()]
        end = match.end()
    if not pieces:
        return None
    return "".join((*pieces, text[end:])), [*places, *range(end, len(text) + 1)]


# A shell's word: what is quoted in it belongs to it.
_WORD = late_pattern(r"(?:[^\s\"'|;&()]|\"[^\"]*\"|'[^']*')+")


class _Word(NamedTuple):
    """A word of a command line, and where it stands in the string that holds the line."""

    text: str
    start: int


class _Command(NamedTuple):
    after: frozenset[str]
    values: frozenset[str]
    joined: tuple[str, ...]
    pairs: tuple[str, ...]
    between: str
    jars: tuple[str, ...]
    places: dict[str, int]


@cache
def _commands() -> dict[str, tuple[int, _Command]]:
    """Return what is known of each program; _programs of one entry have its number."""
    return {
        program: (
            number,
            _Command(
                after=frozenset(held.get("after", ())),
                values=frozenset(held.get("values", ())),
                joined=tuple(held.get("joined", ())),
                pairs=tuple(held.get("pairs", ())),
                between=held.get("between", ":"),
                jars=tuple(held.get("jars", ())),
                places=held.get("places", {}),
            ),
        )
        for number, held in enumerate(_spec.table("registry/privacy")["commands"])
        for program in held["programs"]
    }


@cache
def _programs() -> frozenset[bytes]:
    """Return the names of the _programs that are known."""
    commands = _spec.table("registry/privacy")["commands"]
    return frozenset(program.encode() for held in commands for program in held["programs"])


def _words_of(line: str) -> list[_Word]:
    """Return the words of a shell's line; quotes around the whole of a word are left out."""
    found = []
    for match in _WORD.finditer(line):
        text, start = match[0], match.start()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text, start = text[1:-1], start + 1
        found.append(_Word(text, start))
    return found


def _secrets_in(words: Sequence[Any]) -> Iterator[tuple[int, str, int]]:
    """Yield the place of each word that states a secret, its option, and where in it the secret starts."""
    known, running, seen = _commands(), dict[int, _Command](), set[str]()
    before = ""
    for place, word in enumerate(words):
        if not isinstance(word, str):
            before = ""
            continue
        program = known.get(word.rpartition("/")[2])
        if program is not None:
            running[program[0]] = program[1]
        for command in running.values():
            if command.after and not command.after & seen:
                continue
            found = _stated(command, before, word) or _at_its_place(command, words, place)
            if found is not None:
                yield place, *found
                break
        if len(word) < 16:  # as the words of `after` are
            seen.add(word)
        before = word


def _at_its_place(command: _Command, words: Sequence[Any], place: int) -> tuple[str, int] | None:
    """Return the word before that says that this one, which is no option, is a secret."""
    if words[place][:1] in {"-", "/"}:
        return None
    for word, behind in command.places.items():
        before = words[place - behind] if place >= behind else None
        if isinstance(before, str) and (before == word or (word[-1] == "*" and before.startswith(word[:-1]))):
            return word.rstrip("*"), 0
    return None


def _stated(command: _Command, before: str, word: str) -> tuple[str, int] | None:
    """Return the option and the start of the secret that a word is, or holds."""
    option, equals, _ = word.partition("=")
    if before in command.values:
        return before, 0
    if equals and option in command.values:
        return option, len(option) + 1
    for option in command.joined:
        if word.startswith(option) and len(word) > len(option):
            return option, len(option)
    for option in command.jars:
        if "=" in word and (before == option or word.startswith(option)):
            return option, 0 if before == option else len(option)
    for option in command.pairs:
        if before == option or word.startswith(f"{option}=" if option.startswith("--") else option):
            begins = 0 if before == option else len(option) + option.startswith("--")
            place = min((at for mark in command.between if (at := word.find(mark, begins)) >= 0), default=-1)
            return (option, place + 1) if place >= 0 else None
    return None
