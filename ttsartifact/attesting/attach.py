"""Statements over an artifact (in-toto v1 in DSSE v1), and how attestations become parts of it (clause 10.7).

The subject is the artifact's id, which binds everything else. What is signed is DSSE's pre-authentication encoding, so
no JSON is canonicalised in order to check a signature.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting import sshsig
from ttsartifact.attesting.keys import fingerprint, from_base64, holds_ed25519, load_private_key
from ttsartifact.container import schemas
from ttsartifact.container.canonical import canonical_bytes, read_json
from ttsartifact.errors import Damaged, TtsArtifactError
from ttsartifact.packing.carriers import rewrite
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ttsartifact.attesting.runlog import Entry, Proof

PAYLOAD_TYPE = "application/vnd.in-toto+json"
RUN = "urn:ttsartifact:1.0:run"
"""Predicate of a statement that vouches for a run."""
RERUN = "urn:ttsartifact:1.0:rerun"
"""Predicate of a statement about a rerun: the document of `ttsa rerun --format json`."""
_STATEMENT = "https://in-toto.io/Statement/v1"


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE signature signs: version, type and payload, each with its length."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type.encode()), payload_type.encode(), len(payload), payload)


def sign_statement(
    artifact_id: str, private: Any, *, predicate_type: str = RUN, predicate: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a DSSE envelope in which `private`, an Ed25519 key, signs a statement about `artifact_id`."""
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": "artifact_id", "digest": {"sha256": artifact_id.removeprefix("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": dict(predicate or {}),
    }
    return enveloped(canonical_bytes(statement), private)


def enveloped(payload: bytes, private: Any) -> dict[str, Any]:
    """Return a DSSE envelope in which `private`, an Ed25519 key, signs the bytes of an in-toto statement."""
    signature = private.sign(pre_authentication(PAYLOAD_TYPE, payload))
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": fingerprint(private.public_key().public_bytes_raw()),
                "sig": base64.b64encode(signature).decode(),
            }
        ],
    }


def read_statement(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement within an envelope; raises Damaged. No signature is checked here."""
    payload = _payload(envelope)
    try:
        statement = read_json(payload)
    except TtsArtifactError as error:
        raise Damaged("the envelope's payload is not JSON") from error
    subjects = statement.get("subject") if isinstance(statement, dict) else None
    if (
        envelope.get("payloadType") != PAYLOAD_TYPE
        or not isinstance(subjects, list)
        or statement.get("_type") != _STATEMENT
        or not isinstance(statement.get("predicateType"), str)
        or not all(isinstance(subject, dict) and isinstance(subject.get("digest"), dict) for subject in subjects)
    ):
        raise Damaged("the envelope's payload is not an in-toto statement of version 1")
    return dict(statement)


def rerun_problem(predicate: object, artifact_id: str) -> str:
    """Return what keeps a predicate from being the report of a rerun of `artifact_id` (clause 10.7); empty if nothing.

    >>> rerun_problem({}, "sha256:" + "0" * 64)
    'the rerun report does not satisfy rerun.schema.json'
    """
    if not schemas.validator("rerun").is_valid(predicate):
        return "the rerun report does not satisfy rerun.schema.json"
    about = predicate["artifact_id"] if isinstance(predicate, dict) else None
    return "" if about == artifact_id else f"the rerun report is about a different run, {about}"


def signers_of(envelope: Mapping[str, Any], keys: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return those of the Ed25519 public `keys` by which a signature of the envelope holds."""
    message = pre_authentication(str(envelope.get("payloadType")), _payload(envelope))
    found = []
    for entry in envelope.get("signatures") or []:
        signature = from_base64(entry.get("sig") if isinstance(entry, dict) else None)
        found += [key for key in keys if signature and holds_ed25519(key, signature, message)]
    return tuple(dict.fromkeys(found))


def _payload(envelope: Mapping[str, Any]) -> bytes:
    payload = from_base64(envelope.get("payload"))
    if not payload:
        raise Damaged("the envelope has no base64 payload")
    return payload


def sign_dsse(
    artifact_id: str,
    key: Path | str,
    *,
    predicate_type: str = RUN,
    predicate: Mapping[str, Any] | None = None,
) -> bytes:
    """Return an attestation in which an Ed25519 key file signs an in-toto statement about the artifact."""
    private = load_private_key(key)
    envelope = sign_statement(artifact_id, private, predicate_type=predicate_type, predicate=predicate)
    raw = private.public_key().public_bytes_raw()
    wire = b"\0\0\0\x0bssh-ed25519\0\0\0 " + raw
    return _part("dsse", artifact_id, dsse=envelope, key=f"ssh-ed25519 {base64.b64encode(wire).decode()}")


def sign_ssh(artifact_id: str, key: Path | str) -> bytes:
    """Return an attestation in which `ssh-keygen -Y sign` signs the artifact id with a key that the user has."""
    return _part("sshsig", artifact_id, token=sshsig.sign_with_ssh(key, artifact_id.encode()))


def timestamp_part(artifact_id: str, reply: bytes, *, signature: bytes | None = None) -> bytes:
    """Return an attestation of a time-stamp reply over the artifact id, or over another attestation's bytes."""
    over = {"over": "signature", "ref": digest.of(signature)} if signature is not None else {}
    return _part("rfc3161", artifact_id, token=base64.b64encode(reply).decode(), **over)


def proof_part(artifact_id: str, entry: Entry, proof: Proof, reply: bytes | None = None) -> bytes:
    """Return an attestation of an entry's place in a run log, with the time-stamp reply over its checkpoint."""
    stamped = {"token": base64.b64encode(reply).decode()} if reply is not None else {}
    return _part("tlog_proof", artifact_id, entry=entry.to_bytes().decode(), proof=str(proof), **stamped)


def attach(
    path: Path | str, attestations: Mapping[str, list[bytes]], out: Path | str, *, replace: bool = False
) -> list[str]:
    """Write `path` with more attestations, by artifact id, as `out`; return the names of the parts that were added.

    An attestation that is there already, byte for byte, is not added again.
    """
    added: list[str] = []

    def change(artifact_id: str, parts: dict[str, bytes]) -> dict[str, bytes]:
        held = [int(name.removeprefix("attestation/")) for name in parts if name.startswith("attestation/")]
        number = max(held, default=-1) + 1
        new = dict(parts)
        for part in attestations.get(artifact_id, []):
            if part not in parts.values():
                new[f"attestation/{number}"] = part
                added.append(f"attestation/{number}")
                number += 1
        return new

    rewrite(path, out, change, replace=replace)
    return added


def _part(kind: str, artifact_id: str, **fields: Any) -> bytes:
    return canonical_bytes({"v": 1, "type": kind, "over": "artifact_id", "artifact_id": artifact_id, **fields})
