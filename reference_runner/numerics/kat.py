"""Known answers: before a run may call itself `exact`, its machine shows every allowed operation on fixed integers.

The answers lie in `known_answers.json`, written by the int64 carrier with
`python -m reference_runner.numerics.kat --write`.  A carrier that gives others is reported operation by operation and
its run is `native`; nothing else changes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner import digests
from reference_runner.numerics.noise import FRACTION_BITS, Stream
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS, SATURATION_BITS
from reference_runner.numerics.weights import CARRIER_BITS, QuantisedWeights

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_runner.numerics.integers import IntegerOps

ANSWERS_FILE = "known_answers.json"
CHANNELS = 48
LENGTH = 21
BATCH = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAnswer:
    """One operation's result on the fixed integers."""

    operation: str
    digest: str
    expected: str

    @property
    def passed(self) -> bool:
        """Whether this machine gave the known answer."""
        return self.digest == self.expected


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAnswerReport:
    """All of them; `digest` is what a run that claims `exact` must carry."""

    carrier: str
    answers: tuple[KnownAnswer, ...]

    @property
    def passed(self) -> bool:
        """Whether every answer is the known one."""
        return all(answer.passed for answer in self.answers)

    @property
    def failed(self) -> tuple[str, ...]:
        """The operations that gave another answer, or raised."""
        return tuple(answer.operation for answer in self.answers if not answer.passed)

    @property
    def digest(self) -> str:
        """sha256 over the lines "operation digest", sorted."""
        return digest_of({answer.operation: answer.digest for answer in self.answers})

    def __str__(self) -> str:
        rows = [f"{answer.operation:24}{'ok' if answer.passed else 'DIFFERS'}" for answer in self.answers]
        return "\n".join([f"{self.carrier}: {self.digest}", *rows])


def digest_of(answers: dict[str, str]) -> str:
    """sha256 over the lines "operation digest", sorted."""
    lines = "".join(f"{operation} {answers[operation]}\n" for operation in sorted(answers))
    return digests.of_bytes(lines.encode())


def check(
    make_ops: Callable[[QuantisedWeights], IntegerOps], expected: dict[str, str] | None = None
) -> KnownAnswerReport:
    """Run every operation with the ops made for the fixed weights and compare with the known answers."""
    known = expected if expected is not None else read_answers()
    module = FixedWeights()
    ops = make_ops(QuantisedWeights(module))
    answers = []
    for operation, run in OPERATIONS.items():
        try:
            digest = _digest(run(ops, module))
        except (ArithmeticError, RuntimeError, TypeError) as error:
            digest = f"raised {type(error).__name__}: {error}"
        answers.append(KnownAnswer(operation=operation, digest=digest, expected=known.get(operation, "unknown")))
    return KnownAnswerReport(carrier=ops.carrier.name, answers=tuple(answers))


def read_answers() -> dict[str, str]:
    """Read the committed answers."""
    text = resources.files("reference_runner.numerics").joinpath(ANSWERS_FILE).read_text("utf-8")
    answers: dict[str, str] = json.loads(text)["answers"]
    return answers


class FixedWeights(torch.nn.Module):
    """Weights drawn from the counted noise, the same everywhere."""

    matrix: torch.Tensor
    narrow: torch.Tensor
    kernel: torch.Tensor
    depthwise: torch.Tensor
    table: torch.Tensor
    wide_bias: torch.Tensor
    bias: torch.Tensor
    gain: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        shapes = {
            "matrix": (3 * CHANNELS, CHANNELS),
            "narrow": (CHANNELS, 3 * CHANNELS),
            "kernel": (CHANNELS, CHANNELS, 5),
            "depthwise": (CHANNELS, 7),
            "table": (29, CHANNELS),
            "wide_bias": (3 * CHANNELS,),
            "bias": (CHANNELS,),
            "gain": (CHANNELS,),
        }
        for name, shape in shapes.items():
            width = int(np.prod(shape[1:])) if len(shape) > 1 else 4
            values = (
                _noise(name, int(np.prod(shape)), 1).reshape(shape)
                * 2.0**-FRACTION_BITS
                / 2.0 ** (width.bit_length() // 2)
            )
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))


def _noise(stage: str, frames: int, channels: int) -> np.ndarray:
    return Stream(seed=20_241_220_155, stage=f"known answers {stage}").values(0, frames, channels)


def _x(ops: IntegerOps, stage: str = "x", shift: int = 0) -> Any:
    """(BATCH, LENGTH, CHANNELS), standard deviation 2**shift."""
    values = _noise(stage, BATCH * LENGTH, CHANNELS).reshape(BATCH, LENGTH, CHANNELS)
    return ops.activation_from_integers(values << (shift + ACTIVATION_FRACTION_BITS - FRACTION_BITS))


def _ids() -> np.ndarray:
    return np.arange(BATCH * LENGTH).reshape(BATCH, LENGTH) * 11 % 29


def _durations() -> np.ndarray:
    return np.array([[1, 2, 3, 7, 8], [5, 0, 4, 1, 0]])


def _mask(ops: IntegerOps) -> Any:
    return ops.mask_from_lengths(ops.integers([LENGTH, 8]), LENGTH)


def _wide(bits: int) -> np.ndarray:
    """Signed integers of up to `bits` bits and their neighbourhood of halves: what rounding must get right."""
    words = Stream(seed=7, stage="known answers wide").words(0, 4096)
    values = (words >> np.uint64(64 - bits)).astype(np.int64) - (1 << (bits - 1))
    halves = np.arange(-512, 512, dtype=np.int64) * 4 + 2
    return np.concatenate([values, halves, halves + 1, halves - 1])


def _block(ops: IntegerOps, m: FixedWeights) -> Any:
    """Run a ConvNeXt block with modulation, as the score decoder uses it."""
    x = _x(ops)
    y = ops.modulate(ops.layer_norm(ops.depthwise(x, m.depthwise, m.bias)), _x(ops, "gain")[:, :1], _x(ops, "shift"))
    y = ops.linear(ops.gate(ops.linear(y, m.matrix, m.wide_bias)), m.narrow, m.bias)
    return ops.add(x, ops.scale(ops.conv(y, m.kernel, m.bias), m.gain))


def _divide(ops: IntegerOps, _: FixedWeights) -> Any:
    numerator, denominator = _wide(50), np.abs(_wide(26)) + 1
    # Quotients that are halves exactly: a division by way of the reciprocal falls to the wrong side of many.
    even = denominator[denominator < 1 << 24] * 2
    halves = (np.arange(len(even)) * 2 + 1) * (even // 2)
    numerator = np.concatenate([numerator, halves, halves + 1, halves - 1])
    denominator = np.concatenate([denominator, even, even, even])
    return ops.carrier.divide_round(ops.carrier.array(numerator), ops.carrier.array(denominator))


def _squares() -> np.ndarray:
    """Integers under 2**53 and the neighbours of squares, where a root that is one off would show."""
    roots = np.abs(_wide(27))
    return np.concatenate(
        [np.abs(_wide(53)), roots * roots, roots * roots + 2 * roots, np.maximum(roots * roots - 1, 0)]
    )


def _factors(terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return activations (8, K) and weights (K, 5) whose sums of products use every bit that the certificate allows.

    The greatest sums come near 2**CARRIER_BITS: rows 0 to 4 hold the largest activations there are, each with the
    signs of one column or their opposites. In row 5 every other term has the other sign, so that most of the sum
    cancels. Two rows are random.
    """
    greatest = 1 << (SATURATION_BITS + ACTIVATION_FRACTION_BITS)
    words = Stream(seed=7, stage=f"known answers products of {terms}").words(0, 16 * terms).reshape(16, terms)
    most = (1 << (CARRIER_BITS - SATURATION_BITS - ACTIVATION_FRACTION_BITS)) // terms
    weights = ((words[:5] >> np.uint64(11)) % np.uint64(most)).astype(np.int64) // 16 + most - most // 16
    weights = np.where(words[:5] % np.uint64(2) == 0, weights, -weights)
    near = greatest - (words[5:10] >> np.uint64(44)).astype(np.int64)
    aligned = near * np.sign(weights) * (1 - 2 * (np.arange(5)[:, None] % 2))
    cancelling = aligned[:1] * (1 - 2 * (np.arange(terms) % 2))
    random = (words[10:12] >> np.uint64(63 - SATURATION_BITS - ACTIVATION_FRACTION_BITS)).astype(np.int64) - greatest
    return np.concatenate([aligned, cancelling, random]), weights.T


def _sums(ops: IntegerOps, terms: int) -> Any:
    activations, weights = _factors(terms)
    return ops.carrier.matmul(ops.carrier.array(activations), ops.carrier.array(weights))


def _totals(ops: IntegerOps, _: FixedWeights) -> Any:
    """Return sums of 1,025 of those products, of which one nears 2**CARRIER_BITS."""
    activations, weights = _factors(1_025)
    return ops.carrier.total(ops.carrier.array(activations * weights[:, :1].T), -1)


def _power(ops: IntegerOps, _: FixedWeights) -> Any:
    power = ops.carrier.array(np.arange(len(_wide(20))) % 60 - 40)
    return ops.carrier.scale_by_power(ops.carrier.array(_wide(20)), power)


def _put(ops: IntegerOps, _: FixedWeights) -> Any:
    x = _x(ops)
    ops.put(x, _x(ops, "y")[:, :1], _mask(ops))
    return x


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    # what the carrier itself does
    "carrier.shift_round": lambda ops, _: ops.carrier.shift_round(ops.carrier.array(_wide(52)), 2),
    "carrier.shift_floor": lambda ops, _: ops.carrier.shift_floor(ops.carrier.array(_wide(52)), 2),
    "carrier.divide_round": _divide,
    "carrier.scale_by_power": _power,
    "carrier.square_root": lambda ops, _: ops.carrier.square_root(ops.carrier.array(_squares())),
    "carrier.count_last": lambda ops, _: ops.carrier.count_last(ops.carrier.array(_wide(20).reshape(-1, 16)) > 0),
    "carrier.matmul": lambda ops, _: _sums(ops, 1_026),
    "carrier.matmul.odd": lambda ops, _: _sums(ops, 1_025),
    "carrier.matmul.few": lambda ops, _: _sums(ops, 5),
    "carrier.total": _totals,
    "put": _put,
    # element by element
    "add": lambda ops, _: ops.add(_x(ops), _x(ops, "y", 5)),
    "subtract": lambda ops, _: ops.subtract(_x(ops), _x(ops, "y", 5)),
    "mul": lambda ops, _: ops.mul(_x(ops), _x(ops, "y", 5)),
    "mul.saturated": lambda ops, _: ops.mul(_x(ops, shift=6), _x(ops, "y", 6)),
    "affine": lambda ops, _: ops.affine(_x(ops), -3.3, 1.25),
    "scale": lambda ops, m: ops.scale(_x(ops), m.gain),
    "modulate": lambda ops, _: ops.modulate(_x(ops), _x(ops, "y"), _x(ops, "z")),
    "gate": lambda ops, _: ops.gate(_x(ops, shift=3)),
    "sigmoid": lambda ops, _: ops.sigmoid(_x(ops, shift=3)),
    "exp": lambda ops, _: ops.exp(_x(ops, shift=2)),
    "sin": lambda ops, _: ops.sin_cos(_x(ops, shift=4))[0],
    "cos": lambda ops, _: ops.sin_cos(_x(ops, shift=4))[1],
    "clip": lambda ops, _: ops.clip(_x(ops), -0.5, 0.7),
    "apply_mask": lambda ops, _: ops.apply_mask(_x(ops), _mask(ops)),
    # layers
    "linear": lambda ops, m: ops.linear(_x(ops), m.matrix, m.wide_bias),
    "conv": lambda ops, m: ops.conv(_x(ops), m.kernel, m.bias),
    "depthwise": lambda ops, m: ops.depthwise(_x(ops), m.depthwise, m.bias),
    "layer_norm": lambda ops, m: ops.layer_norm(_x(ops), m.gain, m.bias),
    "layer_norm.saturated": lambda ops, _: ops.layer_norm(_x(ops, shift=7)),
    "attention": lambda ops, _: ops.attention(_x(ops), _x(ops, "y"), _x(ops, "z"), 4),
    "attention.causal": lambda ops, _: ops.attention(_x(ops)[:, -3:], _x(ops, "y"), _x(ops, "z"), 4, causal=True),
    "attention.mask": lambda ops, _: ops.attention(_x(ops), _x(ops, "y"), _x(ops, "z"), 4, mask=_mask(ops)),
    "embed": lambda ops, m: ops.embed(m.table, ops.integers(_ids())),
    "parameter": lambda ops, m: ops.parameter(m.bias),
    "mean_over": lambda ops, _: ops.mean_over(_x(ops), _mask(ops)),
    "block": _block,
    # phones and frames
    "pool_by_phone": lambda ops, _: ops.pool_by_phone(_x(ops), ops.integers(_durations())),
    "repeat_by_duration": lambda ops, _: ops.repeat_by_duration(_x(ops)[:, :5], ops.integers(_durations())),
    "position_in_phone": lambda ops, _: ops.position_in_phone(ops.integers(_durations())),
    "overlap_add": lambda ops, _: ops.overlap_add(_x(ops), 12),
    # decisions
    "argmax": lambda ops, _: ops.argmax_with_margin(_x(ops))[0],
    "durations": lambda ops, _: ops.durations_with_margin(_x(ops)[:, :, 0], _mask(ops))[0],
    # randomness
    "noise": lambda ops, _: ops.activation_from_integers(_noise("itself", 64, 80)),
}


def _digest(x: Any) -> str:
    values = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    total = hashlib.sha256(json.dumps(list(values.shape)).encode())
    total.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
    return digests.spelled(total)


def write_answers(path: Path) -> KnownAnswerReport:
    """Write the answers as the int64 carrier gives them: the definition itself."""
    from reference_runner.numerics.plain import PlainOps

    report = check(lambda weights: PlainOps(weights, integer=True), {})
    answers = {answer.operation: answer.digest for answer in report.answers}
    if raised := [operation for operation, digest in answers.items() if digest.startswith("raised")]:
        raise RuntimeError(f"{raised[0]}: {answers[raised[0]]}")
    document = {"digest": digest_of(answers), "answers": answers}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
    return report


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write_answers(Path(__file__).with_name(ANSWERS_FILE))
    from reference_runner.numerics.exact import ExactOps
    from reference_runner.numerics.plain import PlainOps

    for maker in (ExactOps, PlainOps, lambda weights: PlainOps(weights, integer=True)):
        sys.stdout.write(f"{check(maker)}\n")
