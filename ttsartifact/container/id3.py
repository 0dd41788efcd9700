"""ID3v2 tags before the audio of an MP3 or FLAC: where they end, and the frames inside them, by their places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple
from ttsartifact.container.limits import MAX_ID3_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.source import Source

_HEAD_BYTES = 10
_MAX_FRAMES = 1024
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10

# What some taggers put behind the audio and not every player skips, by what stands in its last bytes.
_TAIL_BYTES = 227  # an extended ID3v1 tag
_TAILS = {
    b"LYRICS200": "a Lyrics3 tag",
    b"LYRICSEND": "a Lyrics3 tag",
    b"3DI": "an ID3v2 tag",
    b"TAG+": "an extended ID3v1 tag",
    b"APETAGEX": "an APE tag",
    b"TAG": "an ID3v1 tag",
}


class LeadingTag(NamedTuple):
    """A tag by its place; its frames end before `frames_end`, where a footer or padding may follow."""

    offset: int
    end: int
    frames_end: int
    version: int
    is_unsynchronised: bool
    has_extended_header: bool


class Frame(NamedTuple):
    """A frame by its place; `flags` is not 0 where its body is compressed, encrypted or grouped."""

    id: bytes
    body: int
    end: int
    flags: int


def leading_tags(source: Source) -> tuple[LeadingTag, ...]:
    """Return the whole ID3v2 tags at the beginning of `source`, one behind the other, at most 16."""
    found: list[LeadingTag] = []
    offset = 0
    while source.size - offset >= _HEAD_BYTES and len(found) < MAX_ID3_TAGS:
        head = source.read_at(offset, _HEAD_BYTES)
        if head[:3] != b"ID3" or head[3] not in {2, 3, 4} or any(octet & 0x80 for octet in head[6:]):
            break
        inner = offset + _HEAD_BYTES + synchsafe(head[6:])
        end = inner + (_HEAD_BYTES if head[3] == 4 and head[5] & _FOOTER else 0)
        if end > source.size or (end > inner and source.read_at(inner, 3) != b"3DI"):
            break
        found.append(
            LeadingTag(
                offset=offset,
                end=end,
                frames_end=inner,
                version=head[3],
                is_unsynchronised=bool(head[5] & _UNSYNCHRONISED),
                has_extended_header=bool(head[5] & _EXTENDED),
            )
        )
        offset = end
    return tuple(found)


def frames_of(source: Source, tag: LeadingTag) -> Iterator[Frame]:
    """Yield the frames of a tag of version 3 or 4 as far as they follow one another; others may break off anywhere."""
    if tag.version == 2:
        return
    at = tag.offset + _HEAD_BYTES + (_extended_bytes(source, tag) if tag.has_extended_header else 0)
    for _ in range(_MAX_FRAMES):
        if tag.frames_end - at < _HEAD_BYTES:
            return
        head = source.read_at(at, _HEAD_BYTES)
        size = synchsafe(head[4:8]) if tag.version == 4 else int.from_bytes(head[4:8], "big")
        body = at + _HEAD_BYTES
        if head[0] == 0 or body + size > tag.frames_end:
            return
        yield Frame(id=head[:4], body=body, end=body + size, flags=int.from_bytes(head[8:], "big"))
        at = body + size


def synchsafe(octets: bytes) -> int:
    """Return a size of four octets with seven bits each."""
    return octets[0] << 21 | octets[1] << 14 | octets[2] << 7 | octets[3]


def _extended_bytes(source: Source, tag: LeadingTag) -> int:
    octets = source.read_at(tag.offset + _HEAD_BYTES, min(4, tag.frames_end - tag.offset - _HEAD_BYTES))
    if len(octets) < 4:
        return 4
    return synchsafe(octets) if tag.version == 4 else int.from_bytes(octets, "big") + 4


def tail_between(source: Source, start: int, end: int) -> str | None:
    """Return what a tagger put behind the audio, by the last bytes between two places and the first, or None."""
    size = min(_TAIL_BYTES, end - start)
    tail = source.read_at(end - size, size)
    begun = "an ID3v2 tag" if source.read_at(start, min(3, end - start)) == b"ID3" else None
    return next((name for mark, name in _TAILS.items() if mark in tail), begun)
