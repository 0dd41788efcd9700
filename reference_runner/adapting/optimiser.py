"""Adam in a page: each operation is one that IEEE defines, but for a square root that rounding absorbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Adam"]

FIRST_DECAY, SECOND_DECAY = 0.9, 0.98
EPSILON = 1e-8


class Adam:
    """Moves leaves in place; the library's own fuses and vectorises by machine."""

    def __init__(self, leaves: Sequence[torch.Tensor]) -> None:
        self._leaves = list(leaves)
        self._first = [torch.zeros_like(leaf) for leaf in leaves]
        self._second = [torch.zeros_like(leaf) for leaf in leaves]
        self._count = 0

    @torch.no_grad()
    def step(self, gradients: Sequence[torch.Tensor], rate: float) -> None:
        """Take one step against the gradients."""
        self._count += 1
        first_sum, second_sum = 1 - FIRST_DECAY**self._count, 1 - SECOND_DECAY**self._count
        for place, gradient in enumerate(gradients):
            first = self._first[place] = self._first[place] * FIRST_DECAY + gradient * (1 - FIRST_DECAY)
            second = self._second[place] * SECOND_DECAY + gradient * gradient * (1 - SECOND_DECAY)
            self._second[place] = second
            move = (first * (1 / first_sum)) / (torch.sqrt(second * (1 / second_sum)) + EPSILON)
            self._leaves[place].copy_(self._leaves[place] - move * rate)
