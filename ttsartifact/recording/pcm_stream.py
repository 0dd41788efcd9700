"""Bytes that an engine or a server sends become samples: whole frames, without the headers of WAV files around them.

Transport cuts where it likes, so that the rest of a frame waits for the next chunk. A server that sends each sentence,
or the whole answer, as a WAV file has its headers taken off and its trailing chunks left out. Data that is visibly
not a sample is refused, with the first line of what a server wrote.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.magic import HEAD_BYTES, first_line, kind_of
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Refused, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ttsartifact.container.source import Source

__all__ = ["JOINED", "PcmStream", "WaveHeader", "header_of", "inner_header_at", "joined", "refuse_foreign"]

JOINED = "the server sent several WAV files in a row; their headers were removed"

_MAX_HEADER_BYTES = 64 << 10
_OPEN_ENDED = frozenset({0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000})
"""Data sizes that are written before the length is known (ffmpeg, sox, OpenAI); espeak-ng and others come near."""
_NEARLY_OPEN_ENDED = 0x7FFF0000
_INSIDE = b"WAVEfmt "
_BLOCK_BYTES = 1 << 20


class WaveHeader(NamedTuple):
    """What stands before the samples of a WAV file."""

    format: riff.WaveFormat
    size: int
    """Bytes of the header itself."""
    data_bytes: int | None
    """Bytes of samples that follow, or None where the header was written before that was known."""


class PcmStream:
    """Raw PCM of one format out of chunks of bytes."""

    def __init__(self, wave: riff.WaveFormat) -> None:
        self._wave = wave
        self.rest = b""
        """What has arrived of a frame that is not complete."""
        self._header = b""
        self._left: int | None = None
        self._opened = 0  # bytes of a header that does not know how many samples follow
        self._behind: bool = False

    @property
    def left_over(self) -> int:
        """How many bytes arrived that do not make a frame yet: the last of a stream that was cut."""
        return len(self.rest) + len(self._header)

    def take(self, data: bytes, where: str) -> tuple[bytes, int | None]:
        """Return whole frames, and the sample rate if a WAV header in `data` states it.

        Raises Refused for what visibly is not a sample, and for a WAV file of another format.
        """
        rate: int | None = None
        if self._header:
            data, self._header = self._header + data, b""
        elif not self.rest:
            refuse_foreign(data, where, sample_bytes=self._wave.bit_depth // 8, but="a WAV file")
        pcm, self.rest = self.rest, b""
        while data:
            between = self._behind or not len(pcm) % self._wave.frame_bytes
            if between and len(data) < 12 and b"RIFF".startswith(data[:4]):
                self._header = data  # of a WAV file, or samples of that look; the next chunk tells
                break
            if between and riff.recognise(data[:12]):
                header = header_of(data, where)
                if header is None:
                    self._header = data
                    break
                rate = self._agreed(header.format, where)
                data, self._left, self._behind = data[header.size :], header.data_bytes, False
                self._opened = header.size if header.data_bytes is None else 0
                if not data:
                    break
            data, samples = self._samples(data)
            pcm += samples
        whole = len(pcm) - len(pcm) % self._wave.frame_bytes
        self.rest = pcm[whole:]
        return pcm[:whole], rate

    def _samples(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what follows the samples at the start of `data`, and those samples."""
        if self._behind:
            # Chunks behind the samples of a WAV file; the next file, if there is one, begins a chunk of its own.
            place = data.find(b"RIFF")
            return (data[place:] if place >= 0 and riff.recognise(data[place : place + 12]) else b""), b""
        if self._left is None:
            # Behind an open-ended header another one may end the samples (festival's text2wave, on a pipe).
            place = data.find(b"RIFF", max(0, len(data) - self._opened)) if self._opened else -1
            is_header = place > 0 and riff.recognise(data[place : place + 12])
            return (data[place:], data[:place]) if is_header else (b"", data)
        samples, data = data[: self._left], data[self._left :]
        self._left -= len(samples)
        self._behind = self._left == 0
        return data, samples

    def _agreed(self, found: riff.WaveFormat, where: str) -> int:
        """Return the rate of a WAV header whose format is this stream's; raises Refused for another."""
        wanted = self._wave
        if (found.subtype, found.channels) != (wanted.subtype, wanted.channels):
            raise Refused(
                "a chunk is a WAV file of a different format",
                where=where,
                found=f"{found.subtype}, {found.channels} channels",
                expected=f"{wanted.subtype}, {wanted.channels} channels; say subtype= and channels=",
            )
        return found.sample_rate_hz


def refuse_foreign(data: bytes, where: str, *, sample_bytes: int, but: str | None = None) -> None:
    """Raise Refused where `data` begins with a container or a text instead of samples; `but` names one that may."""
    kind = kind_of(bytes(data[:HEAD_BYTES]), sample_bytes=sample_bytes)
    if kind is None or kind.name == but:
        return
    if kind.is_audio:
        raise Refused(
            f"raw samples were promised and {kind.name} came; decode it, or ask the server for PCM",
            where=where,
            found=kind.name,
            expected="raw samples",
        )
    opening_line = first_line(data) if kind.is_text else ""
    raise Refused(
        f"raw samples were promised and {kind.name} came" + (f": {opening_line!r}" if opening_line else ""),
        where=where,
        found=kind.name,
        expected="raw samples",
    )


def joined(
    wave: riff.WaveFormat, delivered: Source, reads: Iterable[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int, int], bytes]]:
    """Yield the frames that each read completed, as an entry of the chunk log and the samples, without WAV headers.

    `reads` are the times of the reads and how many bytes were there then.
    """
    stream, frames, before = PcmStream(wave), 0, 0
    for t_ns, size in reads:
        data, _ = stream.take(delivered.read_at(before, size - before), f"byte {before}")
        before, count = size, len(data) // wave.frame_bytes
        if count:
            yield (t_ns, frames, count), data
            frames += count


def inner_header_at(audio: Source, start: int) -> int | None:
    """Return where the header of a further WAV file stands behind `start`, counted from there, or None."""
    offset = start
    while offset < audio.size:
        data = audio.read_at(offset, min(_BLOCK_BYTES + len(_INSIDE), audio.size - offset))
        place = data.find(_INSIDE)
        if place >= 0:
            return offset + place - len(b"RIFFsize") - start
        offset += _BLOCK_BYTES
    return None


def header_of(data: bytes, where: str) -> WaveHeader | None:
    """Return the header that `data` begins with, or None where more of it has to arrive."""
    offset, fmt, long_data = 12, b"", None
    while offset + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, offset)
        if name == b"data":
            if not fmt:
                raise Refused("a chunk is a WAV file without a format", where=where, expected="fmt before data")
            open_ended = size in _OPEN_ENDED or size >= _NEARLY_OPEN_ENDED
            return WaveHeader(_format_of(fmt, where), offset + 8, long_data or (None if open_ended else size))
        body = data[offset + 8 : offset + 8 + size]
        if name == b"fmt ":
            fmt = body
        elif name == b"ds64" and len(body) >= 16:
            long_data = struct.unpack_from("<Q", body, 8)[0]
        offset += 8 + size + (size & 1)
        if offset > _MAX_HEADER_BYTES:
            raise Refused("a chunk is a WAV file whose header does not end", where=where, found=f"{offset} bytes")
    return None


def _format_of(fmt: bytes, where: str) -> riff.WaveFormat:
    """Return what a fmt chunk says, read as that of a whole file of one frame is."""
    rate, _, align = struct.unpack_from("<IIH", fmt, 4) if len(fmt) >= 16 else (0, 0, 0)
    if 0 < rate * align <= 0xFFFFFFFF:  # flite counts twice the bytes per second, which no player reads
        fmt = fmt[:8] + struct.pack("<I", rate * align) + fmt[12:]
    chunks = struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + struct.pack("<4sI", b"data", align) + bytes(align)
    whole = struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + (align & 1), b"WAVE") + chunks + bytes(align & 1)
    try:
        return riff.walk(BytesSource(whole)).format
    except TtsArtifactError as error:
        raise Refused(
            f"a chunk is a WAV file that is not read: {error.message}",
            where=where,
            found=error.found,
            expected=error.expected,
        ) from error
