"""A reference clip as posted and as the model hears it: at its rate, mono, 16 bits, by integers alone.

Two digests tell them apart: of the file's bytes as posted, and of the PCM (little-endian int16) that is fed.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

import numpy as np
import soundfile

from reference_runner import digests
from reference_runner.errors import ReferenceClipError
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.integers import round_division, round_shift
from reference_runner.synthesis.resampling import SAMPLE_BITS, resample

SHORTEST_MS = 500
LONGEST_MS = 30_000
"""Of a longer clip the beginning is heard, and the record says so."""
FILE_BYTES_MAXIMUM = 256 << 20
QUIETEST_PEAK = 64
"""Of 32,768: a clip that never exceeds -54 dBFS holds no voice to imitate."""
CONTAINERS = ("WAV", "WAVEX", "RF64", "FLAC", "AIFF")
"""Lossless, so that every decoder gives the same samples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What the caller gives: a file, and what it says if it shall also lend its prosody."""

    path: str
    provenance: str = "unknown"
    """Where the clip came from, in the poster's words."""
    transcript: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeardReference:
    """What the model is fed, and the facts of the way there."""

    pcm: np.ndarray
    """int16 (S,), mono."""
    name: str
    provenance: str
    transcript: str | None
    posted_digest: str
    fed_digest: str
    posted_sample_rate_hz: int
    posted_channels: int
    posted_subtype: str
    posted_samples: int
    fed_samples: int
    cut: bool
    """Whether only the first LONGEST_MS were heard."""
    fed_sample_rate_hz: int = FEATURE_SETTINGS.sample_rate_hz

    def record(self) -> dict[str, object]:
        """Return the facts for the run, without samples or folders."""
        return {
            "name": self.name,
            "provenance": self.provenance,
            "posted_digest": self.posted_digest,
            "fed_digest": self.fed_digest,
            "posted_sample_rate_hz": self.posted_sample_rate_hz,
            "posted_channels": self.posted_channels,
            "posted_subtype": self.posted_subtype,
            "posted_samples": self.posted_samples,
            "fed_sample_rate_hz": self.fed_sample_rate_hz,
            "fed_samples": self.fed_samples,
            "cut": self.cut,
        }


def hear(reference: Reference, *, to_hz: int = FEATURE_SETTINGS.sample_rate_hz) -> HeardReference:
    """Read a clip and bring it to what a model of that rate is fed."""
    name = os.path.basename(reference.path)
    content = _read(reference.path, name)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.format not in CONTAINERS:
                raise ReferenceClipError(f"got {file.format}, expected WAV, FLAC or AIFF", where=f"reference {name}")
            rate_hz, channels, subtype, total = file.samplerate, file.channels, file.subtype, len(file)
            wanted = min(total, -(-LONGEST_MS * rate_hz // 1000))
            # float64 holds samples of up to 32 bits exactly, so this is the file's integers over a power of two.
            samples = file.read(wanted, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ReferenceClipError(f"not readable as sound: {error.error_string}", where=f"reference {name}") from error
    pcm = to_fed_pcm(samples, rate_hz, to_hz)
    if len(pcm) * 1000 < SHORTEST_MS * to_hz:
        got_ms = len(samples) * 1000 // rate_hz
        raise ReferenceClipError(
            f"got {got_ms} ms of sound, expected at least {SHORTEST_MS} ms", where=f"reference {name}"
        )
    peak = int(np.abs(pcm.astype(np.int64)).max())
    if peak < QUIETEST_PEAK:
        raise ReferenceClipError(
            f"silent: its greatest sample is {peak} of 32768, expected at least {QUIETEST_PEAK}",
            where=f"reference {name}",
        )
    return HeardReference(
        pcm=pcm,
        name=name,
        provenance=reference.provenance,
        transcript=reference.transcript,
        posted_digest=digests.of_bytes(content),
        fed_digest=digests.of_bytes(pcm.astype("<i2").tobytes()),
        posted_sample_rate_hz=rate_hz,
        posted_channels=channels,
        posted_subtype=subtype,
        posted_samples=total,
        fed_samples=len(pcm),
        cut=wanted < total,
        fed_sample_rate_hz=to_hz,
    )


def to_fed_pcm(samples: np.ndarray, rate_hz: int, to_hz: int = FEATURE_SETTINGS.sample_rate_hz) -> np.ndarray:
    """Bring samples float64 (S, C) within [-1, 1] to int16: 24-bit integers, mean of channels, resampled."""
    if not np.isfinite(samples).all():
        raise ReferenceClipError("a sample is not a finite number")
    limit = 1 << (SAMPLE_BITS - 1)
    integers = np.clip(np.rint(samples * limit), -limit, limit - 1).astype(np.int64)
    mono = round_division(integers.sum(1), np.int64(samples.shape[1]))
    try:
        resampled = resample(mono, rate_hz, to_hz)
    except ValueError as error:
        raise ReferenceClipError(str(error)) from error
    return np.clip(round_shift(resampled, SAMPLE_BITS - 16), -32_768, 32_767).astype(np.int16)


def _read(path: str, name: str) -> bytes:
    try:
        size = os.stat(path).st_size
        if size > FILE_BYTES_MAXIMUM:
            raise ReferenceClipError(
                f"got {size} bytes, expected at most {FILE_BYTES_MAXIMUM}", where=f"reference {name}"
            )
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ReferenceClipError(f"cannot be read: {error.strerror}", where=f"reference {name}") from error
