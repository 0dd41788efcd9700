"""diff."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import ShowFormat

__all__ = ["add_to"]


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run; SET.tts.parquet#3 is a row of a data set.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    format: Annotated[
        ShowFormat, typer.Option("--format", help="Lines, a document, a table, or a card for a forum.")
    ] = ShowFormat.TEXT,
) -> int:
    """Say which condition changed between two runs.

    The first line names the likely cause; then the conditions, the audio and the times. Both files are verified. Exit
    codes: 0 nothing differs but times, 1 a condition or a sample does, 3 only one side tells.
    """
    from ttsartifact.cli import comparing

    return comparing.diff(a, b, format=format.value)


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(diff)
