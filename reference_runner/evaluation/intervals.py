"""How sure a number is: bootstrap over sentences, seeded, the same draws for both sides of a difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["BOOTSTRAP_DRAWS", "BOOTSTRAP_SEED", "Interval", "difference_interval", "mean_interval", "spread_interval"]

BOOTSTRAP_DRAWS = 10_000
BOOTSTRAP_SEED = 1
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean, or another figure of all sentences, and its 95 % interval."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def mean_interval(by_sentence: Mapping[str, float]) -> Interval:
    """Return the mean over sentences; a sentence that was said several times gives the mean of its times."""
    values, drawn = _drawn(by_sentence)
    low, high = np.quantile(drawn.mean(axis=1), _QUANTILES)
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def spread_interval(by_sentence: Mapping[str, float]) -> Interval:
    """Return the standard deviation over sentences (divided by their number); few sentences make its interval low."""
    values, drawn = _drawn(by_sentence)
    low, high = np.quantile(drawn.std(axis=1), _QUANTILES)
    return Interval(mean=float(values.std()), low=float(low), high=float(high))


def difference_interval(one: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """Return the mean of one minus other over the sentences that both have; None where they share none."""
    shared = sorted(set(one) & set(other))
    return mean_interval({name: one[name] - other[name] for name in shared}) if shared else None


def _drawn(by_sentence: Mapping[str, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values (n,) in the order of their sentences, and n of them for each draw (BOOTSTRAP_DRAWS, n)."""
    values = np.array([by_sentence[name] for name in sorted(by_sentence)], dtype=np.float64)
    source = np.random.Generator(np.random.Philox(key=BOOTSTRAP_SEED))
    return values, values[source.integers(len(values), size=(BOOTSTRAP_DRAWS, len(values)))]
