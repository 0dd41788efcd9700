"""The descriptor's bytes (family CAN)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.terms.finding import Answer, Mismatch
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []


@rule("CAN01")
def plain_utf8(evidence: Evidence) -> Answer:
    return _faults(evidence, "CAN01")


@rule("CAN02")
def unambiguous_json(evidence: Evidence) -> Answer:
    return _faults(evidence, "CAN02")


@rule("CAN03")
def plain_numbers(evidence: Evidence) -> Answer:
    return _faults(evidence, "CAN03")


@rule("CAN04")
def safe_integers(evidence: Evidence) -> Answer:
    return _faults(evidence, "CAN04")


@rule("CAN05")
def canonical_bytes(evidence: Evidence) -> Answer:
    return [*_faults(evidence, "CAN05"), *evidence.breaches("CAN05")]


@rule("CAN06")
def snake_case_keys(evidence: Evidence) -> Answer:
    return _faults(evidence, "CAN06")


def _faults(evidence: Evidence, rule_id: str) -> list[Mismatch]:
    return [
        Mismatch(where=fault.where, found=fault.found, expected=fault.expected)
        for fault in evidence.artifact.faults
        if fault.rule == rule_id
    ]
