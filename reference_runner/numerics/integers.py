"""The `exact` profile, defined: every operation takes integers and returns integers, whatever carries them.

An activation is an integer; the number it means is that integer times 2**-20, within +-2**27.  What follows is written
over a `Carrier` (torch float64, numpy float64, numpy int64) that provides exact sums of products, rounding shifts and
rounding division.  No square root, exponential, logarithm, sine or random number of any library is called: polynomials
with the constants below, an integer square root decided by comparisons, and powers of two from a table.

Why float64 may carry it: every intermediate stays under 2**53 (`weights.py` certifies the sums of products at load, the
bounds of the rest stand beside them), a product of such integers by a power of two is exact, and for |n| < 2**52 the
IEEE quotient of two integers rounds to the same integer as the true quotient (a quotient that is no half-integer keeps
at least 1/(2d) from one, more than half an ulp).  So order, threads, fused multiply-add, split sums and tensor cores
cannot matter, and approximate products (FFT, Winograd) are absorbed by the snap as long as they err by less than 1/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from reference_runner.numerics.ops import (
    ACTIVATION_FRACTION_BITS,
    GATE_SCALE,
    LAYER_NORM_EPSILON,
    SATURATION_BITS,
    attention_scale,
)
from reference_runner.numerics.weights import VECTOR_FRACTION_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from reference_runner.numerics.weights import QuantisedTensor, QuantisedWeights

ONE = 1 << ACTIVATION_FRACTION_BITS
LIMIT = 1 << (ACTIVATION_FRACTION_BITS + SATURATION_BITS)

# exp: x log2(e) = n + f, 2**f by its Taylor polynomial of degree 7 on |f| <= 1/2 (remainder 5e-9).
REDUCTION_BITS = 26
LOG2_E = 0x5C551D9  # log2(e) * 2**26
POLYNOMIAL_BITS = 26
EXP2_COEFFICIENTS = (
    0x4000000,
    0x2C5C860,
    0xF5FDF0,
    0x38D612,
    0x9D956,
    0x15D88,
    0x2861,
    0x400,
)  # ln(2)**k / k!
EXP_LOWEST = -32 * ONE  # e**-32 rounds to 0 on every grid used
EXP_HIGHEST = 5_088_000  # 4.8523, just above ln(2**7): the result saturates

# sin, cos: x * 2/pi = q + r quarter turns, polynomials in r**2 on |r| <= 1/2 (remainder 2e-9).
TWO_OVER_PI = 0x28BE60E  # 2/pi * 2**26
SIN_COEFFICIENTS = (
    0x6487ED5,
    -0x295779D,
    0x519AF2,
    -0x4CB4B,
    0x2A0F,
    -0xF2,
)  # (-1)**k (pi/2)**(2k+1) / (2k+1)!
COS_COEFFICIENTS = (
    0x4000000,
    -0x4EF4F32,
    0x103C1F1,
    -0x155D3C,
    0xF0FB,
    -0x69B,
    0x20,
)  # (-1)**k (pi/2)**2k / (2k)!

SOFTMAX_EXP_BITS = 24
SOFTMAX_BITS = 20
NORM_WIDTH_MAXIMUM = 512
NORM_DEVIATION_BITS = 22
NORM_ROOT_BITS = 4
AFFINE_BITS = 24
GATE_SHIFT = ACTIVATION_FRACTION_BITS + int(1 / GATE_SCALE).bit_length() - 1
NORM_EPSILON_BITS = 2 * ACTIVATION_FRACTION_BITS - int(1 / LAYER_NORM_EPSILON).bit_length() + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Reduction:
    """How a carrier adds up: in the given order, or permuted and split, to show that it does not matter."""

    permuted: bool = False
    parts: int = 1

    def order(self, length: int) -> np.ndarray | None:
        """Return the order in which the terms are taken, or None for their own."""
        if not self.permuted:
            return None
        # An affine map modulo a prime above `length` visits every index once: a fixed, library-free shuffle.
        prime = 1_000_003
        return np.argsort((np.arange(length, dtype=np.int64) * 7_368_787 + 12_345) % prime, kind="stable")


class Carrier(Protocol):
    """What holds the integers.  Arrays support + - * comparisons & ~, indexing and reshape; the rest is here."""

    name: str

    def array(self, integers: np.ndarray) -> Any:
        """Carry int64 integers."""
        ...

    def to_int64(self, x: Any) -> np.ndarray:
        """Give the integers back."""
        ...

    def index(self, ids: Any) -> Any:
        """Hold ids as an int64 array usable for gathering."""
        ...

    def boolean(self, mask: Any) -> Any:
        """Hold a mask."""
        ...

    def reals(self, margins: np.ndarray) -> Any:
        """Hold float64 margins; they are reported, never computed with."""
        ...

    def gather(self, table: Any, ids: Any) -> Any:
        """Rows of a table (K, ...) at ids."""
        ...

    def matmul(self, x: Any, y: Any) -> Any:
        """Exact sums of products, snapped to the integers; (..., M, K) with (..., K, N)."""
        ...

    def total(self, x: Any, axis: int) -> Any:
        """Exact sum, the axis kept with width one."""
        ...

    def greatest(self, x: Any, axis: int) -> Any:
        """Maximum, the axis kept with width one."""
        ...

    def shift_round(self, x: Any, bits: int) -> Any:
        """X / 2**bits, halves to even."""
        ...

    def shift_floor(self, x: Any, bits: int) -> Any:
        """floor(x / 2**bits)."""
        ...

    def scale_by_power(self, x: Any, power: Any) -> Any:
        """Return x * 2**power, halves to even; power an array of integers from -62 to 62."""
        ...

    def divide_round(self, numerator: Any, denominator: Any) -> Any:
        """Numerator / denominator, halves to even; denominator > 0."""
        ...

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """Choose."""
        ...

    def clip(self, x: Any, low: int, high: int) -> Any:
        """Limit."""
        ...

    def absolute(self, x: Any) -> Any:
        """|x|."""
        ...

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Join."""
        ...

    def pad(self, x: Any, axis: int, left: int, right: int) -> Any:
        """Zeros before and after along an axis."""
        ...

    def swap(self, x: Any, first: int, second: int) -> Any:
        """Exchange two axes."""
        ...

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Repeat to a shape."""
        ...

    def count(self, condition: Any) -> Any:
        """How many are true; an int, or something `int()` accepts later."""
        ...

    def count_last(self, condition: Any) -> Any:
        """How many are true along the last axis, which is kept with width one, as carried integers."""
        ...

    def square_root(self, x: Any) -> Any:
        """floor(sqrt(x)) for 0 <= x < 2**53, decided by exact comparisons with squares."""
        ...


class IntegerOps:
    """`Ops` over integers; see `reference_runner.numerics.ops` for the shapes of every operation."""

    name = "exact"

    def __init__(self, carrier: Carrier, weights: QuantisedWeights) -> None:
        self.carrier = carrier
        self.weights = weights
        self._saturated: dict[str, Any] = {}
        self._carried: dict[tuple[str, str], Any] = {}
        self._constants: dict[tuple[tuple[int, ...], bytes], Any] = {}
        self._visible: dict[tuple[int, int, bool], Any] = {}
        self._places: dict[int, Any] = {}
        self._norm_limits = carrier.array(np.array([1 << bits for bits in range(NORM_DEVIATION_BITS, 38)]))

    # The grid

    @property
    def saturated(self) -> dict[str, int]:
        """How many values each operation has limited to +-2**7 so far."""
        counts = {operation: int(count) for operation, count in sorted(self._saturated.items())}
        return {operation: count for operation, count in counts.items() if count}

    def forget_saturated(self) -> None:
        """Begin counting anew, for the next run."""
        self._saturated.clear()

    def _saturate(self, x: Any, operation: str) -> Any:
        limited = self.carrier.clip(x, -LIMIT, LIMIT)
        self._count(operation, self.carrier.count(limited != x))
        return limited

    def _round(self, y: Any, bits: int, operation: str) -> Any:
        """Y / 2**bits, halves to even, within +-2**7.

        A product of two large activations may need 54 bits; it is limited before it is rounded, at one step beyond the
        saturation, so that whatever it lost above 53 bits is never looked at.
        """
        beyond = (LIMIT + 1) << bits
        return self._saturate(self.carrier.shift_round(self.carrier.clip(y, -beyond, beyond), bits), operation)

    def _count(self, operation: str, count: Any) -> None:
        self._saturated[operation] = self._saturated.get(operation, 0) + count

    def _carry(self, tensor: QuantisedTensor, role: str, make: Any) -> Any:
        key = (tensor.name, role)
        if key not in self._carried:
            self._carried[key] = self.carrier.array(make())
        return self._carried[key]

    def _vector(self, parameter: torch.Tensor) -> Any:
        """(C,) integers times 2**-20."""
        tensor = self.weights.of(parameter)
        if tensor.is_matrix:
            raise TypeError(f"{tensor.name} is a matrix of shape {tensor.mantissa.shape}, expected a vector")
        return self._carry(tensor, "vector", lambda: tensor.mantissa.astype(np.int64))

    def _table(self, tensor: QuantisedTensor) -> Any:
        """Put the parameter on the activation grid."""

        def make() -> np.ndarray:
            shift = tensor.exponent - ACTIVATION_FRACTION_BITS
            values = tensor.mantissa.astype(np.int64)
            shifted = round_shift(values, shift) if shift > 0 else values << -shift
            return np.clip(shifted, -LIMIT, LIMIT)

        return self._carry(tensor, "table", make)

    # Entering and leaving

    def activation(self, values: Any) -> Any:
        """Round reals to the grid; a list of Python numbers is a constant, and is carried once."""
        if isinstance(values, list):
            return self._constant(np.asarray(values, np.float64))
        reals = np.asarray(values.detach().cpu().double().numpy() if hasattr(values, "detach") else values, np.float64)
        integers = np.rint(reals * ONE)
        limited = np.clip(integers, -LIMIT, LIMIT)
        self._count("activation", int((limited != integers).sum()))
        return self.carrier.array(limited.astype(np.int64))

    def _constant(self, numbers: np.ndarray) -> Any:
        key = numbers.shape, numbers.tobytes()
        if key not in self._constants:
            self._constants[key] = self.activation(numbers)
        return self._constants[key]

    def activation_from_integers(self, integers: np.ndarray) -> Any:
        """Carry integers times 2**-20, limited to +-2**7."""
        return self.carrier.array(np.clip(integers.astype(np.int64), -LIMIT, LIMIT))

    def parameter(self, vector: torch.Tensor) -> Any:
        """Turn a parameter into an activation."""
        return self._table(self.weights.of(vector))

    def integers(self, values: Any) -> Any:
        """Hold ids, lengths or durations."""
        return self.carrier.index(values)

    def mask_from_lengths(self, lengths: Any, length: int) -> Any:
        """(B,) to (B, length)."""
        return self.carrier.boolean(np.arange(length)[None, :] < host(lengths)[:, None])

    def to_integers(self, x: Any) -> np.ndarray:
        """Give an activation as int32 integers times 2**-20: what stage hashes are taken over."""
        return self.carrier.to_int64(x).astype(np.int32)

    def to_float64(self, x: Any) -> np.ndarray:
        """Give an activation as the numbers it means."""
        return self.carrier.to_int64(x) * 2.0**-ACTIVATION_FRACTION_BITS

    # Shape

    def concat(self, parts: list[Any], axis: int) -> Any:
        """Join along an axis."""
        return self.carrier.concat(parts, axis)

    concat_integers = concat

    def broadcast_length(self, x: Any, length: int) -> Any:
        """(B, C) to (B, length, C)."""
        return self.carrier.broadcast(x[:, None, :], (x.shape[0], length, x.shape[1]))

    def pad_length(self, x: Any, left: int, right: int) -> Any:
        """(B, L, C) to (B, left + L + right, C)."""
        return self.carrier.pad(x, 1, left, right)

    def put(self, x: Any, row: Any, here: Any) -> None:
        """Put a row (B, 1, C) into x (B, L, C), in place, where `here` (B, L) says."""
        x[...] = self.carrier.where(here[:, :, None], row, x)

    # Element by element; the comments bound the intermediates, |activation| <= 2**27

    def add(self, x: Any, y: Any) -> Any:
        """Return x + y."""
        return self._saturate(x + y, "add")

    def subtract(self, x: Any, y: Any) -> Any:
        """Return x - y."""
        return self._saturate(x - y, "subtract")

    def mul(self, x: Any, y: Any) -> Any:
        """Return x * y."""
        return self._round(x * y, ACTIVATION_FRACTION_BITS, "mul")  # 2**54

    def affine(self, x: Any, scale: float, offset: float = 0.0) -> Any:
        """Return scale * x + offset."""
        bits = AFFINE_BITS - int(abs(scale)).bit_length()
        factor, constant = round(scale * (1 << bits)), round(offset * ONE)
        if abs(scale) >= 16 or abs(constant) > LIMIT:
            raise ValueError(f"affine takes |scale| < 16 and |offset| <= 128, got {scale} and {offset}")
        return self._round(x * factor + (constant << bits), bits, "affine")  # 2**51 + 2**51

    def scale(self, x: Any, vector: torch.Tensor) -> Any:
        """Return x * vector."""
        return self._round(x * self._vector(vector), VECTOR_FRACTION_BITS, "scale")  # 2**54

    def modulate(self, x: Any, gain: Any, shift: Any) -> Any:
        """Return x * (1 + gain) + shift."""
        y = x * (gain + ONE) + shift * ONE  # 2**54 + 2**47 + 2**47
        return self._round(y, ACTIVATION_FRACTION_BITS, "modulate")

    def gate(self, x: Any) -> Any:
        """GATE_SCALE * relu(x)**2."""
        positive = self.carrier.clip(x, 0, LIMIT)
        return self._round(positive * positive, GATE_SHIFT, "gate")  # 2**54

    def _exp(self, x: Any, fraction_bits: int) -> Any:
        """e**x for x of any size on the activation grid, as integers times 2**-fraction_bits."""
        carrier = self.carrier
        z = carrier.clip(x, EXP_LOWEST, EXP_HIGHEST) * LOG2_E  # 2**25 * 2**26.6
        whole = carrier.shift_round(z, REDUCTION_BITS + ACTIVATION_FRACTION_BITS)
        rest = z - whole * (1 << (REDUCTION_BITS + ACTIVATION_FRACTION_BITS))
        f = carrier.shift_round(rest, REDUCTION_BITS + ACTIVATION_FRACTION_BITS - POLYNOMIAL_BITS)  # 2**25
        y = f * EXP2_COEFFICIENTS[-1]
        for coefficient in EXP2_COEFFICIENTS[-2:0:-1]:
            y = (carrier.shift_round(y, POLYNOMIAL_BITS) + coefficient) * f  # 2**26.5 * 2**25
        y = carrier.shift_round(y, POLYNOMIAL_BITS) + EXP2_COEFFICIENTS[0]
        return carrier.scale_by_power(y, whole + (fraction_bits - POLYNOMIAL_BITS))

    def exp(self, x: Any) -> Any:
        """e**x."""
        return self._saturate(self._exp(x, ACTIVATION_FRACTION_BITS), "exp")

    def sigmoid(self, x: Any) -> Any:
        """1 / (1 + exp(-x))."""
        carrier = self.carrier
        small = self._exp(-carrier.absolute(x), SOFTMAX_EXP_BITS)
        unit = 1 << SOFTMAX_EXP_BITS
        above = carrier.divide_round(small * 0 + unit * ONE, small + unit)  # 2**44
        return carrier.where(x >= 0, above, ONE - above)

    def sin_cos(self, x: Any) -> tuple[Any, Any]:
        """(sin x, cos x)."""
        carrier = self.carrier
        z = x * TWO_OVER_PI  # 2**27 * 2**25.4
        quarter = carrier.shift_round(z, REDUCTION_BITS + ACTIVATION_FRACTION_BITS)
        rest = z - quarter * (1 << (REDUCTION_BITS + ACTIVATION_FRACTION_BITS))
        r = carrier.shift_round(rest, REDUCTION_BITS + ACTIVATION_FRACTION_BITS - POLYNOMIAL_BITS)  # 2**25
        square = carrier.shift_round(r * r, POLYNOMIAL_BITS)  # 2**24
        sine = self._polynomial(SIN_COEFFICIENTS, square) * r  # 2**26.7 * 2**25
        sine = carrier.shift_round(sine, 2 * POLYNOMIAL_BITS - ACTIVATION_FRACTION_BITS)
        cosine = self._polynomial(COS_COEFFICIENTS, square)
        cosine = carrier.shift_round(cosine, POLYNOMIAL_BITS - ACTIVATION_FRACTION_BITS)
        turn = quarter - carrier.shift_floor(quarter, 2) * 4
        odd = (turn == 1) | (turn == 3)
        first, second = carrier.where(odd, cosine, sine), carrier.where(odd, sine, cosine)
        return (
            carrier.where(turn >= 2, -first, first),
            carrier.where((turn == 1) | (turn == 2), -second, second),
        )

    def _polynomial(self, coefficients: tuple[int, ...], x: Any) -> Any:
        """Horner on the 2**-26 grid, x within 2**24."""
        y = x * coefficients[-1]
        for coefficient in coefficients[-2:0:-1]:
            y = (self.carrier.shift_round(y, POLYNOMIAL_BITS) + coefficient) * x
        return self.carrier.shift_round(y, POLYNOMIAL_BITS) + coefficients[0]

    def clip(self, x: Any, low: float, high: float) -> Any:
        """X limited to [low, high]."""
        return self.carrier.clip(x, round(low * ONE), round(high * ONE))

    def apply_mask(self, x: Any, mask: Any) -> Any:
        """X where mask, else 0."""
        return self.carrier.where(mask[:, :, None], x, x * 0)

    # Layers

    def _matrix(self, weight: torch.Tensor, role: str, make: Any) -> tuple[Any, int]:
        tensor = self.weights.of(weight)
        if not tensor.is_matrix:
            raise TypeError(f"{tensor.name} is a vector of {tensor.mantissa.size}, expected a matrix")
        return self._carry(tensor, role, lambda: make(tensor.mantissa.astype(np.int64))), tensor.exponent

    def _finish(self, products: Any, exponent: int, bias: torch.Tensor | None, operation: str) -> Any:
        """Add the bias on the product grid and round to the activation grid."""
        if bias is not None:
            shift = ACTIVATION_FRACTION_BITS + exponent - VECTOR_FRACTION_BITS
            products = products + self._vector(bias) * (1 << shift)
        return self._round(products, exponent, operation)

    def linear(self, x: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
        """(..., I) to (..., O)."""
        matrix, exponent = self._matrix(weight, "linear", lambda w: np.ascontiguousarray(w.T))
        flat = self.carrier.matmul(x.reshape(-1, x.shape[-1]), matrix)
        return self._finish(flat.reshape(*x.shape[:-1], flat.shape[-1]), exponent, bias, "linear")

    def conv(self, x: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
        """(B, L, I) to (B, L, O): one product a tap, their sum exact."""
        taps, exponent = self._matrix(weight, "conv", lambda w: np.ascontiguousarray(w.transpose(2, 1, 0)))
        kernel, length = taps.shape[0], x.shape[1]
        padded = self.carrier.pad(x, 1, kernel // 2, kernel // 2)
        windows = self.carrier.concat([padded[:, i : i + length] for i in range(kernel)], 2)
        flat = self.carrier.matmul(windows.reshape(-1, windows.shape[2]), taps.reshape(-1, taps.shape[2]))
        return self._finish(flat.reshape(x.shape[0], length, flat.shape[-1]), exponent, bias, "conv")

    def depthwise(self, x: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
        """(B, L, C) to (B, L, C)."""
        taps, exponent = self._matrix(weight, "depthwise", lambda w: np.ascontiguousarray(w.T))
        kernel, length = taps.shape[0], x.shape[1]
        padded = self.carrier.pad(x, 1, kernel // 2, kernel // 2)
        products = padded[:, :length] * taps[0]
        for i in range(1, kernel):
            products = products + padded[:, i : i + length] * taps[i]
        return self._finish(products, exponent, bias, "depthwise")

    def layer_norm(self, x: Any, gain: torch.Tensor | None = None, bias: torch.Tensor | None = None) -> Any:
        """Normalise over the last axis, by integers.

        With D channels the deviations are D*x - sum(x), no mean is rounded.  A row whose greatest deviation has more
        than 22 bits is shifted down to 22 so that D squares sum to at most 2**53.
        """
        carrier, width = self.carrier, x.shape[-1]
        if width > NORM_WIDTH_MAXIMUM:
            raise ValueError(f"layer_norm takes at most {NORM_WIDTH_MAXIMUM} channels, got {width}")
        deviation = x * width - carrier.total(x, -1)  # 2**37
        peak = carrier.greatest(carrier.absolute(deviation), -1)
        shift = carrier.count_last(peak >= self._norm_limits)
        deviation = carrier.scale_by_power(deviation, -shift)
        variance = carrier.divide_round(carrier.total(deviation * deviation, -1), peak * 0 + width)  # 2**44
        epsilon = carrier.scale_by_power(peak * 0 + width * width * (1 << NORM_EPSILON_BITS), shift * -2)  # 2**42
        root = carrier.square_root((variance + epsilon) * (1 << (2 * NORM_ROOT_BITS)))  # 2**52
        y = carrier.divide_round(deviation * (1 << (ACTIVATION_FRACTION_BITS + NORM_ROOT_BITS)), root)  # 2**46 / root
        if gain is None and bias is None:
            return y
        y = y * (self._vector(gain) if gain is not None else 1 << VECTOR_FRACTION_BITS)  # 2**24.5 * 2**27
        if bias is not None:
            y = y + self._vector(bias) * ONE  # 2**47
        return self._saturate(carrier.shift_round(y, VECTOR_FRACTION_BITS), "layer_norm")

    def attention(self, q: Any, k: Any, v: Any, heads: int, *, causal: bool = False, mask: Any | None = None) -> Any:
        """(B, Q, C), (B, L, C), (B, L, C) to (B, Q, C).

        Logits from 15-bit fractions, exact maximum, exp on the 2**-24 grid, exact sum, probabilities on the
        2**-20 grid.
        """
        carrier = self.carrier
        batch, queries, channels = q.shape
        keys, width = k.shape[1], channels // heads

        def by_head(x: Any) -> Any:
            return carrier.swap(x.reshape(batch, x.shape[1], heads, width), 1, 2)

        q, k, v = by_head(carrier.shift_round(q, 5)), by_head(carrier.shift_round(k, 5)), by_head(v)
        logits = carrier.shift_round(carrier.matmul(q, carrier.swap(k, 2, 3)), 10)  # 2**44 * width
        logits = carrier.shift_round(logits * round(attention_scale(width) * 4096), 12)  # 2**46 * width**0.5
        visible = self._visible_keys(queries, keys, causal=causal)
        if mask is not None:
            visible = visible & mask[:, None, None, :]
        peak = carrier.greatest(carrier.where(visible, logits, logits * 0 - (1 << 50)), -1)
        weight = self._exp(logits - peak, SOFTMAX_EXP_BITS)
        weight = carrier.where(visible, weight, weight * 0)
        total = carrier.total(weight, -1)
        total = carrier.where(total > 0, total, total * 0 + 1)
        probability = carrier.divide_round(weight * (1 << SOFTMAX_BITS), total)  # 2**44
        y = carrier.shift_round(carrier.matmul(probability, v), SOFTMAX_BITS)  # 2**47
        return self._saturate(carrier.swap(y, 1, 2).reshape(batch, queries, channels), "attention")

    def _visible_keys(self, queries: int, keys: int, *, causal: bool) -> Any:
        """(1, 1, Q or 1, L): which keys each query may see; a constant, carried once."""
        key = (queries if causal else 1, keys, causal)
        if key not in self._visible:
            last = np.arange(queries)[:, None] + (keys - queries) if causal else np.array([[keys]])
            self._visible[key] = self.carrier.boolean((np.arange(keys)[None, :] <= last)[None, None])
        return self._visible[key]

    def embed(self, table: torch.Tensor, ids: Any) -> Any:
        """(K, C) at (B, L) to (B, L, C)."""
        return self.carrier.gather(self._table(self.weights.of(table)), ids)

    def mean_over(self, x: Any, mask: Any | None = None) -> Any:
        """(B, L, C) to (B, C)."""
        carrier = self.carrier
        one = x[:, :, :1] * 0 + 1
        if mask is not None:
            x = self.apply_mask(x, mask)
            one = self.apply_mask(one, mask)
        count = carrier.clip(carrier.total(one, 1), 1, 1 << 30)
        return carrier.divide_round(carrier.total(x, 1), count)[:, 0]

    # Phones and frames; durations are small integers, their book-keeping is the host's

    def pool_by_phone(self, x: Any, durations: Any) -> Any:
        """(B, L, C), (B, P) to (B, P, C)."""
        d = host(durations)
        ends = d.cumsum(1)
        frame = np.arange(x.shape[1])
        inside = (frame >= (ends - d)[:, :, None]) & (frame < ends[:, :, None])
        total = self.carrier.matmul(self.carrier.array(inside.astype(np.int64)), x)  # 2**27 * frames
        return self.carrier.divide_round(total, self.carrier.array(np.maximum(d, 1)[:, :, None]))

    def repeat_by_duration(self, x: Any, durations: Any, length: int | None = None) -> Any:
        """(B, P, C), (B, P) to (B, length, C)."""
        phone, _ = frame_index(host(durations), length)
        flat = x.reshape(-1, x.shape[2])
        row = np.maximum(phone, 0) + np.arange(phone.shape[0])[:, None] * x.shape[1]
        y = self.carrier.gather(flat, self.carrier.index(row))
        return self.apply_mask(y, self.carrier.boolean(phone >= 0))

    def position_in_phone(self, durations: Any, length: int | None = None) -> Any:
        """(B, P) to (B, length, 2)."""
        d = host(durations)
        phone, offset = frame_index(d, length)
        of_frame = np.take_along_axis(d, np.maximum(phone, 0), 1)
        inside = phone >= 0
        place = round_division((2 * offset + 1) * ONE, 2 * np.maximum(of_frame, 1))
        size = np.minimum(of_frame * (ONE // 32), 4 * ONE)
        return self.carrier.array(np.stack([place * inside, size * inside], -1))

    def overlap_add(self, frames: Any, hop: int) -> Any:
        """(B, L, W) to (B, (L - 1) * hop + W)."""
        batch, length, width = frames.shape
        pieces = width // hop
        parts = frames.reshape(batch, length, pieces, hop)
        total: Any = None
        for i in range(pieces):
            part = self.carrier.pad(parts[:, :, i], 1, i, pieces - 1 - i)
            total = part if total is None else total + part
        return self._saturate(total.reshape(batch, (length - 1) * hop + width), "overlap_add")

    # Decisions

    def argmax_with_margin(self, logits: Any) -> tuple[Any, Any]:
        """(B, L, K) to (B, L) and (B, L)."""
        carrier, choices = self.carrier, logits.shape[-1]
        places = carrier.array(np.arange(choices)) if choices not in self._places else self._places[choices]
        self._places[choices] = places
        peak = carrier.greatest(logits, -1)
        # The first of equals; found where the logits lie, so that no code waits for the host.
        best = -carrier.greatest(carrier.where(logits == peak, -places, places * 0 - choices), -1)
        second = carrier.greatest(carrier.where(places == best, logits * 0 - 2 * LIMIT, logits), -1)
        margin = (peak - second)[..., 0] * 2.0**-ACTIVATION_FRACTION_BITS
        return carrier.index(best[..., 0]), margin

    def durations_with_margin(self, log_frames: Any, mask: Any, maximum: int = 100) -> tuple[Any, Any]:
        """(B, P) to (B, P) and (B, P)."""
        frames = self.carrier.to_int64(self._exp(log_frames, ACTIVATION_FRACTION_BITS))
        rounded = np.clip(round_shift(frames, ACTIVATION_FRACTION_BITS), 1, maximum)
        margin = np.abs((frames & (ONE - 1)) - ONE // 2) * 2.0**-ACTIVATION_FRACTION_BITS
        return self.carrier.index(np.where(host(mask), rounded, 0)), self.carrier.reals(margin)


def settle_root(guess: Any, x: Any, where: Any) -> Any:
    """Bring a guess within two steps of floor(sqrt(x)) onto it: g*g <= x < (g + 1)**2 decides, never the guess."""
    for _ in range(2):
        guess = where(guess * guess > x, guess - 1, guess)
        above = guess + 1
        guess = where(above * above <= x, above, guess)
    return guess


def host(x: Any) -> np.ndarray:
    """Bring ids, durations or a mask to the host as numpy."""
    return x.cpu().numpy() if hasattr(x, "cpu") else np.asarray(x)


def frame_index(durations: np.ndarray, length: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Durations (B, P) to the phone of each frame and the frame's place in it, (B, length); -1 after the end."""
    frames = int(durations.sum(1).max(initial=0)) if length is None else length
    phone = np.full((len(durations), frames), -1, np.int64)
    place = np.zeros((len(durations), frames), np.int64)
    for row, d in enumerate(durations):
        of_frame = np.repeat(np.arange(len(d)), d)[:frames]
        phone[row, : len(of_frame)] = of_frame
        place[row, : len(of_frame)] = np.arange(len(of_frame)) - (d.cumsum() - d)[of_frame]
    return phone, place


def round_shift(x: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """X / 2**bits in int64, halves to even, bits > 0."""
    quotient, rest, half = x >> bits, x & ((1 << bits) - 1), 1 << (bits - 1)
    rounded: NDArray[np.int64] = quotient + ((rest > half) | ((rest == half) & (quotient & 1 == 1)))
    return rounded


def round_division(numerator: NDArray[np.int64], denominator: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """Numerator / denominator in int64, halves to even, denominator > 0."""
    quotient, rest = np.divmod(numerator, denominator)
    rounded: NDArray[np.int64] = quotient + (
        (2 * rest > denominator) | ((2 * rest == denominator) & (quotient & 1 == 1))
    )
    return rounded
