"""Check sums of frames: CRC-8 over a FLAC header, CRC-16 over a FLAC frame (RFC 9639 sections 9.1.8 and 9.3).

The CRC-16 of a long file is taken in lanes of 256 bytes that numpy runs side by side. It is linear, so the state behind
a lane is the state before it, taken past 256 zero bytes, plus the lane's own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import ndarray

LANE_BYTES = 256
_FROM_BYTES = 128 * 1024  # from here on numpy is worth its import
_ZERO_STEPS = LANE_BYTES // 2


def crc8(data: bytes) -> int:
    """Return the CRC-8 of a frame header."""
    table, state = _table(0x07, 8), 0
    for byte in data:
        state = table[state ^ byte]
    return state


def crc16(state: int, data: bytes) -> int:
    """Return the CRC-16 behind `data` that was `state` before it."""
    table = _table(0x8005, 16)
    for byte in data:
        state = (state << 8 & 0xFF00) ^ table[state >> 8 ^ byte]
    return state


def lanes_of(size: int) -> Callable[[int, bytes], list[int]]:
    """Return what takes the CRC-16 of the blocks of a stream of `size` bytes: by numpy where there are many.

    It returns the state before each `LANE_BYTES` of a block, and the one behind the block.
    """
    return _by_numpy if size >= _FROM_BYTES else _by_byte


def state_at(states: list[int], block: bytes, at: int) -> int:
    """Return the CRC-16 before byte `at` of a block whose states `lanes_of` has given."""
    lane = at // LANE_BYTES
    return crc16(states[lane], block[lane * LANE_BYTES : at])


def _by_byte(state: int, block: bytes) -> list[int]:
    states = [state]
    for start in range(0, len(block), LANE_BYTES):
        states.append(crc16(states[-1], block[start : start + LANE_BYTES]))
    return states


def _by_numpy(state: int, block: bytes) -> list[int]:
    import numpy as np

    whole = len(block) // LANE_BYTES
    if not whole:
        return _by_byte(state, block)
    words = np.frombuffer(block, ">u2", whole * _ZERO_STEPS).reshape(whole, _ZERO_STEPS).T.astype(np.uint16, order="C")
    pairs, past_zeros = _word_tables()
    lanes = np.zeros(whole, np.uint16)
    for column in words:
        lanes = pairs[lanes ^ column]
    states = [state]
    for lane in lanes.tolist():
        states.append(past_zeros[states[-1]] ^ lane)
    rest = block[whole * LANE_BYTES :]
    return [*states, crc16(states[-1], rest)] if rest else states


@cache
def _word_tables() -> tuple[ndarray, list[int]]:
    """Return the CRC-16 over each two bytes, and over the zeros of a lane from each state."""
    import numpy as np

    pairs = _spread([crc16(1 << bit, b"\0\0") for bit in range(16)])
    return np.array(pairs, np.uint16), _spread([crc16(1 << bit, bytes(LANE_BYTES)) for bit in range(16)])


def _spread(images: list[int]) -> list[int]:
    """Return a linear map of 16 bits as a table, from what it makes of each bit."""
    table = [0]
    for image in images:
        table += [entry ^ image for entry in table]
    return table


@cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask, table = 1 << bits - 1, (1 << bits) - 1, []
    for byte in range(256):
        state = byte << bits - 8
        for _ in range(8):
            state = (state << 1 ^ (polynomial if state & top else 0)) & mask
        table.append(state)
    return tuple(table)
