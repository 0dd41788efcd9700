"""What makes players take a file, or the PCM in it, for a different format from the one that it opens as (clause 3.1).

Players do not only read a header. FFmpeg, and with it browsers, asks every format it knows what it thinks of the first
kilobytes, and looks into 16-bit PCM for compressed streams that once were passed through WAV. A file that is built for
that plays other audio than was digested. Each test here is at least as ready to see such a stream as FFmpeg 5 is, and
honest sound passes: `tests/container/test_mistaken.py` states the rate.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from ttsartifact._starting import late_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    _Ends = Callable[[bytes, Sequence[int]], list[int]]

HEAD_BYTES = 64 * 1024
"""How much of a file is searched for signatures of other formats."""
PCM_BYTES = 160 * 1024
"""How much of 16-bit PCM is looked at: players gather 128 KiB before they give up."""

# Of formats that are recognised wherever their signature stands.
_ANYWHERE = {
    b"Interplay MVE File\x1a\0": "an Interplay film",
    bytes.fromhex("060e2b34020501010d0102010102"): "an MXF file",
}
FIRST_ATOMS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"junk"})
"""With which an MP4 begins; the size in a RIFF header can spell each of them."""

# A header of MPEG audio: sync, an existing version and layer, a bitrate and a rate. Headers may overlap, so all but the
# first byte only looks ahead.
_RATES = (
    rb"[\x10-\x1b\x20-\x2b\x30-\x3b\x40-\x4b\x50-\x5b\x60-\x6b"
    rb"\x70-\x7b\x80-\x8b\x90-\x9b\xa0-\xab\xb0-\xbb\xc0-\xcb\xd0-\xdb\xe0-\xeb]."
)
_BEHIND_SYNC = rb"[\xe2-\xe7\xf2-\xf7\xfa-\xff]" + _RATES
_MPEG = late_pattern(rb"\xff(?=%b)" % _BEHIND_SYNC, re.DOTALL)
_OPENED = late_pattern(rb"(?<!\0)\0*+(?=\xff%b)" % _BEHIND_SYNC, re.DOTALL)  # the zeros before such a header
_ADTS = late_pattern(rb"\xff(?=[\xf0\xf1\xf8\xf9])")
_LOAS = late_pattern(rb"\x56(?=[\xe0-\xff])")
# One look for both.
_MPEG_OR_ADTS = late_pattern(rb"\xff(?=[\xe2-\xe7\xf0-\xff](?:(?<=[\xf0\xf1\xf8\xf9])|%b))" % _RATES, re.DOTALL)
_OF_ADTS = frozenset(b"\xf0\xf1\xf8\xf9")
_LEAST_BYTES = 7  # of a frame
_FIRST_FRAMES, _FRAMES = 3, 40  # FFmpeg wants 7 and 200 of MPEG, 3 and 100 of AAC
# How often a sync word has to stand in the PCM; FFmpeg wants more of each, or checks more of what follows.
_SYNC_WORDS = {
    "AC-3": ((b"\x0b\x77", b"\x77\x0b"), 100),
    "DTS": (tuple(map(bytes.fromhex, ("7ffe8001", "fe7f0180", "1fffe800", "ff1f00e8", "64582025"))), 4),
    "TrueHD": ((b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"), 2),
    "IEC 61937": ((b"\x72\xf8\x1f\x4e", b"\xf8\x72\x4e\x1f"), 3),
}
# Every sync word holds one of these, and sound holds each of them seldom: to look around each place of one byte costs
# less than to count a word, and one byte serves the words of several formats.
_ANCHORS = b"\x72\x77\x7f\xe8\x64"
# A stream of pictures that begins with the PCM: sequence, pack and parameter headers of MPEG, H.264 and H.265.
_PICTURES = late_pattern(rb"\0{0,4}\x00\x00\x01[\xb0\xb3\xb5\xba\x09\x27\x47\x67\x40\x42\x46]")
# MPEG-1, 2 and 2.5 by version bits; layer I, II and III by layer bits: kbit/s and samples of a frame.
_KBITS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44_100, 48_000, 32_000)


def mistaken_file(head: bytes, codec: str) -> str | None:
    """Return what a player takes a bare file for by its first `HEAD_BYTES`, in words, or None."""
    for signature, name in _ANYWHERE.items():
        if signature in head:
            return name
    if codec != "wav":
        return None
    if film := begun_film(head, FIRST_ATOMS):
        return film
    # ACT voice recorders put a WAV header before their own codec.
    if len(head) >= 512 and not any(head[44:256]) and head[256] == 0x84 and not any(head[264:512]):
        return "an ACT voice file"
    return None


def begun_film(head: bytes, atoms: Collection[bytes]) -> str | None:
    """Return what film begins here by its second and fourth word, or None."""
    if head[4:8] in atoms:
        return "an MP4 file"
    return "an XMV film" if head[12:16] == b"xobX" else None


def mistaken_pcm(pcm: bytes) -> str | None:
    """Return what a player takes the first `PCM_BYTES` of 16-bit PCM for, in words, or None."""
    start = len(pcm) - len(pcm.lstrip(b"\0"))
    both = _places(_MPEG_OR_ADTS, pcm)
    aac = [at for at in both if pcm[at + 1] in _OF_ADTS]
    mpeg = [at for at in both if pcm[at + 1] not in _OF_ADTS] if aac else both
    for name, sync, ends, places in (
        ("MPEG audio", _MPEG, _mpeg_ends, mpeg),
        ("AAC", _ADTS, _adts_ends, aac),
        ("AAC", _LOAS, _loas_ends, _places(_LOAS, pcm)),
    ):
        if any(_chain(pcm, at, sync, ends, _FIRST_FRAMES) for at in {0, start}):
            return name
        if _has_long_chain(pcm, places, ends, _FRAMES):
            return name
    # FFmpeg wants fewer frames of AC-3 where the PCM begins with one.
    begun = {"AC-3": 7} if pcm.startswith(_SYNC_WORDS["AC-3"][0]) else {}
    wrapped = has_sync_words(pcm, tuple(_SYNC_WORDS), begun)
    return wrapped or ("a stream of pictures" if _PICTURES.match(pcm) else None)


def wrapped_pcm(pcm: bytes) -> str | None:
    """Return what a player takes integer PCM of any width for, in words, or None.

    FFmpeg looks for IEC 61937, which passes compressed sound through PCM, in the bytes of a WAV of format tag 1.
    """
    return has_sync_words(pcm, ("IEC 61937",))


def has_sync_words(data: bytes, names: Sequence[str], enough: Mapping[str, int] | None = None) -> str | None:
    """Return the first of the formats `names` whose sync word stands in `data` often enough, or None.

    `enough` says how often that is where it is not as often as usual.
    """
    around: dict[int, int] = {}
    for name in names:
        words, often = _SYNC_WORDS[name]
        often = (enough or {}).get(name, often)
        most = 0
        for anchor, held in _anchors(words).items():
            if anchor not in around:
                around[anchor] = len(_around(anchor).findall(data))
            most += around[anchor] * held
        if most >= often and sum(map(data.count, words)) >= often:
            return name
    return None


@cache
def _anchors(words: tuple[bytes, ...]) -> dict[int, int]:
    """Return the anchors in some sync words, each with the number of those words."""
    held = {anchor: sum(anchor in word for word in words) for anchor in _ANCHORS}
    return {anchor: count for anchor, count in held.items() if count}


@cache
def _around(anchor: int) -> re.Pattern[bytes]:
    """Return the pattern of an anchor with any of its words around it."""
    halves = [word.split(bytes([anchor])) for words, _ in _SYNC_WORDS.values() for word in words if anchor in word]
    around = b"|".join(
        b"(?<=%b)(?=%b)" % (re.escape(before + bytes([anchor])), re.escape(behind)) for before, behind in halves
    )
    return re.compile(b"%b(?:%b)" % (re.escape(bytes([anchor])), around))


def has_long_chain(data: bytes, frames: int) -> str | None:
    """Return "AAC" where so many of its frames follow each other anywhere in `data`, or None."""
    kinds = ((_ADTS, _adts_ends), (_LOAS, _loas_ends))
    is_chain = any(_has_long_chain(data, _places(sync, data), ends, frames) for sync, ends in kinds)
    return "AAC" if is_chain else None


def followed_frame(data: bytes) -> int | None:
    """Return where a frame of MPEG audio stands that another one follows, with zeros between them or nothing."""
    from bisect import bisect_right

    opened = [found.span() for found in _OPENED.finditer(data)]
    starts = [start for start, _ in opened]
    for _, at in opened:
        (end,) = _mpeg_ends(data, [at])
        place = bisect_right(starts, end) - 1
        if place >= 0 and opened[place][1] >= end:
            return at
    return None


def _places(sync: re.Pattern[bytes], data: bytes) -> list[int]:
    return [found.start() for found in sync.finditer(data)]


def _has_long_chain(pcm: bytes, places: Sequence[int], ends_of: _Ends, frames: int) -> bool:
    """Return whether so many frames follow each other; a chain is one longer than that of its second frame."""
    found = ends_of(pcm, places)
    if len(set(found).intersection(places)) < frames - 1:  # in honest sound hardly any ends where one begins
        return False
    ends = {at: end for at, end in zip(places, found, strict=True) if end - at >= _LEAST_BYTES}
    chains: dict[int, int] = {}
    for at in reversed([at for at, end in ends.items() if end in ends]):
        chains[at] = 1 + chains.get(ends[at], 1)
    return max(chains.values(), default=0) >= frames


def _chain(pcm: bytes, at: int, sync: re.Pattern[bytes], ends: _Ends, count: int) -> bool:
    """Return whether so many frames stand there, each of which ends where the next one begins."""
    for _ in range(count):
        (end,) = ends(pcm, [at]) if sync.match(pcm, at) else [at]
        if end - at < _LEAST_BYTES:
            return False
        at = end
    return True


def _mpeg_ends(data: bytes, places: Sequence[int]) -> list[int]:
    return [at + _frame_bytes(data[at + 1 : at + 3]) for at in places]


def _adts_ends(data: bytes, places: Sequence[int]) -> list[int]:
    return [at + (int.from_bytes(data[at + 3 : at + 6].ljust(3, b"\0")) >> 5 & 0x1FFF) for at in places]


def _loas_ends(data: bytes, places: Sequence[int]) -> list[int]:
    return [at + 3 + (int.from_bytes(data[at + 1 : at + 3].ljust(2, b"\0")) & 0x1FFF) for at in places]


@cache
def _frame_bytes(codes: bytes) -> int:
    """Return the length that two bytes of a header state: a few hundred values, asked at hundreds of places a clip."""
    head = b"\xff" + codes
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate = _RATES_HZ[head[2] >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    bits_s = 1000 * _KBITS[version == 3, layer][(head[2] >> 4) - 1]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return (12 * bits_s // rate + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits_s // rate + padding
