"""A counter-free, portable random source: SplitMix64, the same draws in any language and any version of Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SplitMix64"]

Item = TypeVar("Item")

_MASK = (1 << 64) - 1
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15


class SplitMix64:
    """Draws that depend on the seed and the number of draws before, and on nothing else."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next_word(self) -> int:
        """Return the next unsigned 64-bit word."""
        self._state = (self._state + _GOLDEN_GAMMA) & _MASK
        word = self._state
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
        return word ^ (word >> 31)

    def below(self, bound: int) -> int:
        """Return an integer in [0, bound); the bias of the multiplication is below 2^-32 for our bounds."""
        return (self.next_word() * bound) >> 64

    def between(self, low: float, high: float) -> float:
        """Return a float in [low, high) on a grid of 2^-32 of the interval."""
        return low + (high - low) * (self.below(1 << 32) / (1 << 32))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.between(0.0, 1.0) < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """Return the items in a drawn order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
