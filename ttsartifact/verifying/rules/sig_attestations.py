"""Attestations (clause 10.7, family SIG): whether each holds, and whether those are there that the reader requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.attesting.checking import Attested
    from ttsartifact.verifying.evidence import Evidence

__all__ = ["instant_utc_ns"]

_NONE = NotApplicable("no attestation")


@rule("SIG01")
def attestation_form(evidence: Evidence) -> Answer:
    if not evidence.attestations:
        return _NONE
    return [_mismatch(given) for given in evidence.attestations if _is_foreign(given)]


@rule("SIG02")
def attestation_holds(evidence: Evidence) -> Answer:
    if not evidence.attestations:
        return _NONE
    from ttsartifact.attesting.checking import Standing

    broken = [
        _mismatch(given)
        for given in evidence.attestations
        if given.standing is Standing.BROKEN and not _is_foreign(given)
    ]
    missing = [given for given in evidence.attestations if given.standing is Standing.UNAVAILABLE]
    if missing and not broken:
        return Unverifiable(f"{missing[0].part}: {missing[0].problem}")
    return broken


@rule("SIG03")
def required_trust(evidence: Evidence) -> Answer:
    trust = evidence.trust
    if trust is None or not trust.require.anything:
        return NotApplicable("no trust file was given, or it has no requirement")
    from ttsartifact.attesting import checking

    lacking = checking.lacking(evidence.attestations, trust)
    return [
        Mismatch(where="attestations", found=found, expected=expected, message=message)
        for message, found, expected in lacking
    ]


@rule("SIG04")
def stamp_after_run(evidence: Evidence) -> Answer:
    stamped = [given for given in evidence.attestations if given.time_trusted and given.is_about_run]
    if not stamped:
        return NotApplicable("no trusted time-stamp over the run")
    ended = instant_utc_ns(evidence, "/run/times/t_last_token_ns")
    if ended is None:
        return NotApplicable("the run states no UTC time of its end")
    return [
        Mismatch(
            where=given.part,
            found=f"{given.time:%Y-%m-%dT%H:%M:%SZ}",
            expected="a time after the run's last token",
            message="the time-stamp is earlier than the run's end",
        )
        for given in stamped
        # An authority states whole seconds, or its own fraction: the run may end within the second that it states.
        if given.time is not None and (int(given.time.timestamp()) + 1) * 1_000_000_000 <= ended
    ]


@rule("SIG05")
def reproduced_by_others(evidence: Evidence) -> Answer:
    if evidence.trust is None:
        return NotApplicable("no trust file was given")
    from ttsartifact.attesting.checking import second_party_reruns

    reruns = second_party_reruns(evidence.attestations, evidence.trust)
    if not reruns:
        return NotApplicable("no listed rerunner signed a report of a rerun, or only who signed the run itself")
    return [
        Mismatch(
            where=given.part,
            found=given.rerun,
            expected="FILE-EXACT or PCM-EXACT",
            message=f"{given.trusted} made the run again and got other samples",
        )
        for given in reruns
        if not given.is_reproduction
    ]


def instant_utc_ns(evidence: Evidence, pointer: str) -> int | None:
    """Return an instant of the run in UTC nanoseconds since 1970, or None where the run does not state it."""
    origin, instant = evidence.known("/timebase/origin/utc"), evidence.known(pointer)
    if not isinstance(origin, str) or not isinstance(instant, int):
        return None
    try:
        return from_utc(origin) + instant
    except InvalidDescriptor:
        return None


def _is_foreign(given: Attested) -> bool:
    return given.kind is None or given.is_foreign


def _mismatch(given: Attested) -> Mismatch:
    return Mismatch(where=given.part, found=given.signer or given.kind, message=given.problem)
