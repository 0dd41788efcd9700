"""`Ops` that compute nothing and write down what would be computed, as nodes of an ONNX graph.

Every part of the model speaks to `Ops` alone, so the same `forward` that trains and speaks also draws its graph. No
framework's exporter is in it: the bytes of a graph follow from the model's code, its sizes and the ONNX opset.

Decisions (argmax, durations) stay with the host, and so does all that happens between two parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from reference_runner.errors import CertificateError
from reference_runner.numerics.ops import GATE_SCALE, LAYER_NORM_EPSILON, attention_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from onnx import NodeProto

    from reference_runner.exporting.weights import WeightPlace

__all__ = ["GraphOps", "Traced"]

_END = (1 << 63) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A value of the graph: its name, and the sizes of its axes as far as they are known; None is not."""

    ops: GraphOps
    name: str
    sizes: tuple[int | None, ...]

    @property
    def shape(self) -> tuple[Any, ...]:
        """Known sizes as numbers, the others as values of the graph."""
        return tuple(self.ops.size_of(self, axis) if size is None else size for axis, size in enumerate(self.sizes))

    def __add__(self, other: int) -> Traced:
        """Lengths may be reckoned with; activations may not, as with every `Ops`."""
        return self.ops.node("Add", [self, self.ops.whole(other)], self.sizes)

    def __sub__(self, other: int) -> Traced:
        return self.ops.node("Sub", [self, self.ops.whole(other)], self.sizes)

    def __getitem__(self, index: Any) -> Traced:
        """Whole numbers, slices of step one, `None` and `...`, as the protocol allows."""
        places = index if isinstance(index, tuple) else (index,)
        if Ellipsis in places:
            at = places.index(Ellipsis)
            taken = sum(place is not None for place in places) - 1
            places = (*places[:at], *[slice(None)] * (len(self.sizes) - taken), *places[at + 1 :])
        x, axis = self, 0
        for place in places:
            if place is None:
                x = self.ops.unsqueeze(x, axis)
                axis += 1
            elif isinstance(place, slice):
                x = self.ops.cut(x, axis, place)
                axis += 1
            else:
                sizes = (*x.sizes[:axis], *x.sizes[axis + 1 :])
                x = self.ops.node("Gather", [x, self.ops.whole(place)], sizes, axis=axis)
        return x


class GraphOps:
    """The operations of the inference path as nodes; one instance draws one graph."""

    name = "graph"

    def __init__(self, weights: dict[int, WeightPlace]) -> None:
        self._weights = weights
        self.nodes: list[NodeProto] = []
        self.used: dict[str, WeightPlace] = {}
        self.constants: dict[tuple[Any, ...], TensorProto] = {}

    # Drawing

    def node(
        self, kind: str, inputs: Sequence[Traced | str], sizes: tuple[int | None, ...], **attributes: Any
    ) -> Traced:
        """Add a node of one output and return what it gives."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [each.name if isinstance(each, Traced) else each for each in inputs]
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **attributes))
        return Traced(self, name, sizes)

    def weight(self, parameter: torch.Tensor) -> Traced:
        """Name a parameter or buffer of the model; it must be the model's own tensor, whole."""
        place = self._weights.get(id(parameter))
        if place is None:
            raise CertificateError(
                f"a tensor of shape {tuple(parameter.shape)} is not a parameter or buffer of the model; "
                "hand parameters over whole and untouched"
            )
        self.used[place.name] = place
        return Traced(self, place.name, place.shape)

    def constant(self, values: Any, dtype: type[np.generic]) -> Traced:
        """Name a constant that is not a weight; equal ones are held once."""
        array = np.asarray(values, np.dtype(dtype).newbyteorder("<"))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            name = f"constant_{len(self.constants)}"
            self.constants[key] = helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
        return Traced(self, self.constants[key].name, array.shape)

    def real(self, value: float) -> Traced:
        """Name a float32 scalar."""
        return self.constant(value, np.float32)

    def whole(self, value: int | Sequence[int]) -> Traced:
        """Name int64 numbers."""
        return self.constant(value, np.int64)

    def size_of(self, x: Traced, axis: int) -> Traced:
        """Ask for the size of an axis, a scalar."""
        sizes = self.node("Shape", [x], (1,), start=axis, end=axis + 1)
        return self.node("Squeeze", [sizes, self.whole([0])], ())

    def unsqueeze(self, x: Traced, axis: int) -> Traced:
        """Add an axis of one."""
        return self.node("Unsqueeze", [x, self.whole([axis])], (*x.sizes[:axis], 1, *x.sizes[axis:]))

    def cut(self, x: Traced, axis: int, place: slice) -> Traced:
        """Take a slice of one axis."""
        if place.step not in {None, 1}:
            raise CertificateError(f"got a slice of step {place.step}, expected 1")
        if place.start is None and place.stop is None:
            return x
        bounds = [
            self._vector(default if bound is None else bound)
            for bound, default in ((place.start, 0), (place.stop, _END))
        ]
        sizes = (*x.sizes[:axis], None, *x.sizes[axis + 1 :])
        return self.node("Slice", [x, *bounds, self.whole([axis])], sizes)

    def _vector(self, size: int | Traced) -> Traced:
        return self.unsqueeze(size, 0) if isinstance(size, Traced) else self.whole([size])

    def _reshape(self, x: Traced, pattern: Sequence[int], sizes: tuple[int | None, ...]) -> Traced:
        """0 keeps an axis, -1 takes what is left."""
        return self.node("Reshape", [x, self.whole(list(pattern))], sizes)

    def _transpose(self, x: Traced, order: Sequence[int]) -> Traced:
        return self.node("Transpose", [x], tuple(x.sizes[axis] for axis in order), perm=list(order))

    def _cast(self, x: Traced, kind: int) -> Traced:
        return self.node("Cast", [x], x.sizes, to=kind)

    def _reals(self, x: Traced) -> Traced:
        return self._cast(x, TensorProto.FLOAT)

    def _range(self, length: Any) -> Traced:
        limit = length if isinstance(length, Traced) else self.whole(length)
        return self.node("Range", [self.whole(0), limit, self.whole(1)], (None,))

    def _pair(self, kind: str, x: Traced, y: Traced) -> Traced:
        return self.node(kind, [x, y], _broadcast(x.sizes, y.sizes))

    # Shape

    def concat(self, parts: list[Traced], axis: int) -> Traced:
        """Join along an axis."""
        known = [part.sizes[axis] for part in parts]
        total = None if None in known else sum(size or 0 for size in known)
        sizes = (*parts[0].sizes[:axis], total, *parts[0].sizes[axis + 1 :])
        return self.node("Concat", parts, sizes, axis=axis)

    # Element by element

    def add(self, x: Traced, y: Traced) -> Traced:
        """Return x + y."""
        return self._pair("Add", x, y)

    def subtract(self, x: Traced, y: Traced) -> Traced:
        """Return x - y."""
        return self._pair("Sub", x, y)

    def mul(self, x: Traced, y: Traced) -> Traced:
        """Return x * y."""
        return self._pair("Mul", x, y)

    def affine(self, x: Traced, scale: float, offset: float = 0.0) -> Traced:
        """Return scale * x + offset."""
        return self._pair("Add", self._pair("Mul", x, self.real(scale)), self.real(offset))

    def scale(self, x: Traced, vector: torch.Tensor) -> Traced:
        """Return x * vector."""
        return self._pair("Mul", x, self.weight(vector))

    def modulate(self, x: Traced, gain: Traced, shift: Traced) -> Traced:
        """Return x * (1 + gain) + shift."""
        return self._pair("Add", self._pair("Mul", x, self._pair("Add", gain, self.real(1.0))), shift)

    def gate(self, x: Traced) -> Traced:
        """GATE_SCALE * relu(x)**2."""
        positive = self.node("Relu", [x], x.sizes)
        return self._pair("Mul", self._pair("Mul", positive, positive), self.real(GATE_SCALE))

    def sigmoid(self, x: Traced) -> Traced:
        """1 / (1 + exp(-x))."""
        return self.node("Sigmoid", [x], x.sizes)

    def exp(self, x: Traced) -> Traced:
        """e**x."""
        return self.node("Exp", [x], x.sizes)

    def sin_cos(self, x: Traced) -> tuple[Traced, Traced]:
        """(sin x, cos x)."""
        return self.node("Sin", [x], x.sizes), self.node("Cos", [x], x.sizes)

    def clip(self, x: Traced, low: float, high: float) -> Traced:
        """X limited to [low, high]."""
        return self.node("Clip", [x, self.real(low), self.real(high)], x.sizes)

    def apply_mask(self, x: Traced, mask: Traced) -> Traced:
        """X where mask, else 0."""
        return self._pair("Mul", x, self.unsqueeze(self._reals(mask), 2))

    # Layers

    def linear(self, x: Traced, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Traced:
        """(..., I) to (..., O)."""
        filters = self.weight(weight)
        y = self.node("MatMul", [x, self._transpose(filters, (1, 0))], (*x.sizes[:-1], filters.sizes[0]))
        return y if bias is None else self._pair("Add", y, self.weight(bias))

    def conv(self, x: Traced, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Traced:
        """(B, L, I) to (B, L, O)."""
        return self._convolution(x, self.weight(weight), bias, groups=1)

    def depthwise(self, x: Traced, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Traced:
        """(B, L, C) to (B, L, C)."""
        return self._convolution(x, self.unsqueeze(self.weight(weight), 1), bias, groups=weight.shape[0])

    def _convolution(self, x: Traced, filters: Traced, bias: torch.Tensor | None, *, groups: int) -> Traced:
        outputs, _, kernel = filters.sizes
        assert kernel is not None
        inputs = [self._transpose(x, (0, 2, 1)), filters, *([] if bias is None else [self.weight(bias)])]
        sizes = (x.sizes[0], outputs, x.sizes[1])
        pads = [kernel // 2] * 2
        return self._transpose(self.node("Conv", inputs, sizes, group=groups, pads=pads), (0, 2, 1))

    def layer_norm(self, x: Traced, gain: torch.Tensor | None = None, bias: torch.Tensor | None = None) -> Traced:
        """Normalise over the last axis."""
        width = x.sizes[-1]
        assert width is not None
        scale = self.constant(np.ones(width), np.float32) if gain is None else self.weight(gain)
        inputs = [x, scale, *([] if bias is None else [self.weight(bias)])]
        return self.node("LayerNormalization", inputs, x.sizes, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def attention(
        self, q: Traced, k: Traced, v: Traced, heads: int, *, causal: bool = False, mask: Traced | None = None
    ) -> Traced:
        """(B, Q, C), (B, L, C), (B, L, C) to (B, Q, C)."""
        channels = q.sizes[2]
        assert channels is not None
        width = channels // heads
        parted = [self._reshape(x, (0, 0, heads, width), (*x.sizes[:2], heads, width)) for x in (q, k, v)]
        queries, keys, values = (
            self._transpose(x, order)
            for x, order in zip(parted, ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)), strict=True)
        )
        sizes = (q.sizes[0], heads, q.sizes[1], k.sizes[1])
        logits = self._pair("Mul", self.node("MatMul", [queries, keys], sizes), self.real(attention_scale(width)))
        if causal:
            logits = self._hide(logits, self._later(q, k), -np.inf)
        if mask is not None:
            hidden = self.node("Not", [mask], mask.sizes)
            logits = self._hide(logits, self.unsqueeze(self.unsqueeze(hidden, 1), 1), -1e9)
        shares = self.node("Softmax", [logits], sizes, axis=-1)
        seen = self._transpose(self.node("MatMul", [shares, values], (*sizes[:3], width)), (0, 2, 1, 3))
        return self._reshape(seen, (0, 0, channels), q.sizes)

    def _hide(self, logits: Traced, hidden: Traced, floor: float) -> Traced:
        return self.node("Where", [hidden, self.real(floor), logits], logits.sizes)

    def _later(self, q: Traced, k: Traced) -> Traced:
        """Which keys (Q, L) are after each query, the queries being the last of the keys."""
        queries, keys = self.size_of(q, 1), self.size_of(k, 1)
        last = self._pair("Add", self._range(queries), self.node("Sub", [keys, queries], ()))
        return self._pair("Greater", self.unsqueeze(self._range(keys), 0), self.unsqueeze(last, 1))

    def embed(self, table: torch.Tensor, ids: Traced) -> Traced:
        """(K, C) at (B, L) to (B, L, C)."""
        rows = self.weight(table)
        return self.node("Gather", [rows, ids], (*ids.sizes, rows.sizes[1]), axis=0)

    def mean_over(self, x: Traced, mask: Traced | None = None) -> Traced:
        """(B, L, C) to (B, C)."""
        sizes = (x.sizes[0], x.sizes[2])
        if mask is None:
            return self.node("ReduceMean", [x, self.whole([1])], sizes, keepdims=0)
        total = self.node("ReduceSum", [self.apply_mask(x, mask), self.whole([1])], sizes, keepdims=0)
        count = self.node("ReduceSum", [self._reals(mask), self.whole([1])], (x.sizes[0], 1), keepdims=1)
        return self._pair("Div", total, self._pair("Max", count, self.real(1.0)))

    # Phones and frames

    def _phone_of_frame(self, durations: Traced, length: Any) -> Traced:
        """(B, P) to one-hot (B, length, P)."""
        ends = self._ends(durations)
        frame = self.unsqueeze(self.unsqueeze(self._range(length), 0), 2)
        begun = self._pair("GreaterOrEqual", frame, self.unsqueeze(self.subtract(ends, durations), 1))
        return self._reals(self._pair("And", self._pair("Less", frame, self.unsqueeze(ends, 1)), begun))

    def _ends(self, durations: Traced) -> Traced:
        return self.node("CumSum", [durations, self.whole(1)], durations.sizes)

    def _frames(self, durations: Traced) -> Traced:
        """Count the frames of the longest item, a scalar."""
        each = self.node("ReduceSum", [durations, self.whole([1])], (durations.sizes[0],), keepdims=0)
        return self.node("ReduceMax", [each, self.whole([0])], (), keepdims=0)

    def pool_by_phone(self, x: Traced, durations: Traced) -> Traced:
        """(B, L, C), (B, P) to (B, P, C)."""
        one_hot = self._transpose(self._phone_of_frame(durations, self.size_of(x, 1)), (0, 2, 1))
        total = self.node("MatMul", [one_hot, x], (*durations.sizes, x.sizes[2]))
        count = self._reals(self._pair("Max", durations, self.whole(1)))
        return self._pair("Div", total, self.unsqueeze(count, 2))

    def repeat_by_duration(self, x: Traced, durations: Traced, length: Any = None) -> Traced:
        """(B, P, C), (B, P) to (B, length, C)."""
        one_hot = self._phone_of_frame(durations, self._frames(durations) if length is None else length)
        return self.node("MatMul", [one_hot, x], (x.sizes[0], None, x.sizes[2]))

    def position_in_phone(self, durations: Traced, length: Any = None) -> Traced:
        """(B, P) to (B, length, 2)."""
        frames = self._frames(durations) if length is None else length
        one_hot = self._phone_of_frame(durations, frames)
        starts = self.subtract(self._ends(durations), durations)
        column = (durations.sizes[0], None, 1)
        start, d = (
            self.node("MatMul", [one_hot, self.unsqueeze(self._reals(each), 2)], column) for each in (starts, durations)
        )
        inside = self._reals(self._pair("Greater", d, self.real(0.0)))
        frame = self.unsqueeze(self.unsqueeze(self._reals(self._range(frames)), 0), 2)
        since = self._pair("Add", self.subtract(frame, start), self.real(0.5))
        place = self.mul(self._pair("Div", since, self._pair("Max", d, self.real(1.0))), inside)
        long = self._pair("Min", self._pair("Div", d, self.real(32.0)), self.real(4.0))
        return self.concat([place, long], axis=2)

    def overlap_add(self, frames: Traced, hop: int) -> Traced:
        """(B, L, W) to (B, (L - 1) * hop + W)."""
        width = frames.sizes[2]
        assert width is not None
        pieces = width // hop
        parts = self._reshape(frames, (0, 0, pieces, hop), (*frames.sizes[:2], pieces, hop))
        sizes = (frames.sizes[0], None, hop)
        moved = [
            self.node("Pad", [parts[:, :, i], self.whole([0, i, 0, 0, pieces - 1 - i, 0])], sizes)
            for i in range(pieces)
        ]
        return self._reshape(self.node("Sum", moved, sizes), (0, -1), (frames.sizes[0], None))


def _broadcast(x: tuple[int | None, ...], y: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Sizes of two that are computed together; where one is 1, the other's."""
    rank = max(len(x), len(y))
    x, y = ((1,) * (rank - len(sizes)) + sizes for sizes in (x, y))
    return tuple(b if a == 1 else a if b == 1 or a is not None else b for a, b in zip(x, y, strict=True))
