"""pack, unpack, strip, reattach, convert: between carriers, and in and out of them."""

from __future__ import annotations

from typing import Annotated

import typer

from ttsartifact.cli.commands.options import Force, Out  # noqa: TC001 - typer reads the annotations

__all__ = ["add_to"]

_Artifact = Annotated[str, typer.Argument(metavar="FILE", help="An artifact.")]


def strip(
    file: _Artifact,
    out: Out,
    capsule: Annotated[
        str | None, typer.Option("--capsule", metavar="FILE", help="Keep the capsule too, for reattach.")
    ] = None,
    force: Force = False,
) -> int:
    """Write the bare audio of an artifact.

    It comes out byte for byte as its encoder delivered it: sha256sum shows its output_audio_hash.
    """
    from ttsartifact.cli import carriers as carry

    return carry.strip(file, out, capsule=capsule, replace=force)


def reattach(
    bare: Annotated[str, typer.Argument(metavar="BARE", help="Audio that lost its capsule.")],
    out: Out,
    descriptor: Annotated[
        str,
        typer.Option("--descriptor", metavar="SOURCE", help="An artifact, a capsule, or a folder that unpack wrote."),
    ],
    force: Force = False,
) -> int:
    """Put a capsule back on its audio.

    A copy whose header was rewritten is made whole when its samples are the recorded ones; other audio is refused.
    """
    from ttsartifact.cli import carriers as carry

    return carry.reattach(bare, descriptor, out, replace=force)


def convert(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Artifacts.")],
    out: Out,
    force: Force = False,
) -> int:
    """Change the carrier, not the run.

    The suffix of OUT names the carrier: .tts.wav, .tts.flac or .tts.mp3 for audio of that codec, or .tts.parquet with
    a row a run. artifact_id and audio stay; audio is never transcoded.
    """
    from ttsartifact.cli import carriers as carry

    return carry.convert(files, out, replace=force)


def pack(
    audio: Annotated[str, typer.Argument(metavar="AUDIO", help="A bare audio file.")],
    out: Out,
    descriptor: Annotated[
        str,
        typer.Option(
            "--descriptor", metavar="JSON", help="What the recorder knows: a descriptor; digests are computed."
        ),
    ],
    trace: Annotated[
        list[str] | None, typer.Option("--trace", metavar="JSON", help="A trace as a JSON file; may be repeated.")
    ] = None,
    force: Force = False,
) -> int:
    """Make an artifact of audio and a descriptor.

    For engines that write their own descriptor: digests, audio facts and the level are computed here.
    """
    from ttsartifact.cli import carriers as carry

    return carry.pack(audio, descriptor, out, traces=trace or (), replace=force)


def unpack(
    file: _Artifact,
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="A new folder.")],
) -> int:
    """Write all parts as files in a new folder."""
    from ttsartifact.cli import carriers as carry

    return carry.unpack(file, out)


def add_to(app: typer.Typer) -> None:
    """Mount the commands."""
    for command in (pack, unpack, convert, strip, reattach):
        app.command()(command)
