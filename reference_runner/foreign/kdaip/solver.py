"""Fixed-step solvers of dx/dt = f(t, x) from 0 to 1: the number of evaluations is known before any of them.

An adaptive solver takes its steps by the last bits of its error estimate, so that two machines may take other steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    Field = Callable[[float, torch.Tensor], torch.Tensor]

__all__ = ["EVALUATIONS_PER_STEP", "SOLVERS", "solve"]

SOLVERS = ("euler", "midpoint", "rk4")
"""rk4 is Kutta's 3/8 rule, as it is under that name where the published model takes its solvers from."""
EVALUATIONS_PER_STEP = {"euler": 1, "midpoint": 2, "rk4": 4}


def solve(field: Field, x: torch.Tensor, *, solver: str, steps: int) -> torch.Tensor:
    """Return x(1) for x(0), after `steps` equal steps."""
    for step in range(steps):
        begin, end = step / steps, (step + 1) / steps
        x = x + (end - begin) * _slope(field, x, solver, begin, end)
    return x


def _slope(field: Field, x: torch.Tensor, solver: str, begin: float, end: float) -> torch.Tensor:
    width = end - begin
    first = field(begin, x)
    if solver == "euler":
        return first
    if solver == "midpoint":
        return field(begin + width / 2, x + first * (width / 2))
    second = field(begin + width / 3, x + first * (width / 3))
    third = field(begin + 2 * width / 3, x + width * (second - first / 3))
    fourth = field(end, x + width * (first - second + third))
    return (first + 3 * (second + third) + fourth) / 8
