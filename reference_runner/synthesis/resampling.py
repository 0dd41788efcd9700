"""Any sample rate to any other by integers alone: a polyphase windowed sinc whose taps are integers.

With rates from and to, divided by their common divisor into M and L, output n is the sum over k of x[k] h[n M - k L].
h is a sinc cut at 0.94 of the narrower Nyquist frequency, Hann-windowed over 24 of its zero crossings to each side,
each phase normalised to sum to exactly 2**TAP_BITS so that a constant stays itself.  Samples have at most 24 bits,
so every sum stays under 2**53 and float64 products carry it exactly.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np

from reference_runner.numerics.integers import round_shift
from reference_runner.numerics.tables import TURN_BITS, sine_of_turn

TAP_BITS = 22
SAMPLE_BITS = 24
ZERO_CROSSINGS = 24
CUT = Fraction(47, 50)
"""Of the narrower Nyquist frequency."""
PHASES_MAXIMUM = 2_000
"""Rates whose reduced ratio needs more phases (say 44,101 Hz) are refused: their table would be as long as a song."""


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Bring samples int64 (S,) within 24 bits at from_hz to int64 (ceil(S * to_hz / from_hz),) at to_hz."""
    if from_hz == to_hz or not len(samples):
        return samples.astype(np.int64)
    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    if up > PHASES_MAXIMUM:
        raise ValueError(f"resampling {from_hz} Hz to {to_hz} Hz needs {up} phases, at most {PHASES_MAXIMUM}")
    taps = phases(up, down)
    reach = taps.shape[1] // 2
    count = -(-len(samples) * up // down)
    place = np.arange(count, dtype=np.int64) * down
    centre, phase = place // up, place % up
    padded = np.pad(samples.astype(np.float64), (reach, reach + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape[1])
    out = np.empty(count, np.int64)
    for p in range(up):
        chosen = np.flatnonzero(phase == p)
        sums = windows[np.minimum(centre[chosen], len(windows) - 1)] @ taps[p].astype(np.float64)
        out[chosen] = round_shift(sums.astype(np.int64), TAP_BITS)
    return np.clip(out, -(1 << (SAMPLE_BITS - 1)), (1 << (SAMPLE_BITS - 1)) - 1)


@lru_cache(maxsize=4)
def phases(up: int, down: int) -> np.ndarray:
    """Taps int64 (up, W): row p holds h at the input samples around an output that lies p / up after one."""
    narrow = Fraction(min(up, down), down) * CUT  # the cut as a fraction of the input's Nyquist frequency
    reach = -(-ZERO_CROSSINGS * narrow.denominator // narrow.numerator)
    table = np.zeros((up, 2 * reach + 1), np.int64)
    for p in range(up):
        row = [_tap(Fraction(p, up) - k, narrow, reach) for k in range(-reach, reach + 1)]
        total = sum(row)
        taps = [((value << TAP_BITS) * 2 + total) // (2 * total) for value in row]
        taps[reach] += (1 << TAP_BITS) - sum(taps)
        table[p] = taps
    return table


def _tap(distance: Fraction, narrow: Fraction, reach: int) -> int:
    """Hann-windowed sinc at a distance in input samples, * 2**TURN_BITS."""
    if abs(distance) >= reach:
        return 0
    window = (1 << TURN_BITS) + sine_of_turn(distance / (2 * reach) + Fraction(1, 4))
    if not distance:
        return window >> 1
    # sin(pi narrow d) / (pi narrow d), 1 / pi as an integer over 2**40.
    x = narrow * distance
    sinc = sine_of_turn(x / 2) * 0x517CC1B727 * x.denominator // (x.numerator << 40)
    return sinc * window >> (TURN_BITS + 1)
