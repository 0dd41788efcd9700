"""Walks Thrift's compact protocol, as far as a Parquet footer and its page headers need it, and believes no length.

A struct becomes a dict by field number, text its place (offset, size) in the bytes. Meaning is left to parquet.py.
"""

from __future__ import annotations

from typing import Any

from ttsartifact.errors import Damaged, TooLarge

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
_INTEGERS = {4, 5, 6}
_MAX_DEPTH = 16


def read_struct(
    data: bytes, position: int = 0, *, most: int, keep: frozenset[int] | None = None
) -> tuple[dict[int, Any], int]:
    """Return the struct at `position` and where it ends. Of fields outside `keep` only the lengths are walked.

    Raises TooLarge for more than `most` values, Damaged (CON02) if the bytes are not a struct; IndexError never
    escapes.
    """
    try:
        return _struct(data, position, 0, keep, _Allowance(most))
    except IndexError as error:
        raise Damaged("a Thrift structure runs past its end", where=f"byte {len(data)} of it") from error


class _Allowance:
    """How many values may still be read: a value takes a byte of the file, and a hundred of memory."""

    __slots__ = ("left", "most")

    def __init__(self, most: int) -> None:
        self.left = self.most = most

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooLarge("a Thrift structure of too many values", expected=f"at most {self.most}")


def _struct(
    data: bytes, position: int, depth: int, keep: frozenset[int] | None, allowance: _Allowance
) -> tuple[dict[int, Any], int]:
    if depth > _MAX_DEPTH:
        raise _broken("is nested too deeply", position)
    fields: dict[int, Any] = {}
    number = 0
    while head := data[position]:
        at, position = position, position + 1
        if head >> 4:
            number += head >> 4
        else:
            number, position = _zigzag(data, position)
        if number in fields:
            raise _broken("holds a field twice", at)
        kept = keep is None or number in keep
        value, position = _value(data, position, head & 0x0F, depth + 1, allowance, kept=kept)
        fields[number] = value if kept else None
    return fields, position + 1


def _value(data: bytes, position: int, kind: int, depth: int, allowance: _Allowance, *, kept: bool) -> tuple[Any, int]:
    allowance.take()
    if kind in {_TRUE, _FALSE}:
        return kind == _TRUE, position
    if kind == _BYTE:
        return data[position], position + 1
    if kind in _INTEGERS:
        return _zigzag(data, position)
    if kind in {_DOUBLE, _UUID}:
        return None, _within(data, position, 8 if kind == _DOUBLE else 16)
    if kind == _BINARY:
        size, position = _varint(data, position)
        return (position, size), _within(data, position, size)
    if kind in {_LIST, _SET}:
        return _list(data, position, depth, allowance, kept=kept)
    if kind == _STRUCT:
        return _struct(data, position, depth, None if kept else frozenset(), allowance)
    if kind == _MAP:
        size, position = _varint(data, position)
        _within(data, position, size)
        kinds, position = (data[position], position + 1) if size else (0, position)
        for _ in range(size):
            for kind_of in (kinds >> 4, kinds & 0x0F):
                _, position = _element(data, position, kind_of, depth, allowance, kept=False)
        return None, position
    raise _broken("holds a field of no known type", position)


def _list(data: bytes, position: int, depth: int, allowance: _Allowance, *, kept: bool) -> tuple[Any, int]:
    head, position = data[position], position + 1
    size = head >> 4
    if size == 15:
        size, position = _varint(data, position)
    _within(data, position, size)  # an element takes a byte at least, so a lie about the length ends here
    items = []
    for _ in range(size):
        value, position = _element(data, position, head & 0x0F, depth, allowance, kept=kept)
        if kept:
            items.append(value)
    return items, position


def _element(
    data: bytes, position: int, kind: int, depth: int, allowance: _Allowance, *, kept: bool
) -> tuple[Any, int]:
    """Read an element; a boolean takes a byte here, while in a struct it is in the field's head."""
    if kind in {_TRUE, _FALSE}:
        allowance.take()
        return data[position] == _TRUE, position + 1
    if depth > _MAX_DEPTH:
        raise _broken("is nested too deeply", position)
    return _value(data, position, kind, depth + 1, allowance, kept=kept)


def _zigzag(data: bytes, position: int) -> tuple[int, int]:
    value, position = _varint(data, position)
    return (value >> 1) ^ -(value & 1), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = data[position]
    if value < 0x80:
        return value, position + 1
    value, shift = value & 0x7F, 7
    while True:
        position += 1
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
        if shift > 63:
            raise _broken("holds an integer of more than 64 bits", position)


def _within(data: bytes, position: int, size: int) -> int:
    if position + size > len(data):
        raise _broken("holds a length that runs past its end", position)
    return position + size


def _broken(what: str, position: int) -> Damaged:
    return Damaged(f"a Thrift structure {what}", where=f"byte {position} of it")
