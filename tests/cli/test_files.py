"""Which files a folder means: its own, and no stranger's choice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.cli.files import files_under

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside" / "deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    kit.artifact(tmp_path / "inside" / "deep")
    kit.artifact(tmp_path / "outside", name="theirs.tts.wav")
    return tmp_path / "inside"


def test_links_out_of_a_folder_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3.8: a linked file that lies elsewhere is told of and not read, a linked folder not entered."""
    (folder / "a.tts.wav").symlink_to(folder.parent / "outside" / "theirs.tts.wav")
    (folder / "away").symlink_to(folder.parent / "outside")
    (folder / "device.tts.wav").symlink_to("/dev/zero")
    assert files_under([str(folder)]) == [str(folder / "deep" / "run.tts.wav")]
    assert main(["verify", str(folder)]) == 0
    assert capsys.readouterr().err.count("skipped 2 links that lead out of their folder") == 2


def test_links_inside_a_folder_are_files_of_it(folder: Path) -> None:
    """A link from one place of the folder to another leads nowhere that the user did not name."""
    (folder / "again.tts.wav").symlink_to(folder / "deep" / "run.tts.wav")
    assert len(files_under([str(folder)])) == 2


def test_a_locked_folder_is_not_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read is reported in its place, and the rest is verified."""
    (folder / "locked").mkdir()
    scan = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert files_under([str(folder)]) == [str(folder / "deep" / "run.tts.wav"), str(folder / "locked")]
    assert files_under([str(folder / "locked")]) == [str(folder / "locked")]
    assert main(["verify", str(folder)]) == 4
    told = capsys.readouterr().out
    assert "locked: UNREADABLE" in told
    assert "run.tts.wav: INTACT" in told


def test_a_link_that_the_user_names_is_read(folder: Path) -> None:
    """The path is the user's own; what it leads to must still be a regular file."""
    link = folder / "named.tts.wav"
    link.symlink_to(folder.parent / "outside" / "theirs.tts.wav")
    assert main(["verify", str(link)]) == 0


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "link to a fifo", "link to a device", "link to nothing"])
def test_what_is_no_regular_file_is_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3.8: no wait for a writer that never comes, no end of zeros; in a link's place just as plainly."""
    path = tmp_path / "run.tts.wav"
    os.mkfifo(tmp_path / "fifo")
    targets = {"fifo": tmp_path / "fifo", "device": "/dev/zero", "nothing": tmp_path / "gone"}
    target = targets.get(kind.rsplit(maxsplit=1)[-1])
    if kind == "folder":
        (path / "below").mkdir(parents=True)
    elif kind.startswith("link"):
        path.symlink_to(target)
    else:
        path = target
    for command in ("verify", "validate", "show"):
        assert main([command, str(path)]) == (2 if kind == "folder" else 4)
    capsys.readouterr()
