"""Small files that ask for much: what a stranger may send to exhaust a verifier (clause 11)."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import kit
import pyarrow as pa
import pyarrow.parquet as pq

from ttsartifact.container import parquet
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container.source import BytesSource, Span
from ttsartifact.packing.pack import build

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = "x" * (1 << 20)


@cache
def small() -> bytes:
    """Return a Parquet artifact of one honest small run."""
    built = build(kit.draft(), BytesSource(kit.wav()))
    out = io.BytesIO()
    parquet.write([(built.parts, [Span(built.audio, 0, built.audio.size)])], out)
    return out.getvalue()


def replaced(name: str, values: Any, kind: pa.DataType | None = None, **how: Any) -> bytes:
    """Write the small run's table with one column replaced, by pyarrow and not by us."""
    table = pq.read_table(pa.BufferReader(small())).take(pa.array([0] * len(values)))
    place = table.schema.get_field_index(name)
    held = values if isinstance(values, pa.Array) else pa.array(values, kind or table.field(name).type)
    return written(table.set_column(place, name, held), **how)


def written(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **{"compression": "zstd", "store_schema": False} | how)
    return out.getvalue()


def repeated(text: str | bytes, count: int) -> pa.DictionaryArray:
    """Return a column of one value that its file holds once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


def alone(values: Any, **how: Any) -> bytes:
    """Return a Parquet file of one column that no artifact has."""
    return written(pa.table({"s": values}), **how)


def swapped(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return `data` with the one place that holds `old` holding `new`, which is as long."""
    assert data.count(old) == 1
    assert len(old) == len(new)
    return data.replace(old, new)


def delta_of(header: bytes) -> bytes:
    """Return a file whose column of integers begins with this DELTA_BINARY_PACKED header (apache/arrow #49955)."""
    values = [1_795_255_200, *range(40)]
    data = replaced(
        "t_submit",
        values,
        use_dictionary=False,
        column_encoding={"t_submit": "DELTA_BINARY_PACKED"},
        compression="none",
    )
    first = values[0] << 1  # zigzag, in groups of seven bits
    coded = bytes(first >> shift & 0x7F | (0x80 if first >> shift + 7 else 0) for shift in range(0, 35, 7))
    place = data.index(bytes([len(values)]) + coded) - 3
    return data[:place] + header + data[place + len(header) :]


def flac_of_zeros(frames: int, *, stated: int | None = None, channels: int = 1, bits: int = 16) -> bytes:
    """Return a FLAC of `frames` blocks of 65,535 constant samples, 13 bytes each and more channels for 3 more each."""
    samples = frames * 65_535 if stated is None else stated
    packed = 16_000 << 44 | (channels - 1) << 41 | (bits - 1) << 36 | samples
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    out = bytearray(b"fLaC" + b"\x80\0\0\x22" + info)
    for number in range(frames):
        head = b"\xff\xf8" + bytes([0x70, (channels - 1) << 4]) + utf8(number) + b"\xff\xfe"
        head += bytes([crc(head, 0x07, 8)])
        frame = head + (b"\0" + bytes(bits // 8)) * channels
        out += frame + crc(frame, 0x8005, 16).to_bytes(2, "big")
    return bytes(out)


def utf8(number: int) -> bytes:
    """Return a frame's number as FLAC codes it (RFC 9639 section 9.1.5)."""
    if number < 0x80:
        return bytes([number])
    if number < 0x800:
        return bytes([0xC0 | number >> 6, 0x80 | number & 0x3F])
    return bytes([0xE0 | number >> 12, 0x80 | number >> 6 & 0x3F, 0x80 | number & 0x3F])


def crc(data: bytes, polynomial: int, width: int) -> int:
    state, top = 0, 1 << (width - 1)
    for byte in data:
        state ^= byte << (width - 8)
        for _ in range(8):
            state = (state << 1 ^ (polynomial if state & top else 0)) & ((1 << width) - 1)
    return state


def forged_flac() -> bytes:
    """Return a real FLAC whose header claims 2^36 - 1 samples of 8 channels: 8.7 kB that ask for 128 GiB and more."""
    import numpy as np
    import soundfile

    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 4_800, dtype="i2")
    soundfile.write(out, noise, 16_000, format="FLAC", subtype="PCM_16")
    forged = bytearray(out.getvalue())
    forged[21] |= 0x0F
    forged[22:26] = b"\xff" * 4
    return bytes(forged)


def carried(audio: bytes) -> bytes:
    """Return a Parquet artifact that carries `audio`, all else as in an honest run."""
    return replaced("audio", [{"bytes": audio, "path": "audio.flac"}])


def nested(depth: int) -> bytes:
    kind: pa.DataType = pa.int64()
    value: Any = 1
    for _ in range(depth):
        kind, value = pa.list_(kind), [value]
    return alone(pa.array([value], kind))


def chunk_rows(count: int) -> list[list[dict[str, Any]]]:
    return [[{"t_ns": 0, "frame_start": 0, "frame_count": 0, "pcm_sha256": "a"}] * count]


def varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def thrift_list(kind: int, items: list[bytes]) -> bytes:
    """Return a list of the compact protocol."""
    return bytes([0xF0 | kind]) + varint(len(items)) + b"".join(items)


def row_group(columns: int = 1, *, start: int = 4, size: int = 1, rows: int = 1) -> bytes:
    """Return a row group of a footer whose columns `s` all lie at `start`, as parquet.thrift has it."""
    meta = b"\x15\x0c\x19" + thrift_list(5, [b"\0"]) + b"\x19" + thrift_list(8, [b"\x01s"])
    meta += b"\x15\x00\x16\x02\x16\x02\x16" + varint(2 * size) + b"\x26" + varint(2 * start) + b"\0"
    return b"\x19" + thrift_list(12, [b"\x3c" + meta + b"\0"] * columns) + b"\x16\x02\x16" + varint(2 * rows) + b"\0"


def footer_of(groups: list[bytes], *, schema: bytes = b"\x0c", rows: int | None = None, metadata: int = 0) -> bytes:
    """Return a footer; `metadata` entries have an empty key and no value, `schema` is a list of whatever it is."""
    counted = len(groups) if rows is None else rows
    data = b"\x15\x02\x19" + schema + b"\x16" + varint(2 * counted) + b"\x19" + thrift_list(12, groups)
    return data + (b"\x19" + thrift_list(12, [b"\x18\0\0"] * metadata) if metadata else b"") + b"\0"


def framed(footer_bytes: bytes, body: bytes = b"") -> bytes:
    return b"PAR1" + body + footer_bytes + len(footer_bytes).to_bytes(4, "little") + b"PAR1"


def forged_rows() -> bytes:
    """Return the small run with a footer that counts ten million rows."""
    data = small()
    start = footer.read(BytesSource(data)).offset
    # FileMetaData: version, schema, num_rows; the count of one row stands once before the row groups' list.
    place = data.index(b"\x16\x02\x19", start)
    forged = data[:place] + b"\x16\x80\xda\xc4\x09" + data[place + 2 :]
    size = int.from_bytes(data[-8:-4], "little") + 3
    return forged[:-8] + size.to_bytes(4, "little") + b"PAR1"


PARQUET: dict[str, Callable[[], bytes]] = {
    "a value repeated by a dictionary": lambda: replaced("notes", repeated(MEGABYTE, 2000)),
    "a descriptor repeated by a dictionary": lambda: replaced("descriptor_json", repeated(MEGABYTE, 2000)),
    "a codec repeated by a dictionary": lambda: replaced("codec", repeated(MEGABYTE, 2000)),
    "463 bytes of 2 GB": lambda: alone(repeated(MEGABYTE, 2000)),
    "800 MB of integers alone": lambda: alone(pa.array([7], pa.int64()).take(pa.array([0] * 10_000_000))),
    "200,000 runs that are one": lambda: replaced("notes", pa.nulls(200_000, pa.string())),
    "one page of 38 MB": lambda: replaced("notes", [MEGABYTE * 38], use_dictionary=False),
    "one page of 128 MB": lambda: replaced("notes", [MEGABYTE * 128], use_dictionary=False),
    "one page of 60 MB": lambda: replaced("notes", [MEGABYTE * 60], use_dictionary=False),
    "four pages of 30 MB": lambda: replaced(
        "notes", [MEGABYTE * 30] * 4, use_dictionary=False, data_page_size=1, write_batch_size=1
    ),
    "38 MB of a part": lambda: replaced(
        "parts", [[{"name": "ref/0", "bytes": b"x" * (38 << 20)}]], use_dictionary=False
    ),
    "four pages of 60 MB of parts": lambda: replaced(
        "parts", [[{"name": f"ref/{n}", "bytes": b"x" * (60 << 20)} for n in range(4)]], use_dictionary=False,
        data_page_size=1, write_batch_size=1,
    ),
    "200 MB of audio": lambda: carried(b"RIFF" + bytes(200 << 20)),
    "a million chunks": lambda: replaced("chunks", chunk_rows(1_000_000)),
    "three million chunks": lambda: replaced("chunks", chunk_rows(3_000_000)),
    "a part 129 times": lambda: replaced("parts", [[{"name": "trace/chunks", "bytes": MEGABYTE.encode()}] * 129]),
    "a part 129 times by a dictionary": lambda: replaced(
        "parts", [[{"name": "trace/chunks", "bytes": MEGABYTE.encode()}] * 129],
        use_dictionary=["parts.list.element.bytes"],
    ),
    "strings that share their beginnings": lambda: replaced(
        "notes", [MEGABYTE] * 50, use_dictionary=False, column_encoding={"notes": "DELTA_BYTE_ARRAY"}
    ),
    "delta: 2^31 values": lambda: delta_of(bytes.fromhex("8001048080808008")),
    "delta: 2^27 miniblocks": lambda: delta_of(bytes.fromhex("8080808010") + b"\x80\x80\x80\x40"),
    "delta lengths": lambda: replaced(
        "notes", ["x"] * 900, use_dictionary=False, column_encoding={"notes": "DELTA_LENGTH_BYTE_ARRAY"}
    ),
    "nested 10 deep": lambda: nested(10),
    "nested 200 deep": lambda: nested(200),
    "ten million rows": forged_rows,
    "a footer of 600,000 empty keys": lambda: framed(footer_of([row_group()], metadata=600_000), b"x"),
    "a footer of 2 million schema bytes": lambda: framed(
        footer_of([row_group()], schema=thrift_list(5, [b"\0"] * 1_990_000)), b"x"
    ),
    "a footer of 1.9 million empty row groups": lambda: framed(footer_of([b"\0"] * 1_900_000), b"x"),
    "a footer of 37,000 columns": lambda: framed(footer_of([row_group(1_000)] * 37), b"x" * 37_000),
    "200 row groups of 50 columns that share 100,000 pages": lambda: framed(
        footer_of([row_group(50, size=1_500_000)] * 200), bytes(1_500_000)
    ),
}  # fmt: skip

FLAC: dict[str, Callable[[], bytes]] = {
    "2^36 samples stated": forged_flac,
    "a block of zeros 2000 times": lambda: flac_of_zeros(2_000),
    "a block of zeros 40000 times, 8 channels": lambda: flac_of_zeros(40_000, channels=8),
    "no samples stated": lambda: flac_of_zeros(3_000, stated=0),
}
