"""Ranges of a bare file, verified by leaves (clause 8.10)."""

from __future__ import annotations

from dataclasses import replace

import kit
import pytest
import refusals

from ttsartifact import open as open_artifact
from ttsartifact import read_range
from ttsartifact.container import hashing
from ttsartifact.errors import Damaged, Refused

MIB = 1 << 20
AUDIO = kit.wav(bytes(range(256)) * (10 * MIB // 1024))


@pytest.fixture(params=["run.tts.wav", "run.tts.parquet"])
def path(request, tmp_path):
    run = replace(kit.draft(traces=()), leaves=True)
    return kit.artifact(tmp_path, name=request.param, audio=AUDIO, run=run)


def test_a_range_is_the_bytes_of_the_bare_file(path):
    """8.10: within a leaf, over an edge, the last one, all of them, and none."""
    artifact = open_artifact(path)
    size = len(AUDIO)
    for start, end in ((0, 1), (44, 100), (MIB - 3, MIB + 3), (MIB, 2 * MIB), (size - 5, size), (0, size), (7, 7)):
        assert read_range(artifact, start, end - start) == AUDIO[start:end]


def test_only_the_leaves_of_the_range_are_read(tmp_path):
    """8.10: damage elsewhere is another range's; in the range it is an error that says where."""
    path = kit.artifact(tmp_path, audio=AUDIO, run=replace(kit.draft(traces=()), leaves=True))
    data = bytearray(path.read_bytes())
    data[MIB + 9] ^= 1
    path.write_bytes(data)
    artifact = open_artifact(path)
    assert read_range(artifact, 0, MIB) == AUDIO[:MIB]
    with refusals.raises(Damaged, match=r"^bytes 1 to 2 MiB differ: found ") as told:
        read_range(artifact, MIB - 1, 2)
    assert (told.value.where, told.value.rule) == ("/audio/leaves leaf 1", "HSH02")


@pytest.mark.parametrize(("offset", "end"), [(-1, 1), (0, len(AUDIO) + 1), (5, 4), (len(AUDIO), len(AUDIO) + 1)])
def test_a_range_outside_the_file_is_refused(path, offset, end):
    """8.10: with both ends of the range and those of the file."""
    with refusals.raises(Refused) as told:
        read_range(open_artifact(path), offset, end - offset)
    assert str(told.value) == (
        f"the range is not inside the bare file: found bytes {offset} to {end}, expected within 0 to {len(AUDIO)} "
        "(at /audio/size)"
    )


def test_leaves_that_do_not_hold_are_told(tmp_path):
    """8.10: a run without leaves, leaves that the descriptor does not bind, and audio of another length."""
    with refusals.raises(Refused) as refused:
        read_range(open_artifact(kit.artifact(tmp_path)), 0, 1)
    assert str(refused.value) == "the run states no leaves: expected part leaves and its root (at /audio/leaves)"
    leaves = replace(kit.draft(traces=()), leaves=True)
    unbound = kit.artifact(tmp_path, run=leaves, parts=lambda held: held | {"leaves": bytes(32)})
    with refusals.raises(Damaged) as damaged:
        read_range(open_artifact(unbound), 0, 1)
    assert str(damaged.value) == "the leaves are not those that the descriptor binds (at part leaves)"
    assert damaged.value.rule == "HSH20"
    longer = kit.rewritten(
        kit.artifact(tmp_path, audio=AUDIO, run=leaves),
        tmp_path / "longer.tts.wav",
        lambda bare: kit.wav(bare[44:] + bytes(MIB)),
    )
    with refusals.raises(Damaged) as damaged:
        read_range(open_artifact(longer), 0, 1)
    found, stated = len(AUDIO) + MIB, -(-len(AUDIO) // MIB)
    assert str(damaged.value) == (
        f"the bare file's length does not match its leaves: found {found} bytes, expected {stated} leaves of {MIB} "
        "bytes, the last one shorter (at /audio/leaves)"
    )
    assert damaged.value.rule == "HSH04"


def test_runs_of_leaves_in_words():
    """8.10: damage side by side is one run, up to the end where it lasts."""
    assert hashing.differing("abcdefg", "aXXdeXX") == [(1, 3), (5, 7)]
    assert hashing.span_words(1, 3, 7 * MIB) == "bytes 1 to 3 MiB"
    assert hashing.span_words(5, 7, 6 * MIB + 1) == "bytes 5 MiB to the end"
