"""How far two waveforms are apart in spectrum, at several resolutions."""

from __future__ import annotations

from functools import cache

import torch

from reference_runner.model.features import FEATURE_SETTINGS, mel_filters

__all__ = ["log_mel_distance", "multi_resolution_distance"]

_RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32))
"""(window, hop) in samples."""


@cache
def _window(samples: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(samples, device=device)


@cache
def _mel_filters(device: torch.device) -> torch.Tensor:
    return torch.tensor(mel_filters(), dtype=torch.float32, device=device)


def _magnitudes(waveform: torch.Tensor, window: int, hop: int) -> torch.Tensor:
    """(B, S) to magnitudes (B, bins, frames); the root is kept away from zero for its gradient."""
    shape = _window(window, waveform.device)
    spectrum = torch.stft(waveform, window, hop, window, shape, center=False, return_complex=True)
    return torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-7)


def multi_resolution_distance(truth: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Spectral convergence plus mean log distance of two waveforms (B, S), averaged over resolutions."""
    total = truth.new_zeros(())
    for window, hop in _RESOLUTIONS:
        magnitude, other = _magnitudes(truth, window, hop), _magnitudes(made, window, hop)
        convergence = (magnitude - other).norm() / magnitude.norm()
        total = total + convergence + (magnitude.log() - other.log()).abs().mean()
    return total / len(_RESOLUTIONS)


def log_mel_distance(truth: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Mean absolute distance of the log-mel frames of two waveforms (B, S)."""
    window, hop = FEATURE_SETTINGS.window_samples, FEATURE_SETTINGS.hop_samples
    first, second = (
        (_mel_filters(waveform.device) @ _magnitudes(waveform, window, hop)).clamp(min=FEATURE_SETTINGS.mel_floor).log()
        for waveform in (truth, made)
    )
    return (first - second).abs().mean()
