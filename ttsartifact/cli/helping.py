"""`ttsa --help` without typer, which takes four times as long to start: its text, kept in help.txt.

A test holds the text to typer's own; `make spec` writes it anew.
"""

from __future__ import annotations

import os
import sys

from ttsartifact.cli.speak import say

__all__ = ["TEXT", "fits", "say_help"]

TEXT = os.path.join(os.path.dirname(__file__), "help.txt")
_COLUMNS = 80  # typer fills no line beyond, and wraps the text anew only for a narrower terminal


def fits() -> bool:
    """Tell whether the terminal is wide enough for the text as it stands; a pipe is."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):
            return True
    return columns >= _COLUMNS or columns == 0


def say_help() -> int:
    """Say what the program does and which commands it has."""
    with open(TEXT, encoding="utf-8") as file:
        say(file.read().removesuffix("\n"))
    return 0
