"""One act on a thread of its own, so that an engine begins its work before ours is done."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Meanwhile"]


class Meanwhile:
    """An act that goes on beside the caller; `wait` returns when it has ended, and raises what it raised."""

    def __init__(self, act: Callable[[], object]) -> None:
        """Have a thread of its own begin `act`."""
        self._act = act
        self._fault: Exception | None = None
        self._begun, self._ended = allocate_lock(), allocate_lock()
        self._ended.acquire()
        with suppress(RuntimeError):  # the system gives no more threads: whoever waits does it
            # Thread.start() waits until the new thread was given a turn: milliseconds beside a busy engine.
            start_new_thread(self._do, ())

    def wait(self) -> None:
        """Wait for the end of the act, or do it where its thread had no turn yet. Raises what the act raised."""
        self._do()
        with self._ended:
            pass
        if self._fault is not None:
            raise self._fault

    def _do(self) -> None:
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._act()
        except Exception as fault:  # noqa: BLE001 - handed to whoever waits
            self._fault = fault
        finally:
            self._ended.release()
