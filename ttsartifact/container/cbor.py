"""CBOR (RFC 8949) as C2PA manifests use it: read only, within limits, and without the meaning of any tag."""

from __future__ import annotations

import struct
from typing import Any

from ttsartifact.errors import Damaged, TooLarge

__all__ = ["decode"]

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
