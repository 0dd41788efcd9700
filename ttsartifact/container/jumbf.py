"""JUMBF boxes (ISO/IEC 19566-5) and CBOR (RFC 8949) as C2PA uses them: read only, and within limits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.errors import Damaged, TooLarge

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

_MAX_BOXES = 1024  # of one superbox
_MAX_LABEL_BYTES = 1024
_MAX_CONTENT_BYTES = 1 << 20
_KIND_BYTES = 16
_HAS_LABEL = 0x02


class Box(NamedTuple):
    """One box: where its content is in the source, and for a superbox what its description says."""

    type: bytes
    body: int
    end: int
    kind: bytes = b""
    """The UUID that a superbox's description names."""
    label: str = ""
    inner: int = 0
    """Where the boxes behind a superbox's description begin."""


def superbox(source: Source, offset: int, end: int) -> Box:
    """Return the superbox that begins at `offset`; raises Damaged when another box or no whole one lies there."""
    found = _box(source, offset, end)
    if found.type != b"jumb":
        raise Damaged("no JUMBF superbox", where=f"offset {offset}", found=found.type.hex(), expected="jumb")
    return found


def children(source: Source, parent: Box) -> list[Box]:
    """Return the boxes inside a superbox, without its description; raises Damaged or TooLarge."""
    found: list[Box] = []
    offset = parent.inner
    while offset < parent.end:
        if len(found) == _MAX_BOXES:
            raise TooLarge("too many JUMBF boxes", where=f"offset {offset}", expected=f"at most {_MAX_BOXES}")
        found.append(_box(source, offset, parent.end))
        offset = found[-1].end
    return found


def child(source: Source, parent: Box, *labels: str) -> Box | None:
    """Return the first superbox inside `parent` that has one of `labels`, or None."""
    return next((box for box in children(source, parent) if box.type == b"jumb" and box.label in labels), None)


def content(source: Source, parent: Box, kind: bytes) -> bytes:
    """Return the body of the one box of type `kind` inside a superbox; raises Damaged or TooLarge."""
    held = [box for box in children(source, parent) if box.type == kind]
    if len(held) != 1:
        name = kind.decode("ascii")
        raise Damaged(f"{parent.label} does not hold one {name} box", where=f"offset {parent.body}", found=len(held))
    size = held[0].end - held[0].body
    if size > _MAX_CONTENT_BYTES:
        raise TooLarge(
            f"{parent.label} is too large",
            where=f"offset {held[0].body}",
            found=f"{size} bytes",
            expected=f"at most {_MAX_CONTENT_BYTES} bytes",
        )
    return source.read_at(held[0].body, size)


def _box(source: Source, offset: int, end: int) -> Box:
    """Return the box at `offset`: LBox and TBox, XLBox where LBox is 1, and to the end where it is 0."""
    if end - offset < 8:
        raise _cut(offset, end - offset, 8)
    head = source.read_at(offset, min(16, end - offset))
    size, body = int.from_bytes(head[:4], "big"), offset + 8
    if size == 1:
        if len(head) < 16:
            raise _cut(offset, len(head), 16)
        size, body = int.from_bytes(head[8:], "big"), offset + 16
    size = end - offset if size == 0 else size
    if not body - offset <= size <= end - offset:
        raise _cut(offset, end - offset, size)
    found = Box(type=head[4:8], body=body, end=offset + size)
    return _described(source, found) if found.type == b"jumb" else found


def _described(source: Source, box: Box) -> Box:
    """Return a superbox with what its description box says: type, toggles, and a label where they say so."""
    described = _box(source, box.body, box.end)
    size = described.end - described.body
    if described.type != b"jumd" or size < _KIND_BYTES + 1:
        raise Damaged("a JUMBF superbox without a description", where=f"offset {box.body}", expected="jumd")
    held = source.read_at(described.body, min(size, _KIND_BYTES + 1 + _MAX_LABEL_BYTES))
    name = held[_KIND_BYTES + 1 :].partition(b"\0")[0] if held[_KIND_BYTES] & _HAS_LABEL else b""
    return box._replace(kind=held[:_KIND_BYTES], label=name.decode("utf-8", "backslashreplace"), inner=described.end)


def _cut(offset: int, found: int, expected: int) -> Damaged:
    return Damaged(
        "a JUMBF box does not end where it says",
        where=f"offset {offset}",
        found=f"{found} bytes",
        expected=f"{expected} bytes",
    )


_MAX_DEPTH = 32
_MAX_ITEMS = 20_000
_BREAK = 0xFF
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_INDEFINITE = 31


def decode(data: bytes) -> Any:
    """Return the one value that `data` holds; a tagged value is the value without its tag.

    Raises Damaged for bytes that are not CBOR, or that go on behind the value; TooLarge for a value that is nested
    deeper than 32 levels or holds more than 20,000 items.

    >>> decode(bytes.fromhex("a163616c6766736861323536"))
    {'alg': 'sha256'}
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise _broken(reader.at, f"{len(data) - reader.at} bytes behind the value")
    return value


class _Reader:
    """A place in the bytes, and how many items were read on the way to it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self._items = data, 0, 0

    def value(self, depth: int) -> Any:
        self._items += 1
        if depth > _MAX_DEPTH or self._items > _MAX_ITEMS:
            raise TooLarge(
                "the CBOR value is too large",
                where=f"CBOR offset {self.at}",
                expected=f"at most {_MAX_DEPTH} levels and {_MAX_ITEMS} items",
            )
        start = self.at
        (head,) = self._take(1)
        kind, low = head >> 5, head & 0x1F
        if kind == 7:
            return self._simple(low, start)
        if low == _INDEFINITE and kind in {2, 3, 4, 5}:
            return self._indefinite(kind, depth)
        argument = self._argument(low, start)
        if kind in {0, 1}:
            return argument if kind == 0 else -1 - argument
        if kind in {2, 3}:
            return self._string(kind, argument, start)
        if kind == 6:
            return self.value(depth + 1)
        if kind == 4:
            return [self.value(depth + 1) for _ in range(argument)]
        return dict(self._pair(depth) for _ in range(argument))

    def _take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise _broken(self.at, f"{len(self.data) - self.at} bytes", f"{size} bytes")
        self.at += size
        return self.data[self.at - size : self.at]

    def _argument(self, low: int, start: int) -> int:
        if low < 24:
            return low
        if low > 27:
            raise _broken(start, f"{self.data[start]:#04x}", "a length")
        return int.from_bytes(self._take(1 << low - 24), "big")

    def _string(self, kind: int, size: int, start: int) -> bytes | str:
        held = self._take(size)
        if kind == 2:
            return held
        try:
            return held.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _broken(start, "other bytes", "UTF-8") from error

    def _simple(self, low: int, start: int) -> Any:
        if low in _SIMPLE:
            return _SIMPLE[low]
        if low in _FLOATS:
            layout = _FLOATS[low]
            return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        raise _broken(start, f"{self.data[start]:#04x}", "a value")

    def _indefinite(self, kind: int, depth: int) -> Any:
        items: list[Any] = []
        while self.data[self.at : self.at + 1] != bytes([_BREAK]):
            items.append(self._pair(depth) if kind == 5 else self.value(depth + 1))
        self.at += 1
        if kind == 4:
            return items
        if kind == 5:
            return dict(items)
        wanted: type = bytes if kind == 2 else str
        if not all(isinstance(item, wanted) for item in items):
            raise _broken(self.at, "a value of the wrong type in a string", wanted.__name__)
        return wanted().join(items)

    def _pair(self, depth: int) -> tuple[Any, Any]:
        start, key = self.at, self.value(depth + 1)
        if not isinstance(key, str | int):
            raise _broken(start, "a key of the wrong type", "a text or an integer")
        return key, self.value(depth + 1)


def _broken(offset: int, found: str, expected: str = "a whole CBOR value") -> Damaged:
    return Damaged("not valid CBOR", where=f"CBOR offset {offset}", found=found, expected=expected)
