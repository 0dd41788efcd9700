"""show."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import Files, ShowFormat

__all__ = ["add_to"]


def show(
    files: Files,
    format: Annotated[
        ShowFormat, typer.Option("--format", help="A card, a document, or the post's columns.")
    ] = ShowFormat.TEXT,
    receipt: Annotated[bool, typer.Option("--receipt", help="Say the one line to post with the file.")] = False,
) -> int:
    """Show what a file states of its run.

    What follows from its bytes is computed and shown beside it. Nothing is checked: that is what verify does.
    """
    from ttsartifact.cli import showing

    return showing.show(files, format=format.value, receipt=receipt)


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(show)
