"""A request becomes samples, sentence by sentence: every stage digested, every draw counted, twice if asked.

Sentences are spoken one by one, so that sound begins before the text ends; the noise of a frame is found by the frame's
number in the whole run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from reference_runner.errors import CheckpointError, RequestError
from reference_runner.foreign.kdaip.mel import log_mel
from reference_runner.foreign.kdaip.model import Guidance
from reference_runner.foreign.kdaip.solver import EVALUATIONS_PER_STEP, solve
from reference_runner.foreign.kdaip.symbols import spelled, symbol_ids, symbols_of
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.numerics.noise import FRACTION_BITS, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.foreign.kdaip.model import AcousticModel
    from reference_runner.foreign.kdaip.vocos import Vocos
    from reference_runner.synthesis.references import HeardReference

__all__ = ["Account", "Asked", "Reading", "Speaker", "read_text"]

MOST_FRAMES = 86 * 120
"""Two minutes in one sentence; attention looks from every frame at every frame."""
_STAGES = ("phoneme", "duration", "noise", "mel", "pcm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One run in this model's own terms."""

    seed: int
    steps: int
    solver: str
    guidance: float
    temperature: float
    length_scale: float
    device: str

    @property
    def evaluations(self) -> int:
        """Evaluations of the field's network for one sentence."""
        return self.steps * EVALUATIONS_PER_STEP[self.solver] * Guidance(strength=self.guidance).passes


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is going to be spoken, sentence by sentence."""

    sentences: tuple[tuple[str, ...], ...]
    """Symbols."""
    spoken: tuple[str, ...] = ()
    """The words, where our own front end made the symbols of them."""
    out_of_vocabulary: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Account:
    """What one pass over the text left behind; equal passes leave equal digests."""

    samples: int = 0
    frames: int = 0
    symbols: int = 0
    clipped: int = 0
    evaluations: int = 0
    margin: float = 0.5
    """The least distance of a duration to the whole number that it is rounded up from."""
    _digests: dict[str, hashlib._Hash] = field(default_factory=lambda: {name: hashlib.sha256() for name in _STAGES})

    def add(self, stage: str, data: bytes) -> None:
        """Take what a stage gave for one sentence."""
        self._digests[stage].update(data)

    def digests(self) -> dict[str, str]:
        """Return the digest of every stage, in the order of the road."""
        return {stage: f"sha256:{found.hexdigest()}" for stage, found in self._digests.items()}


class Speaker:
    """Both networks, ready on a device."""

    def __init__(self, acoustic: AcousticModel, vocoder: Vocos, clip: HeardReference, device: str) -> None:
        self._acoustic, self._vocoder = acoustic.to(device), vocoder.to(device)
        samples = torch.from_numpy(clip.pcm.astype(np.float32) / 32_768).to(device)
        with torch.inference_mode():
            self._style = acoustic.style(log_mel(samples[None], acoustic.sizes.mel_bands))

    def speak(self, reading: Reading, asked: Asked, account: Account) -> Iterator[bytes]:
        """Yield the 16-bit PCM of each sentence, and keep account of it."""
        for symbols in reading.sentences:
            with torch.inference_mode():
                samples = self._sentence(symbols, asked, account)
            pcm = np.clip(np.rint(samples.astype(np.float64) * 32_768), -32_768, 32_767).astype("<i2").tobytes()
            account.clipped += int(np.count_nonzero(np.abs(samples) > 1))
            account.samples += len(samples)
            account.add("pcm", pcm)
            yield pcm

    def _sentence(self, symbols: tuple[str, ...], asked: Asked, account: Account) -> np.ndarray:
        device = self._style.device
        rows = symbol_ids(symbols)
        account.symbols += len(rows)
        account.add("phoneme", "|".join(symbols).encode() + b"\n")
        mean, frames = self._acoustic.read(torch.tensor([rows], device=device), self._style)
        place = _alignment(frames[0].cpu().numpy(), asked.length_scale, account)
        mean = mean[:, :, torch.from_numpy(place).to(device)]
        noise = self._noise(len(place), mean.shape[1], asked, account)
        direction = self._acoustic.field(mean, self._style, Guidance(strength=asked.guidance))
        mel = solve(direction, noise.to(device), solver=asked.solver, steps=asked.steps)
        account.evaluations += asked.evaluations
        account.frames += len(place)
        account.add("mel", mel.cpu().numpy().astype("<f4").tobytes())
        samples: np.ndarray = self._vocoder(mel)[0].cpu().numpy()
        if not np.isfinite(samples).all():
            raise CheckpointError("these weights produce samples that are not finite", where="/pins/vocoder")
        return samples

    @staticmethod
    def _noise(frames: int, bands: int, asked: Asked, account: Account) -> torch.Tensor:
        values = Stream(seed=asked.seed, stage="mel").values(account.frames, frames, bands)
        account.add("noise", values.astype("<i4").tobytes())
        scaled = values.astype(np.float32) * np.float32(asked.temperature / (1 << FRACTION_BITS))
        return torch.from_numpy(scaled.T.copy())[None]


def read_text(text: str, phonemes: str) -> Reading:
    """Return the symbols of a text, or those that were given for it."""
    if phonemes:
        return Reading(sentences=(symbols_of(phonemes),))
    read = TextFrontEnd().read(text)
    return Reading(
        sentences=tuple(spelled(sentence.phones) for sentence in read.sentences),
        spoken=tuple(sentence.text for sentence in read.sentences),
        out_of_vocabulary=read.out_of_vocabulary,
    )


def _alignment(frames: np.ndarray, length_scale: float, account: Account) -> np.ndarray:
    """Return for every frame the symbol that it belongs to: each symbol's frames rounded up, then scaled."""
    if not np.isfinite(frames).all():
        raise CheckpointError("these weights produce durations that are not finite", where="/pins/model")
    whole = np.ceil(frames)
    account.margin = min(account.margin, float(np.abs(frames - np.rint(frames)).min()))
    # In float32, as the published model adds them up; durations that no float32 sum holds are too long as well.
    with np.errstate(over="ignore"):
        ends = np.cumsum(whole.astype(np.float32) * np.float32(length_scale), dtype=np.float32)
    if ends[-1] >= MOST_FRAMES + 1:
        total = float(whole.sum(dtype=np.float64)) * length_scale
        raise RequestError(f"a sentence of {total:.10g} frames, expected at most {MOST_FRAMES}", where="request.text")
    count = max(1, int(ends[-1]))
    account.add("duration", whole.astype("<i4").tobytes())
    place = np.searchsorted(ends, np.arange(count, dtype=np.float32), side="right")
    return np.minimum(place, len(ends) - 1)
