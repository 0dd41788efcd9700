"""Models of confusable names (clause 5.2): which family an address or an engine names, and which is stated."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.terms.finding import Answer, Hint, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__ = ["confusable_names", "families", "family_of_address", "family_of_engine"]

_FAMILY = "/pins/model/family"
_NAMES = ("/pins/engine/name", "/pins/engine/package", "/generation/runner/name")
_SEPARATORS = late_pattern(r"[/:@#?&]")
_NOT_FOLDED = late_pattern(r"[^a-z0-9]")


class Families(NamedTuple):
    """registry/families.toml; the fields are described at its head."""

    names: frozenset[str]
    confused: tuple[str, ...]
    addresses: tuple[tuple[tuple[str, ...], str], ...]
    engines: dict[str, str]


@cache
def families() -> Families:
    """Return the registry of families, read once a process."""
    value = _spec.table("registry/families")
    known = value["family"]
    return Families(
        names=frozenset(entry["name"] for entry in known),
        confused=tuple(value["confused"]),
        addresses=tuple((tuple(place.split("/")), entry["name"]) for entry in known for place in entry["addresses"]),
        engines={engine: entry["name"] for entry in known for engine in entry["engines"]},
    )


def family_of_address(address: str) -> str | None:
    """Return the family whose repository an address is, or None where the registry knows none."""
    found = tuple(segment.removesuffix(".git") for segment in _SEPARATORS.split(address.lower()))
    for wanted, family in families().addresses:
        if any(found[place : place + len(wanted)] == wanted for place in range(len(found) - len(wanted) + 1)):
            return family
    return None


def family_of_engine(name: str) -> str | None:
    """Return the family that an engine, package or runner of that name runs, or None where it may run others."""
    return families().engines.get(name.lower())


@rule("PIN15")
def family_not_contradicted(evidence: Evidence) -> Answer:
    stated = evidence.known(_FAMILY)
    named = list(_named(evidence)) if stated is not None else []
    if not named:
        return NotApplicable("no family is stated" if stated is None else "no other field names a registered family")
    return [
        Mismatch(
            where=_FAMILY,
            found=stated,
            expected=family,
            message=f"{where} names a different family: {name}",
            severity=None if stated in families().names else Severity.WARN,
        )
        for where, name, family in named
        if family != stated
    ]


def confusable_names(evidence: Evidence) -> Iterator[Hint]:
    """A model or engine whose name several models go by states which family it is (clause 5.2)."""
    if evidence.known(_FAMILY) in families().names:
        return
    for where, name in _names(evidence):
        folded = _NOT_FOLDED.sub("", name.lower())
        if any(word in folded for word in families().confused):
            yield Hint(
                id="PIN16", where=where, found=name, message="several models go by this name, and no family says which"
            )


def _named(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Yield where a registered family is named, by which name, and the family."""
    for where, name in _names(evidence):
        family = family_of_address(name) if where.endswith("/uri") else family_of_engine(name)
        if family is not None:
            yield where, name, family


def _names(evidence: Evidence) -> Iterator[tuple[str, str]]:
    for where in ("/pins/model/uri", *_NAMES):
        name = evidence.known(where)
        if isinstance(name, str):
            yield where, name
