"""Files as opponents and sloppy writers make them: each is decided by a seed alone, whatever its carrier."""

from __future__ import annotations

import io
import random
import struct
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from ogg_pages import page, pages_of

from ttsartifact.container import crc, flac_frames, mpeg

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["structure"]

_RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_FORMATS = ((1, 8), (1, 16), (1, 16), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8))


def structure(seed: int) -> tuple[str, bytes]:
    """Return the carrier and the bytes of structure `seed`; every other one is bent in one way or more."""
    chance = random.Random(seed)
    kind = ("wav", "wav", "flac", "mp3", "ogg")[seed % 5]
    data = {"wav": _wav, "flac": _flac, "mp3": _mp3, "ogg": _ogg}[kind](chance)
    if chance.random() < 0.08:  # mutated: some bytes are others, gone, or there twice
        at, end = sorted((chance.randrange(len(data)), chance.randrange(len(data))))
        end = min(end, at + chance.choice((1, 2, 4, 32)))
        data = chance.choice((
            data[:at] + chance.randbytes(end - at) + data[end:],
            data[:at] + data[end:],
            data[:end] + data[at:end] + data[end:],
            data[:at],
        ))  # fmt: skip
    return kind, _dressed(kind, data, random.Random(f"dress {seed}"))


# --- what taggers and editors put around it ---------------------------------------------------------------------------

_TITLE = b"TIT2\0\0\0\5\0\0\0abcd"
_ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
_SYNCSAFE = bytes((0, 0, 0, len(_TITLE)))
_HEADS = {
    "v2.2": b"ID3\2\0\0\0\0\0\x0aTT2\0\0\4\0abc",
    "v2.3": b"ID3\3\0\0" + _SYNCSAFE + _TITLE,
    "v2.4 with a footer": b"ID3\4\0\x10" + _SYNCSAFE + _TITLE + b"3DI\4\0\x10" + _SYNCSAFE,
    "a footer claimed": b"ID3\3\0\x10" + _SYNCSAFE + _TITLE,
    "unsynchronised": b"ID3\4\0\x80\0\0\0\x0eTIT2\0\0\0\4\0\2\0a\xff\0",
    "extended": b"ID3\4\0\x40\0\0\0\x06\0\0\0\6\1\0",
    "padded": b"ID3\4\0\0\0\0\4\0" + _TITLE + bytes(512 - len(_TITLE)),
    "empty": b"ID3\4\0\0\0\0\0\0",
    "zeros": bytes(64),
}
_TAILS = (_ID3V1, _ID3V1 * 2, b"TAG+" + bytes(223) + _ID3V1, b"LYRICSBEGINhelloLYRICSEND" + _ID3V1, b"\n", bytes(40))
_SHEET = bytes(395) + b"\1" + bytes(8) + b"\xaa" + bytes(27)
_PICTURE = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, 1, 1, 24, 0, 4) + b"\x89PNG"
_BLOCKS = (
    (1, b""),
    (1, b"words"),
    (2, b"test"),
    (2, b"tes"),
    (5, _SHEET),
    (6, _PICTURE),
    (6, _PICTURE[:-2]),
    (9, b"new"),
)


def _dressed(kind: str, data: bytes, chance: random.Random) -> bytes:
    """Return three in ten files with a tag, a chunk or a metadata block more, whatever else is wrong with them."""
    if kind == "ogg" or chance.random() >= 0.3:
        return data
    if kind == "wav":
        if data[:4] != b"RIFF":
            return data
        at = chance.choice((12, len(data)))
        data = data[:at] + _edited_chunk(chance) + data[at:]
        return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    if kind == "flac" and chance.random() < 0.4:
        number, body = chance.choice(_BLOCKS)
        return data[:42] + bytes([number]) + len(body).to_bytes(3, "big") + body + data[42:]
    if chance.random() < 0.6:
        return (
            b"".join(chance.choices(list(_HEADS.values()), k=1 if kind == "flac" else chance.choice((1, 1, 2)))) + data
        )
    return data + chance.choice((*_TAILS, _ape(b"a title")))


def _edited_chunk(chance: random.Random) -> bytes:
    """Return a chunk that audio editors and broadcasters write, or one that nobody knows."""
    point = struct.pack("<II4sIII", 1, 0, b"data", 0, 0, 100)
    return chance.choice((
        _chunk(b"cue ", struct.pack("<I", 1) + point),
        _chunk(b"plst", struct.pack("<IIII", 1, 1, 100, 3)),
        _chunk(b"smpl", struct.pack("<9I", 0, 0, 62_500, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 10, 900, 0, 5)),
        _chunk(b"inst", bytes((60, 0, 0, 0, 127, 0, 127))),
        _chunk(b"iXML", b"<BWFXML/>"),
        _chunk(b"chna", struct.pack("<HH", 1, 1) + bytes(40)),
        _chunk(b"LIST", b"INFO" + b"ISFT\3\0\0\0abcICMT\4\0\0\0text"),
        _chunk(b"LIST", b"INFO" + b"ISFT" + struct.pack("<I", 3_000) + b"abcd"),
        _chunk(b"LIST", b""),
        _chunk(b"id3 ", _HEADS["v2.3"]),
        _chunk(b"_PMX", b"<x:xmpmeta data='1'/>"),
        _chunk(b"fake", b"RIFF\x24\0\0\0WAVEdata\x10\0\0\0" + bytes(16)),
        _chunk(b"DATA", bytes(64)),
        _chunk(b"\0\0\0\0", bytes(8)),
        bytes(8),
    ))  # fmt: skip


# --- WAV --------------------------------------------------------------------------------------------------------------


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _extra(chance: random.Random) -> bytes:
    """Return a chunk that stands beside the sound: known, unknown, true or not."""
    return chance.choice((
        _chunk(b"LIST", b"INFOISFT\x04\0\0\0abc\0"),
        _chunk(b"LIST", b"adtl" + chance.randbytes(8)),
        _chunk(b"LIST", chance.choice((b"INFO", b"adtl", b"exif", b"movi", b"")) + b"data" + chance.randbytes(8)),
        _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", b"metadata") + b"ISFT" + chance.randbytes(4)),
        _chunk(chance.choice((b"INFO", b"adtl", b"exif", b"\1\2\3\4")), b"data\x28\0\0\0" * chance.randrange(9)),
        _chunk(b"fact", struct.pack("<I", chance.choice((0, 1, 500, 99_999)))),
        _chunk(b"bext", chance.randbytes(chance.choice((602, 610, 4)))),
        _chunk(b"JUNK", bytes(28)),
        _chunk(b"cue ", struct.pack("<I", 0)),
        _chunk(b"smpl", bytes(36)),
        _chunk(b"PEAK", chance.randbytes(16)),
        _chunk(b"id3 ", b"ID3\4\0\0\0\0\0\0"),
        _chunk(b"note", chance.randbytes(chance.randrange(40))),
        _chunk(b"axml", b"<x/>"),
        _chunk(b"acid", bytes(chance.choice((0, 10, 24)))),
    ))  # fmt: skip


_WAV_FAULTS = (
    "data twice", "fmt twice", "wavl", "XMA2", "SMV0", "xobX", "ds64", "align", "rate", "size", "behind", "act",
    "mp3", "adts", "mask", "valid", "subtype", "extension", "unpadded", "film", "empty", "half",
)  # fmt: skip


def _wav(chance: random.Random) -> bytes:
    fault = chance.choice(_WAV_FAULTS) if chance.random() < 0.5 else ""
    tag, bits = (1, 16) if fault in {"mp3", "adts", "act"} else chance.choice(_FORMATS)
    channels, rate = chance.choice((1, 1, 2, 2, 5, 6)), chance.choice(_RATES)
    channels = 1 if fault in {"mp3", "adts", "act"} else channels
    align = channels * bits // 8
    pcm = _pcm(chance, tag, bits, channels, fault)
    extended = fault in {"mask", "valid", "subtype", "extension"} or chance.random() < 0.25
    fmt = struct.pack(
        "<HHIIHH",
        0xFFFE if extended else tag,
        channels,
        rate,
        rate * align + (fault == "rate"),
        align + 2 * (fault == "align"),
        bits,
    )
    if extended:
        valid = chance.choice((0, 8, 12, 16, 24, bits - 1, bits + 1)) if fault == "valid" else bits
        mask = chance.choice((0, 3, 4, 8, 0x3F)) if fault == "mask" else 0
        inner = chance.choice((1, 2, 3, 6, 0xFFFE)) if fault == "subtype" else tag
        fmt += struct.pack("<HHIH", 0 if fault == "extension" else 22, valid, mask, inner) + _GUID_TAIL
    elif chance.random() < 0.3:
        fmt += chance.choice((b"\0\0", b"\0\0", b"\x16\0", b"\2\0\1\0"))
    data = b"data" + struct.pack("<I", len(pcm)) + pcm + (b"" if fault == "unpadded" else b"\0" * (len(pcm) & 1))
    chunks = [_chunk(b"fmt ", fmt), data]
    if fault == "fmt twice":
        chunks.insert(1, _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)))
    if fault == "data twice":
        chunks.insert(chance.choice((1, 2)), _chunk(b"data", pcm[: align * 7]))
    strangers = {
        "wavl": _chunk(b"LIST", b"wavl" + _chunk(b"data", pcm[:align])),
        "XMA2": _chunk(b"XMA2", b"\3\1" + bytes(42)),
        "SMV0": _chunk(b"SMV0", b"0200" + bytes(60)),
        "xobX": b"xobX\1\0\0\0\0\0",
        "ds64": _chunk(b"ds64", struct.pack("<QQQI", 90, 10, 5, 0)),
    }
    if fault in strangers:
        chunks.insert(0 if fault in {"xobX", "ds64", "XMA2"} else 1, strangers[fault])
    for _ in range(chance.choice((0, 0, 1, 3)) if fault != "act" else 0):
        chunks.insert(chance.randrange(len(chunks) + 1), _extra(chance))
    return _riff(chance, chunks, len(pcm), align, fault)


def _pcm(chance: random.Random, tag: int, bits: int, channels: int, fault: str) -> bytes:
    frames = chance.randint(1, 3_000)
    if fault == "mp3":
        return (b"\xff\xfb\x90\x64" + bytes(413)) * chance.choice((1, 2, 8, 16)) + bytes(0)
    if fault == "adts":
        return b"\xff\xf1\x50\x80\x08\x1f\xfc".ljust(64, b"\x21") * chance.choice((2, 8, 40))
    if fault == "act":
        return (bytes(212) + b"\x84" + bytes(1_000))[: chance.choice((200, 600, 1_200)) & ~1]
    if fault == "film":
        return b"Interplay MVE File\x1a\0".ljust(channels * bits * 30, b"\1")
    if fault == "empty":
        return b""
    noise = np.random.default_rng(chance.randrange(1 << 30)).normal(size=frames * channels) * 0.2
    if tag == 3:
        return noise.astype(f"<f{bits // 8}").tobytes()
    raw = chance.randbytes(frames * channels * bits // 8)
    if (tag, bits) == (1, 16):
        raw = (noise * 30_000).clip(-32_768, 32_767).astype("<i2").tobytes()
    return raw + b"\1" * (fault == "half")


def _riff(chance: random.Random, chunks: list[bytes], pcm_bytes: int, align: int, fault: str) -> bytes:
    if chance.random() < 0.25:  # sizes of 64 bits, and the same or others in the fields of 32
        form = chance.choice((b"RF64", b"RF64", b"BW64"))
        riff_bytes = 4 + 36 + sum(map(len, chunks))
        is_true = chance.random() < 0.6
        data_bytes = (
            pcm_bytes
            if is_true
            else chance.choice((pcm_bytes + 8 * align, max(align, pcm_bytes // align // 2 * align)))
        )
        ds64 = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, data_bytes, chance.choice((0, data_bytes // align)), 0)
        if chance.random() < 0.7:
            chunks = [b"data\xff\xff\xff\xff" + c[8:] if c[:4] == b"data" else c for c in chunks]
        size = chance.choice((0xFFFFFFFF, 0xFFFFFFFF, riff_bytes))
        return form + struct.pack("<I", size) + b"WAVE" + ds64 + b"".join(chunks)
    body = b"WAVE" + b"".join(chunks)
    size = len(body) + (chance.choice((-8, 2, 8)) if fault == "size" else 0)
    behind = chance.choice((b"\n", bytes(64), body[4:])) if fault == "behind" else b""
    return b"RIFF" + struct.pack("<I", size) + body + behind


# --- encoded ----------------------------------------------------------------------------------------------------------


@cache
def _sound(number: int, form: str, subtype: str | None, rate: int, channels: int, quality: float | None) -> bytes:
    draw = np.random.default_rng(number)
    frames = int(draw.integers(2_000, 20_000))
    one = (draw.normal(size=frames) * np.linspace(0, 0.3, frames) * (draw.random() + 0.1)).astype("f4")
    how = (
        {} if quality is None else {"compression_level": quality, "bitrate_mode": ("CONSTANT", "VARIABLE")[number % 2]}
    )
    soundfile.write(out := io.BytesIO(), np.stack([one] * channels, 1), rate, format=form, subtype=subtype, **how)
    return out.getvalue()


def _flac(chance: random.Random) -> bytes:
    subtype = chance.choice(("PCM_16", "PCM_16", "PCM_24", "PCM_S8"))
    data = _sound(chance.randrange(8), "FLAC", subtype, chance.choice(_RATES[1:]), chance.choice((1, 1, 2)), None)
    start = _flac_start(data)
    frames = _flac_pieces(data, start)
    fault = chance.choice(
        ("", "", "", "info", "lost", "twice", "swapped", "count", "unknown", "behind", "another", "header", "hidden")
    )
    head = data[:start]
    if fault in {"lost", "twice", "swapped"} and len(frames) > 1:
        place = chance.randrange(len(frames) - 1)
        pair = frames[place : place + 2]
        frames[place : place + 2] = {"lost": pair[1:], "twice": [pair[0], *pair], "swapped": pair[::-1]}[fault]
        head = _packed(head, 0, (1 << 36) - 1) if chance.random() < 0.7 else head
    if fault == "info":
        field = chance.choice(
            ((44, 20, chance.choice(_RATES)), (41, 3, chance.randrange(3)), (36, 5, chance.choice((7, 15, 23))))
        )
        head = _packed(head, field[2] << field[0], ((1 << field[1]) - 1) << field[0])
    if fault in {"count", "unknown"}:
        head = _packed(head, 0 if fault == "unknown" else chance.randint(1, 30_000), (1 << 36) - 1)
    if fault == "header":
        frames[0] = _flac_header(frames[0], chance)
    body = b"".join(frames)
    if fault == "behind":
        body += chance.choice((b"\0", bytes(9), b"TAG" + bytes(125), chance.randbytes(50)))
    if fault == "hidden":
        return _hiding(chance)
    if fault == "another":
        other = _sound(9, "FLAC", subtype, 48_000, 1, None)
        head = _packed(head, 0, (1 << 36) - 1) if chance.random() < 0.7 else head
        body += chance.choice((other, other[_flac_start(other) :]))
    return head + body


def _hiding(chance: random.Random) -> bytes:
    """Return a FLAC of stored samples of which the first frame holds frames of its own, in step or not."""
    noise, first = chance.randbytes(8192), chance.choice((1, 2, 50))
    inner = b"".join(_stored(first + number, bytes(64)) for number in range(chance.randint(1, 12)))
    frames = [_stored(0, inner + noise[len(inner) :]), _stored(1, noise), _stored(2, noise)]
    packed = 16_000 << 44 | 15 << 36 | 3 * 4096
    return b"fLaC\x80\0\0\x22\x10\0\x10\0" + bytes(6) + packed.to_bytes(8, "big") + bytes(16) + b"".join(frames)


def _stored(number: int, samples: bytes) -> bytes:
    head = b"\xff\xf8\x70\x08" + bytes([number]) + (len(samples) // 2 - 1).to_bytes(2, "big")
    frame = head + bytes([crc.crc8(head)]) + b"\2" + samples
    return frame + crc.crc16(0, frame).to_bytes(2, "big")


def _packed(head: bytes, value: int, mask: int) -> bytes:
    packed = int.from_bytes(head[18:26], "big") & ~mask | value
    return head[:18] + packed.to_bytes(8, "big") + head[26:]


def _flac_start(data: bytes) -> int:
    offset, is_last = 4, False
    while not is_last:
        is_last = bool(data[offset] & 0x80)
        offset += 4 + int.from_bytes(data[offset + 1 : offset + 4], "big")
    return offset


def _flac_pieces(data: bytes, start: int) -> list[bytes]:
    places = [start]
    for found in flac_frames._SYNC.finditer(data, start + 6):
        is_header = flac_frames._header(data[found.start() : found.start() + 16], 0) is not None
        if is_header and crc.crc16(0, data[places[-1] : found.start()]) == 0:
            places.append(found.start())
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _flac_header(frame: bytes, chance: random.Random) -> bytes:
    """Return a frame whose header names another rate, channels or depth, under check sums that fit."""
    changed = bytearray(frame)
    at = chance.choice((2, 3))
    changed[at] = chance.choice((changed[at] & 0xF0 | chance.randrange(1, 12), chance.choice((0x08, 0x18, 0x0C, 0x88))))
    size = {6: 1, 7: 2}.get(changed[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(changed[2] & 15, 0) + 5
    changed[size] = crc.crc8(bytes(changed[:size]))
    changed[-2:] = crc.crc16(0, bytes(changed[:-2])).to_bytes(2, "big")
    return bytes(changed)


def _mp3(chance: random.Random) -> bytes:
    def sound(number: int) -> bytes:
        return _sound(number, "MP3", None, chance.choice(_RATES), chance.choice((1, 2)), chance.choice((0.3, 0.8)))

    data = sound(chance.randrange(6))
    size = mpeg.frame_bytes(int.from_bytes(data[:4], "big")) or 4
    tag = b"ID3\4\0\0\0\0\0\x10TIT2\0\0\0\5\0\0\0abcd" + bytes(1)
    faults: dict[str, Callable[[], bytes]] = {
        "": lambda: data,
        "uncounted": lambda: data[size:],
        "tagged": lambda: tag[:26] + data + b"TAG" + bytes(125),
        "two": lambda: data + sound(7),
        "twice": lambda: data + data,
        "uncounted two": lambda: data[size:] + data[size:],
        "between": lambda: data[:size] + chance.choice((b"\0", bytes(300), tag[:26])) + data[size:],
        "cut": lambda: data[: -chance.randint(1, size)],
        "behind": lambda: data + chance.choice((b"\n", bytes(500), chance.randbytes(77))),
        "count": lambda: _counting(data, chance.randint(1, 60)),
        "delay": lambda: _delayed(data, chance),
        "writer": lambda: data.replace(b"LAME", chance.choice((b"GOGO", b"Lavc", bytes(4))), 1),
        "flags": lambda: _flagged(data, chance.randrange(16)),
        "side": lambda: data[: size * 2 + 5] + chance.randbytes(3) + data[size * 2 + 8 :],
        "stereo": lambda: data[size:] + _sound(2, "MP3", None, 16_000, 1 + chance.randrange(2), 0.5),
        "ape": lambda: data + _ape(data[size : size * 3] if chance.random() < 0.5 else b"a title"),
        "ape of others": lambda: data + _ape(bytes(chance.randrange(9)).join(_frames_of(sound(7))[3:9])),
    }
    return faults[chance.choice((*faults, "", "", ""))]()


def _frames_of(data: bytes) -> list[bytes]:
    frames, at = [], 0
    while (size := mpeg.frame_bytes(int.from_bytes(data[at : at + 4].ljust(4, b"\0"), "big"))) is not None:
        frames.append(data[at : at + size])
        at += size
    return frames


def _counting(data: bytes, count: int) -> bytes:
    place = max(data.find(b"Xing"), data.find(b"Info"))
    return data[: place + 8] + count.to_bytes(4, "big") + data[place + 12 :] if place > 0 else data


def _flagged(data: bytes, flags: int) -> bytes:
    place = max(data.find(b"Xing"), data.find(b"Info"))
    return data[: place + 7] + bytes([flags]) + data[place + 8 :] if place > 0 else data


def _delayed(data: bytes, chance: random.Random) -> bytes:
    place = data.find(b"LAME")
    both = chance.choice((0, 576 << 12, 1_105 << 12 | 300, 576 << 12 | 1_000))
    return data[: place + 21] + both.to_bytes(3, "big") + data[place + 24 :] if place > 0 else data


def _ape(value: bytes) -> bytes:
    items = struct.pack("<II", len(value), 2) + b"Item\0" + value
    return items + b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 1, 0) + bytes(8)


def _ogg(chance: random.Random) -> bytes:
    subtype = chance.choice(("VORBIS", "OPUS"))
    rate = chance.choice((8_000, 16_000, 24_000, 48_000))
    channels = chance.choice((1, 2))
    pages = pages_of(_sound(chance.randrange(6), "OGG", subtype, rate, channels, None))
    other = [page(each, serial=77) for each in pages_of(_sound(7, "OGG", subtype, rate, channels, None))]
    last = int.from_bytes(pages[-1][6:14], "little")
    faults: dict[str, Callable[[], list[bytes]]] = {
        "": lambda: pages,
        "chained": lambda: pages + other,
        "twice": lambda: pages + pages,
        "at once": lambda: [pages[0], other[0], *pages[1:], *other[1:]],
        "cut": lambda: pages[:-1],
        "lost": lambda: [each for place, each in enumerate(pages) if place != len(pages) // 2],
        "endless": lambda: [*pages[:-1], page(pages[-1], flags=pages[-1][5] & ~4)],
        "early": lambda: [*pages[:-1], page(pages[-1], granule=max(1, last - chance.choice((10, 700, 4_000))))],
        "late": lambda: [*pages[:-1], page(pages[-1], granule=last + chance.choice((10, 700, 48_000)))],
        "behind": lambda: [*pages, chance.choice((b"\0", b"OggS", chance.randbytes(60)))],
    }
    return b"".join(faults[chance.choice((*faults, "", "", ""))]())
