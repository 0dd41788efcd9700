"""Timbre encoder S: a clip of a voice to one style vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from reference_runner.model.blocks import ConvNextBlock, Linear, TransformerBlock
from reference_runner.model.features import FEATURE_SETTINGS

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["TimbreEncoder"]

_HEADS = 2
_KERNEL = 5
_EXPANSION = 2


class TimbreEncoder(nn.Module):
    """What stays the same over a clip: the mean over its frames, normalised so that no voice shouts."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.style_channels
        self.input = Linear(FEATURE_SETTINGS.mel_bands, channels)
        self.blocks = nn.ModuleList([ConvNextBlock(channels, _KERNEL, _EXPANSION) for _ in range(config.timbre_blocks)])
        self.clip = TransformerBlock(channels, _HEADS, channels * _EXPANSION, causal=False)
        self.output = Linear(channels, channels)

    def forward(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Normalised log-mel (B, L, M) to style (B, S)."""
        x = self.input(ops, mel)
        for block in self.blocks:
            x = block(ops, x, mask)
        x = self.clip(ops, x, mask)
        return ops.layer_norm(self.output(ops, ops.mean_over(x, mask)))
