"""Takes from clips what their microphone and room added: the mean of each band over the speech, by integers alone.

Cepstral mean subtraction (Atal 1974), on log-mels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference_runner.numerics.integers import round_division

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["without_mean"]

QUIET_FIFTHS = 2
"""So many fifths of the frames, the quietest, have no part in the mean: pauses are the room's more than the voice's."""


def without_mean(mels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return log-mels int64 (L, M) of one voice, each band less its mean over the louder frames of all of them."""
    frames = np.concatenate(mels)
    loudness = frames.sum(1)
    threshold = np.sort(loudness)[len(loudness) * QUIET_FIFTHS // 5]
    speech = frames[loudness >= threshold]
    mean = round_division(speech.sum(0), np.int64(len(speech)))
    return [mel - mean for mel in mels]
