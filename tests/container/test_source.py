"""Whole files or nothing, and reads that stay inside."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import numpy as np
import pytest
import refusals

from ttsartifact.container.source import (
    BytesSource,
    FileSource,
    JoinedSource,
    Span,
    blocks_of,
    copy_pieces,
    own_bytes,
    read_buffer,
    require_regular,
    views_of,
    write_whole,
)
from ttsartifact.errors import Damaged, NotFound, NotReadable, Refused

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """3.7: whole or not at all."""
    with pytest.raises(RuntimeError), write_whole(tmp_path / "out.wav") as file:
        file.write(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_has_is_not_found() -> None:
    """A list of files or a trust file may hold a NUL in a name."""
    with pytest.raises(NotFound, match="no file has this name"):
        FileSource("a\0b.tts.wav")
    with pytest.raises(Refused, match="cannot read the list: embedded null byte"):
        own_bytes("a\0b", "the list", 1)


def test_an_existing_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    """Nothing is lost: the output exists, and stays."""
    out = tmp_path / "out.wav"
    out.write_bytes(b"mine")
    with refusals.raises(Refused, match="the output exists"), write_whole(out) as file:
        file.write(b"theirs")
    assert out.read_bytes() == b"mine"
    with write_whole(out, replace=True) as file:
        file.write(b"theirs")
    assert out.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """S17: between the check and the rename somebody else may write the same name."""
    out = tmp_path / "out.wav"
    with refusals.raises(Refused), write_whole(out) as file:
        file.write(b"ours")
        out.write_bytes(b"theirs")
    assert out.read_bytes() == b"theirs"


def test_the_file_has_the_users_mode(tmp_path: Path) -> None:
    """A file made by way of a temporary one is as readable as any other."""
    old = os.umask(0o027)
    try:
        with write_whole(tmp_path / "out.wav") as file:
            file.write(b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.wav").stat().st_mode) == 0o640


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """3.8: a FIFO would wait for ever, a device has no end."""
    os.mkfifo(tmp_path / "fifo")
    with refusals.raises(NotReadable, match="found a FIFO, expected a regular file"):
        FileSource(tmp_path / "fifo")
    with refusals.raises(NotReadable, match="found a directory"):
        FileSource(tmp_path)
    with refusals.raises(NotReadable, match="found a device"):
        FileSource("/dev/zero")
    with refusals.raises(NotFound, match="No such file"):
        FileSource(tmp_path / "nothing")


def test_what_is_handed_on_is_regular(tmp_path: Path) -> None:
    """3.8, of paths that an engine opens; what is missing, the engine tells."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "clip").write_bytes(b"x")
    require_regular([tmp_path / "clip", tmp_path / "nothing"])
    for path, kind in ((tmp_path / "fifo", "a FIFO"), (tmp_path, "a directory"), ("/dev/zero", "a device")):
        with refusals.raises(Refused, match=f"found {kind}, expected a regular file"):
            require_regular([tmp_path / "clip", path])


def test_reads_stay_inside() -> None:
    """A read beyond the end is an error with its address, never short."""
    source = BytesSource(b"abc")
    assert source.read_at(1, 2) == b"bc"
    for offset, size in ((2, 2), (-1, 1), (0, -1), (4, 0)):
        with refusals.raises(Damaged):
            source.read_at(offset, size)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 4096, 164_578, 1 << 20])
def test_what_is_read_into_begins_at_a_line_of_the_cache(size: int) -> None:
    """Elsewhere a kernel copies at a fifth of the speed; however large it is, it is as large as was requested."""
    held = [read_buffer(size) for _ in range(5)]  # at five places
    assert [len(buffer) for buffer in held] == [size] * 5
    assert {np.frombuffer(buffer, np.uint8).ctypes.data % 64 for buffer in held if size} <= {0}
    assert not any(map(any, held))


def test_joined_pieces_read_as_one_file(tmp_path: Path) -> None:
    """A source that gives one byte at a time reads the same."""
    joined = JoinedSource([b"abc", Span(BytesSource(b"..defg.."), 2, 4), b"", b"hi"])
    assert b"".join(joined.read_at(i, 1) for i in range(joined.size)) == b"abcdefghi"
    assert joined.read_at(1, 7) == b"bcdefgh"
    assert b"".join(bytes(view) for view in blocks_of([Span(joined, 0, joined.size)], 2)) == b"abcdefghi"
    (tmp_path / "in").write_bytes(b"0123456789")
    with FileSource(tmp_path / "in") as source, write_whole(tmp_path / "out") as file:
        copy_pieces([b"<", Span(source, 2, 5), b">", Span(joined, 0, 3)], file)
    assert (tmp_path / "out").read_bytes() == b"<23456>abc"


def test_a_file_system_may_know_neither_links_nor_synchronising(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network and memory-stick file systems lack both; a name that appears meanwhile is kept there as well."""

    def lacking(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    for name in ("link", "fsync", "copy_file_range"):
        monkeypatch.setattr(os, name, lacking)
    out = tmp_path / "out.wav"
    with write_whole(out) as file:
        file.write(b"ours")
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]
    out.unlink()
    with refusals.raises(Refused, match="the output exists"), write_whole(out) as file:
        out.write_bytes(b"theirs")
    assert out.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


def test_a_disk_that_loses_what_it_was_given_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the device is no missing ability of the file system."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"), write_whole(tmp_path / "out.wav") as file:
        file.write(b"lost")
    assert list(tmp_path.iterdir()) == []


def test_the_umask_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the process: to read it is to change it, for every thread that makes a file at that moment."""
    monkeypatch.setattr(os, "umask", None)
    with write_whole(tmp_path / "out.wav") as file:
        file.write(b"x")


def test_a_short_file_is_held_and_a_long_one_is_not(tmp_path: Path) -> None:
    """What is held is what was opened, whatever becomes of the file; a longer one is read where it lies."""
    path, data = tmp_path / "a.bin", bytes(range(256)) * 16
    path.write_bytes(data)
    with FileSource(path) as source:
        source.hold()
        path.write_bytes(b"")
        assert source.read_at(250, 12) == data[250:262]
        source.read_into(3, memoryview(buffer := bytearray(5)))
        assert buffer == data[3:8]
        pieces = [b"head", Span(source, 256, 256), Span(source, 1, 2)]
        assert b"".join(views_of(pieces)) == b"head" + data[256:512] + b"\1\2"
        assert source.held is not None
        assert [view.obj is source.held.obj for view in views_of(pieces)] == [False, True, True]  # and no copy of it
        with refusals.raises(Damaged, match="ends too early"):
            source.read_at(4095, 2)
        with refusals.raises(Damaged, match="ends too early"):
            views_of([Span(source, 4095, 2)])
    path.write_bytes(bytes((1 << 20) + 1))
    with FileSource(path) as source:
        source.hold()
        assert source.held is None
        assert views_of([Span(source, 0, 3)]) == [b"\0\0\0"]
