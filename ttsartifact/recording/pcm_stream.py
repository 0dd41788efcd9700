"""Bytes that an engine or a server sends become samples: whole frames, without the headers of WAV files around them.

Transport cuts where it likes, so that the rest of a frame waits for the next chunk. A server that sends each sentence,
or the whole answer, as a WAV file has its headers taken off and its trailing chunks left out. Data that is visibly
not a sample is refused, with the first line of what a server wrote.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.magic import HEAD_BYTES, first_line, kind_of, text_behind
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.errors import Refused, TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttsartifact.container.source import Piece, Source

JOINED = "several WAV files came in a row; their headers were removed"

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
            place = _next_header(data, 0)
            return (data[place:] if place >= 0 else b""), b""
        if self._left is None:
            # Behind an open-ended header another one may end the samples (festival's text2wave, on a pipe).
            place = _next_header(data, 1) if self._opened else -1
            return (data[place:], data[:place]) if place > 0 else (b"", data)
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


def _next_header(data: bytes, start: int) -> int:
    """Return where the header of a WAV file begins in `data`, as far as that is there, or -1."""
    place = data.find(b"RIFF", start)
    while place >= 0 and not may_open(data[place : place + 12]):
        place = data.find(b"RIFF", place + 1)
    return place


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


def refuse_text_behind(audio: Source, end: int, where: str, *, sample_bytes: int) -> None:
    """Raise Refused where the samples that end at `end` end with a text, such as the error of a server."""
    size = min(HEAD_BYTES, end)
    if line := text_behind(audio.read_at(end - size, size), sample_bytes=sample_bytes):
        raise Refused(
            f"a text stands behind the samples: {line!r}", where=where, found="text", expected="samples alone"
        )


_DOUBT = "the last sample was kept; its bytes, RI, may be the beginning of one more WAV file"


class Waves(NamedTuple):
    """Where the samples are in one WAV file, or in several behind one another."""

    format: riff.WaveFormat
    spans: tuple[tuple[int, int], ...]
    """The half-open byte range of the whole frames of each file."""
    left_over: int = 0
    """Bytes behind the last whole frame of a file that do not form one."""
    declared: int | None = None
    """Bytes of samples that the first header states, where it does."""
    is_doubtful: bool = False
    """Whether the last sample may be the beginning of a header, of a file that does not state its length."""

    @property
    def sample_bytes(self) -> int:
        """How many bytes of samples there are."""
        return sum(end - start for start, end in self.spans)

    @property
    def dropped(self) -> str | None:
        """What was left out, or kept in doubt, for a note; None where that is nothing."""
        return "; ".join(filter(None, [dropped(self.left_over), _DOUBT * self.is_doubtful])) or None

    def frames_by(self, size: int) -> int:
        """Return how many whole frames are within the first `size` bytes."""
        return sum(max(0, min(size, end) - start) // self.format.frame_bytes for start, end in self.spans)

    def chunks(self, reads: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """Return the chunk log: the frames that each read completed; a read is a time, and how many bytes were there.

        Each entry is a time, the first frame and the number of frames.
        """
        log: list[tuple[int, int, int]] = []
        done = 0
        for t_ns, size in reads:
            if (complete := self.frames_by(size)) > done:
                log.append((t_ns, done, complete - done))
                done = complete
        return log

    def as_one(self, audio: Source) -> list[Piece]:
        """Return one WAV of all samples."""
        size = self.sample_bytes
        samples = [Span(audio, start, end - start) for start, end in self.spans]
        return [riff.header(self.format, size), *samples, bytes(size & 1)]


def waves_in(audio: Source, where: str) -> Waves | None:
    """Return where the samples are of the WAV files in `audio`, or None where the first header does not end.

    The samples of a file whose header does not state their length end at the next header. Of a header that is cut at
    the end of `audio` nothing is a sample. Raises Refused for files of different formats.
    """
    spans: list[tuple[int, int]] = []
    first: WaveHeader | None = None
    left_over = place = 0
    is_doubtful = False
    while place < audio.size:
        header = header_of(audio.read_at(place, min(_MAX_HEADER_BYTES, audio.size - place)), where)
        if header is None:
            spans += [(audio.size, audio.size)] if spans else []
            break
        first = first or header
        if header.format != first.format:
            raise Refused(
                "WAV files of different formats follow each other",
                where=f"{where}, byte {place}",
                found=_spoken(header.format),
                expected=_spoken(first.format),
            )
        start = place + header.size
        stated = start if header.data_bytes is None else min(start + header.data_bytes, audio.size)
        following = inner_header_at(audio, stated)
        place = audio.size if following is None else stated + following
        end = stated if header.data_bytes is not None else place
        if following is None and header.data_bytes is None:
            end -= _cut_header_bytes(audio, start)
            is_doubtful = end == audio.size and audio.read_at(max(0, end - 3), 3).endswith((b"RI", b"RIF"))
        rest = (end - start) % header.format.frame_bytes
        left_over += rest
        spans.append((start, end - rest))
    return None if first is None else Waves(first.format, tuple(spans), left_over, first.data_bytes, is_doubtful)


def dropped(count: int) -> str | None:
    """Return a note about bytes that form no frame, or None where there are none."""
    some = "1 byte after the last whole frame forms" if count == 1 else f"{count} bytes after the last whole frame form"
    return f"{some} no sample and {'was' if count == 1 else 'were'} dropped" if count else None


def _cut_header_bytes(audio: Source, start: int) -> int:
    """Return how many bytes at the end are the beginning of a header; few samples look so."""
    tail = audio.read_at(max(start, audio.size - 64), min(64, audio.size - start))
    place = tail.rfind(b"RIFF")
    return len(tail) - place if place >= 0 and may_open(tail[place : place + 12]) else 0


def may_open(head: bytes) -> bool:
    """Return whether `head`, which begins with RIFF, is the beginning of a WAV file as far as it goes."""
    return riff.recognise(head) if len(head) >= 12 else b"WAVE".startswith(head[8:])


def _spoken(wave: riff.WaveFormat) -> str:
    return f"{wave.subtype}, {wave.sample_rate_hz} Hz, channels={wave.channels}"


def inner_header_at(audio: Source, start: int) -> int | None:
    """Return where the header of a further WAV file stands behind `start`, counted from there, or None."""
    offset, before = start, len(b"RIFFsize")
    while offset < audio.size:
        data = audio.read_at(offset, min(_BLOCK_BYTES + before + len(_INSIDE), audio.size - offset))
        place = data.find(_INSIDE, before)
        while place >= 0:
            if riff.recognise(data[place - before : place + 4]):
                return offset + place - before - start
            place = data.find(_INSIDE, place + 1)
        offset += _BLOCK_BYTES
    return None


def require_samples(audio: Source, start: int, where: str, *, sample_bytes: int) -> None:
    """Raise Refused where promised raw samples begin with a container, hold a WAV header, or begin or end with text."""
    head = audio.read_at(start, min(HEAD_BYTES, max(0, audio.size - start)))
    refuse_foreign(head, where, sample_bytes=sample_bytes)
    if 2 <= len(head) < 12 and b"RIFF".startswith(head[:4]):
        raise Refused("the header of a WAV file is cut", where=where, found=f"{len(head)} bytes", expected="samples")
    refuse_text_behind(audio, audio.size, where, sample_bytes=sample_bytes)
    place = inner_header_at(audio, start)
    if place is not None:
        raise Refused(
            "the header of a WAV file stands between the samples",
            where=f"{where}, byte {start + place}",
            found="RIFF....WAVEfmt",
            expected="samples without a header",
        )


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
