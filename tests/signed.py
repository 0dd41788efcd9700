"""Signed runs for tests and fixtures, made with one key of known seed so that the same bytes come out every time."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import kit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ttsartifact.attesting import attach
from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "KEY",
    "PUBLIC",
    "WIRE",
    "attached",
    "beside_an_unknown_one",
    "envelope",
    "flipped",
    "rerun_envelope",
    "rerun_report",
    "run",
]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
WIRE = b"\0\0\0\x0bssh-ed25519\0\0\0 " + PUBLIC


def envelope(artifact_id: str, **changes: Any) -> bytes:
    """Return a DSSE attestation of `artifact_id` by the known key, with some of its fields changed."""
    value = {
        "v": 1,
        "type": "dsse",
        "over": "artifact_id",
        "artifact_id": artifact_id,
        "dsse": attach.sign_statement(artifact_id, KEY),
        "key": "ssh-ed25519 " + base64.b64encode(WIRE).decode(),
    }
    return canonical_bytes(value | changes)


def rerun_report(artifact_id: str, verdict: str = "PCM-EXACT") -> dict[str, Any]:
    """Return the document of a rerun that was made with the asker's own command."""
    return {
        "schema": "urn:ttsartifact:1.0:rerun",
        "spec_version": "1.0",
        "tool": {"name": "ttsartifact", "version": "1.0.0"},
        "artifact_id": artifact_id,
        "again_id": digest.of(b"the run made again"),
        "verdict": verdict,
        "words": verdict,
        "exit_code": int(verdict == "DIFFERENT"),
        "expected": None,
        "promised": None,
        "explanation": "the run promises nothing",
        "stage": None,
        "stages_equal": 0,
        "encoded_equal": False,
        "audio": None,
        "causes": [],
        "others": [],
        "plan": None,
        "readapted": None,
        "kept": None,
    }


def rerun_envelope(
    artifact_id: str, private: Ed25519PrivateKey, *, verdict: str = "PCM-EXACT", about: str | None = None
) -> bytes:
    """Return a DSSE attestation in which `private` signs that the run, or the one of `about`, was made again."""
    report = rerun_report(about or artifact_id, verdict)
    signed = attach.sign_statement(artifact_id, private, predicate_type=attach.RERUN, predicate=report)
    wire = WIRE[: -len(PUBLIC)] + private.public_key().public_bytes_raw()
    return envelope(artifact_id, dsse=signed, key="ssh-ed25519 " + base64.b64encode(wire).decode())


def run(
    folder: Path,
    make: Callable[[str], bytes | list[bytes]] = envelope,
    *,
    name: str = "run.tts.wav",
    patch: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a run whose attestations are what `make` returns for its artifact id."""

    def parts(held: dict[str, bytes]) -> dict[str, bytes]:
        made = make(digest.of(held["descriptor"]))
        given = made if isinstance(made, list) else [made]
        return held | {f"attestation/{place}": data for place, data in enumerate(given)}

    return kit.artifact(folder, name=name, patch=patch, parts=parts)


def flipped(part: bytes) -> bytes:
    """Return a DSSE attestation with one bit of its signature changed."""
    value = json.loads(part)
    signature = bytearray(base64.b64decode(value["dsse"]["signatures"][0]["sig"]))
    signature[0] ^= 1
    value["dsse"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return canonical_bytes(value)


def beside_an_unknown_one(artifact_id: str) -> bytes:
    """Return a DSSE attestation with the known key's signature behind one by a key that nobody names."""
    value = json.loads(envelope(artifact_id))
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))).sign(b"something else")
    value["dsse"]["signatures"].insert(0, {"keyid": "unknown", "sig": base64.b64encode(other).decode()})
    return canonical_bytes(value)


def attached(path: Path, part: bytes, out: Path) -> Path:
    """Attach one more attestation to the only run of `path`."""
    from ttsartifact.reading.artifact import open_artifact

    attach.attach(path, {open_artifact(path).artifact_id: [part]}, out)
    return out
