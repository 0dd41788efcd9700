"""A second opinion on voices: a small network that was trained to tell speakers apart, and nothing else."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load
from torch import nn
from torch.nn.functional import normalize, relu

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames

__all__ = ["WEIGHTS_FILE", "SpeakerEncoder", "SpeakerNetwork"]

WEIGHTS_FILE = "speaker-encoder.safetensors"
CROP_FRAMES = 100
"""What it hears at once: 1.6 s."""
_STEP_FRAMES = 50
_MEAN, _DEVIATION = -1.0, 2.2


class SpeakerNetwork(nn.Module):
    """Four convolutions over frames, mean and deviation over time, one linear layer: 0.16 M parameters."""

    def __init__(self, bands: int = 80, channels: int = 96, embedding: int = 128) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            [
                nn.Conv1d(bands, channels, 5, padding=2),
                nn.Conv1d(channels, channels, 3, padding=2, dilation=2),
                nn.Conv1d(channels, channels, 3, padding=3, dilation=3),
                nn.Conv1d(channels, 2 * channels, 1),
            ]
        )
        self.embedding = nn.Linear(4 * channels, embedding)

    def forward(self, log_mels: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, E) of length one from log-mels (B, L, M) of speech."""
        hidden = ((log_mels - _MEAN) / _DEVIATION).transpose(1, 2)
        for convolution in self.convolutions:
            hidden = relu(convolution(hidden))
        pooled = torch.cat([hidden.mean(2), (hidden.var(2, unbiased=False) + 1e-5).sqrt()], dim=1)
        return normalize(self.embedding(pooled), dim=1)


class SpeakerEncoder:
    """The trained network, as it is beside this module (`python -m reference_runner.laboratory.speaker_trainer`)."""

    def __init__(self) -> None:
        content = files("reference_runner.evaluation").joinpath(WEIGHTS_FILE).read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._network = SpeakerNetwork()
        self._network.load_state_dict(load(content))
        self._network.eval().requires_grad_(requires_grad=False)

    def voice(self, clips: Sequence[Frames]) -> NDArray[np.float32]:
        """Return the mean of the embeddings of all crops of the clips, at length one (E,)."""
        crops = [crop for clip in clips for crop in crops_of(clip)]
        embeddings = torch.cat([self._network(crop[None]) for crop in crops])
        return normalize(embeddings.mean(0), dim=0).numpy()


def crops_of(clip: Frames) -> list[torch.Tensor]:
    """Return the speech frames of a clip in overlapping crops (CROP_FRAMES, M), or all that there are."""
    speech = torch.from_numpy(clip.log_mel[clip.is_speech]).float()
    starts = range(0, max(1, len(speech) - CROP_FRAMES + 1), _STEP_FRAMES)
    return [speech[start : start + CROP_FRAMES] for start in starts]
