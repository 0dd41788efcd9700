"""adapt."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import Force, RerunFormat

__all__ = ["add_to"]


def adapt(
    clips: Annotated[
        list[str], typer.Argument(metavar="CLIP...", help="Recordings of the voice, in order; their order counts.")
    ],
    transcripts: Annotated[
        str, typer.Option("--transcripts", metavar="FILE", help="What the clips say, word by word: a line a clip.")
    ],
    provenance: Annotated[
        list[str],
        typer.Option(
            "--provenance",
            metavar="[KIND:]TEXT",
            help="Where the clips come from, once for all or once a clip; KIND as for --ref-origin of run.",
        ),
    ],
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The seed of everything that is drawn.")],
    out: Annotated[
        str,
        typer.Option("-o", "--out", metavar="DELTA", help="The delta to write, whole or not at all: *.safetensors."),
    ],
    adapter: Annotated[
        str | None,
        typer.Option("--adapter", metavar="NAME", help="An installed adapter; stable-tts, or the only one."),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="FILE", help="A checkpoint instead of the adapter's own.")
    ] = None,
    preserve: Annotated[
        bool | None,
        typer.Option("--preserve/--no-preserve", help="Learn from prior samples too, so that prosody is kept."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the adapter; may be repeated."),
    ] = None,
    format: Annotated[RerunFormat, typer.Option("--format", help="How to say it.")] = RerunFormat.TEXT,
    force: Force = False,
) -> int:
    """Adapt a runner to a voice, and write the delta.

    The same clips, words, base, parameters and seed give the same bytes. The delta holds no sound and no code; it says
    what it was made of, and so does every run with it: `ttsa run TEXT --voice DELTA`. Adapters are the entry points
    `ttsartifact.adapters` of installed packages. --preserve is the adapter's parameter of that name, where it has it.
    """
    from ttsartifact.cli import adapting

    return adapting.adapt(
        clips,
        out,
        transcripts=transcripts,
        provenance=provenance,
        seed=seed,
        adapter=adapter,
        base=base,
        named={"preserve": preserve},
        parameters=param or (),
        format=format.value,
        replace=force,
    )


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(adapt)
