"""What a run log costs: 100,000 entries added, a checkpoint signed, one entry proved and its proof verified.

    python benchmarks/run_log.py

Prints processor time, so that a busy machine does not blur it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ttsartifact.attesting import runlog
from ttsartifact.attesting.keys import generate_key, note_key
from ttsartifact.attesting.runlog import Entry, EntryKind, RunLog
from ttsartifact.terms import digest

ENTRIES, ORIGIN, REPEATS = 100_000, "example.org/runs", 50


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log, private = RunLog.create(Path(folder) / "log", ORIGIN), generate_key(Path(folder) / "key.pem")
        entries = [Entry(kind=EntryKind.RUN, digest=digest.of(b"%d" % place)) for place in range(ENTRIES)]
        begun = time.process_time()
        log.add(entries)
        added = time.process_time()
        log.sign(private)
        signed = time.process_time()
        text = str(runlog.prove(log, ENTRIES * 3 // 4))
        proved = time.process_time()
        for _ in range(REPEATS):
            proof = runlog.parse_proof(text)
            assert proof.holds(entries[proof.index].to_bytes())
            assert proof.checkpoint.is_signed_by(note_key(ORIGIN, private))
        verify_ms = (time.process_time() - proved) / REPEATS * 1000
    acts = {"add": added - begun, "checkpoint": signed - added, "prove": proved - signed}
    print(f"{ENTRIES} entries: " + ", ".join(f"{act} {seconds:.2f} s" for act, seconds in acts.items()))
    print(f"proof {len(text)} bytes, verified in {verify_ms:.3f} ms")


if __name__ == "__main__":
    main()
