"""The vocoder: log-mel frames to a waveform, by predicted spectra and a fixed inverse-transform table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from reference_runner.model.blocks import ConvNextBlock, Convolution, LayerNorm, Linear
from reference_runner.model.features import FEATURE_SETTINGS

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["Vocoder", "synthesis_table"]

SPECTRUM_UNIT = 16.0
"""The network speaks in spectra divided by this, so that the loudest bin stays well below saturation."""

LOG_MAGNITUDE_LIMIT = 4.0


def synthesis_table() -> np.ndarray:
    """Return (W, 2 * bins): the windowed inverse DFT of (real parts, imaginary parts), scaled for overlap-add."""
    window_samples, hop_samples = FEATURE_SETTINGS.window_samples, FEATURE_SETTINGS.hop_samples
    bins = window_samples // 2 + 1
    angle = 2 * np.pi * np.outer(np.arange(window_samples), np.arange(bins)) / window_samples
    weight = np.full(bins, 2.0)
    weight[[0, -1]] = 1.0
    real, imaginary = np.cos(angle) * weight, -np.sin(angle) * weight
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_samples) / window_samples)
    overlap = (window**2).sum() / hop_samples
    table = np.concatenate([real, imaginary], axis=1) * (window / (window_samples * overlap))[:, None]
    return table * SPECTRUM_UNIT


class Vocoder(nn.Module):
    """ConvNeXt blocks at frame rate, a magnitude and a direction for every bin, overlap-add."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.vocoder_channels
        bins = FEATURE_SETTINGS.window_samples // 2 + 1
        self.input = Convolution(FEATURE_SETTINGS.mel_bands, channels, config.frame_kernel)
        self.blocks = nn.ModuleList(
            [ConvNextBlock(channels, config.frame_kernel) for _ in range(config.vocoder_blocks)]
        )
        self.norm = LayerNorm(channels)
        self.log_magnitude = Linear(channels, bins)
        self.direction = Linear(channels, 2 * bins)
        nn.init.constant_(self.log_magnitude.bias, -3.0)
        self.register_buffer("table", torch.tensor(synthesis_table(), dtype=torch.float32))

    def forward(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Normalised log-mel (B, L, M) to samples (B, L * hop)."""
        frames = ops.linear(self.spectra(ops, mel, mask), self.table)
        waveform = ops.overlap_add(frames, FEATURE_SETTINGS.hop_samples)
        margin = (FEATURE_SETTINGS.window_samples - FEATURE_SETTINGS.hop_samples) // 2
        return waveform[:, margin : waveform.shape[1] - margin]

    def spectra(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Normalised log-mel (B, L, M) to real and imaginary parts (B, L, 2 * bins), in SPECTRUM_UNIT."""
        x = self.input(ops, mel)
        for block in self.blocks:
            x = block(ops, x, mask)
        x = self.norm(ops, x)
        magnitude = ops.exp(ops.clip(self.log_magnitude(ops, x), -16.0, LOG_MAGNITUDE_LIMIT))
        return ops.mul(self.direction(ops, x), ops.concat([magnitude, magnitude], axis=2))
