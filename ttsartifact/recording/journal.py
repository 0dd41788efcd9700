"""What happened so far, a JSON line each, beside the output: what is left when a recording does not come to an end.

Nothing reads a journal but people. It is no artifact and becomes none; a recording that ends well removes it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Journal"]


class Journal:
    """An append-only file of JSON lines. A line is on its way to the disk before the next thing happens."""

    def __init__(self, out: str | os.PathLike[str], now: Callable[[], int]) -> None:
        self.path = f"{os.fspath(out)}.journal.jsonl"
        self._now = now
        self._file = open(self.path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - lives as long as the run

    def write(self, what: str, **facts: Any) -> None:
        """Append one line: when (nanoseconds after the run's origin), what, and the facts."""
        self._file.write(json.dumps({"t_ns": self._now(), "what": what, **facts}, ensure_ascii=True) + "\n")

    def remove(self) -> None:
        """Close and delete: the artifact now tells the story."""
        self.close()
        os.unlink(self.path)

    def close(self) -> None:
        """Close, and leave the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self.close()
