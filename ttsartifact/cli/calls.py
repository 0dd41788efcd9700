"""What a command line asks for: help, the version, a command that the quick parser understands, or typer."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from ttsartifact.cli.quick import parsed
from ttsartifact.cli.speak import EXIT, Usage, say
from ttsartifact.cli.table import COMMANDS, call

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["for_typer", "recognise", "say_version"]

_MANNER = {"-q", "--quiet", "-v", "--verbose"}


def recognise(argv: list[str]) -> Callable[[], int] | None:
    """Return the call that `argv` makes, or None to leave it to typer.

    Raises:
        Usage: there is no such command.

    """
    words = for_typer(argv)
    if not words or words[0] in {"-h", "--help"}:
        from ttsartifact.cli import helping

        return helping.say_help
    if words[0] in {"-V", "--version"}:
        return say_version
    command = COMMANDS.get(words[0])
    if command is None:
        if words[0].startswith("-"):
            return None
        raise Usage(_unknown(words[0]))
    if {"-h", "--help"} & set(itertools.takewhile(lambda word: word != "--", words)):
        from ttsartifact.cli import helping

        return lambda: helping.say_command_help(command)
    given = parsed(command.parameters, words[1:])
    return None if given is None else lambda: call(command, given)


def for_typer(argv: list[str]) -> list[str]:
    """Return the words with those of the whole program, which may stand first, behind the command that they are for.

    `help` is resolved too, and a file alone is shown.
    """
    common = []
    left = list(argv)
    while left and (left[0] in _MANNER or left[0].partition("=")[0] == "--color"):
        common.append(left.pop(0))
        if common[-1] == "--color" and left:
            common.append(left.pop(0))
    if left[:1] == ["help"]:
        left = [*left[1:2], "--help"]
    if left and left[0] not in COMMANDS and os.path.isfile(left[0]):
        left = ["show", *left]
    return [*left[:1], *common, *left[1:]]


def say_version() -> int:
    """Print the versions of the program and of the specification it obeys."""
    from ttsartifact import _spec
    from ttsartifact._version import __version__

    say(f"ttsartifact {__version__}, specification {_spec.FORMAT_VERSION}")
    return EXIT.OK


def _unknown(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"unknown command {word}" + (f"; did you mean {near[0]}?" if near else "")
