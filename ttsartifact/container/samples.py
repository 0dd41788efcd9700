"""The sample formats of lossless audio: how wide each is, and what its codes mean (clause 8.3, ITU-T G.711)."""

from __future__ import annotations

from functools import cache
from typing import Final

from ttsartifact._starting import NamedTuple

__all__ = ["FORMATS", "SampleFormat", "g711"]


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
