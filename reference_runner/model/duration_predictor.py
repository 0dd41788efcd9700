"""Duration predictor: how many frames each phone lasts, after its prosody is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from reference_runner.model.blocks import Linear, StyleConvNextBlock

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["DurationPredictor"]

_KERNEL = 3
_BLOCKS = 2


class DurationPredictor(nn.Module):
    """Two style-adaptive blocks and a linear layer to the logarithm of a number of frames."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.hidden_channels
        self.blocks = nn.ModuleList(
            [StyleConvNextBlock(channels, _KERNEL, config.style_channels, expansion=2) for _ in range(_BLOCKS)]
        )
        self.output = Linear(channels, 1, init_scale=0.1)
        nn.init.constant_(self.output.bias, 1.5)

    def forward(self, ops: Ops, content: Activation, style: Activation, mask: Mask | None = None) -> Activation:
        """Text plus prosody (B, P, C) and style (B, S) to log frames (B, P)."""
        x = content
        for block in self.blocks:
            x = block(ops, x, style, mask)
        return self.output(ops, ops.layer_norm(x))[..., 0]
