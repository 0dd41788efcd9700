"""Samples of lossless audio: how wide each format is, what its codes mean (clause 8.3), and samples as numbers."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Final

from ttsartifact._starting import NamedTuple
from ttsartifact.container.source import FileSource, JoinedSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.container import riff
    from ttsartifact.container.source import Piece

HIGHEST_RATE_HZ = 400_000
_LOWEST_RATE_HZ = 4_000  # below, the filter of loudness has no stable form
UNHEARD = f"at this rate; expected {_LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
"""Where nothing is compared or measured."""


def is_of_speech(rate_hz: int) -> bool:
    """Return whether windows of so many milliseconds hold speech, and fit into memory."""
    return _LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ


class SampleFormat(NamedTuple):
    """One format: bytes of a sample, and the numpy type of its stored codes, which 24-bit integers have none of."""

    width: int
    stored: str | None
    is_float: bool = False


FORMATS: Final = {
    "pcm_u8": SampleFormat(1, "u1"),
    "pcm_s8": SampleFormat(1, "i1"),
    "pcm_s16": SampleFormat(2, "<i2"),
    "pcm_s24": SampleFormat(3, None),
    "pcm_s32": SampleFormat(4, "<i4"),
    "pcm_f32": SampleFormat(4, "<f4", is_float=True),
    "pcm_f64": SampleFormat(8, "<f8", is_float=True),
    "alaw": SampleFormat(1, "u1"),
    "mulaw": SampleFormat(1, "u1"),
}


@cache
def g711(subtype: str) -> tuple[int, ...]:
    """Return the 16-bit sample that each of the 256 codes of `alaw` or `mulaw` stands for."""
    return tuple(map(_of_alaw if subtype == "alaw" else _of_mulaw, range(256)))


def _of_mulaw(code: int) -> int:
    code ^= 0xFF
    magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def _of_alaw(code: int) -> int:
    code ^= 0x55
    step, exponent = code & 15, code >> 4 & 7
    magnitude = (step << 4) + 8 if exponent == 0 else (step << 4) + 264 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


_LARGEST_PCM_BYTES = 64 << 20  # 23 minutes of 24 kHz speech; as doubles four times as much


class Samples(NamedTuple):
    """All of one sound."""

    values: NDArray[np.float64]
    """(frames, channels), of integers divided by their full scale."""
    rate_hz: int
    least: float
    """The least sample of the format, of floats that of full scale."""
    greatest: float


def as_floats(raw: bytes, subtype: str, channels: int) -> NDArray[np.float64]:
    """Return PCM as (frames, channels) within ±1; integers arrive exactly, floats as they are."""
    import numpy as np

    form = FORMATS[subtype]
    if form.is_float:
        samples = np.frombuffer(raw, form.stored).astype(np.float64)
    elif form.stored is None:
        octets = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        shifted = np.zeros((len(octets), 4), np.uint8)
        shifted[:, 1:] = octets
        samples = shifted.view("<i4").reshape(-1) / 2.0**31
    elif subtype in {"alaw", "mulaw"}:
        samples = np.array(g711(subtype))[np.frombuffer(raw, form.stored)] / 2.0**15
    else:
        middle = 128 if subtype == "pcm_u8" else 0
        samples = (np.frombuffer(raw, form.stored).astype(np.int64) - middle) / 2.0 ** (8 * form.width - 1)
    return samples.reshape(-1, channels)


def as_stored(samples: NDArray[np.float64], subtype: str) -> bytes | None:
    """Return samples as `subtype` stores them, or None where it does not hold them all exactly.

    The inverse of `as_floats`; None also of A-law and mu-law, which have two codes of one value.
    """
    import numpy as np

    form = FORMATS[subtype]
    if subtype in {"alaw", "mulaw"}:
        return None
    if form.is_float:
        stored = samples.astype(form.stored)
        return stored.tobytes() if np.array_equal(stored.astype(np.float64), samples) else None
    full = 2.0 ** (8 * form.width - 1)
    scaled = samples * full
    is_within = scaled.min(initial=0) >= -full and scaled.max(initial=0) < full
    if not (is_within and np.array_equal(scaled, np.rint(scaled))):
        return None
    codes = scaled.astype(np.int64) + (128 if subtype == "pcm_u8" else 0)
    if form.stored is None:
        return codes.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return codes.astype(form.stored).tobytes()


def samples_of(pieces: Sequence[Piece], wave: riff.Riff | None) -> Samples | str:
    """Return the samples of a bare file, or in words why there are none: lossy, or too long to be held.

    Raises Damaged or TooLarge for a FLAC that does not decode.
    """
    if wave is not None:
        if wave.data.size > _LARGEST_PCM_BYTES:
            return f"more than {_LARGEST_PCM_BYTES} bytes of PCM"
        start, _ = wave.bare_pcm
        form = wave.format
        raw = JoinedSource(pieces).read_at(start, wave.frames * form.frame_bytes)
        return _held(raw, form.subtype, form.channels, form.sample_rate_hz)
    return _decoded(pieces)


def _decoded(pieces: Sequence[Piece]) -> Samples | str:
    import tempfile

    from ttsartifact.container.sound import facts_of

    with tempfile.TemporaryDirectory(prefix="ttsa-") as folder:
        path = os.path.join(folder, "pcm")
        facts = facts_of(pieces, pcm_to=path)
        if facts.bit_depth is None:
            return "lossy audio: its decoder decides the samples"
        with FileSource(path) as source:
            if source.size > _LARGEST_PCM_BYTES:
                return f"more than {_LARGEST_PCM_BYTES} bytes of PCM"
            raw = source.read_at(0, source.size)
        return _held(raw, facts.subtype, facts.channels, facts.sample_rate_hz)


def _held(raw: bytes, subtype: str, channels: int, rate_hz: int) -> Samples:
    least, greatest = _range(subtype)
    return Samples(as_floats(raw, subtype, channels), rate_hz, least, greatest)


def _range(subtype: str) -> tuple[float, float]:
    """Return the least and the greatest sample of a format."""
    if subtype in {"alaw", "mulaw"}:
        table = g711(subtype)
        return min(table) / 2.0**15, max(table) / 2.0**15
    form = FORMATS[subtype]
    return -1.0, 1.0 if form.is_float else 1 - 2.0 ** (1 - 8 * form.width)
