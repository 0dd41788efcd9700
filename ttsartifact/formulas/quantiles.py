"""Quantiles and their intervals for few values (clause 7.9)."""

from __future__ import annotations

from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

__all__ = ["interval_ranks", "median_int", "quantile_cont"]

_TAIL = 0.025
"""On either side of an interval of 95 %."""


def quantile_cont(values: Sequence[float], probability: Fraction) -> float:
    """Return the quantile that SQL calls `quantile_cont`: linear between the neighbours of (n - 1) * p.

    Values are taken in order. Raises ValueError for none.

    >>> quantile_cont([10, 20, 30, 50], Fraction(1, 2))
    25.0
    """
    if not values:
        raise ValueError("no values have no quantile")
    held = sorted(values)
    place = (len(held) - 1) * probability
    low = place.numerator // place.denominator
    if place == low:
        return float(held[low])
    between = float(place - low)
    return held[low] + (held[low + 1] - held[low]) * between


def median_int(values: Sequence[int]) -> int:
    """Return the median of integers, of an even number of them the mean of the middle two, rounded down.

    Raises IndexError for none.

    >>> median_int([20, 10, 45, 31])
    25
    """
    held = sorted(values)
    return (held[(len(held) - 1) // 2] + held[len(held) // 2]) // 2


def interval_ranks(count: int, probability: Fraction) -> tuple[int, int] | None:
    """Return the ranks (from 1) of two ordered values between which the quantile lies with 95 % confidence.

    Nothing is assumed but that the values are independent and of one distribution: the number of values below the
    quantile is binomial, so that the interval from rank l to rank u covers it with P(l <= B < u) (Conover, Practical
    Nonparametric Statistics, section 3.2). Of all pairs that cover it with 95 % one is returned whose tails are at
    most 2.5 % each. None where so few values bound it on one side only: p99 needs 368 of them, p95
    needs 72.

    >>> interval_ranks(20, Fraction(1, 2))
    (6, 15)
    >>> interval_ranks(20, Fraction(99, 100)) is None
    True
    """
    p, low, below = float(probability), 0, 0.0
    for successes in range(count + 1):
        chance = exp(
            lgamma(count + 1)
            - lgamma(successes + 1)
            - lgamma(count - successes + 1)
            + successes * log(p)
            + (count - successes) * log1p(-p)
        )
        if below + chance > _TAIL and not low:
            if successes == 0:
                return None
            low = successes  # P(B < low) is at most the tail
        below += chance
        if low and 1 - below <= _TAIL:
            return (low, successes + 1) if successes < count else None  # P(B >= high) is at most the tail
    return None
