"""Refusals of containers that other tests do not come by, each with all of its words in tests/refusals.json."""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import credentials
import encoded
import kit
import pytest
import refusals
from bombs import crc, footer_of, framed, replaced, row_group, utf8
from credentials import box, cbor, superbox
from ogg_pages import page, pages_of

from ttsartifact.container import capsule, decoding, jumbf, magic, mistaken, mpeg, opus, riff, sound, source, thrift
from ttsartifact.container import parquet_footer as footer
from ttsartifact.container import parquet_pages as page_headers
from ttsartifact.container import parquet_rows as rows
from ttsartifact.container.bare import judge
from ttsartifact.container.hard_binding import credentials_in
from ttsartifact.container.magic import kind_of
from ttsartifact.container.mistaken import mistaken_file, mistaken_pcm
from ttsartifact.container.parquet_rows import RunTable
from ttsartifact.container.source import BytesSource, FileSource, require_room
from ttsartifact.errors import TtsArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLAC, MP3 = encoded.flac(12_000), encoded.mp3(12_000)
OPUS, VORBIS = (pages_of(encoded._encode(12_000, "OGG", kind, 1)) for kind in ("OPUS", "VORBIS"))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def wave(*chunks: bytes, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body)) + body


def fmt(tag: int = 1, bits: int = 16, more: bytes = b"") -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, 1, 16_000, 2_000 * bits, max(1, bits // 8), bits) + more)


def ds64(table: int = 0, name: bytes = b"ds64") -> bytes:
    return chunk(name, struct.pack("<QQQI", 80, 8, 4, table))


DATA = chunk(b"data", bytes(8))
RIFF: dict[str, bytes] = {
    **{
        f"codec {tag:#x}": wave(fmt(tag, 4), DATA)
        for tag in (0, 1, 3, 0x02, 0x11, 0x31, 0x40, 0x50, 0x55, 0xFF, 0x28F, 0x161, 0x1610, 0x2000, 0x2001)
    },
    "silence as a number": wave(fmt(), chunk(b"slnt", bytes(4)), DATA),
    "a film of XMV": wave(fmt(), chunk(b"xobX", bytes(4)), DATA),
    "seven bytes of a header": wave(fmt(), DATA, b"fact\0\0\0"),
    "RF64 of 47 bytes": wave(ds64()[:35], form=b"RF64"),
    "RF64 that begins otherwise": wave(ds64(name=b"JUNK"), fmt(), DATA, form=b"RF64"),
    "RF64 with other sizes": wave(ds64(3), fmt(), DATA, form=b"BW64"),
    "a fmt of 15 bytes": wave(chunk(b"fmt ", bytes(14)), DATA),
    "no channel": wave(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 0, 16_000, 0, 0, 16)), DATA),
    "no rate": wave(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 0, 0, 2, 16)), DATA),
    "a chunk that runs past the end": wave(fmt(), DATA, b"note\x09\0\0\0" + bytes(8)),
}


@pytest.mark.parametrize("name", RIFF)
def test_a_wav_that_is_not_read(name: str) -> None:
    """3.2: each fault of a RIFF has its place and both sides."""
    with refusals.raises():
        riff.walk(BytesSource(RIFF[name]))


def vorbis(setup: bytes) -> bytes:
    """Return the Vorbis with another setup header in a page of its own."""
    lacing = b"\xff" * (len(setup) // 255) + bytes([len(setup) % 255])
    head = VORBIS[1][:26] + bytes([2 + len(lacing) - 1])
    comment = b"\3vorbis" + bytes(8) + b"\1"
    return b"".join([VORBIS[0], page(head + bytes([len(comment)]) + lacing + comment + setup), *VORBIS[2:]])


def without_packets() -> bytes:
    return OPUS[0] + page(OPUS[1], flags=4)


def opened(last: bytes) -> bytes:
    """Return a page whose last packet goes on in a page that is not there."""
    return page(last[:26] + b"\1\xff" + bytes(255), flags=4, granule=(1 << 64) - 1)


OGG: dict[str, bytes] = {
    "an open packet": b"".join([*OPUS[:-1], opened(OPUS[-1])]),
    "a page behind the end": b"".join([*OPUS, page(OPUS[-1], number=len(OPUS))]),
    "a packet that goes on from nothing": b"".join([*OPUS[:2], page(OPUS[2], flags=OPUS[2][5] | 1), *OPUS[3:]]),
    "headers alone": without_packets(),
    "an end before the first sample": b"".join([*OPUS[:-1], page(OPUS[-1], granule=0)]),
    "an end within what is skipped": b"".join([*OPUS[:2], page(OPUS[2][:26] + b"\1\1\x08", flags=4, granule=312)]),
    "a Vorbis without a rate": page(VORBIS[0][: 28 + 12] + bytes(4) + VORBIS[0][28 + 16 :]) + b"".join(VORBIS[1:]),
    "a Vorbis without a channel": page(VORBIS[0][: 28 + 11] + b"\0" + VORBIS[0][28 + 12 :]) + b"".join(VORBIS[1:]),
    "a stream of something else": page(OPUS[0].replace(b"OpusHead", b"opushead")) + b"".join(OPUS[1:]),
    "an Opus of version 2": page(OPUS[0].replace(b"OpusHead\1", b"OpusHead\2")) + b"".join(OPUS[1:]),
    "an Opus without tags": OPUS[0] + page(OPUS[1].replace(b"OpusTags", b"opustags")) + b"".join(OPUS[2:]),
    "a Vorbis without modes": vorbis(b"\5vorbis" + bytes(40) + b"\1"),
    "a Vorbis with another setup": vorbis(b"\6vorbis" + bytes(40) + b"\1"),
    "a Vorbis without comments": VORBIS[0] + page(VORBIS[1].replace(b"\3vorbis", b"\7vorbis")) + b"".join(VORBIS[2:]),
    "a Vorbis packet of an odd first bit": b"".join(
        [*VORBIS[:2], page(VORBIS[2][:26] + b"\1\1\1", flags=4), *VORBIS[3:]]
    ),
    "a Vorbis packet of nothing": b"".join([*VORBIS[:2], page(VORBIS[2][:26] + b"\1\0", flags=4)]),
}


@pytest.mark.parametrize("name", OGG)
def test_an_ogg_that_is_not_read(name: str) -> None:
    """3.10: one stream of Vorbis or Opus, with its headers and with sound."""
    with refusals.raises():
        judge([OGG[name]])


XING = MP3.find(b"Xing") if b"Xing" in MP3 else MP3.find(b"Info")
FIRST = mpeg.frame_bytes(int.from_bytes(MP3[:4])) or 0
HEADER_ALONE = MP3[: XING + 4] + struct.pack(">II", 1, 0) + bytes(FIRST - XING - 12)
BARE: dict[str, bytes] = {
    "zeros": bytes(64) + FLAC,
    "an APE tag": encoded.ape() + MP3,
    "an ID3v1 tag": encoded.ID3V1 + MP3,
    "an ID3v2 tag of version 5": b"ID3\5" + bytes(6) + MP3,
    "an ID3v2 tag that is cut": b"ID3\4\0\0\0\0\0\x7f" + bytes(20),
    "an AMR behind an ID3v2 tag": encoded.id3(encoded.TITLE) + b"#!AMR\n" + bytes(64),
    "a Vorbis behind an ID3v2 tag": encoded.id3(encoded.TITLE) + b"".join(VORBIS),
    "an MP3 of its header alone": HEADER_ALONE,
    "an MP3 whose last frame is cut": MP3[:-1],
    "an MP3 that ends in a frame's header": MP3 + MP3[FIRST : FIRST + 4],
    "two APE tags": MP3 + encoded.ape() + encoded.ape(),
    "an APE tag behind an ID3v1 tag": MP3 + encoded.ID3V1 + encoded.ape(),
    "an MXF file": kit.wav(bytes.fromhex("060e2b34020501010d0102010102") + bytes(4_000)),
    "a stream of pictures": kit.wav(b"\0\0\1\xba" + bytes(range(256)) * 20),
}


@pytest.mark.parametrize("name", BARE)
def test_a_bare_file_that_is_not_read(name: str) -> None:
    """3.1, 3.10: what stands before, behind or in the place of the frames is called by its name."""
    with refusals.raises():
        judge([BARE[name]])


CUTS: dict[str, Callable[[], object]] = {
    "within the last frame": lambda: mpeg.walk_frames(BytesSource(MP3), 0, len(MP3) - 1),
    "within a frame's header": lambda: mpeg.walk_frames(BytesSource(MP3), 0, FIRST + 3),
    "before the first frame": lambda: mpeg.walk_frames(BytesSource(MP3), 0, 0),
    "behind the first byte": lambda: mpeg.walk_frames(BytesSource(MP3), 1, len(MP3)),
}


@pytest.mark.parametrize("name", CUTS)
def test_frames_fill_the_place_that_they_are_said_to_fill(name: str) -> None:
    """3.10: what a file states of where its frames lie may be another."""
    with refusals.raises():
        CUTS[name]()


KINDS = {
    b"RIFX": "a big-endian WAV file",
    b"RIFF\0\0\0\0WAVE": "a WAV file",
    b"RF64\0\0\0\0WAVE": "a WAV file",
    b"BW64\0\0\0\0WAVE": "a WAV file",
    b"fLaC": "a FLAC file",
    b"OggS\0" + bytes(23) + b"\x7fFLAC": "an Ogg FLAC file",
    b"OggS\0" + bytes(23) + b"Speex   ": "an Ogg Speex file",
    b"OggS\0" + bytes(23) + b"fishead\0": "an Ogg file with a Skeleton stream",
    b"OggS\0": "an Ogg file",
    b"\0\0\0\x20ftyp": "an MP4 or M4A file",
    b"\x1a\x45\xdf\xa3": "a WebM or Matroska file",
    b"FORM\0\0\0\0AIFF": "an AIFF file",
    b"FORM\0\0\0\0AIFC": "an AIFF-C file",
    b"caff\0\1": "a CAF file",
    b".snd\0\0": "a Sun AU file",
    b"#!AMR": "an AMR file",
    b"riff\x2e\x91\xcf\x11": "a Wave64 file",
    b"wvpk": "a WavPack file",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "a WMA file",
    b"ID3\4\0\0\0\0\0\1": "an MP3 file",
    b"PK\3\4": "a ZIP archive",
    b"\x28\xb5\x2f\xfd": "zstd-compressed data",
    b"PAR1": "a Parquet file",
    b"%PDF-": "a PDF file",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"version https://git-lfs": "a Git LFS pointer",
    b"\x1f\x8b\x08\0\0\0\0\0\0\3": "gzip-compressed data",
}
FILES = ("ZIP", "zstd", "Parquet", "PDF", "PNG", "LFS", "gzip")


@pytest.mark.parametrize("head", KINDS, ids=KINDS.values())
def test_a_file_is_called_by_its_first_bytes(head: bytes) -> None:
    """The signatures of the formats' own specifications; one byte less or another one is none of them."""
    found = kind_of(head.ljust(64, b"\0"))
    assert found is not None
    assert (found.name, found.is_audio) == (KINDS[head], not any(word in KINDS[head] for word in FILES))
    place = 2 if head.startswith(b"\x1f\x8b") else len(head) - 1  # behind three bytes, gzip has fields
    changed = kind_of((head[:place] + bytes([head[place] ^ 0x80]) + head[place + 1 :]).ljust(64, b"\0"))
    assert changed is None or changed.name != KINDS[head]


def test_a_type_counts_in_its_own_form_alone() -> None:
    """AIFF at offset 8 of what is no FORM is chance, and so is a name of a codec behind what is no page."""
    for place, word in ((8, b"WAVE"), (8, b"AIFF"), (8, b"AIFC"), (28, b"\x7fFLAC"), (28, b"Speex   ")):
        assert kind_of(b"\x81\x82\x83\x84".ljust(place, b"\x90") + word + bytes(40)) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1f\x8b\x08\x1f\0\0\0\0\2\3", "gzip-compressed data"),
        (b"\x1f\x8b\x08\x20\0\0\0\0\2\3", None),
        (b"\x1f\x8b\x08\0\0\0\0\0\1\3", None),
        (b"\x1f\x8b\x08\0\0\0\0\0\4", None),
        (b"ID3\2\0\0\0\0\0\1", "an MP3 file"),
        (b"ID3\1\0\0\0\0\0\1", None),
        (b"ID3\5\0\0\0\0\0\1", None),
        (b"ID3\4\0\0\0\0\0\x7f", "an MP3 file"),
        (b"ID3\4\0\0\0\0\0\x80", None),
        (b"ID3\4\0\0\x80\0\0\0", None),
        (b"ID3\4\0\0\0\0\0", None),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else "",
)
def test_a_signature_with_fields_is_held_to_them(head: bytes, kind: str | None) -> None:
    """RFC 1952: reserved flags are 0, extra flags 0, 2 or 4; ID3v2: versions 2 to 4, sizes of seven bits."""
    found = kind_of(head)
    assert (None if found is None else found.name) == kind


STORE = credentials.store(bytes(32), [])
SEALED = b"TTSA/1\nseal sha256:" + b"0" * 64 + b"\n"
BOXES: dict[str, bytes] = {
    "no description": box(b"jumb", box(b"cbor", bytes(40))),
    "too short a description": box(b"jumb", box(b"jumd", bytes(16))),
    "another kind of box": box(b"jumd", bytes(40)),
    "a box longer than its file": struct.pack(">I4s", 100, b"jumb") + bytes(40),
    "a box shorter than its head": struct.pack(">I4s", 7, b"jumb") + bytes(40),
    "a long size that is cut": struct.pack(">I4s", 1, b"jumb") + bytes(7),
}


@pytest.mark.parametrize("name", BOXES)
def test_a_box_that_is_not_read(name: str) -> None:
    """ISO/IEC 19566-5: a superbox has a description, and boxes end where they say."""
    with refusals.raises():
        jumbf.superbox(BytesSource(BOXES[name]), 0, len(BOXES[name]))


def manifest(*boxes: bytes, label: str = "c2pa", inner: str = "urn:x") -> bytes:
    return superbox(b"c2pa", label, superbox(b"c2ma", inner, *boxes))


def claim(value: object) -> bytes:
    return superbox(b"c2cl", "c2pa.claim.v2", box(b"cbor", cbor(value)))


STORES: dict[str, bytes] = {
    "no store": manifest(label="c2px"),
    "no label": manifest(label=""),
    "no manifest": superbox(b"c2pa", "c2pa", box(b"free")),
    "no claim": manifest(box(b"free")),
    "a claim of a number": manifest(claim(7)),
    "a claim in two boxes": manifest(superbox(b"c2cl", "c2pa.claim", box(b"cbor", cbor({})), box(b"cbor", cbor({})))),
    "a claim of no box": manifest(superbox(b"c2cl", "c2pa.claim")),
    "no binding": manifest(claim({})),
    "a list of exclusions that is none": credentials.store(bytes(32), {"start": 1}),  # type: ignore[arg-type]
    "an exclusion that is none": credentials.store(bytes(32), [{"start": 1, "length": "all"}]),
    "exclusions that overlap": credentials.store(bytes(32), [{"start": 1, "length": 9}, {"start": 9, "length": 2}]),
    "an exclusion past the end": credentials.store(bytes(32), [{"start": 1, "length": 1 << 30}]),
    "another hash": credentials.store(bytes(32), []),
    "a hash that is none": credentials.store("a" * 32, []),  # type: ignore[arg-type]
    "a hash that is not listed": credentials.store(bytes(32), [], listed=False),
    "two bindings": credentials.store(bytes(32), [], bindings=("c2pa.hash.data", "c2pa.hash.data__1")),
    "another algorithm": credentials.store(bytes(32), [], alg="md5"),
    "an update": credentials.store(bytes(32), [], manifest=b"c2um", bindings=()),
}


@pytest.mark.parametrize("name", STORES)
def test_a_credential_that_does_not_hold_says_why(name: str) -> None:
    """6.10: what is wrong with a store, its claim or its hard binding, and both sides."""
    (found,) = credentials_in(BytesSource(credentials.grown(kit.wav(), credentials.chunk(STORES[name]))))
    binding = found.binding
    refusals.require_same([f"{binding.state}: {binding.why}; found {binding.found}, expected {binding.expected}"])


def walked(data: bytes, most: int = 10) -> Callable[[], object]:
    return lambda: page_headers.walk(BytesSource(data), 0, len(data), "column x", most=most)


def table(**edits: object) -> Callable[[], object]:
    (name, values), *_ = edits.items()
    return lambda: list(RunTable(BytesSource(replaced(name, values))))


PARQUET: dict[str, Callable[[], object]] = {
    "a footer longer than its file": lambda: footer.read(BytesSource(b"PAR1" + b"\xff\0\0\0PAR1")),
    "a footer of another shape": lambda: footer.parse(b"\x15\x02\0", 4),
    "a footer that is an integer": lambda: footer.read(BytesSource(framed(b"\x15\x02\x15\x02\x15\x02\x15\x02\0"))),
    "a footer of no bytes": lambda: footer.read(BytesSource(b"PAR1\0\0\0\0PAR1")),
    "bytes behind the footer": lambda: footer.parse(footer_of([row_group()]) + b"\0\0", 5),
    "no rows": lambda: footer.parse(footer_of([row_group(rows=0)], rows=0), 5),
    "other rows": lambda: footer.parse(footer_of([row_group()], rows=2), 5),
    "less than no rows": lambda: footer.parse(
        footer_of([row_group()[:-2] + b"\1\0", row_group(rows=2)], rows=1), 5 + 1024
    ),
    "a column before the data": lambda: footer.parse(footer_of([row_group(start=3)]), 5),
    "a column behind the data": lambda: footer.parse(footer_of([row_group(size=2)]), 5),
    "a page without a size": walked(b"\x15\0\0"),
    "a page of less than no bytes": walked(b"\x15\0\x15\1\x15\0\0"),
    "a page without a type": walked(b"\x25\0\x15\0\0"),
    "a page past its column": walked(b"\x15\4\x15\x14\x15\x14\0"),
    "a page that swells": walked(b"\x15\4\x15" + b"\xfe\xff\xff\xff\x0f" + b"\x15\2\0\0"),
    "a struct that is cut": lambda: thrift.read_struct(b"\x15", most=9),
    "a struct of too many values": lambda: thrift.read_struct(b"\x15\0" * 10 + b"\0", most=9),
    "a field twice": lambda: thrift.read_struct(b"\x15\0\x05\2\0\0", most=9),
    "a field of no type": lambda: thrift.read_struct(b"\x1e\0", most=9),
    "a field of type 15": lambda: thrift.read_struct(b"\x1f\0", most=9),
    "an integer of 70 bits": lambda: thrift.read_struct(b"\x15" + b"\xff" * 10 + b"\0", most=9),
    "a text past the end": lambda: thrift.read_struct(b"\x18\x09abc", most=9),
    "a list past the end": lambda: thrift.read_struct(b"\x19\xf5\x7f", most=9),
    "a double past the end": lambda: thrift.read_struct(b"\x17" + bytes(7), most=9),
    "structs in structs": lambda: thrift.read_struct(b"\x1c" * 99, most=999),
    "lists in lists": lambda: thrift.read_struct(b"\x19" * 99, most=999),
    "no audio": table(audio=[None]),
    "audio without bytes": table(audio=[{"bytes": None, "path": "x"}]),
    "a part without a name": table(parts=[[{"name": None, "bytes": b"x"}]]),
    "a part without bytes": table(parts=[[{"name": "trace/chunks", "bytes": None}]]),
    "4,097 parts": table(parts=[[{"name": f"ref/{n}", "bytes": b""} for n in range(4_097)]]),
}


@pytest.mark.parametrize("name", PARQUET)
def test_a_parquet_that_is_not_read(name: str) -> None:
    """3.4, 3.8: where its footer, its pages or its rows are not those of an artifact."""
    with refusals.raises():
        PARQUET[name]()


def many_boxes() -> object:
    held = superbox(b"c2pa", "c2pa", *[box(b"free")] * 4)
    return jumbf.children(BytesSource(held), jumbf.superbox(BytesSource(held), 0, len(held)))


def from_stdin(folder: Path) -> object:
    reader, writer = os.pipe()
    os.write(writer, b"x" * 11)
    os.close(writer)
    kept = os.dup(0)
    try:
        os.dup2(reader, 0)
        source._kept_input.cache_clear()
        return FileSource("-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
        source._kept_input.cache_clear()


def capsule_of(size: int) -> Callable[[Path], object]:
    return lambda _: capsule.parse(BytesSource(SEALED + b"part descriptor 1\n\na\n"), 0, size)


LIMITS: dict[str, tuple[object, str, int, Callable[[Path], object]]] = {
    "a capsule": (capsule, "MAX_SMALL_CHUNK_BYTES", 10, capsule_of(11)),
    "a chunk": (
        riff,
        "MAX_SMALL_CHUNK_BYTES",
        10,
        lambda _: riff.walk(BytesSource(wave(fmt(), DATA, chunk(b"note", bytes(17))))),
    ),
    "boxes": (jumbf, "_MAX_BOXES", 3, lambda _: many_boxes()),
    "a claim": (jumbf, "_MAX_CONTENT_BYTES", 10, lambda _: refused_binding()),
    "tags behind an MP3": (mpeg, "MAX_SMALL_CHUNK_BYTES", 50, lambda _: judge([MP3 + encoded.ape()])),
    "standard input": (source, "MAX_INPUT_BYTES", 10, from_stdin),
    "a descriptor": (rows, "MAX_DESCRIPTOR_BYTES", 1, lambda _: table(notes=["x"])()),
    "packets": (opus, "_MOST_PACKETS", 1, lambda _: heard(opus.OpusStream(opus_head(), (b"\x08", b"\x08")))),
}


def refused_binding() -> None:
    """Raise what the credential says of its claim."""
    (found,) = credentials_in(BytesSource(credentials.grown(kit.wav(), credentials.chunk(STORE))))
    raise TtsArtifactError(f"{found.binding.state}: {found.binding.why}")


def heard(stream: opus.OpusStream) -> bytes:
    return opus.decode(stream, lost=(), conceal="silence", frames=960)


def opus_head(channels: int = 1, family: int = 0) -> bytes:
    return b"OpusHead\1" + bytes([channels]) + struct.pack("<HIh", 312, 48_000, 0) + bytes([family])


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_named_with_both_sides(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: what is larger is refused before it is read."""
    module, constant, most, act = LIMITS[name]
    monkeypatch.setattr(module, constant, most)
    with refusals.raises():
        act(tmp_path)


PACKETS: dict[str, Callable[[], object]] = {
    "three channels": lambda: opus.encode(b"", rate_hz=48_000, channels=3, bitrate_bps=24_000),
    "no channel": lambda: opus.encode(b"", rate_hz=48_000, channels=0, bitrate_bps=24_000),
    "5,999 bit/s": lambda: opus.encode(b"", rate_hz=48_000, channels=1, bitrate_bps=5_999),
    "256,001 bit/s": lambda: opus.encode(b"", rate_hz=48_000, channels=1, bitrate_bps=256_001),
    "a header of 18 bytes": lambda: heard(opus.OpusStream(opus_head()[:18], (b"\x08",))),
    "a header of two words": lambda: heard(opus.OpusStream(b"OpusTags" + opus_head()[8:], (b"\x08",))),
    "a header of three channels": lambda: heard(opus.OpusStream(opus_head(3), (b"\x08",))),
    "a header of another family": lambda: heard(opus.OpusStream(opus_head(1, 1), (b"\x08",))),
    "a packet of no bytes": lambda: heard(opus.OpusStream(opus_head(), (b"\x08", b""))),
    "a packet of 1,276 bytes": lambda: heard(opus.OpusStream(opus_head(), (bytes(1_276),))),
    "a packet of 10 ms": lambda: heard(opus.OpusStream(opus_head(), (b"\0",))),
}


@pytest.mark.parametrize("name", PACKETS)
def test_packets_that_are_not_taken(name: str) -> None:
    """6.7: one or two channels, 6 to 256 kbit/s, packets of 20 ms; a header as RFC 7845 has it."""
    with refusals.raises():
        PACKETS[name]()


ANSWERS: dict[str, tuple[int, bytes]] = {
    "no words": (0, b"\xff"),
    "too large": (0, b'{"too_large": "9 frames"}'),
    "an error": (0, b'{"error": "Unspecified internal error."}'),
    "no frames": (0, b'{"frames": 0}'),
    "no library": (0, b'{"unavailable": "soundfile"}'),
    "an exit": (9, b""),
    "a signal": (-11, b""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_decoder_answers_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """6.1: a verdict where it decoded, and no verdict where it did not."""
    code, said = ANSWERS[name]
    child = SimpleNamespace(returncode=code, stdout=said, stderr=b"last words" if code else b"")
    monkeypatch.setattr(sound.subprocess, "run", lambda *_, **__: child)
    with refusals.raises():
        sound.facts_of([FLAC])


def test_no_file_is_written_where_none_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not there, that is none, or that takes no file."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(source.os, "access", lambda path, mode: False)
    for name in ("folder/a.wav", "file/a.wav", "a.wav", "file"):
        with refusals.raises(of=name):
            require_room(tmp_path / name, replace=False)
    monkeypatch.undo()
    require_room(tmp_path / "file", replace=True)


@pytest.mark.parametrize("address", ["https://example.org/a.wav", "hf://voice/a.wav", "s3:a", "nowhere.wav"])
def test_an_address_is_no_file(address: str) -> None:
    """Nothing is downloaded, and who gives an address is told so."""
    with refusals.raises():
        FileSource(address)


def test_what_no_memory_or_no_library_is_left_for() -> None:
    """Of Parquet nothing is said to be damaged where this machine cannot decode it."""
    for error in (MemoryError(), ImportError("libarrow.so"), ValueError("odd bytes\nand more"), KeyError()):
        with refusals.raises(of=type(error).__name__), rows._foreign("row 3"):
            raise error


def test_a_nested_column_is_as_long_as_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: a column of more rows than its part has bytes is not read."""
    monkeypatch.setattr(rows, "_SMALL_TABLE_ROWS", 1)
    held = [[{"t_ns": 0, "frame_start": 0, "frame_count": 0, "pcm_sha256": "a"}] * 1_000]
    (row,) = RunTable(BytesSource(replaced("chunks", held)))
    with refusals.raises():
        dict(row.tables)


def test_pictures_and_films_in_samples() -> None:
    """3.1: MPEG's pictures begin with the PCM, an MXF stands anywhere in the head."""
    for code in b"\xb0\xb3\xb5\xba\x09\x27\x47\x67\x40\x42\x46":
        for zeros in range(5):
            assert mistaken_pcm(bytes(zeros) + b"\0\0\1" + bytes([code]) + b"\1" * 99) == "a stream of pictures"
        assert mistaken_pcm(bytes(5) + b"\0\0\1" + bytes([code]) + b"\1" * 99) is None
    mxf = bytes.fromhex("060e2b34020501010d0102010102")
    assert mistaken_file(bytes(99) + mxf, "flac") == "an MXF file"
    assert mistaken_file(bytes(99) + mxf[:-1], "wav") is None


def flac_of_frames(
    *sizes: int, stated: int | None = None, shortest: int = 65_535, longest: int = 65_535, bits: int = 16
) -> bytes:
    """Return a FLAC of frames of zeros with so many samples each (RFC 9639)."""
    count = sum(sizes) if stated is None else stated
    packed = 16_000 << 44 | (bits - 1) << 36 | count
    out = b"fLaC\x80\0\0\x22" + struct.pack(">HH", shortest, longest) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    for number, size in enumerate(sizes):
        head = b"\xff\xf8\x70\0" + utf8(number) + struct.pack(">H", size - 1)
        head += bytes([crc(head, 0x07, 8)])
        frame = head + b"\0" + bytes(bits // 8)
        out += frame + crc(frame, 0x8005, 16).to_bytes(2, "big")
    return out


FRAMES: dict[str, bytes] = {
    "a frame in the middle that is shorter": flac_of_frames(400, 300, 400, stated=0),
    "a frame in the middle that is longer": flac_of_frames(400, 500, 400, stated=0),
    "frames that are longer than stated": flac_of_frames(400, 400, stated=0, shortest=16, longest=399),
    "one sample more than there is": flac_of_frames(400, 400, stated=801),
    "one sample less than there is": flac_of_frames(400, 400, stated=799),
    "a frame less than there is": flac_of_frames(400, 400, stated=400),
    "blocks of 15": flac_of_frames(15, stated=0, shortest=15, longest=15),
    "a frame's header in a tag": flac_of_frames(400)
    + encoded.ID3V1[:100]
    + b"\xff\xf8\x70\0\0\1\x8f"
    + bytes([crc(b"\xff\xf8\x70\0\0\1\x8f", 7, 8)])
    + bytes(20),
    "12 bits": flac_of_frames(400, bits=12),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_a_flac_are_those_that_it_states(name: str) -> None:
    """3.10: all but the last are of one length, as long as is stated, and as many samples."""
    with refusals.raises():
        sound.facts_of([FRAMES[name]])


@pytest.mark.parametrize("sizes", [(400,), (400, 400), (400, 400, 16), (16, 16)])
def test_frames_of_a_flac_that_agree_are_taken(sizes: tuple[int, ...]) -> None:
    """3.10: and the last may be shorter; counted or not."""
    for stated in (None, 0):
        assert judge([flac_of_frames(*sizes, stated=stated, shortest=16, longest=sizes[0])]).frames == sum(sizes)


@pytest.mark.parametrize(
    ("kind", "tail"), [("flac", encoded.ID3V1), ("mp3", encoded.ID3V1), ("flac", b""), ("mp3", b"")]
)
@pytest.mark.parametrize("head", [b"", encoded.id3(encoded.TITLE)], ids=["plain", "tagged"])
def test_what_was_put_around_an_artifact_is_named(kind: str, tail: bytes, head: bytes, tmp_path: Path) -> None:
    """3.6: a tag before or behind it, which is not of the bare file."""
    from ttsartifact.container import flac, mp3

    module = {"flac": flac, "mp3": mp3}[kind]
    data = BytesSource(head + encoded.artifact(tmp_path, kind).read_bytes() + tail)
    found = module.misframed(data, module.walk(data), "sha256:" + "0" * 64)
    refusals.require_same([f"{each[0]}: {each[1]}; expected {each[2]}; {each[3:]}" for each in found])


def test_what_has_no_onset_says_why() -> None:
    """7.7: of encoded audio nothing is decoded for it."""
    from ttsartifact.container.figures import ENCODED

    assert ENCODED == {
        "value": None,
        "reason": "not_applicable",
        "detail": "the audio is not WAV and is not decoded here",
    }


def test_a_file_that_shrinks_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said where it ended; the copy in the kernel and the one without it say the same."""
    (tmp_path / "a").write_bytes(b"12345")
    for name in ("kernel", "user"):
        if name == "user":
            monkeypatch.setattr(source.os, "copy_file_range", _refused_by_kernel)
        with (tmp_path / "a").open("rb") as held, (tmp_path / "b").open("wb") as out, refusals.raises(of=name):
            source._copy_in_kernel(held.fileno(), 1, 9, out)
        assert (tmp_path / "b").read_bytes() == b"2345"


def _refused_by_kernel(*_: object) -> int:
    raise OSError(18, "Invalid cross-device link")


@pytest.mark.parametrize("way", ["by its clock", "by its processor time"])
def test_a_decoder_that_takes_too_long(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: a limit on what strangers may make us compute."""
    import subprocess

    def run(*_: object, **__: object) -> SimpleNamespace:
        if way == "by its clock":
            raise subprocess.TimeoutExpired("decoder", 1)
        return SimpleNamespace(returncode=-sound._SIGXCPU, stdout=b"", stderr=b"")

    monkeypatch.setattr(sound.subprocess, "run", run)
    with refusals.raises():
        sound.facts_of([FLAC])
    monkeypatch.setattr(sound, "_is_short_of_time", lambda cpu_s: True)
    if way == "by its processor time":
        with refusals.raises(of="and its limit is this process's own"):
            sound.facts_of([FLAC])


def test_packets_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the extra that brings it."""
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    with refusals.raises():
        opus._av()


@pytest.mark.parametrize("lost", [(), (1,), (0,), (0, 1), (1, 2)])
@pytest.mark.parametrize("conceal", ["silence", "repeat"])
def test_what_stands_for_a_packet_that_was_lost(lost: tuple[int, ...], conceal: str) -> None:
    """6.7: zeros, or the last packet that arrived once more; before the first there is none."""
    stream = opus.encode(kit.tone(8_000), rate_hz=16_000, channels=1, bitrate_bps=24_000)
    found = opus.decode(stream, lost=lost, conceal=conceal, frames=4 * 960)
    held: list[bytes] = []
    silent = []
    for place, packet in enumerate(stream.packets[:5]):
        is_silent = place in lost and (conceal == "silence" or not held)
        silent.append(is_silent)
        held += [] if is_silent else [held[-1] if place in lost else packet]
    assert len(found) == 2 * 4 * 960
    pcm = iter(_by_pyav(stream.head, held))
    expected = b"".join(bytes(1_920) if is_silent else next(pcm) for is_silent in silent)
    skipped = 2 * int.from_bytes(stream.head[10:12], "little")
    assert found == expected[skipped : skipped + len(found)]


def _by_pyav(head: bytes, packets: list[bytes]) -> list[bytes]:
    """Return the PCM of each packet, by a decoder that is asked for nothing else."""
    import av

    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = head[:10] + b"\0\0" + head[12:]
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    return [
        b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in decoder.decode(av.Packet(each)))
        for each in packets
    ]


KBITS = {
    ("I", 1): "32 64 96 128 160 192 224 256 288 320 352 384 416 448",
    ("II", 1): "32 48 56 64 80 96 112 128 160 192 224 256 320 384",
    ("III", 1): "32 40 48 56 64 80 96 112 128 160 192 224 256 320",
    ("I", 2): "32 48 56 64 80 96 112 128 144 160 176 192 224 256",
    ("II", 2): "8 16 24 32 40 48 56 64 80 96 112 128 144 160",
    ("III", 2): "8 16 24 32 40 48 56 64 80 96 112 128 144 160",
}
"""The tables of ISO/IEC 11172-3 and 13818-3 as they are printed, by layer and MPEG-1 or 2."""
RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
SAMPLES = {("I", 1): 384, ("II", 1): 1152, ("III", 1): 1152, ("I", 2): 384, ("II", 2): 1152, ("III", 2): 576}


@pytest.mark.parametrize("layer", ["I", "II", "III"])
@pytest.mark.parametrize("version", [3, 2, 0], ids=["MPEG-1", "MPEG-2", "MPEG-2.5"])
def test_a_frame_of_mpeg_audio_is_as_long_as_its_rate_says(layer: str, version: int) -> None:
    """Its samples at its bitrate; three places look for frames, each for what it needs."""
    kind = (layer, 1 if version == 3 else 2)
    bits = {"I": 3, "II": 2, "III": 1}[layer]
    for place, kbit_s in enumerate(map(int, KBITS[kind].split()), 1):
        for code, rate_hz in enumerate(RATES_HZ[version]):
            for padding in (0, 1):
                head = bytes([0xFF, 0xE0 | version << 3 | bits << 1 | 1, place << 4 | code << 2 | padding << 1, 0xC4])
                slot = 4 if layer == "I" else 1
                size = (SAMPLES[kind] * kbit_s * 125 // (rate_hz * slot) + padding) * slot
                assert mistaken._mpeg_ends(head, [0]) == [size]
                assert magic._mpeg_frame_bytes(head) == (0 if layer == "I" else size)
                assert mpeg.frame_bytes(int.from_bytes(head)) == (size if layer == "III" else None)


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xeb\x90\xc4",
        b"\xff\xfb\x00\xc4",
        b"\xff\xfb\xf0\xc4",
        b"\xff\xfb\x9c\xc4",
        b"\xff\xf9\x90\xc4",
        b"\xfe\xfb\x90\xc4",
        b"\xff\xdb\x90\xc4",
    ],
    ids=["version", "free", "bitrate", "rate", "layer", "first sync", "second sync"],
)
def test_what_is_no_header_of_mpeg_audio_has_no_length(head: bytes) -> None:
    """A reserved value, or one that states no length."""
    assert magic._mpeg_frame_bytes(head) == 0
    assert mpeg.frame_bytes(int.from_bytes(head)) is None
    assert magic._mpeg_frame_bytes(b"\xff\xfb\x90\xc6") == 0  # a reserved emphasis
    assert magic._mpeg_frame_bytes(b"\xff\xfb\x90") == 0


FRAME = (b"\xff\xfb\x90\xc4" + bytes(range(1, 256)) * 2)[:417]  # 128 kbit/s at 44.1 kHz
ADTS = b"\xff\xf1\x50\x80\x01\x9f\xfc" + b"\x91" * 5  # twelve bytes of AAC at 44.1 kHz


@pytest.mark.parametrize(
    ("data", "is_sound"),
    [
        (FRAME, False),
        (FRAME + FRAME[:6], False),
        (FRAME + FRAME[:7], True),
        (FRAME * 2, True),
        (FRAME * 2 + b"not a frame", False),
        (FRAME * 3 + b"not a frame", True),
        (FRAME + FRAME[:2] + b"\x94" + FRAME[3:], False),
        (ADTS, False),
        (ADTS + ADTS[:6], False),
        (ADTS + ADTS[:7], True),
        (ADTS * 3, True),
        (ADTS[:4] + b"\0\xff" + ADTS[6:] + ADTS, False),
    ],
    ids=str,
)
def test_frames_that_follow_each_other_are_sound(data: bytes, is_sound: bool) -> None:
    """Two heads of one kind, and a third where there is room for it."""
    found = kind_of(data)
    assert (found is not None and found.name == "MPEG audio (MP2, MP3 or AAC)") is is_sound


@pytest.mark.parametrize(
    ("held", "set_to", "words"),
    [
        ({"AS": (-1, -1), "CPU": (-1, -1), "CORE": (-1, -1)}, {"AS": (100, 100), "CPU": (5, 6), "CORE": (0, 0)}, ""),
        (
            {"AS": (50, 80), "CPU": (3, 4), "CORE": (-1, 0)},
            {"AS": (50, 50), "CPU": (3, 3), "CORE": (0, 0)},
            "this process may take 50 bytes of memory",
        ),
        ({"AS": (100, -1), "CPU": (5, 5), "CORE": (0, -1)}, {"AS": (100, 100), "CPU": (5, 5), "CORE": (0, 0)}, ""),
    ],
    ids=["none", "lower", "the same"],
)
def test_a_decoder_lowers_limits_and_raises_none(
    held: dict[str, tuple[int, int]], set_to: dict[str, tuple[int, int]], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.8: memory, time and no dump; it says where less memory is left than it needs."""
    import sys

    asked: dict[str, tuple[int, int]] = {}
    names = {f"RLIMIT_{name}": name for name in held}
    fake = SimpleNamespace(**names, RLIM_INFINITY=-1, getrlimit=held.get, setrlimit=asked.__setitem__)
    monkeypatch.setitem(sys.modules, "resource", fake)  # type: ignore[arg-type]
    assert decoding._bound(100, 5) == words
    assert asked == set_to
    monkeypatch.setitem(sys.modules, "resource", None)
    assert decoding._bound(100, 5) == ""


@pytest.mark.parametrize("room", [0, -1])
def test_tags_behind_an_mp3_may_have_so_many_bytes(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: and not one more."""
    tail = encoded.ape()
    monkeypatch.setattr(mpeg, "MAX_SMALL_CHUNK_BYTES", len(tail) + room)
    if room:
        with pytest.raises(TtsArtifactError, match="the tags behind the audio are too large"):
            judge([MP3 + tail])
    else:
        assert judge([MP3 + tail]).frames == judge([MP3]).frames


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg"])
def test_sound_without_a_capsule_is_told_how_to_get_one(kind: str, tmp_path: Path) -> None:
    """3.2: each carrier names what is missing in it."""
    from ttsartifact.reading.artifact import open_artifact

    data = {"wav": kit.wav(), "flac": FLAC, "mp3": MP3, "ogg": b"".join(OPUS)}[kind]
    (tmp_path / f"a.{kind}").write_bytes(data)
    with refusals.raises():
        open_artifact(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("place", [None, 43, 44, 255, 257, 263, 264, 511, 512])
def test_a_file_of_a_voice_recorder_has_zeros_around_its_mark(place: int | None) -> None:
    """3.1: behind a WAV's header of 44 bytes, up to byte 512; FFmpeg takes it for ACT."""
    head = bytearray(600)
    head[256] = 0x84
    if place is not None:
        head[place] = 1
    is_voice = place not in {44, 255, 264, 511}
    assert (mistaken_file(bytes(head), "wav") == "an ACT voice file") is is_voice
    assert mistaken_file(bytes(head[:511]), "wav") is None
    assert mistaken_file(bytes(head), "flac") is None
    head[256] = 0x85
    assert mistaken_file(bytes(head), "wav") is None
