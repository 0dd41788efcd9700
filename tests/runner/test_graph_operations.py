"""Every operation that a graph draws, computed by onnxruntime beside torch's: values, shapes and stated sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference_runner.errors import CertificateError
from reference_runner.numerics.native import NativeOps

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

from reference_runner.exporting.graphs import OPSET
from reference_runner.exporting.tracing import GraphOps, Traced, _broadcast

OPS = NativeOps()
DURATIONS = torch.tensor([[2, 1, 0, 40], [1, 3, 2, 0]])
KINDS = {torch.float32: 1, torch.int64: 7, torch.bool: 9}


def drawn(act, *given: torch.Tensor):
    """Return what a graph gives for inputs of which no size is known but the last axis, and the sizes it states."""
    ops = GraphOps({})
    names = [f"input_{place}" for place in range(len(given))]
    sizes = [(*[None] * (x.ndim - 1), x.shape[-1]) if x.dtype is torch.float32 else (None,) * x.ndim for x in given]
    made = act(ops, *(Traced(ops, name, size) for name, size in zip(names, sizes, strict=True)))
    output = made if isinstance(made, tuple) else (made,)
    known = onnx.helper.make_graph(
        ops.nodes, "one",
        [onnx.helper.make_tensor_value_info(name, KINDS[x.dtype], [None] * x.ndim)
         for name, x in zip(names, given, strict=True)],
        [onnx.helper.make_value_info(each.name, onnx.TypeProto()) for each in output], list(ops.constants.values()),
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", OPSET)]
    whole = onnx.helper.make_model(known, opset_imports=opset, ir_version=8)
    whole = onnx.shape_inference.infer_shapes(whole)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
    for each, value in zip(output, found, strict=True):
        assert len(each.sizes) == value.ndim
        assert all(size in {None, length} for size, length in zip(each.sizes, value.shape, strict=True))
    return [torch.from_numpy(np.asarray(value)) for value in found]


def real(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


MASK = torch.tensor([[True, True, False], [True, False, False]])
OPERATIONS = {
    "mean": (lambda ops, x: ops.mean_over(x), (real(2, 3, 4),)),
    "mean of some": (lambda ops, x, mask: ops.mean_over(x, mask), (real(2, 3, 4), MASK)),
    "mean of none": (lambda ops, x, mask: ops.mean_over(x, mask), (real(2, 3, 4), MASK & False)),
    "pooled": (lambda ops, x, d: ops.pool_by_phone(x, d), (real(2, 43, 5), DURATIONS)),
    "repeated": (lambda ops, x, d: ops.repeat_by_duration(x, d), (real(2, 4, 5), DURATIONS)),
    "repeated so long": (lambda ops, x, d: ops.repeat_by_duration(x, d, 45), (real(2, 4, 5), DURATIONS)),
    "place": (lambda ops, d: ops.position_in_phone(d), (DURATIONS,)),
    "place so long": (lambda ops, d: ops.position_in_phone(d, 45), (DURATIONS,)),
    "place in a long phone": (lambda ops, d: ops.position_in_phone(d), (torch.tensor([[200, 3]]),)),
    "added end to end": (lambda ops, x: ops.overlap_add(x, 2), (real(2, 3, 6),)),
    "sum": (lambda ops, x, y: ops.add(x, y), (real(2, 3, 4), real(2, 1, 4, seed=2))),
    "difference": (lambda ops, x, y: ops.subtract(x, y), (real(2, 3, 4), real(4, seed=2))),
    "product": (lambda ops, x, y: ops.mul(x, y), (real(2, 3, 4), real(1, 3, 4, seed=2))),
    "affine": (lambda ops, x: ops.affine(x, 3.0, -2.0), (real(2, 3, 4),)),
    "affine without offset": (lambda ops, x: ops.affine(x, 3.0), (real(2, 3, 4),)),
    "modulated": (lambda ops, *x: ops.modulate(*x), (real(2, 3, 4), real(2, 1, 4, seed=2), real(2, 1, 4, seed=3))),
    "gated": (lambda ops, x: ops.gate(x), (real(2, 3, 4),)),
    "sigmoid": (lambda ops, x: ops.sigmoid(x), (real(2, 3, 4),)),
    "exponential": (lambda ops, x: ops.exp(x), (real(2, 3, 4),)),
    "sine and cosine": (lambda ops, x: ops.sin_cos(x), (real(2, 3, 4),)),
    "clipped": (lambda ops, x: ops.clip(x, -0.5, 0.25), (real(2, 3, 4),)),
    "masked": (lambda ops, x, mask: ops.apply_mask(x, mask), (real(2, 3, 4), MASK)),
    "normed": (lambda ops, x: ops.layer_norm(x), (real(2, 3, 4),)),
    "joined": (lambda ops, x, y: ops.concat([x, y], axis=1), (real(2, 3, 4), real(2, 2, 4, seed=2))),
    "joined at the end": (lambda ops, x, y: ops.concat([x, y], axis=2), (real(2, 3, 4), real(2, 3, 1, seed=2))),
    "attention": (lambda ops, q, k: ops.attention(q, k, k, 2), (real(2, 3, 4), real(2, 5, 4, seed=2))),
    "attention backwards": (lambda ops, q, k: ops.attention(q, k, k, 1, causal=True),
                            (real(2, 3, 4), real(2, 5, 4, seed=2))),
    "attention to some": (lambda ops, x, mask: ops.attention(x, x, x, 2, mask=mask), (real(2, 3, 4), MASK)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_torchs(name):
    """To a rounding, in values and in shape; the sizes that are stated are those that come out."""
    act, given = OPERATIONS[name]
    wanted = act(OPS, *given)
    found = drawn(act, *given)
    for mine, theirs in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs.to(mine.dtype), atol=2e-5, rtol=1e-5)


def test_the_longest_item_is_a_number():
    """The frames of a batch are a scalar, by which others are counted."""
    (frames,) = drawn(lambda ops, d: ops._frames(d), DURATIONS)
    assert (frames.shape, int(frames)) == ((), 43)
    (size,) = drawn(lambda ops, x: ops.size_of(x, 1), real(2, 7, 4))
    assert (size.shape, int(size)) == ((), 7)


def test_each_phones_frames_are_marked():
    """One where a frame belongs to a phone; a phone of no frame has none, nor has a frame behind the end."""
    (one_hot,) = drawn(lambda ops, d: ops._phone_of_frame(d, 4), torch.tensor([[1, 0, 2]]))
    assert one_hot.tolist() == [[[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]]


@pytest.mark.parametrize(
    "place",
    [
        (slice(None), 1), (slice(None), slice(1, None)), (slice(None), slice(None, 2)), (Ellipsis, slice(1, 3)),
        (slice(None), None), 0, (Ellipsis, 0), (0, Ellipsis, slice(0, 2)), (None, slice(None), 1), (Ellipsis, None),
        (slice(None), slice(0, 2, 1)), (slice(None), slice(-2, None)),
    ],
    ids=str,
)  # fmt: skip
def test_places_are_pythons(place):
    """Numbers, slices, new axes and dots."""
    x = real(2, 3, 4)
    (found,) = drawn(lambda _, traced: traced[place], x)
    assert torch.equal(found, x[place])


def test_a_length_may_be_reckoned_with():
    """A number more or less; a slice up to a size of another value."""
    (found,) = drawn(lambda ops, x: ops.size_of(x, 1) + 2, real(2, 3, 4))
    assert int(found) == 5
    (found,) = drawn(lambda ops, x: ops.size_of(x, 1) - 2, real(2, 3, 4))
    assert int(found) == 1
    x, y = real(2, 3, 4), real(2, 2, 4, seed=2)
    (found,) = drawn(lambda _, x, y: x[:, : y.shape[1]], x, y)
    assert torch.equal(found, x[:, :2])


@pytest.mark.parametrize("step", [2, -1])
def test_a_slice_of_another_step_is_refused(step):
    """The step is named."""
    ops = GraphOps({})
    with pytest.raises(CertificateError) as refused:
        ops.cut(Traced(ops, "x", (4,)), 0, slice(None, None, step))
    assert str(refused.value) == f"got a slice of step {step}, expected 1"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ((2, 1), (2, 3), (2, 3)), ((2, 3), (1,), (2, 3)), ((None, 3), (1, 1), (None, 3)), ((1,), (None, 4), (None, 4)),
        ((None,), (5,), (5,)), ((5,), (None,), (5,)), ((), (3,), (3,)), ((None,), (None,), (None,)),
    ],
)  # fmt: skip
def test_sizes_of_two(one, other, both):
    """Where one is 1 the other's; where one is not known, the one that is."""
    assert _broadcast(one, other) == both


def test_equal_constants_are_held_once():
    """By their kind, shape and bytes; nodes are named by kind and number."""
    ops = GraphOps({})
    names = [ops.real(1.0).name, ops.whole(1).name, ops.real(1.0).name, ops.whole([1]).name, ops.whole(2).name]
    assert names == ["constant_0", "constant_1", "constant_0", "constant_2", "constant_3"]
    assert [ops.exp(Traced(ops, "x", (1,))).name, ops.sigmoid(Traced(ops, "x", (1,))).name] == ["exp_0", "sigmoid_1"]
