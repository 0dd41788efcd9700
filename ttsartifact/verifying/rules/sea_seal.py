"""The seal over the bytes (family SEA)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Verdict, compared
from ttsartifact.verifying.catalogue import grading, question_of, rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []


@rule("SEA01")
def sealed(evidence: Evidence) -> Answer:
    if evidence.seal is not None:
        return []
    if evidence.known("/level") == "L0":
        return NotApplicable("level L0 needs no seal")
    return [Mismatch(where="seal", found="none", expected="a seal; software that rewrites the file drops it")]


@rule("SEA02")
def seal_holds(evidence: Evidence) -> Answer:
    if evidence.seal is None:
        return NotApplicable("no seal")
    return compared("seal", evidence.seal_expected, evidence.seal)


@rule("SEA03")
def argued_seal(evidence: Evidence) -> Answer:
    misplaced = any(isinstance(answer, list) and answer for answer in _answers(evidence, "seal_place"))
    if evidence.seal is not None and evidence.seal == evidence.seal_expected and not misplaced:
        return []
    parts_hold = _hold(evidence, "parts")
    if parts_hold and _hold(evidence, "file"):
        word, message = Verdict.REWRAPPED, "descriptor, parts and audio file are as recorded; their container is not"
    elif parts_hold and [] in _answers(evidence, "samples"):
        word, message = Verdict.RETAGGED, "the samples are as recorded; the audio file around them is not"
    else:
        return []
    return [Mismatch(where="seal", found=word, expected=Verdict.INTACT, message=message, severity=Severity.INFO)]


@rule("SEA04")
def seal_place(evidence: Evidence) -> Answer:
    return [] if evidence.seal is not None else NotApplicable("no seal")


def _answers(evidence: Evidence, part: str) -> list[Answer]:
    """Ask the rules that recompute this part of the bytes, whatever family they are of."""
    return [question_of(key)(evidence) for key in grading(part)]


def _hold(evidence: Evidence, part: str) -> bool:
    return all(answer == [] for answer in _answers(evidence, part))
