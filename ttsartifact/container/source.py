"""Where bytes come from and go to: bounded random access in, whole files or nothing out.

A carrier is described as pieces: literal bytes and spans of a source. Stripping and embedding only rearrange
pieces, so a long file is hashed or copied without ever being held in memory.
"""

from __future__ import annotations

import errno
import os
import stat
from _thread import allocate_lock  # threading would cost a reader a millisecond
from array import array
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Protocol, Self

from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.container.limits import MAX_INPUT_BYTES, READ_BLOCK_BYTES
from ttsartifact.errors import (
    Damaged,
    NotFound,
    NotReadable,
    OutputExists,
    Refused,
    TooLarge,
    TtsArtifactError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

_OUT_OF_HANDLES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_LINE_BYTES = 64
_ADDRESS = late_pattern(r"[a-z][a-z0-9+.-]{1,20}://")


class Source(Protocol):
    """Random access over bytes of a known length, its `size`."""

    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from the byte `offset`; raises Damaged when they are not there."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from the byte `offset`; raises Damaged when the bytes are not there."""
        ...


STANDARD_INPUT = "-"


class BytesSource:
    """A source over bytes in memory."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data).cast("B")  # a pyarrow buffer counts signed bytes
        self.size = len(data)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset`."""
        _require(offset, size, self.size)
        return bytes(self._data[offset : offset + size])

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        _require(offset, len(buffer), self.size)
        buffer[:] = self._data[offset : offset + len(buffer)]


def stamp_of(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    """Return what shows that a file was written meanwhile: its number, size and time; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class FileSource:
    """A source over one open descriptor: what is hashed is what was parsed, whatever happens to the path."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.held: memoryview | None = None
        # O_NONBLOCK: opening a FIFO without a writer would wait for ever before we could refuse it.
        if path == STANDARD_INPUT:
            self._fd, self.path, self.size = _standard_input()
            return
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._fd = os.open(path, flags | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise _not_opened(path, error) from error
        except ValueError as error:
            raise NotFound("cannot open: no file has this name", where=os.fspath(path)) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise _not_regular(NotReadable, path, status.st_mode)
        self.path = os.fspath(path)
        self.size = status.st_size

    def hold(self) -> None:
        """Read a short file whole, once: who looks at all of it otherwise asks the system for it in thirty pieces."""
        if self.size <= READ_BLOCK_BYTES:
            held = _read_some(self._fd, self.size, 0)
            self.held = memoryview(held) if len(held) == self.size else None

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset`."""
        _require(offset, size, self.size)
        if self.held is not None:
            return bytes(self.held[offset : offset + size])
        data = _read_some(self._fd, size, offset)
        while len(data) < size:  # a short read is legal, and Linux stops at 2 GiB
            more = _read_some(self._fd, size - len(data), offset + len(data))
            if not more:
                raise Damaged("the file shrank while it was read", where=f"offset {offset + len(data)}")
            data += more
        return data

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        _require(offset, len(buffer), self.size)
        if self.held is not None:
            buffer[:] = self.held[offset : offset + len(buffer)]
            return
        done = 0
        while done < len(buffer):
            got = _read_some_into(self._fd, buffer[done:], offset + done)
            if got == 0:
                raise Damaged("the file shrank while it was read", where=f"offset {offset + done}")
            done += got

    def fileno(self) -> int:
        """Return the descriptor, for copies that stay inside the kernel."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


class JoinedSource:
    """A source over pieces, as if they were one file."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._places: list[tuple[int, Piece]] = []
        self.size = 0
        for piece in pieces:
            self._places.append((self.size, piece))
            self.size += length_of([piece])

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset`."""
        for start, piece in self._places:  # mostly they are in one piece, and need no second copy
            if start <= offset and offset + size <= start + _size_of(piece) and not isinstance(piece, bytes):
                return piece.source.read_at(piece.offset + offset - start, size)
        buffer = bytearray(size)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset`."""
        _require(offset, len(buffer), self.size)
        end = offset + len(buffer)
        for start, piece in self._places:
            low, high = max(offset, start), min(end, start + length_of([piece]))
            if low >= high:
                continue
            view = buffer[low - offset : high - offset]
            if isinstance(piece, bytes):
                view[:] = piece[low - start : high - start]
            else:
                piece.source.read_into(piece.offset + low - start, view)


class Span(NamedTuple):
    """`size` bytes of `source` from `offset`."""

    source: Source
    offset: int
    size: int


Piece = bytes | Span


def length_of(pieces: Iterable[Piece]) -> int:
    """Return how many bytes the pieces make."""
    return sum(map(_size_of, pieces))


def _size_of(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size


def read_buffer(size: int) -> memoryview:
    """Return memory to read into that begins where a line of the processor's cache does.

    A kernel copies to any other place at a fifth of the speed on some processors (AMD EPYC: 0.43 s for 1 GB, and 0.10 s
    here), and malloc returns one half of the time.
    """
    memory = array("B", bytes(_LINE_BYTES)) * (size // _LINE_BYTES + 2)
    start = -memory.buffer_info()[0] % _LINE_BYTES
    return memoryview(memory)[start : start + size]


def blocks_of(pieces: Sequence[Piece], block_bytes: int = READ_BLOCK_BYTES) -> Iterator[memoryview]:
    """Yield the pieces' bytes in order. Each view is valid until the next one is requested."""
    # No larger than the file: a mebibyte that is not used still costs a short clip 40 us of zeroing and paging.
    buffer = read_buffer(min(block_bytes, max(map(_size_of, pieces), default=0)))
    for piece in pieces:
        if isinstance(piece, bytes):
            yield memoryview(piece)
            continue
        done = 0
        while done < piece.size:
            view = buffer[: min(block_bytes, piece.size - done)]
            piece.source.read_into(piece.offset + done, view)
            yield view
            done += len(view)


def views_of(pieces: Iterable[Piece]) -> list[memoryview]:
    """Return the pieces' bytes in memory, without a copy of what is there already; for short files."""
    return [memoryview(piece) if isinstance(piece, bytes) else _view_of(piece) for piece in pieces]


def _view_of(span: Span) -> memoryview:
    source, offset, size = span
    if isinstance(source, FileSource) and source.held is not None:
        _require(offset, size, source.size)
        return source.held[offset : offset + size]
    view = memoryview(bytearray(size))
    source.read_into(offset, view)
    return view


def own_bytes(path: str | os.PathLike[str], what: str, most: int) -> bytes:
    """Return the bytes of a file of the reader's own, which may be a pipe; `-` is standard input.

    Raises Refused where it cannot be read, or has more than `most` bytes.
    """
    where = os.fspath(path)
    try:
        if where == STANDARD_INPUT:
            with FileSource(STANDARD_INPUT) as source:
                data = source.read_at(0, min(source.size, most + 1))
        else:
            with open(path, "rb") as file:
                data = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise Refused(f"cannot read {what}: {getattr(error, 'strerror', error)}", where=where) from error
    if len(data) > most:
        raise Refused(f"{what} is too long", where=where, expected=f"at most {most} bytes")
    return data


def require_regular(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raise Refused for a FIFO, a device or a folder: engines open what they are given, and could wait on it for ever.

    A missing file is reported when it is opened.
    """
    for path in paths:
        with suppress(OSError):
            mode = os.stat(path).st_mode
            if not stat.S_ISREG(mode):
                raise _not_regular(Refused, path, mode)


def require_room(path: str | os.PathLike[str], *, replace: bool) -> None:
    """Raise Refused where no file can be written: it exists and `replace` is not said, or its folder takes none."""
    target = os.fspath(path)
    if not replace and os.path.lexists(target):
        raise OutputExists(where=target)
    folder = os.path.dirname(os.path.abspath(target))
    if os.access(folder, os.W_OK | os.X_OK):
        return
    if not os.path.isdir(folder):
        what = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise Refused(f"the output's folder {what}", where=folder, expected="a folder that is there")
    raise Refused("the output's folder is not writable", where=folder, expected="a writable folder")


@contextmanager
def write_whole(path: Path | str, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` when the block ends well, and leaves nothing behind when it does not.

    Raises Refused as `require_room` does.
    """
    target = os.fspath(path)
    require_room(target, replace=replace)
    folder = os.path.dirname(os.path.abspath(target))
    temporary = os.path.join(folder, f".ttsa-{os.urandom(6).hex()}")
    # 0666 less the umask, which the system takes off: to read the umask is to change it, for all threads.
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            keep(file.fileno())
        if replace:
            os.replace(temporary, target)
        else:
            _name(temporary, target)
        _sync_folder(folder)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def keep(handle: int) -> None:
    """Have what was written outlast a loss of power, where the file system can do that; some on a network cannot."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}:
            raise


def _name(temporary: str, target: str) -> None:
    """Give a file its name; raises Refused where a file of that name has appeared meanwhile."""
    try:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: whoever makes the name first has it
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.replace(temporary, target)
    except FileExistsError as error:
        raise OutputExists(where=target) from error


def copy_pieces(pieces: Iterable[Piece], out: BinaryIO) -> None:
    """Append the pieces to `out`, inside the kernel where it can."""
    for piece in pieces:
        if isinstance(piece, bytes):
            out.write(piece)
        elif isinstance(piece.source, FileSource) and hasattr(os, "copy_file_range"):
            out.flush()
            _copy_in_kernel(piece.source.fileno(), piece.offset, piece.size, out)
        else:
            out.writelines(blocks_of([piece]))


def _copy_in_kernel(source_fd: int, offset: int, size: int, out: BinaryIO) -> None:
    done = 0
    while done < size:
        try:
            got = os.copy_file_range(source_fd, out.fileno(), min(size - done, 1 << 30), offset + done)
        except OSError:  # across file systems on old kernels, or a file system that cannot
            got = out.write(os.pread(source_fd, min(size - done, READ_BLOCK_BYTES), offset + done))
            out.flush()
        if got == 0:
            raise Damaged("the file shrank while it was copied", where=f"offset {offset + done}")
        done += got
    out.seek(0, os.SEEK_END)


_SEEKING = allocate_lock()
"""Of a descriptor whose place is moved before each read, where a system has no positioned read (Windows)."""


def _read_some(descriptor: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes from `offset`, whichever thread asks."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    with _SEEKING:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


def _read_some_into(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill what it can of `buffer` from `offset`, and return how many bytes that were."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], offset)
    data = _read_some(descriptor, len(buffer), offset)
    buffer[: len(data)] = data
    return len(data)


def _require(offset: int, size: int, available: int) -> None:
    if offset < 0 or size < 0 or offset + size > available:
        raise Damaged(
            "the file ends too early",
            where=f"offset {offset}",
            found=f"{max(0, available - offset)} bytes",
            expected=f"{size} bytes",
        )


def _not_opened(path: str | os.PathLike[str], error: OSError) -> TtsArtifactError:
    """Return what an open that failed means: nothing there, nothing that may be read, or no handle left to read by."""
    where = os.fspath(path)
    if error.errno in _OUT_OF_HANDLES:
        return Unavailable(f"no file can be opened: {error.strerror}", where=where)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        if _ADDRESS.match(where):
            return NotFound(
                "this is an address, and no file is downloaded", where=where, expected="a local file: download it first"
            )
        return NotFound(f"cannot open: {error.strerror}", where=where)
    return NotReadable(f"cannot open: {error.strerror}", where=where)


def _not_regular(kind: type[TtsArtifactError], path: str | os.PathLike[str], mode: int) -> TtsArtifactError:
    return kind("not a regular file", where=os.fspath(path), found=_kind(mode), expected="a regular file")


def _kind(mode: int) -> str:
    names = {stat.S_IFIFO: "a FIFO", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    return names.get(stat.S_IFMT(mode), "a device")


def _standard_input() -> tuple[int, str, int]:
    """Return a descriptor of all that stands on standard input, its name, and its size; read once a process."""
    kept = _kept_input()
    return os.dup(kept.fileno()), STANDARD_INPUT, os.fstat(kept.fileno()).st_size


@cache
def _kept_input() -> BinaryIO:
    """Return standard input as a file that can be read at any place: itself, or a copy of a pipe that has no name."""
    try:
        status = os.fstat(0)
    except OSError as error:
        raise NotReadable("standard input is closed", where=STANDARD_INPUT) from error
    if stat.S_ISREG(status.st_mode):
        return open(os.dup(0), "rb", buffering=0)
    import tempfile  # a pipe alone has a use for it

    kept = tempfile.TemporaryFile()  # noqa: SIM115 - kept for the process
    left = MAX_INPUT_BYTES
    while block := os.read(0, READ_BLOCK_BYTES):
        left -= len(block)
        if left < 0:
            kept.close()
            raise TooLarge(
                "too much on standard input", where=STANDARD_INPUT, expected=f"at most {MAX_INPUT_BYTES} bytes"
            )
        kept.write(block)
    kept.flush()
    return kept


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable; where a folder cannot be opened, the file's own fsync stands alone."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        keep(handle)
    finally:
        os.close(handle)
