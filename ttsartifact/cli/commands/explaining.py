"""explain, schema, doctor: for implementers and the curious."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["add_to"]


def explain(rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, such as PIN01.")]) -> int:
    """Say what a rule asks, why, and how to mend."""
    from ttsartifact.cli import explain as act

    return act.explain(rule)


def schema(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="descriptor, traces, report, show, ...")] = "descriptor",
) -> int:
    """Print a schema of the specification."""
    from ttsartifact.cli import explain as act

    return act.schema(name)


def doctor() -> int:
    """Say what is here to work with.

    Versions, programs, sensors, clocks and space: what a recording on this machine could know. It never fails.
    """
    from ttsartifact.cli import doctor as act

    return act.doctor()


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    for command in (explain, schema, doctor):
        app.command()(command)
