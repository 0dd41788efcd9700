"""What a command line asks for: help, the version, a call that the quick parser understands, or typer.

It takes what it is sure of and leaves everything else, a command's `--help` and every mistake among it, to typer. Both
read the same table; a test holds them to the same answers. Help comes from that table too, as wide as the terminal.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from ttsartifact.cli.speak import EXIT, Usage, columns, say, tell
from ttsartifact.cli.table import ABOUT, COMMANDS, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.cli.options import CommandParameter
    from ttsartifact.cli.table import Command

_WIDEST = 80
_LONGEST_LABEL = 24
_FLAGS = (
    ("-V, --version", "Print the version and exit."),
    ("-h, --help", "Print this message and exit."),
    ("-q, --quiet", "Print results and errors only; verify leaves out what passes."),
    ("-v, --verbose", "Print more."),
    ("--color WHEN", "auto, always or never."),
)


def parsed(
    parameters: Sequence[CommandParameter], words: Sequence[str], *, whole: bool = True
) -> dict[str, Any] | None:
    """Return the keywords that `words` mean, or None when anything about them is unusual.

    Unless the call has to be `whole`, what is required may be missing.
    """
    options = _by_name(parameters)
    keywords: dict[str, Any] = {}
    placed: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            placed += left
        elif not word.startswith("-"):
            placed.append(word)
        elif not _option(options, word, left, keywords):
            return None
    if not _place([parameter for parameter in parameters if parameter.positional], placed, keywords):
        return None
    return None if whole and any(p.required and p.keyword not in keywords for p in parameters) else keywords


def _by_name(parameters: Sequence[CommandParameter]) -> dict[str, CommandParameter]:
    """Return the options under their long and their short names."""
    options = {parameter.flag: parameter for parameter in parameters if not parameter.positional}
    return options | {parameter.short: parameter for parameter in options.values() if parameter.short}


def _note_repeated(options: dict[str, CommandParameter], words: list[str]) -> None:
    """Say on stderr where an option of one value is given again: the last one counts, so that scripts can set it."""
    seen: set[str] = set()
    before = list(itertools.takewhile(lambda word: word != "--", words))
    left = iter(before)
    for word in left:
        name, equals, _ = word.partition("=")
        option = options.get(name)
        if option is None or not option.takes:
            continue
        if not equals:
            next(left, "")
        if option.keyword in seen and not option.many and not _QUIET & set(before):
            tell(f"ttsa: {option.flag} is given more than once; the last one counts")
        seen.add(option.keyword)


def _option(options: dict[str, CommandParameter], word: str, left: Iterator[str], keywords: dict[str, Any]) -> bool:
    """Enter one option and its value into `keywords`; False when it is not plainly one."""
    name, given, value = word.partition("=")
    option = options.get(name)
    if option is None or option.negatable:
        return False
    if not option.takes:
        keywords[option.keyword] = True
        return not given
    if given and not name.startswith("--"):
        return False
    if not given:
        value = next(left, "")
        if not value or value.startswith("-"):
            return False
    if option.kind is not str or (option.choices and value not in option.choices):
        return False
    if option.many:
        keywords.setdefault(option.keyword, []).append(value)
    else:
        keywords[option.keyword] = value
    return True


def _place(arguments: list[CommandParameter], words: list[str], keywords: dict[str, Any]) -> bool:
    """Enter the words without a name; False when they are too many."""
    for argument in arguments:
        if argument.many:
            if words:
                keywords[argument.keyword] = words
            return True
        if words:
            keywords[argument.keyword] = words[0]
            words = words[1:]
    return not words


_QUIET = {"-q", "--quiet"}
_MANNER = _QUIET | {"-v", "--verbose"}


def recognise(argv: list[str]) -> Callable[[], int] | None:
    """Return the call that `argv` makes, or None to leave it to typer.

    Raises:
        Usage: there is no such command.

    """
    words = for_typer(argv)
    if not words or words[0] in {"-h", "--help"}:
        return say_help
    if words[0] in {"-V", "--version"}:
        return say_version
    command = COMMANDS.get(words[0])
    if command is None:
        if words[0].startswith("-"):
            return None
        raise Usage(_unknown(words[0]))
    if {"-h", "--help"} & set(itertools.takewhile(lambda word: word != "--", words)):
        return lambda: say_command_help(command)
    parameters = command.parameters
    _note_repeated(_by_name(parameters), words[1:])
    given = parsed(parameters, words[1:])
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
    if not left:
        return []
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


def help_lines(width: int) -> list[str]:
    """Return what the program does and which commands it has, for a width in columns."""
    import textwrap

    width = min(width, _WIDEST)
    lines = ["Usage: ttsa [OPTIONS] COMMAND [ARGS]..."]
    for paragraph in ABOUT:
        lines += ["", *_indented(paragraph, width)]
    lines += ["", "Options:", *_listed(_FLAGS, width)]
    lines += ["", "Commands:", *_listed([(one.name, one.summary) for one in COMMANDS.values()], width)]
    return [*lines, "", *textwrap.wrap("`ttsa COMMAND --help` describes one command.", width)]


def say_help() -> int:
    """Print what the program does and which commands it has."""
    say(help_lines(columns()))
    return EXIT.OK


def say_command_help(command: Command) -> int:
    """Print what one command does and takes."""
    say(command_lines(command, columns()))
    return EXIT.OK


def command_lines(command: Command, width: int) -> list[str]:
    """Return what one command does and takes, for a width in columns."""
    width = min(width, _WIDEST)
    arguments = [parameter for parameter in command.parameters if parameter.positional]
    options = [parameter for parameter in command.parameters if not parameter.positional]
    lines = [" ".join([f"Usage: ttsa {command.name} [OPTIONS]", *(one.declared.metavar for one in arguments)])]
    for paragraph in (command.summary, *filter(None, command.details.split("\n\n"))):
        lines += ["", *_indented(paragraph, width)]
    if arguments:
        lines += ["", "Arguments:", *_listed([(one.declared.metavar, one.declared.help) for one in arguments], width)]
    rows = [(one.spelled, _described(one)) for one in options]
    return [*lines, "", "Options:", *_listed([*rows, ("-h, --help", "Print this message and exit.")], width)]


def _described(option: CommandParameter) -> str:
    """Return the help of an option, the words it may take, its default, and whether it must be given."""
    words = [option.declared.help]
    if option.choices and not all(word in option.declared.help for word in option.choices):
        words.append(f"One of {', '.join(option.choices)}.")
    if option.takes and option.default not in (None, ()):
        words.append(f"Default: {option.default}.")
    if option.required:
        words.append("Required.")
    return " ".join(words)


def _indented(paragraph: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")


def _listed(rows: list[tuple[str, str]] | tuple[tuple[str, str], ...], width: int) -> list[str]:
    """Return names in one column and words in another; a name that is too long gets a line of its own."""
    import textwrap

    label = min(max(len(name) for name, _ in rows), _LONGEST_LABEL) + 2
    lines = []
    for name, words in rows:
        wrapped = textwrap.wrap(words, max(16, width - label - 2), break_long_words=False, break_on_hyphens=False)
        first = wrapped.pop(0) if len(name) <= _LONGEST_LABEL else ""
        lines.append(f"  {name:<{label}}{first}".rstrip())
        lines += [" " * (label + 2) + rest for rest in wrapped]
    return lines
