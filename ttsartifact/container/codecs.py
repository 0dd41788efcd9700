"""What is known of each codec of a bare file, one row each; every other place reads this table."""

from __future__ import annotations

import re
from typing import Final

from ttsartifact._starting import NamedTuple, late_pattern


class Codec(NamedTuple):
    """One codec: how it is named, stored and recognised."""

    name: str
    """As /audio/codec has it."""
    title: str
    """As people call it."""
    suffix: str
    media_type: str
    opening: re.Pattern[bytes]
    """What the first bytes of a bare file match (clause 3.1)."""
    is_lossy: bool = False
    has_carrier: bool = False
    """Whether a file of this codec can carry a capsule itself; every codec fits into Parquet."""


_OGG_FIRST_PACKET = rb"OggS\0.{21}\x01."  # one segment, so the packet begins behind 28 bytes

CODECS: Final = {
    codec.name: codec
    for codec in (
        Codec(
            name="wav",
            title="WAV",
            suffix=".wav",
            media_type="audio/wav",
            opening=late_pattern(rb"(?:RIFF|RF64|BW64).{4}WAVE", re.DOTALL),
            has_carrier=True,
        ),
        Codec(
            name="flac",
            title="FLAC",
            suffix=".flac",
            media_type="audio/flac",
            opening=late_pattern(rb"fLaC"),
            has_carrier=True,
        ),
        Codec(
            name="mp3",
            title="MP3",
            suffix=".mp3",
            media_type="audio/mpeg",
            # A tag, or eleven sync bits of MPEG-1, 2 or 2.5 and the two bits of layer III.
            opening=late_pattern(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"),
            is_lossy=True,
            has_carrier=True,
        ),
        Codec(
            name="ogg_vorbis",
            title="Ogg Vorbis",
            suffix=".ogg",
            media_type="audio/ogg",
            opening=late_pattern(_OGG_FIRST_PACKET + rb"\x01vorbis", re.DOTALL),
            is_lossy=True,
        ),
        Codec(
            name="ogg_opus",
            title="Ogg Opus",
            suffix=".opus",
            media_type="audio/ogg",
            opening=late_pattern(_OGG_FIRST_PACKET + rb"OpusHead", re.DOTALL),
            is_lossy=True,
        ),
    )
}
LOSSY: Final = frozenset(codec.name for codec in CODECS.values() if codec.is_lossy)
OPENING_BYTES: Final = 64
"""How many first bytes `codec_opening` wants to see."""


def codec_opening(head: bytes) -> Codec | None:
    """Return the codec that the first bytes of a bare file open, or None; tags before a stream say nothing of it."""
    return next((codec for codec in CODECS.values() if codec.opening.match(head)), None)


def suffix_of(codec: object) -> str:
    """Return the suffix of a bare file of the codec named, or `.bin` for what names none."""
    return CODECS[codec].suffix if isinstance(codec, str) and codec in CODECS else ".bin"
