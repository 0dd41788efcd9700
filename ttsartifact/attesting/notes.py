"""Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature).

A note is text, an empty line, and signature lines. A checkpoint is a note whose text is the log's origin, the number
of its entries, and the base64 of its root. A witness adds a line of its own; nothing else changes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.attesting.keys import NoteKey, holds_ed25519, note_key
from ttsartifact.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Checkpoint", "cosigners", "parse_checkpoint", "sign_checkpoint"]

_SIGNATURE = re.compile(r"\u2014 ([^ +\n]{1,200}) ([A-Za-z0-9+/]{4,400}={0,2})")
_COSIGNATURE = 4
NOTE_LIMIT_BYTES = 16 << 10


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
    if len(note.encode()) > NOTE_LIMIT_BYTES or not gap or len(lines) < 3 or not tail.endswith("\n"):
        raise Damaged("not a signed checkpoint", found=note[:60], expected="origin, size, root, signatures")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        root = b""
    if not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]) or len(root) != 32:
        raise Damaged("not a checkpoint's three lines", found=lines[:3], expected="origin, size, base64 of 32 bytes")
    signatures = []
    for line in tail[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise Damaged("not a signature line", found=line[:80], expected="\u2014 name base64")
        try:
            signatures.append((match[1], base64.b64decode(match[2], validate=True)))
        except binascii.Error as error:
            raise Damaged("not the base64 of a signature", found=line[:80]) from error
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
