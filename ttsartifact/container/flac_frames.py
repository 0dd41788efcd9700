"""The frames of a FLAC, one after the other, without decoding one (RFC 9639 sections 8.2 and 9).

A frame does not state its length. Where it ends shows from its own check sum: the CRC-16 over a frame, check sum
included, is 0, so the running one over all frames is 0 wherever a frame ends, and nowhere else but once in 65,536
places. Every frame header that stands in such a place is therefore a frame of the chain that every player sees, and
each of them has to say what STREAMINFO says and to follow the one before.
"""

from __future__ import annotations

import re
import sys
from array import array
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ttsartifact.container.limits import MIB, READ_BLOCK_BYTES
from ttsartifact.errors import Damaged

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

__all__ = ["StreamInfo", "require_last_frame", "stream_info", "walk_frames"]

_STREAMINFO_AT = 8  # behind fLaC and the block's header
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES = 16  # the longest one, with its CRC-8
_RATES_HZ = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_MAX_FRAME_BYTES = 2 * MIB  # 65,535 samples of 8 channels and 32 bits, stored as they are
_MAX_CANDIDATES, _MAX_CHECKED = 1024, 4
_WORDS_FROM_BYTES = 128 * 1024  # from here on the larger table pays for itself


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """STREAMINFO: what the encoder says of all frames. `frames` is 0 where it did not know."""

    shortest_block: int
    longest_block: int
    longest_frame_bytes: int
    sample_rate_hz: int
    channels: int
    bits: int
    frames: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What a frame header says; rate and bits are 0 where it leaves them to STREAMINFO."""

    offset: int
    number: int
    is_variable: bool
    samples: int
    sample_rate_hz: int
    channels: int
    bits: int


def stream_info(source: Source, start: int = 0) -> StreamInfo:
    """Return STREAMINFO, the first block of the FLAC whose magic stands at `start`."""
    body = source.read_at(start + _STREAMINFO_AT, 34)
    packed = int.from_bytes(body[10:18], "big")
    return StreamInfo(
        shortest_block=int.from_bytes(body[:2], "big"),
        longest_block=int.from_bytes(body[2:4], "big"),
        longest_frame_bytes=int.from_bytes(body[7:10], "big"),
        sample_rate_hz=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        bits=(packed >> 36 & 0x1F) + 1,
        frames=packed & (1 << 36) - 1,
        md5=body[18:34].hex(),
    )


def walk_frames(source: Source, audio: int, info: StreamInfo) -> int:
    """Walk the frames from `audio` to the end of the file and return how many samples of a channel they hold.

    Raises Damaged (CON02) where another thing stands than the next frame, where a frame contradicts STREAMINFO, where
    its count is another, or where the last frame does not end at the end of the file.
    """
    _require_sound_info(info)
    chain = _Chain(info)
    state, done, tail, start = 0, audio, b"", audio
    use_words = source.size - audio >= _WORDS_FROM_BYTES
    while start < source.size:
        block = tail + source.read_at(start, min(READ_BLOCK_BYTES, source.size - start))
        base = start - len(tail)
        start = base + len(block)
        # A header that this block cuts is looked for in the next one.
        horizon = len(block) if start == source.size else len(block) - _HEADER_BYTES
        for sync in _SYNC.finditer(block, 0, horizon if start == source.size else horizon + 1):
            frame = _header(block[sync.start() : sync.start() + _HEADER_BYTES], base + sync.start())
            if frame is not None and sync.start() < horizon:
                state = _crc16(state, block[done - base : sync.start()], use_words=use_words)
                done = frame.offset
                if state == 0:
                    chain.append(frame)
        state = _crc16(state, block[done - base : horizon], use_words=use_words)
        done = base + horizon
        tail = block[horizon:]
    samples = chain.end(source.size, is_whole=state == 0)
    # Zeros behind a check sum leave it 0. One or two of them may be its own bytes; more are none.
    if source.read_at(source.size - 3, 3) == bytes(3):
        raise _refused("zero bytes behind the last frame", source.size - 3, "zeros", "the end of the file")
    return samples


def require_last_frame(source: Source, audio: int, info: StreamInfo) -> None:
    """Raise Damaged (CON02) unless the last frame of STREAMINFO's count ends where the file does.

    That shows bytes behind the audio and a cut end alike at the price of one read; `walk_frames` looks at all frames.
    """
    where = f"offset {audio}"
    sync = source.read_at(audio, min(2, source.size - audio))
    if sync not in {b"\xff\xf8", b"\xff\xf9"}:
        raise Damaged("no frame behind the metadata", where=where, found=sync.hex() or "nothing", expected="fff8, fff9")
    longest = info.longest_frame_bytes
    window = min(source.size - audio, longest or _MAX_FRAME_BYTES, _MAX_FRAME_BYTES)
    data = source.read_at(source.size - window, window)
    place, checked = window, 0
    for _ in range(_MAX_CANDIDATES):
        place = data.rfind(sync, 0, place)
        if place < 0 or checked == _MAX_CHECKED:
            break
        frame = _header(data[place : place + _HEADER_BYTES], place)
        if frame is None:
            continue
        end = frame.samples + (frame.number if frame.is_variable else frame.number * info.longest_block)
        if end == (info.frames or end):
            checked += 1
            if _crc16(0, data[place:], use_words=False) == 0:
                return
    raise _cut_end(source.size, info)


class _Chain:
    """The frames so far, each held to STREAMINFO, to the first one, and to the one before it."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._first: _Frame | None = None
        self._last: _Frame | None = None
        self._count = self._samples = 0

    def append(self, frame: _Frame) -> None:
        for name, stated, found in (
            ("sample rate", self._info.sample_rate_hz, frame.sample_rate_hz or self._info.sample_rate_hz),
            ("number of channels", self._info.channels, frame.channels),
            ("sample depth", self._info.bits, frame.bits or self._info.bits),
        ):
            if stated != found:
                raise _refused(f"a FLAC frame contradicts STREAMINFO in its {name}", frame.offset, found, stated)
        first = self._first = self._first or frame
        expected = self._samples if first.is_variable else self._count
        if frame.is_variable != first.is_variable or frame.number != expected:
            raise _refused("a FLAC frame does not follow the one before it", frame.offset, frame.number, expected)
        if self._last is not None and not first.is_variable and self._last.samples != first.samples:
            what = "a frame in the middle of a FLAC is of another length"
            raise _refused(what, self._last.offset, self._last.samples, first.samples)
        if frame.samples > self._info.longest_block:
            what = "a FLAC frame is longer than STREAMINFO allows"
            raise _refused(what, frame.offset, frame.samples, f"at most {self._info.longest_block}")
        self._last = frame
        self._count += 1
        self._samples += frame.samples

    def end(self, size: int, *, is_whole: bool) -> int:
        if self._last is None or not is_whole:
            raise _cut_end(size, self._info)
        if self._info.frames not in {0, self._samples}:
            what = "STREAMINFO counts other samples than the frames hold"
            raise _refused(what, _STREAMINFO_AT, self._info.frames, self._samples)
        return self._samples


def _cut_end(size: int, info: StreamInfo) -> Damaged:
    return Damaged(
        "the last frame does not end where the file does",
        where=f"offset {size}",
        found="a damaged or cut frame, or bytes behind it",
        expected=f"the end of sample {info.frames}" if info.frames else "the end of a frame",
    )


def _require_sound_info(info: StreamInfo) -> None:
    # Players that probe by content take a STREAMINFO beyond these bounds for another format (RFC 9639 section 8.2).
    if not 16 <= info.shortest_block <= info.longest_block or not 0 < info.sample_rate_hz <= 655_350:
        found = f"blocks of {info.shortest_block} to {info.longest_block} samples at {info.sample_rate_hz} Hz"
        raise _refused("STREAMINFO says what cannot be", _STREAMINFO_AT, found, "blocks of at least 16 samples, a rate")


def _header(head: bytes, offset: int) -> _Frame | None:
    """Return the frame whose header stands in `head` (RFC 9639 section 9.1), or None where none does."""
    if len(head) < 6:
        return None
    sizes, rates, channels, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    if sizes == 0 or rates == 15 or channels > 10 or bits == 3 or head[3] & 1 or ones in {1, 8}:
        return None
    at = 4 + max(1, ones)
    number = head[4] & (0x7F >> ones)
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    stored = {6: 1, 7: 2}.get(sizes, 0)
    samples = int.from_bytes(head[at : at + stored], "big") + 1 if stored else _samples_of(sizes)
    at += stored
    rate, wide = _rate(rates, head[at : at + 2])
    at += wide
    if len(head) <= at or _crc8(head[:at]) != head[at]:
        return None
    return _Frame(
        offset=offset,
        number=number,
        is_variable=bool(head[1] & 1),
        samples=samples,
        sample_rate_hz=rate,
        channels=channels + 1 if channels < 8 else 2,
        bits=_BITS.get(bits, 0),
    )


def _rate(code: int, stored: bytes) -> tuple[int, int]:
    """Return the rate that a code of four bits means, and how many bytes behind the number it took."""
    if code < 12:
        return _RATES_HZ[code], 0
    value = int.from_bytes(stored[:1] if code == 12 else stored, "big")
    return value * {12: 1000, 13: 1, 14: 10}[code], 1 if code == 12 else 2


def _samples_of(sizes: int) -> int:
    return 192 if sizes == 1 else 576 << sizes - 2 if sizes < 6 else 256 << sizes - 8


def _refused(message: str, place: int, found: object, expected: object) -> Damaged:
    return Damaged(message, where=f"offset {place}", found=found, expected=expected)


@cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask, table = 1 << bits - 1, (1 << bits) - 1, []
    for byte in range(256):
        state = byte << bits - 8
        for _ in range(8):
            state = (state << 1 ^ (polynomial if state & top else 0)) & mask
        table.append(state)
    return tuple(table)


@cache
def _word_table() -> tuple[int, ...]:
    """Return the CRC-16 over each two bytes: the state is as wide as they are, and one look takes it past both."""
    table = _table(0x8005, 16)
    steps = [(state << 8 & 0xFF00, state >> 8) for state in table]
    return tuple(high ^ table[low ^ byte] for high, low in steps for byte in range(256))


def _crc8(data: bytes) -> int:
    table, state = _table(0x07, 8), 0
    for byte in data:
        state = table[state ^ byte]
    return state


def _crc16(state: int, data: bytes, *, use_words: bool) -> int:
    table, left = _table(0x8005, 16), data
    if use_words:
        words = array("H", data[: len(data) & ~1])
        if sys.byteorder == "little":
            words.byteswap()
        pairs, left = _word_table(), data[len(data) & ~1 :]
        for word in words:
            state = pairs[state ^ word]
    for byte in left:
        state = (state << 8 & 0xFF00) ^ table[state >> 8 ^ byte]
    return state
