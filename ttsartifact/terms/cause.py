"""The causal classes of conditions (clause 10.8)."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CAUSES", "Cause"]


class Cause(StrEnum):
    """What kind of condition differs, the kind that changes samples most surely first."""

    INPUTS = "inputs"
    WEIGHTS = "weights"
    CODE = "code"
    NUMERICS = "numerics"
    PROVIDERS = "providers"
    CPU = "cpu"
    OTHER = "other"


CAUSES: tuple[Cause, ...] = tuple(Cause)
