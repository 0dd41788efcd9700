"""What the attestations of a run are worth: whether each holds, who made it, and since when it says the run exists.

"Signature valid" and "signer trusted" are two facts: the first follows from the bytes, the second from a trust file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.attesting import attach, runlog, sshsig, timestamps
from ttsartifact.attesting.keys import cosigners, from_base64
from ttsartifact.attesting.runlog import Entry, EntryKind
from ttsartifact.container import schemas
from ttsartifact.container.canonical import read_json
from ttsartifact.errors import TtsArtifactError, Unavailable
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from ttsartifact.attesting.trust import Signer, Trust

_SAME_SAMPLES = frozenset({"FILE-EXACT", "PCM-EXACT"})


class AttestationKind(StrEnum):
    """The kinds of attestation of a run."""

    DSSE = "dsse"
    SSHSIG = "sshsig"
    RFC3161 = "rfc3161"
    TLOG_PROOF = "tlog_proof"


class Standing(StrEnum):
    """What is known of an attestation's own bytes."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNCHECKED = "unchecked"
    """A root or a key was not given; `problem` names it."""
    UNAVAILABLE = "unavailable"
    """A library is not installed here; `problem` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """One attestation of one run, checked as far as it could be."""

    part: str
    kind: AttestationKind | None
    """None where the part is not an attestation that can be read."""
    standing: Standing
    problem: str = ""
    signer: str | None = None
    """The key's fingerprint, the log's origin, or the authority's name."""
    trusted: str | None = None
    """The id under which the trust file lists the signer, where it does and the key counts for the time of signing."""
    time: datetime | None = None
    """Since when the thing exists, as a time-stamp says; worth something where `time_trusted`."""
    time_trusted: bool = False
    stamps: str | None = None
    """The digest of the attestation that a time-stamp covers, where it is not over the artifact id."""
    predicate_type: str | None = None
    predicate: Mapping[str, Any] | None = None
    entry: Entry | None = None
    proof: runlog.Proof | None = None
    witnesses: tuple[str, ...] = ()
    is_foreign: bool = False
    """The attestation names another artifact."""

    @property
    def rerun(self) -> str | None:
        """The verdict of a signed rerun report (PCM-EXACT); None without a report."""
        return self.predicate["words"] if self.predicate_type == attach.RERUN and self.predicate else None

    @property
    def is_reproduction(self) -> bool:
        """Return whether the report states equal samples."""
        return self.rerun is not None and self.predicate is not None and self.predicate["verdict"] in _SAME_SAMPLES

    @property
    def is_signature(self) -> bool:
        """Return whether it is a signature of the run, rather than of its time or its place in a log."""
        return self.kind in {AttestationKind.DSSE, AttestationKind.SSHSIG}

    @property
    def is_about_run(self) -> bool:
        """Return whether the time-stamp is over the run itself."""
        about = self.entry is None or self.entry.kind in {EntryKind.RUN, EntryKind.REJECT}
        return self.time is not None and about

    @property
    def is_about_run_entry(self) -> bool:
        """Return whether it proves the place of the run itself in a log."""
        return self.entry is not None and self.entry.kind in {EntryKind.RUN, EntryKind.REJECT}


def lacking(given: Iterable[Attested], trust: Trust) -> list[tuple[str, str, str]]:
    """Return what a trust file requires and is not there: message, found, expected."""
    given = tuple(given)
    counted = [one for one in given if one.standing is Standing.HOLDS and one.trusted is not None]
    posters = {signer.id for signer in trust.signers if "poster" in signer.roles}
    signed = [one for one in counted if one.is_signature and one.predicate_type != attach.RERUN]
    reruns = {one.trusted for one in second_party_reruns(given, trust) if one.is_reproduction}
    unlisted = sorted({one.signer for one in given if one.is_signature and one.trusted is None and one.signer})
    require, found = trust.require, []
    if require.signature and not any(one.trusted in posters for one in signed):
        by = f"signatures by {', '.join(unlisted)}" if unlisted else "none"
        found.append(("no listed signer signed the run", by, "a signature by a listed poster"))
    if require.timestamp and not any(one.time_trusted and one.is_about_run for one in given):
        found.append(("no listed authority time-stamped the run", "none", "a time-stamp by a listed authority"))
    if require.log and not any(one.kind is AttestationKind.TLOG_PROOF and one.is_about_run_entry for one in counted):
        found.append(("no listed log holds the run", "none", "a proof in a listed log"))
    if len(reruns) < require.reruns:
        found.append(("too few listed rerunners reproduced the audio", str(len(reruns)), str(require.reruns)))
    return found


def second_party_reruns(given: Iterable[Attested], trust: Trust) -> list[Attested]:
    """Return the rerun reports that hold and that a listed rerunner signed who did not sign the run itself."""
    counted = [one for one in given if one.standing is Standing.HOLDS and one.trusted is not None]
    rerunners = {signer.id for signer in trust.signers if "rerunner" in signer.roles}
    own = {one.trusted for one in counted if one.is_signature and one.rerun is None}
    return [one for one in counted if one.rerun is not None and one.trusted in rerunners - own]


def attested(parts: Mapping[str, bytes], artifact_id: str, trust: Trust) -> tuple[Attested, ...]:
    """Check every attestation of a run, by part name; a part that is not one is BROKEN, never an exception.

    Time-stamps come first, since a signature that one of them covers was made no later than it says.
    """
    found: dict[str, Attested] = {}
    times: dict[str, datetime] = {}
    for name in sorted(parts, key=lambda name: b'"rfc3161"' not in parts[name]):
        given = found[name] = check_attestation(name, parts[name], artifact_id, trust, parts, times)
        if given.time is not None and given.time_trusted and given.stamps is not None:
            times[given.stamps] = given.time
    return tuple(found[name] for name in parts)


def check_attestation(
    part: str,
    data: bytes,
    artifact_id: str,
    trust: Trust,
    parts: Mapping[str, bytes],
    times: Mapping[str, datetime] | None = None,
) -> Attested:
    """Check one attestation.

    `parts` are all of them, since a time-stamp may be over another one; `times` says by digest when parts were
    stamped by an authority that `trust` lists.
    """
    value = _read(data)
    if value is None:
        return Attested(
            part=part,
            kind=None,
            standing=Standing.BROKEN,
            problem="the attestation does not satisfy attestation.schema.json",
        )
    kind = AttestationKind(value["type"])
    signed_at = (times or {}).get(digest.of(data))
    try:
        if value["artifact_id"] != artifact_id:
            return Attested(
                part=part,
                kind=kind,
                standing=Standing.BROKEN,
                is_foreign=True,
                problem=f"the attestation is about a different run, {value['artifact_id']}",
            )
        return _CHECKS[kind](_Asked(part=part, value=value, trust=trust, parts=parts, signed_at=signed_at))
    except Unavailable as error:
        return Attested(part=part, kind=kind, standing=Standing.UNAVAILABLE, problem=str(error))
    except TtsArtifactError as error:
        return Attested(part=part, kind=kind, standing=Standing.BROKEN, problem=str(error))


class _Asked(NamedTuple):
    """One attestation and what it is checked against."""

    part: str
    value: dict[str, Any]
    trust: Trust
    parts: Mapping[str, bytes]
    signed_at: datetime | None


def _dsse(asked: _Asked) -> Attested:
    statement = attach.read_statement(asked.value["dsse"])
    wire = _wire(asked.value.get("key", ""))
    broken = _broken(asked, AttestationKind.DSSE, signer=sshsig.ssh_fingerprint(wire) if wire else None)
    hexadecimal = asked.value["artifact_id"].removeprefix("sha256:")
    if hexadecimal not in [subject["digest"].get("sha256") for subject in statement["subject"]]:
        return replace(broken, problem="the signed statement is about something else")
    known = [key for signer in asked.trust.signers for key in signer.keys]
    raw = {_raw(key): key for key in ([wire] if wire else []) + known if _raw(key)}
    signing = attach.signers_of(asked.value["dsse"], raw)
    if not signing and not wire:
        problem = "no key is named, and no listed key signed it"
        return replace(broken, standing=Standing.UNCHECKED, problem=problem)
    if not signing:
        return replace(broken, problem="the signature does not hold")
    key = raw[signing[0]]
    predicate = statement.get("predicate")
    if statement["predicateType"] == attach.RERUN:
        problem = attach.rerun_problem(predicate, asked.value["artifact_id"])
        if problem:
            return replace(broken, signer=sshsig.ssh_fingerprint(key), problem=problem)
    return replace(
        broken,
        standing=Standing.HOLDS,
        signer=sshsig.ssh_fingerprint(key),
        trusted=_trusted(asked, key),
        predicate_type=statement["predicateType"],
        predicate=predicate if isinstance(predicate, dict) else {},
    )


def _sshsig(asked: _Asked) -> Attested:
    signature = sshsig.parse_sshsig(asked.value["token"])
    broken = _broken(asked, AttestationKind.SSHSIG, signer=sshsig.ssh_fingerprint(signature.public))
    if signature.namespace != sshsig.NAMESPACE:
        problem = f"it was made for a different purpose: namespace {signature.namespace}, expected {sshsig.NAMESPACE}"
        return replace(broken, problem=problem)
    if not signature.holds(asked.value["artifact_id"].encode()):
        return replace(broken, problem="the signature does not hold")
    trusted = _trusted(asked, signature.public)
    return replace(broken, standing=Standing.HOLDS, trusted=trusted, predicate_type=attach.RUN)


def _rfc3161(asked: _Asked) -> Attested:
    message = asked.value["artifact_id"].encode()
    broken = _broken(asked, AttestationKind.RFC3161)
    if asked.value["over"] == "signature":
        message = next((data for data in asked.parts.values() if digest.of(data) == asked.value["ref"]), b"")
        if not message:
            return replace(broken, problem="the attestation that it stamps is not here")
    stamp = timestamps.stamp_of(from_base64(asked.value["token"]), message, asked.trust.roots)
    attested = replace(
        broken,
        signer=stamp.authority,
        trusted=stamp.authority,
        time=stamp.time,
        time_trusted=stamp.authority is not None,
        stamps=asked.value.get("ref"),
    )
    if stamp.problem:
        return replace(attested, problem=stamp.problem)
    if not asked.trust.authorities:
        problem = "no root of a time-stamping authority was given"
        return replace(attested, standing=Standing.UNCHECKED, problem=problem)
    return replace(attested, standing=Standing.HOLDS)


def _tlog_proof(asked: _Asked) -> Attested:
    entry = asked.value["entry"].encode()
    proof, named = runlog.parse_proof(asked.value["proof"]), Entry.from_bytes(entry)
    broken = replace(
        _broken(asked, AttestationKind.TLOG_PROOF, signer=proof.checkpoint.origin), entry=named, proof=proof
    )
    if named.kind in {EntryKind.RUN, EntryKind.REJECT} and named.digest != asked.value["artifact_id"]:
        return replace(broken, problem="the entry is about a different run")
    if not proof.holds(entry):
        return replace(broken, problem="the proof does not lead to the checkpoint's root")
    if "token" in asked.value:
        stamp = timestamps.stamp_of(
            from_base64(asked.value["token"]), proof.checkpoint.note.encode(), asked.trust.roots
        )
        broken = replace(broken, time=stamp.time, time_trusted=stamp.authority is not None)
        if stamp.problem:
            return replace(broken, problem=f"its time-stamp: {stamp.problem}")
    key = asked.trust.log_of(proof.checkpoint.origin)
    if key is None:
        return replace(broken, standing=Standing.UNCHECKED, problem="the key of this log was not given")
    if not proof.checkpoint.is_signed_by(key):
        return replace(broken, problem="the checkpoint is not signed by the log's key")
    witnesses = cosigners(proof.checkpoint, asked.trust.witnesses)
    return replace(broken, standing=Standing.HOLDS, trusted=key.name, witnesses=witnesses)


def _broken(asked: _Asked, kind: AttestationKind, signer: str | None = None) -> Attested:
    """Begin with the worst: what is not shown to hold does not."""
    return Attested(part=asked.part, kind=kind, standing=Standing.BROKEN, signer=signer)


_CHECKS = {
    AttestationKind.DSSE: _dsse,
    AttestationKind.SSHSIG: _sshsig,
    AttestationKind.RFC3161: _rfc3161,
    AttestationKind.TLOG_PROOF: _tlog_proof,
}


def _trusted(asked: _Asked, public: bytes) -> str | None:
    signer: Signer | None = asked.trust.signer_of(public)
    return signer.id if signer is not None and signer.counts_at(asked.signed_at) else None


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        value = read_json(data)
    except TtsArtifactError:
        return None
    return value if schemas.fault_of(schemas.validator("attestation"), value) is None else None


def _wire(line: str) -> bytes:
    words = line.split()
    return from_base64(words[1]) if len(words) > 1 else b""


def _raw(wire: bytes) -> bytes:
    """Return the 32 bytes of an Ed25519 key in SSH's wire form, or nothing for the key is of the wrong kind."""
    head = b"\0\0\0\x0bssh-ed25519\0\0\0 "
    return wire[len(head) :] if wire.startswith(head) and len(wire) == len(head) + 32 else b""
