"""fp32 weights as integers: the form `exact` uses, its digest, and the certificate that float64 can carry it.

The checkpoint stays fp32 and is quantised at load.  Multiplying an fp32 number by a power of two and rounding half to
even are exact in float64, so every machine finds the same integers; their digest goes into the run.

* A matrix (two axes or more) becomes integers of at most 20 bits and a sign, times 2**-exponent, one exponent a tensor:
  the largest with which the certificate holds.
* A vector (bias, gain, layer scale) becomes integers times 2**-20 within +-2**7.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reference_runner import digests
from reference_runner.errors import CertificateError
from reference_runner.numerics.ops import ACTIVATION_FRACTION_BITS, SATURATION_BITS

if TYPE_CHECKING:
    import torch

MANTISSA_BITS = 20
MANTISSA_BITS_MINIMUM = 14
VECTOR_FRACTION_BITS = 20
EXPONENT_MAXIMUM = 24
"""Finer weights gain nothing, and a bias shifted onto the product grid must stay small."""
EXPONENT_MINIMUM = 4
CARRIER_BITS = 53
"""float64 holds every integer up to 2**53."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class QuantisedTensor:
    """Integers and the exponent e: the tensor means mantissa * 2**-e."""

    name: str
    mantissa: np.ndarray
    """int32, the shape of the parameter."""
    exponent: int

    @property
    def is_matrix(self) -> bool:
        """Two axes or more."""
        return self.mantissa.ndim >= 2

    def partial_sum(self) -> int:
        """Return the largest value that a partial sum of a product with this tensor can reach, in any order."""
        rows = np.abs(self.mantissa.astype(np.int64)).reshape(self.mantissa.shape[0], -1)
        largest = int(rows.sum(1).max(initial=0))
        bias = 1 << (SATURATION_BITS + ACTIVATION_FRACTION_BITS + self.exponent)
        return (largest << (SATURATION_BITS + ACTIVATION_FRACTION_BITS)) + bias


class QuantisedWeights:
    """Every parameter and buffer of a module as integers, found by the identity of the fp32 tensor."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module  # keeps the identities alive
        self._lent: list[torch.nn.Module] = []
        self._by_identity: dict[int, QuantisedTensor] = {}
        self.tensors: dict[str, QuantisedTensor] = {}
        self.largest_partial_sum_bits = 0.0
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            quantised = quantise(name, tensor.detach().cpu().double().numpy())
            self.tensors[name] = quantised
            self._by_identity[id(tensor)] = quantised
            if quantised.is_matrix:
                self.largest_partial_sum_bits = max(
                    self.largest_partial_sum_bits, float(np.log2(quantised.partial_sum()))
                )

    def lend(self, name: str, module: torch.nn.Module) -> None:
        """Find the integers of another module's parameters too; they have no part in the digest."""
        self._lent.append(module)
        for own, tensor in module.named_parameters():
            quantised = quantise(f"{name}.{own}", tensor.detach().cpu().double().numpy())
            self._by_identity[id(tensor)] = quantised

    def of(self, parameter: torch.Tensor) -> QuantisedTensor:
        """Find the integers of a parameter; it must be the module's own tensor, whole."""
        try:
            return self._by_identity[id(parameter)]
        except KeyError:
            raise CertificateError(
                f"a tensor of shape {tuple(parameter.shape)} is not a parameter or buffer of the module; "
                "hand parameters over whole and untouched"
            ) from None

    @property
    def digest(self) -> str:
        """sha256 over each tensor's name, shape, exponent and little-endian int32 integers, sorted by name."""
        total = hashlib.sha256()
        for name in sorted(self.tensors):
            tensor = self.tensors[name]
            header = [name, list(tensor.mantissa.shape), tensor.exponent]
            total.update(json.dumps(header, separators=(",", ":")).encode() + b"\n")
            total.update(np.ascontiguousarray(tensor.mantissa, dtype="<i4").tobytes())
        return digests.spelled(total)


def quantise(name: str, values: np.ndarray) -> QuantisedTensor:
    """Round fp32 values (given in float64) to integers and certify the result."""
    if not np.isfinite(values).all():
        raise CertificateError("a weight is not finite", where=name)
    if values.ndim < 2:
        limit = 1 << (SATURATION_BITS + VECTOR_FRACTION_BITS)
        mantissa = np.rint(values * 2.0**VECTOR_FRACTION_BITS)
        if np.abs(mantissa).max(initial=0.0) > limit:
            raise CertificateError(f"a vector leaves +-2**{SATURATION_BITS}", where=name)
        return QuantisedTensor(name=name, mantissa=mantissa.astype(np.int32), exponent=VECTOR_FRACTION_BITS)
    # frexp gives the power of two with |values| < 2**power, from the bits of the number: no logarithm.
    power = int(np.frexp(np.abs(values).max(initial=0.0))[1])
    for bits in range(MANTISSA_BITS, MANTISSA_BITS_MINIMUM - 1, -1):
        exponent = min(bits - power, EXPONENT_MAXIMUM)
        if exponent < EXPONENT_MINIMUM:
            raise CertificateError(f"a weight of 2**{power} leaves no room for its bias", where=name)
        mantissa = np.rint(values * 2.0**exponent).astype(np.int32)
        tensor = QuantisedTensor(name=name, mantissa=mantissa, exponent=exponent)
        if tensor.partial_sum() < 1 << CARRIER_BITS:
            return tensor
    raise CertificateError(
        f"with {MANTISSA_BITS_MINIMUM} bits a partial sum may reach 2**{np.log2(tensor.partial_sum()):.2f}, "
        f"float64 is exact below 2**{CARRIER_BITS}",
        where=name,
    )
