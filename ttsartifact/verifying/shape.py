"""The descriptor's bytes and its shape (families CAN and SCH)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._spec import FORMAT_VERSION
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.terms.levels import LEVELS, missing_for
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []

_UNDERSTOOD: frozenset[str] = frozenset()
"""Extensions that this verifier understands, by their names below /ext."""


@rule("CAN01")
def is_utf8(evidence: Evidence) -> Answer:
    """The descriptor is UTF-8 without a byte order mark; else the reader stopped there."""
    return _faults(evidence, "CAN01")


@rule("CAN02")
def is_unambiguous_json(evidence: Evidence) -> Answer:
    """The descriptor is one JSON object and no object in it has a key twice; else the reader stopped there."""
    return _faults(evidence, "CAN02")


@rule("CAN03")
def numbers_are_plain(evidence: Evidence) -> Answer:
    """Numbers are finite, integers where the format has integers, and never -0."""
    return _faults(evidence, "CAN03")


@rule("CAN04")
def integers_are_safe(evidence: Evidence) -> Answer:
    """Integers lie within 2^53-1 of zero."""
    return _faults(evidence, "CAN04")


@rule("CAN05")
def is_canonical(evidence: Evidence) -> Answer:
    """The bytes of the descriptor and of every trace are the RFC 8785 form of their own value."""
    return [*_faults(evidence, "CAN05"), *evidence.breaches("CAN05")]


@rule("CAN06")
def keys_are_plain(evidence: Evidence) -> Answer:
    """Keys are ASCII snake_case, except directly below /ext."""
    return _faults(evidence, "CAN06")


@rule("SCH01")
def version_is_known(evidence: Evidence) -> Answer:
    """The major version of the descriptor is this one; a newer minor version is verified as far as it is understood."""
    broken = evidence.breaches("SCH01")
    if broken:
        return broken
    if _is_newer_minor(evidence):
        stated = evidence.known("/spec_version")
        return [
            Mismatch(
                where="/spec_version",
                found=stated,
                expected=FORMAT_VERSION,
                message=f"a newer minor version, verified as {FORMAT_VERSION}",
                severity=Severity.INFO,
            )
        ]
    return []


@rule("SCH02")
def satisfies_the_schema(evidence: Evidence) -> Answer:
    """The descriptor and its traces satisfy their JSON Schemas."""
    return evidence.breaches("SCH02")


@rule("SCH03")
def fields_are_known(evidence: Evidence) -> Answer:
    """Every field is one of the schema's or lies below /ext."""
    unknown = evidence.breaches("SCH03")
    if _is_newer_minor(evidence):  # a later version may have added them (clause 2.3)
        return [mismatch._replace(severity=Severity.INFO) for mismatch in unknown]
    return unknown


@rule("SCH05")
def critical_extensions_are_understood(evidence: Evidence) -> Answer:
    """Every extension named critical is carried, and understood by whoever verifies."""
    critical = evidence.known("/ext_critical") or []
    if not critical:
        return NotApplicable("no critical extension")
    carried = evidence.known("/ext") or {}
    missing = [(place, name) for place, name in enumerate(critical) if name not in carried]
    if missing:
        return [
            Mismatch(where=f"/ext_critical/{place}", found=name, expected="a field of that name below /ext")
            for place, name in missing
        ]
    unknown = [name for name in critical if name not in _UNDERSTOOD]
    return Unverifiable(f"needs to understand {', '.join(unknown)}") if unknown else []


@rule("SCH06")
def names_have_no_white_space_around(evidence: Evidence) -> Answer:
    """Identifiers, digests, versions and times have no white space at either end."""
    return evidence.breaches("SCH06")


@rule("SCH07")
def absences_are_said(evidence: Evidence) -> Answer:
    """A value that is not there carries its reason; no sentinel stands for it."""
    return evidence.breaches("SCH07")


@rule("SCH09")
def run_id_joins(evidence: Evidence) -> Answer:
    """run_id is a UUID or a ULID and the same in every copy."""
    broken = evidence.breaches("SCH09")
    copies = evidence.artifact.columns or {}
    stated = evidence.descriptor.known("/run/run_id")
    if not broken and "run_id" in copies and copies["run_id"] != stated:
        return [Mismatch(where="column run_id", found=copies["run_id"], expected=stated, message="another run_id")]
    return broken


@rule("SCH10")
def level_is_reached(evidence: Evidence) -> Answer:
    """Everything that the claimed level requires is known."""
    claimed = evidence.known("/level")
    asked = LEVELS[1 : LEVELS.index(claimed) + 1]
    return [
        Mismatch(
            where=missing.partition(":")[0],
            found="absent",
            expected=f"a value, for {level}" + (f":{rest}" if (rest := missing.partition(":")[2]) else ""),
            message=f"the claimed level {claimed} is not reached",
        )
        for level in asked
        for missing in missing_for(level, evidence.descriptor)
    ]


def _is_newer_minor(evidence: Evidence) -> bool:
    stated = evidence.descriptor.known("/spec_version")
    return int(stated.partition(".")[2]) > int(FORMAT_VERSION.partition(".")[2])


def _faults(evidence: Evidence, rule_id: str) -> list[Mismatch]:
    return [
        Mismatch(where=fault.where, found=fault.found, expected=fault.expected)
        for fault in evidence.artifact.faults
        if fault.rule == rule_id
    ]
