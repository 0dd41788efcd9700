"""conform and fixtures: for whoever writes a verifier of his own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["add_to"]


class _Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


def conform(
    command: Annotated[
        list[str], typer.Argument(metavar="-- CMD...", help="The verifier; the path of a file is put behind it.")
    ],
    kit: Annotated[str | None, typer.Option("--kit", metavar="DIR", help="A kit of another version than ours.")] = None,
    format: Annotated[_Format, typer.Option("--format", help="A table, a document, or a test report.")] = _Format.TEXT,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", min=0, help="Files at a time; 0 is one a processor.")] = 0,
    select: Annotated[
        str | None, typer.Option("--select", metavar="ID", help="Only the cases whose id begins so, as fail/HSH.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=0.1, help="Seconds for each answer.")] = 30,
) -> int:
    """Hold a verifier to the conformance kit.

    CMD is run once for each file, without a shell: a path in, a report as JSON out, an exit code of the table. What
    is no answer is a failure, and never means that a file is invalid.
    """
    from ttsartifact.cli import conform as act

    return act.conform(command, kit=kit, format=format.value, jobs=jobs, select=select, timeout_s=timeout)


def fixtures(
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="The folder; a new one, or one to check.")],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; tell in what DIR is not the kit.")] = False,
) -> int:
    """Write the conformance kit, or check a copy byte for byte.

    manifest.json says of every file which rules must fail; README.md says what the folders are. The recipes are in the
    repository: `make fixtures` makes the same bytes from them.
    """
    from ttsartifact.cli import conform as act

    return act.fixtures(out, check=check)


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(conform)
    app.command()(fixtures)
