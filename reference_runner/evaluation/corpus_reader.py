"""The built corpus on disk, and its utterances as prior samples."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.prior import PriorSample
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.model import StableTts

__all__ = ["CorpusReader", "CorpusUtterance", "prior_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusUtterance:
    """Where one utterance is in the arrays."""

    split: str
    speaker: str
    text: str
    phone_start: int
    phone_count: int
    frame_start: int
    frame_count: int
    block: int | None = None
    """Utterances of one block are of one speaker in one delivery; None in a corpus without blocks."""
    has_samples: bool = True
    """A packed corpus has the sound of a part only."""


class CorpusReader:
    """The corpus on disk, mapped into memory."""

    def __init__(self, folder: Path, config: StableTtsConfig) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.root_sha256: str = index["root_sha256"]
        self.config = config
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.load(
                folder / f"{name}.npy", mmap_mode="c"
            )  # torch takes no array that cannot be written; the file stays
            for name in ("phones", "stresses", "breaks", "durations", "samples", "log_mel", "prosody")
        }
        self.utterances: list[CorpusUtterance] = []
        phone_start = frame_start = 0
        for item in index["items"]:
            self.utterances.append(
                CorpusUtterance(
                    split=item["split"],
                    speaker=item["speaker"],
                    text=item["text"],
                    phone_start=phone_start,
                    phone_count=item["phones"],
                    frame_start=frame_start,
                    frame_count=item["frames"],
                    block=item.get("block"),
                    has_samples=item.get("has_samples", True),
                )
            )
            phone_start += item["phones"]
            frame_start += item["frames"]

    def split(self, name: str) -> list[int]:
        """Return the positions of the utterances of one split."""
        return [place for place, utterance in enumerate(self.utterances) if utterance.split == name]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the arrays of the whole corpus by name, in the memory of the mapped files."""
        return {name: torch.from_numpy(array) for name, array in self._arrays.items()}

    def phone_values(self, name: str, place: int) -> torch.Tensor:
        """Return phones, stresses, breaks or durations (P,) of one utterance."""
        utterance = self.utterances[place]
        part = self._arrays[name][utterance.phone_start : utterance.phone_start + utterance.phone_count]
        return torch.from_numpy(part.astype(np.int64))

    def samples(self, place: int) -> torch.Tensor:
        """Return the waveform (S,) within [-1, 1]."""
        utterance = self.utterances[place]
        hop = FEATURE_SETTINGS.hop_samples
        start, count = utterance.frame_start * hop, utterance.frame_count * hop
        return torch.from_numpy(self._arrays["samples"][start : start + count].astype(np.float32)) / 32768.0

    def raw_log_mel(self, place: int) -> NDArray[np.float16]:
        """Return log-mel frames (L, M) as stored."""
        utterance = self.utterances[place]
        end = utterance.frame_start + utterance.frame_count
        frames: NDArray[np.float16] = self._arrays["log_mel"][utterance.frame_start : end]
        return frames

    def mel(self, place: int) -> torch.Tensor:
        """Return normalised log-mel frames (L, M)."""
        values = torch.from_numpy(self.raw_log_mel(place).astype(np.float32))
        return (values - self.config.mel_mean) / self.config.mel_deviation

    def prosody(self, place: int) -> torch.Tensor:
        """Return what the prosody encoder hears (L, prosody mel bands + 3), normalised."""
        utterance = self.utterances[place]
        part = self._arrays["prosody"][utterance.frame_start : utterance.frame_start + utterance.frame_count]
        extra = torch.from_numpy(part.astype(np.float32))
        extra[:, 0] /= self.config.pitch_deviation_octaves
        extra[:, 2] = (extra[:, 2] - self.config.energy_mean) / self.config.energy_deviation
        return torch.cat([self.mel(place)[:, : self.config.prosody_mel_bands], extra], dim=1)

    def manner(self, place: int) -> float:
        """Return how lively an utterance is: the deviation of its pitch in octaves, on its voiced frames."""
        utterance = self.utterances[place]
        part = self._arrays["prosody"][utterance.frame_start : utterance.frame_start + utterance.frame_count]
        voiced = part[part[:, 1] > 0, 0]
        return float(voiced.std()) if len(voiced) else 0.0


def prior_of(model: StableTts, corpus: CorpusReader, place: int) -> PriorSample:
    """Return an utterance of the corpus as a prior sample, with the codes this model hears in it."""
    ops = NativeOps()
    durations = corpus.phone_values("durations", place)
    with torch.no_grad():
        latents = model.prosody_encoder(ops, corpus.prosody(place)[None], durations[None])
        codes, _ = model.prosody_quantizer(ops, latents)
    utterance = corpus.utterances[place]
    columns = {name: corpus.phone_values(name, place).numpy() for name in ("phones", "stresses", "breaks")}
    return PriorSample.from_arrays(
        utterance.text,
        utterance.speaker,
        {
            **columns,
            "durations": durations.numpy(),
            "codes": codes[0].numpy(),
            "log_mel": corpus.raw_log_mel(place),
        },
    )
