"""What happened so far, a JSON line each, beside the output: what is left when a recording does not come to an end.

A journal names the file that holds what the engine delivered, says in which format, and carries enough to make an
artifact of both (`recovering`). A recording that ends well removes it. Two recordings of one output have a journal
each: neither writes into the other's, and neither removes it.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from contextlib import suppress
from io import FileIO
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from ttsartifact.errors import Refused
from ttsartifact.formulas.secrets import is_marked, masked

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_MOST_JOURNALS = 10_000


class Journal:
    """An append-only file of JSON lines, for its owner alone, without secrets.

    A line is on its way to the disk before the next thing happens. Until the file is opened the lines are held, so
    that a thread of its own may open it while the engine has begun.
    """

    def __init__(self, out: str | os.PathLike[str], now: Callable[[], int]) -> None:
        self._now, self._out = now, os.fspath(out)
        self.path, self._stem = "", ""
        self._file: FileIO | None = None
        self._unwritten = b""
        """What a full disk did not take, or waits for a line that follows; each line is written whole."""
        self._lock = threading.Lock()
        """Guards what follows, and the order of the lines."""
        self._held: deque[Callable[[], str]] | None = deque()

    def create(self) -> None:
        """Create the file; the lines are held on until `release`. Raises OSError, and Refused beside too many."""
        self.path, self._stem, self._file = _unused(self._out)

    def release(self) -> None:
        """Write the lines that were held; from now on each is written at once."""
        held, lines = self._held, []
        assert held is not None
        while held:  # without the lock: nobody waits for us who only has a line to write
            lines.append(held.popleft()())
        with self._lock:
            self._put("".join([*lines, *(line() for line in held)]))
            self._held = None

    def part(self, suffix: str) -> str:
        """Return a path beside this journal for what was delivered; it is free, and so is that of a copy as WAV."""
        for number in count(1):
            path = f"{self._stem}.part{suffix}" if number == 1 else f"{self._stem}.part.{number}{suffix}"
            if not os.path.lexists(path) and not os.path.lexists(f"{path}.wav"):
                return path
        raise AssertionError

    def write(self, what: str, **facts: Any) -> None:
        """Append one line: when (nanoseconds after the run's origin), what, and the facts.

        A line that cannot be written, on a full disk, ends no recording.
        """
        self.write_at(self._now(), what, **facts)

    def write_at(self, t_ns: int, what: str, **facts: Any) -> None:
        """Append one line about a time that was read before."""
        self._append(lambda: _masked_line(t_ns, what, facts))

    def write_later(self, what: str, facts: Callable[[], dict[str, Any]]) -> None:
        """Append one line about this moment, of facts that are asked for when it is written."""
        t_ns = self._now()
        self._append(lambda: _masked_line(t_ns, what, facts()))

    def write_moment(self, t_ns: int, name: str, *, is_followed: bool = False) -> None:
        """Append one line about a moment of the run; where a line follows at once, the two are written together."""
        line = f'{{"t_ns": {t_ns}, "what": "moment", "name": "{name}"}}\n'
        if is_followed and self._held is None:
            self._unwritten += line.encode()
        else:
            self._append(lambda: line)

    def write_chunk(self, t_ns: int, frame_start: int, frame_count: int) -> None:
        """Append one line about frames that are in the file of the audio."""
        frames = f'"frame_start": {frame_start}, "frame_count": {frame_count}'
        self._append(lambda: f'{{"t_ns": {t_ns}, "what": "chunk", {frames}}}\n')

    def _append(self, line: Callable[[], str]) -> None:
        with self._lock:
            if self._held is not None:
                self._held.append(line)
                return
            self._put(line())

    def _put(self, lines: str) -> None:
        if self._file is None or self._file.closed:
            return
        self._unwritten += lines.encode()
        with suppress(OSError):
            while self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten) :]

    def remove(self) -> None:
        """Close and delete: the artifact now holds everything."""
        self.close()
        if self._file is not None:
            with suppress(OSError):
                os.unlink(self.path)

    def close(self) -> None:
        """Close, and leave the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def __enter__(self) -> Self:
        self.create()
        self.release()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _masked_line(t_ns: int, what: str, facts: dict[str, Any]) -> str:
    line = _line(t_ns, what, facts)
    # Few lines can hold a secret, and the walk costs more than all else that is written before the first chunk.
    return _line(t_ns, what, masked(facts)[0]) if is_marked(line.encode()) else line


def _line(t_ns: int, what: str, facts: dict[str, Any]) -> str:
    return json.dumps({"t_ns": t_ns, "what": what, **facts}) + "\n"


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unused(out: str) -> tuple[str, str, FileIO]:
    """Return the path of a new journal, its stem, and the open file; an old journal is never written over."""
    for number in range(1, _MOST_JOURNALS):
        stem = out if number == 1 else f"{out}.{number}"
        path = f"{stem}.journal.jsonl"
        with suppress(FileExistsError):
            return path, stem, FileIO(path, "x", opener=_for_its_owner)
    raise Refused("too many journals of unfinished recordings in this folder", where=out, expected="`ttsa recover`")
