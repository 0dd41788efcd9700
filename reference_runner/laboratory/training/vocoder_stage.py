"""Trains the vocoder: on true mel frames first, on the acoustic model's own at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import track
from torch import nn

from reference_runner.laboratory.training.dealing import UtteranceBatches, training_split
from reference_runner.laboratory.training.discriminators import feature_distance, fooling_loss, telling_loss
from reference_runner.laboratory.training.refine_stage import encode_truth
from reference_runner.laboratory.training.resident import ResidentCorpus
from reference_runner.laboratory.training.spectral_losses import log_mel_distance, multi_resolution_distance
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.laboratory.training.discriminators import Discriminators
    from reference_runner.model.model import StableTts
    from reference_runner.model.vocoder import Vocoder

__all__ = ["ModelMels", "WaveformBatch", "WaveformCrops", "model_mels", "train_vocoder"]

_MEL_BATCH = 12
_LIKENESS_WEIGHT = 2.0
"""Of the spectral distances, where there are discriminators."""
_FOOLING_WEIGHT = 0.5
_FEATURE_WEIGHT = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveformBatch:
    """Crops: B items of L frames."""

    mel: torch.Tensor
    """(B, L, M), normalised."""
    waveform: torch.Tensor
    """(B, L * hop)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelMels:
    """Mels of some utterances, end to end, on the device: what is true, the mean, what the score decoder made of it."""

    kinds: torch.Tensor
    """(3, N, M), normalised."""
    starts: dict[int, int]
    """Where of the N frames an utterance begins, by its place in the corpus."""


class WaveformCrops:
    """An endless, seeded stream of crops of the training part, gathered on the device.

    A speaker is heard as often as the root of its number of utterances: neither are the many lost for the few, nor the
    few for the many. With `mels` only those utterances are used, each time with one of its three mels.
    """

    def __init__(
        self, corpus: CorpusReader, *, batch_size: int, frames: int, seed: int, device: str = "cpu",
        mels: ModelMels | None = None,
    ) -> None:  # fmt: skip
        self._utterances = corpus.utterances
        self._resident = ResidentCorpus(corpus, device=device)
        self._mels = mels
        self._places = [
            place
            for place in (corpus.split(training_split(corpus)) if mels is None else mels.starts)
            if corpus.utterances[place].has_samples and corpus.utterances[place].frame_count > frames
        ]
        heard = Counter(corpus.utterances[place].speaker for place in self._places)
        shares = np.array([heard[corpus.utterances[place].speaker] ** -0.5 for place in self._places])
        self._chances = shares / shares.sum()
        self._batch_size = batch_size
        self._frames = frames
        self._seed = seed

    def starting_at(self, step: int) -> Iterator[WaveformBatch]:
        """Yield the batch of this step and all that follow."""
        while True:
            draws = np.random.Generator(np.random.Philox(key=[self._seed, step]))
            yield self._batch(draws)
            step += 1

    def _batch(self, draws: np.random.Generator) -> WaveformBatch:
        resident, frames = self._resident, self._frames
        chosen = draws.choice(len(self._places), size=self._batch_size, p=self._chances)
        places = [self._places[number] for number in chosen]
        latest = np.array([self._utterances[place].frame_count - frames + 1 for place in places])
        starts = draws.integers(latest)
        stretch = torch.arange(frames, device=resident.device)
        waveform = resident.samples_at(resident.sent(places), resident.sent(starts.tolist()), frames)
        if self._mels is None:
            first = [self._utterances[place].frame_start + start for place, start in zip(places, starts, strict=True)]
            mel = resident.mel_at(resident.sent(first)[:, None] + stretch)
        else:
            first = [self._mels.starts[place] + start for place, start in zip(places, starts, strict=True)]
            kinds = resident.sent(draws.integers(len(self._mels.kinds), size=len(places)).tolist())
            mel = self._mels.kinds[kinds[:, None], resident.sent(first)[:, None] + stretch]
        return WaveformBatch(mel=mel, waveform=waveform)


@torch.no_grad()
def model_mels(
    model: StableTts, corpus: CorpusReader, *, utterances: int, seed: int, steps: int = 5, device: str = "cpu"
) -> ModelMels:
    """Return the mels that the model makes of some training utterances whose sound is there."""
    ops = NativeOps(device=device)
    batches = UtteranceBatches(
        corpus, split=training_split(corpus), batch_size=_MEL_BATCH, seed=seed, device=device, disturbed_share=0.0,
        heard_only=True,
    )  # fmt: skip
    draws = torch.Generator().manual_seed(seed)
    starts: dict[int, int] = {}
    parts: list[torch.Tensor] = []
    count = min(utterances, len(batches)) // _MEL_BATCH
    frame = 0
    for places, batch in track(islice(batches.with_places(0), count), total=count, description="model mels"):
        encoded = encode_truth(model, ops, batch)
        noise = torch.randn(batch.mel.shape, generator=draws).to(ops.device)
        refined = model.refine(ops, noise, encoded.frames, encoded.style, steps=steps)
        three = torch.stack([batch.mel, encoded.frames.mean, refined])
        for item, (place, length) in enumerate(zip(places, batch.frame_counts, strict=True)):
            parts.append(three[:, item, :length])
            starts[place] = frame
            frame += length
    return ModelMels(kinds=torch.cat(parts, 1), starts=starts)


def train_vocoder(
    vocoder: Vocoder, crops: WaveformCrops, settings: StageSettings, folder: Path, *, device: str = "cpu",
    discriminators: Discriminators | None = None,
) -> StageState:  # fmt: skip
    """Train the vocoder in place; against discriminators, where there are some."""
    ops = NativeOps(device=device)
    edge = FEATURE_SETTINGS.window_samples // 2

    def losses(batch: WaveformBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        del draws  # this stage has no chance of its own
        made = vocoder(ops, batch.mel)[:, edge:-edge]
        truth = batch.waveform[:, edge:-edge]
        spectral = multi_resolution_distance(truth, made)
        mel = log_mel_distance(truth, made)
        found = {"total": spectral + 2.0 * mel, "spectral": spectral, "log_mel": mel}
        return found if discriminators is None else _opposed(found, discriminators, truth, made)

    opponents = None if discriminators is None else nn.ModuleDict({"discriminators": discriminators})
    parts = nn.ModuleDict({"vocoder": vocoder})
    return run_stage(settings, parts, crops.starting_at, losses, folder, opponents=opponents)


def _opposed(
    found: dict[str, torch.Tensor], discriminators: Discriminators, truth: torch.Tensor, made: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Add what the discriminators say, and their own loss."""
    true = discriminators(truth)
    opponent = telling_loss(true, discriminators(made.detach()))
    judged = discriminators(made)
    fooling, features = fooling_loss(judged), feature_distance(true, judged)
    total = _LIKENESS_WEIGHT * found["total"] + _FOOLING_WEIGHT * fooling + _FEATURE_WEIGHT * features
    return found | {"total": total, "fooling": fooling, "features": features, "opponent": opponent}
