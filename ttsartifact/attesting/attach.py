"""Attestations become parts of an artifact: the file is sealed again, its identity and everything else stay (10.7)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting import sshsig, statements
from ttsartifact.attesting.keys import load_private_key
from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.packing.carriers import rewrite
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ttsartifact.attesting.runlog import Entry, Proof

__all__ = ["attach", "proof_part", "sign_dsse", "sign_ssh", "timestamp_part"]


def sign_dsse(
    artifact_id: str,
    key: Path | str,
    *,
    predicate_type: str = statements.RUN,
    predicate: Mapping[str, Any] | None = None,
) -> bytes:
    """Return an attestation in which an Ed25519 key file signs an in-toto statement about the artifact."""
    private = load_private_key(key)
    envelope = statements.sign_statement(artifact_id, private, predicate_type=predicate_type, predicate=predicate)
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
