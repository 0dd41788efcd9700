"""How sure a number is: bootstrap over sentences, seeded, the same draws for both sides of a difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BOOTSTRAP_DRAWS", "BOOTSTRAP_SEED", "Interval", "difference_interval", "mean_interval"]

BOOTSTRAP_DRAWS = 10_000
BOOTSTRAP_SEED = 1
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def mean_interval(by_sentence: Mapping[str, float]) -> Interval:
    """Return the mean over sentences; a sentence that was said several times gives the mean of its times."""
    values = np.array([by_sentence[name] for name in sorted(by_sentence)], dtype=np.float64)
    source = np.random.Generator(np.random.Philox(key=BOOTSTRAP_SEED))
    chosen = source.integers(len(values), size=(BOOTSTRAP_DRAWS, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), _QUANTILES)
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def difference_interval(one: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """Return the mean of one minus other over the sentences that both have; None where they share none."""
    shared = sorted(set(one) & set(other))
    return mean_interval({name: one[name] - other[name] for name in shared}) if shared else None
