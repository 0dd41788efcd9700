"""Reference clips as they are handed to an engine: digested as posted, with where they came from (clause 5.6)."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any

from ttsartifact.container import riff
from ttsartifact.container.codecs import OPENING_BYTES, codec_opening
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Refused, TtsArtifactError
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

__all__ = ["Reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One clip that conditioned the run."""

    path: str | os.PathLike[str]
    role: str = "timbre"
    origin: dict[str, Any] | None = None
    """Where it came from: {"kind": ..., "name": ...}, as the schema's `origin`."""
    segment: tuple[int, int] | None = None
    """The half-open range of its frames that was used; None if not stated."""
    fed: dict[str, Any] | None = None
    """The PCM that the model saw, as the schema's `fed`."""
    transcript: str | None = None
    embed: bool = False
    """Whether the clip itself goes into the artifact. A voice belongs to a person, so only its owner may decide."""

    def read(self) -> bytes:
        """Return the clip as posted; raises Refused for one that cannot be read or holds nothing."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise Refused(f"cannot read a reference: {error.strerror}", where=os.fspath(self.path)) from error
        if not data:
            raise Refused("a reference is empty", where=os.fspath(self.path), expected="audio")
        return data

    def to_value(self, data: bytes) -> dict[str, Any]:
        """Return the entry of /input/refs for the clip whose bytes are `data`."""
        rate, frames = _facts(data)
        codec = codec_opening(data[:OPENING_BYTES])
        return {
            "digest": digest.of(data),
            "size": len(data),
            "media_type": "application/octet-stream" if codec is None else codec.media_type,
            "role": self.role,
            "origin": self.origin or absent("unknown", "not stated"),
            "sample_rate_hz": rate or absent("not_measured", "not decoded"),
            "frames": frames or absent("not_measured", "not decoded"),
            "segment": {"start_frame": self.segment[0], "end_frame": self.segment[1]}
            if self.segment
            else absent("unknown", "the engine does not say"),
            "fed": self.fed or absent("unknown", "the engine does not say"),
            "transcript_digest": digest.of(self.transcript.encode())
            if self.transcript
            else absent("unknown", "not stated"),
            "embedded": self.embed,
        }


def _facts(data: bytes) -> tuple[int, int]:
    """Return rate and frames; zeros for what is neither WAV nor known to libsndfile."""
    try:
        wave = riff.walk(BytesSource(data))
    except TtsArtifactError:
        pass
    else:
        return wave.format.sample_rate_hz, wave.frames
    try:
        import soundfile

        info = soundfile.info(io.BytesIO(data))
    except (ImportError, OSError, RuntimeError):  # soundfile's own errors are RuntimeErrors
        return 0, 0
    return int(info.samplerate), int(info.frames)
