"""Runs out of a Parquet file: a row becomes an Artifact, and is let go before the next one is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container import riff
from ttsartifact.container.shelf import Row, Shelf
from ttsartifact.container.source import BytesSource, FileSource, Span
from ttsartifact.errors import Damaged, TtsArtifactError
from ttsartifact.reading.artifact import Artifact, parse_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["artifacts_of"]


def artifacts_of(source: FileSource) -> Iterator[Artifact]:
    """Yield the runs of a Parquet file in order; raises Damaged, InvalidDescriptor or TooLarge at the first bad one."""
    shelf = Shelf(source)
    for row in shelf:
        try:
            artifact = _artifact(source, shelf, row)
        except TtsArtifactError as error:
            raise error.at(f"row {row.index}") from error.__cause__
        yield artifact


@dataclass(frozen=True, slots=True)
class _RowParts:
    parts: dict[str, bytes]

    def names(self) -> tuple[str, ...]:
        return tuple(self.parts)

    def part(self, name: str) -> bytes:
        return self.parts[name]


def _artifact(source: FileSource, shelf: Shelf, row: Row) -> Artifact:
    descriptor, faults = parse_descriptor(row.descriptor)
    audio = BytesSource(row.audio)
    wave = riff.walk(audio) if riff.is_riff(audio.read_at(0, min(12, audio.size))) else None
    if wave is not None and wave.capsule is not None:
        raise Damaged(
            "the row's audio carries a capsule of its own",
            where=f"audio.bytes offset {wave.capsule.offset}",
            expected="the bare file",
            rule="CON04",
        )
    return Artifact(
        where=source.path if shelf.rows == 1 else f"{source.path}#{row.index}",
        carrier="parquet",
        descriptor=descriptor,
        faults=faults,
        parts=_RowParts({"descriptor": row.descriptor} | row.parts),
        audio=(Span(audio, 0, audio.size),),
        wave=wave,
        source=source,
        capsule=None,
        row=row.index,
        columns=row.columns,
        tables=row.tables,
        file=shelf,
    )
