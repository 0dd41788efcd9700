"""The pages of an Ogg file, one after the other, without decoding a packet (RFC 3533, RFC 7845, Vorbis I appendix A).

An Ogg file may hold several streams, side by side or one behind the other, and players choose among them. A bare
file is one stream from its first page to its last, with nothing beside it and nothing behind it (clause 3.10).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttsartifact.container.id3 import tail_between
from ttsartifact.errors import Damaged, damaged_at

if TYPE_CHECKING:
    from ttsartifact.container.source import Source

_CAPTURE = b"OggS\0"
_HEAD_BYTES = 27
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_NO_GRANULE = (1 << 64) - 1
_OPUS_RATE_HZ = 48_000
_OPUS_LONGEST = 5760  # samples: 120 ms
_LAST_PARTS = 10  # of a second: libvorbis writes last packets of 32 ms and less from 8 kHz on, of 64 ms at 4 kHz
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# RFC 6716 section 3.1: samples at 48 kHz of a frame by the configuration, which is the upper five bits.
_OPUS_FRAME = (*(480, 960, 1920, 2880) * 3, *(480, 960) * 2, *(120, 240, 480, 960) * 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ogg:
    """What the pages say."""

    codec: str
    sample_rate_hz: int
    channels: int
    frames: int
    """Samples of each channel up to the last granule position, without what Opus skips first."""
    last_frames: int
    """Samples of the last packet, those among them that are cut."""
    cut_frames: int
    """Samples that the last granule position cuts off its end."""
    positions: int
    """Pages that state a granule position of sound; of a single one FFmpeg plays the last packet whole, or not."""
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    offset: int
    end: int
    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes
    body: bytes


def walk_pages(source: Source) -> Ogg:
    """Walk all pages; raises Damaged (CON02) where they are not those of one whole stream of Vorbis or Opus."""
    offset, count, packets = 0, 0, _Packets()
    first = last = _page(source, 0)
    while offset < source.size:
        page = _page(source, offset)
        _require_next(page, first, count, last)
        _require_no_page_in(source, page)
        packets.take(page)
        last, offset, count = page, page.end, count + 1
    if not last.flags & _LAST:
        raise damaged_at("an Ogg without its end-of-stream page: it was cut", last.offset, "no end", "the last page")
    if last.granule == _NO_GRANULE or packets.is_open:
        raise damaged_at("the last packet of an Ogg is cut", last.offset, "a packet without its end", "a whole packet")
    return packets.facts(last, count)


def _page(source: Source, offset: int) -> _Page:
    if source.size - offset < _HEAD_BYTES or source.read_at(offset, 5) != _CAPTURE:
        there = tail_between(source, offset, source.size) or source.read_at(offset, min(4, source.size - offset)).hex()
        raise damaged_at("no Ogg page where the next one belongs", offset, there, "OggS")
    head = source.read_at(offset, _HEAD_BYTES)
    lacing = source.read_at(offset + _HEAD_BYTES, head[26])
    body = source.read_at(offset + _HEAD_BYTES + head[26], sum(lacing))
    stated = int.from_bytes(head[22:26], "little")
    found = _crc(head[:22] + bytes(4) + head[26:] + lacing + body)
    if stated != found:
        raise damaged_at("the check sum of an Ogg page does not hold", offset, f"{found:08x}", f"{stated:08x}")
    return _Page(
        offset=offset,
        end=offset + _HEAD_BYTES + head[26] + len(body),
        flags=head[5],
        granule=int.from_bytes(head[6:14], "little"),
        serial=int.from_bytes(head[14:18], "little"),
        number=int.from_bytes(head[18:22], "little"),
        lacing=lacing,
        body=body,
    )


def _is_page(source: Source, offset: int) -> bool:
    try:
        _page(source, offset)
    except Damaged:
        return False
    return True


def _require_next(page: _Page, first: _Page, count: int, last: _Page) -> None:
    """Raise unless `page` is the next one of the one stream."""
    if page.serial != first.serial or (count and page.flags & _FIRST):
        message = "a second Ogg stream behind the first" if last.flags & _LAST else "two Ogg streams at once"
        raise damaged_at(message, page.offset, f"stream {page.serial:08x}", "one stream")
    if not count and not page.flags & _FIRST:
        raise damaged_at("the first Ogg page does not begin a stream", 0, "no first page", "a first page")
    if count and last.flags & _LAST:
        raise damaged_at("bytes behind the end of an Ogg stream", page.offset, "a page", "the end of the file")
    if page.number != first.number + count:
        raise damaged_at("a page of the Ogg is missing", page.offset, page.number, first.number + count)


def _require_no_page_in(source: Source, page: _Page) -> None:
    """Raise where a whole page stands in a packet: players that look for the last page from behind find that one."""
    at = page.body.find(_CAPTURE)
    while at >= 0:
        place = page.end - len(page.body) + at
        if _is_page(source, place):
            raise damaged_at("an Ogg page within a packet of a different page", place, "a page", "none")
        at = page.body.find(_CAPTURE, at + 1)


class _Packets:
    """The packets as pages complete them: the first one tells the codec, each later one how long it sounds."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._heads: list[bytes] = []
        self._timing: _Opus | _Vorbis | None = None
        self._samples = self._latest = self._positions = 0
        self.is_open = False

    def take(self, page: _Page) -> None:
        if bool(page.flags & _CONTINUED) != self.is_open:
            raise damaged_at("a packet of the Ogg is not continued", page.offset, f"flags {page.flags}", "its rest")
        start = at = 0
        for size in page.lacing:
            at += size
            if size < 255:
                self._packet(b"".join((*self._parts, page.body[start:at])), page)
                self._parts, start = [], at
        self.is_open = page.lacing[-1:] == b"\xff"
        if self.is_open:
            self._parts.append(page.body[start:])
        if self._samples and page.granule != _NO_GRANULE:
            self._positions += 1
            self._require_position(page)

    def _packet(self, packet: bytes, page: _Page) -> None:
        if self._timing is None:
            self._heads.append(packet)
            self._timing = _timing(self._heads, page)
            return
        samples = self._timing.samples(packet, page)
        self._samples += samples
        self._latest = samples

    def _require_position(self, page: _Page) -> None:
        """Hold a granule position to the packets before it; the last one may cut the end of the last packet off."""
        is_short = page.granule < self._samples and not (
            page.flags & _LAST and self._samples - page.granule <= self._latest
        )
        if page.granule > self._samples or is_short:
            what = "a granule position of the Ogg is not that of its packets"
            raise damaged_at(what, page.offset, page.granule, self._samples)

    def facts(self, last: _Page, pages: int) -> Ogg:
        """Return what the stream is, once its last page has been taken.

        The last granule position cuts the end, also where it is the only one, and never the start (Vorbis I, A.2).
        """
        if self._timing is None or not self._samples:
            raise damaged_at("an Ogg without sound", last.offset, "its headers alone", "packets of sound")
        head, frames = self._heads[0], last.granule - self._timing.skipped
        if frames < 1:
            raise damaged_at("an Ogg that ends before it is heard", last.offset, last.granule, "a later end")
        is_opus = isinstance(self._timing, _Opus)
        rate, channels = (_OPUS_RATE_HZ, head[9]) if is_opus else (int.from_bytes(head[12:16], "little"), head[11])
        if not is_opus and not (rate and channels):
            raise damaged_at("a Vorbis header without rate or channels", 0, f"{rate} Hz, {channels} channels", "both")
        if not is_opus:
            self._require_short_last(last, rate)
        return Ogg(
            codec="ogg_opus" if is_opus else "ogg_vorbis",
            sample_rate_hz=rate,
            channels=channels,
            frames=frames,
            last_frames=self._latest,
            cut_frames=self._samples - last.granule,
            positions=self._positions,
            pages=pages,
        )

    def _require_short_last(self, last: _Page, rate_hz: int) -> None:
        """Raise where the last packet of one page of Vorbis, which FFmpeg plays whole or not at all, could be heard."""
        if self._positions == 1 and self._latest * _LAST_PARTS > rate_hz:
            what = "the last packet of an Ogg Vorbis of one page is so long that players differ audibly in its end"
            found = f"{self._latest} samples at {rate_hz} Hz"
            raise damaged_at(what, last.offset, found, f"at most {rate_hz // _LAST_PARTS} samples")


def _timing(heads: list[bytes], page: _Page) -> _Opus | _Vorbis | None:
    """Return what tells the length of packets once all header packets are there, else None."""
    first = heads[0]
    if first.startswith(b"OpusHead") and len(first) >= 19:
        _require_head(_is_opus_head(first), "OpusHead", page, f"version {first[8]}, mapping family {first[18]}")
        _require_head(len(heads) < 2 or heads[1].startswith(b"OpusTags"), "OpusTags", page)
        streams = first[19] if first[18] else 1
        return _Opus(int.from_bytes(first[10:12], "little"), streams) if len(heads) == 2 else None
    if first.startswith(b"\x01vorbis") and len(first) >= 30:
        _require_head(first[7:11] == bytes(4) and first[29] == 1, "Vorbis identification", page)
        _require_head(len(heads) < 2 or heads[1].startswith(b"\x03vorbis"), "Vorbis comment", page)
        return _Vorbis(first[28], _block_flags(heads[2], page)) if len(heads) == 3 else None
    raise damaged_at("an Ogg stream that is neither Vorbis nor Opus", page.offset, first[:8].hex(), "Vorbis or Opus")


def _is_opus_head(head: bytes) -> bool:
    """Return whether the identification header has version 0 or 1 and channels of its own streams (RFC 7845, 5.1).

    Families 0 and 1 are speakers that every player has; 255 leaves channels without a meaning.
    """
    channels, family = head[9], head[18]
    if head[8] > 1 or channels == 0:
        return False
    if family == 0:
        return channels <= 2
    table = head[21 : 21 + channels]
    if family not in {1, 255} or len(table) != channels or (family == 1 and channels > 8):
        return False
    streams, coupled = head[19], head[20]
    return streams > 0 and coupled <= streams and all(each < streams + coupled or each == 255 for each in table)


def _require_head(holds: bool, name: str, page: _Page, found: str = "a different header") -> None:
    if not holds:
        raise damaged_at(f"the {name} header is not one that all players read", page.offset, found, name)


class _Opus:
    """Packets of Opus: their first bytes tell how long they sound (RFC 6716 sections 3.1 and 3.2)."""

    def __init__(self, skipped: int, streams: int) -> None:
        self.skipped, self._streams = skipped, streams

    def samples(self, packet: bytes, page: _Page) -> int:
        """Return how long a packet sounds; of several streams in it each says the same (RFC 7845 section 3)."""
        at, found = 0, set()
        for left in reversed(range(self._streams)):
            toc = packet[at] if at < len(packet) else 0
            count, at = _opus_frames(packet, at, is_delimited=left > 0)
            found.add(count * _OPUS_FRAME[toc >> 3])
        samples = max(found)
        if len(found) > 1 or not 0 < samples <= _OPUS_LONGEST:
            raise damaged_at("not a valid Opus packet", page.offset, packet[:2].hex() or "nothing", "1 to 48 frames")
        return samples


def _opus_frames(data: bytes, at: int, *, is_delimited: bool) -> tuple[int, int]:
    """Return how many frames a packet at `at` holds, 0 where their lengths do not fit, and where it ends.

    One that another stream's packet follows states its last length too (RFC 6716 section 3.2 and appendix B).
    """
    code, at = data[at] & 3 if at < len(data) else 3, at + 1
    count, is_variable, padding = 2 if code else 1, code == 2, 0
    if code == 3:
        flags, at = data[at] if at < len(data) else 0, at + 1
        count, is_variable, more = flags & 0x3F, flags & 0x80 > 0, 255 * (flags >> 6 & 1)
        while more == 255:
            more, at = data[at] if at < len(data) else 0, at + 1
            padding += min(more, 254)
    sizes = []
    for _ in range((count - 1) * is_variable + is_delimited):
        size, at = _opus_length(data, at)
        sizes.append(size)
    total = sum(sizes) if is_variable or not is_delimited else sizes[0] * count
    left = len(data) - padding - at - total
    fits = count and left >= 0 and (is_delimited or is_variable or left % count == 0)
    return (count if fits else 0), at + total + padding if is_delimited else len(data)


def _opus_length(packet: bytes, at: int) -> tuple[int, int]:
    """Return the length that stands at `at` and where it ends; one that is cut is longer than any packet."""
    first, second = (packet[place] if place < len(packet) else 255 for place in (at, at + 1))
    if at >= len(packet):
        return len(packet), at
    return (first, at + 1) if first < 252 else (first + 4 * second, at + 2)


class _Vorbis:
    """Packets of Vorbis: each sounds for a quarter of its block and of the one before it (Vorbis I, 1.3.2)."""

    skipped = 0

    def __init__(self, sizes: int, flags: tuple[bool, ...]) -> None:
        self._blocks = tuple(1 << (sizes >> 4 if is_long else sizes & 15) for is_long in flags)
        self._mode_mask = (1 << (len(flags) - 1).bit_length()) - 1
        self._before: int | None = None

    def samples(self, packet: bytes, page: _Page) -> int:
        mode = packet[0] >> 1 & self._mode_mask if packet else len(self._blocks)
        if mode >= len(self._blocks) or packet[0] & 1:
            raise damaged_at("a Vorbis packet without sound", page.offset, packet[:1].hex(), "a packet of a known mode")
        block, before = self._blocks[mode], self._before
        self._before = block
        return 0 if before is None else (block + before) // 4


def _block_flags(setup: bytes, page: _Page) -> tuple[bool, ...]:
    """Return which modes of a Vorbis setup header have long blocks.

    Modes stand at its very end (Vorbis I, 4.2.4), each of 41 bits of which 32 are zero, behind six bits that count
    them; what stands before has to be decoded to be passed, so they are read from behind.
    """
    bits = int.from_bytes(setup, "little")
    at = bits.bit_length() - 1  # the framing bit is the last one that is set
    flags: list[bool] = []
    found: tuple[bool, ...] = ()
    while at >= 47 and len(flags) < 64:
        at -= 41
        if bits >> at + 1 & 0xFFFF_FFFF:
            break
        flags.insert(0, bool(bits >> at & 1))
        if (bits >> at - 6 & 0x3F) + 1 == len(flags):
            found = tuple(flags)
    if not setup.startswith(b"\x05vorbis") or not found:
        raise damaged_at("a Vorbis setup header without modes", page.offset, setup[:7].hex(), "05 vorbis and its modes")
    return found


def _crc(data: bytes) -> int:
    """Return Ogg's CRC-32, which is zlib's over mirrored bits, without its inversions."""
    mirrored = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")
