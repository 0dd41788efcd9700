"""One judgement of a bare file, for every carrier and for Parquet (clauses 3.1 to 3.3, 3.9).

What is digested has to be all that any player plays: one stream, of one kind, from its first frame to its last, and
without bytes that a player might take for a different format. No audio is decoded here: frames are walked by headers
and check sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.container import id3, riff
from ttsartifact.container.codecs import CODECS, OPENING_BYTES, codec_opening
from ttsartifact.container.magic import HEAD_BYTES as KIND_BYTES
from ttsartifact.container.magic import kind_of
from ttsartifact.container.mistaken import HEAD_BYTES, PCM_BYTES, mistaken_file, mistaken_pcm, wrapped_pcm
from ttsartifact.container.source import JoinedSource, Piece, Source
from ttsartifact.errors import Damaged, NotAnArtifact, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Sequence

OPUS_RATE_HZ = 48_000  # RFC 7845 section 5.1: Opus plays at 48 kHz; the header's other rate is a memory of the input
_INTEGERS = frozenset({"pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32"})
_PCM_SUBTYPE = "pcm_s16"  # the format into which compressed streams used to be hidden, so players look for them there

# What stands before a stream where nothing of the kind belongs.
_STRANGE_STARTS = {
    b"APETAGEX": "an APE tag before the audio",
    b"TAG": "an ID3v1 tag before the audio",
    bytes(4): "zeros before the audio",
    b"ID3": "an ID3v2 tag that is truncated or not of version 2.2, 2.3 or 2.4",
}


class Bare(NamedTuple):
    """What a sound bare file is, by its headers and by the walk over its frames."""

    codec: str
    subtype: str
    sample_rate_hz: int
    channels: int
    bit_depth: int | None
    frames: int
    """Samples of each channel that a player plays, by the walk."""
    walked: Any
    """The walk of the codec: riff.Riff, flac_frames.StreamInfo, mpeg.Mpeg or ogg.Ogg."""
    audio: tuple[int, int]
    """The half-open byte range of the sound: the PCM of a WAV, the frames of a FLAC or MP3, the pages of an Ogg."""


def codec_of(source: Source) -> str:
    """Return the codec that the first bytes show; raises NotAnArtifact (AUD04) for one that is not read."""
    head = source.read_at(0, min(OPENING_BYTES, source.size))
    codec = codec_opening(head)
    if codec is not None and not head.startswith(b"ID3"):
        return codec.name
    if codec is None:
        raise _unread(source, 0)
    tags = id3.leading_tags(source)
    offset = tags[-1].end if tags else 0
    behind = source.read_at(offset, min(OPENING_BYTES, source.size - offset))
    if behind[:4] == b"fLaC":
        _require_one(tags)
        return "flac"
    if not behind.startswith(b"ID3") and CODECS["mp3"].opening.match(behind):
        return "mp3"
    raise _unread(source, offset)


def _require_one(tags: Sequence[id3.LeadingTag]) -> None:
    if len(tags) > 1:
        raise NotAnArtifact(
            "more than one ID3v2 tag before a FLAC",
            where=f"offset {tags[1].offset}",
            found=f"{len(tags)} tags",
            expected="at most one; flac and sox open no other file",
            rule="AUD04",
        )


def flac_length(source: Source) -> tuple[int | None, int]:
    """Return rate and frames of a FLAC by the walk over it; None and 0 of another codec and of a broken FLAC."""
    try:
        if codec_of(source) != "flac":
            return None, 0
        bare = _judge_flac(source)
    except TtsArtifactError:
        return None, 0
    return bare.sample_rate_hz, bare.frames


def judge(pieces: Sequence[Piece], wave: riff.Riff | None = None) -> Bare:
    """Return what the bare file of `pieces` is; `wave` is the walk over it, or over its artifact, where it is WAV.

    Raises NotAnArtifact (AUD04) for a codec that is not read, and Damaged or TooLarge where a player might play more,
    less or other sound than what is digested.
    """
    source = JoinedSource(pieces)
    codec = "wav" if wave is not None else codec_of(source)
    head = source.read_at(0, min(HEAD_BYTES, source.size))
    other = mistaken_file(head, codec)
    if other is not None:
        raise _mistaken(other, 0, CODECS[codec].title)
    if codec == "wav":
        return _judge_wave(source, wave if wave is not None else riff.walk(source))
    if codec == "flac":
        return _judge_flac(source)
    return _judge_mp3(source) if codec == "mp3" else _judge_ogg(source)


def _judge_wave(source: Source, wave: riff.Riff) -> Bare:
    start, end = wave.bare_pcm
    if wave.format.subtype in _INTEGERS:
        is_usual = wave.format.subtype == _PCM_SUBTYPE
        other = (mistaken_pcm if is_usual else wrapped_pcm)(source.read_at(start, min(PCM_BYTES, end - start)))
        if other is not None:
            raise _mistaken(other, start, f"{wave.format.bit_depth}-bit PCM")
    return Bare(
        codec="wav",
        subtype=wave.format.subtype,
        sample_rate_hz=wave.format.sample_rate_hz,
        channels=wave.format.channels,
        bit_depth=wave.format.bit_depth,
        frames=wave.frames,
        walked=wave,
        audio=(start, end),
    )


def _judge_flac(source: Source) -> Bare:
    from ttsartifact.container import flac, flac_frames

    walked = flac.walk(source)
    flac.require_whole_blocks(source, walked.blocks)
    start, end, info = walked.audio, walked.audio_end, flac_frames.stream_info(source, walked.start)
    flac_frames.require_no_frame(source, end)
    return Bare(
        codec="flac",
        subtype=f"pcm_s{info.bits}",
        sample_rate_hz=info.sample_rate_hz,
        channels=info.channels,
        bit_depth=info.bits,
        frames=flac_frames.walk_frames(source, start, end, info),
        walked=info,
        audio=(start, end),
    )


def _judge_mp3(source: Source) -> Bare:
    from ttsartifact.container import mp3, mpeg
    from ttsartifact.container.mistaken_mp3 import FRAMES_BYTES, TAGS_BYTES, mistaken_mp3

    tags = mp3.walk(source)
    found = mpeg.walk_frames(source, tags.audio, tags.audio_end)
    frames = source.read_at(found.start, min(FRAMES_BYTES, found.end - found.start))
    other = mistaken_mp3(source.read_at(0, min(TAGS_BYTES, found.start)), frames)
    if other is not None:
        raise _mistaken(other, 0, CODECS["mp3"].title)
    mpeg.require_silent_tail(source, found, source.size)
    return Bare(
        codec="mp3",
        subtype="mp3",
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        bit_depth=None,
        frames=found.frames,
        walked=found,
        audio=(found.start, found.end),
    )


def _judge_ogg(source: Source) -> Bare:
    from ttsartifact.container import ogg

    found = ogg.walk_pages(source)
    return Bare(
        codec=found.codec,
        subtype=found.codec.removeprefix("ogg_"),
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        bit_depth=None,
        frames=found.frames,
        walked=found,
        audio=(0, source.size),
    )


def _unread(source: Source, offset: int) -> NotAnArtifact:
    head = source.read_at(offset, min(KIND_BYTES, source.size - offset))
    kind = kind_of(head)
    found = kind.name if kind is not None else head[:4].hex() or "nothing"
    conversion = kind.conversion if kind is not None else None
    if offset and codec_opening(head) is not None and not head.startswith(b"ID3"):
        found += " behind an ID3v2 tag"
    return NotAnArtifact(
        "audio in a codec that is not read",
        where=f"offset {offset}",
        found=next((name for start, name in _STRANGE_STARTS.items() if head.startswith(start)), found),
        expected="WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus" + (f"; {conversion}" if conversion else ""),
        rule="AUD04",
    )


def _mistaken(other: str, offset: int, codec: str) -> Damaged:
    return Damaged(
        f"players that look at the content take this for {other}",
        where=f"offset {offset}",
        found=other,
        expected=f"the first bytes of a {codec} file",
    )
