"""What the fine-tuning is fed: utterances as the frozen parts of the model hold them, by `exact` integers alone.

So every machine begins with the same numbers; only the steps themselves are floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from reference_runner.synthesis.transcription import noise_floor

if TYPE_CHECKING:
    import numpy as np

    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.ops import Activation, Integers
    from reference_runner.synthesis.transcription import TranscribedClip, Transcriber

__all__ = ["Utterance", "of_clip", "of_prior"]

AUDIBLE = 0.5
"""A band of a frame is the voice's where it is so far above the clip's own noise: 1.1 nepers, 9.6 dB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Utterance:
    """One target clip or prior sample, float64, multiples of the activation grid."""

    mel: torch.Tensor
    """(L, M), normalised: what was said."""
    audible: torch.Tensor
    """(L, M) bool: where that is the voice and not the clip's noise."""
    content: torch.Tensor
    """(P, C): text plus prosody."""
    durations: torch.Tensor
    """(P,) int64."""
    style: torch.Tensor
    """(S,)."""
    mean: torch.Tensor
    """(L, M): what the frozen parts say in this style."""
    hidden: torch.Tensor
    """(L, C)."""

    @property
    def wanted(self) -> torch.Tensor:
        """What is to be said (L, M): where only noise is heard, no more than the frozen parts would say."""
        return torch.where(self.audible, self.mel, torch.minimum(self.mel, self.mean))

    @property
    def frames(self) -> int:
        """L."""
        return len(self.mel)


def of_clip(clip: TranscribedClip, style: np.ndarray, transcriber: Transcriber) -> Utterance:
    """Encode a target clip in a style (S,)."""
    ops = transcriber.ops
    content = transcriber.model.content(ops, clip.text, clip.codes)
    mel = ops.to_float64(clip.mel)[0]
    audible = torch.from_numpy(mel > noise_floor(mel) + AUDIBLE)
    return _encoded(clip.mel, content, clip.durations, ops.activation(style[None]), transcriber, audible)


def of_prior(prior: PriorSample, transcriber: Transcriber) -> Utterance:
    """Encode a prior sample in its own style."""
    ops, model = transcriber.ops, transcriber.model
    mel = transcriber.normalise(prior.log_mel)
    content = model.content(ops, transcriber.text(prior.phones), ops.integers(prior.codes[None]))
    style = model.timbre_encoder(ops, mel)
    return _encoded(mel, content, ops.integers(prior.durations[None]), style, transcriber)


def _encoded(
    mel: Activation,
    content: Activation,
    durations: Integers,
    style: Activation,
    transcriber: Transcriber,
    audible: torch.Tensor | None = None,
) -> Utterance:
    ops = transcriber.ops
    frames = transcriber.model.style_adaptive_encoder(ops, content, durations, style)
    real = {
        name: torch.from_numpy(ops.to_float64(value)[0].copy())
        for name, value in (
            ("mel", mel), ("content", content), ("style", style), ("mean", frames.mean), ("hidden", frames.hidden),
        )
    }  # fmt: skip
    whole = torch.as_tensor(durations).reshape(-1).to(torch.int64).clone()
    everywhere = torch.ones(real["mel"].shape, dtype=torch.bool)
    return Utterance(durations=whole, audible=everywhere if audible is None else audible, **real)
