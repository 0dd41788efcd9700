"""JUMBF (ISO/IEC 19566-5) as C2PA uses it: boxes by their places, found by label. Nothing is ever written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple
from ttsartifact.errors import Damaged, TooLarge

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

__all__ = ["Box", "child", "children", "content", "superbox"]

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
