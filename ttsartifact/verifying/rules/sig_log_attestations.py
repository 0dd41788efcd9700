"""Attestations and the run log (clause 10.7, families SIG and LOG).

Whether each attestation holds, and those are there that the reader requires; what was written before what, whether
history was kept, what is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.errors import InvalidDescriptor, TtsArtifactError, Unavailable
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.attesting.checking import Attested
    from ttsartifact.verifying.evidence import Evidence

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
    ended = _instant_utc_ns(evidence, "/run/times/t_last_token_ns")
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


def _instant_utc_ns(evidence: Evidence, pointer: str) -> int | None:
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


@rule("LOG01")
def registered_before(evidence: Evidence) -> Answer:
    stated = evidence.known("/run/preregistered")
    if not stated:
        return NotApplicable("the run states no registration")
    proofs = _proofs(evidence)
    own = next((proof for proof in proofs if _names(proof, evidence.artifact_id)), None)
    faults, unknown = [], []
    for place, wanted in enumerate(stated):
        where = f"/run/preregistered/{place}"
        proof = next((proof for proof in proofs if _names(proof, wanted)), None)
        if proof is None:
            faults.append(
                Mismatch(where=where, found="no proof", message="no proof shows when the claim was registered")
            )
        elif own is not None and _index(proof) >= _index(own) and _origin(proof) == _origin(own):
            faults.append(
                Mismatch(
                    where=where,
                    found=f"index {_index(proof)}",
                    expected=f"an index below {_index(own)}, the run's own",
                    message="the claim was logged after the run",
                )
            )
        elif not proof.time_trusted:
            unknown.append(where)
        else:
            faults += _too_late(evidence, where, proof)
    if unknown and not faults:
        return Unverifiable(f"{unknown[0]}: no trusted time-stamp over its checkpoint")
    return faults


@rule("LOG02")
def history_kept(evidence: Evidence) -> Answer:
    proofs = _proofs(evidence)
    if evidence.log is None or not proofs:
        return NotApplicable("no log was given, or no proof is attached")
    try:
        return [
            Mismatch(
                where=given.part,
                found=f"a different root over the first {given.proof.checkpoint.size} entries",
                expected="the root of the proof's checkpoint",
                message="the log was rewritten after the proof was made, or it is a different log",
            )
            for given in proofs
            if given.proof is not None and not evidence.log.commits_to(given.proof.checkpoint)
        ]
    except TtsArtifactError as error:
        raise _damaged(error) from error


@rule("LOG03")
def nothing_withheld(evidence: Evidence) -> Answer:
    if evidence.log is None:
        return NotApplicable("no log was given")
    try:
        logged = evidence.log.runs()
    except TtsArtifactError as error:
        raise _damaged(error) from error
    if evidence.artifact_id not in logged.values():
        return NotApplicable("the log does not name this run")
    shown = {evidence.artifact_id}
    if evidence.siblings is not None:
        shown |= {sibling.artifact_id for sibling in evidence.siblings.runs}
    missing = {index: digest for index, digest in logged.items() if digest not in shown}
    if not missing:
        return []
    first = ", ".join(str(index) for index in list(missing)[:8])
    return [
        Mismatch(
            where="log",
            found=f"{len(missing)} of {len(logged)} logged runs and rejects were not given: index {first}",
            expected="all of them",
            message="the log has runs that were not given",
        )
    ]


def _damaged(error: TtsArtifactError) -> Unavailable:
    """Return that the asker's own log cannot be read: no file is at fault, and the report stays inconclusive."""
    return Unavailable(f"the log that was given is damaged: {error}")


def _proofs(evidence: Evidence) -> list[Attested]:
    return [given for given in evidence.attestations if given.proof is not None]


def _names(given: Attested, digest: str) -> bool:
    return given.entry is not None and given.entry.digest == digest and given.entry.kind != "rerun"


def _index(given: Attested) -> int:
    return given.proof.index if given.proof is not None else -1


def _origin(given: Attested) -> str | None:
    return given.proof.checkpoint.origin if given.proof is not None else None


def _too_late(evidence: Evidence, where: str, proof: Attested) -> list[Mismatch]:
    begun = _instant_utc_ns(evidence, "/run/times/t_submit_ns")
    if begun is None or proof.time is None or int(proof.time.timestamp()) * 1_000_000_000 <= begun:
        return []
    return [
        Mismatch(
            where=where,
            found=f"a checkpoint stamped {proof.time:%Y-%m-%dT%H:%M:%SZ}",
            expected="one stamped before t_submit",
            message="the claim was registered after the run began",
        )
    ]
