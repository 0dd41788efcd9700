"""The files of a command line: which ones it means, what stands in them, and where `-` leads."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ttsartifact.cli.speak import Usage, tell
from ttsartifact.container.carrier import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STANDARD_OUTPUT = "-"

_LONGEST_LINES_BYTES = 16 << 20
_LONGEST_DOCUMENT_BYTES = 64 << 20


def files_under(paths: Sequence[str]) -> list[str]:
    """Return files as they were given, those of each `@LIST`, and for each folder the artifacts below it, sorted.

    A link that leads out of its folder is left out, and a line on stderr says so: an unpacked archive does not choose
    what we read. Named by the user, it is read like any file. A folder that cannot be read stands in the place of what
    is in it, so that it is reported and not passed over.
    """
    found: list[str] = []
    for path in listed(paths):
        if not os.path.isdir(path):
            found.append(path)
            continue
        below, locked = _below(path)
        inside = os.path.join(os.path.realpath(path), "")
        leading_out = [link for link in below if os.path.islink(link) and not _is_below(link, inside)]
        if leading_out:
            _note_skipped(leading_out)
            below = sorted(set(below) - set(leading_out))
        if not below and not locked:
            raise Usage(f"no file that ends in {' or '.join(SUFFIXES)} below {path}")
        found += sorted(below + locked)
    return found


def _below(path: str) -> tuple[list[str], list[str]]:
    """Return the artifacts below a folder by their names, and the folders that could not be read."""
    errors: list[OSError] = []
    found = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(path, onerror=errors.append)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    return found, [os.fsdecode(error.filename) for error in errors]


def listed(paths: Sequence[str]) -> list[str]:
    """Return paths with each `@LIST` replaced by the lines of the file LIST; `@-` reads them from standard input.

    Empty lines are skipped. A file whose own name begins with `@` is written `./@name`. Lists do not nest.

    Raises:
        Usage: a list names no file, or is not UTF-8.

    """
    found: list[str] = []
    for path in paths:
        if not path.startswith("@"):
            found.append(path)
            continue
        lines = [line for line in lines_of(path[1:], "the list") if line.strip()]
        if not lines:
            raise Usage(f"{path}: the list names no file")
        found += lines
    return found


def bytes_of(path: str, longest_bytes: int = _LONGEST_DOCUMENT_BYTES) -> bytes:
    """Return the bytes of a file that the command line names; `-` is standard input.

    Raises:
        NotFound, NotReadable: it cannot be opened.
        TooLarge: it has more than `longest_bytes`.

    """
    from ttsartifact.container.source import FileSource
    from ttsartifact.errors import TooLarge

    with FileSource(path) as file:
        if file.size > longest_bytes:
            raise TooLarge(
                "the file is too long", where=path, found=f"{file.size} bytes", expected=f"at most {longest_bytes}"
            )
        return file.read_at(0, file.size)


def lines_of(path: str, option: str) -> list[str]:
    """Return the lines of a UTF-8 file that an option names, without their ends."""
    data = bytes_of(path, _LONGEST_LINES_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Usage(f"{option} {path}: not UTF-8 at byte {error.start}") from error
    # Line feeds alone end a line: other breaks of Unicode may stand in what somebody says.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


@contextmanager
def delivered(out: str, suffix: str = "", *, keep: bool = False) -> Iterator[str]:
    """Yield the path to write: `out`, or for `-` one in a folder of its own, whose bytes then go to standard output.

    Nothing is written to standard output when the block raises. `suffix` is what the name of the file ends in where
    it decides the file's form. What cannot be made again (`keep`) stays where it is when it cannot be delivered, and a
    line on stderr says where; so does what the block itself left beside it when it raised.

    Raises:
        Usage: standard output is a terminal.

    """
    if out != STANDARD_OUTPUT:
        yield out
        return
    if sys.stdout.isatty():
        raise Usage("-o - writes bytes to standard output, which is a terminal; redirect it")
    import shutil

    with temporary_folder("ttsa-out-") as folder:
        path = os.path.join(folder, f"run{suffix}")
        yield path
        try:
            with open(path, "rb") as written:
                shutil.copyfileobj(written, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BaseException:
            if keep:
                tell(f"ttsa: standard output took only a part of the file; the whole of it is {path}")
            else:
                os.unlink(path)
            raise


@contextmanager
def temporary_folder(prefix: str) -> Iterator[str]:
    """Yield a folder of its own that goes with all that is in it, or after an error where nothing is in it.

    A journal, and what an engine delivered, are not ours to delete.
    """
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            os.rmdir(folder)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def suffix_for(path: str) -> str:
    """Return the suffix of the carrier that the audio of a file asks for, where no name of an output says it.

    Raises:
        NotFound, NotReadable: the file cannot be opened.
        Usage: its audio fits no carrier.

    """
    from ttsartifact.container.carrier import opening_of
    from ttsartifact.container.codecs import codec_opening
    from ttsartifact.container.source import FileSource

    with FileSource(path) as file:
        head = opening_of(file)
    if head[:4] == b"PAR1":
        return ".tts.parquet"
    codec = codec_opening(head)
    if codec is None or not codec.has_carrier:
        raise Usage(f"{path}: an artifact cannot carry this audio; expected one of {', '.join(SUFFIXES)}")
    return f".tts.{codec.name}"


def _is_below(link: str, inside: str) -> bool:
    return os.path.realpath(link).startswith(inside)


def _note_skipped(links: list[str]) -> None:
    from ttsartifact.reporting.terminal import safe

    first = safe(min(links))
    tell(
        f"ttsa: skipped {len(links)} links that lead out of their folder, the first is {first}; name them to "
        "include them"
    )
