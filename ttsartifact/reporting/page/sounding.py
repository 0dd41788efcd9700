"""The sound within the page: the bare file, or the same samples as FLAC where that is smaller."""

from __future__ import annotations

import io
import os
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ttsartifact.container.source import Span
from ttsartifact.reporting.page.picture import data_uri

if TYPE_CHECKING:
    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact

__all__ = ["LARGEST_BYTES", "Playable", "playable_of"]

LARGEST_BYTES = 20_000_000
_MOST_FLAC_CHANNELS = 8
_HIGHEST_FLAC_HZ = 655_350
_KINDS = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg", "vorbis": "audio/ogg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Playable:
    """What an audio element plays, and what that is in words."""

    source: str | None
    """A URI that holds the sound, or the address of the file beside the page."""
    words: str
    is_linked: bool = False


def playable_of(artifact: Artifact, sound: Sound | None, beside: str) -> Playable:
    """Return the sound of a run for a page that is to be at `beside`."""
    size = sum(piece.size if isinstance(piece, Span) else len(piece) for piece in artifact.audio)
    if sound is not None and sound.stored_as in {"pcm_s16", "pcm_s24"} and artifact.wave is not None:
        packed = _as_flac(sound)
        if packed is not None and len(packed) < size:
            return _embedded("audio/flac", packed, f"the samples of the file as FLAC, {len(packed)} bytes")
    if size <= LARGEST_BYTES:
        codec = artifact.descriptor.known("/audio/codec")
        kind = _KINDS.get(codec if isinstance(codec, str) else "", "audio/wav")
        return _embedded(kind, _bytes_of(artifact), f"the audio file itself, {size} bytes")
    if artifact.row is not None:
        return Playable(source=None, words=f"{size} bytes of audio in a row of Parquet: too large for a page")
    return Playable(
        source=_address(artifact.where, beside),
        words=f"{size} bytes of audio are not in the page; it plays the file from its original place",
        is_linked=True,
    )


def _embedded(kind: str, data: bytes, words: str) -> Playable:
    return Playable(source=data_uri(kind, data), words=words)


def _bytes_of(artifact: Artifact) -> bytes:
    return b"".join(p if isinstance(p, bytes) else p.source.read_at(p.offset, p.size) for p in artifact.audio)


def _as_flac(sound: Sound) -> bytes | None:
    """Return the samples as FLAC, bit for bit; None where FLAC has no room for them or the page has none."""
    import soundfile

    width = int(sound.stored_as[-2:])
    fits = sound.channels <= _MOST_FLAC_CHANNELS and sound.rate_hz <= _HIGHEST_FLAC_HZ
    if not fits or not sound.frames or sound.frames * sound.channels * width // 8 > 4 * LARGEST_BYTES:
        return None
    samples = sound.read(0, sound.frames)
    exact = (samples * 2**15).astype(np.int16) if width == 16 else (samples * 2**31).astype(np.int32)
    file = io.BytesIO()
    soundfile.write(file, exact, sound.rate_hz, format="FLAC", subtype=f"PCM_{width}")
    data = file.getvalue()
    return data if len(data) <= LARGEST_BYTES else None


def _address(path: str, beside: str) -> str:
    relative = os.path.relpath(os.path.abspath(path), os.path.dirname(os.path.abspath(beside)))
    return urllib.parse.quote(relative.replace(os.sep, "/"))
