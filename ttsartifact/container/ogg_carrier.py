"""Ogg Vorbis as a carrier of one run: the capsule in one block behind the last page, ended by its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import capsule as capsules
from ttsartifact.container.source import Piece, Source, Span
from ttsartifact.errors import Damaged, NotAnArtifact

if TYPE_CHECKING:
    from ttsartifact.container.capsule import Capsule

_END = b"ttsa"


class OggFile(NamedTuple):
    """Where the capsule lies, if there is one; the bare file ends at `audio_end`."""

    audio_end: int
    capsule: tuple[int, int] | None


def recognise(head: bytes) -> bool:
    """Return whether a page opens the file."""
    return head[:4] == b"OggS"


def walk(source: Source) -> OggFile:
    """Find the block at the end."""
    tail = source.read_at(max(0, source.size - 12), min(12, source.size))
    if tail[8:] != _END:
        return OggFile(source.size, None)
    size = int.from_bytes(tail[:8], "big")
    start = source.size - 12 - size
    if start < 4:
        raise Damaged("the block of the capsule is longer than the file", where=f"offset {source.size - 12}")
    return OggFile(start, (start, size))


def carries_capsule(source: Source) -> bool:
    """Return whether the last bytes end such a block."""
    return source.size > 12 and source.read_at(source.size - 4, 4) == _END


def settled(walked: OggFile, _bare_bytes: int | None) -> OggFile:
    """Return the walk as it is."""
    return walked


def embed(source: Source, walked: OggFile, _artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the bare file and the block."""
    if walked.capsule is not None:
        raise Damaged("the file carries a capsule already", where=f"offset {walked.audio_end}", rule="CON04")
    return [Span(source, 0, source.size), capsule + len(capsule).to_bytes(8, "big") + _END]


def bare(source: Source, walked: OggFile) -> list[Piece]:
    """Return all that stands before the block."""
    return [Span(source, 0, walked.audio_end)]


def capsule(source: Source, walked: OggFile) -> Capsule:
    """Return the capsule."""
    if walked.capsule is None:
        raise NotAnArtifact("an Ogg Vorbis without a capsule", where=f"offset {source.size}", rule="CON04")
    return capsules.parse(source, *walked.capsule)


def misframed(_source: Source, _walked: OggFile, _artifact_id: str) -> list[capsules.Misframing]:
    """Return nothing: the block has one form."""
    return []
