"""What is hashed is what was parsed: a path is opened once, whatever is put in its place meanwhile (S17)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import encoded
import kit
import pytest

from ttsartifact.container import source
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("run.tts.wav", "run.tts.parquet", "run.tts.flac", "run.tts.mp3")


def made(folder: Path, name: str, **changes: object) -> Path:
    carrier = name.rpartition(".")[2]
    folder.mkdir()
    if carrier in {"flac", "mp3"}:
        return encoded.artifact(folder, carrier, **changes)
    return kit.artifact(folder, name=name, **changes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("swap_at", [1, 2, 5])
def test_a_file_swapped_while_it_is_read(
    name: str, swap_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is of the file that was opened, as if nobody had touched the path."""
    path = made(tmp_path / "a", name)
    other = made(tmp_path / "b", name, patch=kit.put(run__notes="another run"))
    (before,) = verify(path)
    (elsewhere,) = verify(other)
    assert before.artifact_id != elsewhere.artifact_id
    reads, plain = 0, source.FileSource.read_at

    def swapping(self: source.FileSource, offset: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == swap_at:
            os.replace(other, path)
        return plain(self, offset, size)

    monkeypatch.setattr(source.FileSource, "read_at", swapping)
    (report,) = verify(path)
    assert reads >= swap_at
    assert not other.exists()
    assert report == before


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_shrinks_while_it_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file cut under our hands is found damaged; nothing is raised."""
    path = made(tmp_path / "a", name)
    plain, cut = source.FileSource.read_at, False

    def cutting(self: source.FileSource, offset: int, size: int) -> bytes:
        nonlocal cut
        if not cut and offset:
            os.truncate(path, self.size // 2)
            cut = True
        return plain(self, offset, size)

    monkeypatch.setattr(source.FileSource, "read_at", cutting)
    (report,) = verify(path)
    assert cut
    assert exit_code(report) in {1, 4}
