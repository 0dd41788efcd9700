"""The conformance levels (clause 9), lowest first."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LEVELS", "Level"]


class Level(StrEnum):
    """How much a run tells about itself; each level contains the ones before it."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


LEVELS: tuple[Level, ...] = tuple(Level)
