"""Deals the corpus out in batches for training."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reference_runner.evaluation.corpus_reader import CorpusReader

__all__ = ["AcousticBatch", "UtteranceBatches", "masked_mean", "pad_batch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AcousticBatch:
    """Utterances padded to a common length: B items, P phones, L frames, M mel bands, R reference frames."""

    phones: torch.Tensor
    """(B, P) int64, as are stresses, breaks and durations."""
    stresses: torch.Tensor
    breaks: torch.Tensor
    durations: torch.Tensor
    phone_mask: torch.Tensor
    """(B, P) bool."""
    frame_mask: torch.Tensor
    """(B, L) bool."""
    mel: torch.Tensor
    """(B, L, M), normalised."""
    prosody: torch.Tensor
    """(B, L, prosody mel bands + 3), normalised."""
    reference: torch.Tensor
    """(B, R, M): another utterance of the same speaker."""
    reference_mask: torch.Tensor
    """(B, R) bool."""
    phone_places: torch.Tensor
    """(N,) int64: where of the B * P positions a phone is."""
    phone_counts: tuple[int, ...]
    """Of each item, known to the host: to ask a device for them is to wait for it."""
    frame_counts: tuple[int, ...]

    def to(self, device: torch.device) -> AcousticBatch:
        """Return the batch on another device."""
        moved: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved |= {name: value.to(device) for name, value in moved.items() if isinstance(value, torch.Tensor)}
        return AcousticBatch(**moved)

    def phones_of(self, x: torch.Tensor) -> torch.Tensor:
        """(B, P, ...) to (N, ...): what belongs to a phone."""
        return x.flatten(0, 1)[self.phone_places]


def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of x (B, L) or (B, L, C) where the mask (B, L) is true; x[mask] would wait for the device."""
    if x.ndim > mask.ndim:
        return (x * mask[:, :, None]).sum() / (mask.sum() * x.shape[-1])
    return (x * mask).sum() / mask.sum()


def pad_batch(corpus: CorpusReader, places: Sequence[int], references: Sequence[torch.Tensor]) -> AcousticBatch:
    """Pad utterances and their reference mels (R_i, M) into one batch."""
    names = ("phones", "stresses", "breaks", "durations")
    columns = {name: _pad([corpus.phone_values(name, place) for place in places]) for name in names}
    mels = [corpus.mel(place) for place in places]
    phone_counts = tuple(corpus.utterances[place].phone_count for place in places)
    phone_mask = _mask(phone_counts)
    return AcousticBatch(
        **columns,
        phone_mask=phone_mask,
        phone_places=phone_mask.flatten().nonzero()[:, 0],
        phone_counts=phone_counts,
        frame_counts=tuple(len(mel) for mel in mels),
        frame_mask=_mask([len(mel) for mel in mels]),
        mel=_pad(mels),
        prosody=_pad([corpus.prosody(place) for place in places]),
        reference=_pad(list(references)),
        reference_mask=_mask([len(reference) for reference in references]),
    )


def _add_noise(mel: torch.Tensor, noise: torch.Tensor, deviation: float) -> torch.Tensor:
    """Add magnitudes of two normalised log-mels (L, M)."""
    return torch.logaddexp(mel * deviation, noise * deviation) / deviation


def _pad(items: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(items, batch_first=True)


def _mask(lengths: Sequence[int]) -> torch.Tensor:
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]


class UtteranceBatches:
    """An endless, seeded stream of batches, each of utterances that are alike in length or in manner."""

    def __init__(
        self, corpus: CorpusReader, *, split: str, batch_size: int, seed: int, alike: str = "length",
        reference_frames: int = 128,
    ) -> None:  # fmt: skip
        self._corpus = corpus
        keys = {"length": lambda place: corpus.utterances[place].frame_count, "manner": corpus.manner}
        self._places = sorted(corpus.split(split), key=keys[alike])
        self._batch_size = batch_size
        self._seed = seed
        self._reference_frames = reference_frames
        self._by_speaker: dict[str, list[int]] = {}
        for place in self._places:
            self._by_speaker.setdefault(corpus.utterances[place].speaker, []).append(place)

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

    def _batch(self, places: list[int], draws: np.random.Generator) -> AcousticBatch:
        references = [self._reference(place, draws) for place in places]
        return pad_batch(self._corpus, places, references)

    def _reference(self, place: int, draws: np.random.Generator) -> torch.Tensor:
        """Return part of another utterance of the same speaker; one in five is made noisy or clipped in level."""
        siblings = self._by_speaker[self._corpus.utterances[place].speaker]
        other = siblings[int(draws.integers(len(siblings)))]
        mel = self._corpus.mel(other)
        start = int(draws.integers(max(1, len(mel) - self._reference_frames)))
        mel = mel[start : start + self._reference_frames]
        kind = draws.random()
        if kind < 0.15:
            floor = float(draws.uniform(-2.0, -0.5))
            noise = torch.from_numpy(draws.normal(floor, 0.3, mel.shape).astype(np.float32))
            mel = _add_noise(mel, noise, self._corpus.mel_deviation)
        elif kind < 0.2:
            mel = mel.clamp(max=float(draws.uniform(0.8, 1.6)))
        return mel
