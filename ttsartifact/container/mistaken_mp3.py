"""What makes FFmpeg take an MP3 for a film (clause 3.10).

FFmpeg prefers almost any format to MP3: seven frames in a row score 51 of 100, and a program stream in the unused bits
of the frames scores 52. Tags count too: FFmpeg steps over the first tag only, which in an artifact is ours. Each test
is at least as ready to see a format as FFmpeg 5 is. Speech, noise and silence pass. A tone whose frames are all the
same may not: FFmpeg does mistake such a file.
"""

from __future__ import annotations

import re
from collections import Counter

from ttsartifact.container.mistaken import FIRST_ATOMS, begun_film, has_long_chain, has_sync_words
from ttsartifact.container.mpeg import frame_bytes

FRAMES_BYTES = 64 * 1024
"""How much of the frames is looked at: FFmpeg has made up its mind once it sees seven of them."""
TAGS_BYTES = 1024 * 1024
"""How much of a file FFmpeg looks at in all."""

_ATOMS = FIRST_ATOMS | {b"udta", b"uuid", b"edit"}
_START = re.compile(rb"\x00\x00\x01(?=[\xba-\xef])")
_PACK, _SYSTEM, _PRIVATE, _AUDIO, _PICTURES = 0xBA, 0xBB, 0xBD, 0xC0, 0xE0  # the byte behind a start code
_HEAD_BYTES = 32  # of a packet
_PACKS, _AUDIO_PACKETS, _PICTURE_PACKETS = 3, 13, 4  # of a program stream
_DV = re.compile(rb"\x1f\x07\x00[\x3f\xbf]")
_DV_SECTIONS = 5
_STRIDES = (188, 192, 204)  # bytes of a transport packet, and with what some recorders add
# A packet's first byte, and that it is an empty one, or has a payload or a field for its clock.
_PACKET = re.compile(
    rb"G(?=..[\x10-\x3f\x50-\x7f\x90-\xbf\xd0-\xff]|[\x1f\x3f\x5f\x7f\x9f\xbf\xdf\xff]\xff)", re.DOTALL
)
_SURE_FRAMES, _SURE_BYTES = 7, 2044  # FFmpeg decides at once for an MP3 of so many frames in its first 2 KiB
_PACKETS, _SYNCED = 10, 7  # FFmpeg wants more than six of ten
_CHAIN = 90  # FFmpeg wants more than a hundred frames of AAC where the file does not begin with them


def mistaken_mp3(tags: bytes, frames: bytes) -> str | None:
    """Return what a player takes an MP3 for by its tags and the beginning of its frames, in words, or None."""
    if film := begun_film(frames, _ATOMS):
        return film
    is_sure = not tags and _is_sure(frames)
    for data in (frames, tags):
        if not is_sure and _is_transport(data):
            return "an MPEG transport stream"
        if _is_program(data):
            return "an MPEG program stream"
        if _is_nsv(data):
            return "an NSV film"
        if len(_DV.findall(data)) >= _DV_SECTIONS:
            return "a DV film"
        found = has_sync_words(data, ("DTS", "TrueHD", "IEC 61937")) or has_long_chain(data, _CHAIN)
        if found is not None:
            return found
    return None


def _is_sure(frames: bytes) -> bool:
    at = 0
    for _ in range(_SURE_FRAMES - 1):
        at += frame_bytes(int.from_bytes(frames[at : at + 4], "big")) or _SURE_BYTES
    return at < _SURE_BYTES


def _is_program(data: bytes) -> bool:
    """Return whether packs and packets of ISO/IEC 13818-1 outnumber what only begins like one."""
    seen: Counter[str] = Counter()
    at = 0
    while (found := _START.search(data, at)) is not None:
        at = found.end()
        code, head = data[at], data[at : at + _HEAD_BYTES].ljust(_HEAD_BYTES, b"\0")
        if code in {_PACK, _SYSTEM}:
            seen["packs"] += code == _PACK and (head[1] & 0xC0 == 0x40 or head[1] & 0xF0 == 0x20)
            seen["all"] += code == _SYSTEM
        elif code == _PRIVATE or code >= _AUDIO:
            is_packet = _opens_packet(head)
            seen["pictures" if code >= _PICTURES else "audio"] += is_packet
            seen["other"] += not is_packet
            # What a packet of sound holds is not searched.
            at += int.from_bytes(head[1:3], "big") if is_packet and code < _PICTURES else 0
    is_many = seen["packs"] >= _PACKS or seen["audio"] >= _AUDIO_PACKETS or seen["pictures"] >= _PICTURE_PACKETS
    return is_many and seen["packs"] + seen["all"] + seen["audio"] + seen["pictures"] > seen["other"]


def _opens_packet(head: bytes) -> bool:
    """Return whether a packet's header follows the last byte of a start code, as MPEG-1 or MPEG-2 has it."""
    first, flags = head[3], head[4] & 0xC0
    if first & 0xC0 == 0x80 and flags != 0x40 and (flags == 0 or flags >> 2 == head[6] & 0xF0):
        return True
    at = next((at for at in range(3, len(head)) if head[at] != 0xFF), len(head) - 1)
    at += 2 if head[at] & 0xC0 == 0x40 else 0
    rest = head[at : at + 10].ljust(10, b"\0")
    if rest[0] & 0xF0 == 0x20:
        return bool(rest[0] & rest[2] & rest[4] & 1)
    if rest[0] & 0xF0 == 0x30:
        return bool(rest[0] & rest[2] & rest[4] & rest[5] & rest[7] & rest[9] & 1)
    return rest[0] == 0x0F


def _is_transport(data: bytes) -> bool:
    """Return whether packets' sync bytes stand in seven of ten places, and not just anywhere."""
    places = [found.start() for found in _PACKET.finditer(data)]
    for stride in _STRIDES:
        window = _PACKETS * stride
        counts = Counter((place // window, place % stride) for place in places)
        totals = Counter(place // window for place in places)
        for (number, phase), count in counts.items():
            if 2 * count < _SYNCED:
                continue
            for pair in ((number - 1, number), (number, number + 1)):
                best = sum(counts[each, phase] for each in pair)
                if best - max(sum(totals[each] for each in pair) - 10 * best, 0) // 10 >= _SYNCED:
                    return True
    return False


def _is_nsv(data: bytes) -> bool:
    """Return whether a chunk of Nullsoft's video ends where the next one begins."""
    at = data.find(b"NSVs")
    while at >= 0:
        pictures = int.from_bytes(data[at + 19 : at + 22], "little") >> 4
        end = at + 24 + pictures + int.from_bytes(data[at + 22 : at + 24], "little")
        if data[end : end + 2] == b"\xef\xbe":
            return True
        at = data.find(b"NSVs", at + 1)
    return data.startswith((b"NSVf", b"NSVs"))
