"""A proof that an entry stands in a run log, as text that travels with the artifact (c2sp.org/tlog-proof)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.attesting.notes import Checkpoint, parse_checkpoint
from ttsartifact.errors import Damaged, Refused
from ttsartifact.formulas import merkle

if TYPE_CHECKING:
    from ttsartifact.attesting.runlog import RunLog

__all__ = ["Proof", "parse_proof", "prove"]

_HEAD = "c2sp.org/tlog-proof@v1"
_LIMIT_BYTES = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The place of one entry under one checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self, entry: bytes) -> bool:
        """Return whether the entry is at the index under the checkpoint's root; the signature is checked separately."""
        return merkle.holds_inclusion(
            merkle.leaf_hash(entry), self.index, self.checkpoint.size, self.hashes, self.checkpoint.root
        )

    def __str__(self) -> str:
        """Return the text of the proof: 670 bytes in a log of a thousand entries, 990 in one of 100,000."""
        lines = [_HEAD, f"index {self.index}", *(base64.b64encode(step).decode() for step in self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint.note


def prove(log: RunLog, index: int) -> Proof:
    """Return the proof of the entry at `index` under the log's newest checkpoint; raises Refused where it is newer."""
    checkpoint = log.checkpoint()
    if not 0 <= index < checkpoint.size:
        raise Refused(
            "the entry is not under the newest checkpoint",
            where=log.folder,
            found=f"index {index}",
            expected=f"0 to {checkpoint.size - 1}; sign a checkpoint first",
        )
    leaves = log.leaves()[: checkpoint.size]
    if merkle.root_hash(leaves) != checkpoint.root:
        raise Damaged("the log was rewritten: its newest checkpoint does not follow from its entries", where=log.folder)
    return Proof(index=index, hashes=tuple(merkle.inclusion_proof(index, leaves)), checkpoint=checkpoint)


def parse_proof(text: str) -> Proof:
    """Read a proof; raises Damaged. Nothing is checked here. Lines `extra` are allowed and ignored."""
    body, _, note = text.partition("\n\n")
    lines = [line for line in body.split("\n") if not line.startswith("extra ")]
    match = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines[1]) if len(lines) > 1 else None
    if len(text.encode()) > _LIMIT_BYTES or lines[0] != _HEAD or match is None:
        raise Damaged("not a proof of a run log", found=text[:60], expected=_HEAD)
    try:
        hashes = tuple(base64.b64decode(line, validate=True) for line in lines[2:])
    except binascii.Error as error:
        raise Damaged("a hash of the proof is not base64") from error
    if len(hashes) > 63 or any(len(step) != merkle.HASH_BYTES for step in hashes):
        raise Damaged("a proof holds at most 63 hashes of 32 bytes", found=f"{len(hashes)} hashes")
    return Proof(index=int(match[1]), hashes=hashes, checkpoint=parse_checkpoint(note))
