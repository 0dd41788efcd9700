"""The Merkle tree of a run log: RFC 6962 hashes, inclusion and consistency proofs (RFC 9162, section 2.1).

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
    "consistency_proof",
    "holds_consistency",
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


def consistency_proof(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that show that the first `old_size` leaves were not rewritten in the tree over `leaves`.

    Raises IndexError where `old_size` is not one of 1 to the number of leaves.
    """
    if not 1 <= old_size <= len(leaves):
        raise IndexError(old_size)
    return _subproof(old_size, leaves, whole=True)


def holds_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a tree of `new_size` leaves only adds to one of `old_size` (RFC 9162, 2.1.4.2)."""
    if not 1 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return old_root == new_root and not proof
    steps, place, last = list(proof), old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if place and not steps:
        return False
    old = new = steps.pop(0) if place else old_root
    for step in steps:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = _node_hash(step, old), _node_hash(step, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = _node_hash(new, step)
        place, last = place >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _subproof(old_size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1; `whole` says that the old root is known to the verifier."""
    size = len(leaves)
    if old_size == size:
        return [] if whole else [root_hash(leaves)]
    left = 1 << (size - 1).bit_length() - 1
    if old_size <= left:
        return [*_subproof(old_size, leaves[:left], whole=whole), root_hash(leaves[left:])]
    return [*_subproof(old_size - left, leaves[left:], whole=False), root_hash(leaves[:left])]
