"""`native`: float32 with autograd and batches; fast, the same hash only on the same stack.

Run in float64 it is the reference that the fidelity of `exact` is measured against.
"""

from __future__ import annotations

from typing import Any, cast, overload

import numpy as np
import torch
from torch.nn import functional

from reference_runner.numerics.ops import GATE_SCALE, LAYER_NORM_EPSILON, attention_scale


class NativeOps:
    """`Ops` over torch tensors of one floating dtype; differentiable, so training uses it too."""

    name = "native"

    def __init__(self, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> None:
        self.dtype = dtype
        self.device = torch.device(device)

    @overload
    def _cast(self, parameter: torch.Tensor) -> torch.Tensor: ...

    @overload
    def _cast(self, parameter: torch.Tensor | None) -> torch.Tensor | None: ...

    def _cast(self, parameter: torch.Tensor | None) -> torch.Tensor | None:
        return None if parameter is None else parameter.to(device=self.device, dtype=self.dtype)

    # Entering and leaving

    def activation(self, values: Any) -> torch.Tensor:
        """Real values as a tensor of this dtype."""
        return torch.as_tensor(values).to(device=self.device, dtype=self.dtype)

    def to_float64(self, x: torch.Tensor) -> np.ndarray:
        """Give an activation as a float64 numpy array."""
        return x.detach().cpu().double().numpy()

    def parameter(self, vector: torch.Tensor) -> torch.Tensor:
        """Turn a parameter into an activation."""
        return vector.to(device=self.device, dtype=self.dtype)

    def integers(self, values: Any) -> torch.Tensor:
        """Make an int64 tensor."""
        return torch.as_tensor(values).to(device=self.device, dtype=torch.int64)

    def mask_from_lengths(self, lengths: torch.Tensor, length: int) -> torch.Tensor:
        """(B,) to (B, length)."""
        return torch.arange(length, device=self.device)[None, :] < lengths[:, None]

    # Shape

    def concat(self, parts: list[torch.Tensor], axis: int) -> torch.Tensor:
        """Join along an axis."""
        return torch.cat(parts, dim=axis)

    concat_integers = concat

    def broadcast_length(self, x: torch.Tensor, length: int) -> torch.Tensor:
        """(B, C) to (B, length, C)."""
        return x[:, None, :].expand(-1, length, -1)

    def pad_length(self, x: torch.Tensor, left: int, right: int) -> torch.Tensor:
        """(B, L, C) to (B, left + L + right, C)."""
        return functional.pad(x, (0, 0, left, right))

    def put(self, x: torch.Tensor, row: torch.Tensor, here: torch.Tensor) -> None:
        """Put a row (B, 1, C) into x (B, L, C), in place, where `here` (B, L) says."""
        x.copy_(torch.where(here[:, :, None], row, x))

    # Element by element

    def add(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return x + y."""
        return x + y

    def subtract(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return x - y."""
        return x - y

    def mul(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return x * y."""
        return x * y

    def affine(self, x: torch.Tensor, scale: float, offset: float = 0.0) -> torch.Tensor:
        """Return scale * x + offset."""
        return x * scale + offset

    def scale(self, x: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Return x * vector."""
        return x * vector.to(device=self.device, dtype=self.dtype)

    def modulate(self, x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Return x * (1 + gain) + shift."""
        return x * (1 + gain) + shift

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """GATE_SCALE * relu(x)**2."""
        positive = torch.relu(x)
        return positive * positive * GATE_SCALE

    def sigmoid(self, x: torch.Tensor) -> torch.Tensor:
        """1 / (1 + exp(-x))."""
        return torch.sigmoid(x)

    def exp(self, x: torch.Tensor) -> torch.Tensor:
        """e**x."""
        return torch.exp(x)

    def sin_cos(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(sin x, cos x)."""
        return torch.sin(x), torch.cos(x)

    def clip(self, x: torch.Tensor, low: float, high: float) -> torch.Tensor:
        """X limited to [low, high]."""
        return x.clamp(low, high)

    def apply_mask(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """X where mask, else 0."""
        return x * mask[:, :, None]

    # Layers

    def linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(..., I) to (..., O)."""
        return functional.linear(x, self._cast(weight), self._cast(bias))

    def conv(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, I) to (B, L, O)."""
        padding = weight.shape[2] // 2
        return functional.conv1d(x.transpose(1, 2), self._cast(weight), self._cast(bias), padding=padding).transpose(
            1, 2
        )

    def depthwise(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, C) to (B, L, C)."""
        channels, kernel = weight.shape
        filters = self._cast(weight).reshape(channels, 1, kernel)
        y = functional.conv1d(x.transpose(1, 2), filters, self._cast(bias), padding=kernel // 2, groups=channels)
        return y.transpose(1, 2)

    def layer_norm(
        self, x: torch.Tensor, gain: torch.Tensor | None = None, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Normalise over the last axis."""
        return functional.layer_norm(x, (x.shape[-1],), self._cast(gain), self._cast(bias), LAYER_NORM_EPSILON)

    def attention(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        heads: int,
        *,
        causal: bool = False,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, Q, C), (B, L, C), (B, L, C) to (B, Q, C)."""
        batch, queries, channels = q.shape
        keys = k.shape[1]
        width = channels // heads
        q, k, v = (x.reshape(batch, -1, heads, width).transpose(1, 2) for x in (q, k, v))
        logits = q @ k.transpose(2, 3) * attention_scale(width)
        if causal:
            last = torch.arange(queries, device=self.device)[:, None] + (keys - queries)
            logits = logits.masked_fill(torch.arange(keys, device=self.device)[None, :] > last, -torch.inf)
        if mask is not None:
            # A finite floor: an item without any visible key must give zeros and not NaN.
            logits = logits.masked_fill(~mask[:, None, None, :], -1e9)
        return (torch.softmax(logits, -1) @ v).transpose(1, 2).reshape(batch, queries, channels)

    def embed(self, table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(K, C) at (B, L) to (B, L, C)."""
        return functional.embedding(ids, self._cast(table))

    def mean_over(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, C) to (B, C)."""
        if mask is None:
            return x.mean(1)
        return (x * mask[:, :, None]).sum(1) / mask.sum(1).clamp(min=1)[:, None]

    # Phones and frames

    def _phone_of_frame(self, durations: torch.Tensor, length: int) -> torch.Tensor:
        """(B, P) to one-hot (B, length, P): a product is deterministic on CUDA where a scatter is not."""
        ends = durations.cumsum(1)
        frame = torch.arange(length, device=self.device)[None, :, None]
        return ((frame < ends[:, None, :]) & (frame >= (ends - durations)[:, None, :])).to(self.dtype)

    def pool_by_phone(self, x: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
        """(B, L, C), (B, P) to (B, P, C)."""
        total = self._phone_of_frame(durations, x.shape[1]).transpose(1, 2) @ x
        return total / durations.clamp(min=1)[:, :, None]

    def repeat_by_duration(self, x: torch.Tensor, durations: torch.Tensor, length: int | None = None) -> torch.Tensor:
        """(B, P, C), (B, P) to (B, length, C)."""
        frames = int(durations.sum(1).max()) if length is None else length
        return self._phone_of_frame(durations, frames) @ x

    def position_in_phone(self, durations: torch.Tensor, length: int | None = None) -> torch.Tensor:
        """(B, P) to (B, length, 2)."""
        frames = int(durations.sum(1).max()) if length is None else length
        one_hot = self._phone_of_frame(durations, frames)
        start = (durations.cumsum(1) - durations).to(self.dtype)[:, :, None]
        start, d = (one_hot @ start)[:, :, 0], (one_hot @ durations.to(self.dtype)[:, :, None])[:, :, 0]
        inside = (d > 0).to(self.dtype)
        frame = torch.arange(frames, device=self.device, dtype=self.dtype)[None, :]
        return torch.stack([(frame - start + 0.5) / d.clamp(min=1) * inside, (d / 32).clamp(max=4.0)], -1)

    def overlap_add(self, frames: torch.Tensor, hop: int) -> torch.Tensor:
        """(B, L, W) to (B, (L - 1) * hop + W)."""
        batch, length, width = frames.shape
        pieces = width // hop
        parts = frames.reshape(batch, length, pieces, hop)
        shifted = (functional.pad(parts[:, :, i], (0, 0, i, pieces - 1 - i)) for i in range(pieces))
        total = cast("torch.Tensor", sum(shifted))
        return total.reshape(batch, (length - 1) * hop + width)

    # Decisions

    def argmax_with_margin(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L, K) to (B, L) and (B, L)."""
        best = logits.argmax(-1)
        top = logits.topk(2, dim=-1).values.double()
        return best, top[..., 0] - top[..., 1]

    def durations_with_margin(
        self, log_frames: torch.Tensor, mask: torch.Tensor, maximum: int = 100
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, P) to (B, P) and (B, P)."""
        frames = torch.exp(log_frames.clamp(max=4.85)).double()
        margin = (frames - frames.floor() - 0.5).abs()
        rounded = frames.round().clamp(1, maximum).to(torch.int64)
        return rounded * mask, margin


class DecodingOps(NativeOps):
    """`NativeOps` for what is decoded again and again: no gradients, products in the type of their weight.

    Between two products everything is float32, whatever the weights are.
    """

    def __init__(self, *, device: torch.device | str = "cpu") -> None:
        super().__init__(device=device)
        self._constants: dict[tuple[tuple[int, ...], bytes], torch.Tensor] = {}

    def activation(self, values: Any) -> torch.Tensor:
        """Real values as float32; a list of Python numbers is a constant, and goes to the device once."""
        if not isinstance(values, list):
            return super().activation(values)
        numbers = np.asarray(values, dtype=np.float64)
        key = numbers.shape, numbers.tobytes()
        if key not in self._constants:
            self._constants[key] = super().activation(numbers)
        return self._constants[key]

    def linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(..., I) to (..., O)."""
        return functional.linear(x.to(weight.dtype), weight, bias).to(self.dtype)

    def conv(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, I) to (B, L, O)."""
        y = functional.conv1d(x.to(weight.dtype).transpose(1, 2), weight, bias, padding=weight.shape[2] // 2)
        return y.transpose(1, 2).to(self.dtype)

    def depthwise(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """(B, L, C) to (B, L, C)."""
        channels, kernel = weight.shape
        filters = weight.reshape(channels, 1, kernel)
        seen = x.to(weight.dtype).transpose(1, 2)
        y = functional.conv1d(seen, filters, bias, padding=kernel // 2, groups=channels)
        return y.transpose(1, 2).to(self.dtype)
