"""Where C2PA credentials are in a bare file: a RIFF chunk, or an ID3v2 frame GEOB before the audio (clause 6.10).

What one says is for `hard_binding`, which is imported only where there is one: most files carry none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple
from ttsartifact.container import id3, riff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.source import Source

MEDIA_TYPES = frozenset({b"application/c2pa", b"application/x-c2pa-manifest-store"})
"""Of the ID3v2 frame; the second is what the specification named before."""


class Place(NamedTuple):
    """Where a manifest store is in a bare file."""

    offset: int
    size: int
    within: str
    """What holds it: `chunk C2PA` or `ID3v2 frame GEOB`."""
    is_plain: bool = True
    """Whether the bytes there are the store's own, and neither unsynchronised nor grouped."""


def places_in(source: Source) -> tuple[Place, ...]:
    """Return where manifest stores are in a bare WAV, FLAC or MP3: none, one, or more than the specification allows.

    Raises Damaged for a structure that does not hold.
    """
    head = source.read_at(0, min(12, source.size))
    if riff.recognise(head):
        return tuple(
            Place(chunk.body, chunk.size, "chunk C2PA")
            for chunk in riff.walk(source).chunks
            if chunk.id == riff.CREDENTIAL_ID
        )
    return tuple(_in_tags(source)) if head[:3] == b"ID3" else ()


def _in_tags(source: Source) -> Iterator[Place]:
    for tag in id3.leading_tags(source):
        for frame in id3.frames_of(source, tag):
            place = _object_in(source, frame.body, frame.end) if frame.id == b"GEOB" else None
            if place is not None:
                yield place._replace(is_plain=not frame.flags and not tag.is_unsynchronised)


def _object_in(source: Source, start: int, end: int) -> Place | None:
    """Return the object of a GEOB frame whose media type is C2PA's: encoding, type, file name, description, object."""
    head = source.read_at(start, min(end - start, 4096))
    mime, nul, _ = head[1:].partition(b"\0")
    if not nul or mime not in MEDIA_TYPES:
        return None
    wide = 2 if head[0] in {1, 2} else 1  # UTF-16 ends its texts with two zero bytes
    at = 1 + len(mime) + 1
    for _ in range(2):
        while head[at : at + wide] not in {bytes(wide), b""}:
            at += wide
        at += wide
    return Place(start + at, end - start - at, "ID3v2 frame GEOB") if at <= len(head) and start + at < end else None
