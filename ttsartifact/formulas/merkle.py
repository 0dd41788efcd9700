"""The Merkle tree of a run log: RFC 6962 hashes, and inclusion proofs (RFC 9162, section 2.1).

A tree is a list of 32-byte leaf hashes. Leaves and nodes are hashed under different prefixes, so that neither can
stand for the other. A proof is a list of 32-byte hashes, from the leaf's level upward.

    >>> leaves = [leaf_hash(entry) for entry in (b"claim", b"run", b"rerun")]
    >>> holds_inclusion(leaves[1], 1, 3, inclusion_proof(1, leaves), root_hash(leaves))
    True
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "HASH_BYTES",
    "holds_inclusion",
    "inclusion_proof",
    "leaf_hash",
    "root_hash",
]

HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds `entry`: SHA-256 of 0x00 and its bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the root over `leaves`; of no leaves it is the SHA-256 of nothing.

    Works level by level: a last odd node rises unchanged, which gives the same root as the recursive definition.
    """
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = [*map(_node_hash, level[::2], level[1::2]), *([level[-1]] if len(level) % 2 else [])]
    return level[0]


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that lead from the leaf at `index` to the root over `leaves`.

    Raises IndexError where there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    proof, level, place = [], list(leaves), index
    while len(level) > 1:
        sibling = place ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = [*map(_node_hash, level[::2], level[1::2]), *([level[-1]] if len(level) % 2 else [])]
        place >>= 1
    return proof


def holds_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` leads from `leaf` at `index` to the `root` of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _node_hash(step, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = _node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
