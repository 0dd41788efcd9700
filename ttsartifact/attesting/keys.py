"""Ed25519 keys as files and in the one-line form of signed notes (c2sp.org/signed-note), and the optional libraries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "NoteKey",
    "fingerprint",
    "generate_key",
    "holds_ed25519",
    "load",
    "load_private_key",
    "note_key",
    "parse_note_key",
]

_EXTRAS = {"c2pa": "c2pa", "cryptography": "sign", "rfc3161_client": "timestamp"}


def load(module: str) -> Any:
    """Return an optional module; raises Unavailable with the extra that brings it."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = _EXTRAS[package]
        raise Unavailable(
            f"{package.replace('_', '-')} is not installed", expected=f'pip install "ttsartifact[{extra}]"'
        ) from error


_ED25519 = 1
_COSIGNATURE = 4
_KEY_LIMIT_BYTES = 16 << 10


class NoteKey(NamedTuple):
    """A public key of a signed note: `name+id+key` in one line, without spaces.

    `kind` is 1 for a log's own Ed25519 signature and 4 for a witness's timestamped cosignature.
    """

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names the key: of SHA-256 over name, line feed, kind and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """Return the line that people exchange."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"


def parse_note_key(line: str) -> NoteKey:
    """Read `name+id+key`; raises Refused where it is not the key that its id names."""
    name, _, rest = line.strip().partition("+")
    stated, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 33 or raw[0] not in {_ED25519, _COSIGNATURE} or not name:
        raise Refused("not a public key of a signed note", found=line[:80], expected="name+8 hex digits+base64")
    key = NoteKey(name, raw[0], raw[1:])
    if key.id.hex() != stated:
        raise Refused("the key's id does not follow from its name and bytes", found=stated[:8], expected=key.id.hex())
    return key


def note_key(name: str, private: Any) -> NoteKey:
    """Return the public key of `private` under the name of a log."""
    return NoteKey(name, _ED25519, private.public_key().public_bytes_raw())


def generate_key(path: Path | str) -> Any:
    """Write a new Ed25519 private key as PEM, for its owner alone, and return it; raises Refused if it exists."""
    serialization = load("cryptography.hazmat.primitives.serialization")
    key = load("cryptography.hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("the key file exists; a key is never overwritten", where=os.fspath(path)) from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return key


def load_private_key(path: Path | str) -> Any:
    """Read an Ed25519 private key without a passphrase, as PEM or in OpenSSH's form; raises Refused."""
    serialization = load("cryptography.hazmat.primitives.serialization")
    ed25519 = load("cryptography.hazmat.primitives.asymmetric.ed25519")
    try:
        with open(path, "rb") as file:
            data = file.read(_KEY_LIMIT_BYTES)
    except OSError as error:
        raise Refused(f"cannot read the key: {error.strerror}", where=os.fspath(path)) from error
    opener = (
        serialization.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else serialization.load_pem_private_key
    )
    try:
        key = opener(data, password=None)
    except (ValueError, TypeError, load("cryptography.exceptions").UnsupportedAlgorithm) as error:
        raise Refused(
            "not a private key that can be used", where=os.fspath(path), expected="Ed25519 without a passphrase"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Refused(
            "the key is of the wrong kind", where=os.fspath(path), found=type(key).__name__, expected="Ed25519"
        )
    return key


def holds_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether an Ed25519 signature (RFC 8032) holds; raises Unavailable without `cryptography`."""
    ed25519 = load("cryptography.hazmat.primitives.asymmetric.ed25519")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (ValueError, load("cryptography.exceptions").InvalidSignature):
        return False
    return True


def fingerprint(public: bytes) -> str:
    """Return `SHA256:...` of an Ed25519 public key, as `ssh-keygen -l` prints it."""
    blob = b"\x00\x00\x00\x0bssh-ed25519" + len(public).to_bytes(4, "big") + public
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
