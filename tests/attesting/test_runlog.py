"""The run log: what it holds, what it proves, and how each kind of cheating shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import refusals
from authority import stamp

from ttsartifact.attesting import attach, runlog
from ttsartifact.attesting import runlog as merkle
from ttsartifact.attesting.checking import Standing, attested
from ttsartifact.attesting.keys import (
    NoteKey,
    generate_key,
    note_key,
    parse_checkpoint,
    parse_note_key,
    sign_checkpoint,
)
from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog
from ttsartifact.attesting.timestamps import request_for
from ttsartifact.attesting.trust import Authority, Trust
from ttsartifact.errors import Damaged, NotAnArtifact, Refused
from ttsartifact.terms import digest

ORIGIN = "example.org/runs"


def run_id(number: int) -> str:
    return digest.of(b"run %d" % number)


def runs(*numbers: int) -> list[Entry]:
    return [Entry(kind=EntryKind.RUN, digest=run_id(number)) for number in numbers]


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog.create(tmp_path / "log", ORIGIN)


def test_entries_come_back_in_their_order_across_tiles(log: RunLog) -> None:
    """Entries added in pieces of any size are the entries of the log, and its tiles follow from them."""
    place = 0
    for count in (1, 2, 253, 1, 300, 5):
        assert log.add(runs(*range(place, place + count))) == range(place, place + count)
        place += count
    assert [Entry.from_bytes(entry).digest for entry in log.entries()] == [run_id(n) for n in range(place)]
    assert log.leaves() == [merkle.leaf_hash(entry) for entry in log.entries()]
    assert Path(log.folder, "tile/0/000").stat().st_size == 256 * 32
    hashes = log.leaves()
    upper = b"".join(merkle.root_hash(hashes[start : start + 256]) for start in (0, 256))
    assert Path(log.folder, "tile/1/000.p/2").read_bytes() == upper


def test_every_entry_is_proved_under_a_signed_checkpoint(log: RunLog, tmp_path: Path) -> None:
    """A proof read back from its text holds for its entry alone."""
    private = generate_key(tmp_path / "key.pem")
    log.add(runs(*range(300)))
    checkpoint = log.sign(private)
    assert checkpoint.is_signed_by(note_key(ORIGIN, private))
    for index in (0, 1, 255, 256, 299):
        proof = runlog.parse_proof(str(runlog.prove(log, index)))
        assert proof.holds(log.entries()[index])
        assert not proof.holds(log.entries()[(index + 1) % 300])
        assert len(str(proof)) < 1200


def test_an_entry_without_a_checkpoint_has_no_proof_yet(log: RunLog, tmp_path: Path) -> None:
    """What was added after the newest checkpoint is not proved by it."""
    log.add(runs(0))
    log.sign(generate_key(tmp_path / "key.pem"))
    log.add(runs(1))
    with refusals.raises(Refused, match=r"not under the newest checkpoint.*index 1, expected 0 to 0"):
        runlog.prove(log, 1)


def test_an_entry_is_logged_once(log: RunLog) -> None:
    """A repeated entry would hide how often something was tried."""
    log.add(runs(0, 1))
    with refusals.raises(Refused, match="the log holds this entry already"):
        log.add(runs(2, 1))
    assert len(log.entries()) == 2


def test_a_rewritten_entry_is_seen_by_tiles_and_checkpoint(log: RunLog, tmp_path: Path) -> None:
    """An entry exchanged in its bundle contradicts the tiles; with new tiles it contradicts the checkpoint."""
    private = generate_key(tmp_path / "key.pem")
    log.add(runs(0, 1, 2))
    log.sign(private)
    bundle = Path(log.folder, "tile/entries/000.p/3")
    bundle.write_bytes(bundle.read_bytes().replace(run_id(1).encode(), run_id(7).encode()))
    with refusals.raises(Damaged, match="a tile does not follow from the entries"):
        log.leaves()
    forged = [merkle.leaf_hash(entry) for entry in log.entries()]
    Path(log.folder, "tile/0/000.p/3").write_bytes(b"".join(forged))
    for act in (lambda: log.sign(private), lambda: runlog.prove(log, 0)):
        with refusals.raises(Damaged, match="the log was rewritten"):
            act()


def test_a_log_that_was_cut_between_entries_and_tiles_is_mended_by_the_next_add(log: RunLog) -> None:
    """Entries are written before their hashes; what is missing of the hashes is made again."""
    log.add(runs(0, 1))
    Path(log.folder, "tile/0/000.p/2").unlink()
    log.add(runs(2))
    assert len(log.leaves()) == 3


def test_what_is_not_a_log(tmp_path: Path) -> None:
    """A folder without an origin is not a log; an existing folder does not become one."""
    with refusals.raises(NotAnArtifact, match="not a run log"):
        RunLog(tmp_path)
    with refusals.raises(Refused, match="the folder exists"):
        RunLog.create(tmp_path, ORIGIN)
    for origin in ("", "two words", "a+b", "x" * 201):
        with refusals.raises(Refused, match="not a log's origin"):
            RunLog.create(tmp_path / "new", origin)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"kind":"run"}', b'{"kind":"run","digest":"sha256:00"}', b'{ "digest":"x","kind":"run"}', b"1"],
)
def test_what_is_not_an_entry(data: bytes) -> None:
    """An entry is canonical JSON with a known kind and a digest."""
    with refusals.raises(Damaged, match="not an entry of a run log"):
        Entry.from_bytes(data)


@pytest.mark.parametrize("number", [0, 999, 1000, 1234067])
def test_tile_paths_are_those_of_the_specification(number: int) -> None:
    """c2sp.org/tlog-tiles: 1234067 is x001/x234/067."""
    expected = {0: "000", 999: "999", 1000: "x001/000", 1234067: "x001/x234/067"}[number]
    assert runlog._tile_path("0", number, 256) == f"tile/0/{expected}"
    assert runlog._tile_path("entries", number, 3) == f"tile/entries/{expected}.p/3"


def test_a_public_key_line_is_checked_by_its_id(tmp_path: Path) -> None:
    """A key line with a mistyped name or key is refused."""
    line = str(note_key(ORIGIN, generate_key(tmp_path / "key.pem")))
    assert str(parse_note_key(line)) == line
    with refusals.raises(Refused, match="id does not follow"):
        parse_note_key(line.replace("example", "exampel"))


def proof_of(log: RunLog, index: int, run: str, reply: bytes | None = None) -> bytes:
    return attach.proof_part(run, Entry.from_bytes(log.entries()[index]), runlog.prove(log, index), reply)


def test_a_proof_holds_under_the_key_of_its_log(log: RunLog, tmp_path: Path, authority: Path) -> None:
    """Proof, checkpoint, signature and time are four facts, and each is reported."""
    private = generate_key(tmp_path / "key.pem")
    log.add(runs(0, 1, 2))
    note = log.sign(private).note.encode()
    reply = stamp(authority, request_for(note))
    trust = Trust(
        logs=(note_key(ORIGIN, private),),
        authorities=(Authority(id="lab", roots=(authority / "root.pem").read_bytes()),),
    )
    given = attested({"attestation/0": proof_of(log, 1, run_id(1), reply)}, run_id(1), trust)[0]
    assert (given.standing, given.trusted, given.time_trusted) == (Standing.HOLDS, ORIGIN, True)
    unknown = attested({"attestation/0": proof_of(log, 1, run_id(1), reply)}, run_id(1), Trust())[0]
    assert (unknown.standing, unknown.problem) == (Standing.UNCHECKED, "the key of this log was not given")


def test_cheating_with_proofs(log: RunLog, tmp_path: Path, authority: Path) -> None:
    """A forged proof, a foreign entry, a forked log and a time-stamp of another checkpoint each have their words."""
    private = generate_key(tmp_path / "key.pem")
    log.add(runs(0, 1, 2, 3))
    log.sign(private)
    trust = Trust(logs=(note_key(ORIGIN, private),))
    honest = json.loads(proof_of(log, 1, run_id(1)))

    def problem(**changes: str) -> str:
        part = json.dumps(honest | changes).encode()
        return attested({"attestation/0": part}, run_id(1), trust)[0].problem

    assert problem() == ""
    forged = honest["proof"].replace("index 1", "index 2")
    assert problem(proof=forged) == "the proof does not lead to the checkpoint's root"
    assert problem(entry=log.entries()[2].decode()) == "the entry is about a different run"
    fork = sign_checkpoint(ORIGIN, 4, parse_checkpoint(log.checkpoint().note).root, generate_key(tmp_path / "o.pem"))
    head = honest["proof"].partition("\n\n")[0]
    assert problem(proof=f"{head}\n\n{fork.note}") == "the checkpoint is not signed by the log's key"
    reply = stamp(authority, request_for(b"another checkpoint"))
    part = attach.proof_part(run_id(1), runs(1)[0], runlog.prove(log, 1), reply)
    other = attested({"attestation/0": part}, run_id(1), trust)[0]
    assert other.problem == "its time-stamp: the time-stamp is over other bytes"


def test_a_witness_adds_a_line_and_nothing_else(log: RunLog, tmp_path: Path) -> None:
    """A cosignature (c2sp.org/tlog-cosignature) is found beside the log's own signature."""
    import base64

    private, witness = generate_key(tmp_path / "key.pem"), generate_key(tmp_path / "w.pem")
    log.add(runs(0))
    checkpoint = log.sign(private)
    key = NoteKey("witness.example", 4, witness.public_key().public_bytes_raw())
    time = (1_764_000_000).to_bytes(8, "big")
    signed = witness.sign(f"cosignature/v1\ntime 1764000000\n{checkpoint.text}".encode())
    line = base64.b64encode(key.id + time + signed).decode()
    both = parse_checkpoint(checkpoint.note + f"\u2014 witness.example {line}\n")
    assert both.is_signed_by(note_key(ORIGIN, private))
    assert both.is_signed_by(key)
    later = base64.b64encode(key.id + (1_764_000_001).to_bytes(8, "big") + signed).decode()
    assert not parse_checkpoint(checkpoint.note + f"\u2014 witness.example {later}\n").is_signed_by(key)


@pytest.mark.parametrize(
    "note",
    ["", "a\n1\nx\n", "a\n01\n" + "A" * 43 + "=\n\n\u2014 a AAAA\n", "a\n1\n" + "A" * 43 + "=\n\nno dash\n"],
)
def test_what_is_not_a_checkpoint(note: str) -> None:
    """A checkpoint is three lines, an empty one, and signature lines."""
    with refusals.raises(Damaged):
        parse_checkpoint(note)


def test_eighty_bytes_of_what_is_not_an_entry_are_shown() -> None:
    """Of a stranger's entry, whatever its length and whether it is JSON."""
    for data in (b"x" * 200, b'{"digest":"sha256:' + b"0" * 64 + b'","kind":"run", "by":"' + b"x" * 90 + b'"}'):
        with refusals.raises(Damaged) as refused:
            Entry.from_bytes(data)
        assert refused.value.found == data[:80]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"example.org/runs\n0\n", "caf\xe9\n".encode("latin-1")])
def test_a_checkpoint_of_other_bytes_is_none(log: RunLog, data: bytes) -> None:
    """Whatever a file of that name holds; who signs says so as well."""
    Path(log.folder, "checkpoint").write_bytes(data)
    with refusals.raises(Damaged) as refused:
        log.checkpoint()
    shown = data.decode("utf-8", "replace")
    assert str(refused.value).startswith(f"not a signed checkpoint: found {shown}, expected origin, size, root")
