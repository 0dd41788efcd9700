"""How near a voice is to another: a measure that knows no model, and the opinion of a small trained encoder.

Neither is the timbre encoder of the model that is measured.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames

__all__ = [
    "STATISTICS_FILE", "VoiceStatistics", "cepstral_voice", "cosine", "median_pitch", "pitch_gap", "read_statistics",
]  # fmt: skip

STATISTICS_FILE = "voice_statistics.json"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VoiceStatistics:
    """Mean and standard deviation of the raw voice vectors of a population of clips."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    sha256: str
    corpus_root_sha256: str


@cache
def read_statistics() -> VoiceStatistics:
    """Return the pinned population: clips of the training corpus, as `laboratory.voice_population` measured them."""
    content = files("reference_runner.evaluation").joinpath(STATISTICS_FILE).read_bytes()
    value: dict[str, Any] = json.loads(content)
    return VoiceStatistics(
        mean=np.array(value["mean"]),
        deviation=np.array(value["deviation"]),
        sha256=hashlib.sha256(content).hexdigest(),
        corpus_root_sha256=value["corpus_root_sha256"],
    )


def raw_voice(clips: Sequence[Frames]) -> NDArray[np.float64]:
    """Return mean and standard deviation of c1 to c23 over all speech frames of the clips (46,)."""
    cepstra = np.concatenate([clip.cepstra[clip.is_speech, 1:] for clip in clips])
    return np.concatenate([cepstra.mean(axis=0), cepstra.std(axis=0)])


def cepstral_voice(clips: Sequence[Frames], statistics: VoiceStatistics | None = None) -> NDArray[np.float64]:
    """Return the model-free voice vector: (raw_voice - population mean) / population deviation.

    c0 is left out, so loudness counts nothing; speech frames only, so pauses count nothing.
    """
    population = statistics or read_statistics()
    return (raw_voice(clips) - population.mean) / population.deviation


def cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return x . y / (|x| |y|): 1 for the same direction, about 0 for unrelated voices."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def median_pitch(clips: Sequence[Frames]) -> float:
    """Return the median of 12 log2(F0) over all voiced frames of the clips; nan where none is voiced."""
    semitones = np.concatenate([clip.pitch_semitones for clip in clips])
    voiced = semitones[~np.isnan(semitones)]
    return float(np.median(voiced)) if len(voiced) else float("nan")


def pitch_gap(clips: Sequence[Frames], others: Sequence[Frames]) -> float:
    """Return the difference of the median pitches in semitones, positive where the first are higher."""
    return median_pitch(clips) - median_pitch(others)
