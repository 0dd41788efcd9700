"""A second timbre encoder, for clips that a person gives: it is not told the mean spectrum of what it hears.

That mean holds the microphone and the room as much as the voice. The checkpoint's own encoder, which heard one
synthesiser without either, took a person's channel for a short vocal tract. This one learnt to find the same styles
from clips whose channel was changed and whose mean was taken away. What it finds is drawn towards the middle of all
styles, where an error does least harm. Prior samples are heard as before. It has a file of its own, beside the
checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from reference_runner.model.companions import CompanionKind
from reference_runner.model.timbre_encoder import TimbreEncoder

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["VOICE", "VoiceEncoder", "drawn_in"]


class VoiceEncoder(nn.Module):
    """A timbre encoder whose styles are drawn towards a parameter, the middle of the styles that it learnt."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        self.middle = nn.Parameter(torch.zeros(config.style_channels))
        self.encoder = TimbreEncoder(config)

    def forward(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        """Log-mel (B, L, M), each band less its mean over the voice's speech, in deviations, to style (B, S)."""
        return drawn_in(ops, self.encoder(ops, mel, mask), self.middle)


def drawn_in(ops: Ops, style: Activation, middle: nn.Parameter) -> Activation:
    """Return styles (B, S) drawn towards the middle (S,), of their former length."""
    return ops.layer_norm(ops.add(style, ops.parameter(middle)))


VOICE = CompanionKind(
    format="ttsartifact-stable-tts-voice/1", released="stable-tts-small.voice.safetensors",
    noun="voice encoder", make=VoiceEncoder,
)  # fmt: skip
