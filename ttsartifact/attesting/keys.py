"""Ed25519 keys, as files and in one line; the notes and checkpoints that they sign; and the optional libraries.

Of c2sp.org/signed-note, /tlog-checkpoint and /tlog-cosignature: a note is text, an empty line, and signature lines. A
checkpoint is a note whose text is the log's origin, the number of its entries, and the base64 of its root. A witness
adds a line of its own; nothing else changes.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Damaged, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ED25519 = 1
_COSIGNATURE = 4
_KEY_LIMIT_BYTES = 16 << 10
_EXTRAS = {"c2pa": "c2pa", "cryptography": "sign", "rfc3161_client": "timestamp"}
_SIGNATURE = re.compile(r"\u2014 ([^ +\n]{1,200}) ([A-Za-z0-9+/]{4,400}={0,2})")
_NOTE_LIMIT_BYTES = 16 << 10


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


def from_base64(text: Any) -> bytes:
    """Return the bytes that base64 spells; none of them where `text` is anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):  # ValueError alone of a letter that is not ASCII
        return b""


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
    raw = from_base64(encoded)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log commits to: so many entries, its `size`, under one root."""

    origin: str
    size: int
    root: bytes
    note: str
    """The whole signed note, as it was read."""
    signatures: tuple[tuple[str, bytes], ...] = ()
    """The name and the bytes of each signature line."""

    @property
    def text(self) -> str:
        """What is signed: everything up to and with the line feed before the empty line."""
        return self.note.partition("\n\n")[0] + "\n"

    def is_signed_by(self, key: NoteKey) -> bool:
        """Return whether one of the signature lines is a signature by `key` that holds."""
        return any(
            name == key.name and raw[:4] == key.id and _holds(key, raw[4:], self.text) for name, raw in self.signatures
        )


def sign_checkpoint(origin: str, size: int, root: bytes, private: Any) -> Checkpoint:
    """Return the checkpoint of a log, signed by the log's own key."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    key = note_key(origin, private)
    line = base64.b64encode(key.id + private.sign(text.encode())).decode()
    return parse_checkpoint(f"{text}\n\u2014 {origin} {line}\n")


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a signed note as a checkpoint; raises Damaged. No signature is checked here."""
    text, gap, tail = note.partition("\n\n")
    lines = text.split("\n")
    if len(note.encode()) > _NOTE_LIMIT_BYTES or not gap or len(lines) < 3 or not tail.endswith("\n"):
        raise Damaged("not a signed checkpoint", found=note[:60], expected="origin, size, root, signatures")
    root = from_base64(lines[2])
    if not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]) or len(root) != 32:
        raise Damaged("not a checkpoint's three lines", found=lines[:3], expected="origin, size, base64 of 32 bytes")
    signatures = []
    for line in tail[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        raw = b"" if match is None else from_base64(match[2])
        if match is None or not raw:
            raise Damaged("not a signature line", found=line[:80], expected="\u2014 name base64")
        signatures.append((match[1], raw))
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root, note=note, signatures=tuple(signatures))


def cosigners(checkpoint: Checkpoint, witnesses: Iterable[NoteKey]) -> tuple[str, ...]:
    """Return the names of the witnesses whose cosignature holds."""
    return tuple(key.name for key in witnesses if checkpoint.is_signed_by(key))


def _holds(key: NoteKey, signature: bytes, text: str) -> bool:
    if key.kind != _COSIGNATURE:
        return holds_ed25519(key.public, signature, text.encode())
    # A cosignature carries its own time, eight bytes before the signature, and signs it with the text.
    seconds = int.from_bytes(signature[:8], "big")
    return holds_ed25519(key.public, signature[8:], f"cosignature/v1\ntime {seconds}\n{text}".encode())
