"""Family CON: a broken carrier is one finding with its place, and every other rule is blocked by it."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

import kit
import pytest
import signed

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def edited(edit: Callable[[bytearray], bytes | bytearray], **options) -> Callable[[Path], Path]:
    """Return a `make` that edits the bytes of a whole artifact."""

    def make(folder: Path) -> Path:
        path = kit.artifact(folder, **options)
        path.write_bytes(bytes(edit(bytearray(path.read_bytes()))))
        return path

    return make


def sized(data: bytes | bytearray) -> bytes:
    """Return a RIFF whose declared size is its length."""
    return bytes(data[:4]) + struct.pack("<I", len(data) - 8) + bytes(data[8:])


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)


def pointer_of(data: bytes | bytearray) -> tuple[int, int]:
    """Return where the pointer begins and ends."""
    walked = riff.walk(BytesSource(bytes(data)))
    assert walked.pointer is not None
    return walked.pointer.offset, walked.pointer.end


def without_pointer(data: bytearray) -> bytes:
    start, end = pointer_of(data)
    return sized(data[:start] + data[end:])


def reframed(data: bytearray) -> bytes:
    start, _ = pointer_of(data)
    return bytes(data[: start + 8]) + b"INFX" + bytes(data[start + 12 :])


def twice(data: bytearray) -> bytes:
    capsule = riff.walk(BytesSource(bytes(data))).capsule
    assert capsule is not None
    return sized(data + data[capsule.offset :])


def rf64(bare: bytes, *, frames: int | None = None, table: int = 0) -> bytes:
    """Return a bare WAV as RF64, as a writer makes it above 4 GiB."""
    pcm = bare[44:]
    sizes = struct.pack("<QQQI", 0, len(pcm), len(pcm) // 2 if frames is None else frames, table)
    body = b"WAVE" + chunk(b"ds64", sizes) + bare[12:36] + struct.pack("<4sI", b"data", 0xFFFFFFFF) + pcm
    return b"RF64" + struct.pack("<I", 0xFFFFFFFF) + body[:12] + struct.pack("<Q", len(body)) + body[20:]


ODD = kit.wav()[:12] + chunk(b"note", b"odd") + kit.wav()[12:]
PADDED = sized(ODD)
MANY = sized(kit.wav() + chunk(b"note", b"") * 253)
STRANGER = {"other/thing": b"hidden"}


def two_sizes(data: bytes) -> bytes:
    """Return an RF64 whose data chunk has a smaller size than ds64."""
    place = data.index(b"data") + 4
    return data[:place] + struct.pack("<I", 400) + data[place + 4 :]


CASES = [
    kit.Case(rule="CON01", slug="flac", make=edited(lambda b: b"fLaC" + b[4:]), exit_code=4),
    kit.Case(rule="CON01", slug="rifx", make=edited(lambda b: b"RIFX" + b[4:]), exit_code=4),
    kit.Case(rule="CON08", slug="bw64-without-ds64", make=edited(lambda b: b"BW64" + b[4:]), exit_code=4),
    kit.Case(rule="CON01", slug="empty", make=edited(lambda _: b""), exit_code=4),
    kit.Case(rule="CON02", slug="cut", make=edited(lambda b: b[:-1]), exit_code=4),
    kit.Case(rule="CON02", slug="chunk-past-end", make=edited(lambda b: b[:16] + b"\xf0\0\0\1" + b[20:]), exit_code=4),
    kit.Case(rule="CON02", slug="byte-rate", make=edited(lambda b: b[:28] + b"\1\0\0\0" + b[32:]), exit_code=4),
    kit.Case(
        rule="CON03",
        slug="pad-byte",
        make=edited(lambda b: b[:23] + b"\1" + b[24:], audio=PADDED),
        exit_code=4,
    ),
    kit.Case(
        rule="CON04",
        slug="no-capsule",
        make=edited(lambda b: sized(b[: pointer_of(b)[0]])),
        exit_code=4,
    ),
    kit.Case(rule="CON04", slug="two-capsules", make=edited(twice), exit_code=4),
    kit.Case(rule="CON04", slug="stranger", make=partial(kit.artifact, parts=lambda held: held | STRANGER)),
    kit.Case(
        rule="CON04",
        slug="order",
        make=partial(
            kit.artifact,
            parts=lambda held: (
                {
                    "descriptor": held["descriptor"],
                    "attestation/0": signed.envelope(digest.of(held["descriptor"])),
                }
                | held
            ),
        ),
    ),
    kit.Case(rule="CON05", slug="data", make=edited(lambda b: b[:40] + b"\xff" * 4 + b[44:]), exit_code=4),
    kit.Case(rule="CON05", slug="riff", make=edited(lambda b: b[:4] + b"\xff" * 4 + b[8:]), exit_code=4),
    kit.Case(rule="CON05", slug="zero", make=edited(lambda b: b[:4] + b"\0" * 4 + b[8:]), exit_code=4),
    kit.Case(rule="CON06", slug="tail", make=edited(lambda b: b + b"\0"), exit_code=4),
    kit.Case(rule="CON07", slug="no-pointer", make=edited(without_pointer)),
    kit.Case(rule="CON07", slug="framing", make=edited(reframed)),
    # What stands behind the capsule is part of the bare file too: its digests and the seal speak with it.
    kit.Case(
        rule="CON07",
        slug="chunk-behind",
        make=edited(lambda b: sized(b + chunk(b"id3 ", b"tags"))),
        also=frozenset({"HSH02", "HSH04", "SEA02"}),
    ),
    kit.Case(
        rule="CON08", slug="samples", make=edited(lambda b: b[:36] + b"\1" + b[37:], audio=rf64(kit.wav())), exit_code=4
    ),
    kit.Case(
        rule="CON08", slug="marker", make=edited(lambda b: b[:4] + b"\1" + b[5:], audio=rf64(kit.wav())), exit_code=4
    ),
    kit.Case(
        rule="CON08", slug="table", make=edited(lambda b: b[:44] + b"\1" + b[45:], audio=rf64(kit.wav())), exit_code=4
    ),
    kit.Case(rule="CON08", slug="two-data-sizes", make=edited(two_sizes, audio=rf64(kit.wav())), exit_code=4),
    kit.Case(
        rule="CON15", slug="chunks", make=edited(lambda b: sized(b + chunk(b"note", b"")), audio=MANY), exit_code=4
    ),
    kit.Case(
        rule="CON15",
        slug="nesting",
        make=partial(
            kit.artifact, raw=lambda b: b.replace(b'"params":{}', b'"params":{"a":' + b"[" * 40 + b"]" * 40 + b"}")
        ),
        exit_code=4,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fails_alone(case: kit.Case, tmp_path: Path):
    """The failing set is exactly the rule and what its case declares; what it stops is blocked by it."""
    report = kit.assert_breaks(case, tmp_path)
    if report.unreadable:
        assert {f.blocked_by for f in report.unchecked} == {case.rule}


@pytest.mark.parametrize("audio", [kit.wav(), PADDED, rf64(kit.wav()), rf64(kit.wav(), frames=0)])
def test_every_rule_passes_on_a_sound_file(tmp_path: Path, audio: bytes):
    """RIFF, RIFF with an odd chunk, and RF64 with and without a sample count are all sound."""
    (report,) = verify(kit.artifact(tmp_path, audio=audio))
    assert report.findings == ()
    asked = {case.rule for case in CASES} - ({"CON08"} if audio[:4] == b"RIFF" else set())
    assert asked <= set(report.passed)


def test_each_fault_has_its_place(tmp_path: Path):
    """The finding carries the offset, what was there and what belongs there."""
    path = edited(lambda b: b + b"more")(tmp_path)
    (report,) = verify(path)
    (finding,) = report.findings
    assert (finding.rule, finding.found, finding.expected) == ("CON06", "4 bytes", "none")
    assert finding.where == f"{path}: offset {path.stat().st_size - 4}"
    assert report.verdict == "BROKEN"
    assert exit_code(report) == 4


def test_a_missing_file_is_unreadable(tmp_path: Path):
    """No file is not a crash."""
    (report,) = verify(tmp_path / "nowhere.tts.wav")
    assert (report.verdict, kit.failed(report), exit_code(report)) == ("NOT_FOUND", set(), 4)


def test_a_folder_and_a_fifo_are_refused(tmp_path: Path):
    """Only regular files are read, and nothing waits for a writer."""
    import os

    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo"):
        assert exit_code(verify(path)[0]) == 4
