"""MP3, both ways: leading ID3v2 tags and the end of the audio, the capsule in a tag of its own before everything else.

`strip(embed(x)) == x` for every bare file that `walk` accepts. Layout of an artifact (clause 3.9):

    ID3v2.4(PRIV "ttsartifact" NUL capsule)  <the bare file, its own tags included>

There is no pointer: the tags behind ours are the producer's, and what a converter keeps of them is the capsule itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container import capsule as capsules
from ttsartifact.container.id3 import tail_between
from ttsartifact.container.limits import MAX_ID3_TAGS
from ttsartifact.container.mpeg import frame_bytes, is_free_format, same_kind
from ttsartifact.container.source import Piece, Source, Span
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge

if TYPE_CHECKING:
    from ttsartifact.container.capsule import Capsule

_OWNER = b"ttsartifact\0"
_TAG_HEAD_BYTES = _FRAME_HEAD_BYTES = 10
_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_MAX_TAG_FRAMES = 1024
_LONGEST_FRAME_BYTES = 1441
# Of tags that one may stand behind the frames: what is there besides.
_ONE_TOO_MANY = {"an ID3v1 tag": "two ID3v1 tags", "an APE tag": "an APE tag behind an ID3v1 tag or a second one"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A leading ID3v2 tag by its place, and where in it the capsule lies when it is the one that holds it."""

    offset: int
    end: int
    capsule: tuple[int, int] | None
    """Offset and size of the capsule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mp3:
    """A walked file: leading tags, MPEG frames from `audio` to `audio_end`, and what may follow them."""

    size: int
    tags: tuple[Tag, ...]
    audio: int
    audio_end: int
    ours: Tag | None


def recognise(head: bytes) -> bool:
    """Tell by its first four bytes whether a file is one that this module walks: a tag, or a frame of layer III."""
    return head[:3] == b"ID3" or (len(head) >= 4 and frame_bytes(int.from_bytes(head[:4], "big")) is not None)


def walk(source: Source) -> Mp3:
    """Walk `source`, and raise at the first byte that breaks the structure (CON01, CON02, CON04, CON09, CON15)."""
    tags = _tags(source)
    audio = tags[-1].end if tags else 0
    first = source.read_at(audio, min(4, source.size - audio))
    if first == b"fLaC":
        raise NotAnArtifact("a FLAC, and not an MP3, behind its tag", where=f"offset {audio}")
    word = int.from_bytes(first.ljust(4, b"\0"), "big")
    if frame_bytes(word) is None:
        raise NotAnArtifact(
            "no frame of MPEG layer III" + (" behind the tags" if tags else ""),
            where=f"offset {audio}",
            found="a frame of free format" if is_free_format(word) else first.hex() or "nothing",
            expected="a frame of a stated bitrate",
        )
    audio_end = _audio_end(source, audio)
    _require_last_frame(source, audio, audio_end)
    return Mp3(size=source.size, tags=tags, audio=audio, audio_end=audio_end, ours=_ours(tags))


def carries_capsule(source: Source) -> bool:
    """Return whether a capsule is in the leading tags of an MP3 whose tags can be walked."""
    try:
        return _ours(_tags(source)) is not None
    except (Damaged, TooLarge) as error:
        return error.rule in {"CON04", "CON09"}


def capsule(source: Source, mp3: Mp3) -> Capsule:
    """Return the capsule of a walked artifact; raises NotAnArtifact when it carries none."""
    if mp3.ours is None or mp3.ours.capsule is None:
        raise NotAnArtifact(
            "an MP3 without a capsule",
            where="offset 0",
            expected=f"an ID3v2.4 tag with a PRIV frame of ttsartifact; {capsules.ADVICE}",
            rule="CON04",
        )
    return capsules.parse(source, *mp3.ours.capsule)


def embed(source: Source, mp3: Mp3, _artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the pieces of the artifact made of the bare file `source` and a capsule.

    Raises Damaged when `source` carries a capsule already, TooLarge when it has no room for another tag.
    """
    if mp3.ours is not None:
        raise Damaged(
            "the file carries a capsule already",
            where=f"offset {mp3.ours.offset}",
            expected="a bare file",
            rule="CON04",
        )
    if len(mp3.tags) == MAX_ID3_TAGS:
        raise TooLarge("too many tags to add one", found=MAX_ID3_TAGS + 1, expected=f"at most {MAX_ID3_TAGS}")
    return [framing(len(capsule)) + capsule, Span(source, 0, source.size)]


def framing(capsule_bytes: int) -> bytes:
    """Return all that stands before a capsule: the heads of tag and frame, and the owner."""
    frame_bytes = len(_OWNER) + capsule_bytes
    frame = b"PRIV" + _synchsafe(frame_bytes) + b"\0\0" + _OWNER
    return b"ID3\x04\0\0" + _synchsafe(_FRAME_HEAD_BYTES + frame_bytes) + frame


def bare(source: Source, mp3: Mp3) -> list[Piece]:
    """Return the pieces of `source` without the tag that holds the capsule: the bytes that the encoder delivered."""
    if mp3.ours is None:
        return [Span(source, 0, source.size)]
    places = ((0, mp3.ours.offset), (mp3.ours.end, source.size))
    return [Span(source, start, end - start) for start, end in places if start < end]


def misframed(source: Source, mp3: Mp3, _artifact_id: str) -> list[capsules.Misframing]:
    """Return where the capsule's tag is not the one that `embed` writes."""
    if mp3.ours is None or mp3.ours.capsule is None:
        return []
    start, size = mp3.ours.capsule
    if mp3.ours.offset:
        what = f"the capsule's tag at {mp3.ours.offset}"
        return [capsules.Misframing(mp3.ours.offset, what, "the first tag of the file")]
    if mp3.ours.end != start + size:
        what = f"{mp3.ours.end - start - size} bytes more in the tag"
        return [capsules.Misframing(start + size, what, "no other frame and no padding")]
    expected = framing(size)
    held = source.read_at(0, start)
    if held == expected:
        return []
    place = next((i for i, pair in enumerate(zip(held, expected, strict=False)) if pair[0] != pair[1]), len(expected))
    return [capsules.Misframing(place, held[place : place + 4].hex(), expected[place : place + 4].hex())]


def settled(mp3: Mp3, _bare_bytes: int | None) -> Mp3:
    """Return the walk as it is: every tag but the capsule's is the bare file's."""
    return mp3


def _tags(source: Source) -> tuple[Tag, ...]:
    tags: list[Tag] = []
    offset = 0
    while source.size - offset >= _TAG_HEAD_BYTES and source.read_at(offset, 3) == b"ID3":
        where = f"offset {offset}"
        if len(tags) == MAX_ID3_TAGS:
            raise TooLarge("too many tags", where=where, expected=f"at most {MAX_ID3_TAGS}")
        head = source.read_at(offset, _TAG_HEAD_BYTES)
        size = _size(head[6:], synchsafe=True)
        # A footer is of v2.4 alone: what follows a tag that claims one, players skip or not.
        is_read = head[3] in {2, 3, 4} and head[4] != 0xFF and (head[3] == 4 or not head[5] & _FOOTER)
        if not is_read or size is None:
            raise Damaged(
                "an ID3v2 tag that is not read", where=where, found=head.hex(), expected="ID3v2.2, v2.3 or v2.4"
            )
        end = offset + _TAG_HEAD_BYTES + size
        closed = end + (_TAG_HEAD_BYTES if head[3] == 4 and head[5] & _FOOTER else 0)
        if closed > source.size:
            raise Damaged(
                "an ID3v2 tag runs past the end",
                where=where,
                found=f"{size} bytes",
                expected=f"at most {source.size - offset - _TAG_HEAD_BYTES} bytes",
            )
        if closed > end and source.read_at(end, 3) != b"3DI":
            raise Damaged(
                "an ID3v2 tag claims a footer that is not there: players skip ten bytes or none",
                where=f"offset {end}",
                found=source.read_at(end, 3).hex(),
                expected="3DI",
            )
        tags.append(Tag(offset=offset, end=closed, capsule=_capsule_in(source, offset, end, head)))
        offset = closed
    return tuple(tags)


def _capsule_in(source: Source, offset: int, end: int, head: bytes) -> tuple[int, int] | None:
    """Return where the capsule is in a tag, or None. A tag of others may break off where it likes: we only look."""
    version, flags = head[3], head[5]
    if version == 2 or flags & _EXTENDED:
        return None
    place, found = offset + _TAG_HEAD_BYTES, None
    for _ in range(_MAX_TAG_FRAMES):
        if end - place < _FRAME_HEAD_BYTES:
            break
        frame = source.read_at(place, _FRAME_HEAD_BYTES)
        size = _size(frame[4:8], synchsafe=version == 4)
        body = place + _FRAME_HEAD_BYTES
        if frame[:4] == b"PRIV" and source.read_at(body, min(len(_OWNER), source.size - body)) == _OWNER:
            where = f"offset {place}"
            if found is not None:
                raise Damaged("two capsules in one tag", where=where, expected="one", rule="CON04")
            if size is None or size <= len(_OWNER) or body + size > end:
                raise Damaged(
                    "the capsule's frame extends beyond its tag",
                    where=where,
                    found=frame[4:8].hex(),
                    expected=f"a size of at most {end - body}",
                )
            if flags & _UNSYNCHRONISED or frame[8:] != b"\0\0":
                raise Damaged(
                    "the capsule's frame is unsynchronised, compressed or encrypted",
                    where=where,
                    found=f"tag flags {flags:#04x}, frame flags {frame[8:].hex()}",
                    expected="no unsynchronisation, compression, encryption or grouping",
                    rule="CON09",
                )
            found = body + len(_OWNER), size - len(_OWNER)
        if size is None or frame[0] == 0:
            break
        place = body + size
    return found


def _ours(tags: tuple[Tag, ...]) -> Tag | None:
    held = [tag for tag in tags if tag.capsule is not None]
    if len(held) > 1:
        raise Damaged("two tags with a capsule", where=f"offset {held[1].offset}", expected="one", rule="CON04")
    return held[0] if held else None


def _audio_end(source: Source, audio: int) -> int:
    """Return where the MPEG frames end: before an ID3v1 tag, and before an APE tag."""
    end = source.size
    if end - audio >= 128 and source.read_at(end - 128, 3) == b"TAG":
        end -= 128
    if end - audio >= 32 and (foot := source.read_at(end - 32, 32)).startswith(b"APETAGEX"):
        size, flags = int.from_bytes(foot[12:16], "little"), int.from_bytes(foot[20:24], "little")
        start = end - size - (32 if flags >> 31 else 0)
        if size < 32 or start <= audio:
            raise Damaged(
                "an APE tag runs past the audio",
                where=f"offset {end - 32}",
                found=f"{size} bytes",
                expected=f"32 to {end - audio} bytes",
            )
        end = start
    return end


def _require_last_frame(source: Source, audio: int, end: int) -> None:
    """Raise unless a frame like the first one ends where the frames do: what is behind them is not audio."""
    first = int.from_bytes(source.read_at(audio, 4), "big")
    window = min(_LONGEST_FRAME_BYTES, end - audio)
    data = source.read_at(end - window, window)
    for left in range(4, window + 1):
        word = int.from_bytes(data[window - left : window - left + 4], "big")
        if same_kind(word, first) and frame_bytes(word) == left:
            return
    tag = tail_between(source, audio, end)
    raise Damaged(
        "the last frame does not end where the audio does",
        where=f"offset {end}",
        found="a cut frame, or bytes behind it" if tag is None else f"{_ONE_TOO_MANY.get(tag, tag)} behind the frames",
        expected="the end of a frame, an APE tag or an ID3v1 tag",
    )


def _size(octets: bytes, *, synchsafe: bool) -> int | None:
    """Return a size of four octets, or None where a synchsafe one has a high bit."""
    if not synchsafe:
        return int.from_bytes(octets, "big")
    if any(octet & 0x80 for octet in octets):
        return None
    return octets[0] << 21 | octets[1] << 14 | octets[2] << 7 | octets[3]


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
