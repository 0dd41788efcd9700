"""The frames of a FLAC, one after the other, without decoding one (RFC 9639 sections 8.2 and 9).

A frame does not state its length. Where it ends shows from its own check sum: the CRC-16 over a frame, check sum
included, is 0, so the running one over all frames is 0 wherever a frame ends, and nowhere else but once in 65,536
places. Every frame header that stands in such a place is therefore a frame of the chain that every player sees, and
each of them has to say what STREAMINFO says and to follow the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container.crc import crc8, crc16, lanes_of, state_at
from ttsartifact.container.id3 import tail_between
from ttsartifact.container.limits import MIB, READ_BLOCK_BYTES
from ttsartifact.errors import Damaged, damaged_at

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

_STREAMINFO_AT = 8  # behind fLaC and the block's header
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES = 16  # the longest one, with its CRC-8
_RATES_HZ = (0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_MAX_FRAME_BYTES = 2 * MIB  # 65,535 samples of 8 channels and 32 bits, stored as they are
_MAX_CANDIDATES, _MAX_CHECKED = 1024, 4
_HIDDEN = 4  # FFmpeg links a header to one of the next four


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


def opening(info: StreamInfo, frames: int) -> bytes:
    """Return fLaC and a STREAMINFO alone, which counts `frames`, for a decoder that is to see frames and no metadata.

    The shortest block is that of the longest: a decoder that reads from the beginning has no use for it, and
    libsndfile takes another one for a variable size.
    """
    packed = info.sample_rate_hz << 44 | (info.channels - 1) << 41 | (info.bits - 1) << 36 | frames
    sizes = info.longest_block.to_bytes(2, "big") * 2 + bytes(6)
    return b"fLaC" + b"\x80\0\0\x22" + sizes + packed.to_bytes(8, "big") + bytes.fromhex(info.md5)


def walk_frames(source: Source, audio: int, end: int, info: StreamInfo) -> int:
    """Walk the frames from `audio` to `end` and return how many samples of a channel they hold.

    Raises Damaged (CON02) where another thing stands than the next frame, where a frame contradicts STREAMINFO, where
    its count is another, where the last frame does not end at `end`, or where frames are hidden within a frame.
    """
    _require_sound_info(info)
    chain, states_of, states = _Chain(info), lanes_of(end - audio), [0]
    for start in range(audio, end, READ_BLOCK_BYTES):
        size = min(READ_BLOCK_BYTES, end - start)
        # A header that this block would cut is read whole.
        block = source.read_at(start, min(size + _HEADER_BYTES, end - start))
        states = states_of(states[-1], block[:size])
        for sync in _SYNC.finditer(block, 0, size + 1):
            at = sync.start()
            frame = _header(block[at : at + _HEADER_BYTES], start + at)
            if frame is not None and state_at(states, block, at) == 0:
                chain.append(frame)
            elif frame is not None:
                chain.pass_over(frame)
    samples = chain.end(source, end, is_whole=states[-1] == 0)
    # Zeros behind a check sum leave it 0. One or two of them may be its own bytes; more are none.
    if source.read_at(end - 3, 3) == bytes(3):
        raise damaged_at("zero bytes behind the last frame", end - 3, "zeros", "the end of the file")
    return samples


def require_no_frame(source: Source, start: int) -> None:
    """Raise Damaged (CON02) where a frame header stands behind the frames: players look for them to the very end."""
    tail = source.read_at(start, source.size - start)
    for sync in _SYNC.finditer(tail):
        if _header(tail[sync.start() : sync.start() + _HEADER_BYTES], 0) is not None:
            raise damaged_at("a FLAC frame within a tag behind the audio", start + sync.start(), "a frame", "none")


def require_last_frame(source: Source, audio: int, end: int, info: StreamInfo) -> None:
    """Raise Damaged (CON02) unless the last frame of STREAMINFO's count ends at `end`.

    That shows bytes behind the audio and a cut end alike at the price of one read; `walk_frames` looks at all frames.
    """
    where = f"offset {audio}"
    sync = source.read_at(audio, min(2, end - audio))
    if sync not in {b"\xff\xf8", b"\xff\xf9"}:
        raise Damaged("no frame behind the metadata", where=where, found=sync.hex() or "nothing", expected="fff8, fff9")
    longest = info.longest_frame_bytes
    window = min(end - audio, longest or _MAX_FRAME_BYTES, _MAX_FRAME_BYTES)
    data = source.read_at(end - window, window)
    place, checked = window, 0
    for _ in range(_MAX_CANDIDATES):
        place = data.rfind(sync, 0, place)
        if place < 0 or checked == _MAX_CHECKED:
            break
        frame = _header(data[place : place + _HEADER_BYTES], place)
        if frame is None:
            continue
        played = frame.samples + (frame.number if frame.is_variable else frame.number * info.longest_block)
        if played == (info.frames or played):
            checked += 1
            if crc16(0, data[place:]) == 0:
                return
    raise _cut_end(source, end, info)


class _Chain:
    """The frames so far, each held to STREAMINFO, to the first one, and to the one before it."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._first: _Frame | None = None
        self._last: _Frame | None = None
        self._count = self._samples = 0
        self._hidden: tuple[_Frame, ...] = ()
        self._within: Damaged | None = None

    def append(self, frame: _Frame) -> None:
        for name, stated, found in (
            ("sample rate", self._info.sample_rate_hz, frame.sample_rate_hz or self._info.sample_rate_hz),
            ("number of channels", self._info.channels, frame.channels),
            ("sample depth", self._info.bits, frame.bits or self._info.bits),
        ):
            if stated != found:
                raise damaged_at(f"a FLAC frame contradicts STREAMINFO in its {name}", frame.offset, found, stated)
        first = self._first = self._first or frame
        expected = self._samples if first.is_variable else self._count
        if frame.is_variable != first.is_variable or frame.number != expected:
            raise damaged_at("a FLAC frame does not follow the one before it", frame.offset, frame.number, expected)
        if self._last is not None and not first.is_variable and self._last.samples != first.samples:
            what = "a frame in the middle of a FLAC stream has a different length"
            raise damaged_at(what, self._last.offset, self._last.samples, first.samples)
        if frame.samples > self._info.longest_block:
            what = "a FLAC frame is longer than STREAMINFO allows"
            raise damaged_at(what, frame.offset, frame.samples, f"at most {self._info.longest_block}")
        self._last = frame
        self._count += 1
        self._samples += frame.samples

    def pass_over(self, frame: _Frame) -> None:
        """Take a header that stands within a frame: chance, unless it goes on from another one as frames do.

        FFmpeg builds chains of such headers and looks at check sums only where a chain breaks, so that it plays
        frames that are stored as the samples of another one.
        """
        for before in (self._last, *self._hidden):
            if before is not None and before.offset + _MAX_FRAME_BYTES > frame.offset and self._goes_on(before, frame):
                what, place = (
                    "FLAC frames within a frame: players choose among them",
                    f"the samples of frame {self._count - 1}",
                )
                self._within = self._within or damaged_at(what, frame.offset, f"frame {frame.number}", place)
        self._hidden = (*self._hidden[1 - _HIDDEN :], frame)

    def _goes_on(self, before: _Frame, frame: _Frame) -> bool:
        info = self._info
        number = before.number + (before.samples if before.is_variable else 1)
        like, this = (
            (each.is_variable, each.channels, each.sample_rate_hz or info.sample_rate_hz, each.bits or info.bits)
            for each in (before, frame)
        )
        return frame.number == number and like == this

    def end(self, source: Source, size: int, *, is_whole: bool) -> int:
        if self._last is None or not is_whole:
            raise _cut_end(source, size, self._info)
        if self._within is not None:  # in a damaged file they are the frames behind the damage
            raise self._within
        if self._info.frames not in {0, self._samples}:
            what = "STREAMINFO counts other samples than the frames hold"
            raise damaged_at(what, _STREAMINFO_AT, self._info.frames, self._samples)
        return self._samples


def _cut_end(source: Source, size: int, info: StreamInfo) -> Damaged:
    tag = tail_between(source, _STREAMINFO_AT, size)
    return Damaged(
        "the last frame does not end where the file does",
        where=f"offset {size}",
        found="a damaged or cut frame, or bytes behind it" if tag is None else f"{tag} behind the frames",
        expected=f"the end of sample {info.frames}" if info.frames else "the end of a frame",
    )


def _require_sound_info(info: StreamInfo) -> None:
    # Players that probe by content take a STREAMINFO beyond these bounds for another format (RFC 9639 section 8.2).
    if not 16 <= info.shortest_block <= info.longest_block or not 0 < info.sample_rate_hz <= 655_350:
        found = f"blocks of {info.shortest_block} to {info.longest_block} samples at {info.sample_rate_hz} Hz"
        raise damaged_at("STREAMINFO is not valid", _STREAMINFO_AT, found, "blocks of at least 16 samples, a rate")


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
    if len(head) <= at or crc8(head[:at]) != head[at]:
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
