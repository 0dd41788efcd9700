"""All commands in the order in which a newcomer meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands import (
    adapting,
    carriers,
    checking,
    comparing,
    conforming,
    explaining,
    making,
    rerunning,
    showing,
)

__all__ = ["app"]

app = typer.Typer(
    name="ttsa",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from ttsartifact.cli.quick import say_version

        raise typer.Exit(say_version())


@app.callback()
def ttsa(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    """One file a run of speech synthesis: the audio, its conditions, its timebase, and digests over every byte.

    Exit codes: 0 all holds, 1 findings, 2 wrong usage, 3 inconclusive, 4 unreadable or refused, 5 a bug of ours.
    """


for group in (making, adapting, showing, checking, rerunning, comparing, carriers, conforming, explaining):
    group.add_to(app)
