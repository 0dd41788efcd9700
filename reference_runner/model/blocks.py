"""The few building blocks every part of the model is made of; all arithmetic goes through `Ops`.

B batch, L positions, C channels. Masks are (B, L), true where an item has a position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = [
    "ConvNextBlock",
    "Convolution",
    "Depthwise",
    "Embedding",
    "LayerNorm",
    "Linear",
    "StyleConvNextBlock",
    "TransformerBlock",
]

RESIDUAL_INIT = 0.3
"""Residual branches start quiet, so that a deep stack begins near the identity."""


class Linear(nn.Module):
    """A dense layer."""

    def __init__(self, inputs: int, outputs: int, *, init_scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (init_scale * inputs**-0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, ops: Ops, x: Activation) -> Activation:
        """(..., I) to (..., O)."""
        return ops.linear(x, self.weight, self.bias)


class Embedding(nn.Module):
    """A table of vectors."""

    def __init__(self, rows: int, channels: int, *, init_scale: float = 0.5) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, channels) * init_scale)

    def forward(self, ops: Ops, ids: Integers) -> Activation:
        """(B, L) to (B, L, C)."""
        return ops.embed(self.table, ids)


class Convolution(nn.Module):
    """A dense convolution over positions."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel) * (inputs * kernel) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, ops: Ops, x: Activation) -> Activation:
        """(B, L, I) to (B, L, O)."""
        return ops.conv(x, self.weight, self.bias)


class Depthwise(nn.Module):
    """A convolution over positions, each channel alone."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, kernel) * kernel**-0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, ops: Ops, x: Activation) -> Activation:
        """(B, L, C) to (B, L, C)."""
        return ops.depthwise(x, self.weight, self.bias)


class LayerNorm(nn.Module):
    """Layer norm with a learned gain and bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, ops: Ops, x: Activation) -> Activation:
        """(B, L, C) to (B, L, C)."""
        return ops.layer_norm(x, self.gain, self.bias)


class ConvNextBlock(nn.Module):
    """Depthwise convolution, norm, and a gated two-layer network, added to the input."""

    def __init__(self, channels: int, kernel: int, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = Depthwise(channels, kernel)
        self.norm = LayerNorm(channels)
        self.widen = Linear(channels, channels * expansion)
        self.narrow = Linear(channels * expansion, channels, init_scale=RESIDUAL_INIT)

    def forward(self, ops: Ops, x: Activation, mask: Mask | None = None) -> Activation:
        """(B, L, C) to (B, L, C)."""
        seen = x if mask is None else ops.apply_mask(x, mask)
        inner = self.norm(ops, self.depthwise(ops, seen))
        return ops.add(x, self.narrow(ops, ops.gate(self.widen(ops, inner))))


class StyleConvNextBlock(nn.Module):
    """A `ConvNextBlock` whose norm is modulated by a condition vector (style-adaptive layer norm)."""

    def __init__(self, channels: int, kernel: int, condition_channels: int, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = Depthwise(channels, kernel)
        self.gain = Linear(condition_channels, channels, init_scale=0.1)
        self.shift = Linear(condition_channels, channels, init_scale=0.1)
        self.widen = Linear(channels, channels * expansion)
        self.narrow = Linear(channels * expansion, channels, init_scale=RESIDUAL_INIT)

    def forward(self, ops: Ops, x: Activation, condition: Activation, mask: Mask | None = None) -> Activation:
        """(B, L, C) and condition (B, S) to (B, L, C)."""
        seen = x if mask is None else ops.apply_mask(x, mask)
        norm = ops.layer_norm(self.depthwise(ops, seen))
        gain = self.gain(ops, condition)[:, None, :]
        shift = self.shift(ops, condition)[:, None, :]
        inner = ops.modulate(norm, gain, shift)
        return ops.add(x, self.narrow(ops, ops.gate(self.widen(ops, inner))))


class TransformerBlock(nn.Module):
    """Self-attention and a two-layer network, each added to its input after a norm."""

    def __init__(self, channels: int, heads: int, feed_forward: int, *, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.attention_norm = LayerNorm(channels)
        self.query = Linear(channels, channels)
        self.key = Linear(channels, channels)
        self.value = Linear(channels, channels)
        self.output = Linear(channels, channels, init_scale=RESIDUAL_INIT)
        self.network_norm = LayerNorm(channels)
        self.widen = Linear(channels, feed_forward)
        self.narrow = Linear(feed_forward, channels, init_scale=RESIDUAL_INIT)

    def forward(self, ops: Ops, x: Activation, mask: Mask | None = None) -> Activation:
        """(B, L, C) to (B, L, C)."""
        y, _ = self.extend(ops, x, None, mask)
        return y

    def extend(
        self,
        ops: Ops,
        x: Activation,
        past: tuple[Activation, Activation] | None,
        mask: Mask | None = None,
    ) -> tuple[Activation, tuple[Activation, Activation]]:
        """Attend from x (B, Q, C) to past keys and values (B, L, C) and itself; return y and the longer past."""
        norm = self.attention_norm(ops, x)
        query, key, value = self.query(ops, norm), self.key(ops, norm), self.value(ops, norm)
        if past is not None:
            key = ops.concat([past[0], key], axis=1)
            value = ops.concat([past[1], value], axis=1)
        seen = ops.attention(query, key, value, self.heads, causal=self.causal, mask=mask)
        return self._after(ops, x, seen), (key, value)

    def step(
        self, ops: Ops, x: Activation, keys: Activation, values: Activation, here: Mask, visible: Mask
    ) -> Activation:
        """Attend from one position x (B, 1, C) to what is `visible` of keys and values (B, L, C), itself among it.

        Its own key and value are put `here`, in place.
        """
        norm = self.attention_norm(ops, x)
        query = self.query(ops, norm)
        ops.put(keys, self.key(ops, norm), here)
        ops.put(values, self.value(ops, norm), here)
        return self._after(ops, x, ops.attention(query, keys, values, self.heads, mask=visible))

    def _after(self, ops: Ops, x: Activation, seen: Activation) -> Activation:
        """Add what was seen (B, L, C), and then the two-layer network."""
        x = ops.add(x, self.output(ops, seen))
        inner = ops.gate(self.widen(ops, self.network_norm(ops, x)))
        return ops.add(x, self.narrow(ops, inner))
