"""How far speech is from a recording of the same sentence: spectrum, pitch, voicing, length.

Both clips are cut to their speech and laid on each other by dynamic time warping of c1 to c13: the path from the first
pair of frames to the last, by steps (1, 1), (1, 0) and (0, 1) of equal weight, along which the Euclidean distances sum
to the least.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames

__all__ = ["CEPSTRA", "DECIBELS", "Distances", "measure_distances", "warp"]

CEPSTRA = slice(1, 14)
DECIBELS = 10.0 * np.sqrt(2.0) / np.log(10.0)
"""For each unit of cepstral distance: the root mean square over frequency of 20 log10 of two smooth spectra's ratio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distances:
    """One clip against the source of its sentence."""

    mcd_db: float
    """Mel-cepstral distortion: (10 / ln 10) sqrt(2 sum_m (c_m - c'_m)^2), m = 1..13, mean over the path."""
    f0_rmse_semitones: float | None
    """Root mean square of the pitch difference over the pairs of the path in which both are voiced; None without one.

    It holds the difference of the voices' levels too; f0_contour_rmse_semitones is the same after each clip's median
    over those pairs was taken off.
    """
    f0_contour_rmse_semitones: float | None
    voicing_error: float
    """Share of the pairs of the path in which one frame is voiced and the other is not."""
    duration_error_s: float
    """Seconds of speech, pauses within it included, less those of the source."""
    duration_ratio: float

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers by name."""
        return asdict(self)


def measure_distances(clip: Frames, source: Frames) -> Distances:
    """Compare a clip with the source."""
    mine, theirs = clip.cepstra[clip.extent, CEPSTRA], source.cepstra[source.extent, CEPSTRA]
    rows, columns = warp(mine, theirs)
    distances = np.linalg.norm(mine[rows] - theirs[columns], axis=1)
    pitch = clip.pitch_semitones[clip.extent][rows]
    other = source.pitch_semitones[source.extent][columns]
    voiced, other_voiced = ~np.isnan(pitch), ~np.isnan(other)
    both = voiced & other_voiced
    f0_rmse = contour_rmse = None
    if both.any():
        gap = pitch[both] - other[both]
        bent = (pitch[both] - np.median(pitch[both])) - (other[both] - np.median(other[both]))
        f0_rmse, contour_rmse = float(np.sqrt((gap**2).mean())), float(np.sqrt((bent**2).mean()))
    return Distances(
        mcd_db=float(DECIBELS * distances.mean()),
        f0_rmse_semitones=f0_rmse,
        f0_contour_rmse_semitones=contour_rmse,
        voicing_error=float((voiced != other_voiced).mean()),
        duration_error_s=clip.speech_s - source.speech_s,
        duration_ratio=clip.speech_s / source.speech_s,
    )


def warp(one: NDArray[np.floating], other: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of the path between vectors (L, D) and (K, D); of equal ways the diagonal goes."""
    square = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2.0 * one @ other.T
    costs = np.sqrt(np.maximum(square, 0.0)).tolist()
    reached: list[list[float]] = []
    steps: list[list[int]] = []  # 0 diagonal, 1 from above, 2 from the left
    infinity = float("inf")
    above = [infinity] * len(other)
    for row, line in enumerate(costs):
        left, corner = infinity, (infinity if row else 0.0)
        sums, ways = [], []
        for column, cost in enumerate(line):
            best, way = corner, 0
            if above[column] < best:
                best, way = above[column], 1
            if left < best:
                best, way = left, 2
            corner, left = above[column], best + cost
            sums.append(left)
            ways.append(way)
        above = sums
        reached.append(sums)
        steps.append(ways)
    row, column = len(one) - 1, len(other) - 1
    path = [(row, column)]
    while row or column:
        way = steps[row][column]
        row, column = row - (way != 2), column - (way != 1)
        path.append((row, column))
    rows, columns = np.array(path[::-1], dtype=np.int64).T
    return rows, columns
