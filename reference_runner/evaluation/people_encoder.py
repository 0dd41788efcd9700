"""How near two voices are to an encoder that was trained on people, thousands of them, and on nothing of ours.

The weights are inside the package `Resemblyzer` (Apache-2.0), which follows Wan and others, "Generalized end-to-end
loss for speaker verification" (arXiv 1710.10467). Only that file is read: the package's own code needs librosa and a
compiler. What stands before the network there is computed here: level, voice activity, 40 mel bands.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from reference_runner.optional import load, package_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames

__all__ = ["PeopleEncoder", "PeopleNetwork", "mel_frames", "slices"]

_PURPOSE = "the encoder that was trained on people"
_SAMPLE_RATE_HZ = 16_000
_LEAST_LEVEL_DB = -30.0
"""A clip that is less loud is raised to it."""
_VOICE_WINDOW = 480
"""30 ms: what the voice detector looks at."""
_SMOOTHING, _BRIDGED = 8, 7
"""Windows that are averaged, and windows by which what is voice is widened."""
_FFT, _HOP, _BANDS = 400, 160, 40
_SLICE_FRAMES, _SLICE_STEP = 160, 77
"""1.6 s at a time, 1.3 times a second."""
_LEAST_COVERAGE = 0.75


class PeopleNetwork(nn.Module):
    """Three LSTM layers over mel frames, the last state through a linear layer: 1.4 M parameters."""

    def __init__(self, hidden: int = 256) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, hidden, 3, batch_first=True)
        self.linear = nn.Linear(hidden, hidden)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, E) of length one, none of them negative, from mel powers (B, L, 40)."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


class PeopleEncoder:
    """The network with its published weights."""

    def __init__(self) -> None:
        """Load it; raises PackageMissing without Resemblyzer's file or the voice detector."""
        self._detector = load("webrtcvad", purpose=_PURPOSE).Vad
        content = package_file("resemblyzer", "pretrained.pt", purpose=_PURPOSE)
        kept = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["model_state"]
        self._network = PeopleNetwork()
        names = self._network.state_dict()
        self._network.load_state_dict({name: kept[name] for name in names})
        self._known: dict[bytes, NDArray[np.float32]] = {}
        self._network.eval().requires_grad_(requires_grad=False)
        digest = hashlib.sha256(content).hexdigest()
        self.identity = f"Resemblyzer {version('Resemblyzer')}, sha256 {digest}"

    def voice(self, clips: Sequence[Frames]) -> NDArray[np.float32]:
        """Return the mean of the clips' embeddings, each the mean of its slices', at length one (E,)."""
        return _unit(np.mean([self._embedding(clip.pcm) for clip in clips], axis=0))

    def _embedding(self, pcm: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return a clip's embedding, found once: the same few clips are what all others are held against."""
        key = hashlib.sha256(pcm.tobytes()).digest()
        if key not in self._known:
            self._known[key] = self._embed(pcm)
        return self._known[key]

    def _embed(self, pcm: NDArray[np.int16]) -> NDArray[np.float32]:
        samples = self._voiced(_levelled(pcm / 32_768.0))
        parts = slices(len(samples))
        mels = mel_frames(np.pad(samples, (0, max(0, parts[-1].stop * _HOP - len(samples)))))
        stacked = np.stack([mels[part] for part in parts]).astype(np.float32)
        return _unit(self._network(torch.from_numpy(stacked)).numpy().mean(axis=0))

    def _voiced(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the samples (S,) without longer silences; all of them where no voice is found."""
        whole = len(samples) // _VOICE_WINDOW
        pcm = np.rint(samples[: whole * _VOICE_WINDOW] * 32_767).astype("<i2").reshape(whole, _VOICE_WINDOW)
        detector = self._detector(3)  # a new one for each clip: it learns the background as it goes
        heard = np.array([detector.is_speech(window.tobytes(), _SAMPLE_RATE_HZ) for window in pcm], dtype=float)
        padded = np.pad(heard, ((_SMOOTHING - 1) // 2, _SMOOTHING // 2))
        smooth = np.convolve(padded, np.ones(_SMOOTHING) / _SMOOTHING, mode="valid")[:whole]
        voice = np.convolve(np.rint(smooth), np.ones(_BRIDGED), mode="same")[:whole] > 0.5
        return samples[: whole * _VOICE_WINDOW][np.repeat(voice, _VOICE_WINDOW)] if voice.any() else samples


def slices(samples: int) -> list[slice]:
    """Return the frames of each 1.6 s that is heard; the last one only where three quarters of it are there."""
    frames = -(-(samples + 1) // _HOP)
    starts = range(0, max(1, frames - _SLICE_FRAMES + _SLICE_STEP + 1), _SLICE_STEP)
    found = [slice(start, start + _SLICE_FRAMES) for start in starts]
    covered = (samples - found[-1].start * _HOP) / (_SLICE_FRAMES * _HOP)
    return found[:-1] if covered < _LEAST_COVERAGE and len(found) > 1 else found


def mel_frames(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mel powers (L, 40): 25 ms Hann windows, 10 ms apart, the first centred on the first sample."""
    padded = np.pad(samples, _FFT // 2)
    window = np.sin(np.pi * np.arange(_FFT) / _FFT) ** 2
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP] * window
    mels: NDArray[np.float64] = np.abs(np.fft.rfft(cut)) ** 2 @ _mel_filters().T
    return mels


@cache
def _mel_filters() -> NDArray[np.float64]:
    """Return triangles of equal area (40, 201) on Slaney's mel scale: linear up to 1 kHz, logarithmic above."""
    top = 15.0 + 27.0 * np.log(8.0) / np.log(6.4)
    mels = np.linspace(0.0, top, _BANDS + 2)
    edges = np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * 6.4 ** ((mels - 15.0) / 27.0))
    places = np.fft.rfftfreq(_FFT, 1.0 / _SAMPLE_RATE_HZ)
    rising = (places - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places) / (edges[2:] - edges[1:-1])[:, None]
    area: NDArray[np.float64] = (2.0 / (edges[2:] - edges[:-2]))[:, None]
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * area
    return filters


def _levelled(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raise quiet samples (S,) to the least level."""
    level = np.sqrt(np.mean(samples**2))
    least = 10.0 ** (_LEAST_LEVEL_DB / 20.0)
    return samples * (least / level) if 0.0 < level < least else samples


def _unit(vector: Any) -> NDArray[np.float32]:
    """Return a vector at length one."""
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
