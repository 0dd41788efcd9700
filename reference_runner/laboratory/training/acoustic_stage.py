"""Stage one: text, timbre and prosody encoders, quantiser, durations, style-adaptive encoder, language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_runner.laboratory.training.batches import masked_mean
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reference_runner.laboratory.training.batches import AcousticBatch
    from reference_runner.laboratory.training.dealing import UtteranceBatches
    from reference_runner.model.model import StableTts

__all__ = ["ACOUSTIC_PARTS", "Sequences", "language_model_loss", "neighbours", "sequence_loss", "train_acoustic"]

ACOUSTIC_PARTS = (
    "text_encoder", "timbre_encoder", "prosody_encoder", "prosody_quantizer", "prosody_language_model",
    "duration_predictor", "style_adaptive_encoder",
)  # fmt: skip

_QUANTISER_WEIGHT = 0.25
_DURATION_WEIGHT = 0.1
_LANGUAGE_MODEL_WEIGHT = 0.1
_CONSISTENCY_WEIGHT = 0.3


def neighbours(size: int) -> list[int]:
    """Return for each item of a batch the one after it, for the last the first."""
    return [(item + 1) % size for item in range(size)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequences:
    """What a language model reads: prompts, if any, each with what continues it; made on the host."""

    at: torch.Tensor
    """(B, T) int64: which of all phones, -1 behind the end."""
    joins: torch.Tensor
    """(B, T) bool: the first phone that continues a prompt."""

    @classmethod
    def of(cls, starts: Sequence[int], lengths: Sequence[int], prompts: Sequence[int] | None) -> Sequences:
        """Item i has lengths[i] phones from starts[i] on and continues item prompts[i]."""
        ahead = [lengths[prompt] for prompt in prompts] if prompts is not None else [0] * len(lengths)
        at = np.full((len(lengths), max(map(sum, zip(ahead, lengths, strict=True)))), -1)
        joins = np.zeros(at.shape, dtype=bool)
        for item, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            before = ahead[item]
            if prompts is not None:
                at[item, :before] = starts[prompts[item]] + np.arange(before)
                joins[item, before] = True
            at[item, before : before + length] = start + np.arange(length)
        return cls(at=torch.from_numpy(at), joins=torch.from_numpy(joins))


def sequence_loss(
    model: StableTts, ops: NativeOps, text: torch.Tensor, codes: torch.Tensor, sequences: Sequences,
    *, heard: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """Cross-entropy of codes (N,) given text (N, C), read in sequences; `heard` (N,) is what stands before each."""
    language_model = model.prosody_language_model
    at, joins = (x.to(ops.device, non_blocking=True) for x in (sequences.at, sequences.joins))
    said = (codes if heard is None else heard)[at.clamp(min=0)]
    begin = said.new_full((len(said), 1), language_model.begin_token)
    previous = torch.where(joins, language_model.join_token, torch.cat([begin, said[:, :-1]], 1))
    logits = language_model(ops, text[at.clamp(min=0)], previous)
    targets = torch.where(at >= 0, codes[at.clamp(min=0)], -100)
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


def language_model_loss(
    model: StableTts,
    ops: NativeOps,
    text: torch.Tensor,
    codes: torch.Tensor,
    lengths: Sequence[int],
    *,
    prompts: Sequence[int] | None,
) -> torch.Tensor:
    """Cross-entropy of codes (B, P) given text (B, P, C); item i continues item prompts[i] of the batch, if any."""
    starts = [item * codes.shape[1] for item in range(len(lengths))]
    sequences = Sequences.of(starts, lengths, prompts)
    return sequence_loss(model, ops, text.flatten(0, 1), codes.flatten(), sequences)


def train_acoustic(
    model: StableTts, batches: UtteranceBatches, settings: StageSettings, folder: Path, *, device: str = "cpu",
    resting: Sequence[str] = (),
) -> StageState:  # fmt: skip
    """Train everything up to the mel's mean, in place, but for the parts that rest."""
    ops = NativeOps(device=device)
    for name in ACOUSTIC_PARTS:
        getattr(model, name).requires_grad_(requires_grad=name not in resting)

    def losses(batch: AcousticBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        text = model.text_encoder(ops, batch.phones, batch.stresses, batch.breaks, batch.phone_mask)
        style = model.timbre_encoder(ops, batch.reference, batch.reference_mask)
        latents = model.prosody_encoder(ops, batch.prosody, batch.durations, batch.frame_mask)
        codes, _ = model.prosody_quantizer(ops, latents.detach())
        chosen = model.prosody_quantizer.codebook[codes]
        commitment = masked_mean((latents - chosen) ** 2, batch.phone_mask)
        # Straight through: the codebook's vector forward, the latent's gradient back.
        quantised = latents + (chosen - latents).detach()
        content = text + model.prosody_quantizer.project(ops, quantised)
        model.prosody_quantizer.update(batch.phones_of(latents).detach(), batch.phones_of(codes), draws)
        log_frames = model.duration_predictor(ops, content, style, batch.phone_mask)
        error = log_frames - batch.durations.clamp(min=1).float().log()
        duration = masked_mean(error**2, batch.phone_mask)
        frames = model.style_adaptive_encoder(ops, content, batch.durations, style, batch.frame_mask)
        mean = masked_mean((frames.mean - batch.mel).abs(), batch.frame_mask)
        lengths = batch.phone_counts
        prompts = neighbours(len(lengths)) if torch.rand((), generator=draws) < 0.5 else None
        language = language_model_loss(model, ops, text.detach(), codes, lengths, prompts=prompts)
        # The style of what was disturbed follows the style of what was not, which stays where it is.
        with torch.no_grad():
            aim = model.timbre_encoder(ops, batch.clean_reference, batch.reference_mask)
        consistency = functional.mse_loss(style, aim)
        total = mean + _CONSISTENCY_WEIGHT * consistency + _QUANTISER_WEIGHT * commitment
        total = total + _DURATION_WEIGHT * duration + _LANGUAGE_MODEL_WEIGHT * language
        used = functional.one_hot(batch.phones_of(codes), model.config.prosody_codes).amax(0).sum()
        return {
            "total": total,
            "mel_mean": mean,
            "consistency": consistency,
            "commitment": commitment,
            "duration": duration,
            "language_model": language,
            "codes_used": used,
        }

    parts = nn.ModuleDict({name: getattr(model, name) for name in ACOUSTIC_PARTS})
    return run_stage(settings, parts, batches.starting_at, losses, folder)
