"""The page of commands, which follows from the table of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.cli.table import ABOUT, COMMANDS

if TYPE_CHECKING:
    from ttsartifact.cli.options import CommandParameter
    from ttsartifact.cli.table import Command

__all__ = ["text"]


def text() -> str:
    """Return the page."""
    parts = ["# Commands", "", *ABOUT, "", "`ttsa COMMAND --help` prints the same."]
    for command in COMMANDS.values():
        parts += ["", *described(command)]
    return "\n".join(parts) + "\n"


def described(command: Command) -> list[str]:
    """Return the section of one command."""
    places = " ".join(p.declared.metavar for p in command.parameters if p.positional)
    lines = [f"## ttsa {command.name}", "", f"`ttsa {command.name} [OPTIONS] {places}`".replace(" `", "`")]
    lines += ["", command.summary, *(["", command.details] if command.details else [])]
    return [*lines, "", "| | |", "| --- | --- |", *map(row, command.parameters)]


def row(parameter: CommandParameter) -> str:
    """Return the row of one parameter."""
    if parameter.positional:
        return f"| `{parameter.declared.metavar}` | {parameter.declared.help} |"
    words = f" One of {', '.join(f'`{word}`' for word in parameter.choices)}." if parameter.choices else ""
    default = "" if parameter.default in (None, False, ()) else f" Default `{parameter.default}`."
    default = " On by default." if parameter.default is True else default
    needed = " Required." if parameter.required else ""
    typed = parameter.spelled.replace("|", "\\|")
    return f"| `{typed}` | {parameter.declared.help}{words}{default}{needed} |"
