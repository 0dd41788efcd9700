"""What marks the audio as generated (clause 6.10): stated and there, there and stated, and whole. Nobody is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.container.hard_binding import Credential
    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []

_MARKING = "/generation/marking"
_NO_CREDENTIAL = NotApplicable("no C2PA credential is in the bare file")


@rule("MRK01")
def true_credential(evidence: Evidence) -> Answer:
    stated = [(where, entry) for where, entry in _entries(evidence) if _is_credential(entry)]
    if not stated:
        return NotApplicable("no C2PA credential in the container is stated")
    held = [credential.digest for credential in evidence.credentials]
    return [
        Mismatch(
            where=where if is_absent(entry["message_digest"]) else f"{where}/message_digest",
            found=", ".join(held) or "no C2PA manifest store",
            expected="one" if is_absent(entry["message_digest"]) else entry["message_digest"],
            message="the stated credential is not in the bare file",
        )
        for where, entry in stated
        if not held or not (is_absent(entry["message_digest"]) or entry["message_digest"] in held)
    ]


@rule("MRK02")
def stated_credential(evidence: Evidence) -> Answer:
    if not evidence.credentials:
        return _NO_CREDENTIAL
    if any(_is_credential(entry) for _, entry in _entries(evidence)):
        return []
    return [
        Mismatch(
            where=_MARKING,
            found=_in_words(evidence.descriptor.at(_MARKING)),
            expected=f"an entry of kind c2pa and stage container for the {_place(credential)}",
            message="the bare file carries a C2PA credential that is not stated",
        )
        for credential in evidence.credentials
    ]


@rule("MRK03")
def hard_binding(evidence: Evidence) -> Answer:
    held = evidence.credentials
    if not held:
        return _NO_CREDENTIAL
    # An engine may deliver a broken credential, and its run is recorded truly all the same.
    severity = None if "disclosure" in evidence.profiles else Severity.WARN
    if len(held) > 1:
        places = " and ".join(map(_place, held))
        return [Mismatch(where="the bare file", found=places, expected="one C2PA manifest store", severity=severity)]
    from ttsartifact.container.hard_binding import State

    (credential,) = held
    binding = credential.binding
    if binding.state == State.UNREAD:
        return Unverifiable(f"needs a verifier of C2PA: {binding.why}")
    if binding.state == State.HOLDS:
        return []
    return [
        Mismatch(
            where=_place(credential),
            found=binding.found,
            expected=binding.expected,
            message=f"the C2PA credential does not hold over the bare file: {binding.why}",
            severity=severity,
        )
    ]


@rule("MRK04")
def detector_agrees(evidence: Evidence) -> Answer:
    asked = [(where, entry["detector"]) for where, entry in _entries(evidence) if not is_absent(entry["detector"])]
    if not asked:
        return NotApplicable("no detector was run")
    return [mismatch for where, detector in asked for mismatch in _contradictions(f"{where}/detector", detector)]


def _contradictions(where: str, detector: dict[str, Any]) -> Iterator[Mismatch]:
    result = detector["result"]
    if result == "not_found":
        yield Mismatch(
            where=f"{where}/result",
            found=result,
            expected="present or inconclusive, of a marking that the file carries",
            message="the detector did not find the marking that is stated",
        )
    score, threshold = detector.get("score_milli"), detector.get("threshold_milli")
    if score is None or threshold is None or result == "inconclusive":
        return
    follows = "present" if score >= threshold else "not_found"
    if result != follows:
        yield Mismatch(
            where=f"{where}/result",
            found=f"{result} with a score of {score}",
            expected=f"{follows} at a threshold of {threshold}",
            message="the result does not follow from score and threshold",
        )


def _entries(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    stated = evidence.known(_MARKING)
    for place, entry in enumerate(stated if isinstance(stated, list) else ()):
        yield f"{_MARKING}/{place}", entry


def _is_credential(entry: dict[str, Any]) -> bool:
    return bool(entry["kind"] == "c2pa" and entry["stage"] == "container")


def _in_words(value: Any) -> str:
    if is_absent(value):
        return str(value["reason"])
    return "no word of it" if value is None else "none" if value == "none" else f"{len(value)} other entries"


def _place(credential: Credential) -> str:
    return f"{credential.place.within} at byte {credential.place.offset}"
