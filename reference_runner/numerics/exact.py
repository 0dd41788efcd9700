"""`exact` on torch: the integers of `integers.py` carried in float64, on a CPU or a CUDA device.

Only tensor + - *, tensor / tensor, multiplication by a constant, round half to even, floor, clamp, compare, where, abs,
gather, maximum and matrix products of float64 are used, each its own kernel, and a square root as a first guess.
Nothing is divided by a Python number (CUDA multiplies by the reciprocal), nothing is fused (`addcmul`,
`add(alpha=...)`, `torch.compile`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner.errors import DeviceUnavailable
from reference_runner.numerics.integers import IntegerOps, Reduction, settle_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.numerics.weights import QuantisedWeights

POWER_MAXIMUM = 64


class TorchCarrier:
    """Integers in torch float64."""

    name = "torch float64"

    def __init__(self, *, device: torch.device | str = "cpu", reduction: Reduction | None = None) -> None:
        self.device = find_device(device)
        self.reduction = reduction or Reduction()
        powers = [2.0**power for power in range(-POWER_MAXIMUM, POWER_MAXIMUM + 1)]
        self._powers = torch.tensor(powers, dtype=torch.float64, device=self.device)

    def array(self, integers: np.ndarray) -> torch.Tensor:
        """Carry int64 integers."""
        return torch.from_numpy(np.ascontiguousarray(integers, dtype=np.float64)).to(self.device)

    def to_int64(self, x: torch.Tensor) -> np.ndarray:
        """Give the integers back."""
        return x.detach().cpu().numpy().astype(np.int64)

    def index(self, ids: Any) -> torch.Tensor:
        """Hold ids for gathering."""
        return torch.as_tensor(ids).to(device=self.device, dtype=torch.int64)

    def boolean(self, mask: Any) -> torch.Tensor:
        """Hold a mask."""
        return torch.as_tensor(mask).to(device=self.device, dtype=torch.bool)

    def reals(self, margins: np.ndarray) -> torch.Tensor:
        """Hold margins."""
        return torch.from_numpy(margins).to(self.device)

    def gather(self, table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Rows of a table."""
        return table[ids]

    def matmul(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(..., M, K) with (..., K, N), snapped to the integers."""
        order, parts = self.reduction.order(x.shape[-1]), self.reduction.parts
        if order is not None:
            chosen = self.index(order)
            x, y = x[..., chosen], y[..., chosen, :]
        if parts == 1:
            return torch.round(x @ y)
        total = x[..., 0::parts] @ y[..., 0::parts, :]
        for i in range(1, parts):
            total = total + x[..., i::parts] @ y[..., i::parts, :]
        return torch.round(total)

    def total(self, x: torch.Tensor, axis: int) -> torch.Tensor:
        """Exact sum."""
        order, parts = self.reduction.order(x.shape[axis]), self.reduction.parts
        if order is not None:
            x = x.index_select(axis, self.index(order))
        chunks = torch.chunk(x, parts, dim=axis) if parts > 1 else (x,)
        total = chunks[0].sum(axis, keepdim=True)
        for chunk in chunks[1:]:
            total = total + chunk.sum(axis, keepdim=True)
        return total

    def greatest(self, x: torch.Tensor, axis: int) -> torch.Tensor:
        """Maximum."""
        return x.amax(axis, keepdim=True)

    def shift_round(self, x: torch.Tensor, bits: int) -> torch.Tensor:
        """X / 2**bits, halves to even."""
        return torch.round(x * 2.0**-bits)

    def shift_floor(self, x: torch.Tensor, bits: int) -> torch.Tensor:
        """floor(x / 2**bits)."""
        return torch.floor(x * 2.0**-bits)

    def scale_by_power(self, x: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        """Return x * 2**power, halves to even."""
        return torch.round(x * self._powers[(power + POWER_MAXIMUM).to(torch.int64)])

    def divide_round(self, numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
        """Numerator / denominator, halves to even."""
        return torch.round(numerator / denominator)

    def where(self, condition: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Choose."""
        return torch.where(condition, x, y)

    def clip(self, x: torch.Tensor, low: int, high: int) -> torch.Tensor:
        """Limit."""
        return torch.clamp(x, low, high)

    def absolute(self, x: torch.Tensor) -> torch.Tensor:
        """|x|."""
        return torch.abs(x)

    def concat(self, parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
        """Join."""
        return torch.cat(list(parts), dim=axis)

    def pad(self, x: torch.Tensor, axis: int, left: int, right: int) -> torch.Tensor:
        """Zeros before and after."""
        shape = list(x.shape)
        shape[axis] = left
        before = torch.zeros(shape, dtype=x.dtype, device=x.device)
        shape[axis] = right
        return torch.cat([before, x, torch.zeros(shape, dtype=x.dtype, device=x.device)], dim=axis)

    def swap(self, x: torch.Tensor, first: int, second: int) -> torch.Tensor:
        """Exchange two axes."""
        return x.transpose(first, second)

    def broadcast(self, x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Repeat to a shape."""
        return x.expand(shape)

    def count_last(self, condition: torch.Tensor) -> torch.Tensor:
        """How many are true along the last axis."""
        return condition.sum(-1, keepdim=True).to(torch.float64)

    def square_root(self, x: torch.Tensor) -> torch.Tensor:
        """floor(sqrt(x)); the library's root, which no two machines need to share, is only the guess."""
        root: torch.Tensor = settle_root(torch.floor(torch.sqrt(x)), x, torch.where)
        return root

    def count(self, condition: torch.Tensor) -> torch.Tensor:
        """How many are true; stays on the device so that nothing waits for it."""
        return condition.sum()


class ExactOps(IntegerOps):
    """The operations of `integers.py` on torch."""

    def __init__(
        self,
        weights: QuantisedWeights,
        *,
        device: torch.device | str = "cpu",
        reduction: Reduction | None = None,
    ) -> None:
        carrier = TorchCarrier(device=device, reduction=reduction)
        self.device, self.dtype = carrier.device, torch.float64
        super().__init__(carrier, weights)

    @torch.inference_mode()
    def forget_saturated(self) -> None:
        """Begin counting anew; the counters stay where they are, as captured graphs add to them."""
        for count in self._saturated.values():
            count.zero_()

    def _count(self, operation: str, count: Any) -> None:
        """Add to a counter on the device; nothing waits, and a replayed graph counts too."""
        if isinstance(count, int) and not count:
            return
        with torch.inference_mode():
            if operation not in self._saturated:
                self._saturated[operation] = torch.zeros((), dtype=torch.int64, device=self.device)
            self._saturated[operation].add_(count)


def find_device(device: torch.device | str) -> torch.device:
    """Resolve a device that exists; asking for an absent one is an error, never a change of device."""
    found = torch.device(device)
    if found.type == "cpu":
        return found
    if found.type == "cuda":
        if not torch.cuda.is_available():
            raise DeviceUnavailable("CUDA was asked for and torch sees no CUDA device", where=f"device {device}")
        if not torch.cuda.is_initialized():
            # cuBLAS reads it when it computes first; a host program that was there before keeps its own setting.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        if (found.index or 0) >= torch.cuda.device_count():
            raise DeviceUnavailable(
                f"got CUDA device {found.index}, torch sees {torch.cuda.device_count()}",
                where=f"device {device}",
            )
        return found
    raise DeviceUnavailable(f"got {found.type}, expected cpu or cuda", where=f"device {device}")
