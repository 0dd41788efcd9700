"""`make test-exhaustive`: every bit flip, truncation, deletion and insertion of a small artifact of each carrier.

Prints for each carrier and kind how many edits were seen of all that were tried, and what crashed or hung. WAV is
verified against all rules. In the other carriers an edit is seen where the file is refused or its seal does not
recompute, and only what is left is put to all rules; decoding each of 200,000 damaged sounds in a child would show
nothing more and take a day. The suite of every commit puts a sample of the same edits to all rules in all carriers.

    exhaustive.py [CARRIER ...] [--every N]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS / "verifying")]

from test_every_byte import bit_flips, deletions, insertions, short_run, truncations

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator

CARRIERS = ("wav", "flac", "mp3", "parquet")
INSERTED = (0x00, 0xFF)
HANGS_AFTER_S = 20


class Hang(Exception):  # noqa: N818 - it is what the verifier did
    """One edit took too long."""


def main() -> int:
    """Try all edits, print the figures, and return how many went unseen, crashed or hung."""
    parser = argparse.ArgumentParser()
    parser.add_argument("carriers", nargs="*", default=CARRIERS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="Only every Nth place.")
    asked = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    bad = 0
    _say(f"{'carrier':<9}{'edit':<12}{'seen':>9}{'of':>9}{'crashes':>9}{'hangs':>7}{'seconds':>9}")
    for carrier in asked.carriers:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
            path = short_run(Path(folder), f"run.tts.{carrier}")
            data = path.read_bytes()
            assert not is_seen(carrier, path), "the artifact itself does not hold"
            for kind, edits in _edits(data, asked.every).items():
                bad += _tried(carrier, path, kind, edits)
    return min(bad, 125)


def is_seen(carrier: str, path: Path) -> bool:
    """Tell whether a verifier says a word about the file."""
    if carrier != "wav":
        try:
            for artifact in open_artifacts(path):
                evidence = Evidence(artifact)
                if evidence.seal is None or evidence.seal != evidence.seal_expected:
                    return True
        except TtsArtifactError:
            return True
    codes = {exit_code(report) for report in verify(path)}
    assert 5 not in codes
    return codes != {0}


def _tried(carrier: str, path: Path, kind: str, edits: Iterator[tuple[str, bytes]]) -> int:
    seen = total = crashes = hangs = 0
    began = time.monotonic()
    for what, edited in edits:
        path.write_bytes(edited)
        total += 1
        signal.alarm(HANGS_AFTER_S)
        try:
            if is_seen(carrier, path):
                seen += 1
            else:
                _say(f"unseen: {carrier}, {what}")
        except Hang:
            hangs += 1
            _say(f"hang: {carrier}, {what}")
        except Exception as error:  # noqa: BLE001 - a crash is what is counted here
            crashes += 1
            _say(f"crash: {carrier}, {what}: {error!r}"[:300])
        finally:
            signal.alarm(0)
    spent = time.monotonic() - began
    _say(f"{carrier:<9}{kind:<12}{seen:>9,}{total:>9,}{crashes:>9}{hangs:>7}{spent:>9.0f}")
    return total - seen


def _edits(data: bytes, every: int) -> dict[str, Iterator[tuple[str, bytes]]]:
    return {
        "bit flips": bit_flips(data, ((o, bit) for o in range(0, len(data), every) for bit in range(8))),
        "truncations": truncations(data, every),
        "deletions": deletions(data, every),
        "insertions": insertions(data, INSERTED, every),
    }


def _hang(*_: Any) -> None:
    raise Hang


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
