"""Every operation: near its float64 meaning, and the same integers whatever carries and orders them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from reference_runner.errors import CarrierOverflow, CertificateError, DeviceUnavailable
from reference_runner.numerics import integers
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.integers import ONE, Reduction, round_division, round_shift
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.noise import Stream
from reference_runner.numerics.ops import attention_scale
from reference_runner.numerics.plain import Int64Carrier, PlainOps
from reference_runner.numerics.weights import QuantisedWeights, quantise

DURATIONS = [[2, 3, 1, 5], [1, 4, 0, 0]]
LENGTHS = [11, 5]


def draw(stage: str, *shape: int) -> np.ndarray:
    """Draw normal-like values on the 2**-16 grid."""
    return Stream(seed=1, stage=stage).values(0, int(np.prod(shape)), 1).reshape(shape) * 2.0**-16


def small_module() -> torch.nn.Module:
    """Make one tensor of each kind."""
    module = torch.nn.Module()
    shapes = {"matrix": (24, 16), "kernel": (8, 16, 5), "taps": (16, 7), "table": (30, 16)}
    shapes |= {"matrix_bias": (24,), "kernel_bias": (8,), "bias": (16,), "gain": (16,)}
    for name, shape in shapes.items():
        values = draw(name, *shape) * (0.3 if len(shape) > 1 else 1.0)
        module.register_parameter(name, torch.nn.Parameter(torch.tensor(values, dtype=torch.float32)))
    return module


MODULE = small_module()
WEIGHTS = QuantisedWeights(MODULE)
X, Y = draw("x", 2, 11, 16), draw("y", 2, 11, 16)


def mask(ops):
    """(2, 11), the second item shorter."""
    return ops.mask_from_lengths(ops.integers(LENGTHS), 11)


# The bound beside each is in steps of 2**-20: half a step of rounding, plus what 20-bit weights and 15-bit logits cost.
OPERATIONS = {
    "add": (0.0, lambda o, x, y: o.add(x, y)),
    "subtract": (0.0, lambda o, x, y: o.subtract(x, y)),
    "mul": (0.51, lambda o, x, y: o.mul(x, y)),
    "affine": (1.0, lambda o, x, y: o.affine(x, -3.3, 1.25)),
    "scale": (0.6, lambda o, x, y: o.scale(x, MODULE.gain)),
    "modulate": (0.51, lambda o, x, y: o.modulate(x, y, x)),
    "gate": (0.51, lambda o, x, y: o.gate(x)),
    "sigmoid": (1.0, lambda o, x, y: o.sigmoid(o.affine(x, 4.0))),
    "exp": (0.6, lambda o, x, y: o.exp(x)),
    "sin": (1.0, lambda o, x, y: o.sin_cos(o.affine(x, 14.0))[0]),
    "cos": (1.0, lambda o, x, y: o.sin_cos(o.affine(x, 14.0))[1]),
    "clip": (0.5, lambda o, x, y: o.clip(x, -0.5, 0.7)),
    "apply_mask": (0.0, lambda o, x, y: o.apply_mask(x, mask(o))),
    "linear": (64.0, lambda o, x, y: o.linear(x, MODULE.matrix, MODULE.matrix_bias)),
    "linear_without_bias": (64.0, lambda o, x, y: o.linear(x, MODULE.matrix)),
    "conv": (64.0, lambda o, x, y: o.conv(x, MODULE.kernel, MODULE.kernel_bias)),
    "depthwise": (64.0, lambda o, x, y: o.depthwise(x, MODULE.taps, MODULE.bias)),
    "layer_norm": (0.6, lambda o, x, y: o.layer_norm(x)),
    "layer_norm_with_gain": (4.0, lambda o, x, y: o.layer_norm(x, MODULE.gain, MODULE.bias)),
    "layer_norm_of_large_values": (1.0, lambda o, x, y: o.layer_norm(o.affine(x, 15.0))),
    "attention": (32.0, lambda o, x, y: o.attention(x, y, x, 2)),
    "attention_causal": (32.0, lambda o, x, y: o.attention(x[:, -3:], y, x, 2, causal=True)),
    "attention_masked": (32.0, lambda o, x, y: o.attention(x, y, x, 2, mask=mask(o))),
    "embed": (4.1, lambda o, x, y: o.embed(MODULE.table, o.integers(np.arange(22).reshape(2, 11)))),
    "parameter": (1.1, lambda o, x, y: o.parameter(MODULE.gain)),
    "mean_over": (0.51, lambda o, x, y: o.mean_over(x)),
    "mean_over_masked": (0.51, lambda o, x, y: o.mean_over(x, mask(o))),
    "concat": (0.0, lambda o, x, y: o.concat([x, y], axis=2)),
    "pad_length": (0.0, lambda o, x, y: o.pad_length(x, 1, 2)),
    "broadcast_length": (0.0, lambda o, x, y: o.broadcast_length(x[:, 0], 3)),
    "pool_by_phone": (0.51, lambda o, x, y: o.pool_by_phone(x, o.integers(DURATIONS))),
    "repeat_by_duration": (0.0, lambda o, x, y: o.repeat_by_duration(x[:, :4], o.integers(DURATIONS))),
    "position_in_phone": (0.51, lambda o, x, y: o.position_in_phone(o.integers(DURATIONS))),
    "overlap_add": (0.0, lambda o, x, y: o.overlap_add(x, 4)),
}

DECISIONS = {
    "argmax": lambda o, x: o.argmax_with_margin(x),
    "durations": lambda o, x: o.durations_with_margin(x[:, :, 0], mask(o)),
}

CARRIERS = {
    "torch": ExactOps,
    "torch permuted and split": lambda weights: ExactOps(weights, reduction=Reduction(permuted=True, parts=3)),
    "numpy": PlainOps,
    "numpy permuted and split": lambda weights: PlainOps(weights, reduction=Reduction(permuted=True, parts=2)),
    "int64": lambda weights: PlainOps(weights, integer=True),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_exact_stays_within_a_few_steps_of_the_float64_meaning(name):
    """The integers mean what the operation says."""
    steps, run = OPERATIONS[name]
    reference, exact = NativeOps(dtype=torch.float64), ExactOps(WEIGHTS)
    meant = run(reference, reference.activation(X), reference.activation(Y)).detach().numpy()
    found = exact.to_float64(run(exact, exact.activation(X), exact.activation(Y)))
    assert found.shape == meant.shape
    assert np.abs(found - meant).max() * ONE <= steps


@pytest.mark.parametrize("name", OPERATIONS)
def test_native_float32_is_near_float64(name):
    """The same definition in float32 differs only by its roundings."""
    _, run = OPERATIONS[name]
    single, double = NativeOps(), NativeOps(dtype=torch.float64)
    found = run(single, single.activation(X), single.activation(Y)).detach().double().numpy()
    meant = run(double, double.activation(X), double.activation(Y)).detach().numpy()
    assert np.allclose(found, meant, rtol=1e-4, atol=3e-5)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_carrier_gives_the_same_integers(name):
    """torch, numpy, int64, permuted and split: bit for bit."""
    _, run = OPERATIONS[name]
    found = {}
    for carrier, make in CARRIERS.items():
        ops = make(WEIGHTS)
        found[carrier] = ops.to_integers(run(ops, ops.activation(X), ops.activation(Y)))
    for carrier, values in found.items():
        assert np.array_equal(values, found["int64"]), carrier


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_and_their_margins_agree(name):
    """The same decisions as float64, the same margins in every carrier."""
    reference = NativeOps(dtype=torch.float64)
    meant, margin = DECISIONS[name](reference, reference.activation(X))
    for carrier, make in CARRIERS.items():
        ops = make(WEIGHTS)
        found, found_margin = DECISIONS[name](ops, ops.activation(X))
        assert np.array_equal(np.asarray(found), meant.numpy()), carrier
        assert np.abs(np.asarray(found_margin) - margin.numpy()).max() < 2e-5, carrier


@pytest.mark.parametrize("name", ["linear", "conv", "depthwise", "layer_norm_with_gain", "attention", "gate"])
def test_native_can_be_trained(name):
    """Autograd passes through the operations a layer is made of."""
    _, run = OPERATIONS[name]
    ops = NativeOps()
    x = ops.activation(X).requires_grad_()
    run(ops, x, x).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() > 0


def test_a_cached_step_equals_the_whole():
    """Causal attention of the last query alone is the last row of causal attention of all."""
    ops = PlainOps(WEIGHTS)
    x, y = ops.activation(X), ops.activation(Y)
    whole = ops.attention(x, y, y, 4, causal=True)
    step = ops.attention(x[:, -1:], y, y, 4, causal=True)
    assert np.array_equal(whole[:, -1:], step)


def test_an_item_is_the_same_alone_and_in_a_batch():
    """Exact sums do not know their neighbours."""
    ops = ExactOps(WEIGHTS)
    both = ops.linear(ops.activation(X), MODULE.matrix, MODULE.matrix_bias)
    alone = ops.linear(ops.activation(X[1:]), MODULE.matrix, MODULE.matrix_bias)
    assert torch.equal(both[1:], alone)


@pytest.mark.parametrize(("scale", "offset"), [(16.0, 0.0), (-16.0, 1.0), (0.5, 128.5), (-2.0, -129.0), (17.0, 200.0)])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_affine_refuses_what_its_integers_cannot_carry(carrier, scale, offset):
    """Either alone is too much; just below both is taken, and right."""
    ops = CARRIERS[carrier](WEIGHTS)
    x = ops.activation([[[2.0, -3.0]]])
    with pytest.raises(ValueError, match=rf"\|scale\| < 16 and \|offset\| <= 128, got {scale} and {offset}"):
        ops.affine(x, scale, offset)
    assert ops.to_float64(ops.affine(x, 15.75, 128.0)).tolist() == [[[128.0, 80.75]]]
    assert ops.to_float64(ops.affine(x, -15.75, -128.0)).tolist() == [[[-128.0, -80.75]]]


def test_saturation_is_counted_and_named():
    """A value beyond 2**7 is limited, and the run says so."""
    ops = ExactOps(WEIGHTS)
    y = ops.mul(ops.activation([[[100.0, 1.0]]]), ops.activation([[[2.0, 2.0]]]))
    assert ops.to_float64(y).tolist() == [[[128.0, 2.0]]]
    assert ops.saturated == {"mul": 1}


def test_products_that_are_only_nearly_right_are_absorbed():
    """A product kernel that errs by less than half a step (FFT, Winograd, emulation) gives the same integers."""

    class Sloppy(ExactOps):
        def __init__(self, weights):
            super().__init__(weights)
            exact = self.carrier

            class Carrier:
                def __getattr__(self, name):
                    return getattr(exact, name)

                def matmul(self, x, y):
                    return torch.round(x @ y + 0.4 * torch.sin(torch.arange(y.shape[-1], dtype=torch.float64)))

            self.carrier = Carrier()

    right, sloppy = ExactOps(WEIGHTS), Sloppy(WEIGHTS)
    assert torch.equal(
        right.linear(right.activation(X), MODULE.matrix), sloppy.linear(sloppy.activation(X), MODULE.matrix)
    )


def test_layer_norm_of_a_constant_row_is_zero():
    """No deviation, no sound."""
    ops = PlainOps(WEIGHTS, integer=True)
    assert not ops.layer_norm(ops.activation(np.full((1, 2, 16), 3.25))).any()


@pytest.mark.parametrize("width", [16, 100, 512])
def test_layer_norm_holds_at_the_edges_of_the_range(width):
    """Rows at +-2**7 stay within 53 bits (the int64 carrier would raise) and agree."""
    row = np.where(np.arange(width) % 2, 128.0, -128.0)[None, None]
    row = np.concatenate([row, row * 2.0**-16, np.eye(width)[None, :1] * 128.0], axis=1)
    found = [
        ops.to_integers(ops.layer_norm(ops.activation(row)))
        for ops in (ExactOps(WEIGHTS), PlainOps(WEIGHTS, integer=True))
    ]
    assert np.array_equal(*found)


def test_float64_division_rounds_as_integer_division():
    """For numerators under 2**52 the IEEE quotient and the true quotient round to the same integer, halves to even."""
    stream = Stream(seed=3, stage="division")
    numerator = (stream.words(0, 20_000) >> np.uint64(13)).astype(np.int64) - (1 << 50)
    denominator = (stream.words(20_000, 20_000) >> np.uint64(40)).astype(np.int64) + 1
    assert np.array_equal(np.rint(numerator / denominator).astype(np.int64), round_division(numerator, denominator))
    for n, d in zip(numerator[:300].tolist(), denominator[:300].tolist(), strict=True):
        assert round(Fraction(n, d)) == round_division(np.int64(n), np.int64(d))


@pytest.mark.parametrize("wrong_by", [0.0, 1e-9, -1e-9, 2e-8])
def test_the_square_root_does_not_depend_on_its_guess(wrong_by):
    """A library whose root is off by a step or two gives the same integers as the bitwise root."""
    x = np.concatenate([np.arange(5_000), np.arange(1 << 26, (1 << 26) + 2_000) ** 2, np.arange(2_000, 4_000) ** 2 - 1])
    guess = np.floor(np.sqrt(x) * (1.0 + wrong_by))
    settled = integers.settle_root(guess, x.astype(np.float64), np.where)
    assert np.array_equal(settled.astype(np.int64), Int64Carrier().square_root(x))


def test_rounding_shift_takes_halves_to_even():
    """As `round` on fractions."""
    values = np.arange(-40, 40)
    assert round_shift(values, 3).tolist() == [round(Fraction(int(v), 8)) for v in values]


def test_polynomial_constants_are_the_rounded_series():
    """Each hexadecimal constant is the series coefficient, rounded to its grid (checked with 50 digits)."""
    from decimal import Decimal, getcontext
    from math import factorial

    getcontext().prec = 50
    ln2, half_pi = Decimal(2).ln(), Decimal("1.57079632679489661923132169163975144209858469968755")
    assert round(2**26 / ln2) == integers.LOG2_E
    assert round(2**26 / half_pi) == integers.TWO_OVER_PI
    for k, coefficient in enumerate(integers.EXP2_COEFFICIENTS):
        assert coefficient == round(ln2**k / factorial(k) * 2**26)
    for k, coefficient in enumerate(integers.SIN_COEFFICIENTS):
        assert coefficient == round((-1) ** k * half_pi ** (2 * k + 1) / factorial(2 * k + 1) * 2**26)
    for k, coefficient in enumerate(integers.COS_COEFFICIENTS):
        assert coefficient == round((-1) ** k * half_pi ** (2 * k) / factorial(2 * k) * 2**26)


@pytest.mark.parametrize("width", [16, 32, 40, 64, 80, 96])
def test_attention_scale_is_the_nearest_4096th(width):
    """Integer arithmetic gives the rounded reciprocal square root."""
    assert attention_scale(width) == round(4096 / width**0.5) / 4096


def test_int64_refuses_what_float64_could_not_carry():
    """The plain integers are the certificate of a run: beyond 53 bits they stop."""
    carrier = Int64Carrier()
    big = carrier.array(np.array([[1 << 40]]))
    with pytest.raises(CarrierOverflow, match=r"an intermediate left \+-2\*\*53 \(in matmul\)"):
        carrier.matmul(big, big >> 26)


def test_quantised_weights_are_within_half_a_step_and_have_a_digest():
    """20 bits of the largest weight, and one digest for equal integers."""
    tensor = WEIGHTS.of(MODULE.matrix)
    error = np.abs(tensor.mantissa * 2.0**-tensor.exponent - MODULE.matrix.detach().numpy())
    assert error.max() <= 2.0 ** -(tensor.exponent + 1)
    assert (1 << 19) <= np.abs(tensor.mantissa).max() <= (1 << 20)
    assert QuantisedWeights(small_module()).digest == WEIGHTS.digest
    assert WEIGHTS.digest.startswith("sha256:")


def test_one_changed_weight_changes_the_digest():
    """By one step of one tensor."""
    module = small_module()
    with torch.no_grad():
        module.kernel[0, 0, 0] += 2.0**-10
    assert QuantisedWeights(module).digest != WEIGHTS.digest


def test_weights_that_float64_could_not_carry_are_refused_with_their_name():
    """The certificate is taken at load, before any sound."""
    with pytest.raises(CertificateError, match=r"a partial sum may reach 2\*\*\S+, .* \(in layer\.weight\)"):
        quantise("layer.weight", np.ones((1, 1 << 15)))
    with pytest.raises(CertificateError, match=r"a weight is not finite \(in layer\.weight\)"):
        quantise("layer.weight", np.array([[np.nan]]))
    with pytest.raises(CertificateError, match=r"a vector leaves \+-2\*\*7 \(in layer\.bias\)"):
        quantise("layer.bias", np.array([129.0]))


def test_a_wide_layer_gets_the_bits_that_still_fit():
    """The certificate decides: 20 bits for a narrow row of ones, fewer for a wide one, and always under 2**53."""
    bits = {}
    for width in (16, 1 << 10, 1 << 12):
        tensor = quantise("layer.weight", np.full((1, width), 0.75))
        assert tensor.partial_sum() < 1 << 53
        bits[width] = int(np.abs(tensor.mantissa).max()).bit_length()
    assert bits == {16: 20, 1 << 10: 16, 1 << 12: 14}
    # With 20 bits the row of 126 halves and its bias would reach 2**53 itself: (126 * 2**19 + 2**20) * 2**27.
    halves = [quantise("layer.weight", np.full((1, width), 0.5)).exponent for width in (125, 126)]
    assert halves == [20, 19]


def test_a_view_of_a_parameter_is_refused():
    """`exact` finds the integers by identity; a slice would silently be something else."""
    ops = ExactOps(WEIGHTS)
    with pytest.raises(CertificateError, match="hand parameters over whole and untouched"):
        ops.linear(ops.activation(X), MODULE.matrix[:4])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_absent_device_is_an_error():
    """Never a silent fallback."""
    with pytest.raises(DeviceUnavailable, match=r"CUDA was asked for .* \(in device cuda\)"):
        ExactOps(WEIGHTS, device="cuda")
