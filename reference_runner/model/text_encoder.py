"""Text encoder T: phones with stress and boundaries to one vector a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from reference_runner.frontend.phones import BREAKS, PHONES
from reference_runner.model.blocks import ConvNextBlock, Embedding, LayerNorm, TransformerBlock

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = ["TextEncoder"]


class TextEncoder(nn.Module):
    """Convolutions see the neighbourhood, one attention block sees the sentence (a question from its last pause)."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.hidden_channels
        self.phone = Embedding(len(PHONES), channels)
        self.stress = Embedding(2, channels)
        self.boundary = Embedding(len(BREAKS), channels)
        self.blocks = nn.ModuleList([ConvNextBlock(channels, config.text_kernel) for _ in range(config.text_blocks)])
        self.sentence = TransformerBlock(channels, config.text_heads, config.feed_forward_channels, causal=False)
        self.norm = LayerNorm(channels)

    def forward(
        self, ops: Ops, phones: Integers, stresses: Integers, breaks: Integers, mask: Mask | None = None
    ) -> Activation:
        """Ids (B, P) to text vectors (B, P, C)."""
        x = ops.add(self.phone(ops, phones), self.stress(ops, stresses))
        x = ops.add(x, self.boundary(ops, breaks))
        for block in self.blocks:
            x = block(ops, x, mask)
        return self.norm(ops, self.sentence(ops, x, mask))
