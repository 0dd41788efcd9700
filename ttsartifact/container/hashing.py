"""All digests of an audio file in one read: the encoded bytes, the PCM in them, each chunk, each leaf (clause 8.10).

A short file is read whole and hashed range by range. A long one is read once into a ring of buffers and each digest
has a thread of its own (hashlib lets go of the interpreter), so that two cost little more than the slower of the two.
"""

from __future__ import annotations

import hashlib
from _thread import allocate_lock
from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple
from ttsartifact.container.limits import LEAF_BYTES, MIB, READ_BLOCK_BYTES
from ttsartifact.container.source import Piece, blocks_of, length_of, read_buffer, views_of
from ttsartifact.terms import digest
from ttsartifact.terms.digest import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from queue import SimpleQueue

LEAVES_PART = "leaves"
_DIGEST_BYTES = 32
_THREADS_FROM_BYTES = 8 * READ_BLOCK_BYTES  # below, starting threads costs more than it saves
_RING_BLOCKS = 6
_PAGE_BYTES = 4096


class AudioDigests(NamedTuple):
    """What one pass over an audio file found."""

    encoded: str
    size: int
    pcm: str | None
    chunks: tuple[str, ...]
    """Hex digests, one a chunk range asked for."""
    leaves: tuple[str, ...] = ()
    """Hex digests of each MiB of the file, where they were requested (clause 8.10)."""


def digest_audio(
    pieces: Sequence[Piece],
    pcm: tuple[int, int] | None = None,
    chunks: Sequence[tuple[int, int]] = (),
    *,
    leaves: bool = False,
) -> AudioDigests:
    """Digest the file made of `pieces`, the half-open byte range `pcm` of it, and `chunks`, byte ranges within the PCM.

    Chunks need neither be contiguous nor ordered; the same range is never hashed twice. With `leaves` each MiB of the
    file is digested too.
    """
    size = length_of(pieces)
    start = pcm[0] if pcm else 0
    wanted = {(0, size), *([pcm] if pcm else []), *((start + a, start + b) for a, b in chunks)}
    cut = leaf_ranges(size) if leaves else []
    if size <= READ_BLOCK_BYTES:
        views = views_of(pieces)
        digests = {span: _digest_of(views, *span) for span in wanted.union(cut)}
    else:
        digests = _digest_ranges(pieces, sorted(wanted), cut, threads=size >= _THREADS_FROM_BYTES)
    return AudioDigests(
        encoded=spelled(digests[0, size]),
        size=size,
        pcm=spelled(digests[pcm]) if pcm else None,
        chunks=tuple(digests[start + a, start + b] for a, b in chunks),
        leaves=tuple(digests[span] for span in cut),
    )


def _digest_of(views: Iterable[memoryview], start: int, end: int) -> str:
    """Return the hex digest of the half-open range of the views' bytes, one after the other."""
    state, offset = hashlib.sha256(), 0
    for view in views:
        if offset < end and offset + len(view) > start:
            state.update(view[max(start - offset, 0) : end - offset])
        offset += len(view)
    return state.hexdigest()


def leaf_ranges(size: int) -> list[tuple[int, int]]:
    """Return the half-open byte ranges of the leaves of a file of `size` bytes; the last one may be shorter."""
    return [(start, min(start + LEAF_BYTES, size)) for start in range(0, size, LEAF_BYTES)]


def digest_pieces(pieces: Sequence[Piece]) -> str:
    """Return the digest of the file made of `pieces`."""
    return digest_audio(pieces).encoded


def chunk_root(chunks: Iterable[str]) -> str:
    """Return the digest over the raw chunk digests in their order (clause 8.4)."""
    return spelled(hashlib.sha256(b"".join(bytes.fromhex(hex_digits) for hex_digits in chunks)).hexdigest())


class _Lane:
    """Ranges that do not overlap, hashed one after the other as the bytes go by."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self.ranges = list(ranges)
        self.digests: dict[tuple[int, int], str] = {}
        self._state = hashlib.sha256()
        self._next = 0

    def takes(self, start: int) -> bool:
        return not self.ranges or start >= self.ranges[-1][1]

    def feed(self, offset: int, view: memoryview) -> None:
        end = offset + len(view)
        while self._next < len(self.ranges):
            start, stop = self.ranges[self._next]
            if start >= end and stop > start:
                return
            self._state.update(view[max(start - offset, 0) : max(min(stop, end) - offset, 0)])
            if stop > end:
                return
            self._close((start, stop))

    def finish(self) -> None:
        while self._next < len(self.ranges):
            self._close(self.ranges[self._next])

    def _close(self, span: tuple[int, int]) -> None:
        self.digests[span] = self._state.hexdigest()
        self._state = hashlib.sha256()
        self._next += 1


def _digest_ranges(
    pieces: Sequence[Piece], ranges: list[tuple[int, int]], leaves: list[tuple[int, int]], *, threads: bool
) -> dict[tuple[int, int], str]:
    own = [span for span in leaves if span not in ranges]  # a short file is its own only leaf
    lanes: list[_Lane] = [_Lane(own)] if own else []
    # The longest first: whole file, PCM, and then all chunks side by side in one lane.
    for span in sorted(ranges, key=lambda span: (span[0] - span[1], span[0])):
        if span[1] - span[0] == 0 or not (lane := next((lane for lane in lanes if lane.takes(span[0])), None)):
            lane = _Lane()
            lanes.append(lane)
        lane.ranges.append(span)
    if threads and len(lanes) > 1:
        _feed_in_threads(pieces, lanes)
    else:
        offset = 0
        for view in blocks_of(pieces):
            for lane in lanes:
                lane.feed(offset, view)
            offset += len(view)
    for lane in lanes:
        lane.finish()
    return {span: hex_digits for lane in lanes for span, hex_digits in lane.digests.items()}


class _Block:
    """A filled buffer that goes back to the ring when the last lane has read it."""

    __slots__ = ("_home", "_left", "_lock", "buffer", "offset", "size")

    def __init__(
        self, buffer: memoryview, home: SimpleQueue[memoryview], *, offset: int, size: int, readers: int
    ) -> None:
        self.buffer, self.offset, self.size = buffer, offset, size
        self._home, self._left, self._lock = home, readers, allocate_lock()

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._home.put(self.buffer)


def _feed_in_threads(pieces: Sequence[Piece], lanes: Sequence[_Lane]) -> None:
    """Read `pieces` once and feed every block of them to each of `lanes`, each in a thread of its own.

    The blocks go round in a ring: a buffer is filled again when the last lane is done with it.
    """
    import threading  # what a short file never needs
    from queue import SimpleQueue

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


def _consume(lane: _Lane, queue: SimpleQueue[_Block | None]) -> None:
    while (block := queue.get()) is not None:
        lane.feed(block.offset, block.buffer[: block.size])
        block.done()


def hex_digests(part: bytes, root: str | None) -> tuple[str, ...] | None:
    """Return the leaf digests in a part in hex, or None where they are not the ones that `root` binds."""
    if len(part) % _DIGEST_BYTES or digest.of(part) != root:
        return None
    return tuple(part[at : at + _DIGEST_BYTES].hex() for at in range(0, len(part), _DIGEST_BYTES))


def differing(found: Sequence[str], stated: Sequence[str]) -> list[tuple[int, int]]:
    """Return the half-open runs of leaves whose digests differ, as far as both sides have them."""
    runs: list[tuple[int, int]] = []
    for place, (mine, theirs) in enumerate(zip(found, stated, strict=False)):
        if mine == theirs:
            continue
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return runs


def span_words(first: int, end: int, size: int) -> str:
    """Return leaves `first` to before `end` of a file of `size` bytes in words.

    >>> span_words(37, 38, 1 << 30)
    'bytes 37 to 38 MiB'
    """
    scale = LEAF_BYTES // MIB
    if end * LEAF_BYTES >= size:
        return f"bytes {first * scale} MiB to the end"
    return f"bytes {first * scale} to {end * scale} MiB"
