"""Stage two: the score decoder, and the language model again on codes that no longer move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from reference_runner.laboratory.training.acoustic_stage import ACOUSTIC_PARTS, language_model_loss, neighbours
from reference_runner.laboratory.training.batches import masked_mean
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from pathlib import Path

    from reference_runner.laboratory.training.batches import AcousticBatch
    from reference_runner.laboratory.training.dealing import UtteranceBatches
    from reference_runner.model.model import StableTts

__all__ = ["Encoded", "encode_truth", "train_refinement"]

_CROP_FRAMES = 128
_EARLIEST_TIME = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """What the frozen first stage makes of a batch, with the true durations and codes."""

    text: torch.Tensor
    """(B, P, C)."""
    style: torch.Tensor
    """(B, S)."""
    codes: torch.Tensor
    """(B, P)."""
    frames: EncodedFrames


@torch.no_grad()
def encode_truth(model: StableTts, ops: NativeOps, batch: AcousticBatch) -> Encoded:
    """Run the first stage on a batch, without gradients."""
    text = model.text_encoder(ops, batch.phones, batch.stresses, batch.breaks, batch.phone_mask)
    style = model.timbre_encoder(ops, batch.reference, batch.reference_mask)
    latents = model.prosody_encoder(ops, batch.prosody, batch.durations, batch.frame_mask)
    codes, _ = model.prosody_quantizer(ops, latents)
    content = model.content(ops, text, codes)
    frames = model.style_adaptive_encoder(ops, content, batch.durations, style, batch.frame_mask)
    return Encoded(text=text, style=style, codes=codes, frames=frames)


def train_refinement(
    model: StableTts, batches: UtteranceBatches, settings: StageSettings, folder: Path, *, device: str = "cpu"
) -> StageState:
    """Train the score decoder and the language model in place; the rest stays as it is."""
    ops = NativeOps(device=device)
    schedule = model.schedule
    for name in ACOUSTIC_PARTS:
        getattr(model, name).requires_grad_(requires_grad=name == "prosody_language_model")

    def losses(batch: AcousticBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        encoded = encode_truth(model, ops, batch)
        lengths = batch.phone_counts
        language = language_model_loss(
            model, ops, encoded.text, encoded.codes, lengths, prompts=neighbours(len(lengths))
        )
        frames, mel, mask = _crop(encoded.frames, batch, draws)
        residual = mel - frames.mean
        times = _EARLIEST_TIME + (1 - _EARLIEST_TIME) * torch.rand(len(mel), generator=draws)
        time_list = times.tolist()
        signal, deviation, answer = (
            torch.tensor(values, device=ops.device)[:, None, None]
            for values in (
                [schedule.signal(t) for t in time_list],
                [schedule.noise(t) for t in time_list],
                [schedule.balance(t).answer for t in time_list],
            )
        )
        noise = torch.randn(mel.shape, generator=draws).to(ops.device)
        noisy = signal * residual + deviation * noise
        estimate = model.estimate_residual(ops, noisy, frames, encoded.style, time_list, mask)
        # Divided by the answer's size this is the score-matching loss with every time given equal weight.
        score = masked_mean(((estimate - residual) / answer) ** 2, mask)
        return {"total": score + language, "score": score, "language_model": language}

    parts = nn.ModuleDict(
        {"score_decoder": model.score_decoder, "prosody_language_model": model.prosody_language_model}
    )
    return run_stage(settings, parts, batches.starting_at, losses, folder)


def _crop(
    frames: EncodedFrames, batch: AcousticBatch, draws: torch.Generator
) -> tuple[EncodedFrames, torch.Tensor, torch.Tensor]:
    """Cut the same random stretch out of mean and hidden frames, mel and mask, inside each item where it fits."""
    length = batch.mel.shape[1]
    starts = [int(torch.randint(max(1, count - _CROP_FRAMES + 1), (), generator=draws)) for count in batch.frame_counts]
    device = batch.mel.device
    stretch = torch.arange(min(_CROP_FRAMES, length), device=device)
    at = (torch.tensor(starts).to(device)[:, None] + stretch).clamp(max=length - 1)
    item = torch.arange(len(starts), device=device)[:, None]
    cut = EncodedFrames(mean=frames.mean[item, at], hidden=frames.hidden[item, at])
    return cut, batch.mel[item, at], batch.frame_mask[item, at]
