"""A streamed WAV, whose header was written before its length was known, is given the lengths that it has.

Only lengths and the number of bytes per second are changed, a pad byte may be added, and blanks behind the end of the
file are cut off; the samples are those that came. What is behind the samples and is a chunk of its own stays one, and
is never counted as sound.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.source import FileSource, Span, copy_pieces, write_whole
from ttsartifact.recording.pcm_stream import JOINED, dropped, may_open, refuse_text_behind, waves_in

if TYPE_CHECKING:
    from ttsartifact.container.source import Piece, Source
    from ttsartifact.recording.pcm_stream import Waves

_BEHIND = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ", b"smpl", b"fact", b"PEAK", b"JUNK", b"PAD ")
"""Chunks that programs put behind the samples; another name there may be sound."""
_LOOKED_AT = 1 << 16
_MOST_BLANKS = 16
"""Bytes behind the end that a shell or a logger may have added: line ends, spaces, zeros."""
_OPEN_ENDED_FROM = 0x7F000000
"""Sizes from here on are written by programs that do not know theirs: 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF."""
_MOST_RIFF_BYTES = 0xFFFFFFFF - (32 << 20)
"""Of a plain RIFF, with room for a capsule behind it."""


class ByteRate(NamedTuple):
    """A count of bytes per second that contradicts the rest of `fmt`: flite writes twice the true one of a file."""

    place: int
    declared: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A plain RIFF whose lengths are not those of the file."""

    data_offset: int
    declared: int
    actual: int
    """Bytes of samples, up to the end of the file or to the first chunk behind them."""
    blanks: int = 0
    """Bytes behind the end of the container that hold nothing."""
    left_over: int = 0
    """Bytes behind the last whole frame, of a stream that ends within one."""
    sample_bytes: int = 2
    byte_rate: ByteRate | None = None
    """What stands in `fmt` for the bytes per second, where it does not follow from rate and frame."""
    only_rate: bool = False
    """Whether the lengths are right, and the byte rate alone is not."""

    @property
    def words(self) -> str:
        """What was done, for a note."""
        if self.byte_rate is not None:
            rate = f"{self.byte_rate.declared} bytes per second declared, {self.byte_rate.right} by its rate and frame"
            mended = f"the header of the WAV was repaired: {rate}"
            return mended if self.only_rate else f"{mended}; {replace(self, byte_rate=None).words}"
        if self.left_over:
            return f"{replace(self, left_over=0).words}; {dropped(self.left_over)}"
        if self.blanks and self.declared != self.actual:
            rest = f"a second header of {self.blanks} bytes behind them was cut off"
            return f"{replace(self, blanks=0).words}; {rest}"
        if self.blanks:
            count = "1 byte" if self.blanks == 1 else f"{self.blanks} bytes"
            return f"cut off {count} without content behind the end of the WAV"
        if self.declared == self.actual and not self.actual & 1:
            return "the header of the WAV was repaired: its RIFF size was not that of the file"
        return f"the header of the WAV was repaired: {self.declared} data bytes declared, {self.actual} written"

    def refuse_text(self, audio: Source, where: str) -> None:
        """Raise Refused where the samples of a file that does not know their length end with a text."""
        if self.declared != self.actual:
            end = self.data_offset + 8 + self.actual + self.left_over
            refuse_text_behind(audio, end, where, sample_bytes=self.sample_bytes)

    def lacks_pad(self, size: int) -> bool:
        """Return whether a file of `size` bytes ends with an odd number of bytes of samples, and without their pad."""
        return self.actual & 1 == 1 and self.data_offset + 8 + self.actual == size


def streamed(audio: Source) -> Streamed | None:
    """Return the lengths of a WAV that does not know its own, or None of any other file."""
    if audio.size < 12 or audio.read_at(0, 4) != b"RIFF" or not riff.recognise(audio.read_at(0, 12)):
        return None
    found = _data_chunk(audio)
    if found is None:
        return None
    offset, declared, align, width, rate = found
    lengths = _lengths(audio, offset, declared, align)
    lengths = lengths and replace(lengths, sample_bytes=width)
    if rate is None:
        return lengths
    alone = Streamed(data_offset=offset, declared=declared, actual=declared, only_rate=True)
    return replace(lengths or alone, byte_rate=rate)


def rebuilt(audio: Source, where: str, *, may_be_cut: bool) -> tuple[Waves, str | None] | None:
    """Return the samples of WAV files behind one another, or of one that ends within a frame, and a note about them.

    None of any other file. `may_be_cut` says whether one that is shorter than its header states is taken too. Raises
    Refused for files of different formats.
    """
    waves = waves_in(audio, where)
    if waves is None:
        return None
    if len(waves.spans) > 1:
        return waves, "; ".join(filter(None, (JOINED, waves.dropped)))
    ((start, end),) = waves.spans
    if waves.declared is not None:
        # Cut in its samples, or in what came behind it: the header of a further file.
        is_cut = start + waves.declared > audio.size or _may_be_riff(audio, start + waves.declared)
        return (waves, waves.dropped) if may_be_cut and is_cut else None
    found = streamed(audio)
    actual = end + waves.left_over - start
    if found is not None and not found.only_rate:
        actual = found.actual + found.left_over
    if end + waves.left_over == audio.size:
        if not (actual % waves.format.frame_bytes or waves.is_doubtful):
            return None
        left_over = actual % waves.format.frame_bytes
        waves = waves._replace(spans=((start, start + actual - left_over),), left_over=left_over)
    return waves, waves.dropped


def _may_be_riff(audio: Source, place: int) -> bool:
    """Return whether what is from `place` on is the beginning of a header that is cut."""
    tail = audio.read_at(place, min(16, audio.size - place))
    return 0 < len(tail) < 16 and b"RIFF".startswith(tail[:4]) and may_open(tail[:12])


def _lengths(audio: Source, offset: int, declared: int, align: int) -> Streamed | None:
    there = audio.size - offset - 8
    riff_size = struct.unpack("<I", audio.read_at(4, 4))[0]
    # A size that a writer could have known and that is not there is a file that was cut, and no stream.
    if there and (declared == 0 or (declared > there and declared >= _OPEN_ENDED_FROM)):
        if second := _second_header(audio, offset + 8, there):
            return Streamed(data_offset=offset, declared=declared, actual=there - second, blanks=second)
        samples = _samples(audio, offset + 8, there, align)
        left_over = samples % align if samples == there else 0
        return Streamed(data_offset=offset, declared=declared, actual=samples - left_over, left_over=left_over)
    # The samples are as long as they say, but no pad byte follows, or the size of the whole is another.
    end = offset + 8 + declared
    if declared & 1 and end == audio.size:
        return Streamed(data_offset=offset, declared=declared, actual=declared)
    if riff_size in {0, 0xFFFFFFFF} and end + (declared & 1) <= audio.size:
        return Streamed(data_offset=offset, declared=declared, actual=declared)
    behind = audio.size - 8 - riff_size
    if (
        0 < behind <= _MOST_BLANKS
        and end <= 8 + riff_size
        and not audio.read_at(8 + riff_size, behind).strip(b"\0\r\n ")
    ):
        # A zero behind an odd number of bytes is their pad, which some writers do not count.
        is_padded = declared & 1 and end == 8 + riff_size and audio.read_at(end, 1) == b"\0"
        return Streamed(data_offset=offset, declared=declared, actual=declared, blanks=behind - bool(is_padded))
    padded = end + (declared & 1)
    if behind and declared and padded <= audio.size and _are_chunks(audio, padded):
        return Streamed(data_offset=offset, declared=declared, actual=declared)
    return None


def _repair(path: str, found: Streamed) -> None:
    """Write the lengths that were found into the file, and the pad byte that an odd one needs; or cut off blanks."""
    with open(path, "r+b") as file:
        if found.byte_rate is not None:
            file.seek(found.byte_rate.place)
            file.write(struct.pack("<I", found.byte_rate.right))
        if found.only_rate:
            return
        size = file.seek(0, os.SEEK_END) - found.blanks - found.left_over
        file.truncate(size)
        if found.lacks_pad(size):
            file.seek(size)
            file.write(b"\0")
            size += 1
        if size > _MOST_RIFF_BYTES:
            _as_rf64(path, found, size)
            return
        file.seek(4)
        file.write(struct.pack("<I", size - 8))
        file.seek(found.data_offset + 4)
        file.write(struct.pack("<I", found.actual))


def _as_rf64(path: str, found: Streamed, size: int) -> None:
    """Write the file again with a ds64 chunk in front: its lengths do not fit into 32 bits (EBU Tech 3306)."""
    with FileSource(path) as audio:
        found_chunk = _data_chunk(audio)
        align = found_chunk[2] if found_chunk is not None else 1
        ds64 = struct.pack("<4sIQQQI", b"ds64", 28, size + 36 - 8, found.actual, found.actual // align, 0)
        head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + ds64
        place = found.data_offset
        pieces: list[Piece] = [
            head,
            Span(audio, 12, place - 12),
            struct.pack("<4sI", b"data", 0xFFFFFFFF),
            Span(audio, place + 8, audio.size - place - 8),
        ]
        with write_whole(path, replace=True) as file:
            copy_pieces(pieces, file)


def repaired(path: str) -> Streamed | None:
    """Repair the file at `path` where it needs it, and return what was found."""
    with FileSource(path) as audio:
        found = streamed(audio)
    if found is not None:
        _repair(path, found)
    return found


def _data_chunk(audio: Source) -> tuple[int, int, int, int, ByteRate | None] | None:
    """Return offset and declared size of the data chunk, bytes of a frame and a sample, and a wrong byte rate."""
    offset, align, width, wrong = 12, 1, 2, None
    while offset + 8 <= audio.size:
        chunk_id, size = struct.unpack("<4sI", audio.read_at(offset, 8))
        if chunk_id == b"data":
            return offset, size, align, width, wrong
        if chunk_id == b"fmt " and size >= 16 and offset + 24 <= audio.size:
            rate, declared, frame, bits = struct.unpack("<IIHH", audio.read_at(offset + 12, 12))
            width = bits // 8
            align, right = max(1, frame), rate * frame
            wrong = ByteRate(offset + 16, declared, right) if declared != right <= 0xFFFFFFFF else None
        offset += 8 + size + (size & 1)
    return None


def _second_header(audio: Source, size: int, there: int) -> int:
    """Return the size of a header behind the samples that states their length, and 0 where there is none.

    A program that goes back to write its header again (festival's text2wave) writes it there when stdout is a pipe.
    """
    if not 0 < size < min(there, _LOOKED_AT):
        return 0
    last = audio.read_at(audio.size - size, size)
    is_header = riff.recognise(last[:12]) and last[-8:] == struct.pack("<4sI", b"data", there - size)
    return size if is_header else 0


def _samples(audio: Source, start: int, there: int, align: int) -> int:
    """Return how many of the bytes from `start` are samples: all of them, or those before the chunks at the end."""
    first = max(0, there - _LOOKED_AT)
    tail = audio.read_at(start + first, there - first)
    places = sorted(place for name in _BEHIND for place in _places(tail, name))
    for place in places:
        samples = first + place
        padded = samples % align == 0 or (samples - 1) % align == 0
        if padded and _chunks_to_end(tail, place):
            return samples if samples % align == 0 else samples - 1
    return there


def _are_chunks(audio: Source, start: int) -> bool:
    """Return whether from `start` to the end there is nothing, or chunks that programs put behind the samples."""
    place = start
    while place + 8 <= audio.size:
        name, size = struct.unpack("<4sI", audio.read_at(place, 8))
        if name not in _BEHIND:
            return False
        place += 8 + size + (size & 1)
    return place == audio.size


def _places(tail: bytes, name: bytes) -> list[int]:
    found, place = [], tail.find(name)
    while place >= 0:
        found.append(place)
        place = tail.find(name, place + 1)
    return found


def _chunks_to_end(tail: bytes, place: int) -> bool:
    """Return whether chunks follow each other from `place` to the very end."""
    while place + 8 <= len(tail):
        size = struct.unpack_from("<I", tail, place + 4)[0]
        place += 8 + size + (size & 1)
    return place == len(tail)
