"""Trains the vocoder: on true mel frames first, on the acoustic model's own at the end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import track
from torch import nn

from reference_runner.laboratory.training.batches import UtteranceBatches
from reference_runner.laboratory.training.refine_stage import encode_truth
from reference_runner.laboratory.training.spectral_losses import log_mel_distance, multi_resolution_distance
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.model.model import StableTts
    from reference_runner.model.vocoder import Vocoder

__all__ = ["WaveformBatch", "WaveformCrops", "model_mels", "train_vocoder"]

_MEL_BATCH = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveformBatch:
    """Crops: B items of L frames."""

    mel: torch.Tensor
    """(B, L, M), normalised."""
    waveform: torch.Tensor
    """(B, L * hop)."""


class WaveformCrops:
    """An endless, seeded stream of crops of the training part.

    With `mels` only those utterances are used, each time one of the mels (L, M) listed for it.
    """

    def __init__(
        self, corpus: CorpusReader, *, batch_size: int, frames: int, seed: int,
        mels: Mapping[int, Sequence[torch.Tensor]] | None = None,
    ) -> None:  # fmt: skip
        self._corpus = corpus
        self._mels = mels
        self._places = [
            place
            for place in (corpus.split("train") if mels is None else mels)
            if corpus.utterances[place].frame_count > frames
        ]
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
        hop = FEATURE_SETTINGS.hop_samples
        mels, waveforms = [], []
        for _ in range(self._batch_size):
            place = self._places[int(draws.integers(len(self._places)))]
            choices = [self._corpus.mel(place)] if self._mels is None else self._mels[place]
            mel, waveform = choices[int(draws.integers(len(choices)))], self._corpus.samples(place)
            start = int(draws.integers(len(mel) - self._frames + 1))
            mels.append(mel[start : start + self._frames])
            waveforms.append(waveform[start * hop : (start + self._frames) * hop])
        return WaveformBatch(mel=torch.stack(mels), waveform=torch.stack(waveforms))


def model_mels(
    model: StableTts, corpus: CorpusReader, *, utterances: int, seed: int, steps: int = 5, device: str = "cpu"
) -> dict[int, list[torch.Tensor]]:
    """Return for some training utterances their true mel, the model's mean, and what the score decoder makes of it."""
    ops = NativeOps(device=device)
    batches = UtteranceBatches(corpus, split="train", batch_size=_MEL_BATCH, seed=seed)
    draws = torch.Generator().manual_seed(seed)
    mels: dict[int, list[torch.Tensor]] = {}
    with torch.no_grad():
        for places, batch in track(
            islice(batches.with_places(0), utterances // _MEL_BATCH),
            total=utterances // _MEL_BATCH,
            description="model mels",
        ):
            encoded = encode_truth(model, ops, batch.to(ops.device))
            noise = torch.randn(batch.mel.shape, generator=draws).to(ops.device)
            refined = model.refine(ops, noise, encoded.frames, encoded.style, steps=steps).cpu()
            mean = encoded.frames.mean.cpu()
            for item, place in enumerate(places):
                length = corpus.utterances[place].frame_count
                mels[place] = [
                    batch.mel[item, :length], mean[item, :length], refined[item, :length],
                ]  # fmt: skip
    return mels


def train_vocoder(
    vocoder: Vocoder, crops: WaveformCrops, settings: StageSettings, folder: Path, *, device: str = "cpu"
) -> StageState:
    """Train the vocoder in place."""
    ops = NativeOps(device=device)
    edge = FEATURE_SETTINGS.window_samples // 2

    def losses(batch: WaveformBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        del draws  # this stage has no chance of its own
        made = vocoder(ops, batch.mel.to(ops.device))[:, edge:-edge]
        truth = batch.waveform.to(ops.device)[:, edge:-edge]
        spectral = multi_resolution_distance(truth, made)
        mel = log_mel_distance(truth, made)
        return {"total": spectral + 2.0 * mel, "spectral": spectral, "log_mel": mel}

    return run_stage(settings, nn.ModuleDict({"vocoder": vocoder}), crops.starting_at, losses, folder)
