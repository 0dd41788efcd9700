"""What the model hears: log-mel frames and prosody features of a waveform.

Everything is computed in float64 and rounded to multiples of 2**-10, so that two machines whose float64 transforms
differ in the last bit hand the same numbers to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FEATURE_SETTINGS", "PROSODY_CHANNELS", "FeatureSettings", "frame_count", "fundamental_hz", "log_mel",
    "mel_filters", "pad_to_frames", "prosody",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSettings:
    """The analysis: 16 ms frames at 16 kHz, frame i centred on samples i * hop to (i + 1) * hop."""

    sample_rate_hz: int = 16_000
    window_samples: int = 1024
    hop_samples: int = 256
    mel_bands: int = 80
    mel_high_hz: float = 8_000.0
    mel_floor: float = 1e-4
    f0_low_hz: float = 60.0
    f0_high_hz: float = 400.0
    voicing_threshold: float = 0.5


FEATURE_SETTINGS = FeatureSettings()

PROSODY_CHANNELS = 3
"""log2 F0 relative to the utterance's median (0 when unvoiced), voicing (0 or 1), log energy."""

_GRID = 2.0**-10


def frame_count(samples: int, settings: FeatureSettings = FEATURE_SETTINGS) -> int:
    """Return how many frames cover this many samples; the last one may be padded."""
    return -(-samples // settings.hop_samples)


def pad_to_frames(waveform: NDArray[np.floating], settings: FeatureSettings = FEATURE_SETTINGS) -> NDArray[np.float64]:
    """Pad a waveform (S,) with zeros to a whole number of hops."""
    total = frame_count(len(waveform), settings) * settings.hop_samples
    return np.pad(np.asarray(waveform, dtype=np.float64), (0, total - len(waveform)))


def _windows(waveform: NDArray[np.floating], settings: FeatureSettings) -> NDArray[np.float64]:
    """Cut a waveform (S,) into overlapping windows (L, W)."""
    margin = (settings.window_samples - settings.hop_samples) // 2
    padded = np.pad(pad_to_frames(waveform, settings), margin)
    return np.lib.stride_tricks.sliding_window_view(padded, settings.window_samples)[:: settings.hop_samples]


@cache
def _hann(length: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@cache
def mel_filters(settings: FeatureSettings = FEATURE_SETTINGS) -> NDArray[np.float64]:
    """Return triangular HTK-scale filters (M, W // 2 + 1), each of height one."""
    frequencies = np.linspace(0.0, settings.sample_rate_hz / 2, settings.window_samples // 2 + 1)
    mel_high = 2595.0 * np.log10(1.0 + settings.mel_high_hz / 700.0)
    corners = 700.0 * (10.0 ** (np.linspace(0.0, mel_high, settings.mel_bands + 2) / 2595.0) - 1.0)
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (frequencies - low) / (centre - low)
    falling = (high - frequencies) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def log_mel(waveform: NDArray[np.floating], settings: FeatureSettings = FEATURE_SETTINGS) -> NDArray[np.float64]:
    """Return the natural log of the mel magnitudes (L, M) of a waveform (S,) within [-1, 1]."""
    magnitudes = np.abs(np.fft.rfft(_windows(waveform, settings) * _hann(settings.window_samples)))
    mel = np.maximum(magnitudes @ mel_filters(settings).T, settings.mel_floor)
    return np.round(np.log(mel) / _GRID) * _GRID


def fundamental_hz(waveform: NDArray[np.floating], settings: FeatureSettings = FEATURE_SETTINGS) -> NDArray[np.float64]:
    """Return the fundamental frequency (L,) of each frame, 0 where none is heard (normalised autocorrelation)."""
    window = _hann(settings.window_samples)
    windows = _windows(waveform, settings)
    windows = (windows - windows.mean(axis=1, keepdims=True)) * window
    transform_length = 2 * settings.window_samples
    spectrum = np.abs(np.fft.rfft(windows, transform_length)) ** 2
    correlation = np.fft.irfft(spectrum)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, transform_length)) ** 2)
    shortest = int(settings.sample_rate_hz / settings.f0_high_hz)
    longest = int(settings.sample_rate_hz / settings.f0_low_hz)
    energy = correlation[:, :1]
    lags = np.arange(shortest - 1, longest + 2)
    normalised = correlation[:, lags] / np.maximum(energy, 1e-9) / (own[lags] / own[0])
    # A slight preference for short lags keeps the estimate from falling an octave.
    weighted = normalised[:, 1:-1] * (1.0 - 0.1 * (lags[1:-1] / longest))
    best = weighted.argmax(axis=1)
    rows = np.arange(len(best))
    left, middle, right = normalised[rows, best], normalised[rows, best + 1], normalised[rows, best + 2]
    curvature = left - 2.0 * middle + right
    shift = np.where(np.abs(curvature) > 1e-9, 0.5 * (left - right) / np.where(curvature == 0, 1.0, curvature), 0.0)
    lag = best + shortest + np.clip(shift, -0.5, 0.5)
    voiced = (middle > settings.voicing_threshold) & (energy[:, 0] > 1e-3)
    return np.where(voiced, settings.sample_rate_hz / lag, 0.0)


def prosody(waveform: NDArray[np.floating], settings: FeatureSettings = FEATURE_SETTINGS) -> NDArray[np.float64]:
    """Return relative pitch in octaves, voicing and log energy (L, 3) of a waveform (S,)."""
    f0_hz = fundamental_hz(waveform, settings)
    voiced = f0_hz > 0
    octaves = np.zeros(len(f0_hz))
    if voiced.any():
        octaves[voiced] = np.log2(f0_hz[voiced] / np.median(f0_hz[voiced]))
    power = np.mean(_windows(waveform, settings) ** 2, axis=1)
    features = np.stack([octaves, voiced.astype(np.float64), 0.5 * np.log(power + 1e-8)], axis=1)
    return np.round(features / _GRID) * _GRID
