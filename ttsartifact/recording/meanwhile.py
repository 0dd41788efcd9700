"""Acts on a thread of their own, so that an engine begins its work before ours is done."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LINGER_S = 30.0


class Meanwhile:
    """An act that goes on beside the caller; `wait` returns when it has ended, and raises what it raised."""

    def __init__(self, act: Callable[[], object]) -> None:
        """Hand `act` to the thread that does what others do not wait for."""
        self._act: Callable[[], object] | None = act
        self._fault: Exception | None = None
        self._begun, self._ended = allocate_lock(), allocate_lock()
        self._ended.acquire()
        _WORKER.take(self.do)

    def wait(self) -> None:
        """Wait for the end of the act, or do it where the thread had no turn yet. Raises what the act raised."""
        self.do()
        with self._ended:
            pass
        if self._fault is not None:
            raise self._fault

    def do(self) -> None:
        """Do the act, unless somebody has begun it."""
        if not self._begun.acquire(blocking=False):
            return
        act, self._act = self._act, None
        assert act is not None
        try:
            act()
        except Exception as fault:  # noqa: BLE001 - handed to whoever waits
            self._fault = fault
        finally:
            self._ended.release()


def in_each_child(begin: Callable[[], None]) -> None:
    """Have a forked child call `begin`: it has none of its parent's threads, and perhaps a lock that one held."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin)


class Worker:
    """One thread for acts that come now and then, which ends when there was none for a while.

    To start one for each recording would cost its engine a tenth of a millisecond.
    """

    def __init__(self) -> None:
        self._begin()
        in_each_child(self._begin)

    def _begin(self) -> None:
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = allocate_lock()
        self._runs = False

    def take(self, act: Callable[[], None]) -> None:
        """Have the thread do `act` when it is its turn; where the system gives no thread, nobody does."""
        with self._lock:
            self._waiting.put(act)
            if self._runs:
                return
            with suppress(RuntimeError):
                # Thread.start() waits until the new thread was given a turn: milliseconds beside a busy engine.
                start_new_thread(self._work, ())
                self._runs = True

    def _work(self) -> None:
        while True:
            try:
                act = self._waiting.get(timeout=_LINGER_S)
            except Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._runs = False
                        return
                continue
            act()
            del act  # a recording that has ended is not kept alive


_WORKER = Worker()
