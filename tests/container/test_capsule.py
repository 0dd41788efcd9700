"""The capsule's places, and its seal."""

from __future__ import annotations

import hashlib

import pytest
import refusals

from ttsartifact.container import capsule
from ttsartifact.errors import Damaged, TooLarge

AUDIO = "sha256:" + "cd" * 32
PARTS = {"descriptor": b'{"a":1}', "trace/chunks": b"\n\nTTSA/1\nseal sha256:", "ref/0": b""}


def test_parts_come_back_in_order() -> None:
    """3.5: every part, byte for byte, in its order, whatever it holds."""
    held = capsule.from_bytes(capsule.build(PARTS, AUDIO))
    assert list(capsule.parts_of(held).items()) == list(PARTS.items())


def test_the_seal_is_the_one_of_the_specification() -> None:
    """8.5: prefix, raw digest of the bare file, capsule with its 64 digits zeroed."""
    data = capsule.build(PARTS, AUDIO)
    digits = data[capsule.SEAL_DIGITS]
    zeroed = data.replace(digits, b"0" * 64, 1)
    assert digits.decode() == hashlib.sha256(b"ttsa-seal/1\0" + bytes.fromhex("cd" * 32) + zeroed).hexdigest()
    assert capsule.seal_of(data, AUDIO) == digits.decode()


def test_every_changed_byte_is_refused_or_breaks_the_seal() -> None:
    """8.5: no byte of a capsule lies outside its seal."""
    data = capsule.build(PARTS, AUDIO)
    for position in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[position] ^= 1 << bit
            try:
                held = capsule.from_bytes(bytes(broken))
            except (Damaged, TooLarge):
                continue
            assert held.seal != "sha256:" + capsule.seal_of(bytes(broken), AUDIO)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "SEA04"),
        (b"TTSA/2\nseal sha256:" + b"0" * 64 + b"\n\n", "SEA04"),
        (b"TTSA/1\nseal sha256:" + b"G" * 64 + b"\n\n", "SEA04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\n\n", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart descriptor 1\npart descriptor 1\n\na\na\n", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart trace/chunks 1\n\na\n", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart descriptor 01\n\na\n", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart descriptor 1\n\na\nmore", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart descriptor 9\n\na\n", "CON04"),
        (b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\npart descriptor 99999999999\n\na\n", "CON15"),
    ],
)
def test_each_fault_names_its_rule(data: bytes, rule: str) -> None:
    """A capsule that cannot be parted says where and why."""
    with refusals.raises(Damaged, TooLarge) as caught:
        capsule.from_bytes(data)
    assert caught.value.rule == rule
