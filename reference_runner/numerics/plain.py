"""`exact` in plain numpy, twice: in float64 as everywhere, and in int64 to prove that float64 is only the carrier.

`Int64Carrier` uses integer instructions alone and raises when an intermediate leaves 53 bits, so a run through it is a
certificate for that run.  Neither needs torch at synthesis time; this file is what a port to another language reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.errors import CarrierOverflow
from reference_runner.numerics.integers import IntegerOps, Reduction, host, round_division, round_shift, settle_root
from reference_runner.numerics.weights import CARRIER_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.numerics.weights import QuantisedWeights

POWER_MAXIMUM = 64


class NumpyCarrier:
    """What both numpy carriers share; `dtype` is the array's."""

    dtype: Any

    def __init__(self, *, reduction: Reduction | None = None) -> None:
        self.reduction = reduction or Reduction()

    def array(self, integers: np.ndarray) -> np.ndarray:
        """Carry int64 integers."""
        return np.ascontiguousarray(integers, dtype=self.dtype)

    def to_int64(self, x: np.ndarray) -> np.ndarray:
        """Give the integers back."""
        return x.astype(np.int64)

    def index(self, ids: Any) -> np.ndarray:
        """Hold ids for gathering."""
        return host(ids).astype(np.int64)

    def boolean(self, mask: Any) -> np.ndarray:
        """Hold a mask."""
        return host(mask).astype(bool)

    def reals(self, margins: np.ndarray) -> np.ndarray:
        """Hold margins."""
        return margins

    def gather(self, table: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Rows of a table."""
        rows: np.ndarray = table[ids]
        return rows

    def matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(..., M, K) with (..., K, N), snapped to the integers."""
        order, parts = self.reduction.order(x.shape[-1]), self.reduction.parts
        if order is not None:
            x, y = x[..., order], y[..., order, :]
        total = x[..., 0::parts] @ y[..., 0::parts, :]
        for i in range(1, parts):
            total = total + x[..., i::parts] @ y[..., i::parts, :]
        return self.snap(total)

    def snap(self, x: np.ndarray) -> np.ndarray:
        """Bring sums of products onto the integers."""
        raise NotImplementedError

    def total(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Exact sum."""
        order = self.reduction.order(x.shape[axis])
        if order is not None:
            x = np.take(x, order, axis)
        parts = [part.sum(axis, keepdims=True) for part in np.array_split(x, self.reduction.parts, axis)]
        total: np.ndarray = sum(parts[1:], parts[0])
        return total

    def greatest(self, x: np.ndarray, axis: int) -> np.ndarray:
        """Maximum."""
        peak: np.ndarray = x.max(axis, keepdims=True)
        return peak

    def where(self, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Choose."""
        return np.where(condition, x, y)

    def clip(self, x: np.ndarray, low: int, high: int) -> np.ndarray:
        """Limit."""
        limited: np.ndarray = np.minimum(np.maximum(x, low), high)
        return limited

    def absolute(self, x: np.ndarray) -> np.ndarray:
        """|x|."""
        magnitude: np.ndarray = np.abs(x)
        return magnitude

    def concat(self, parts: Sequence[np.ndarray], axis: int) -> np.ndarray:
        """Join."""
        return np.concatenate(parts, axis)

    def pad(self, x: np.ndarray, axis: int, left: int, right: int) -> np.ndarray:
        """Zeros before and after."""
        return np.pad(x, [(left, right) if i == axis else (0, 0) for i in range(x.ndim)])

    def swap(self, x: np.ndarray, first: int, second: int) -> np.ndarray:
        """Exchange two axes."""
        return np.swapaxes(x, first, second)

    def broadcast(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Repeat to a shape."""
        return np.broadcast_to(x, shape)

    def count_last(self, condition: np.ndarray) -> np.ndarray:
        """How many are true along the last axis."""
        how_many: np.ndarray = condition.sum(-1, keepdims=True).astype(self.dtype)
        return how_many

    def count(self, condition: np.ndarray) -> int:
        """How many are true."""
        return int(np.count_nonzero(condition))


class Float64Carrier(NumpyCarrier):
    """Integers in numpy float64."""

    name = "numpy float64"
    dtype = np.float64

    def __init__(self, *, reduction: Reduction | None = None) -> None:
        super().__init__(reduction=reduction)
        self._powers = np.array([2.0**power for power in range(-POWER_MAXIMUM, POWER_MAXIMUM + 1)])

    def snap(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring sums of products onto the integers."""
        return np.rint(x)

    def shift_round(self, x: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
        """X / 2**bits, halves to even."""
        return np.rint(x * 2.0**-bits)

    def shift_floor(self, x: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
        """floor(x / 2**bits)."""
        return np.floor(x * 2.0**-bits)

    def scale_by_power(self, x: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x * 2**power, halves to even."""
        scaled: NDArray[np.float64] = np.rint(x * self._powers[(power + POWER_MAXIMUM).astype(np.int64)])
        return scaled

    def square_root(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """floor(sqrt(x)); the library's root is only the guess."""
        root: NDArray[np.float64] = settle_root(np.floor(np.sqrt(x)), x, np.where)
        return root

    def divide_round(self, numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numerator / denominator, halves to even."""
        return np.rint(numerator / denominator)


class Int64Carrier(NumpyCarrier):
    """Integers in int64; every intermediate that is rounded or divided is checked against 53 bits."""

    name = "numpy int64"
    dtype = np.int64

    def _within(self, x: np.ndarray, operation: str) -> np.ndarray:
        if x.size and max(int(x.max()), -int(x.min())) > 1 << CARRIER_BITS:
            raise CarrierOverflow(f"an intermediate left +-2**{CARRIER_BITS}", where=operation)
        return x

    def snap(self, x: np.ndarray) -> np.ndarray:
        """Check sums of products."""
        return self._within(x, "matmul")

    def shift_round(self, x: np.ndarray, bits: int) -> np.ndarray:
        """X / 2**bits, halves to even."""
        return round_shift(self._within(x, "shift_round"), bits)

    def shift_floor(self, x: np.ndarray, bits: int) -> np.ndarray:
        """floor(x / 2**bits)."""
        floor: np.ndarray = self._within(x, "shift_floor") >> bits
        return floor

    def scale_by_power(self, x: np.ndarray, power: np.ndarray) -> np.ndarray:
        """Return x * 2**power, halves to even."""
        x, power = np.broadcast_arrays(self._within(x, "scale_by_power"), power)
        left = x << np.maximum(power, 0)
        bits = np.maximum(-power, 1)
        quotient, rest, half = x >> bits, x & ((1 << bits) - 1), 1 << (bits - 1)
        right = quotient + ((rest > half) | ((rest == half) & (quotient & 1 == 1)))
        return self._within(np.where(power >= 0, left, right), "scale_by_power")

    def divide_round(self, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
        """Numerator / denominator, halves to even."""
        return round_division(self._within(numerator, "divide_round"), denominator)

    def square_root(self, x: np.ndarray) -> np.ndarray:
        """floor(sqrt(x)) bit by bit: no root of any library."""
        root = np.zeros_like(self._within(x, "square_root"))
        for bit in range(26, -1, -1):
            trial = root + (1 << bit)
            root = np.where(trial * trial <= x, trial, root)
        return root


class PlainOps(IntegerOps):
    """The operations of `integers.py` on numpy."""

    def __init__(self, weights: QuantisedWeights, *, integer: bool = False, reduction: Reduction | None = None) -> None:
        carrier = Int64Carrier(reduction=reduction) if integer else Float64Carrier(reduction=reduction)
        super().__init__(carrier, weights)
