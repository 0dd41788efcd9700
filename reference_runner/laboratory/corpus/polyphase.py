"""Resampling by a ratio of small integers, as one product of matrices."""

from __future__ import annotations

from functools import cache
from math import ceil, gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["change_rate"]

_ZERO_CROSSINGS = 24
_CUT = 0.94
"""Of the narrower Nyquist frequency."""


def change_rate(waveform: NDArray[np.floating], up: int, down: int) -> NDArray[np.float64]:
    """Return a waveform (S,) at up / down times its rate: a windowed sinc, ceil(S * up / down) samples."""
    divisor = gcd(up, down)
    up, down = up // divisor, down // divisor
    if up == down:
        return np.asarray(waveform, dtype=np.float64)
    table, reach = _band(up, down)
    count = -(-len(waveform) * up // down)
    blocks = -(-count // up)
    padded = np.zeros(blocks * down + 2 * reach)
    padded[reach : reach + len(waveform)] = waveform
    rows = np.lib.stride_tricks.sliding_window_view(padded, table.shape[0])[::down][:blocks]
    resampled: NDArray[np.float64] = (rows @ table).reshape(-1)[:count]
    return resampled


@cache
def _band(up: int, down: int) -> tuple[NDArray[np.float64], int]:
    """Return the matrix (down + 2 * reach, up) from a stretch of input to its `up` outputs, and its reach."""
    cut = _CUT * min(1.0, up / down)
    reach = ceil(_ZERO_CROSSINGS / cut)
    distance = np.arange(-reach, down + reach)[:, None] - (np.arange(up) * down / up)[None, :]
    window = np.where(np.abs(distance) < reach, np.cos(np.pi * distance / (2 * reach)) ** 2, 0.0)
    table = np.sinc(cut * distance) * window
    return table / table.sum(axis=0), reach
