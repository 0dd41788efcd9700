"""Writes ttsartifact/cli/help.txt, the text of `ttsa --help` as typer makes it for 80 columns and more."""

from __future__ import annotations

from pathlib import Path

from ttsartifact.cli import helping


def text() -> str:
    """Return typer's text."""
    import click
    import typer.main

    from ttsartifact.cli.app import app

    group = typer.main.get_command(app)
    context = click.Context(group, info_name="ttsa", terminal_width=80 - 2, help_option_names=["-h", "--help"])  # type: ignore[arg-type]
    return group.get_help(context) + "\n"  # type: ignore[arg-type]


if __name__ == "__main__":
    Path(helping.TEXT).write_text(text(), encoding="utf-8")
