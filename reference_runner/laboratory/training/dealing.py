"""Deals the corpus out in batches for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from reference_runner.laboratory.training.disturbing import disturb, log_mel_on_device
from reference_runner.laboratory.training.resident import MARGIN, References, ResidentCorpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.laboratory.training.batches import AcousticBatch

__all__ = ["UtteranceBatches", "training_split"]

_BABBLERS = 4
_DISTURBED_SHARE = 0.5


def training_split(corpus: CorpusReader) -> str:
    """Return the name of the part to learn from: a corpus of manners has one of its own."""
    return "train" if corpus.split("train") else "manner"


class UtteranceBatches:
    """An endless, seeded stream of batches, each of utterances that are alike in length or in manner.

    The reference of each is a stretch of another utterance of its speaker, whose samples are there; half of the
    references are disturbed. Everything is gathered and disturbed on the device.
    """

    def __init__(
        self, corpus: CorpusReader, *, split: str, batch_size: int, seed: int, alike: str = "length",
        reference_frames: int = 128, device: str = "cpu", disturbed_share: float = _DISTURBED_SHARE,
        heard_only: bool = False,
    ) -> None:  # fmt: skip
        self._corpus = corpus
        self._resident = ResidentCorpus(corpus, device=device)
        keys = {"length": lambda place: corpus.utterances[place].frame_count, "manner": corpus.manner}
        places = corpus.split(split)
        self._heard = [place for place in places if corpus.utterances[place].has_samples]
        self._places = sorted(self._heard if heard_only else places, key=keys[alike])
        self._batch_size = batch_size
        self._seed = seed
        self._reference_frames = reference_frames
        self._disturbed_share = disturbed_share
        self._by_speaker: dict[str, list[int]] = {}
        for place in self._heard:
            self._by_speaker.setdefault(corpus.utterances[place].speaker, []).append(place)

    def __len__(self) -> int:
        """Return the number of utterances."""
        return len(self._places)

    def __iter__(self) -> Iterator[AcousticBatch]:
        """Start at the first epoch."""
        return self.starting_at(0)

    def starting_at(self, step: int) -> Iterator[AcousticBatch]:
        """Yield the batch of this step and all that follow; a resumed run sees what an unbroken one would."""
        for _, batch in self.with_places(step):
            yield batch

    def with_places(self, step: int) -> Iterator[tuple[list[int], AcousticBatch]]:
        """Yield the positions of a batch's utterances with the batch."""
        groups = [
            self._places[start : start + self._batch_size] for start in range(0, len(self._places), self._batch_size)
        ]
        epoch, skipped = divmod(step, len(groups))
        while True:
            draws = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            order = draws.permutation(len(groups))
            for number, group in enumerate(order):
                per_batch = np.random.Generator(np.random.Philox(key=[self._seed + 1, epoch * len(groups) + number]))
                if number >= skipped:
                    yield groups[group], self._batch(groups[group], per_batch)
            epoch, skipped = epoch + 1, 0

    @torch.no_grad()
    def _batch(self, places: list[int], draws: np.random.Generator) -> AcousticBatch:
        resident, frames = self._resident, self._reference_frames
        siblings = [self._by_speaker[self._corpus.utterances[place].speaker] for place in places]
        others = [each[int(draws.integers(len(each)))] for each in siblings]
        counts = [self._corpus.utterances[other].frame_count for other in others]
        starts = resident.sent([int(draws.integers(max(1, count - frames))) for count in counts])
        at = resident.sent(others)
        clean = resident.samples_at(at, starts, frames, MARGIN)
        mask = torch.arange(frames, device=at.device)[None, :] < (resident.frame_counts[at] - starts)[:, None]
        heard = disturb(clean, self._babble(len(places), draws), draws, self._generator(draws), self._disturbed_share)
        return resident.batch(places, References(clean=self._mel(clean), heard=self._mel(heard), mask=mask))

    def _babble(self, size: int, draws: np.random.Generator) -> torch.Tensor:
        resident, count = self._resident, size * _BABBLERS
        others = resident.sent([self._heard[number] for number in draws.integers(len(self._heard), size=count)])
        return resident.samples_at(others, torch.zeros_like(others), self._reference_frames, MARGIN)

    def _generator(self, draws: np.random.Generator) -> torch.Generator:
        return torch.Generator(self._resident.device).manual_seed(int(draws.integers(1 << 62)))

    def _mel(self, waveform: torch.Tensor) -> torch.Tensor:
        config = self._corpus.config
        return (log_mel_on_device(waveform) - config.mel_mean) / config.mel_deviation
