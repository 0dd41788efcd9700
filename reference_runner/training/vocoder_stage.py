"""Trains the vocoder: on true mel frames first, on the acoustic model's own at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.native import NativeOps
from reference_runner.training.spectral_losses import log_mel_distance, multi_resolution_distance
from reference_runner.training.stage_loop import StageSettings, StageState, run_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reference_runner.model.vocoder import Vocoder
    from reference_runner.training.corpus_reader import CorpusReader

__all__ = ["WaveformBatch", "WaveformCrops", "train_vocoder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WaveformBatch:
    """Crops: B items of L frames."""

    mel: torch.Tensor
    """(B, L, M), normalised."""
    waveform: torch.Tensor
    """(B, L * hop)."""


class WaveformCrops:
    """An endless, seeded stream of crops; the mel comes from `mel_of`, the corpus's own unless told otherwise."""

    def __init__(
        self, corpus: CorpusReader, *, batch_size: int, frames: int, seed: int,
        mel_of: Callable[[int], torch.Tensor] | None = None,
    ) -> None:  # fmt: skip
        self._corpus = corpus
        self._places = [
            place for place in corpus.split("train") if corpus.utterances[place].frame_count > frames
        ]
        self._batch_size = batch_size
        self._frames = frames
        self._seed = seed
        self._mel_of = mel_of or corpus.mel

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
            mel, waveform = self._mel_of(place), self._corpus.samples(place)
            start = int(draws.integers(len(mel) - self._frames + 1))
            mels.append(mel[start : start + self._frames])
            waveforms.append(waveform[start * hop : (start + self._frames) * hop])
        return WaveformBatch(mel=torch.stack(mels), waveform=torch.stack(waveforms))


def train_vocoder(
    vocoder: Vocoder, crops: WaveformCrops, settings: StageSettings, folder: Path
) -> StageState:
    """Train the vocoder in place."""
    ops = NativeOps()
    edge = FEATURE_SETTINGS.window_samples // 2

    def losses(batch: WaveformBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        del draws  # this stage has no chance of its own
        made = vocoder(ops, batch.mel)[:, edge:-edge]
        truth = batch.waveform[:, edge:-edge]
        spectral = multi_resolution_distance(truth, made)
        mel = log_mel_distance(truth, made)
        return {"total": spectral + 2.0 * mel, "spectral": spectral, "log_mel": mel}

    return run_stage(settings, nn.ModuleDict({"vocoder": vocoder}), crops.starting_at, losses, folder)
