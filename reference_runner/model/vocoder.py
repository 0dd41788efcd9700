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

__all__ = ["Vocoder", "cosine_table", "synthesis_table"]

SPECTRUM_UNIT = 16.0
"""The network speaks in spectra divided by this, so that the loudest bin stays well below saturation."""

LOG_MAGNITUDE_LIMIT = 4.0


def cosine_table() -> np.ndarray:
    """Return cos(2 pi n / W) for n in [0, W): the only transcendental numbers of the inverse transform."""
    window_samples = FEATURE_SETTINGS.window_samples
    return np.cos(2 * np.pi * np.arange(window_samples) / window_samples).astype(np.float32)


def synthesis_table(cosine: np.ndarray) -> np.ndarray:
    """Return (W, 2 * bins): the windowed inverse DFT of (real parts, imaginary parts), scaled for overlap-add.

    Only products of the cosines (W,), which come from the checkpoint: the same numbers on every machine.
    """
    window_samples, hop_samples = FEATURE_SETTINGS.window_samples, FEATURE_SETTINGS.hop_samples
    bins = window_samples // 2 + 1
    cosine = cosine.astype(np.float64)
    turn = np.outer(np.arange(window_samples), np.arange(bins)) % window_samples
    weight = np.full(bins, 2.0)
    weight[[0, -1]] = 1.0
    # -sin(x) = cos(x + pi / 2).
    quarter = window_samples // 4
    real, imaginary = cosine[turn] * weight, cosine[(turn + quarter) % window_samples] * weight
    window = 0.5 - 0.5 * cosine
    # The squares of a Hann window add up to 3/8 of its length; a power of two times three divides exactly enough.
    overlap = 0.375 * window_samples / hop_samples
    return np.concatenate([real, imaginary], axis=1) * (window * (SPECTRUM_UNIT / (window_samples * overlap)))[:, None]


class Vocoder(nn.Module):
    """ConvNeXt blocks at frame rate, a magnitude and a direction for every bin, overlap-add."""

    cosine: torch.Tensor
    table: torch.Tensor

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
        self.register_buffer("cosine", torch.tensor(cosine_table()))
        self.register_buffer("table", torch.zeros(FEATURE_SETTINGS.window_samples, 2 * bins), persistent=False)
        self.renew_table()

    def renew_table(self) -> None:
        """Make the synthesis table from the cosines; called again when those were loaded."""
        self.table.copy_(torch.tensor(synthesis_table(self.cosine.cpu().numpy()), dtype=torch.float32))

    def forward(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Normalised log-mel (B, L, M) to samples (B, L * hop)."""
        frames = ops.linear(self.spectra(ops, mel, mask), self.table)
        if mask is not None:
            # A padded frame would sound into the last samples of its item.
            frames = ops.apply_mask(frames, mask)
        waveform = ops.overlap_add(frames, FEATURE_SETTINGS.hop_samples)
        margin = (FEATURE_SETTINGS.window_samples - FEATURE_SETTINGS.hop_samples) // 2
        return waveform[:, margin : waveform.shape[1] - margin]

    def spectra(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Normalised log-mel (B, L, M) to real and imaginary parts (B, L, 2 * bins), in SPECTRUM_UNIT."""
        x = self.input(ops, mel if mask is None else ops.apply_mask(mel, mask))
        for block in self.blocks:
            x = block(ops, x, mask)
        x = self.norm(ops, x)
        magnitude = ops.exp(ops.clip(self.log_magnitude(ops, x), -16.0, LOG_MAGNITUDE_LIMIT))
        return ops.mul(self.direction(ops, x), ops.concat([magnitude, magnitude], axis=2))
