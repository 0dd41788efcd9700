"""The conformance levels (clause 9), lowest first, and the causal classes of conditions (clause 10.8)."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How much a run tells about itself; each level contains the ones before it."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


LEVELS: tuple[Level, ...] = tuple(Level)


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
