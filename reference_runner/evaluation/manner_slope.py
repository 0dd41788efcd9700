"""Manner slope: how much of a prompt's change of manner comes out in what is said after it; 0 none of it, 1 all.

For rate, pitch spread and level, the least-squares slope of the output's figure on the prompt's, both less their means
over the prompts of one voice and sentence. Rate and spread are taken as logarithms, level in decibels, so that a slope
is the same in any unit. `ttsa claim` computes the same slope from artifacts (clause 12, `reference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.evaluation.intervals import Interval, draw_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SLOPE_FIGURES", "SpokenManner", "measure_slopes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenManner:
    """How something was said."""

    rate_phones_per_s: float
    pitch_spread_semitones: float
    level_db: float


SLOPE_FIGURES = ("rate_phones_per_s", "pitch_spread_semitones", "level_db")
_LINEAR = ("level_db",)


def measure_slopes(groups: Sequence[Sequence[tuple[SpokenManner, SpokenManner]]]) -> dict[str, Interval | None]:
    """Return the slope of each figure with its 95 % interval from groups of (prompt, output).

    A group is one voice and one sentence said after each of the prompts, which are as many in every group. The interval
    draws groups with replacement. None where the prompts hardly differ: chance divided by nothing is no slope.
    """
    found = {}
    for figure in SLOPE_FIGURES:
        table = np.array([[[getattr(side, figure) for side in pair] for pair in group] for group in groups])
        found[figure] = _slope(table, 1.0) if figure in _LINEAR else _slope(np.log(table), 0.05)
    return found


def _slope(table: NDArray[np.float64], least_deviation: float) -> Interval | None:
    """Return the slope of a table (groups, prompts, prompt and output) whose prompts deviate by so much or more."""
    prompts, outputs = np.moveaxis(table - table.mean(axis=1, keepdims=True), 2, 0)
    products, changes = (prompts * outputs).sum(axis=1), (prompts**2).sum(axis=1)
    if prompts.std() < least_deviation:
        return None
    chosen = draw_sentences(len(table))
    drawn = products[chosen].sum(axis=1) / changes[chosen].sum(axis=1)
    return Interval.of(products.sum() / changes.sum(), drawn)
