"""The arithmetic a module of the model may use: one `forward` serves training and every profile.

A module's `forward(self, ops, ...)` may

* call the operations below,
* read `.shape`, index with integers, slices, `None` and `...`, and call `.reshape`,

and nothing else: no `+` between activations, no torch function, no tensor method. In the `exact` profile an
activation is an integer multiple of 2**-20 and only the operations here know how to round one.

Words used in every signature:

* *activation*: what flows between layers, float32 in `native`, an integer times 2**-20 within +-2**7 in `exact`.
* *parameter*: a `torch.nn.Parameter` or registered buffer of the module, handed over whole and untouched, because
  `exact` finds its pre-quantised twin by identity. `weight.T`, `weight[:4]` and `1 + gain` are new tensors and are
  refused.
* *integers*: int64 ids, lengths and durations. *mask*: booleans, true where something is.
* B batch, L frames or phones, P phones, C channels, K kernel or classes. Sequences are always (B, L, C).

A module leaves to the outside: dropout, losses, straight-through estimators (training), randomness (`noise`).
"""

from __future__ import annotations

from math import isqrt
from typing import Any, Protocol, TypeAlias

Activation: TypeAlias = Any
"""A backend's array of reals (torch.Tensor or numpy.ndarray); see the module's words."""

Integers: TypeAlias = Any
Mask: TypeAlias = Any
Parameter: TypeAlias = Any

ACTIVATION_FRACTION_BITS = 20
"""An activation in the `exact` profile is an integer times 2**-ACTIVATION_FRACTION_BITS.

A trained vocoder turns phases by its input, so it amplifies what the grid leaves out some thirty times: measured with
trained weights, 2**-16 gave 64 to 73 dB against float64, 2**-18 73 to 82.
"""

SATURATION_BITS = 7
"""It saturates at +-2**SATURATION_BITS; design normalisations so that values stay under about 30."""

GATE_SCALE = 0.5
"""`gate(x) = GATE_SCALE * relu(x)**2`; a power of two, the same number in every profile."""

LAYER_NORM_EPSILON = 2.0**-16
"""Added to the variance; a power of two, so that float32 and the integers mean the same number."""


class Ops(Protocol):
    """The operations of the inference path; `NativeOps`, `ExactOps` and `PlainOps` provide them."""

    name: str

    # Entering and leaving

    def activation(self, values: Any) -> Activation:
        """Return real values (numpy, list or torch) as an activation, rounded to the profile's grid."""
        ...

    def to_float64(self, x: Activation) -> Any:
        """Return an activation as a float64 numpy array: what leaves the network."""
        ...

    def parameter(self, vector: Parameter) -> Activation:
        """Turn a parameter used as a value (a special token) into an activation of the same shape."""
        ...

    def integers(self, values: Any) -> Integers:
        """Return ids, lengths or durations as the backend's int64 array."""
        ...

    def mask_from_lengths(self, lengths: Integers, length: int) -> Mask:
        """Return (B, length), true at positions before the item's end as `lengths` (B,) say."""
        ...

    # Shape

    def concat(self, parts: list[Activation], axis: int) -> Activation:
        """Join activations along an axis."""
        ...

    def concat_integers(self, parts: list[Integers], axis: int) -> Integers:
        """Join integers along an axis."""
        ...

    def broadcast_length(self, x: Activation, length: int) -> Activation:
        """Repeat `x` (B, C) to (B, length, C)."""
        ...

    def pad_length(self, x: Activation, left: int, right: int) -> Activation:
        """Extend `x` (B, L, C) to (B, left + L + right, C), zeros outside."""
        ...

    def put(self, x: Activation, row: Activation, here: Mask) -> None:
        """Put a row (B, 1, C) into x (B, L, C), in place, where `here` (B, L) says; only a cache is changed so."""
        ...

    # Element by element

    def add(self, x: Activation, y: Activation) -> Activation:
        """Return `x + y`, broadcasting."""
        ...

    def subtract(self, x: Activation, y: Activation) -> Activation:
        """Return `x - y`, broadcasting."""
        ...

    def mul(self, x: Activation, y: Activation) -> Activation:
        """Return `x * y`, broadcasting."""
        ...

    def affine(self, x: Activation, scale: float, offset: float = 0.0) -> Activation:
        """Return `scale * x + offset` with Python numbers; `exact` rounds them to 24 bits and to its grid.

        |scale| stays under 16 and |offset| under 128.
        """
        ...

    def scale(self, x: Activation, vector: Parameter) -> Activation:
        """Return `x * vector`, (B, L, C) and (C,): a layer scale."""
        ...

    def modulate(self, x: Activation, gain: Activation, shift: Activation) -> Activation:
        """Return `x * (1 + gain) + shift`, broadcasting: style-adaptive layer norm after `layer_norm(x)`."""
        ...

    def gate(self, x: Activation) -> Activation:
        """Apply the one nonlinearity, GATE_SCALE * relu(x)**2."""
        ...

    def sigmoid(self, x: Activation) -> Activation:
        """Return `1 / (1 + exp(-x))`."""
        ...

    def exp(self, x: Activation) -> Activation:
        """Return `e**x`; saturates at 2**SATURATION_BITS in `exact`, so clip log-magnitudes below 4.85."""
        ...

    def sin_cos(self, x: Activation) -> tuple[Activation, Activation]:
        """Return `sin x` and `cos x`, radians."""
        ...

    def clip(self, x: Activation, low: float, high: float) -> Activation:
        """Return `x` limited to [low, high]."""
        ...

    def apply_mask(self, x: Activation, mask: Mask) -> Activation:
        """Return `x` (B, L, C) where `mask` (B, L) is true, else 0."""
        ...

    # Layers

    def linear(self, x: Activation, weight: Parameter, bias: Parameter | None = None) -> Activation:
        """Map `x` (..., I) by `weight` (O, I) and `bias` (O,) to (..., O)."""
        ...

    def conv(self, x: Activation, weight: Parameter, bias: Parameter | None = None) -> Activation:
        """Convolve `x` (B, L, I) with `weight` (O, I, K), K odd, zero "same" padding, to (B, L, O)."""
        ...

    def depthwise(self, x: Activation, weight: Parameter, bias: Parameter | None = None) -> Activation:
        """Convolve each channel of `x` (B, L, C) with `weight` (C, K), K odd, zero "same" padding, to (B, L, C)."""
        ...

    def layer_norm(self, x: Activation, gain: Parameter | None = None, bias: Parameter | None = None) -> Activation:
        """Normalise over the last axis (at most 512 wide), then gain (C,) and bias (C,)."""
        ...

    def attention(
        self,
        q: Activation,
        k: Activation,
        v: Activation,
        heads: int,
        *,
        causal: bool = False,
        mask: Mask | None = None,
    ) -> Activation:
        """Attend from `q` (B, Q, C) to `k` and `v` (B, L, C) where `mask` (B, L) is true, to (B, Q, C).

        With `causal` the queries are the last Q of the L positions, so a step with cached keys has Q = 1.
        The scale is `attention_scale(C // heads)`.
        """
        ...

    def embed(self, table: Parameter, ids: Integers) -> Activation:
        """Return the rows of `table` (K, C) at `ids` (B, L), (B, L, C)."""
        ...

    def mean_over(self, x: Activation, mask: Mask | None = None) -> Activation:
        """Return the mean of `x` (B, L, C) over L where `mask` (B, L) is true, (B, C); 0 where nothing is."""
        ...

    # Phones and frames

    def pool_by_phone(self, x: Activation, durations: Integers) -> Activation:
        """Return the mean of `x` (B, L, C) over each phone's frames, (B, P, C); 0 without frames."""
        ...

    def repeat_by_duration(self, x: Activation, durations: Integers, length: int | None = None) -> Activation:
        """Repeat each row of `x` (B, P, C) as `durations` (B, P) say: to (B, length, C), zeros after an item's end.

        `length` defaults to the longest item.
        """
        ...

    def position_in_phone(self, durations: Integers, length: int | None = None) -> Activation:
        """Return (B, length, 2): ((i + 1/2) / d, min(d / 32, 4)) for frame i of d in `durations` (B, P), then zeros."""
        ...

    def overlap_add(self, frames: Activation, hop: int) -> Activation:
        """Add overlapping `frames` (B, L, W), W a multiple of `hop`, to (B, (L - 1) * hop + W)."""
        ...

    # Decisions

    def argmax_with_margin(self, logits: Activation) -> tuple[Integers, Activation]:
        """Return the first greatest class (B, L) of `logits` (B, L, K), and its lead over the runner-up in float64."""
        ...

    def durations_with_margin(
        self, log_frames: Activation, mask: Mask, maximum: int = 100
    ) -> tuple[Integers, Activation]:
        """Return round(exp(`log_frames`)) (B, P) within 1..maximum, 0 where `mask` (B, P) is false, and the margin.

        The margin (B, P), float64 reals, is the distance of exp(log_frames) to the nearest rounding boundary.
        """
        ...


def attention_scale(head_width: int) -> float:
    """Return 1 / sqrt(`head_width`) as a multiple of 2**-12, by integers: the same number in every profile."""
    # round(2**12 / sqrt(w)) = floor((sqrt(2**26 / w) + 1) / 2); math.isqrt is exact.
    return ((isqrt((1 << 26) // head_width) + 1) // 2) / 4096.0
