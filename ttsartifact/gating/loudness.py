"""Integrated loudness by ITU-R BS.1770-4, of one or two channels.

The filters are those of its tables 1 and 2, which are given for 48 kHz, as the bilinear transforms of the analog
filters that give these tables; other rates then follow. Their response dies within a fraction of a second, so that it
is applied as a convolution.
"""

from __future__ import annotations

from math import log10, pi, tan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["biquads", "integrated"]

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691
_RESPONSE_SECONDS = 0.5  # the double pole at 38 Hz has fallen below 10^-50 by then
_MOST_CHANNELS = 2


def biquads(rate_hz: int) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]:
    """Return numerator and denominator of both filters of the K weighting: the shelf of the head, and the high pass."""
    k, q, gain = tan(pi * 1681.974450955533 / rate_hz), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    bend, whole = gain**0.4996667741545416, 1 + k / q + k * k
    shelf = (
        tuple(x / whole for x in (gain + bend * k / q + k * k, 2 * (k * k - gain), gain - bend * k / q + k * k)),
        (1.0, 2 * (k * k - 1) / whole, (1 - k / q + k * k) / whole),
    )
    k, q = tan(pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    whole = 1 + k / q + k * k
    return shelf, ((1.0, -2.0, 1.0), (1.0, 2 * (k * k - 1) / whole, (1 - k / q + k * k) / whole))


def integrated(samples: NDArray[np.float64], rate_hz: int) -> float | None:
    """Return the loudness in LUFS of (frames, channels) within ±1; None where no block of 400 ms passes the gates.

    Raises ValueError for more than two channels, whose weights follow from positions that are not stated.
    """
    import numpy as np

    if samples.shape[1] > _MOST_CHANNELS:
        raise ValueError("loudness is defined here for one or two channels")
    power = sum(_weighted(samples[:, place], rate_hz) ** 2 for place in range(samples.shape[1]))
    block, step = 4 * rate_hz // 10, rate_hz / 10
    starts = [int(step * n) for n in range(max(0, int((len(samples) - block) / step) + 1))]
    if not starts:
        return None
    sums = np.concatenate(([0.0], np.cumsum(power)))
    blocks = np.array([(sums[start + block] - sums[start]) / block for start in starts])
    loud = blocks[blocks > _power(_ABSOLUTE_GATE)]
    if not len(loud):
        return None
    kept = loud[loud > _power(_loudness(float(loud.mean())) + _RELATIVE_GATE)]
    return _loudness(float(kept.mean()))


def _loudness(power: float) -> float:
    return _OFFSET + 10 * log10(power)


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def _weighted(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return one channel through both filters."""
    import numpy as np

    response = np.array(_response(rate_hz))
    size = 1 << (len(samples) + len(response) - 1).bit_length()
    found = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
    return np.asarray(found, np.float64)


def _response(rate_hz: int) -> list[float]:
    """Return what both filters make of a single sample of 1 (direct form I)."""
    signal = [1.0] + [0.0] * (int(_RESPONSE_SECONDS * rate_hz) - 1)
    for (b0, b1, b2), (_, a1, a2) in biquads(rate_hz):
        x1 = x2 = y1 = y2 = 0.0
        made = []
        for x in signal:
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x, x1, y, y1
            made.append(y)
        signal = made
    return signal
