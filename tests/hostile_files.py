"""Files that strangers might send: cut at every boundary, lying about every size, nested, swollen, or no artifact.

Each is refused by a rule, in little time and memory, and none of them is ever a crash.
"""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["hostile"]

PARQUET = "run.tts.parquet"
STREAMINFO_SAMPLES = 21  # of a FLAC: the low nibble here and four bytes behind it count the samples of the stream


def edited(edit: Callable[[bytes], bytes], **options: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = kit.artifact(folder, **options)
        path.write_bytes(edit(path.read_bytes()))
        return path

    return make


def written(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "run.tts.wav"
        path.write_bytes(data)
        return path

    return make


def sized(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def in_capsule(edit: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """Return a recipe that edits the capsule's bytes and keeps every RIFF size true."""

    def change(data: bytes) -> bytes:
        place = riff.walk(BytesSource(data)).capsule
        assert place is not None
        held = edit(data[place.body : place.body + place.size])
        chunk = struct.pack("<4sI", b"ttsa", len(held)) + held + b"\0" * (len(held) & 1)
        return sized(data[: place.offset] + chunk)

    return edited(change)


def boundaries_of(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield a name and a length for every place at which a structure of a WAV artifact begins or ends."""
    walked = riff.walk(BytesSource(data))
    assert walked.capsule is not None
    assert walked.pointer is not None
    yield from (("magic", 4), ("riff-size", 8), ("form", 12), ("format-header", 20), ("format", 36))
    yield from (("data-header", 44), ("data-middle", 444), ("data", walked.pointer.offset))
    yield from (("pointer-header", walked.pointer.offset + 8), ("pointer", walked.pointer.end))
    body = walked.capsule.body
    yield from (("capsule-header", body), ("capsule-magic", body + 7), ("capsule-seal", body + 84))
    yield from (("capsule-list", data.index(b"\n\n", body) + 2), ("last-byte", len(data) - 1))


def footer_cut(data: bytes, part: str) -> bytes:
    length = int.from_bytes(data[-8:-4], "little")
    footer = len(data) - 8 - length
    places = {"magic": 4, "pages": footer // 2, "footer-start": footer, "footer": footer + length // 2}
    return data[: places.get(part, {"footer-length": len(data) - 8, "last-byte": len(data) - 1}.get(part, 0))]


def flac_of(samples: int) -> Callable[[Path], Path]:
    """Return a recipe of a small FLAC whose header promises `samples`."""

    def make(folder: Path) -> Path:
        import numpy as np
        import soundfile

        file = io.BytesIO()
        soundfile.write(file, np.frombuffer(kit.tone(4_000), "<i2"), kit.RATE_HZ, format="FLAC", subtype="PCM_16")
        data = bytearray(file.getvalue())
        run = kit.descriptor()["run"]
        run["times"] |= {"first_chunk_frames": absent("not_measured"), "stalls": absent("not_measured")}
        draft = kit.draft(audio={"encoder": absent("unknown")}, traces=(), run=run)
        honest = kit.artifact(folder, name="honest.tts.parquet", audio=bytes(data), run=draft)
        data[STREAMINFO_SAMPLES] = data[STREAMINFO_SAMPLES] & 0xF0 | samples >> 32
        data[STREAMINFO_SAMPLES + 1 : STREAMINFO_SAMPLES + 5] = struct.pack(">I", samples & 0xFFFFFFFF)
        return with_audio(honest, bytes(data), folder / PARQUET)

    return make


def with_audio(honest: Path, audio: bytes, out: Path) -> Path:
    """Put other audio under the descriptor of `honest`, with its digest and size made anew."""
    from ttsartifact.packing.pack import RunInMemory, write
    from ttsartifact.reading.artifact import open_artifact
    from ttsartifact.terms import digest

    packed = open_artifact(honest)
    parts = {name: packed.parts.part(name) for name in packed.parts.names()}
    parts = kit.edited(parts, patch=kit.put(audio__digest=digest.of(audio), audio__size=len(audio)))
    run = RunInMemory(parts=parts, audio=BytesSource(audio), wave=None, audio_digest=digest.of(audio))
    write(run, out, carrier="parquet")
    return out


def swollen(name: str, values: Callable[[], list[Any]], **how: Any) -> Callable[[Path], Path]:
    """Return a recipe of a Parquet file whose column swells far beyond the file when it is read."""

    def make(folder: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = kit.artifact(folder, name=PARQUET)
        table = pq.read_table(path)
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values(), table.field(name).type))
        pq.write_table(table, path, compression="zstd", store_schema=False, **how)
        return path

    return make


MEGABYTE = "x" * (1 << 20)
HEAD = struct.pack("<4sI4s", b"RIFF", 4, b"WAVE")
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def hostile() -> Iterator[tuple[str, Callable[[Path], Path], set[str], int]]:
    """Yield name, recipe, the rules that fail, and the exit code."""
    for name, (data, rule) in NO_ARTIFACTS.items():
        yield f"no-artifact/{name}", written(data), {rule}, 4
    for name, rule in CUTS.items():
        yield f"cut/wav-{name}", edited(partial(cut_at, name)), {rule}, 4
    for part, rule in PARQUET_CUTS.items():
        yield f"cut/parquet-{part}", edited(partial(footer_cut, part=part), name=PARQUET), {rule}, 4
    for name, (edit, rule) in LIES.items():
        yield f"lie/{name}", edited(edit), {rule}, 4
    for name, (edit, rule) in CAPSULE_LIES.items():
        yield f"lie/{name}", in_capsule(edit), {rule}, 4
    for name, (held, rule, code) in NESTED.items():
        yield f"json/{name}", partial(kit.artifact, raw=raw(held)), {rule}, code
    yield "bomb/one-page-of-128-mb", swollen("notes", lambda: [MEGABYTE * 128], use_dictionary=False), {"CON15"}, 4
    # What is small in memory is read to its end, and is no run: its seal is gone and its chunks are not the trace's.
    chunks = swollen("chunks", lambda: [[EMPTY_CHUNK] * 1_000_000])
    yield "bomb/a-million-chunks", chunks, {"PRJ03", "SEA01"}, 1
    yield "bomb/flac-of-2-36-samples", flac_of((1 << 36) - 1), {"AUD15"}, 1
    yield "bomb/flac-of-2-31-samples", flac_of((1 << 31) + 1), {"AUD15"}, 1


def raw(held: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(b'"params":{}', b'"params":{"a":' + held + b"}")


def cut_at(name: str, data: bytes) -> bytes:
    return data[: dict(boundaries_of(data))[name]]


EMPTY_CHUNK = {"t_ns": 0, "frame_start": 0, "frame_count": 0, "pcm_sha256": "a"}
NO_ARTIFACTS = {
    "empty": (b"", "CON01"),
    "one-byte": (b"R", "CON01"),
    "text": (b"RIFF is what this begins with, but it is only a letter.\n", "CON01"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(57), "CON01"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(24), "CON01"),
    "zeros": (bytes(4096), "CON01"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "CON01"),
    "avi": (b"RIFF\x04\0\0\0AVI ", "CON01"),
    "big-endian": (b"RIFX\0\0\0\x04WAVE", "CON01"),
    "riff-of-nothing": (HEAD, "CON02"),
    "bare-wav": (kit.wav(), "CON04"),
}
CUTS: dict[str, str] = {}
PARQUET_CUTS: dict[str, str] = {}
LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "data-of-4-gb": (lambda d: d[:40] + b"\xf0\xff\xff\xff" + d[44:], "CON02"),
    "riff-one-too-short": (lambda d: d[:4] + struct.pack("<I", len(d) - 9) + d[8:], "CON06"),
    "riff-one-too-long": (lambda d: d[:4] + struct.pack("<I", len(d) - 7) + d[8:], "CON02"),
    "format-of-2-gb": (lambda d: d[:16] + b"\xff\xff\xff\x7f" + d[20:], "CON02"),
    "format-of-nothing": (lambda d: sized(d[:16] + bytes(4) + d[36:]), "CON02"),
    "no-format": (lambda d: sized(d[:12] + d[36:]), "CON02"),
    "no-channels": (lambda d: d[:22] + b"\0\0" + d[24:], "CON02"),
    "no-rate": (lambda d: d[:24] + bytes(8) + d[32:], "CON02"),
    "no-bits": (lambda d: d[:32] + bytes(4) + d[36:], "CON02"),
    "65535-channels": (lambda d: d[:22] + b"\xff\xff" + d[24:], "CON02"),
    "adpcm": (lambda d: d[:20] + b"\x02\0" + d[22:], "CON02"),
    # Its one channel is a speaker that players leave out when they mix (clause 3.1).
    "speaker-that-is-left-out": (
        lambda d: sized(
            d[:16] + struct.pack("<IH", 40, 0xFFFE) + d[22:36] + struct.pack("<HHI", 22, 16, 0x800) + PCM_GUID + d[36:]
        ),
        "CON02",
    ),
    "two-formats": (lambda d: sized(d[:36] + d[12:36] + d[36:]), "CON02"),
    "two-datas": (lambda d: sized(d[:36] + b"data\x02\0\0\0\1\1" + d[36:]), "CON02"),
}
CAPSULE_LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "part-of-99-gb": (lambda c: c.replace(b"part trace/chunks ", b"part trace/chunks 9999999", 1), "CON04"),
    "part-one-too-short": (lambda c: c[:-2] + b"\n", "CON04"),
    "part-twice": (lambda c: c.replace(b"\n\n", b"\npart descriptor 1\n\n", 1), "CON04"),
    "no-descriptor": (lambda c: c.replace(b"part descriptor", b"part descriptoz", 1), "CON04"),
    "part-climbs-out": (lambda c: c.replace(b"part trace/chunks", b"part trace/../chu", 1), "CON04"),
    "part-of-negative-size": (lambda c: c.replace(b"part trace/chunks ", b"part trace/chunks -", 1), "CON04"),
    "size-with-leading-zeros": (lambda c: c.replace(b"part trace/chunks ", b"part trace/chunks 0", 1), "CON04"),
    "no-list": (lambda c: c[:84], "CON04"),
    "no-seal": (lambda c: c.replace(b"seal sha256:", b"seal md5---:", 1), "SEA04"),
    "seal-in-capitals": (lambda c: c[:19] + b"A" * 64 + c[83:], "SEA04"),
    "empty-capsule": (lambda _: b"", "SEA04"),
    "129-parts": (
        lambda c: c.replace(b"\n\n", b"".join(b"\npart attestation/%d 0" % n for n in range(127)) + b"\n\n", 1),
        "CON15",
    ),
    "behind-the-last-part": (lambda c: c + b"more\n", "CON04"),
}
NESTED: dict[str, tuple[bytes, str, int]] = {
    "2000-lists": (b"[" * 2_000 + b"]" * 2_000, "CON15", 4),
    "10000-lists": (b"[" * 10_000 + b"]" * 10_000, "CON15", 4),
    "1000-objects": (b'{"a":' * 1_000 + b"1" + b"}" * 1_000, "CON15", 4),
    "unclosed": (b"[" * 1_000, "CON15", 4),
    "comma-before-the-end": (b"[1 , \n]", "CAN02", 4),
    "unclosed-string-of-brackets": (b'"' + b"[" * 100, "CAN02", 4),
    "5000-digits": (b"9" * 5_000, "CAN04", 1),
    "exponent-of-999999999": (b"1e999999999", "CAN05", 1),
    "lone-surrogate": (b'"\\ud800"', "CAN05", 1),
    "key-twice-deep": (b'{"b":[{"a":1,"a":2}]}', "CAN02", 4),
}
CUTS |= dict.fromkeys(
    ("format-header", "format", "data-header", "data-middle", "data", "pointer-header", "pointer"), "CON02"
)
CUTS |= dict.fromkeys(("capsule-header", "capsule-magic", "capsule-seal", "capsule-list", "last-byte"), "CON02")
CUTS |= {"magic": "CON01", "riff-size": "CON01", "form": "CON02"}
PARQUET_CUTS |= {"magic": "CON01"} | dict.fromkeys(
    ("pages", "footer-start", "footer", "footer-length", "last-byte"), "CON02"
)
