"""How sure a number is: bootstrap over sentences, seeded, the same draws for both sides of a difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "BOOTSTRAP_DRAWS", "BOOTSTRAP_SEED", "Interval", "difference_interval", "draw_sentences", "mean_interval",
    "spread_interval",
]  # fmt: skip

BOOTSTRAP_DRAWS = 10_000
BOOTSTRAP_SEED = 1
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean, or another figure of all sentences, and its 95 % interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, drawn: NDArray[np.float64]) -> Interval:
        """Return a figure with the interval that its draws (BOOTSTRAP_DRAWS,) leave."""
        low, high = np.quantile(drawn, _QUANTILES)
        return cls(mean=float(value), low=float(low), high=float(high))

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def mean_interval(by_sentence: Mapping[str, float]) -> Interval:
    """Return the mean over sentences; a sentence that was said several times gives the mean of its times."""
    values = _in_order(by_sentence)
    return Interval.of(values.mean(), values[draw_sentences(len(values))].mean(axis=1))


def spread_interval(by_sentence: Mapping[str, float]) -> Interval:
    """Return the standard deviation over sentences (divided by their number); few sentences make its interval low."""
    values = _in_order(by_sentence)
    return Interval.of(values.std(), values[draw_sentences(len(values))].std(axis=1))


def difference_interval(one: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """Return the mean of one minus other over the sentences that both have; None where they share none."""
    shared = sorted(set(one) & set(other))
    return mean_interval({name: one[name] - other[name] for name in shared}) if shared else None


def draw_sentences(count: int) -> NDArray[np.int64]:
    """Return the sentences of every draw (BOOTSTRAP_DRAWS, count), the same for every figure of as many sentences."""
    return np.random.Generator(np.random.Philox(key=BOOTSTRAP_SEED)).integers(count, size=(BOOTSTRAP_DRAWS, count))


def _in_order(by_sentence: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([by_sentence[name] for name in sorted(by_sentence)], dtype=np.float64)
