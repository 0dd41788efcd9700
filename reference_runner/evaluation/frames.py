"""What is measured of a clip, frame by frame: loudness-free spectrum, level, speech or not, and pitch.

Log-mel and pitch are those of `synthesis.hearing`: integers, the same on every machine. Frames are 16 ms apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.synthesis.hearing import LOG_BITS, cut_windows, log_mel, pitch_lags

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOUDNESS_RMS", "SPEECH_RANGE_DB", "Frames", "cosine_transform"]

LOUDNESS_RMS = 0.1
"""The speech of every clip is brought to this root mean square, full scale being 1, before its spectrum is taken."""
SPEECH_RANGE_DB = 30.0
"""A frame is speech when it lies less than this under the clip's 95th percentile."""
_LOUD_PERCENTILE = 95
_SILENCE = 1e-6


def cosine_transform(log_mels: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Return c0 to c(count - 1) (L, count) of log-mel frames (L, M).

    c_m = (2 / M) sum_j ln|mel_j| cos(pi m (j + 1/2) / M), so that ln|mel| is c0 / 2 + sum_m c_m cos(...).
    """
    bands = log_mels.shape[1]
    angles = np.pi * np.outer(np.arange(bands) + 0.5, np.arange(count)) / bands
    transformed: NDArray[np.float64] = np.asarray(log_mels, dtype=np.float64) @ (np.cos(angles) * (2.0 / bands))
    return transformed


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The analysis of one clip; every part is made when it is first asked for."""

    pcm: NDArray[np.int16]
    """16 kHz mono (S,)."""

    @cached_property
    def log_mel(self) -> NDArray[np.float64]:
        """Natural log of the mel magnitudes (L, 80) of the clip at LOUDNESS_RMS."""
        gain = LOUDNESS_RMS * 10.0 ** (-self.speech_level_db / 20.0)
        levelled = np.clip(np.rint(self.pcm * gain), -32_768, 32_767).astype(np.int16)
        return log_mel(levelled) * 2.0**-LOG_BITS

    @cached_property
    def level_db(self) -> NDArray[np.float64]:
        """Root mean square of each frame's window (L,), in dB relative to full scale."""
        windows = cut_windows(self.pcm, FEATURE_SETTINGS)
        levels: NDArray[np.float64] = 10.0 * np.log10((windows**2).mean(axis=1) / 32_768.0**2 + _SILENCE**2)
        return levels

    @cached_property
    def speech_level_db(self) -> float:
        """Root mean square over all frames of speech, in dB relative to full scale."""
        return float(10.0 * np.log10((10.0 ** (self.level_db[self.is_speech] / 10.0)).mean()))

    @cached_property
    def is_speech(self) -> NDArray[np.bool_]:
        """Whether each frame (L,) is within SPEECH_RANGE_DB of the loud ones."""
        return self.level_db > np.percentile(self.level_db, _LOUD_PERCENTILE) - SPEECH_RANGE_DB

    @cached_property
    def extent(self) -> slice:
        """From the first frame of speech to the last."""
        places = np.flatnonzero(self.is_speech)
        return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, len(self.is_speech))

    @property
    def speech_s(self) -> float:
        """The extent's length in seconds."""
        return (
            int(self.extent.stop - self.extent.start) * FEATURE_SETTINGS.hop_samples / FEATURE_SETTINGS.sample_rate_hz
        )

    @cached_property
    def pitch_semitones(self) -> NDArray[np.float64]:
        """12 log2(F0 / 1 Hz) of each frame (L,), nan where no pitch between 60 and 400 Hz is heard.

        The tracker is `synthesis.hearing.pitch_lags`: normalised autocorrelation of 64 ms under a Hann window, voiced
        above 0.5. A voiced frame then takes the median of the voiced ones among itself and two on each side.
        """
        lags = pitch_lags(self.pcm, FEATURE_SETTINGS)
        heard = lags > 0
        rate_hz = FEATURE_SETTINGS.sample_rate_hz
        semitones = np.where(heard, 12.0 * np.log2(rate_hz / np.where(heard, lags, 1.0)), np.nan)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(semitones, 2, constant_values=np.nan), 5)
        semitones[heard] = np.nanmedian(around[heard], axis=1)
        return semitones

    @cached_property
    def cepstra(self) -> NDArray[np.float64]:
        """Mel-cepstra c0 to c23 (L, 24)."""
        return cosine_transform(self.log_mel, 24)
