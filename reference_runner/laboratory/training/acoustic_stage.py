"""Stage one: text, timbre and prosody encoders, quantiser, durations, style-adaptive encoder, language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from reference_runner.laboratory.training.batches import masked_mean
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reference_runner.laboratory.training.batches import AcousticBatch, UtteranceBatches
    from reference_runner.model.model import StableTts

__all__ = ["ACOUSTIC_PARTS", "language_model_loss", "neighbours", "train_acoustic"]

ACOUSTIC_PARTS = (
    "text_encoder", "timbre_encoder", "prosody_encoder", "prosody_quantizer", "prosody_language_model",
    "duration_predictor", "style_adaptive_encoder",
)  # fmt: skip

_QUANTISER_WEIGHT = 0.25
_DURATION_WEIGHT = 0.1
_LANGUAGE_MODEL_WEIGHT = 0.1


def neighbours(size: int) -> list[int]:
    """Return for each item of a batch the one after it, for the last the first."""
    return [(item + 1) % size for item in range(size)]


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
    language_model = model.prosody_language_model
    texts, previous, wanted = [], [], []
    for item, length in enumerate(lengths):
        own_text, own_codes = text[item, :length], codes[item, :length]
        start = own_codes.new_full((1,), language_model.begin_token)
        if prompts is not None:
            neighbour = prompts[item]
            prompt_length = lengths[neighbour]
            join = own_codes.new_full((1,), language_model.join_token)
            prompt_codes = codes[neighbour, :prompt_length]
            texts.append(torch.cat([text[neighbour, :prompt_length], own_text]))
            previous.append(torch.cat([start, prompt_codes[:-1], join, own_codes[:-1]]))
            wanted.append(torch.cat([prompt_codes, own_codes]))
        else:
            texts.append(own_text)
            previous.append(torch.cat([start, own_codes[:-1]]))
            wanted.append(own_codes)
    pad = nn.utils.rnn.pad_sequence
    logits = language_model(ops, pad(texts, batch_first=True), pad(previous, batch_first=True))
    targets = pad(wanted, batch_first=True, padding_value=-100)
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


def train_acoustic(
    model: StableTts, batches: UtteranceBatches, settings: StageSettings, folder: Path, *, device: str = "cpu"
) -> StageState:
    """Train everything up to the mel's mean, in place."""
    ops = NativeOps(device=device)

    def losses(batch: AcousticBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        batch = batch.to(ops.device)
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
        total = mean + _QUANTISER_WEIGHT * commitment + _DURATION_WEIGHT * duration + _LANGUAGE_MODEL_WEIGHT * language
        used = functional.one_hot(batch.phones_of(codes), model.config.prosody_codes).amax(0).sum()
        return {
            "total": total,
            "mel_mean": mean,
            "commitment": commitment,
            "duration": duration,
            "language_model": language,
            "codes_used": used,
        }

    parts = nn.ModuleDict({name: getattr(model, name) for name in ACOUSTIC_PARTS})
    return run_stage(settings, parts, batches.starting_at, losses, folder)
