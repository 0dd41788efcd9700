"""The side information of the frames of an MP3: where their bits lie, and what some players leave a frame out for."""

from __future__ import annotations

from ttsartifact.container.crc import crc16
from ttsartifact.errors import Damaged

__all__ = ["MainData", "channels_of", "refused", "require_sum"]

_OPENING = 0xCF  # mode, copyright, original and emphasis, by which FFmpeg finds the first frame of a file
_MONO = 3
_MOST_BIG_VALUES = 288  # pairs of the 576 lines of a granule
_NO_TABLES = frozenset({4, 14})  # ISO 11172-3, table 3-B.7


class MainData:
    """Where the bits of each frame lie in what the frames before it left free (ISO 11172-3, 2.4.3.1 and annex A).

    A frame states how far before its own room its bits begin. Where they overlap those of another frame, or run on
    into the next one, frames were lost or joined, and each decoder conceals that in its own way.
    """

    def __init__(self) -> None:
        self._room = self._used = 0
        self._opening: int | None = None
        self._frames = 0

    def take(self, side: bytes, place: int, word: int, size: int) -> None:
        """Add the frame of `size` bytes at `place`.

        Raises Damaged (CON02) where its bits are not where it says, or some decoders leave it out.
        """
        begins, bits = _require_side(side, place, word)
        self._frames += 1
        if self._opening is not None and self._frames == 2 and (word ^ self._opening) & _OPENING:
            what = "the first two frames differ in mode, rights or emphasis: FFmpeg leaves the first out"
            raise refused(what, place, f"{word & _OPENING:#04x}", f"{self._opening & _OPENING:#04x}")
        self._opening = self._opening or word
        room = size - len(side) - (4 if word >> 16 & 1 else 6)
        first, last = self._room - begins, self._room - begins + (bits + 7) // 8
        self._room += room
        # Of a stream that was cut at its beginning, all decoders leave the first frames silent.
        if bits and first >= 0 and (first < self._used or last > self._room):
            what = "the bits of a frame are not where it says: frames were lost or joined, and players differ there"
            raise refused(what, place, f"byte {first} to {last}", f"byte {self._used} to {self._room}")
        self._used = max(self._used, last)


def _require_side(side: bytes, place: int, word: int) -> tuple[int, int]:
    """Return how many bytes back the bits of a frame begin, and how many they are (ISO 11172-3, 2.4.1.7 and 2.4.2.7).

    Raises Damaged for side information that some decoders leave the frame out for.
    """
    is_mpeg1, channels = word >> 19 & 3 == 3, channels_of(word)
    wide, gain_bits = (59, 12) if is_mpeg1 else (63, 17)  # of a granule; global gain and scale factors behind the pairs
    value, bits = int.from_bytes(side, "big"), 0
    begins = value >> len(side) * 8 - (9 if is_mpeg1 else 8)
    for _ in range(2 * channels if is_mpeg1 else channels):
        bits += value >> wide - 12 & 0xFFF
        pairs = value >> wide - 21 & 0x1FF
        if pairs > _MOST_BIG_VALUES:
            what = "a frame with more values than it has lines: players leave it out or not"
            raise refused(what, place, f"{pairs} pairs", f"at most {_MOST_BIG_VALUES}")
        # Window switching, and the type of block behind it.
        if value >> wide - 24 - gain_bits & 7 == 4:
            what = "a frame that switches to no other window: players leave it out or not"
            raise refused(what, place, "block type 0", "1, 2 or 3")
        _require_tables(value, wide, wide - 22 - gain_bits, place)
        value >>= wide
    return begins, bits


def _require_tables(value: int, wide: int, switch: int, place: int) -> None:
    """Raise where a granule names a Huffman table that does not exist, or more pairs than it has bits for.

    Its bit `switch`, counted from below, says whether it switches windows: two tables behind three bits, else three.
    """
    is_switched = value >> switch & 1
    end = switch - 3 * is_switched
    tables = [value >> end - 5 * number & 31 for number in range(1, 4 - is_switched)]
    for table in tables:
        if table in _NO_TABLES:
            what = "a frame with a Huffman table that does not exist: players leave it out or not"
            raise refused(what, place, f"table {table}", "0 to 31 without 4 and 14")
    bits, pairs = value >> wide - 12 & 0xFFF, value >> wide - 21 & 0x1FF
    if 0 < bits < pairs and all(tables):  # only table 0 spends none
        what = "a frame with more values than bits: players leave it out or not"
        raise refused(what, place, f"{pairs} pairs in {bits} bits", "at least a bit for each")


def require_sum(stated: int, side: bytes, place: int, word: int) -> None:
    """Raise where the check sum of a protected frame does not hold: libmad leaves such a frame out (2.4.3.1)."""
    held = crc16(0xFFFF, (word & 0xFFFF).to_bytes(2, "big") + side)
    if held != stated:
        what = "the check sum of an MPEG frame does not hold: players leave it out or not"
        raise refused(what, place, f"{stated:#06x}", f"{held:#06x}")


def channels_of(word: int) -> int:
    """Return the number of channels that a header states."""
    return 1 if word >> 6 & 3 == _MONO else 2


def refused(message: str, place: int, found: object, expected: object) -> Damaged:
    """Return the error of a stream that players play in different ways."""
    return Damaged(message, where=f"offset {place}", found=found, expected=expected)
