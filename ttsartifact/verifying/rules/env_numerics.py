"""Repeated statements about the arithmetic (clauses 4.10 and 6.6): profile, parameters, flags, variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.repeated import REPEATED, named_by
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__ = ["variables"]

_TF32_VARIABLES = frozenset({"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"})
_PRECISION, _NUMERICS, _DETERMINISM = "/generation/precision", "/generation/numerics", "/generation/determinism"


@rule("ENV08")
def backed_exactness(evidence: Evidence) -> Answer:
    numerics = evidence.known(_NUMERICS)
    if numerics is None:
        return NotApplicable("no profile of numerics is stated")
    faults = []
    if numerics["kat_passed"] and is_absent(numerics["kat_digest"]):
        faults.append(_no_exact("/generation/numerics/kat_digest", "absent", "the digest of the known answers"))
    if numerics["profile"] != "exact":
        return faults
    if not numerics["kat_passed"]:
        faults.append(_no_exact("/generation/numerics/kat_passed", found=False, expected=True))
    return faults + list(_inexact(evidence))


@rule("ENV09")
def agreeing_parameters(evidence: Evidence) -> Answer:
    params = evidence.at("/generation/params")  # parameters of the names that an absence has are parameters
    faults = [*_repeated(evidence, params), *_flagged(evidence), *_overridden(evidence)]
    return (
        faults if faults or params or variables(evidence) else NotApplicable("no parameter or variable repeats a field")
    )


def variables(evidence: Evidence) -> dict[str, str]:
    """Return the recorded environment variables by name."""
    return {entry["name"]: entry["value"] for _, entry in entries(evidence, "/env/variables")}


def _inexact(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield statements of the run that contradict exact arithmetic."""
    dtype = evidence.known(f"{_PRECISION}/dtype")
    words: list[str] = _spec.table("registry/lists")["exact_types"]
    if dtype is not None and not dtype.lower().startswith(tuple(words)):
        yield _no_exact(f"{_PRECISION}/dtype", dtype, f"a type that holds integers exactly: {', '.join(words)}")
    for key in ("tf32", "autocast"):
        if evidence.known(f"{_PRECISION}/{key}") is True:
            yield _no_exact(f"{_PRECISION}/{key}", found=True, expected=False)
    expected = evidence.known(f"{_DETERMINISM}/class")
    if expected != "bitwise":
        yield _no_exact(f"{_DETERMINISM}/class", expected, "bitwise")
    elif evidence.known(f"{_DETERMINISM}/self_repeat") == "differs":
        yield _no_exact(f"{_DETERMINISM}/self_repeat", "differs", "equal")


def _no_exact(where: str, found: Any, expected: Any) -> Mismatch:
    return Mismatch(where=where, found=found, expected=expected, message="this contradicts the profile `exact`")


def _repeated(evidence: Evidence, params: dict[str, Any]) -> Iterator[Mismatch]:
    """Yield each parameter of a field's own name that does not agree with the field."""
    named = named_by("repeated")
    for key, value in params.items():
        field = REPEATED.get(named.get(key, ""))
        expected_value = None if field is None else field.differing(evidence, value)
        if field is not None and expected_value is not None:
            yield Mismatch(
                where=f"/generation/params/{key}",
                found=value,
                expected=f"{expected_value[0]}, as {field.place}",
                message="the parameter and the field disagree",
            )


def _flagged(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each flag of determinism that allows TF32 where none was used, or forbids it where it was."""
    tf32 = evidence.known(f"{_PRECISION}/tf32")
    for place, flag in enumerate(evidence.known(f"{_DETERMINISM}/flags")):
        name, _, value = flag.lower().partition("=")
        if (
            tf32 is not None
            and name.endswith("allow_tf32")
            and value in {"true", "false"}
            and (value == "true") != tf32
        ):
            yield Mismatch(
                where=f"/generation/determinism/flags/{place}",
                found=flag,
                expected=f"{str(tf32).lower()}, as /generation/precision/tf32",
                message="the flag and /generation/precision disagree",
            )


def _overridden(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each variable that forces TF32 on or off against the stated precision (a driver obeys it above all)."""
    tf32, dtype = evidence.known(f"{_PRECISION}/tf32"), evidence.known(f"{_PRECISION}/dtype") or ""
    if evidence.known("/generation/device") != "cuda" or tf32 is None or dtype.startswith(("float64", "int")):
        return
    for place, (name, value) in enumerate(variables(evidence).items()):
        forces = name in _TF32_VARIABLES and value in {"0", "1"}
        if forces and (value == "1") != tf32:
            yield Mismatch(
                where=f"/env/variables/{place}/value",
                found=f"{name}={value}",
                expected=f"{int(tf32)}, or /generation/precision/tf32 {str(not tf32).lower()}",
                message="the variable overrides the stated precision",
            )
