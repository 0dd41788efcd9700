"""A corpus on the device that learns from it: batches are gathered there, and the host sends only where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from reference_runner.laboratory.training.batches import AcousticBatch
from reference_runner.model.features import FEATURE_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.evaluation.corpus_reader import CorpusReader

__all__ = ["MARGIN", "References", "ResidentCorpus"]

_BY_PHONE = ("phones", "stresses", "breaks", "durations")
MARGIN = (FEATURE_SETTINGS.window_samples - FEATURE_SETTINGS.hop_samples) // 2
"""Samples that the analysis of a stretch of frames needs on each side of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """A clip of each speaker of a batch: B items, R frames, M mel bands."""

    clean: torch.Tensor
    """(B, R, M), normalised."""
    heard: torch.Tensor
    """(B, R, M): the same, disturbed."""
    mask: torch.Tensor
    """(B, R) bool."""


class ResidentCorpus:
    """The arrays of a corpus as they are stored, on one device; on the CPU they stay mapped files."""

    def __init__(self, corpus: CorpusReader, *, device: str | torch.device = "cpu") -> None:
        self.corpus = corpus
        self.device = torch.device(device)
        self._config = corpus.config
        self._arrays = {name: array.to(self.device) for name, array in corpus.tensors().items()}
        utterances = corpus.utterances
        self.phone_starts, self.phone_counts, self.frame_starts, self.frame_counts = (
            torch.tensor([getattr(utterance, name) for utterance in utterances], device=self.device)
            for name in ("phone_start", "phone_count", "frame_start", "frame_count")
        )

    def sent(self, values: Sequence[int]) -> torch.Tensor:
        """Return whole numbers of the host on the device."""
        return torch.tensor(values, dtype=torch.int64).to(self.device, non_blocking=True)

    def mel_at(self, frames: torch.Tensor) -> torch.Tensor:
        """Return normalised log-mel frames (..., M) at positions (...) of the whole corpus."""
        return self._normalised(self._arrays["log_mel"][frames].float())

    def prosody_at(self, frames: torch.Tensor) -> torch.Tensor:
        """Return what the prosody encoder hears (..., prosody mel bands + 3) at positions (...)."""
        config = self._config
        octaves, voiced, energy = self._arrays["prosody"][frames].float().unbind(-1)
        energy = (energy - config.energy_mean) / config.energy_deviation
        extra = torch.stack([octaves / config.pitch_deviation_octaves, voiced, energy], -1)
        low = self._arrays["log_mel"][frames, : config.prosody_mel_bands].float()
        return torch.cat([self._normalised(low), extra], -1)

    def samples_at(
        self, places: torch.Tensor, start_frames: torch.Tensor, frames: int, margin: int = 0
    ) -> torch.Tensor:
        """Return samples (B, frames * hop + 2 * margin) of utterances (B,), zeros outside of each."""
        hop = FEATURE_SETTINGS.hop_samples
        inside = start_frames[:, None] * hop + torch.arange(-margin, frames * hop + margin, device=self.device)
        within = (inside >= 0) & (inside < self.frame_counts[places][:, None] * hop)
        at = (self.frame_starts[places][:, None] * hop + inside) * within
        return self._arrays["samples"][at].float() / 32768.0 * within

    def batch(self, places: Sequence[int], references: References | None = None) -> AcousticBatch:
        """Gather utterances; without references each is its own."""
        utterances = [self.corpus.utterances[place] for place in places]
        phone_counts = tuple(utterance.phone_count for utterance in utterances)
        frame_counts = tuple(utterance.frame_count for utterance in utterances)
        at = self.sent(places)
        phone_at, phone_mask = _spread(self.phone_starts[at], self.phone_counts[at], max(phone_counts))
        frame_at, frame_mask = _spread(self.frame_starts[at], self.frame_counts[at], max(frame_counts))
        rows = [row * max(phone_counts) + phone for row, count in enumerate(phone_counts) for phone in range(count)]
        mel = self.mel_at(frame_at) * frame_mask[:, :, None]
        heard = References(clean=mel, heard=mel, mask=frame_mask) if references is None else references
        return AcousticBatch(
            **{name: self._arrays[name][phone_at].long() * phone_mask for name in _BY_PHONE},
            phone_mask=phone_mask,
            phone_places=self.sent(rows),
            phone_counts=phone_counts,
            frame_counts=frame_counts,
            frame_mask=frame_mask,
            mel=mel,
            prosody=self.prosody_at(frame_at) * frame_mask[:, :, None],
            reference=heard.heard,
            reference_mask=heard.mask,
            clean_reference=heard.clean,
        )

    def _normalised(self, log_mel: torch.Tensor) -> torch.Tensor:
        return (log_mel - self._config.mel_mean) / self._config.mel_deviation


def _spread(starts: torch.Tensor, counts: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return positions (B, length) and which of them belong to an item; the others are position 0."""
    offsets = torch.arange(length, device=starts.device)[None, :]
    mask = offsets < counts[:, None]
    return (starts[:, None] + offsets) * mask, mask
