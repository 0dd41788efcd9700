"""RFC 6962 and RFC 9162: roots and inclusion."""

from __future__ import annotations

import hashlib

import pytest

from ttsartifact.attesting import runlog as merkle

# The eight leaves and roots of the certificate-transparency project's own test vectors (public facts).
VECTOR_LEAVES = [
    bytes.fromhex(word)
    for word in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = [merkle.leaf_hash(b"entry %d" % place) for place in range(256)]
ROOTS = [merkle.root_hash(LEAVES[:size]) for size in range(257)]


@pytest.mark.parametrize("size", sorted(VECTOR_ROOTS))
def test_roots_are_those_of_the_public_vectors(size: int) -> None:
    """The tree hash equals the published one."""
    leaves = [merkle.leaf_hash(entry) for entry in VECTOR_LEAVES[:size]]
    assert merkle.root_hash(leaves).hex() == VECTOR_ROOTS[size]


def test_every_leaf_of_every_size_to_256_is_proved() -> None:
    """An inclusion proof holds for its leaf, its index and its size, and is at most 8 hashes long."""
    for size in range(1, 257):
        for index in range(0, size, 1 if size <= 64 else 7):
            proof = merkle.inclusion_proof(index, LEAVES[:size])
            assert len(proof) <= 8
            assert merkle.holds_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


@pytest.mark.exhaustive
def test_every_leaf_of_every_size_to_256_is_proved_without_exception() -> None:
    """The same for each of the 32,896 pairs of index and size."""
    for size in range(1, 257):
        for index in range(size):
            proof = merkle.inclusion_proof(index, LEAVES[:size])
            assert merkle.holds_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def test_another_leaf_index_size_root_or_proof_does_not_hold() -> None:
    """Each single change of an inclusion proof is seen, at every size to 40."""
    for size in range(2, 41):
        for index in range(size):
            proof = merkle.inclusion_proof(index, LEAVES[:size])
            leaf, root = LEAVES[index], ROOTS[size]
            assert not merkle.holds_inclusion(merkle.leaf_hash(b"forged"), index, size, proof, root)
            assert not merkle.holds_inclusion(leaf, index, size, proof, ROOTS[size - 1])
            assert not merkle.holds_inclusion(leaf, index, size, proof[:-1], root)
            assert not merkle.holds_inclusion(leaf, index, size, [*proof, root], root)
            assert not merkle.holds_inclusion(leaf, (index + 1) % size, size, proof, root)
            assert not merkle.holds_inclusion(leaf, -1, size, proof, root)
            assert not merkle.holds_inclusion(leaf, size, size, proof, root)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_of_a_leaf_that_is_not_there(index: int) -> None:
    """An index outside the tree is refused."""
    with pytest.raises(IndexError):
        merkle.inclusion_proof(index, LEAVES[:3])


def test_a_node_is_no_leaf() -> None:
    """Leaves and nodes are hashed under different prefixes."""
    node = hashlib.sha256(b"\x01" + LEAVES[0] + LEAVES[1]).digest()
    assert merkle.root_hash(LEAVES[:2]) == node != merkle.leaf_hash(LEAVES[0] + LEAVES[1])


def test_a_proof_has_no_step_too_many() -> None:
    """RFC 9162, 2.1.3.2: a step beyond the root proves nothing, whatever root it leads to."""
    leaf, step = merkle.leaf_hash(b"run"), b"s" * 32
    for beyond in (b"\x01" + step + leaf, b"\x01" + leaf + step):
        assert not merkle.holds_inclusion(leaf, 0, 1, [step], hashlib.sha256(beyond).digest())
    assert merkle.holds_inclusion(leaf, 0, 1, [], leaf)
