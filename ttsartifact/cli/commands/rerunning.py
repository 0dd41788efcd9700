"""rerun."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import Force, RerunFormat

__all__ = ["add_to"]


def rerun(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An artifact of one run.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- CMD...]", help="Your own command, with {text}, {out} and {ref} as for record."),
    ] = None,
    format: Annotated[RerunFormat, typer.Option("--format", help="How to say it.")] = RerunFormat.TEXT,
    text: Annotated[str | None, typer.Option("--text", help="The text, where the file withholds it.")] = None,
    text_file: Annotated[str | None, typer.Option("--text-file", metavar="FILE", help="The same, from a file.")] = None,
    ref: Annotated[
        list[str] | None, typer.Option("--ref", metavar="CLIP", help="A reference clip of the run; may be repeated.")
    ] = None,
    runner: Annotated[str | None, typer.Option("--runner", metavar="NAME", help="An installed runner.")] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="DIR", help="Weight files; each must have the digest that the run pins."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Another value for a parameter; may be repeated."),
    ] = None,
    readapt: Annotated[
        bool, typer.Option("--readapt", help="Of an adapted voice, make the delta again first, from its clips.")
    ] = False,
    pcm: Annotated[str | None, typer.Option("--pcm", metavar="FORMAT", help="As for record.")] = None,
    text_on_stdin: Annotated[bool, typer.Option("--text-on-stdin", help="As for record.")] = False,
    repair_header: Annotated[bool, typer.Option("--repair-header", help="As for record.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=0, help="End it after S seconds.")] = 600,
    keep: Annotated[str | None, typer.Option("--keep", metavar="OUT", help="Keep the new run as an artifact.")] = None,
    force: Force = False,
) -> int:
    """Make a run again and compare.

    The plan is printed before anything runs. Nothing that the file names is executed: a command is the one that you
    type behind `--`, a runner one that you installed. Verdicts, best first: FILE-EXACT, PCM-EXACT, STAGE-EXACT,
    WITHIN-TOLERANCE, DIVERGED, DIFFERENT; NOT-COMPARABLE when an input is missing (exit code 3).

    A run of an adapted voice needs the folder of its delta (--weights); the base may be the runner's own. --readapt
    answers DELTA-EXACT, or DELTA-DIFFERENT and which link of the chain is another (exit code 1).
    """
    from ttsartifact.cli import rerunning as again

    return again.rerun(
        file,
        command or (),
        format=format.value,
        text=text,
        text_file=text_file,
        references=ref or (),
        runner=runner,
        weights=weights,
        parameters=param or (),
        readapt=readapt,
        timeout=timeout,
        keep=keep,
        replace=force,
        recorded={"pcm": pcm, "text_on_stdin": text_on_stdin, "repair_header": repair_header},
    )


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(rerun)
