"""Which carrier holds which audio, and whether a file carries a capsule already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from ttsartifact.container import riff
    from ttsartifact.container.source import Piece, Source

__all__ = ["CARRIERS", "SUFFIXES", "carrier_of", "carries_capsule", "embed"]

CARRIERS = ("wav", "flac", "mp3", "parquet")
SUFFIXES = tuple(f".tts.{carrier}" for carrier in CARRIERS)


def carrier_of(out: str | os.PathLike[str], carrier: str | None = None) -> str:
    """Return the carrier that is said, or that the suffix of an output path names; raises Refused without one."""
    if carrier is not None:
        return carrier
    suffix = os.path.splitext(os.fspath(out))[1].lower()
    if suffix[1:] not in CARRIERS:
        raise Refused(
            "the output names no carrier", found=suffix or "no suffix", expected=f"one of {', '.join(SUFFIXES)}"
        )
    return suffix[1:]


def carries_capsule(audio: Source, wave: riff.Riff | None) -> bool:
    """Tell whether `audio` holds a capsule; `wave` is its walk when it is WAV."""
    if wave is not None:
        return wave.capsule is not None
    from ttsartifact.container import flac, mp3  # a WAV has no use for them

    head = audio.read_at(0, min(8, audio.size))
    return (flac.is_flac(head) and flac.carries_capsule(audio)) or (mp3.is_mp3(head) and mp3.carries_capsule(audio))


def embed(carrier: str, audio: Source, wave: riff.Riff | None, artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the pieces of an artifact in a carrier of the audio's own codec.

    Raises Refused for other audio: what would fit is a transcode, and a transcode is another run's audio.
    """
    from ttsartifact.container import flac, mp3, riff

    if carrier == "wav" and wave is not None:
        return riff.embed(audio, wave, artifact_id, capsule)
    head = audio.read_at(0, min(8, audio.size))
    if carrier == "flac" and flac.is_flac(head):
        return flac.embed(audio, flac.walk(audio), capsule)
    if carrier == "mp3" and mp3.is_mp3(head):
        return mp3.embed(audio, mp3.walk(audio), capsule)
    name = carrier.upper()
    raise Refused(f"the {name} carrier holds {name} audio only and other audio is not transcoded; write .tts.parquet")
