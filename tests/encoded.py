"""FLAC and MP3 for the tests: real encoders' bytes, and the same with other blocks and tags around them."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import soundfile

from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

STREAMINFO, PADDING, APPLICATION, SEEKTABLE, COMMENT, CUESHEET, PICTURE = range(7)
LAST = 0x80


def _encode(frames: int, kind: str, subtype: str | None, channels: int, **how: object) -> bytes:
    samples = np.frombuffer(kit.tone(frames, channels), "<i2").reshape(-1, channels)
    file = io.BytesIO()
    soundfile.write(file, samples, kit.RATE_HZ, format=kind, subtype=subtype, **how)
    return file.getvalue()


def flac(frames: int = 800, subtype: str = "PCM_16", channels: int = 1) -> bytes:
    """Return what libFLAC makes of the kit's tone."""
    return _encode(frames, "FLAC", subtype, channels)


def mp3(frames: int = 800, channels: int = 1) -> bytes:
    """Return what LAME makes of the kit's tone, with no tag."""
    return _encode(frames, "MP3", None, channels, compression_level=0.5, bitrate_mode="CONSTANT")


def blocks_of(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return type and body of each metadata block, and the frames behind them."""
    blocks, offset, is_last = [], 4, False
    while not is_last:
        is_last, kind, size = (
            bool(data[offset] & LAST),
            data[offset] & 0x7F,
            int.from_bytes(data[offset + 1 : offset + 4]),
        )
        blocks.append((kind, data[offset + 4 : offset + 4 + size]))
        offset += 4 + size
    return blocks, data[offset:]


def flac_of(blocks: list[tuple[int, bytes]], frames: bytes) -> bytes:
    """Return the FLAC of these blocks, the last one flagged as the last."""
    written = b"fLaC"
    for place, (kind, body) in enumerate(blocks, 1):
        written += bytes([kind | (LAST if place == len(blocks) else 0)]) + len(body).to_bytes(3) + body
    return written + frames


def bare_flac(*blocks: tuple[int, bytes], frames: int = 800) -> bytes:
    """Return a FLAC with these blocks, and no others, behind STREAMINFO."""
    (info, *_), audio = blocks_of(flac(frames))
    return flac_of([info, *blocks], audio)


def comment(*words: str) -> tuple[int, bytes]:
    """Return a VORBIS_COMMENT block."""
    texts = [b"tests", *(word.encode() for word in words)]
    fields = [struct.pack("<I", len(text)) + text for text in texts]
    return COMMENT, fields[0] + struct.pack("<I", len(words)) + b"".join(fields[1:])


def picture() -> tuple[int, bytes]:
    """Return a PICTURE block: a cover of one pixel, declared as a link."""
    link = b"cover.png"
    return PICTURE, struct.pack(">II", 3, 3) + b"-->" + struct.pack(">I", 0) + struct.pack(
        ">5I", 1, 1, 24, 0, len(link)
    ) + link


SEEKPOINTS = (SEEKTABLE, struct.pack(">QQH", 0, 0, 800))


def synchsafe(size: int) -> bytes:
    """Return a size as ID3v2 writes it."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def id3(*frames: tuple[bytes, bytes], version: int = 4, flags: int = 0, padding: int = 0) -> bytes:
    """Return an ID3v2 tag of these frames."""
    body = b""
    for name, content in frames:
        size = synchsafe(len(content)) if version == 4 else struct.pack(">I", len(content))
        body += name + size + b"\0\0" + content
    body += bytes(padding)
    foot = b"3DI" + bytes([version, 0, flags]) + synchsafe(len(body)) if flags & 0x10 else b""
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body)) + body + foot


TITLE = (b"TIT2", b"\3a fox")
ID3V1 = b"TAG" + b"a fox".ljust(125, b"\0")


def ape(*, head: bool = True) -> bytes:
    """Return an APEv2 tag of one item."""
    item = struct.pack("<II", 5, 0) + b"Title\0a fox"
    flags = 0x8000_0000 if head else 0
    ends = [b"APETAGEX" + struct.pack("<IIII8x", 2000, len(item) + 32, 1, flags | bit) for bit in (0x2000_0000, 0)]
    return (ends[0] if head else b"") + item + ends[1]


def artifact(
    folder: Path,
    carrier: str,
    *,
    name: str | None = None,
    frames: int = 800,
    audio: bytes | None = None,
    **options: Any,
) -> Path:
    """Write an honest small run of the carrier's codec, in it or in the one that `name` says.

    FLAC has a chunk log as WAV has; lossy audio has none.
    """
    run = kit.draft(traces=(kit.chunk_log(frames),), audio={"encoder": absent("unknown")})
    times = run.descriptor["run"]["times"]
    if carrier == "mp3":
        run = kit.draft(traces=(), audio={"encoder": absent("unknown")})
        run.descriptor["run"]["times"] |= {
            "first_chunk_frames": absent("not_measured"),
            "stalls": absent("not_measured"),
        }
    elif frames != 800:
        half_ns = frames // 2 * 1_000_000_000 // kit.RATE_HZ
        late_ns = max(0, 20_000_012 - half_ns)
        times |= {"first_chunk_frames": frames // 2, "stalls": {"count": int(late_ns > 0), "total_ns": late_ns}}
    bare = {"flac": flac, "mp3": mp3}[carrier](frames) if audio is None else audio
    return kit.artifact(folder, name=name or f"run.tts.{carrier}", audio=bare, run=run, **options)
