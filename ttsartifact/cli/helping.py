"""Help, from the table of commands, at the width of the terminal: the same for every typer, and without its start."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ttsartifact.cli.speak import EXIT, columns, say
from ttsartifact.cli.table import ABOUT, COMMANDS

if TYPE_CHECKING:
    from ttsartifact.cli.options import CommandParameter
    from ttsartifact.cli.table import Command

__all__ = ["command_lines", "help_lines", "say_command_help", "say_help"]

_WIDEST = 80
_LONGEST_LABEL = 24
_FLAGS = (
    ("-V, --version", "Print the version and exit."),
    ("-h, --help", "Print this message and exit."),
    ("-q, --quiet", "Print results and errors only; verify leaves out what passes."),
    ("-v, --verbose", "Print more."),
    ("--color WHEN", "auto, always or never."),
)


def help_lines(width: int) -> list[str]:
    """Return what the program does and which commands it has, for a width in columns."""
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
    return textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ")


def _listed(rows: list[tuple[str, str]] | tuple[tuple[str, str], ...], width: int) -> list[str]:
    """Return names in one column and words in another; a name that is too long gets a line of its own."""
    label = min(max(len(name) for name, _ in rows), _LONGEST_LABEL) + 2
    lines = []
    for name, words in rows:
        wrapped = textwrap.wrap(words, max(16, width - label - 2), break_long_words=False, break_on_hyphens=False)
        first = wrapped.pop(0) if len(name) <= _LONGEST_LABEL else ""
        lines.append(f"  {name:<{label}}{first}".rstrip())
        lines += [" " * (label + 2) + rest for rest in wrapped]
    return lines
