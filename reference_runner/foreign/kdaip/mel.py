"""The log-mel frames that the published weights were trained on: 44.1 kHz, 128 bands of Slaney's scale and norm."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

__all__ = ["HOP_SAMPLES", "MEL_BANDS", "SAMPLE_RATE_HZ", "WINDOW_SAMPLES", "log_mel", "mel_filters"]

SAMPLE_RATE_HZ = 44_100
WINDOW_SAMPLES = 2_048
HOP_SAMPLES = 512
MEL_BANDS = 128
LEAST_MAGNITUDE = 1e-5
_POWER_FLOOR = 1e-6
# Slaney's scale: linear below 1 kHz, 27 steps to a factor of 6.4 above.
_LINEAR_HZ, _HZ_PER_MEL = 1_000.0, 200.0 / 3
_LOG_STEP = np.log(6.4) / 27


def log_mel(samples: torch.Tensor, bands: int = MEL_BANDS) -> torch.Tensor:
    """Bring samples (B, S) within [-1, 1] to log-mel frames (B, M, S // hop)."""
    margin = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    padded = functional.pad(samples.unsqueeze(1), (margin, margin), "reflect").squeeze(1)
    window = torch.hann_window(WINDOW_SAMPLES, device=samples.device)
    spectrum = torch.stft(padded, WINDOW_SAMPLES, HOP_SAMPLES, window=window, center=False, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + _POWER_FLOOR).sqrt()
    return (mel_filters(bands).to(samples.device) @ magnitude).clamp(min=LEAST_MAGNITUDE).log()


def mel_filters(bands: int = MEL_BANDS) -> torch.Tensor:
    """Return (M, bins): triangles between neighbouring centres, each of the same area."""
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ // 2, WINDOW_SAMPLES // 2 + 1)
    corners_hz = _to_hz(np.linspace(0, _to_mel(SAMPLE_RATE_HZ / 2), bands + 2))
    width = np.diff(corners_hz)
    distance = corners_hz[:, None] - bins_hz
    rising, falling = -distance[:-2] / width[:-1, None], distance[2:] / width[1:, None]
    area = 2 / (corners_hz[2:] - corners_hz[:-2])
    return torch.from_numpy((np.clip(np.minimum(rising, falling), 0, None) * area[:, None]).astype(np.float32))


def _to_mel(hz: float) -> float:
    return (
        hz / _HZ_PER_MEL if hz < _LINEAR_HZ else _LINEAR_HZ / _HZ_PER_MEL + float(np.log(hz / _LINEAR_HZ) / _LOG_STEP)
    )


def _to_hz(mel: np.ndarray) -> np.ndarray:
    above = mel - _LINEAR_HZ / _HZ_PER_MEL
    return np.where(above < 0, mel * _HZ_PER_MEL, _LINEAR_HZ * np.exp(np.clip(above, 0, None) * _LOG_STEP))
