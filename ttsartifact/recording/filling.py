"""Puts a text and paths into a command's argv, and refuses a text that would be more than a text there.

A text may come from a stranger's artifact. As an argument of its own it can be an option (`--phonout=FILE` makes
espeak-ng write a file), a response file (`@FILE` makes argparse, java and compilers read one) or the name of a file
that is read out; inside the program text behind `sh -c`, in a festival expression, an ffmpeg filter or on another
machine behind ssh it is code.
"""

from __future__ import annotations

import json
import os
import re
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = re.compile(r"\{(text|out|ref)\}")
_BEFORE_JSON = re.compile(r"[^\s{[]*\s*")


class Filling(NamedTuple):
    """What stands for the places of an argv."""

    text: str
    out: str
    references: tuple[str, ...]

    def of(self, argv: Sequence[str]) -> list[str]:
        """Return `argv` with its places filled, each inside its argument; a word with {ref} stands once a clip."""
        words: list[str] = []
        for word in argv:
            clips = self.references if "{ref}" in word else ("",)
            words += [self._in(word, clip) for clip in clips]
        return words

    def _in(self, word: str, clip: str) -> str:
        values = {"text": self.text, "out": self.out, "ref": clip}
        if _is_json(word):
            values = {name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in values.items()}
        return PLACES.sub(lambda place: values[place[1]], word)


def _is_json(word: str) -> bool:
    """Return whether a word is JSON, behind an option or a name or not; its places are within strings then."""
    body = _BEFORE_JSON.sub("", word, count=1)
    try:
        return body[:1] in {"{", "["} and json.loads(body) is not None
    except (ValueError, RecursionError):
        return False


_INTERPRETERS = re.compile(
    r"(?:ba|da|z|k|fi|a|c|tc)?sh|busybox|python[\d.]*|pypy[\d.]*|perl|ruby|node|nodejs|deno|bun|php|lua|tclsh|osascript"
    r"|powershell|pwsh|cmd|rscript|julia|guile|octave|emacs|psql|mysql|su|runuser|script|flock|vagrant|gcloud"
)
_PROGRAM_FOLLOWS = re.compile(
    r"-[a-zA-Z]*[cerpE]|--(?:eval|print|command|execute|expression)|/[cCkK]|-(?:Command|EncodedCommand)"
)
_PROGRAM_WITHIN = re.compile(r"--(?:eval|print|command|execute|expression)=")
_SCRIPTS = (
    ".py",
    ".sh",
    ".bash",
    ".pl",
    ".rb",
    ".js",
    ".mjs",
    ".ts",
    ".php",
    ".lua",
    ".ps1",
)  # their options are their own
# Programs for which every argument is code: it is joined and given to a shell, often on another machine, or it is an
# expression that may call the system.
_EVERY_WORD = re.compile(r"ssh|plink|rsh|mosh|adb|wsl|watch|parallel|eval|tmux|screen|festival|festival_client|siod|bc")
# Programs whose first plain argument is code, and the options by which they take a value that is none.
_FIRST_WORD = re.compile(r"[gmn]?awk|sed|gsed|jq|yq|sqlite3")
_TAKES_VALUE = frozenset({"-v", "--assign", "--arg", "--argjson"})
_FFMPEG = re.compile(r"ffmpeg|ffplay|ffprobe")
_FILTER_FOLLOWS = re.compile(r"-(?:i|lavfi|graph|(?:[av]f|filter|filter_complex)(?::.*)?)")
_TEXT_FOLLOWS = frozenset({"-t", "-text", "--text", "--"})
_INSTEAD = "`--text-on-stdin`, `--` before {text} if the command supports it, or --unsafe-text"


class _Program(NamedTuple):
    """A word of an argv that names a program whose arguments may be code."""

    name: str
    place: int


def require_inert(argv: Sequence[str], text: str, references: Sequence[str]) -> None:
    """Raise Refused where `text` or a clip's path would be an option, a file's name or code in the filled `argv`."""
    values = {"text": (text,), "ref": tuple(references)}
    for place, word in enumerate(argv):
        for name in sorted({found[1] for found in PLACES.finditer(word)} & values.keys()):
            given = _given_as_code(argv, place)
            if given is not None:
                raise Refused(
                    f"{{{name}}} is inside the program text that {given} is given, so it would run as code",
                    where=f"argv/{place}",
                    expected=f"{{{name}}} as an argument behind it, as in `sh -c 'speak \"$0\"' {{{name}}}`, "
                    "`--text-on-stdin`, or --unsafe-text",
                )
            for value in values[name]:
                _require_plain(name, value, argv, place)
        if word == "{text}":
            _require_no_file(text, argv, place)


def _require_plain(name: str, value: str, argv: Sequence[str], place: int) -> None:
    where, word, shown = f"argv/{place}", argv[place], f"{{{name}}}"
    if "\0" in value:
        raise Refused("a text with a NUL cannot be an argument", where=where, expected="`--text-on-stdin`")
    if _names_file(value, argv, place, word.partition(shown)[0]):
        raise Refused(f"{shown} would be read from a file", where=where, found=value[:80], expected=_INSTEAD)
    if not word.startswith(shown):
        return  # the caller's own words begin the argument and say what it is
    if value.startswith("-") and value != "-" and not _is_guarded(argv, place):
        raise Refused(f"{shown} would be read as an option", where=where, found=value[:80], expected=_INSTEAD)
    if value.startswith("@"):
        raise Refused(f"{shown} would be read as a response file", where=where, found=value[:80], expected=_INSTEAD)


def _names_file(value: str, argv: Sequence[str], place: int, before: str) -> bool:
    """Return whether a value behind `name=` is the name of a file, as curl, httpie and many clients read it."""
    is_curl = any(_name_of(word) == "curl" for word in argv[:place])
    if before.endswith(("=", ":")):
        return value.startswith("@") or (is_curl and value.startswith("<"))
    return is_curl and not before and argv[place - 1] == "--data-urlencode" and "@" in value.partition("=")[0]


def _require_no_file(text: str, argv: Sequence[str], place: int) -> None:
    """Raise Refused for a text that is the name of a file: flite and others read that file instead."""
    if argv[place - 1] in _TEXT_FOLLOWS or len(text) > 4096 or not os.path.isfile(text):
        return
    raise Refused(
        "{text} is the name of a file here, which some engines would read out",
        where=f"argv/{place}",
        found=text[:80],
        expected="`--text-on-stdin`, an option for a text before {text}, or --unsafe-text",
    )


def _is_guarded(argv: Sequence[str], place: int) -> bool:
    """Return whether `--` ends the options of the command that is given the text, and not those of one before it."""
    before = list(argv[:place])
    while before and PLACES.search(before[-1]):
        before.pop()
    return len(before) > 1 and before[-1] == "--" and _program_before(argv, len(before) - 1) is None


def _given_as_code(argv: Sequence[str], place: int) -> str | None:
    """Return the name of the program that would run the word at `place`, or None."""
    word = argv[place]
    if word.startswith("|"):
        return _name_of(argv[0])  # SoX runs what follows
    interpreter = _program_before(argv, place)
    if interpreter is not None and interpreter.place == place:
        return interpreter.name
    for number, each in enumerate(argv[:place]):
        name = _name_of(each)
        if _EVERY_WORD.fullmatch(name):
            return name
        if _FIRST_WORD.fullmatch(name) and not _takes_value(argv, number, place):
            return name
        if _FFMPEG.fullmatch(name) and _FILTER_FOLLOWS.fullmatch(argv[place - 1]):
            return name
    return None


def _takes_value(argv: Sequence[str], number: int, place: int) -> bool:
    """Return whether a plain argument, which is the code, is before the word, or an option that takes it as a value."""
    if _TAKES_VALUE & set(argv[max(number + 1, place - 2) : place]):
        return True
    plain = [each for each in argv[number + 1 : place] if not each.startswith("-") or each == "-"]
    return bool(plain) and argv[place] == "{text}"


def _program_before(argv: Sequence[str], place: int) -> _Program | None:
    """Return the first interpreter up to `place` that is given a program as an argument, and that argument's place."""
    names = [_name_of(word) for word in argv[: place + 1]]
    for number, name in enumerate(names[:place]):
        if not _INTERPRETERS.fullmatch(name):
            continue
        for at in range(number + 1, place + 1):
            if argv[at].endswith(_SCRIPTS):
                break
            if _PROGRAM_WITHIN.match(argv[at]):
                return _Program(name, at)
            if _PROGRAM_FOLLOWS.fullmatch(argv[at]):
                options = takewhile(lambda word: word.startswith(("-", "+", "/")), argv[at:place])
                return _Program(name, at + len(list(options)))
    return None


def _name_of(word: str) -> str:
    return os.path.basename(word).lower().removesuffix(".exe")
