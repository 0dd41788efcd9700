"""Our run logs and another implementation's are one format: each reads, and checks, what the other wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import refusals

from ttsartifact.attesting import runlog
from ttsartifact.attesting.keys import cosigners, generate_key, note_key, parse_note_key
from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog
from ttsartifact.errors import Damaged
from ttsartifact.terms import digest

HERE = Path(__file__).parent
PEER = HERE / "c2sp_peer.py"
THEIRS = HERE / "c2sp_log"
"""Written by `c2sp_peer.py write`: 300 entries, a checkpoint by the log's key and a witness's cosignature."""

INTERPRETER = os.environ.get("TTSARTIFACT_C2SP_PYTHON") or (sys.executable if find_spec("aics_tlog") else None)
with_peer = pytest.mark.skipif(INTERPRETER is None, reason="aics-tlog is not installed; it needs Python 3.12")


def test_a_log_that_another_implementation_wrote_is_read_and_proved(tmp_path: Path) -> None:
    """Entries, tiles, the log's signature, the witness's cosignature and every inclusion proof hold."""
    folder = tmp_path / "log"
    shutil.copytree(THEIRS, folder)
    log, (key, witness) = RunLog(folder), [parse_note_key(line) for line in (THEIRS / "keys").read_text().splitlines()]
    checkpoint = log.checkpoint()
    assert checkpoint.is_signed_by(key)
    assert cosigners(checkpoint, [witness]) == ("witness.example",)
    assert log.commits_to(checkpoint)
    entries = log.entries()
    assert [Entry.from_bytes(entry).digest for entry in entries] == [f"sha256:{n:064x}" for n in range(300)]
    assert all(runlog.prove(log, index).holds(entry) for index, entry in enumerate(entries))


def test_a_changed_byte_of_their_log_is_seen(tmp_path: Path) -> None:
    """A digit exchanged in a bundle contradicts the hash tiles that the other implementation wrote."""
    folder = tmp_path / "log"
    shutil.copytree(THEIRS, folder)
    bundle = folder / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"00000000ff", b"00000000fe"))
    with refusals.raises(Damaged, match="a tile does not follow from the entries"):
        RunLog(folder).leaves()


@with_peer
def test_another_implementation_reads_and_proves_our_log(tmp_path: Path) -> None:
    """Its audit of every tile, its proofs of every entry and of every older checkpoint agree with us."""
    private = generate_key(tmp_path / "key.pem")
    log = RunLog.create(tmp_path / "log", "example.org/runs")
    for old, new in ((0, 1), (1, 200), (200, 256), (256, 700)):
        log.add(Entry(kind=EntryKind.RUN, digest=digest.of(b"%d" % number)) for number in range(old, new))
        log.sign(private)
    assert asked(log, str(note_key(log.origin, private))) == {
        "signed": True,
        "size": 700,
        "included": 700,
        "consistent": [True] * 4,
    }
    other = note_key(log.origin, generate_key(tmp_path / "other.pem"))
    assert asked(log, str(other))["signed"] is False


@with_peer
def test_their_log_is_written_as_it_lies_here(tmp_path: Path) -> None:
    """The files that the first test reads are those that the other implementation writes."""
    subprocess.run([str(INTERPRETER), str(PEER), "write", str(tmp_path)], check=True)
    found, kept = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path, THEIRS)
    )
    assert found == kept


def asked(log: RunLog, key: str) -> dict[str, object]:
    done = subprocess.run([str(INTERPRETER), str(PEER), "check", log.folder, key], check=True, capture_output=True)
    return dict(json.loads(done.stdout))
