"""The frames of an MP3, one after the other, without decoding one (ISO 11172-3 and 13818-3, layer III).

What a decoder's library estimates of a stream is a guess; the chain of its frames is not. All of them are looked at, so
that what is counted and digested is what every player plays (clause 3.9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container.crc import crc16
from ttsartifact.container.limits import MAX_SMALL_CHUNK_BYTES, READ_BLOCK_BYTES
from ttsartifact.container.mistaken import followed_frame
from ttsartifact.errors import Damaged, TooLarge, damaged_at

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

# kbit/s by index, and Hz by version and index; version 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5.
_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SAME = 0xFFFE_0C00  # sync, version, layer and rate, which no frame of one stream changes

_DECODER_DELAY = 529  # frames that the synthesis of every layer III decoder adds, which LAME's padding reckons with
_LEAST_PADDING = 576  # of LAME, which adds a frame where less is left in the last one
_WRITERS = (b"LAME", b"Lavf", b"Lavc")  # of the delay and padding behind Xing's fields
_XING_FIELDS = ((1, 4), (2, 4), (4, 100), (8, 4))  # flag and bytes: frames, bytes, table of contents, quality
_VBRI_AT = 36  # whatever the length of the side information


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpeg:
    """What the chain of frames says."""

    start: int
    end: int
    sample_rate_hz: int
    channels: int
    count: int
    """Frames that hold sound; a first one that only holds a Xing, Info or VBRI header is none of them."""
    samples_per_frame: int
    sound: int
    """Where the first of them stands."""
    delay: int | None
    padding: int | None
    """Of the encoder, as the header has them; None where no player reads them."""

    @property
    def frames(self) -> int:
        """Samples of each channel that a gapless decoder plays."""
        whole = self.count * self.samples_per_frame
        if self.delay is None or self.padding is None:
            return whole
        return max(0, whole - self.delay - _DECODER_DELAY - max(0, self.padding - _DECODER_DELAY))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Info:
    """A Xing, Info or VBRI header: the frames behind it, the bytes or 0, and what LAME adds."""

    count: int
    file_bytes: int
    delay: int | None = None
    padding: int | None = None


def frame_bytes(word: int) -> int | None:
    """Return the length of the frame that a header opens, or None for no header of layer III with a bitrate."""
    version, kbits, rate = word >> 19 & 3, word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or word >> 17 & 3 != 1 or kbits in {0, 15} or rate == 3:
        return None
    bits_s = 1000 * (_KBITS_1 if version == 3 else _KBITS_2)[kbits - 1]
    return (144 if version == 3 else 72) * bits_s // _RATES_HZ[version][rate] + (word >> 9 & 1)


def is_free_format(word: int) -> bool:
    """Return whether a header of layer III leaves its bitrate open, so that nothing states where its frame ends."""
    return word >> 21 == 0x7FF and word >> 17 & 3 == 1 and word >> 12 & 15 == 0


def same_kind(word: int, other: int) -> bool:
    """Return whether two headers are of one stream: version, layer, rate and number of channels."""
    return (word ^ other) & _SAME == 0 and _channels_of(word) == _channels_of(other)


def walk_frames(source: Source, start: int, end: int) -> Mpeg:
    """Walk the frames from `start` to `end`; raises Damaged (CON02) where another thing stands than the next frame.

    Every frame is of the first one's version, layer, rate and number of channels, has a stated bitrate, and ends
    where the next one begins; the last one ends at `end`. A Xing, Info or VBRI header stands in the first one only
    and counts as many frames as there are.
    """
    reader = _Reader(source, end)
    first = reader.word(start)
    if first is None or frame_bytes(first) is None:
        raise _no_frame(source, start, end)
    info = _info(source.read_at(start, min(frame_bytes(first) or 0, end - start)), first, start)
    count, place, main = 0, start, _MainData()
    while place < end:
        word = reader.word(place)
        size = None if word is None else frame_bytes(word)
        if word is None or size is None:
            raise _no_frame(source, place, end)
        if not same_kind(word, first):
            raise damaged_at("an MPEG frame of a different kind", place, _kind(word), _kind(first))
        if place + size > end:
            raise damaged_at("the last frame is cut", place, f"{end - place} bytes", f"{size} bytes")
        if count and reader.opens_count(place, word):
            raise damaged_at(
                "a second Xing or Info header: two MP3 files in a row", place, "a second file", "one stream"
            )
        if count or info is None:
            side = reader.side(place, word)
            if not word >> 16 & 1:
                _require_sum(reader.sum_of(place), side, place, word)
            main.take(side, place, word, size)
        count += 1
        place += size
    held = count - (info is not None)
    if info is not None:
        _require_counted(info, held, end - start, start)
    version, rate = first >> 19 & 3, first >> 10 & 3
    samples = 1152 if version == 3 else 576
    if info is not None and info.padding is not None and info.padding > _LEAST_PADDING + samples:
        what = "an MP3 states more padding than any encoder adds: players that keep it play what others leave out"
        raise damaged_at(what, start, f"{info.padding} samples", f"at most {_LEAST_PADDING + samples}")
    found = Mpeg(
        start=start,
        end=end,
        sample_rate_hz=_RATES_HZ[version][rate],
        channels=_channels_of(first),
        count=held,
        samples_per_frame=samples,
        sound=start + (frame_bytes(first) or 0 if info is not None else 0),
        delay=info.delay if info else None,
        padding=info.padding if info else None,
    )
    if not found.frames:
        raise damaged_at(
            "an MP3 whose delay and padding leave no sound", start, found.delay, "less than its frames hold"
        )
    return found


def _require_counted(info: _Info, held: int, size: int, start: int) -> None:
    """Hold the header's counts to the walk over `size` bytes, as far as players go by them."""
    if info.count != held:
        raise damaged_at("the MP3's own header counts other frames", start, info.count, held)
    # FFmpeg suspects a second file behind more bytes than are stated, and leaves the padding in.
    more = size - info.file_bytes
    if info.delay is not None and info.file_bytes and more > info.file_bytes >> 4:
        what = "an MP3 is longer than its own header states: players take the rest for a second file"
        raise damaged_at(what, start, f"{size} bytes", f"{info.file_bytes} bytes")


def require_silent_tail(source: Source, mpeg: Mpeg, size: int) -> None:
    """Raise where frames stand in the tags behind the audio: FFmpeg looks for them to the end of the file.

    FFmpeg's parser takes MPEG audio of any version and layer there and plays a frame that follows another one, behind
    zeros or none. What stands before the first of them is text, with which that one is thrown away.
    """
    if size - mpeg.end > MAX_SMALL_CHUNK_BYTES:
        raise TooLarge(
            "the tags behind the audio are too large",
            where=f"offset {mpeg.end}",
            found=f"{size - mpeg.end} bytes",
            expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes",
        )
    tail = source.read_at(mpeg.end, size - mpeg.end)
    at = followed_frame(tail)
    if at is not None:
        raise damaged_at("MPEG frames within a tag behind the audio", mpeg.end + at, "frames", "a tag without any")


def counted_opening(source: Source, mpeg: Mpeg) -> bytes:
    """Return two frames that make a decoder count the stream's frames where it would estimate them.

    The first holds an Info header. Decoders take `delay` and 529 samples off behind one, which is why a silent frame
    follows it: that is what they take off, and every sample of the stream is left.
    """
    word = int.from_bytes(source.read_at(mpeg.start, 4), "big")
    word = word & ~0xF200 | 14 << 12 | 0x0001_0000  # the longest frame of this kind, without CRC and padding
    silent = word.to_bytes(4, "big") + bytes((frame_bytes(word) or 4) - 4)
    info = b"Info" + (1).to_bytes(4, "big") + (mpeg.count + 1).to_bytes(4, "big")
    delay = (mpeg.samples_per_frame - _DECODER_DELAY) << 12
    info += b"LAME".ljust(21, b"\0") + delay.to_bytes(3, "big")
    at = _side_bytes(word)
    return silent[:at] + info + silent[at + len(info) :] + silent


class _Reader:
    """Headers out of large blocks: a read for each frame would be the price of the walk."""

    def __init__(self, source: Source, end: int) -> None:
        self._source, self._end = source, end
        self._start, self._block = 0, b""

    def word(self, place: int) -> int | None:
        """Return the four bytes at `place`, or None where fewer are left."""
        if place + 4 > self._end:
            return None
        return int.from_bytes(self._bytes(place, 4), "big")

    def opens_count(self, place: int, word: int) -> bool:
        """Return whether a Xing or Info header stands in the frame at `place`."""
        at = place + _side_bytes(word)
        return at + 4 <= self._end and self._bytes(at, 4) in {b"Xing", b"Info"}

    def side(self, place: int, word: int) -> bytes:
        """Return the side information of the frame at `place`, which ends at a byte."""
        skipped = 4 if word >> 16 & 1 else 6  # a CRC stands before it
        return self._bytes(place + skipped, min(_side_bytes(word) - 4, self._end - place - skipped))

    def sum_of(self, place: int) -> int:
        """Return the check sum behind the header of a protected frame."""
        return int.from_bytes(self._bytes(place + 4, 2), "big")

    def _bytes(self, place: int, size: int) -> bytes:
        at = place - self._start
        if at < 0 or at + size > len(self._block):
            self._start = place
            self._block = self._source.read_at(place, min(READ_BLOCK_BYTES // 16, self._end - place))
            at = 0
        return self._block[at : at + size]


def _info(frame: bytes, word: int, start: int) -> _Info | None:
    """Return the header that a first frame holds in place of sound, or None.

    Raises Damaged for one that only some players take for a header: with sound around it, or without a count.
    """
    at = _side_bytes(word)
    is_xing = frame[at : at + 4] in {b"Xing", b"Info"}
    is_vbri = frame[_VBRI_AT : _VBRI_AT + 6] == b"VBRI\0\1" and len(frame) >= _VBRI_AT + 18
    if not is_xing and not is_vbri:
        return None
    if is_xing and is_vbri:
        raise damaged_at("an MP3 with two headers that count its frames", start, "Xing and VBRI", "one of them")
    sound = frame[4 if word >> 16 & 1 else 6 : at if is_xing else _VBRI_AT]
    if any(sound):
        raise damaged_at("a frame with sound and a header that counts frames", start, sound.hex(), "zeros")
    found = _xing(frame, at, start) if is_xing else _vbri(frame)
    if not found.count:
        what = "an MP3's own header counts no frames: players choose whether it is one itself"
        raise damaged_at(what, start, "no count", "the frames behind it")
    return found


def _vbri(frame: bytes) -> _Info:
    size, count = (int.from_bytes(frame[_VBRI_AT + at : _VBRI_AT + at + 4], "big") for at in (10, 14))
    return _Info(count=count, file_bytes=size)


def _xing(frame: bytes, at: int, start: int) -> _Info:
    """Read a Xing or Info header, and LAME's fields behind it where all players read them."""
    flags, at = int.from_bytes(frame[at + 4 : at + 8], "big"), at + 8
    fields = {}
    for bit, size in _XING_FIELDS:
        if flags & bit:
            fields[bit], at = int.from_bytes(frame[at : at + size], "big"), at + size
    count, file_bytes, writer = fields.get(1, 0), fields.get(2, 0), frame[at : at + 24]
    both = int.from_bytes(writer[21:], "big")
    if len(writer) == 24 and writer[:4] in _WRITERS:
        return _Info(count=count, file_bytes=file_bytes, delay=both >> 12, padding=both & 0xFFF)
    if writer[:1].strip(b"\0") and both:
        what = "delay and padding are stated, but not every player knows this encoder's name"
        raise damaged_at(what, start, writer[:9].decode("ascii", "backslashreplace"), "LAME, Lavf or Lavc")
    return _Info(count=count, file_bytes=file_bytes)


def _side_bytes(word: int) -> int:
    """Return the length of header and side information, behind which Xing's header stands."""
    is_mpeg1, is_mono = word >> 19 & 3 == 3, _channels_of(word) == 1
    return 4 + ((17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17))


def _kind(word: int) -> str:
    version = {3: "MPEG-1", 2: "MPEG-2", 0: "MPEG-2.5"}[word >> 19 & 3]
    return f"{version} layer III, {_RATES_HZ[word >> 19 & 3][word >> 10 & 3]} Hz, {_channels_of(word)} channels"


def _no_frame(source: Source, place: int, end: int) -> Damaged:
    head = source.read_at(place, min(10, end - place))
    word = int.from_bytes(head[:4].ljust(4, b"\0"), "big")
    if head[:3] in {b"ID3", b"TAG"} or head[:8] == b"APETAGEX":
        found = f"{'an ID3v2' if head[:3] == b'ID3' else 'an ID3v1' if head[:3] == b'TAG' else 'an APE'} tag"
        return damaged_at("a tag between the frames: a second file follows", place, found, "the next MPEG frame")
    if is_free_format(word):
        return damaged_at("a frame of free format, without a stated length", place, head.hex(), "a bitrate")
    return damaged_at("no MPEG frame where the next one belongs", place, head.hex() or "nothing", "the next MPEG frame")


_OPENING = 0xCF  # mode, copyright, original and emphasis, by which FFmpeg finds the first frame of a file
_MONO = 3
_MOST_BIG_VALUES = 288  # pairs of the 576 lines of a granule
_NO_TABLES = frozenset({4, 14})  # ISO 11172-3, table 3-B.7


class _MainData:
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
            raise damaged_at(what, place, f"{word & _OPENING:#04x}", f"{self._opening & _OPENING:#04x}")
        self._opening = self._opening or word
        room = size - len(side) - (4 if word >> 16 & 1 else 6)
        first, last = self._room - begins, self._room - begins + (bits + 7) // 8
        self._room += room
        # Of a stream that was cut at its beginning, all decoders leave the first frames silent.
        if bits and first >= 0 and (first < self._used or last > self._room):
            what = "the bits of a frame are not where it says: frames were lost or joined, and players differ there"
            raise damaged_at(what, place, f"byte {first} to {last}", f"byte {self._used} to {self._room}")
        self._used = max(self._used, last)


def _require_side(side: bytes, place: int, word: int) -> tuple[int, int]:
    """Return how many bytes back the bits of a frame begin, and how many they are (ISO 11172-3, 2.4.1.7 and 2.4.2.7).

    Raises Damaged for side information that some decoders leave the frame out for.
    """
    is_mpeg1, channels = word >> 19 & 3 == 3, _channels_of(word)
    wide, gain_bits = (59, 12) if is_mpeg1 else (63, 17)  # of a granule; global gain and scale factors behind the pairs
    value, bits = int.from_bytes(side, "big"), 0
    begins = value >> len(side) * 8 - (9 if is_mpeg1 else 8)
    for _ in range(2 * channels if is_mpeg1 else channels):
        bits += value >> wide - 12 & 0xFFF
        pairs = value >> wide - 21 & 0x1FF
        if pairs > _MOST_BIG_VALUES:
            what = "a frame with more values than it has lines: players leave it out or not"
            raise damaged_at(what, place, f"{pairs} pairs", f"at most {_MOST_BIG_VALUES}")
        # Window switching, and the type of block behind it.
        if value >> wide - 24 - gain_bits & 7 == 4:
            what = "a frame that switches to no other window: players leave it out or not"
            raise damaged_at(what, place, "block type 0", "1, 2 or 3")
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
            raise damaged_at(what, place, f"table {table}", "0 to 31 without 4 and 14")
    bits, pairs = value >> wide - 12 & 0xFFF, value >> wide - 21 & 0x1FF
    if 0 < bits < pairs and all(tables):  # only table 0 spends none
        what = "a frame with more values than bits: players leave it out or not"
        raise damaged_at(what, place, f"{pairs} pairs in {bits} bits", "at least a bit for each")


def _require_sum(stated: int, side: bytes, place: int, word: int) -> None:
    """Raise where the check sum of a protected frame does not hold: libmad leaves such a frame out (2.4.3.1)."""
    held = crc16(0xFFFF, (word & 0xFFFF).to_bytes(2, "big") + side)
    if held != stated:
        what = "the check sum of an MPEG frame does not hold: players leave it out or not"
        raise damaged_at(what, place, f"{stated:#06x}", f"{held:#06x}")


def _channels_of(word: int) -> int:
    """Return the number of channels that a header states."""
    return 1 if word >> 6 & 3 == _MONO else 2
