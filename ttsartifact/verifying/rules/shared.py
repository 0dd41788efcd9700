"""Helpers of several rule families: a claimed level, entries with their pointers, absence, one comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.terms.finding import Mismatch
from ttsartifact.terms.level import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__ = ["claims_level", "compared", "entries", "repositories"]


def claims_level(evidence: Evidence, level: str) -> bool:
    """Return whether the artifact claims `level` or a higher one."""
    claimed = evidence.known("/level")
    return claimed in LEVELS and LEVELS.index(claimed) >= LEVELS.index(level)


def entries(evidence: Evidence, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of the list at `pointer`, each with its own pointer; nothing when the list is absent."""
    for place, entry in enumerate(evidence.known(pointer) or []):
        yield f"{pointer}/{place}", entry


def compared(where: str, found: Any, stated: Any, message: str = "") -> list[Mismatch]:
    return [] if found == stated else [Mismatch(where=where, found=found, expected=stated, message=message)]


def repositories(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pinned repositories, model before vocoder; a vocoder inside the model is none."""
    for where in ("/pins/model", "/pins/vocoder"):
        pinned = evidence.known(where)
        if isinstance(pinned, dict) and "uri" in pinned:
            yield where, pinned
