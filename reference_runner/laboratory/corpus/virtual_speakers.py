"""Virtual speakers: three free voices, each heard through eight vocal tracts of different length and pitch.

A longer vocal tract is imitated by speaking too fast and too high and then resampling the result down (or the other way
round), which moves the formants and leaves pitch and tempo where they were asked to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.laboratory.corpus.flite import SpokenSegment, SpokenUtterance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reference_runner.laboratory.corpus.flite import FliteLibrary

__all__ = ["TARGET_SPEAKERS", "TRAINING_SPEAKERS", "Delivery", "VirtualSpeaker", "resample", "speak"]

_FILTER_REACH = 12
"""Zero crossings of the resampling filter on each side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualSpeaker:
    """A voice of flite and what is done to it."""

    name: str
    flite_voice: str
    formant_percent: int
    """Formant frequencies relative to the voice's own: 100 leaves them."""
    f0_mean_hz: float
    f0_deviation_hz: float
    duration_stretch: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How one utterance is spoken, relative to its speaker's habit."""

    f0_deviation_factor: float = 1.0
    stretch_factor: float = 1.0
    contour_factor: float | None = None
    """Widens the pitch contour itself, in semitones about its median; None leaves the contour as flite drew it."""


_FORMANTS = (90, 94, 97, 100, 103, 106, 109, 112)
_VOICE_F0_HZ = {"slt": 175.0, "rms": 105.0, "awb": 130.0}
_VOICE_DEVIATION_HZ = {"slt": 28.0, "rms": 15.0, "awb": 22.0}
_PITCH_STEPS = (0.92, 1.08, 0.86, 1.0, 1.14, 0.96, 1.2, 1.06)
_TEMPO_STEPS = (1.04, 0.98, 1.08, 1.0, 0.94, 1.06, 0.96, 1.0)


def _training_speakers() -> tuple[VirtualSpeaker, ...]:
    return tuple(
        VirtualSpeaker(
            name=f"{voice}-{formant:03d}",
            flite_voice=voice,
            formant_percent=formant,
            f0_mean_hz=round(base_hz * pitch, 1),
            f0_deviation_hz=round(_VOICE_DEVIATION_HZ[voice] * pitch, 1),
            duration_stretch=tempo,
        )
        for voice, base_hz in _VOICE_F0_HZ.items()
        for formant, pitch, tempo in zip(_FORMANTS, _PITCH_STEPS, _TEMPO_STEPS, strict=True)
    )


TRAINING_SPEAKERS = _training_speakers()

TARGET_SPEAKERS = (
    VirtualSpeaker(
        name="target-slt", flite_voice="slt", formant_percent=92, f0_mean_hz=200.0, f0_deviation_hz=30.0,
        duration_stretch=1.1,
    ),
    VirtualSpeaker(
        name="target-rms", flite_voice="rms", formant_percent=108, f0_mean_hz=118.0, f0_deviation_hz=20.0,
        duration_stretch=0.95,
    ),
    VirtualSpeaker(
        name="target-kal", flite_voice="kal16", formant_percent=100, f0_mean_hz=100.0, f0_deviation_hz=12.0,
        duration_stretch=1.0,
    ),
)  # fmt: skip
"""Speakers outside the training grid, for adaptation."""


@cache
def _phase_filters(up: int, down: int) -> NDArray[np.float64]:
    """Return a windowed-sinc filter for each of the `up` output phases (up, taps)."""
    cutoff = min(1.0, up / down)
    reach = int(np.ceil(_FILTER_REACH / cutoff))
    offsets = np.arange(-reach + 1, reach + 1)[None, :] - (np.arange(up) / up)[:, None]
    window = np.cos(np.pi * offsets / (2 * reach)) ** 2
    filters: NDArray[np.float64] = cutoff * np.sinc(cutoff * offsets) * window
    filters /= filters.sum(axis=1, keepdims=True)
    return filters


def resample(samples: NDArray[np.int16], up: int, down: int) -> NDArray[np.int16]:
    """Resample by up / down; the same integers everywhere, since rounding to 16 bits absorbs the last float bit."""
    divisor = int(np.gcd(up, down))
    up, down = up // divisor, down // divisor
    if up == down:
        return samples
    filters = _phase_filters(up, down)
    reach = filters.shape[1] // 2
    position = np.arange(len(samples) * up // down) * down
    padded = np.pad(samples.astype(np.float64), reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])
    chosen = windows[position // up + 1]
    smooth: NDArray[np.float64] = np.einsum("st,st->s", chosen, filters[position % up])
    return np.clip(np.rint(smooth), -32768, 32767).astype(np.int16)


def speak(
    flite: FliteLibrary, speaker: VirtualSpeaker, text: str, delivery: Delivery
) -> tuple[SpokenUtterance, NDArray[np.int16]]:
    """Return the utterance of the virtual speaker and, for its hash, the samples before resampling."""
    tract = speaker.formant_percent / 100.0
    spoken = flite.speak(
        text,
        voice=speaker.flite_voice,
        f0_mean_hz=speaker.f0_mean_hz / tract,
        f0_deviation_hz=speaker.f0_deviation_hz * delivery.f0_deviation_factor / tract,
        duration_stretch=speaker.duration_stretch * delivery.stretch_factor * tract,
        contour_factor=delivery.contour_factor,
    )
    samples = resample(spoken.samples, 100, speaker.formant_percent)
    segments = tuple(
        SpokenSegment(
            phone=segment.phone,
            end_s=segment.end_s / tract,
            stress=segment.stress,
            word=segment.word,
            word_index=segment.word_index,
        )
        for segment in spoken.segments
    )
    shaped = SpokenUtterance(samples=samples, sample_rate_hz=spoken.sample_rate_hz, segments=segments)
    return shaped, spoken.samples
