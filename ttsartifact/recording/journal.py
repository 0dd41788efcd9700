"""What happened so far, a JSON line each, beside the output: what is left when a recording does not come to an end.

A journal names the file that holds what the engine delivered, says in which format, and carries enough to make an
artifact of both (`recovering`). A recording that ends well removes it. Two recordings of one output have a journal
each: neither writes into the other's, and neither removes it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from ttsartifact.errors import Refused
from ttsartifact.formulas.secrets import is_marked, masked

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Journal"]

_MOST_JOURNALS = 10_000


class Journal:
    """An append-only file of JSON lines, for its owner alone, without secrets.

    A line is on its way to the disk before the next thing happens.
    """

    def __init__(self, out: str | os.PathLike[str], now: Callable[[], int]) -> None:
        self._now = now
        self.path, self._stem, descriptor = _unused(os.fspath(out))
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)

    def part(self, suffix: str) -> str:
        """Return the path beside this journal where what was delivered is kept."""
        return f"{self._stem}.part{suffix}"

    def write(self, what: str, **facts: Any) -> None:
        """Append one line: when (nanoseconds after the run's origin), what, and the facts.

        A line that cannot be written, on a full disk, ends no recording.
        """
        self.write_at(self._now(), what, **facts)

    def write_at(self, t_ns: int, what: str, **facts: Any) -> None:
        """Append one line about a time that was read before."""
        line = _line(t_ns, what, facts)
        # Few lines can hold a secret, and the walk costs more than all else that happens before the first chunk.
        self._append(_line(t_ns, what, masked(facts)[0]) if is_marked(line.encode()) else line)

    def write_own_at(self, t_ns: int, what: str, **facts: Any) -> None:
        """Append one line of numbers and of words that are the recorder's own, so that it holds no secret."""
        self._append(_line(t_ns, what, facts))

    def _append(self, line: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: a journal that was closed
            self._file.write(line)

    def remove(self) -> None:
        """Close and delete: the artifact now holds everything."""
        self.close()
        with suppress(OSError):
            os.unlink(self.path)

    def close(self) -> None:
        """Close, and leave the file."""
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _line(t_ns: int, what: str, facts: dict[str, Any]) -> str:
    return json.dumps({"t_ns": t_ns, "what": what, **facts}) + "\n"


def _unused(out: str) -> tuple[str, str, int]:
    """Return the path of a new journal, its stem, and its open descriptor; an old journal is never written over."""
    for number in range(1, _MOST_JOURNALS):
        stem = out if number == 1 else f"{out}.{number}"
        path = f"{stem}.journal.jsonl"
        with suppress(FileExistsError):
            return path, stem, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    raise Refused("too many journals of unfinished recordings in this folder", where=out, expected="`ttsa recover`")
