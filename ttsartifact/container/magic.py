"""What bytes visibly are: the containers, compressed files and texts that are handed over where audio was promised.

A table of first bytes (each with the document that gives them), and two tests that need more than a prefix: MPEG
audio, whose eleven sync bits also occur in samples, and text. Every test is strict enough that raw samples of 16 bits
and more are not taken for something else: it reads at least four fixed bytes, or a whole block that only text fills.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttsartifact._starting import NamedTuple, late_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 2048
"""How many bytes from the start of a block are looked at."""

_LEAST_TEXT = 16  # eight samples of 16 bits that are all printable, and all above 8,000: no sound does that


class Signature(NamedTuple):
    """What a block of bytes is, in the words of a message."""

    name: str
    is_audio: bool
    """Whether a decoder would make sound of it."""

    @property
    def is_text(self) -> bool:
        """Whether its first line says something to people."""
        return self.name in {"JSON", "HTML or XML", "text"}

    @property
    def conversion(self) -> str | None:
        """The command that makes a WAV of the same samples, in words; None where there is no such command."""
        return _CONVERSIONS.get(self.name)


# Offset, bytes, name, whether it is audio. RIFF, RIFX: IBM and Microsoft, Multimedia Programming Interface 1.0. RF64:
# EBU Tech 3306. BW64: ITU-R BS.2088. FLAC: RFC 9639, 6 and 10.1. Ogg: RFC 3533, 6. ID3: id3.org, 2.4.0. ftyp: ISO/IEC
# 14496-12. EBML: RFC 8794. AIFF: Apple, 1989. CAF: Apple, 2005. AU: Sun. Wave64: Sonic Foundry. ASF: Microsoft. AMR:
# RFC 4867, 5. gzip: RFC 1952. ZIP: APPNOTE 4.3.7. zstd: RFC 8878. LFS: the pointer's first line.
_PREFIXES: tuple[tuple[int, bytes, str, bool], ...] = (
    (0, b"RIFX", "a big-endian WAV file", True),
    (8, b"WAVE", "a WAV file", True),
    (0, b"fLaC", "a FLAC file", True),
    (28, b"\x7fFLAC", "an Ogg FLAC file", True),
    (28, b"Speex   ", "an Ogg Speex file", True),
    (28, b"fishead\0", "an Ogg file with a Skeleton stream", True),
    (0, b"OggS\0", "an Ogg file", True),
    (4, b"ftyp", "an MP4 or M4A file", True),
    (0, b"\x1a\x45\xdf\xa3", "a WebM or Matroska file", True),
    (8, b"AIFF", "an AIFF file", True),
    (8, b"AIFC", "an AIFF-C file", True),
    (0, b"caff\0\1", "a CAF file", True),
    (0, b".snd\0\0", "a Sun AU file", True),
    (0, b"#!AMR", "an AMR file", True),
    (0, b"riff\x2e\x91\xcf\x11", "a Wave64 file", True),
    (0, b"wvpk", "a WavPack file", True),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA file", True),
    (0, b"PK\3\4", "a ZIP archive", False),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed data", False),
    (0, b"PAR1", "a Parquet file", False),
    (0, b"%PDF-", "a PDF file", False),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image", False),
    (0, b"version https://git-lfs", "a Git LFS pointer", False),
)
# How what is not read becomes a WAV of the same samples; tests/container/test_conversions.py holds them to that.
_CONVERSIONS = {
    "an AIFF file": "`sox FILE.aiff FILE.wav` keeps every sample",
    "a big-endian WAV file": "`sox -t wav FILE.rifx FILE.wav` keeps every sample of PCM",  # FFmpeg 5 swaps its bytes
} | {
    name: f"`ffmpeg -i FILE.{suffix} -c:a pcm_f64le FILE.wav` keeps every sample{of}"
    for name, suffix, of in (
        ("an AIFF-C file", "aifc", ""),
        ("a Sun AU file", "au", ""),
        ("a CAF file", "caf", " of PCM"),
        ("a Wave64 file", "w64", " of PCM"),
        ("an Ogg FLAC file", "oga", ""),
    )
}
# A type at offset 8 or 28 counts inside one of these only.
_FORMS = {8: (b"RIFF", b"RF64", b"BW64", b"FORM"), 28: (b"OggS",)}
_FIRST_BYTES = frozenset(
    opening[:1] for offset, mark, *_ in _PREFIXES for opening in ((mark,) if offset == 0 else _FORMS.get(offset, ()))
) | {b"I", b"\x1f", b"\xff"}
"""Of all that is recognised but for `ftyp` and text: most samples begin with none, and are asked no further."""
_ID3_VERSIONS = range(2, 5)

# Bit rates in kbit/s by (is MPEG-1, layer), index 1 to 14, and sample rates by version: ISO/IEC 11172-3 and 13818-3.
# Layer I is left out: its sync bits are those of -1, and nobody speaks in it.
_BIT_RATES = {
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_TEXT_BYTES = b"\t\n\r\f" + bytes(range(0x20, 0x7F))
_CONTROL = late_pattern(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")
_LAST_TEXT = late_pattern(rb"(?:[\t\n\r\f\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3})+\Z")
_LEAST_KINDS = 6  # of bytes: a wave that stands still repeats fewer
_MARKUP = late_pattern(
    rb"\s*(<(!doctype|html|\?xml|head|body|title)\b|[{\[]\s*[\"{\[]|(data|event|id|retry):\s)", re.IGNORECASE
)


def kind_of(head: bytes, *, sample_bytes: int = 2) -> Signature | None:
    """Return what the block that starts with `head` visibly is, or None where it may well be samples.

    `sample_bytes` is the width of the samples that were promised; in samples of one byte, a quiet wave can look like
    letters, so that only JSON, HTML and server-sent events are called text there.
    """
    head = head[:HEAD_BYTES]
    if head[:1] not in _FIRST_BYTES and head[4:8] != b"ftyp":
        return _text(head, sample_bytes)
    for offset, mark, name, is_audio in _PREFIXES:
        if head[offset : offset + len(mark)] == mark and head[:4] in _FORMS.get(offset, (head[:4],)):
            return Signature(name, is_audio)
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] in _ID3_VERSIONS and all(byte < 0x80 for byte in head[6:10]):
        return Signature("an MP3 file", True)
    if head[:3] == b"\x1f\x8b\x08" and len(head) >= 10 and head[3] < 0x20 and head[8] in {0, 2, 4}:
        return Signature("gzip-compressed data", False)
    if _is_mpeg(head):
        return Signature("MPEG audio (MP2, MP3 or AAC)", True)
    return _text(head, sample_bytes)


def line_before(head: bytes) -> str:
    """Return the line of text that a block begins with and that something else follows, or nothing.

    Engines that log to their stdout write one before the audio. Sound is no text that long: see `_LEAST_TEXT`.
    """
    line, _, rest = head[:HEAD_BYTES].partition(b"\n")
    is_text = len(line) >= _LEAST_TEXT and not line.translate(None, _TEXT_BYTES) and rest and not _is_written(rest)
    return line.decode("ascii").strip() if is_text else ""


def text_behind(tail: bytes, *, sample_bytes: int = 2) -> str:
    """Return the last line of the text that samples end with in `tail`, or nothing.

    A server that fails in mid-stream writes one, or a command behind the engine. Of samples of one byte only JSON, HTML
    and server-sent events to the very end are text, as in `kind_of`.
    """
    found = _LAST_TEXT.search(tail[-HEAD_BYTES:])
    text = found[0] if found else b""
    if text and sample_bytes < 2:
        markup = _MARKUP.search(text)
        text = text[markup.start() :] if markup and text.rstrip()[-1:] in {b"}", b"]", b">"} else b""
    if len(text.strip()) < _LEAST_TEXT or len(set(text)) < _LEAST_KINDS:
        return ""
    return text.decode("utf-8", "backslashreplace").strip().splitlines()[-1].strip()[:200]


def first_line(data: bytes, *, limit: int = 200) -> str:
    """Return the first line of a text with something in it, for a message; empty where there is none."""
    lines = data[: 8 * HEAD_BYTES].decode("utf-8", "backslashreplace").splitlines()
    return next((line.strip()[:limit] for line in lines if line.strip()), "")


def _text(head: bytes, sample_bytes: int) -> Signature | None:
    if _CONTROL.search(head, 0, _LEAST_TEXT):
        return None  # nearly all samples end here
    markup = _MARKUP.match(head)
    if not markup and (sample_bytes < 2 or len(head) < _LEAST_TEXT):
        return None
    if sample_bytes >= 2 and line_before(head):
        return Signature("text", False)
    if not _is_written(head):
        return None
    if markup and markup[2]:
        return Signature("HTML or XML", False)
    if markup and markup[0].lstrip()[:1] in {b"{", b"["}:
        return Signature("JSON", False)
    return Signature("text", False)


def _is_written(head: bytes) -> bool:
    """Return whether every byte belongs to a text in UTF-8; a character that the block's end cuts does no harm."""
    if head[:_LEAST_TEXT].isascii() and head[:_LEAST_TEXT].translate(None, _TEXT_BYTES):
        return False  # nearly all samples end here
    if not head.translate(None, _TEXT_BYTES):
        return True
    for cut in range(min(4, len(head))):
        try:
            words = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        # Samples of small numbers decode too, as control characters; a text has none.
        return all(character.isprintable() or character in "\t\n\r\f" for character in words)
    return False


def _is_mpeg(head: bytes) -> bool:
    """Return whether frames of MPEG audio or ADTS follow each other: one header alone may be chance, and so may two."""
    return any(_follow(head, length_of) for length_of in (_mpeg_frame_bytes, _adts_frame_bytes))


def _follow(head: bytes, length_of: Callable[[bytes], int]) -> bool:
    """Return whether the block begins with two headers of one kind, and with a third where it is long enough."""
    offset, found = 0, 0
    while found < 3 and offset + 7 <= len(head):
        header = head[offset : offset + 7]
        length = length_of(header)
        # Bit rate and padding change from frame to frame; version, layer and sample rate do not.
        if not length or header[:2] != head[:2] or (header[2] ^ head[2]) & 0x0C:
            return False
        offset, found = offset + length, found + 1
    return found >= 2


def _mpeg_frame_bytes(header: bytes) -> int:
    """Return the length of the frame that a header begins, or 0 (ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, frequency, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer in {1, 4} or rate_index in {0, 15} or frequency == 3 or header[3] & 3 == 2:
        return 0
    rate = _BIT_RATES[version == 3, layer][rate_index - 1] * 1000
    sample_rate = _SAMPLE_RATES[version][frequency]
    frame = 144 if layer == 2 or version == 3 else 72
    return frame * rate // sample_rate + padding


def _adts_frame_bytes(header: bytes) -> int:
    """Return the length of an ADTS frame, or 0 (ISO/IEC 13818-7, 6.2)."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length > 7 else 0
