"""Prosody encoder P and its vector quantiser: how an utterance was said, as one code a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from reference_runner.model.blocks import ConvNextBlock, Linear
from reference_runner.model.features import PROSODY_CHANNELS

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = ["ProsodyEncoder", "ProsodyQuantizer"]

_KERNEL = 5
_EXPANSION = 2

_LEAST_USAGE = 0.5
"""A code chosen less often a batch than this is given a new place."""


class ProsodyEncoder(nn.Module):
    """Low mel bands, pitch, voicing and energy, averaged over each phone, to a latent a phone."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        channels = config.prosody_hidden_channels
        self.input = Linear(config.prosody_mel_bands + PROSODY_CHANNELS, channels)
        self.blocks = nn.ModuleList(
            [ConvNextBlock(channels, _KERNEL, _EXPANSION) for _ in range(config.prosody_blocks)]
        )
        self.output = Linear(channels, config.prosody_code_channels)

    def forward(self, ops: Ops, features: Activation, durations: Integers, mask: Mask | None = None) -> Activation:
        """Features (B, L, F) and durations (B, P) to latents (B, P, D)."""
        x = self.input(ops, features)
        for block in self.blocks:
            x = block(ops, x, mask)
        # Normalised: a latent that may shrink pleases the commitment loss and empties the codebook.
        return ops.layer_norm(self.output(ops, ops.pool_by_phone(x, durations)))


class ProsodyQuantizer(nn.Module):
    """One codebook, learned by moving averages; a code that falls out of use starts again at a latent."""

    codebook: torch.Tensor
    score_weight: torch.Tensor
    score_bias: torch.Tensor
    usage: torch.Tensor
    sums: torch.Tensor

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        codes, channels = config.prosody_codes, config.prosody_code_channels
        codebook = torch.randn(codes, channels)
        self.register_buffer("codebook", codebook)
        self.register_buffer("score_weight", torch.zeros(codes, channels))
        self.register_buffer("score_bias", torch.zeros(codes))
        self.register_buffer("usage", torch.ones(codes))
        self.register_buffer("sums", codebook.clone())
        self.project = Linear(channels, config.hidden_channels)
        self._renew_scores()

    def forward(self, ops: Ops, latents: Activation) -> tuple[Integers, Activation]:
        """Latents (B, P, D) to the nearest codes (B, P) and how clearly each won (B, P)."""
        return ops.argmax_with_margin(self.scores(ops, latents))

    def scores(self, ops: Ops, latents: Activation) -> Activation:
        """Latents (B, P, D) to (B, P, K): the nearest code maximises 2 <z, c> - |c|^2, which is a linear layer."""
        return ops.linear(latents, self.score_weight, self.score_bias)

    def embed(self, ops: Ops, codes: Integers) -> Activation:
        """Codes (B, P) to what the rest of the model adds to its text vectors (B, P, C)."""
        return self.project(ops, ops.embed(self.codebook, codes))

    @torch.no_grad()
    def update(
        self, latents: torch.Tensor, codes: torch.Tensor, draws: torch.Generator, *, decay: float = 0.98
    ) -> None:
        """Move the codebook towards latents (N, D) that chose codes (N,); training only."""
        chosen = torch.nn.functional.one_hot(codes, len(self.codebook)).to(latents.dtype)
        self.usage.mul_(decay).add_(chosen.sum(0), alpha=1.0 - decay)
        self.sums.mul_(decay).add_(chosen.T @ latents, alpha=1.0 - decay)
        self.codebook.copy_(self.sums / self.usage.clamp(min=1e-2)[:, None])
        unused = self.usage < _LEAST_USAGE
        if unused.any():
            fresh = latents[torch.randint(len(latents), (int(unused.sum()),), generator=draws)]
            self.codebook[unused] = fresh
            self.sums[unused] = fresh
            self.usage[unused] = 1.0
        self._renew_scores()

    @torch.no_grad()
    def _renew_scores(self) -> None:
        self.score_weight.copy_(2.0 * self.codebook)
        self.score_bias.copy_(-(self.codebook**2).sum(1))
