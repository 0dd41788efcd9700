"""What is fuzzed: each target takes any bytes and may raise nothing but a declared TtsArtifactError.

`run.py` drives them with atheris, `test_corpus.py` with the committed corpus and a few thousand plain mutations.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from ttsartifact.container import canonical, capsule, flac, footer, mp3, pages, riff, sound, thrift
from ttsartifact.container.shelf import Shelf
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import parse_descriptor
from ttsartifact.terms import digest
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
WHOLE = ROOT / "fixtures" / "valid" / "L3" / "wav" / "full.tts.wav"
SHELVED = (
    ROOT / "fixtures" / "valid" / "L2" / "parquet" / "plain.tts.parquet",
    ROOT / "fixtures" / "valid" / "L3" / "parquet" / "full.tts.parquet",
)
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**53 - 1, -(2**53) + 1, 2**53, 2**64, 1.5, "", "x", "-1", "sha256:", "9" * 30,
    "2026-11-21T10:00:00.000000000Z", "\ud800", "\x1b[2J", "/", [], {}, [[]], [{}], [0], [""],
    {"value": None, "reason": "unknown"}, {"value": None, "reason": "withheld"}, {"value": 0},
)  # fmt: skip


# --- the targets ------------------------------------------------------------------------------------------------------


def riff_walk(data: bytes) -> None:
    """Walk RIFF, and take pointer and capsule off."""
    source = BytesSource(data)
    riff.bare_pieces(source, riff.walk(source))


def flac_walk(data: bytes) -> None:
    """Walk a FLAC's metadata and its last frame, and take the capsule off."""
    source = BytesSource(data)
    walked = flac.walk(source)
    flac.bare_pieces(source, walked)
    flac.misframed(walked)
    flac.capsule_of(source, walked)


def id3_walk(data: bytes) -> None:
    """Walk an MP3's leading tags and the ends of its audio, and take the capsule off."""
    source = BytesSource(data)
    walked = mp3.walk(source)
    mp3.bare_pieces(source, walked)
    mp3.misframed(source, walked)
    mp3.capsule_of(source, walked)


def capsule_parse(data: bytes) -> None:
    """Find a capsule's parts and read each."""
    capsule.parts_of(capsule.from_bytes(data))


def json_parse(data: bytes) -> None:
    """Parse JSON strictly; what has no fault comes out as it went in."""
    value, faults = canonical.parse(data, fractions_under=("/generation/params/", "/ext/"), free_keys_under=("/ext",))
    assert faults or canonical.canonical_bytes(value) == data


def thrift_walk(data: bytes) -> None:
    """Walk a Thrift struct."""
    thrift.read_struct(data)


def footer_walk(data: bytes) -> None:
    """Walk a Parquet footer."""
    footer.parse(data, 1 << 24)


def pages_walk(data: bytes) -> None:
    """Walk the pages of a column chunk."""
    pages.walk(BytesSource(data), 0, len(data), "column x")


def sound_head(data: bytes) -> None:
    """Read what the first bytes of an encoded file say."""
    sound.codec_of([data])


def parquet_read(data: bytes) -> None:
    """Read every row of a Parquet file, and every nested column of each."""
    for row in Shelf(BytesSource(data)):
        dict(row.tables)


def descriptor_judge(data: bytes) -> None:
    """Ask every rule about a well-sealed artifact with this descriptor."""
    _judge({**_parts(), "descriptor": data})


def trace_judge(data: bytes) -> None:
    """Ask every rule about a well-sealed artifact with this chunk log, which its descriptor binds."""
    value = copy.deepcopy(_value())
    for entry in value["traces"]:
        if entry["name"] == "chunks":
            entry |= {"size": len(data), "digest": digest.of(data)}
    _judge({**_parts(), "descriptor": canonical.canonical_bytes(value), "trace/chunks": data})


TARGETS: dict[str, Callable[[bytes], None]] = {
    "riff": riff_walk,
    "flac": flac_walk,
    "id3": id3_walk,
    "capsule": capsule_parse,
    "json": json_parse,
    "thrift": thrift_walk,
    "footer": footer_walk,
    "pages": pages_walk,
    "head": sound_head,
    "parquet": parquet_read,
    "descriptor": descriptor_judge,
    "trace": trace_judge,
}


def once(target: str, data: bytes) -> None:
    """Give `data` to a target; whatever is no declared error goes up."""
    with contextlib.suppress(TtsArtifactError):
        TARGETS[target](data)


# --- where they start -------------------------------------------------------------------------------------------------


def seeds(target: str) -> list[bytes]:
    """Return what a target's search starts from: pieces of our own fixtures, and the committed corpus."""
    folder = CORPUS / target
    return [*_seeds(target), *(path.read_bytes() for path in sorted(folder.glob("*")))]


def _seeds(target: str) -> Iterator[bytes]:
    if target == "riff":
        yield from (path.read_bytes() for path in sorted((ROOT / "fixtures" / "valid").rglob("*.wav")))
        yield from (path.read_bytes() for path in sorted((ROOT / "fixtures" / "fail").glob("CON0*/*.wav")))
        yield from (path.read_bytes() for path in sorted((ROOT / "fixtures" / "hostile").rglob("*.wav")))
    elif target in {"flac", "id3"}:
        yield from _encoded("FLAC" if target == "flac" else "MP3")
    elif target == "capsule":
        yield capsule.build({"descriptor": b"{}", "trace/chunks": b"{}", "ref/0": b"RIFF"}, digest.of(b""))
    elif target == "json":
        yield from (canonical.canonical_bytes(section) for section in _value().values())
    elif target == "descriptor":
        yield _parts()["descriptor"]
    elif target == "trace":
        yield _parts()["trace/chunks"]
    elif target == "parquet":
        yield from (path.read_bytes() for path in SHELVED)
    elif target in {"thrift", "footer"}:
        yield from (data[-8 - int.from_bytes(data[-8:-4], "little") : -8] for data in _slim())
    elif target == "pages":
        for data in (*_slim(), *(path.read_bytes() for path in SHELVED)):
            for column in footer.read(BytesSource(data)).groups[0].columns:
                yield data[column.start : column.end][:512]
    elif target == "head":
        yield from (
            b"fLaC\0\0\0\x22" + bytes(34),
            b"OggS" + bytes(22) + b"\1\x1e\x01vorbis",
            b"ID3\4\0\0\0\0\0\0\xff\xfb",
        )


def _slim() -> Iterator[bytes]:
    """Yield Parquet files of few columns, whose footers are short."""
    table = pa.table({"audio": [b"RIFF"], "parts": [[{"name": "ref/0", "bytes": b"x"}]]})
    for how in ({}, {"compression": "zstd", "data_page_version": "2.0"}):
        with pq.ParquetWriter(out := io.BytesIO(), table.schema, store_schema=False, **how) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({footer.SEAL_KEY: "sha256:" + "0" * 64})
        yield out.getvalue()


def _encoded(kind: str) -> Iterator[bytes]:
    """Yield a short sound in an encoded carrier, bare and with a capsule."""
    walk, embed = (flac.walk, flac.embed) if kind == "FLAC" else (mp3.walk, mp3.embed)
    soundfile.write(out := io.BytesIO(), [0.0, 0.25] * 50, 16_000, format=kind)
    source = BytesSource(out.getvalue())
    held = capsule.build({"descriptor": b"{}"}, digest.of(out.getvalue()))
    yield out.getvalue()
    yield b"".join(
        piece if isinstance(piece, bytes) else piece.source.read_at(piece.offset, piece.size)
        for piece in embed(source, walk(source), held)
    )


# --- how they change --------------------------------------------------------------------------------------------------


def shuffled(data: bytes, draw: random.Random) -> bytes:
    """Return `data` with a few bytes changed, copied, taken away or put in; no coverage guides it."""
    edited = bytearray(data or b"\0")
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at, act = draw.randrange(len(edited)), draw.randrange(6)
        if act == 0:
            edited[at] ^= 1 << draw.randrange(8)
        elif act == 1:
            edited[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, 0x15, 0x19, 0x1C, 0x22, 0x5B, 0x7B))
        elif act == 2:
            edited[at:at] = draw.randbytes(draw.choice((1, 2, 4, 8)))
        elif act == 3 and len(edited) > 8:
            del edited[at : at + draw.choice((1, 2, 4, 8, 64))]
        elif act == 4:
            edited[at : at + 4] = draw.choice((b"\xff" * 4, bytes(4), b"\0\0\0\x80", len(data).to_bytes(4, "little")))
        else:
            start = draw.randrange(len(edited))
            edited[at:at] = edited[start : start + draw.choice((1, 8, 64))]
        edited = edited or bytearray(b"\0")
    return bytes(edited)


def reshaped(data: bytes, draw: random.Random) -> bytes:
    """Return the JSON of `data` with a value replaced, moved, repeated or taken away, so that the rules are reached."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return shuffled(data, draw)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        holders = list(_holders(value))
        if not holders:
            break
        held, key = draw.choice(holders)
        act = draw.randrange(8)
        if act == 0:
            del held[key]
        elif act == 1 and isinstance(held[key], int):
            held[key] += draw.choice((-1, 1, 1 << 31, -(1 << 31), 10**9))
        elif act == 2:
            held[key] = copy.deepcopy(draw.choice(holders)[0])
        elif act == 3 and isinstance(held, list):
            held += copy.deepcopy(held[key : key + 1]) * draw.choice((1, 2, 40))
        elif act == 4 and isinstance(held, dict):
            held[draw.choice(("x", "Ext", "value", "reason", key + "_"))] = held[key]
        elif act == 5 and isinstance(held[key], str):
            held[key] = shuffled(held[key].encode("utf-8", "ignore"), draw).decode("utf-8", "replace")
        else:
            held[key] = copy.deepcopy(draw.choice(JUNK))
    try:
        return canonical.canonical_bytes(value)
    except (TtsArtifactError, RecursionError):
        return json.dumps(value).encode()


def _holders(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield value, key
        if depth < 40:
            yield from _holders(entry, depth + 1)


MUTATORS: dict[str, Callable[[bytes, random.Random], bytes]] = {"descriptor": reshaped, "trace": reshaped}


# --- a file that the rules are asked about ----------------------------------------------------------------------------


@cache
def _walked() -> tuple[bytes, bytes]:
    """Return the bare audio and the capsule of the whole run."""
    source = BytesSource(WHOLE.read_bytes())
    walked = riff.walk(source)
    assert walked.capsule is not None
    bare = b"".join(
        piece if isinstance(piece, bytes) else piece.source.read_at(piece.offset, piece.size)
        for piece in riff.bare_pieces(source, walked)
    )
    return bare, source.read_at(walked.capsule.body, walked.capsule.size)


@cache
def _parts() -> dict[str, bytes]:
    return capsule.parts_of(capsule.from_bytes(_walked()[1]))


@cache
def _value() -> dict[str, Any]:
    return parse_descriptor(_parts()["descriptor"])[0].value


@cache
def _file() -> int:
    return os.memfd_create("fuzzed")


def _judge(parts: dict[str, bytes]) -> None:
    bare, _ = _walked()
    source = BytesSource(bare)
    pieces = riff.embed(
        source, riff.walk(source), digest.of(parts["descriptor"]), capsule.build(parts, digest.of(bare))
    )
    whole = b"".join(
        piece if isinstance(piece, bytes) else piece.source.read_at(piece.offset, piece.size) for piece in pieces
    )
    os.ftruncate(_file(), 0)
    os.pwrite(_file(), whole, 0)
    for report in verify(f"/proc/self/fd/{_file()}"):
        counted = len(report.passed) + len(report.not_applicable) + len(report.unchecked)
        counted += len({finding.rule for finding in report.findings} - set(report.passed))
        assert counted == len(catalogue()), "a rule without an answer"
