"""Secrets that a program's command line states by a short option, as `sshpass -p` (`commands` of the registry)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Word", "programs", "secrets_in", "words_of"]

# A shell's word: what is quoted in it belongs to it.
_WORD = late_pattern(r"(?:[^\s\"'|;&()]|\"[^\"]*\"|'[^']*')+")


class Word(NamedTuple):
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
    """Return what is known of each program; programs of one entry have its number."""
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
def programs() -> frozenset[bytes]:
    """Return the names of the programs that are known."""
    commands = _spec.table("registry/privacy")["commands"]
    return frozenset(program.encode() for held in commands for program in held["programs"])


def words_of(line: str) -> list[Word]:
    """Return the words of a shell's line; quotes around the whole of a word are left out."""
    found = []
    for match in _WORD.finditer(line):
        text, start = match[0], match.start()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text, start = text[1:-1], start + 1
        found.append(Word(text, start))
    return found


def secrets_in(words: Sequence[Any]) -> Iterator[tuple[int, str, int]]:
    """Yield the place of each word that states a secret, the option it belongs to, and where in it the secret starts.

    Example: ``list(secrets_in(["sshpass", "-p", "abc", "ssh"])) == [(2, "-p", 0)]``.
    """
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
