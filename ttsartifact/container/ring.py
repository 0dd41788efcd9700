"""Hands the bytes of a long file to several readers at once, each in a thread of its own, out of one read.

The blocks go round in a ring: a buffer is filled again when the last reader is done with it.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from ttsartifact.container.limits import READ_BLOCK_BYTES
from ttsartifact.container.source import Piece, length_of, read_buffer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["feed_in_threads"]

_RING_BLOCKS = 6
_PAGE_BYTES = 4096


class _Reader(Protocol):
    """What takes the bytes as they go by."""

    def feed(self, offset: int, view: memoryview) -> None:
        """Take a block that begins at `offset`; the view is valid during the call."""


class _Block:
    """A filled buffer that goes back to the ring when the last lane has read it."""

    __slots__ = ("_home", "_left", "_lock", "buffer", "offset", "size")

    def __init__(
        self, buffer: memoryview, home: SimpleQueue[memoryview], *, offset: int, size: int, readers: int
    ) -> None:
        self.buffer, self.offset, self.size = buffer, offset, size
        self._home, self._left, self._lock = home, readers, threading.Lock()

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._home.put(self.buffer)


def feed_in_threads(pieces: Sequence[Piece], lanes: Sequence[_Reader]) -> None:
    """Read `pieces` once and feed every block of them to each of `lanes`."""
    ring: SimpleQueue[memoryview] = SimpleQueue()
    for _ in range(_RING_BLOCKS):
        ring.put(read_buffer(READ_BLOCK_BYTES))
    queues: list[SimpleQueue[_Block | None]] = [SimpleQueue() for _ in lanes]
    workers = [
        threading.Thread(target=_consume, args=(lane, queue), daemon=True)
        for lane, queue in zip(lanes, queues, strict=True)
    ]
    for worker in workers:
        worker.start()
    try:
        offset = 0
        for piece in pieces:
            done = 0
            total = length_of([piece])
            while done < total:
                buffer = ring.get()
                # Reads that begin within a page copy at two thirds of the speed: the first block ends at a page's end.
                start = 0 if isinstance(piece, bytes) else piece.offset + done
                view = buffer[: min(READ_BLOCK_BYTES - start % _PAGE_BYTES, total - done)]
                if isinstance(piece, bytes):
                    view[:] = piece[done : done + len(view)]
                else:
                    piece.source.read_into(piece.offset + done, view)
                block = _Block(buffer, ring, offset=offset, size=len(view), readers=len(lanes))
                for queue in queues:
                    queue.put(block)
                offset += len(view)
                done += len(view)
    finally:
        for queue in queues:
            queue.put(None)
        for worker in workers:
            worker.join()


def _consume(lane: _Reader, queue: SimpleQueue[_Block | None]) -> None:
    while (block := queue.get()) is not None:
        lane.feed(block.offset, block.buffer[: block.size])
        block.done()
