"""Windows and macOS, as far as they can be tried here: without what they lack, everything still works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kit
import pytest

SCRIPT = Path(__file__).with_name("other_system.py")
PCM = kit.tone(4000)


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_runs_are_recorded_verified_and_packed(system: str, tmp_path: Path) -> None:
    """Files, pipes, iterators, deadlines, recovery, Parquet: by code that asks for nothing that is not there."""
    (tmp_path / "in.pcm").write_bytes(PCM)
    (tmp_path / "in.wav").write_bytes(kit.wav(PCM))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), system], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "late: the command did not end in time",
        "pipe.tts.wav: INTACT, 4000 frames, 0 failures",
        "file.tts.wav: INTACT, 4000 frames, 0 failures",
        "process.tts.wav: INTACT, 4000 frames, 0 failures",
        "late.tts.wav: INTACT, 4000 frames, 0 failures",
        "pipe.tts.parquet: INTACT, 4000 frames, 0 failures",
    ], done.stderr
    assert (tmp_path / "bare.wav").read_bytes() == (tmp_path / "in.wav").read_bytes()
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(".ttsa-")]
