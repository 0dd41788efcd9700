"""FLAC, both ways: a strict walk over its metadata, the capsule put behind STREAMINFO, and taken out again.

`strip(embed(x)) == x` for every bare file that `walk` accepts. Layout of an artifact (clause 3.9):

    [ID3v2]  fLaC  STREAMINFO  APPLICATION(ttsa seq total capsule)...  <the bare file's other blocks>  <its frames>

Only one bit of the bare part differs: the "last block" flag, which follows from which block is the last one. There is
no pointer: comments are blocks of the encoder's, and a comment of ours could not be taken out of one again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from ttsartifact.container import capsule as capsules
from ttsartifact.container import id3
from ttsartifact.container.flac_frames import require_last_frame, stream_info
from ttsartifact.container.limits import MAX_CAPSULE_BLOCK_BYTES, MAX_FLAC_BLOCKS
from ttsartifact.container.riff import require_speakers
from ttsartifact.container.source import JoinedSource, Piece, Source, Span
from ttsartifact.errors import Damaged, NotAnArtifact, NotReadable, TooLarge, damaged_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.container.capsule import Capsule

APPLICATION_ID = b"ttsa"
_FOREIGN_ID = b"riff"  # under which `flac --keep-foreign-metadata` keeps the chunks of a WAV
_MAGIC = b"fLaC"
_STREAMINFO, _APPLICATION, _SEEKTABLE, _COMMENT, _CUESHEET, _PICTURE, _FORBIDDEN = 0, 2, 3, 4, 5, 6, 127
_ID3V1_BYTES = 128
_LAST = 0x80
_HEAD_BYTES = 8  # of a capsule block: the id, its number and how many there are, two bytes each
_ROOM = MAX_CAPSULE_BLOCK_BYTES - _HEAD_BYTES
_ID_BYTES, _POINT_BYTES = 4, 18
_SPEAKERS = b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
_MASK = re.compile(rb"0[xX]([0-9A-Fa-f]{1,16})")
_SHEET_BYTES, _TRACK_BYTES, _INDEX_BYTES = 396, 36, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A metadata block by its place; `size` is without its four header bytes."""

    type: int
    offset: int
    size: int

    @property
    def body(self) -> int:
        """Offset of the first byte after the block's header."""
        return self.offset + 4

    @property
    def end(self) -> int:
        """Offset after the block."""
        return self.body + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Flac:
    """A walked file: magic, metadata blocks, and frames from `audio` to `audio_end`."""

    size: int
    blocks: tuple[Block, ...]
    audio: int
    ours: tuple[Block, ...]
    """The blocks that hold the capsule, in their order."""
    wraps_artifact: bool
    """Whether foreign chunks of a WAV are kept here, and a capsule among them."""
    audio_end: int = 0
    """Where the frames end: before an ID3v1 tag where there is one."""
    start: int = 0
    """Where fLaC stands: behind one ID3v2 tag where there is one."""
    has_outer_head: bool = False
    """Whether that tag was put on the artifact and is none of the bare file's; `settled` knows."""
    has_outer_tail: bool = False
    """The same of the tag behind the frames."""

    @property
    def is_wrapped(self) -> bool:
        """Whether a tag was put on the artifact."""
        return self.has_outer_head or self.has_outer_tail


def recognise(head: bytes) -> bool:
    """Tell by its first eight bytes whether a file is a FLAC that this module walks: STREAMINFO comes first."""
    return head[:4] == _MAGIC and len(head) >= 8 and head[4] & ~_LAST == 0 and head[5:8] == b"\0\0\x22"


def walk(source: Source) -> Flac:
    """Walk all of `source`, and raise at the first byte that breaks the structure (CON01, CON02, CON09, CON15)."""
    found = _metadata(source)
    require_last_frame(source, found.audio, found.audio_end, stream_info(source, found.start))
    return found


def settled(flac: Flac, bare_bytes: int | None) -> Flac:
    """Return the walk once the stated size of the bare file is known: a tag that it does not count was put on later."""
    held = sum(block.end - block.offset for block in flac.ours)
    tail = flac.size - flac.audio_end
    for head_bytes, tail_bytes in ((0, 0), (flac.start, 0), (0, tail), (flac.start, tail)):
        if bare_bytes == flac.size - held - head_bytes - tail_bytes:
            return replace(flac, has_outer_head=head_bytes > 0, has_outer_tail=tail_bytes > 0)
    return flac


def carries_capsule(source: Source) -> bool:
    """Return whether a capsule is in a FLAC whose metadata can be walked, or in the chunks of a WAV that it wraps."""
    try:
        found = _metadata(source)
    except (Damaged, NotAnArtifact, TooLarge) as error:
        return error.rule == "CON09"
    return bool(found.ours) or found.wraps_artifact


def _metadata(source: Source) -> Flac:
    start = _start(source)
    if not recognise(source.read_at(start, min(8, source.size - start))):
        raise NotAnArtifact("not a FLAC file", where=f"offset {start}", expected="fLaC and STREAMINFO")
    blocks: list[Block] = []
    ours: list[Block] = []
    wraps = is_last = False
    offset = start + len(_MAGIC)
    while not is_last:
        where = f"offset {offset}"
        if len(blocks) == MAX_FLAC_BLOCKS:
            raise TooLarge("too many metadata blocks", where=where, expected=f"at most {MAX_FLAC_BLOCKS}")
        head = source.read_at(offset, 4)
        block = Block(type=head[0] & ~_LAST, offset=offset, size=int.from_bytes(head[1:], "big"))
        is_last = bool(head[0] & _LAST)
        if block.type == _FORBIDDEN:
            raise Damaged(
                "expected a metadata block, found a frame or the end of the file", where=where, found=head.hex()
            )
        if block.end > source.size:
            raise Damaged(
                "a metadata block runs past the end",
                where=where,
                found=f"{block.size} bytes",
                expected=f"at most {source.size - block.body} bytes",
            )
        if block.type in {_STREAMINFO, _SEEKTABLE, _COMMENT} and any(block.type == held.type for held in blocks):
            raise Damaged(f"two metadata blocks of type {block.type}", where=where, expected="one")
        blocks.append(block)
        if block.type == _APPLICATION:
            name = source.read_at(block.body, min(8, block.size))
            if name[:4] == APPLICATION_ID:
                ours.append(block)
            wraps = wraps or name == _FOREIGN_ID + APPLICATION_ID
        offset = block.end
    _require_continuation(source, ours)
    return Flac(
        size=source.size,
        blocks=tuple(blocks),
        audio=offset,
        audio_end=_audio_end(source, offset),
        ours=tuple(ours),
        wraps_artifact=wraps,
        start=start,
    )


def _audio_end(source: Source, audio: int) -> int:
    end = source.size - _ID3V1_BYTES
    return end if end > audio and source.read_at(end, 3) == b"TAG" else source.size


def _start(source: Source) -> int:
    """Return where fLaC has to stand; raises Damaged for more tags before it than players skip."""
    tags = id3.leading_tags(source)
    if len(tags) > 1:
        raise Damaged(
            "more than one ID3v2 tag before a FLAC",
            where=f"offset {tags[1].offset}",
            found=f"{len(tags)} tags",
            expected="at most one; flac and sox open no other file",
        )
    return tags[0].end if tags else 0


def _require_continuation(source: Source, ours: list[Block]) -> None:
    """Raise unless the capsule's blocks are all there, in order, and none larger than it may be (CON09)."""
    for number, block in enumerate(ours, 1):
        where = f"offset {block.offset}"
        if not _HEAD_BYTES < block.size <= MAX_CAPSULE_BLOCK_BYTES:
            raise Damaged(
                "a capsule block is too large" if block.size > _HEAD_BYTES else "a capsule block is empty",
                where=where,
                found=f"{block.size} bytes",
                expected=f"{_HEAD_BYTES + 1} to {MAX_CAPSULE_BLOCK_BYTES} bytes",
                rule="CON09",
            )
        head = source.read_at(block.body + 4, 4)
        place = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")
        if place != (number, len(ours)):
            raise Damaged(
                "the capsule's blocks are incomplete or out of order",
                where=where,
                found=f"block {place[0]} of {place[1]}",
                expected=f"block {number} of {len(ours)}",
                rule="CON09",
            )


def capsule(source: Source, flac: Flac) -> Capsule:
    """Return the capsule of a walked artifact; raises NotAnArtifact when it carries none."""
    if flac.wraps_artifact:
        raise NotReadable(
            "FLAC-wrapped WAV artifact: restore with flac -d --keep-foreign-metadata first",
            where=f"offset {len(_MAGIC)}",
            rule="CON04",
        )
    if not flac.ours:
        raise NotAnArtifact(
            "a FLAC without a capsule",
            where=f"offset {flac.blocks[0].end}",
            expected=f"an APPLICATION block ttsa; {capsules.ADVICE}",
            rule="CON04",
        )
    places = [Span(source, block.body + _HEAD_BYTES, block.size - _HEAD_BYTES) for block in flac.ours]
    if len(places) == 1:
        return capsules.parse(source, places[0].offset, places[0].size)
    try:
        return capsules.parse(JoinedSource(places))
    except (Damaged, TooLarge) as error:
        raise error.at("capsule") from error.__cause__


def embed(source: Source, flac: Flac, _artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the pieces of the artifact made of the bare file `source` and a capsule.

    Raises Damaged when `source` carries a capsule already, TooLarge when it has no room for one.
    """
    if flac.ours or flac.wraps_artifact:
        raise Damaged("the file carries a capsule already", where="offset 4", expected="a bare file", rule="CON04")
    info = flac.blocks[0]
    blocks = framing(capsule, is_last=len(flac.blocks) == 1)
    count = len(flac.blocks) + len(capsule) // _ROOM + 1
    if count > MAX_FLAC_BLOCKS:
        raise TooLarge("too many metadata blocks to add one", found=count, expected=f"at most {MAX_FLAC_BLOCKS}")
    head = _MAGIC + bytes([info.type]) + source.read_at(info.offset + 1, info.end - info.offset - 1)
    return [*_tag(source, flac), head + blocks, Span(source, info.end, source.size - info.end)]


def _tag(source: Source, flac: Flac) -> list[Piece]:
    """Return the tag before the bare file, where it has one of its own."""
    return [Span(source, 0, flac.start)] if flac.start and not flac.has_outer_head else []


def framing(capsule: bytes, *, is_last: bool) -> bytes:
    """Return the APPLICATION blocks of a capsule: full ones, and what is left in the last of them."""
    pieces = [capsule[start : start + _ROOM] for start in range(0, len(capsule), _ROOM)]
    written = bytearray()
    for number, piece in enumerate(pieces, 1):
        written.append(_APPLICATION | (_LAST if is_last and number == len(pieces) else 0))
        written += (_HEAD_BYTES + len(piece)).to_bytes(3, "big") + APPLICATION_ID
        written += number.to_bytes(2, "big") + len(pieces).to_bytes(2, "big") + piece
    return bytes(written)


def bare(source: Source, flac: Flac) -> list[Piece]:
    """Return the pieces of `source` without the capsule's blocks: the bytes that the encoder delivered."""
    kept = [block for block in flac.blocks if block not in flac.ours]
    pieces: list[Piece] = [*_tag(source, flac), _MAGIC]
    for block in kept:
        pieces.append(bytes([block.type | (_LAST if block is kept[-1] else 0)]))
        pieces.append(Span(source, block.offset + 1, block.end - block.offset - 1))
    end = flac.audio_end if flac.has_outer_tail else source.size
    return [*pieces, Span(source, flac.audio, end - flac.audio)]


def misframed(_source: Source, flac: Flac, _artifact_id: str) -> list[capsules.Misframing]:
    """Return where the capsule's blocks are not those that `embed` writes."""
    if flac.has_outer_head:
        why = "a tag was put on the artifact before its fLaC"
        return [capsules.Misframing(0, "an ID3v2 tag that /audio/size does not count", "fLaC", why)]
    if flac.has_outer_tail:
        what, why = "an ID3v1 tag that /audio/size does not count", "a tag was put on the artifact behind its frames"
        return [capsules.Misframing(flac.audio_end, what, "the end of the file", why)]
    expected = flac.blocks[0].end
    for block in flac.ours:
        if block.offset != expected:
            wanted = f"directly behind STREAMINFO, at {expected}"
            return [capsules.Misframing(block.offset, f"a capsule block at {block.offset}", wanted)]
        if block is not flac.ours[-1] and block.size != MAX_CAPSULE_BLOCK_BYTES:
            wanted = f"{MAX_CAPSULE_BLOCK_BYTES} bytes in all blocks but the last"
            return [capsules.Misframing(block.offset, f"{block.size} bytes", wanted)]
        expected = block.end
    return []


def require_whole_blocks(source: Source, blocks: Sequence[Block]) -> None:
    """Raise Damaged (CON02) for a metadata block that is not filled by what it holds; a picture may end before it.

    No decoder is led past a block, or stops at one: libsndfile, SoX or FFmpeg do not open a file with a block that is
    not filled by what RFC 9639 section 8 puts in it, or read what follows for the rest of it (clause 3.10). Where the
    points of a seek table lead is not looked at: SoX leaves points to the first frame when it writes into a pipe, and a
    decoder that seeks compares the number in the frame that it finds.
    """
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
    channels = stream_info(source, blocks[0].offset - len(_MAGIC)).channels
    for block in blocks:
        if block.type == _COMMENT:
            _require_speakers(source, block, channels)


def _require_speakers(source: Source, block: Block, channels: int) -> None:
    """Hold the speakers that a comment names to the rule of a WAV."""
    data = source.read_at(block.body, block.size)
    for start, end in islice(_texts(data), 1, None):
        name, _, value = data[start:end].partition(b"=")
        if name.upper() == _SPEAKERS:
            place = block.body + start
            if not (spelt := _MASK.fullmatch(value)):
                raise damaged_at("a mask of speakers is not a number", place, value[:40].decode("latin-1"), "0x...")
            require_speakers(int(spelt[1], 16), channels, "a comment", place)


def _id_end(_source: Source, block: Block) -> int:
    return max(block.size, _ID_BYTES)


def _points_end(_source: Source, block: Block) -> int:
    return -(-block.size // _POINT_BYTES) * _POINT_BYTES


def _comments_end(source: Source, block: Block) -> int:
    """Return where the last comment ends."""
    return max(end for _, end in _texts(source.read_at(block.body, block.size)))


def _texts(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the vendor with the count behind it, and of as many comments, each behind its length.

    One that is cut ends behind the block, and is the last.
    """

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 4], "little") if at + 4 <= len(data) else len(data)

    at = 4 + number(0)
    left = number(at) if at + 4 <= len(data) else 0
    at += 4
    yield 4, at
    while left and at <= len(data):
        start, left = at + 4, left - 1
        at = start + number(at)
        yield start, at


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
