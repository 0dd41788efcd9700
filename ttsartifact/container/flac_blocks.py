"""Whether the metadata blocks of a FLAC are whole (clause 3.10): no decoder is led past one, or stops at one.

libsndfile, SoX or FFmpeg do not open a file with a block that is not filled by what RFC 9639 section 8 puts in it, or
read what follows for the rest of it. Where the points of a seek table lead is not looked at: SoX leaves points to the
first frame when it writes into a pipe, and a decoder that seeks compares the number in the frame that it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.container.flac import Block
    from ttsartifact.container.source import Source

__all__ = ["require_whole_blocks"]

_APPLICATION, _SEEKTABLE, _COMMENT, _CUESHEET, _PICTURE = 2, 3, 4, 5, 6
_ID_BYTES, _POINT_BYTES = 4, 18
_SHEET_BYTES, _TRACK_BYTES, _INDEX_BYTES = 396, 36, 12


def require_whole_blocks(source: Source, blocks: Sequence[Block]) -> None:
    """Raise Damaged (CON02) for a metadata block that is not filled by what it holds; a picture may end before it."""
    for block in blocks:
        end = _ENDS[block.type](source, block) if block.type in _ENDS else block.size
        if end == block.size or (block.type == _PICTURE and end < block.size):
            continue
        raise Damaged(
            f"{_NAMES[block.type]} does not fit its metadata block: players read on behind it, or open no such file",
            where=f"offset {block.offset}",
            found=f"{block.size} bytes",
            expected=f"{end} bytes",
        )


def _id_end(_source: Source, block: Block) -> int:
    return max(block.size, _ID_BYTES)


def _points_end(_source: Source, block: Block) -> int:
    return -(-block.size // _POINT_BYTES) * _POINT_BYTES


def _comments_end(source: Source, block: Block) -> int:
    """Return where the last comment ends: a vendor, a count and as many texts, each behind its length."""
    data = source.read_at(block.body, block.size)

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 4], "little") if at + 4 <= len(data) else len(data)

    at = 4 + number(0)
    left = number(at) if at + 4 <= len(data) else 0
    at += 4
    while left and at <= len(data):
        at += 4 + number(at)
        left -= 1
    return at


def _tracks_end(source: Source, block: Block) -> int:
    """Return where the last track ends; FFmpeg wants one before the lead-out, and libFLAC an index point of each."""
    end = _SHEET_BYTES
    count = source.read_at(block.body + end - 1, 1)[0] if end <= block.size else 0
    if count < 2:
        return end + 2 * _TRACK_BYTES + _INDEX_BYTES if block.size <= end + _TRACK_BYTES else end + _TRACK_BYTES
    for track in range(1, count + 1):
        points = source.read_at(block.body + end + _TRACK_BYTES - 1, 1)[0] if end + _TRACK_BYTES <= block.size else 0
        end += _TRACK_BYTES + _INDEX_BYTES * (points if track == count else max(points, 1))
    return end


def _picture_end(source: Source, block: Block) -> int:
    """Return where a picture ends: behind its type, media type, description, four numbers and its own bytes."""
    at = 4
    for room in (0, 16, 0):  # behind the media type, the description and the picture
        place = block.body + at
        stated = int.from_bytes(source.read_at(place, 4), "big") if place + 4 <= block.end else block.size
        at += 4 + stated + room
        if at > block.size:
            break
    return at


_ENDS: dict[int, Callable[[Source, Block], int]] = {
    _APPLICATION: _id_end,
    _SEEKTABLE: _points_end,
    _COMMENT: _comments_end,
    _CUESHEET: _tracks_end,
    _PICTURE: _picture_end,
}
_NAMES = {
    _APPLICATION: "an application's name",
    _SEEKTABLE: "a seek table of whole points",
    _COMMENT: "a list of comments",
    _CUESHEET: "a cue sheet with a track and a lead-out",
    _PICTURE: "a picture",
}
