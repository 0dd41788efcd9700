"""Portable keys: a stream of 64-bit numbers from nothing but a seed, many at once (clause 10.9).

SplitMix64 (Steele, Lea, Flood 2014) at consecutive counters: additions, multiplications and shifts modulo 2^64, which
give the same numbers in every language. numpy's own generators may change between versions (NEP 19).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["indices", "keys", "seed_of"]

_GAMMA = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def seed_of(*words: str) -> int:
    """Return the seed of a stream: the first eight bytes of a SHA-256 over its words, big-endian."""
    return int.from_bytes(hashlib.sha256("\0".join(("ttsa-keys/1", *words)).encode()).digest()[:8], "big")


def keys(seed: int, rows: int, columns: int) -> NDArray[np.uint64]:
    """Return `rows` times `columns` keys, row by row: outputs 1, 2, 3 ... of SplitMix64 of this seed.

    >>> int(keys(0, 1, 1)[0, 0]) == 0xE220A8397B1DCDAF
    True
    """
    import numpy as np

    counter = np.arange(1, rows * columns + 1, dtype=np.uint64)
    word: Any = np.uint64(seed) + counter * np.uint64(_GAMMA)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_FIRST)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_SECOND)
    mixed: NDArray[np.uint64] = (word ^ (word >> np.uint64(31))).reshape(rows, columns)
    return mixed


def indices(found: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """Return of each key an index below `count`: its upper 32 bits times `count`, over 2^32."""
    import numpy as np

    chosen: NDArray[np.int64] = ((found >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
    return chosen
