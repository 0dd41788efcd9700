"""Ogg files for tests, taken apart into their pages: a page with other fields has its check sum made anew."""

from __future__ import annotations

from ttsartifact.container import ogg
from ttsartifact.container.source import BytesSource

__all__ = ["page", "pages_of"]


def pages_of(data: bytes) -> list[bytes]:
    """Return the pages of an Ogg, in their order."""
    pages, place = [], 0
    while place < len(data):
        end = ogg._page(BytesSource(data), place).end
        pages.append(data[place:end])
        place = end
    return pages


def page(
    data: bytes,
    *,
    serial: int | None = None,
    number: int | None = None,
    flags: int | None = None,
    granule: int | None = None,
) -> bytes:
    """Return a page with other fields, and its check sum made anew."""
    changed = bytearray(data)
    if serial is not None:
        changed[14:18] = serial.to_bytes(4, "little")
    if number is not None:
        changed[18:22] = number.to_bytes(4, "little")
    if flags is not None:
        changed[5] = flags
    if granule is not None:
        changed[6:14] = granule.to_bytes(8, "little")
    changed[22:26] = bytes(4)
    changed[22:26] = ogg._crc(bytes(changed)).to_bytes(4, "little")
    return bytes(changed)
