"""Pictures as PNG (ISO/IEC 15948) with a palette: one byte a pixel, as small as the page needs them."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DIVERGING", "SEQUENTIAL", "data_uri", "png"]

Colour = tuple[int, int, int]


def _palette(*stops: Colour) -> bytes:
    """Return 255 colours evenly between the stops, behind colour 0, which is transparent."""
    colours = [(0, 0, 0)]
    for step in range(255):
        place = step * (len(stops) - 1) / 254
        low = min(int(place), len(stops) - 2)
        share = place - low
        colours.append(tuple(round(a + (b - a) * share) for a, b in zip(stops[low], stops[low + 1], strict=True)))  # type: ignore[arg-type]
    return bytes(value for colour in colours for value in colour)


SEQUENTIAL = _palette((8, 9, 30), (60, 25, 110), (150, 45, 120), (230, 90, 80), (252, 190, 110), (255, 250, 210))
"""From quiet to loud."""
DIVERGING = _palette((20, 90, 200), (130, 180, 240), (245, 245, 245), (245, 170, 120), (190, 50, 20))
"""From louder in a, by equal, to louder in b."""


def png(pixels: NDArray[np.uint8], palette: bytes) -> bytes:
    """Return a picture of (height, width) palette indexes, the top row first; index 0 is transparent."""
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes as a URI that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
