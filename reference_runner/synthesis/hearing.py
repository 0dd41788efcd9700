"""The log-mel and prosody of a reference clip by integers: what `model.features` means, the same on every machine.

Training hears through float64 transforms rounded to multiples of 2**-10; this gives the same multiples except where the
float64 value lay within rounding of a half step.  Both profiles use it, so that a clip's features never differ between
machines: sums are of integers, and what is not an integer passes single IEEE operations only.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.model.features import FEATURE_SETTINGS, FeatureSettings
from reference_runner.numerics.integers import round_shift
from reference_runner.numerics.tables import TURN_BITS, cosines, hann

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE_BITS = 24
FILTER_BITS = 14
MAGNITUDE_BITS = 34
"""A magnitude is an integer times 2**-MAGNITUDE_BITS, of samples within [-1, 1]."""
SAMPLE_BITS = 15
MEL_BITS = MAGNITUDE_BITS + FILTER_BITS
"""A mel magnitude is an integer times 2**-MEL_BITS."""
SQUARE_BITS = 25
LOG_STEPS = 20
PITCH_BITS = 3
"""Fraction bits that samples keep under the pitch window."""
LN2 = 0xB17217F
"""ln(2) * 2**28."""
FEATURE_GRID_BITS = 10
LOG_BITS = 16
"""A log-mel is an integer times 2**-LOG_BITS."""


def log_mel(pcm: np.ndarray, settings: FeatureSettings = FEATURE_SETTINGS) -> np.ndarray:
    """Return the log-mel (L, M) of int16 samples (S,) as int64 times 2**-16, each a multiple of 2**-10."""
    real, imaginary = transform_tables(settings)
    windows = cut_windows(pcm, settings)
    # 2**15 * 2**24 * 512: exact in float64, whatever the order.
    magnitude = _magnitude(np.rint(windows @ real).astype(np.int64), np.rint(windows @ imaginary).astype(np.int64))
    magnitude >>= SAMPLE_BITS + TABLE_BITS - MAGNITUDE_BITS
    mel = magnitude @ mel_filters(settings).T  # 2**43 * 2**14 * 2**4
    floor = int(Fraction(settings.mel_floor).limit_denominator(10**6) * (1 << MEL_BITS))
    return natural_log(np.maximum(mel, floor), MEL_BITS)


def cut_windows(pcm: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Cut samples (S,) into windows (L, W) as float64 integers, one a hop, zeros around the clip."""
    hop, width = settings.hop_samples, settings.window_samples
    margin = (width - hop) // 2
    short = -len(pcm) % hop
    padded = np.pad(pcm.astype(np.float64), (margin, margin + short))
    return np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]


@cache
def transform_tables(settings: FeatureSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return Hann-windowed cosines and sines (W, W // 2 + 1) as integers times 2**-24, in float64."""
    width = settings.window_samples
    turn = np.outer(np.arange(width), np.arange(width // 2 + 1)) % width
    window = hann(width)[:, None]
    cosine, sine = cosines(width)[turn], cosines(width)[(turn - width // 4) % width]
    shift = 2 * TURN_BITS - TABLE_BITS
    real, imaginary = (round_shift(window * table, shift).astype(np.float64) for table in (cosine, sine))
    return real, imaginary


@cache
def mel_filters(settings: FeatureSettings) -> np.ndarray:
    """Return triangular HTK-scale filters (M, W // 2 + 1) as integers times 2**-14.

    The scale's logarithm and power are `decimal`'s, which are correctly rounded everywhere.
    """
    with localcontext() as context:
        context.prec = 40
        highest = 2595 * (1 + Decimal(settings.mel_high_hz) / 700).log10()
        steps = [highest * i / (settings.mel_bands + 1) for i in range(settings.mel_bands + 2)]
        corners = [Fraction(700 * (Decimal(10) ** (step / 2595) - 1)) for step in steps]
    bins = settings.window_samples // 2 + 1
    table = np.zeros((settings.mel_bands, bins), np.int64)
    for band in range(settings.mel_bands):
        low, centre, high = corners[band : band + 3]
        for i in range(bins):
            frequency = Fraction(i * settings.sample_rate_hz, settings.window_samples)
            if low < frequency < high:
                slope = (
                    (frequency - low) / (centre - low) if frequency <= centre else (high - frequency) / (high - centre)
                )
                table[band, i] = round(slope * (1 << FILTER_BITS))
    return table


def prosody(pcm: np.ndarray, settings: FeatureSettings = FEATURE_SETTINGS) -> np.ndarray:
    """Return relative pitch in octaves, voicing and log energy (L, 3) of int16 samples, multiples of 2**-10."""
    lag = pitch_lags(pcm, settings)
    voiced = lag > 0
    octaves = np.zeros(len(lag))
    if voiced.any():
        # log2 of the pitch relative to its median: of the lags' 24-bit fractions, the other way round.
        logs = np.zeros(len(lag), np.int64)
        logs[voiced] = log2_digits(np.rint(lag[voiced] * (1 << 24)).astype(np.int64))
        middle = int(np.sort(logs[voiced])[(voiced.sum() - 1) // 2] + np.sort(logs[voiced])[voiced.sum() // 2])
        octaves[voiced] = (middle - 2 * logs[voiced]) * 2.0 ** -(LOG_STEPS + 1)
    squares = (cut_windows(pcm, settings) ** 2).sum(axis=1).astype(np.int64)  # 2**30 * 1024
    bits = 2 * SAMPLE_BITS + settings.window_samples.bit_length() - 1
    floor = (1 << bits) // 100_000_000
    halved = (log2_digits(squares + floor) - (bits << LOG_STEPS)) * LN2  # ln(power) / 2 = ln(amplitude)
    energy = round_shift(halved, LOG_STEPS + 29 - FEATURE_GRID_BITS) * 2.0**-FEATURE_GRID_BITS
    features = np.stack([octaves, voiced.astype(np.float64), energy], axis=1)
    snapped: NDArray[np.float64] = np.rint(features * (1 << FEATURE_GRID_BITS)) * 2.0**-FEATURE_GRID_BITS
    return snapped


def pitch_lags(pcm: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Return the lag of each frame in samples with its parabolic fraction (L,), 0 where no pitch is heard."""
    windows = cut_windows(pcm, settings)
    width = settings.window_samples
    window = hann(width)
    mean = windows.sum(axis=1, keepdims=True) / float(width)  # exact: a sum of integers over a power of two
    shaped = np.rint((windows - mean) * (window * 2.0 ** (PITCH_BITS - TURN_BITS)))
    shortest = int(settings.sample_rate_hz / settings.f0_high_hz)
    longest = int(settings.sample_rate_hz / settings.f0_low_hz)
    lags = np.arange(shortest - 1, longest + 2)
    # 2**18 * 2**18 * 1024: exact in float64 in any order; so are the window's own, from 15-bit integers.
    correlation = np.stack([(shaped[:, : width - lag] * shaped[:, lag:]).sum(axis=1) for lag in lags], axis=1)
    energy = (shaped * shaped).sum(axis=1, keepdims=True)
    coarse = np.rint(window * 2.0 ** (SAMPLE_BITS - TURN_BITS))
    own = np.array([(coarse[: width - lag] * coarse[lag:]).sum() for lag in lags]) / (coarse * coarse).sum()
    least = 1e-9 * (1 << 2 * (SAMPLE_BITS + PITCH_BITS))
    normalised = correlation / np.maximum(energy, least) / own
    weighted = normalised[:, 1:-1] * (1.0 - 0.1 * (lags[1:-1] / longest))
    best = weighted.argmax(axis=1)
    rows = np.arange(len(best))
    left, middle, right = normalised[rows, best], normalised[rows, best + 1], normalised[rows, best + 2]
    curvature = left - 2.0 * middle + right
    bent = np.abs(curvature) > 1e-9
    shift = np.where(bent, 0.5 * (left - right) / np.where(bent, curvature, 1.0), 0.0)
    loud = energy[:, 0] > 1e-3 * (1 << 2 * (SAMPLE_BITS + PITCH_BITS))
    return np.where((middle > settings.voicing_threshold) & loud, best + shortest + np.clip(shift, -0.5, 0.5), 0.0)


def _magnitude(real: NDArray[np.int64], imaginary: NDArray[np.int64]) -> NDArray[np.int64]:
    """sqrt(re**2 + im**2) of int64 arrays, to 25 significant bits, rounded down."""
    peak = np.maximum(np.abs(real), np.abs(imaginary))
    shift = np.maximum(bit_length(peak) - SQUARE_BITS, 0)
    square = (real >> shift) ** 2 + (imaginary >> shift) ** 2
    # Any start within a few units will do: the comparisons with the squares decide.
    root = np.sqrt(square.astype(np.float64)).astype(np.int64)
    for _ in range(2):
        root = root - (root * root > square)
        root = root + ((root + 1) * (root + 1) <= square)
    return root << shift


def bit_length(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of bits of non-negative int64 values."""
    bits = np.zeros(x.shape, np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        larger = (x >> (bits + step)) > 0
        bits = bits + np.where(larger, step, 0)
    return bits + (x > 0)


def natural_log(x: NDArray[np.int64], fraction_bits: int) -> NDArray[np.int64]:
    """Return ln(x * 2**-fraction_bits) of positive int64 as int64 times 2**-16, rounded to multiples of 2**-10."""
    log2 = log2_digits(x) - (fraction_bits << LOG_STEPS)
    grid = round_shift(log2 * LN2, LOG_STEPS + 28 - FEATURE_GRID_BITS)
    return grid << (LOG_BITS - FEATURE_GRID_BITS)


def log2_digits(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return log2(x) of positive int64 as int64 times 2**-20, digit by digit.

    Each digit is one squaring of a 25-bit fraction.
    """
    length = bit_length(x)
    up = np.maximum(SQUARE_BITS + 1 - length, 0)
    mantissa = (x << up) >> np.maximum(length - SQUARE_BITS - 1, 0)  # within [1, 2) times 2**25
    digits = np.zeros_like(x)
    for _ in range(LOG_STEPS):
        mantissa = mantissa * mantissa >> SQUARE_BITS
        two = mantissa >> (SQUARE_BITS + 1)
        mantissa = mantissa >> two
        digits = digits * 2 + two
    return ((length - 1) << LOG_STEPS) + digits
