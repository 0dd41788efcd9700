"""in-toto statements over an artifact (in-toto attestation v1) and the envelope that carries them (DSSE v1).

The subject is the artifact's id, which binds everything else. What is signed is DSSE's pre-authentication encoding, so
no JSON is canonicalised in order to check a signature.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting.keys import fingerprint, holds_ed25519
from ttsartifact.container import schemas
from ttsartifact.container.canonical import canonical_bytes, read_json
from ttsartifact.errors import Damaged, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "PAYLOAD_TYPE",
    "RERUN",
    "RUN",
    "enveloped",
    "pre_authentication",
    "read_statement",
    "rerun_problem",
    "sign_statement",
    "signers_of",
]

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
        signature = _decoded(entry.get("sig") if isinstance(entry, dict) else None)
        found += [key for key in keys if signature and holds_ed25519(key, signature, message)]
    return tuple(dict.fromkeys(found))


def _payload(envelope: Mapping[str, Any]) -> bytes:
    payload = _decoded(envelope.get("payload"))
    if payload is None:
        raise Damaged("the envelope has no base64 payload")
    return payload


def _decoded(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
