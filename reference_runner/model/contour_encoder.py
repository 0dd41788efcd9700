"""A second style-adaptive encoder, which is given the width of the pitch contour that it speaks with.

It learnt from sentences that were said with contours of several widths, the same phones at the same times, so that
nothing but its number says how wide. It serves prompts that are clips; without one the checkpoint's own encoder speaks,
and what that says stays as it was. It has a file of its own, beside the checkpoint that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from reference_runner.model.companions import CompanionKind
from reference_runner.model.style_adaptive_encoder import StyleAdaptiveEncoder

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.style_adaptive_encoder import EncodedFrames
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = ["CONTOUR", "ContourEncoder", "widened"]


class ContourEncoder(nn.Module):
    """A style-adaptive encoder whose content is moved along one learnt direction, as far as the width says."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        self.width = nn.Parameter(torch.zeros(config.hidden_channels))
        self.encoder = StyleAdaptiveEncoder(config)

    def forward(
        self,
        ops: Ops,
        content: Activation,
        durations: Integers,
        style: Activation,
        width: Activation,
        mask: Mask | None = None,
    ) -> EncodedFrames:
        """As `StyleAdaptiveEncoder`, with the width of the contour (B, 1, 1); see `prompt_contour.contour_width`."""
        frames: EncodedFrames = self.encoder(ops, widened(ops, content, self.width, width), durations, style, mask)
        return frames


def widened(ops: Ops, content: Activation, direction: nn.Parameter, width: Activation) -> Activation:
    """Return content (B, P, C) moved along a direction (C,) as far as a width (B, 1, 1) says."""
    return ops.add(content, ops.mul(ops.parameter(direction), width))


CONTOUR = CompanionKind(
    format="ttsartifact-stable-tts-contour/1", released="stable-tts-small.contour.safetensors",
    noun="contour encoder", make=ContourEncoder,
)  # fmt: skip
