"""Writes the pages that follow from tables in the code: docs/commands.md, and the commands in docs/engines.md."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from ttsartifact.cli.table import ABOUT, COMMANDS

if TYPE_CHECKING:
    from ttsartifact.cli.options import CommandParameter
    from ttsartifact.cli.table import Command

ROOT = Path(__file__).parent.parent
PAGE, ENGINES = ROOT / "docs" / "commands.md", ROOT / "docs" / "engines.md"


def text() -> str:
    """Return the page."""
    parts = ["# Commands", "", *ABOUT, "", "Written by `make spec`; `ttsa COMMAND --help` prints the same."]
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
    needed = " Required." if parameter.required else ""
    typed = parameter.spelled.replace("|", "\\|")
    return f"| `{typed}` | {parameter.declared.help}{words}{default}{needed} |"


def engines() -> str:
    """Return docs/engines.md with the table of the commands whose options are read."""
    shapes = tomllib.loads((ROOT / "ttsartifact" / "recording" / "known_commands.toml").read_text(encoding="utf-8"))[
        "shape"
    ]
    rows = [f"| {', '.join(f'`{each}`' for each in shape['programs'])} | {shape['about']} |" for shape in shapes]
    table = "\n".join(["", "", "| command | what it is |", "| --- | --- |", *rows, "", ""])
    return re.sub(
        r"(?<=write_help.py -->).*?(?=<!-- end -->)", table, ENGINES.read_text(encoding="utf-8"), flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
    ENGINES.write_text(engines(), encoding="utf-8")
