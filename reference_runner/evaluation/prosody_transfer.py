"""Whether a prompt's manner is heard: melodies of one text under one prompt twice, against under two prompts."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames
    from reference_runner.evaluation.recordings import Recording

__all__ = ["CONTOUR_POINTS", "measure_transfer", "melody"]

CONTOUR_POINTS = 100
_LEAST_VOICED = 10


def melody(clip: Frames) -> NDArray[np.float64] | None:
    """Return the normalised pitch contour (100,), or None where fewer than ten frames are voiced.

    Semitones over the clip's speech, joined by straight lines where it is unvoiced, at 100 evenly spaced instants, less
    their mean.
    """
    semitones = clip.pitch_semitones[clip.extent]
    voiced = np.flatnonzero(~np.isnan(semitones))
    if len(voiced) < _LEAST_VOICED:
        return None
    instants = np.linspace(0, len(semitones) - 1, CONTOUR_POINTS)
    contour: NDArray[np.float64] = np.interp(instants, voiced, semitones[voiced])
    contour -= contour.mean()
    return contour


def measure_transfer(recordings: Sequence[Recording]) -> dict[str, float | int | None]:
    """Return the mean Pearson correlation of the melodies of equal texts, by whether the prompts are equal too.

    The effect is same less other: zero where the prompt is not heard. A repeated run does not show the effect of its
    prompt, so pairs of equal conditions are left out.
    """
    melodies = {id(each): melody(each.frames) for each in recordings}
    pairs: dict[bool, list[float]] = {True: [], False: []}
    for one, other in combinations(recordings, 2):
        mine, theirs = melodies[id(one)], melodies[id(other)]
        told = one.prompt is not None and other.prompt is not None
        again = one.conditions is not None and one.conditions == other.conditions
        if again or not told or one.text is None or one.text != other.text or mine is None or theirs is None:
            continue
        length = float(np.linalg.norm(mine) * np.linalg.norm(theirs))
        if length > 0:
            pairs[one.prompt == other.prompt].append(float(mine @ theirs) / length)
    same, other_prompt = (float(np.mean(found)) if found else None for found in (pairs[True], pairs[False]))
    return {
        "same_prompt": same,
        "same_prompt_pairs": len(pairs[True]),
        "other_prompt": other_prompt,
        "other_prompt_pairs": len(pairs[False]),
        "effect": None if same is None or other_prompt is None else same - other_prompt,
    }
