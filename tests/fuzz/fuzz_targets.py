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

from ttsartifact.container import bare, canonical, capsule, flac, hard_binding, id3, jumbf, mp3, mpeg, ogg, riff, thrift
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container import parquet_pages as pages
from ttsartifact.container.credential import places_in
from ttsartifact.container.parquet_rows import RunTable
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import parse_descriptor
from ttsartifact.terms import digest
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.schema import holds

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from ttsartifact.container.source import Piece

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
WHOLE = ROOT / "fixtures" / "valid" / "L3" / "wav" / "full.tts.wav"
SOUND = ("valid", "near", "boundary", "acceptable")  # where the kit keeps runs whose descriptors have the right shape
WHOLE_AUDIO = "the whole run's"
TRIES = 6  # of a mutation, until one has that shape: what has not reaches few rules, and is dear to explain
FLAC_HEAD = b"fLaC\x80\0\0\x22" + bytes.fromhex("10001000" + "00" * 6 + "03e800f000000000" + "00" * 16)
"""STREAMINFO of 16-bit mono at 16 kHz, of blocks of 4,096 samples and of unknown length."""
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
    riff.bare(source, riff.walk(source))


def flac_walk(data: bytes) -> None:
    """Walk a FLAC's metadata and its last frame, and take the capsule off."""
    source = BytesSource(data)
    walked = flac.walk(source)
    flac.bare(source, walked)
    flac.misframed(source, walked, "")
    flac.capsule(source, walked)


def id3_walk(data: bytes) -> None:
    """Walk an MP3's leading tags and the ends of its audio, and take the capsule off."""
    source = BytesSource(data)
    walked = mp3.walk(source)
    mp3.bare(source, walked)
    mp3.misframed(source, walked, "")
    mp3.capsule(source, walked)


def capsule_parse(data: bytes) -> None:
    """Find a capsule's parts and read each."""
    capsule.parts_of(capsule.from_bytes(data))


def json_parse(data: bytes) -> None:
    """Parse JSON strictly; what has no fault comes out as it went in."""
    value, faults = canonical.parse_descriptor(data)
    assert faults or canonical.canonical_bytes(value) == data


def thrift_walk(data: bytes) -> None:
    """Walk a Thrift struct."""
    thrift.read_struct(data, most=10_000)


def footer_walk(data: bytes) -> None:
    """Walk a Parquet footer."""
    footer.parse(data, 1 << 24)


def pages_walk(data: bytes) -> None:
    """Walk the pages of a column chunk."""
    pages.walk(BytesSource(data), 0, len(data), "column x", most=1_000)


def bare_judge(data: bytes) -> None:
    """Judge a bare file of any codec by the walk over its frames."""
    bare.judge([data])


def flac_frames_walk(data: bytes) -> None:
    """Walk FLAC frames behind a STREAMINFO that is always sound."""
    bare.judge([FLAC_HEAD + data])


def mpeg_walk(data: bytes) -> None:
    """Walk MPEG frames from the first byte to the last."""
    mpeg.walk_frames(BytesSource(data), 0, len(data))


def ogg_walk(data: bytes) -> None:
    """Walk the pages of an Ogg, whose check sums are made anew so that what they hold is reached."""
    ogg.walk_pages(BytesSource(_summed(data)))


def id3_frames(data: bytes) -> None:
    """Walk the leading tags and every frame in them."""
    source = BytesSource(data)
    for tag in id3.leading_tags(source):
        for frame in id3.frames_of(source, tag):
            assert tag.offset < frame.body <= frame.end <= tag.end


def cbor_decode(data: bytes) -> None:
    """Decode CBOR."""
    jumbf.decode(data)


def jumbf_walk(data: bytes) -> None:
    """Walk the boxes of a manifest store, two levels deep."""
    source = BytesSource(data)
    for box in jumbf.children(source, jumbf.superbox(source, 0, len(data))):
        jumbf.children(source, box)


def credential_read(data: bytes) -> None:
    """Find the C2PA credentials of a file, read them, and check their hard binding."""
    for credential in hard_binding.credentials_in(BytesSource(data)):
        assert credential.binding.state in hard_binding.State


def parquet_read(data: bytes) -> None:
    """Read every row of a Parquet file, and every nested column of each."""
    for row in RunTable(BytesSource(data)):
        dict(row.tables)


def descriptor_judge(data: bytes) -> None:
    """Ask every rule about a well-sealed artifact with this descriptor, and the parts and the audio that it lists."""
    bare, parts = _audio()[WHOLE_AUDIO], {}
    with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError, AttributeError):
        value = json.loads(data)
        bare = _audio().get(value["audio"]["digest"], bare)
        parts = dict(
            _pool()[each["digest"]] for each in (*value["traces"], *value["input"]["refs"]) if each["digest"] in _pool()
        )
    _judge({"descriptor": data} | (parts or _parts()) | {"descriptor": data}, bare)


def trace_judge(data: bytes) -> None:
    """Ask every rule about a well-sealed artifact with this trace, which its descriptor binds."""
    name = "chunks"
    with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError):
        name = json.loads(data)["trace"] if json.loads(data)["trace"] in _listed() else name
    entry = _listed()[name]
    bound = canonical.canonical_bytes(entry | {"size": len(data), "digest": digest.of(data)})
    descriptor = _parts()["descriptor"].replace(canonical.canonical_bytes(entry), bound)
    _judge(_parts() | {"descriptor": descriptor, f"trace/{name}": data}, _audio()[WHOLE_AUDIO])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "riff": riff_walk,
    "flac": flac_walk,
    "id3": id3_walk,
    "capsule": capsule_parse,
    "json": json_parse,
    "thrift": thrift_walk,
    "footer": footer_walk,
    "pages": pages_walk,
    "bare": bare_judge,
    "flac_frames": flac_frames_walk,
    "mpeg": mpeg_walk,
    "ogg": ogg_walk,
    "id3_frames": id3_frames,
    "cbor": cbor_decode,
    "jumbf": jumbf_walk,
    "credential": credential_read,
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
        yield from dict.fromkeys(parts["descriptor"] for _, parts in _sound_runs())
    elif target == "trace":
        yield from (data for name, data in _parts().items() if name.startswith("trace/"))
    elif target == "parquet":
        yield from (path.read_bytes() for path in SHELVED)
    elif target in {"thrift", "footer"}:
        yield from (data[-8 - int.from_bytes(data[-8:-4], "little") : -8] for data in _slim())
    elif target == "pages":
        for data in (*_slim(), *(path.read_bytes() for path in SHELVED)):
            for column in footer.read(BytesSource(data)).groups[0].columns:
                yield data[column.start : column.end][:512]
    elif target == "bare":
        for kind, subtype in (("FLAC", None), ("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("RF64", None)):
            soundfile.write(out := io.BytesIO(), [0.0, 0.25] * 400, 16_000, format=kind, subtype=subtype)
            yield out.getvalue()

    else:
        yield from _sounds(target)


def _sounds(target: str) -> Iterator[bytes]:
    """Yield what the walkers of frames, pages and credentials start from."""
    if target in {"flac_frames", "mpeg"}:
        data = next(_encoded("FLAC" if target == "flac_frames" else "MP3"))
        yield data[flac.walk(BytesSource(data)).audio :] if target == "flac_frames" else data
    elif target == "ogg":
        for subtype in ("VORBIS", "OPUS"):
            soundfile.write(out := io.BytesIO(), [0.0, 0.25] * 400, 16_000, format="OGG", subtype=subtype)
            yield out.getvalue()
    elif target == "id3_frames":
        yield b"ID3\4\0\0\0\0\0\x1aTIT2\0\0\0\5\0\0\0abcd".ljust(36, b"\0")
        yield b"ID3\3\0\x40\0\0\0\x1a\0\0\0\6\0\0\0\0\0\0TIT2\0\0\0\2\0\0\0a"
    elif target == "cbor":
        yield bytes.fromhex("a26161830102f561628243010203a1636b6579fb3ff8000000000000")
    elif target in {"jumbf", "credential"}:
        for path in sorted((ROOT / "tests" / "signed").iterdir()):
            data = path.read_bytes()
            for place in places_in(BytesSource(data)):
                yield data[place.offset : place.offset + place.size] if target == "jumbf" else data


def _summed(data: bytes) -> bytes:
    """Return `data` with the check sum of each Ogg page made anew, as far as pages follow each other."""
    summed, at = bytearray(data), 0
    while len(summed) - at >= 27 and summed[at : at + 4] == b"OggS":
        end = at + 27 + summed[at + 26]
        end += sum(summed[at + 27 : end])
        summed[at + 22 : at + 26] = bytes(4)
        summed[at + 22 : at + 26] = ogg._crc(bytes(summed[at:end])).to_bytes(4, "little")
        at = end
    return bytes(summed)


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
        for piece in embed(source, walk(source), "", held)
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
        _reshape(held, key, holders, draw)
    return _encoded_json(value)


def kept_in_shape(data: bytes, draw: random.Random) -> bytes:
    """Return `data` reshaped, three times in four so that its schema accepts it, where a few tries give that."""
    wanted = draw.random() < 0.75
    for _ in range(TRIES):
        changed = reshaped(data, draw)
        with contextlib.suppress(ValueError, RecursionError):
            if not wanted or (holds(json.loads(changed)) and changed != data):
                break
    return changed


def _reshape(held: Any, key: Any, holders: list[tuple[Any, Any]], draw: random.Random) -> None:
    act, old = draw.randrange(9), held[key]
    if act == 0:
        del held[key]
    elif act in {1, 2} and type(old) is int:
        held[key] += draw.choice((-1, 1, 1 << 31, -(1 << 31), 10**9, old, -old))
    elif act == 1:
        # What stands elsewhere under the same key mostly has the shape that is wanted here too.
        like = [other[name] for other, name in holders if name == key and other[name] != old]
        held[key] = copy.deepcopy(draw.choice(like)) if like else {"value": None, "reason": "unknown"}
    elif act == 2:
        held[key] = copy.deepcopy(draw.choice(holders)[0])
    elif act == 3 and isinstance(held, list):
        held += copy.deepcopy(held[key : key + 1]) * draw.choice((1, 2, 40))
    elif act == 4 and isinstance(held, dict):
        held[draw.choice(("x", "Ext", "value", "reason", key + "_"))] = old
    elif act == 5 and isinstance(old, str):
        held[key] = shuffled(old.encode("utf-8", "ignore"), draw).decode("utf-8", "replace")
    elif act == 6 and isinstance(old, str) and old:
        place = draw.randrange(len(old))
        held[key] = old[:place] + draw.choice("09afAZ-.:/_ ") + old[place + 1 :]
    else:
        held[key] = copy.deepcopy(draw.choice(JUNK))


def _encoded_json(value: Any) -> bytes:
    """Return `value` in its canonical form where it holds no fraction; rfc8785 takes ten times as long."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        return json.dumps(value).encode()


def _holders(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield value, key
        if depth < 40:
            yield from _holders(entry, depth + 1)


MUTATORS: dict[str, Callable[[bytes, random.Random], bytes]] = {"descriptor": kept_in_shape, "trace": reshaped}


# --- a file that the rules are asked about ----------------------------------------------------------------------------


@cache
def _sound_runs() -> tuple[tuple[bytes, dict[str, bytes]], ...]:
    """Return bare audio and parts of the kit's WAV runs whose descriptors have the right shape, the whole run first."""
    places = [path for folder in SOUND for path in sorted((ROOT / "fixtures" / folder).rglob("*.wav"))]
    found = []
    for path in dict.fromkeys((WHOLE, *places)):
        with contextlib.suppress(TtsArtifactError):  # a near miss may be a bare file
            found.append(_taken_apart(path))
    return tuple(run for run in found if holds(json.loads(run[1]["descriptor"])))


def _taken_apart(path: Path) -> tuple[bytes, dict[str, bytes]]:
    source = BytesSource(path.read_bytes())
    walked = riff.walk(source)
    assert walked.capsule is not None
    held = source.read_at(walked.capsule.body, walked.capsule.size)
    return _joined(riff.bare(source, walked)), capsule.parts_of(capsule.from_bytes(held))


def _joined(pieces: Iterable[Piece]) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else piece.source.read_at(piece.offset, piece.size) for piece in pieces
    )


@cache
def _parts() -> dict[str, bytes]:
    return _sound_runs()[0][1]


@cache
def _value() -> dict[str, Any]:
    return parse_descriptor(_parts()["descriptor"])[0].value


@cache
def _listed() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in _value()["traces"]}


@cache
def _pool() -> dict[str, tuple[str, bytes]]:
    """Return every part of the kit's sound runs, with its name, by its digest."""
    return {digest.of(part): (name, part) for _, parts in _sound_runs() for name, part in parts.items()}


@cache
def _audio() -> dict[str, bytes]:
    """Return every bare file of the kit's sound runs by its digest."""
    return {WHOLE_AUDIO: _sound_runs()[0][0]} | {digest.of(bare): bare for bare, _ in _sound_runs()}


@cache
def _file() -> int:
    return os.memfd_create("fuzzed")


def _judge(parts: dict[str, bytes], bare: bytes) -> None:
    source = BytesSource(bare)
    whole = _joined(
        riff.embed(source, riff.walk(source), digest.of(parts["descriptor"]), capsule.build(parts, digest.of(bare)))
    )
    os.ftruncate(_file(), 0)
    os.pwrite(_file(), whole, 0)
    for report in verify(f"/proc/self/fd/{_file()}"):
        answered = {finding.rule for finding in (*report.findings, *report.unchecked)}
        assert answered.union(report.passed, report.not_applicable) == catalogue().keys(), "a rule without an answer"
