"""All randomness of a run: counted, keyed, integer, and indexed by what it is for.

A stream is keyed by sha256 over (run seed, stage name).  Word i of a stream is SplitMix64's output i for that key, so
any word is reached without the ones before it, and a streamed, a whole and a batched run see the same noise.  A
normal-like value is the sum of twelve 16-bit uniforms (Irwin-Hall), three words a value: an integer times 2**-16, exact
in float32 and on every grid.  A choice among classes adds Gumbel-like values, whose logarithms are taken in integers.
No distribution of any library is used; libraries promise none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner import digests

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
FIRST_MULTIPLIER = 0xBF58476D1CE4E5B9
SECOND_MULTIPLIER = 0x94D049BB133111EB
DOMAIN = b"ttsartifact reference runner noise 1"

UNIFORMS_PER_VALUE = 12
UNIFORMS_PER_WORD = 4
WORDS_PER_VALUE = UNIFORMS_PER_VALUE // UNIFORMS_PER_WORD
FRACTION_BITS = 16
"""A value is an integer times 2**-FRACTION_BITS."""
MEAN = UNIFORMS_PER_VALUE * 65_535 // 2
"""The integer taken off the sum; values lie within +-MEAN * 2**-16, just under 6 standard deviations."""

SEED_LIMIT = 1 << 64

_LOG_BITS = 28
_LEAST_SURPRISE = 1 << (_LOG_BITS - 20)
"""2**-20: no value is more than 20 doublings above the median's side; what is rarer than one in a million is cut."""
_LN2 = 45_426
"""round(2**16 ln 2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One stream of noise; two streams with equal fields give equal words on every machine."""

    seed: int
    stage: str
    """What the noise is for, "mel" for instance; part of the key, so that stages never share words."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEED_LIMIT:
            raise ValueError(f"a seed is within 0..2**64-1, got {self.seed}")

    @property
    def key(self) -> int:
        """The 64-bit SplitMix64 state before the first word."""
        parts = [DOMAIN, str(self.seed).encode("ascii"), self.stage.encode("utf-8")]
        return int.from_bytes(hashlib.sha256(b"\n".join(parts)).digest()[:8], "little")

    def words(self, first: int, count: int) -> np.ndarray:
        """Words first .. first + count - 1 as uint64 (count,)."""
        return splitmix64(self.key, first, count)

    def values(self, first_frame: int, frames: int, channels: int) -> NDArray[np.int64]:
        """Normal-like integers times 2**-16, int64 (frames, channels), of frames first_frame onwards."""
        per_frame = channels * WORDS_PER_VALUE
        words = self.words(first_frame * per_frame, frames * per_frame)
        uniforms = words.reshape(-1, 1) >> np.arange(0, 64, 16, dtype=np.uint64) & np.uint64(0xFFFF)
        sums: NDArray[np.int64] = uniforms.astype(np.int64).reshape(frames, channels, UNIFORMS_PER_VALUE).sum(2)
        return sums - MEAN

    def choices(self, first: int, count: int, classes: int) -> NDArray[np.int64]:
        """Gumbel-like integers times 2**-16, int64 (count, classes), of decisions first .. first + count - 1.

        The class whose logit plus value is greatest is drawn with the probability that the logits say (Gumbel 1954):
        a value is -ln(-log2 u) of a 32-bit u, that is Gumbel's up to a constant that all classes share.
        """
        uniforms = self.words(first * classes, count * classes) >> np.uint64(32)
        surprise = (np.int64(33) << _LOG_BITS) - _log2(uniforms * np.uint64(2) + np.uint64(1))
        doublings = _log2(np.maximum(surprise, _LEAST_SURPRISE).astype(np.uint64)) - (np.int64(_LOG_BITS) << _LOG_BITS)
        return (-(doublings * _LN2) >> _LOG_BITS).reshape(count, classes)


def _log2(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the binary logarithm of integers 1 .. 2**52 times 2**28, bit after bit by squaring, in integers."""
    whole = np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1
    mantissa = values << np.maximum(31 - whole, 0).astype(np.uint64) >> np.maximum(whole - 31, 0).astype(np.uint64)
    found = whole
    for _ in range(_LOG_BITS):
        mantissa = mantissa * mantissa >> np.uint64(31)
        bit = mantissa >> np.uint64(32)
        mantissa = mantissa >> bit
        found = (found << 1) + bit.astype(np.int64)
    return found


def splitmix64(state: int, first: int, count: int) -> np.ndarray:
    """Return outputs first .. first + count - 1 of SplitMix64 (Steele, Lea, Flood 2014) from a state, as uint64."""
    index = np.arange(count, dtype=np.uint64)
    start = np.uint64((state + GOLDEN_GAMMA * (first + 1)) % SEED_LIMIT)
    z = start + index * np.uint64(GOLDEN_GAMMA)  # uint64 arrays wrap, which is the definition
    z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST_MULTIPLIER)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND_MULTIPLIER)
    return z ^ (z >> np.uint64(31))


def digest(values: np.ndarray) -> str:
    """sha256 of integers as little-endian int32: stage 0 of a run."""
    return digests.of_bytes(np.ascontiguousarray(values, dtype="<i4").tobytes())
