"""Standard output that breaks off: what cannot be made again stays, and a line says where."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import kit
import pytest
from breaking_pipe import Pipe

from ttsartifact.cli.files import delivered
from ttsartifact.cli.speak import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.monkeypatch import MonkeyPatch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: MonkeyPatch) -> Path:
    """Return where folders of a program's own are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def written(folder: Path) -> list[str]:
    """Return the files in the folders of a program's own, without the drawn part of their names."""
    return sorted(
        re.sub(r"(?<=ttsa-out-)\w+", "*", str(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize(("keep", "left"), [(True, ["ttsa-out-*/run.kind"]), (False, [])])
def test_what_cannot_be_made_again_stays(
    keep: bool, left: list[str], folder: Path, monkeypatch: MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of it, and a line on stderr names it; what can be made again goes with its folder."""
    monkeypatch.setattr(sys, "stdout", Pipe(3))
    with (
        pytest.raises(OSError, match="No space left"),
        delivered("-", ".kind", keep=keep) as path,
        open(path, "wb") as file,
    ):
        file.write(b"four")
    assert written(folder) == left
    said = capsys.readouterr().err
    assert said == (f"ttsa: standard output took only a part of the file; the whole of it is {path}\n" if keep else "")
    assert bool(list(folder.iterdir())) is keep


def test_what_is_taken_whole_leaves_nothing(folder: Path, monkeypatch: MonkeyPatch) -> None:
    """Neither a file nor a folder; nothing is written to a terminal, and a file is where it is named."""
    pipe = Pipe(4)
    monkeypatch.setattr(sys, "stdout", pipe)
    with delivered("-", keep=True) as path, open(path, "wb") as file:
        file.write(b"four")
    assert (pipe.taken.getvalue(), list(folder.iterdir())) == (b"four", [])
    monkeypatch.setattr(sys, "stdout", Pipe(terminal=True))
    with pytest.raises(Usage) as refused, delivered("-"):
        pass
    assert str(refused.value) == "-o - writes bytes to standard output, which is a terminal; redirect it"
    with delivered("a name", ".kind") as path:
        assert path == "a name"


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell that limits files")
def test_a_file_that_may_not_grow_is_named(tmp_path: Path) -> None:
    """The system says only that there is no room: without the name nobody knows on which disk."""
    run = kit.artifact(tmp_path)
    command = f"ulimit -f 1; exec {sys.executable} -m ttsartifact strip {run} -o {tmp_path}/bare.wav"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, f"ttsa: File too large (at {tmp_path}/bare.wav)\n")
    assert not (tmp_path / "bare.wav").exists()
