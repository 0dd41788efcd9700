"""Style-adaptive encoder: text and prosody, stretched to frames and spoken in a style: the mel's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from reference_runner.model.blocks import Linear, StyleConvNextBlock
from reference_runner.model.features import FEATURE_SETTINGS

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = ["EncodedFrames", "StyleAdaptiveEncoder"]

_POSITION_FEATURES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedFrames:
    """What the score decoder is given."""

    mean: Activation
    """(B, L, M): the mel's mean, normalised."""
    hidden: Activation
    """(B, L, C): the last hidden frames."""


class StyleAdaptiveEncoder(nn.Module):
    """A length regulator and style-adaptive blocks at frame rate."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.hidden_channels
        self.position = Linear(_POSITION_FEATURES, channels)
        self.blocks = nn.ModuleList(
            [
                StyleConvNextBlock(channels, config.frame_kernel, config.style_channels)
                for _ in range(config.style_adaptive_blocks)
            ]
        )
        self.mean = Linear(channels, FEATURE_SETTINGS.mel_bands, init_scale=0.3)

    def forward(
        self,
        ops: Ops,
        content: Activation,
        durations: Integers,
        style: Activation,
        mask: Mask | None = None,
    ) -> EncodedFrames:
        """Text plus prosody (B, P, C), durations (B, P) and style (B, S) to frames (B, L, ...)."""
        position = self.position(ops, ops.position_in_phone(durations))
        x = ops.add(ops.repeat_by_duration(content, durations), position)
        for block in self.blocks:
            x = block(ops, x, style, mask)
        hidden = ops.layer_norm(x)
        return EncodedFrames(mean=self.mean(ops, hidden), hidden=hidden)
