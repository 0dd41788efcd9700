"""A range of a bare file, verified by its leaves without a read of the rest (clause 8.10)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ttsartifact.container import hashing
from ttsartifact.container.limits import LEAF_BYTES
from ttsartifact.container.source import JoinedSource
from ttsartifact.errors import Damaged, Refused

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact

__all__ = ["read_range"]


def read_range(artifact: Artifact, offset: int, size: int) -> bytes:
    """Return bytes of the bare file, every one of them verified against `/audio/leaves`.

    Only the leaves that the range touches are read and hashed. That these are the leaves of the recorded file follows
    from `artifact_id`, which the caller compares with the run that is meant; a full verification checks HSH20.

    Args:
        artifact: The opened artifact.
        offset: First byte, counted from 0.
        size: How many bytes.

    Raises:
        Refused: The run states no leaves, or the range is not inside the file.
        Damaged: The part is not the one that the descriptor binds, or a leaf has other bytes.

    Example:
        `read_range(open("run.tts.wav"), 0, 4096)`
    """
    audio = JoinedSource(artifact.audio)
    if offset < 0 or size < 0 or offset + size > audio.size:
        raise Refused(
            "the range is not inside the bare file",
            where="/audio/size",
            found=f"bytes {offset} to {offset + size}",
            expected=f"within 0 to {audio.size}",
        )
    stated = _stated(artifact)
    if len(stated) != -(-audio.size // LEAF_BYTES):
        raise Damaged(
            "the bare file's length does not match its leaves",
            where="/audio/leaves",
            found=f"{audio.size} bytes",
            expected=f"{len(stated)} leaves of {LEAF_BYTES} bytes, the last one shorter",
            rule="HSH04",
        )
    held = bytearray()
    first, end = offset // LEAF_BYTES, -(-(offset + size) // LEAF_BYTES)
    for leaf in range(first, end):
        start = leaf * LEAF_BYTES
        data = audio.read_at(start, min(LEAF_BYTES, audio.size - start))
        found = hashlib.sha256(data).hexdigest()
        if found != stated[leaf]:
            words = hashing.span_words(leaf, leaf + 1, audio.size)
            raise Damaged(
                f"{words} differ", where=f"/audio/leaves leaf {leaf}", found=found, expected=stated[leaf], rule="HSH02"
            )
        held += data
    return bytes(held[offset - first * LEAF_BYTES :][:size])


def _stated(artifact: Artifact) -> tuple[str, ...]:
    root = artifact.descriptor.known("/audio/leaves/root")
    if root is None or hashing.LEAVES_PART not in artifact.parts.names():
        raise Refused("the run states no leaves", where="/audio/leaves", expected="part leaves and its root")
    held = hashing.hex_digests(artifact.parts.part(hashing.LEAVES_PART), root)
    if held is None:
        raise Damaged("the leaves are not those that the descriptor binds", where="part leaves", rule="HSH20")
    return held
