"""The longest stretch of samples that an audio holds twice: what a synthesiser that fell into a loop leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["longest_repeat"]

_BASE = 0x9E37_79B9_7F4A_7C15  # odd, so that it has an inverse modulo 2^64


def longest_repeat(samples: NDArray[np.float64], quiet: float) -> int:
    """Return the most frames in a row that lie twice in (frames, channels) without overlap, not all below `quiet`.

    If a stretch repeats, so do its two parts that are shorter by a frame, of which one is not quiet; therefore the
    length is found by bisection. Stretches of one length are found by a rolling hash, and compared sample by sample.
    """
    import numpy as np

    codes: NDArray[Any] = np.ascontiguousarray(samples + 0.0).view(np.uint64)  # + 0.0: both zeros are one sample
    frames = len(samples)
    powers = _powers(_BASE, frames)
    folded = (codes ^ (codes >> np.uint64(29))) * _powers(0xD134_2543_DE82_EF95, codes.shape[1])[None, :]
    sums = _running(folded.sum(axis=1, dtype=np.uint64) * powers)
    loud = _running((np.abs(samples).max(axis=1) >= quiet).astype(np.uint64))
    inverse = _powers(pow(_BASE, -1, 1 << 64), frames)
    low, high = 0, frames // 2
    while low < high:
        length = (low + high + 1) // 2
        hashes = (sums[length:] - sums[:-length]) * inverse[: frames - length + 1]
        heard = loud[length:] > loud[:-length]
        if _lies_twice(codes, hashes, heard, length):
            low = length
        else:
            high = length - 1
    return low


def _lies_twice(codes: NDArray[Any], hashes: NDArray[Any], heard: NDArray[Any], length: int) -> bool:
    """Return whether two stretches of one hash that do not overlap are equal."""
    import numpy as np

    places = np.flatnonzero(heard)
    order = places[np.argsort(hashes[places], kind="stable")]
    if not len(order):
        return False
    begins = np.flatnonzero(np.concatenate(([True], np.diff(hashes[order]) != 0)))
    ends = np.concatenate((begins[1:], [len(order)])) - 1
    first, last = order[begins], order[ends]
    for one, other in zip(first[last - first >= length], last[last - first >= length], strict=True):
        if np.array_equal(codes[one : one + length], codes[other : other + length]):
            return True
    return False


def _powers(base: int, count: int) -> NDArray[Any]:
    import numpy as np

    each = np.full(count, base, np.uint64)
    each[:1] = 1
    return np.multiply.accumulate(each)


def _running(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.concatenate((np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)))
