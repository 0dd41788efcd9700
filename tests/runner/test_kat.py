"""Known answers: every carrier here gives them, and one that errs is named operation by operation."""

from __future__ import annotations

import json
import runpy
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_runner.numerics import integers, kat
from reference_runner.numerics.exact import ExactOps, TorchCarrier
from reference_runner.numerics.integers import IntegerOps, Reduction
from reference_runner.numerics.plain import PlainOps
from reference_runner.numerics.weights import CARRIER_BITS

MAKERS = {
    "torch": ExactOps,
    "torch split": lambda weights: ExactOps(weights, reduction=Reduction(permuted=True, parts=2)),
    "numpy": PlainOps,
    "int64": lambda weights: PlainOps(weights, integer=True),
}


@pytest.mark.parametrize("carrier", MAKERS)
def test_every_carrier_gives_the_known_answers(carrier):
    """The committed digest, operation by operation."""
    report = kat.check(MAKERS[carrier])
    assert report.failed == ()
    assert report.passed
    assert report.digest == kat.digest_of(kat.read_answers())


def test_the_file_of_answers_is_what_the_integers_give(tmp_path):
    """Written again by the int64 carrier, the file is the same, byte for byte."""
    path = tmp_path / kat.ANSWERS_FILE
    kat.write_answers(path)
    committed = resources.files("reference_runner.numerics").joinpath(kat.ANSWERS_FILE)
    assert path.read_text("utf-8") == committed.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["digest"] == kat.digest_of(kat.read_answers())


@pytest.mark.parametrize("words", [[], ["--write"]])
def test_the_answers_are_written_where_that_is_asked_for(words, monkeypatch, capsys):
    """`python -m reference_runner.numerics.kat`: every carrier and operation; the file stays without the option."""
    written = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text, _: written.update({path: text}))
    monkeypatch.setattr("sys.argv", ["kat", *words])
    monkeypatch.delitem(sys.modules, kat.__name__)
    runpy.run_module(kat.__name__, run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    path = Path(kat.__file__).with_name("known_answers.json")
    known = json.loads(path.read_text("utf-8"))
    headed = [line for line in lines if ": " in line]
    assert headed == [f"{name}: {known['digest']}" for name in ("torch float64", "numpy float64", "numpy int64")]
    told = [line.split() for line in lines if line not in headed]
    assert sorted(told) == sorted([operation, "ok"] for operation in known["answers"] for _ in headed)
    assert written == ({path: path.read_text("utf-8")} if words else {})


def test_every_operation_of_the_protocol_has_a_known_answer():
    """None is allowed that is not tried at start-up (concat, padding and broadcasting only move values)."""
    from reference_runner.numerics.ops import Ops

    moves = {
        "to_float64",
        "activation",
        "integers",
        "mask_from_lengths",
        "concat",
        "concat_integers",
        "broadcast_length",
        "pad_length",
    }
    names = {name for name in vars(Ops) if not name.startswith("_")} - moves - {"name"}
    named = {"sin_cos": "sin", "argmax_with_margin": "argmax", "durations_with_margin": "durations"}
    assert {named.get(name, name) for name in names} <= set(kat.OPERATIONS)


def test_a_flipped_constant_is_found_and_named(monkeypatch):
    """One bit of one coefficient of exp: the operations that use it fail, the others do not."""
    flipped = (*integers.EXP2_COEFFICIENTS[:2], integers.EXP2_COEFFICIENTS[2] ^ 0x100, *integers.EXP2_COEFFICIENTS[3:])
    monkeypatch.setattr(integers, "EXP2_COEFFICIENTS", flipped)
    report = kat.check(ExactOps)
    assert not report.passed
    assert {"exp", "sigmoid"} <= set(report.failed)
    assert not {"linear", "conv", "sin", "noise", "carrier.divide_round"} & set(report.failed)
    assert report.digest != kat.digest_of(kat.read_answers())


def test_a_device_that_divides_by_reciprocals_is_found():
    """What CUDA does to `tensor / number`: one ulp, enough to fail."""

    class Reciprocal(TorchCarrier):
        def divide_round(self, numerator, denominator):
            return torch.round(numerator * (1.0 / denominator))

    report = kat.check(lambda weights: IntegerOps(Reciprocal(), weights))
    assert "carrier.divide_round" in report.failed


def test_a_device_that_rounds_halves_up_is_found():
    """Rounding is half to even."""

    class Up(TorchCarrier):
        def shift_round(self, x, bits):
            return torch.floor(x * 2.0**-bits + 0.5)

    assert "carrier.shift_round" in kat.check(lambda weights: IntegerOps(Up(), weights)).failed


def test_products_in_float32_are_found():
    """TF32 or float32 accumulation cannot carry 53 bits."""

    class Single(TorchCarrier):
        def matmul(self, x, y):
            return torch.round((x.float() @ y.float()).double())

    assert {"linear", "conv", "attention"} <= set(kat.check(lambda weights: IntegerOps(Single(), weights)).failed)


def keeping(bits, x):
    """Round integers in float64 to so many significant bits."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(mantissa * 2.0**bits), exponent - bits)


@pytest.mark.parametrize("bits", [52, 50, 46, 42, 38, 36, 34, 32])
@pytest.mark.parametrize("operation", ["matmul", "total"])
def test_sums_that_lose_low_bits_are_found(operation, bits):
    """An emulated float64 keeps fewer than 53 bits of a sum; a run there could differ in a few samples of its PCM."""

    class Shorter(TorchCarrier):
        def matmul(self, x, y):
            exact = super().matmul(x, y)
            return keeping(bits, exact) if operation == "matmul" else exact

        def total(self, x, axis):
            exact = super().total(x, axis)
            return keeping(bits, exact) if operation == "total" else exact

    assert f"carrier.{operation}" in kat.check(lambda weights: IntegerOps(Shorter(), weights)).failed


@pytest.mark.parametrize("terms", [5, 1_025, 1_026])
def test_the_known_sums_use_every_bit_that_the_certificate_allows(terms):
    """No partial sum can leave the carrier, sums of both signs come near its bound, and they are odd and even."""
    activations, weights = kat._factors(terms)
    partial = (np.abs(activations).astype(object) @ np.abs(weights).astype(object)).max()
    assert partial < 1 << CARRIER_BITS
    sums = activations @ weights
    assert sums.min() < -(2**52.9)
    assert sums.max() > 2**52.9
    assert set((sums % 2).ravel()) == {0, 1}


def test_an_operation_that_raises_is_a_failure_and_not_a_crash():
    """A device without an operation is demoted, with its message."""

    class Without(TorchCarrier):
        def greatest(self, x, axis):
            raise RuntimeError("not implemented on this device")

    report = kat.check(lambda weights: IntegerOps(Without(), weights))
    failed = {answer.operation: answer.digest for answer in report.answers if not answer.passed}
    assert failed["attention"] == "raised RuntimeError: not implemented on this device"
    assert np.all(["attention" in name or "norm" in name or name in {"argmax", "block"} for name in failed])
