"""Score decoder: from noise around the mean to a mel with detail (Grad-TTS's noise estimator)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from reference_runner.model.blocks import Linear, StyleConvNextBlock
from reference_runner.model.features import FEATURE_SETTINGS

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.style_adaptive_encoder import EncodedFrames
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["TIME_FREQUENCIES", "ScoreDecoder"]

TIME_FREQUENCIES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
"""Radians over t in [0, 1]."""


class ScoreDecoder(nn.Module):
    """Style-adaptive blocks that also know the time; the answer is a residual to the mean, balanced outside."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels, mel_bands = config.score_channels, FEATURE_SETTINGS.mel_bands
        self.noisy = Linear(mel_bands, channels)
        self.mean = Linear(mel_bands, channels)
        self.hidden = Linear(config.hidden_channels, channels)
        self.time_in = Linear(2 * len(TIME_FREQUENCIES), config.style_channels)
        self.time_out = Linear(config.style_channels, config.style_channels)
        self.style = Linear(config.style_channels, config.style_channels)
        self.blocks = nn.ModuleList(
            [
                StyleConvNextBlock(channels, config.frame_kernel, config.style_channels)
                for _ in range(config.score_blocks)
            ]
        )
        self.output = Linear(channels, mel_bands, init_scale=0.1)

    def forward(
        self,
        ops: Ops,
        noisy: Activation,
        frames: EncodedFrames,
        style: Activation,
        time_angles: Activation,
        mask: Mask | None = None,
    ) -> Activation:
        """Noisy residual (B, L, M), frames (B, L, ...), style (B, S), t * TIME_FREQUENCIES (B, F) to (B, L, M)."""
        sine, cosine = ops.sin_cos(time_angles)
        time = self.time_in(ops, ops.concat([sine, cosine], axis=1))
        condition = ops.layer_norm(ops.add(self.time_out(ops, ops.gate(time)), self.style(ops, style)))
        x = ops.add(self.mean(ops, frames.mean), self.hidden(ops, frames.hidden))
        x = ops.add(self.noisy(ops, noisy), x)
        for block in self.blocks:
            x = block(ops, x, condition, mask)
        return self.output(ops, ops.layer_norm(x))
