"""A batch of utterances, and how one is padded on the host."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.evaluation.corpus_reader import CorpusReader

__all__ = ["AcousticBatch", "masked_mean", "pad_batch"]


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
    clean_reference: torch.Tensor
    """(B, R, M): the same before it was disturbed."""
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
        clean_reference=_pad(list(references)),
        reference_mask=_mask([len(reference) for reference in references]),
    )


def _pad(items: list[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(items, batch_first=True)


def _mask(lengths: Sequence[int]) -> torch.Tensor:
    return torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]
