"""verify and validate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ttsartifact.cli.commands.options import FailOn, Files, Level, Profile, ReportFormat

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_to"]

_Format = Annotated[ReportFormat, typer.Option("--format", help="How to say it: to eyes, to a forum, or to a machine.")]
_Strict = Annotated[bool, typer.Option("--strict", help="Count warnings, and rules that could not be asked, too.")]
_Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=0, help="Processes for many files; 0 lets us choose.")]


def verify(
    files: Files,
    format: _Format = ReportFormat.TEXT,
    text: Annotated[
        str | None, typer.Option("--text", help="The text, if you know it: it must hash to the run's.")
    ] = None,
    text_file: Annotated[str | None, typer.Option("--text-file", metavar="FILE", help="The same, from a file.")] = None,
    ref: Annotated[
        list[str] | None, typer.Option("--ref", metavar="CLIP", help="A reference clip that you hold; may be repeated.")
    ] = None,
    receipt: Annotated[
        str | None, typer.Option("--receipt", metavar="LINE", help="The line that was posted for the run.")
    ] = None,
    level: Annotated[Level | None, typer.Option("--level", help="The level that you demand.")] = None,
    profile: Annotated[
        list[Profile] | None, typer.Option("--profile", help="A profile whose evidence you demand; may be repeated.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="ID=REASON", help="Put a rule's findings aside, saying why; may be repeated."),
    ] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The least severity that counts.")] = FailOn.ERROR,
    quick: Annotated[bool, typer.Option("--quick", help="Ask sizes and structure only; hash nothing.")] = False,
    strict: _Strict = False,
    jobs: _Jobs = 0,
) -> int:
    """Ask every rule, hash every byte, and judge.

    The verdict grades what the bytes went through: INTACT, REWRAPPED, RETAGGED, AUDIO_CHANGED, BROKEN.
    A seal shows corruption, not authorship: who made a run is settled by the receipt that was posted for it.
    """
    from ttsartifact.cli import check

    return check.verify(
        files,
        format=format.value,
        text=text,
        text_file=text_file,
        ref=ref or (),
        receipt=receipt,
        level=None if level is None else level.value,
        profile=[one.value for one in profile or ()],
        ignore=ignore or (),
        fail_on=fail_on.value,
        quick=quick,
        strict=strict,
        jobs=jobs,
    )


def validate(files: Files, format: _Format = ReportFormat.TEXT, strict: _Strict = False, jobs: _Jobs = 0) -> int:
    """Check structure and schema; hash nothing."""
    from ttsartifact.cli import check

    return check.validate(files, format=format.value, strict=strict, jobs=jobs)


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    commands: tuple[Callable[..., int], ...] = (verify, validate)
    for command in commands:
        app.command()(command)
