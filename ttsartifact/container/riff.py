"""WAV, both ways: a strict walk over RIFF and RF64, the capsule put behind the audio, and taken off again.

`strip(embed(x)) == x` for every bare file that `walk` accepts. Layout of an artifact (clause 3.2):

    RIFF|RF64 size WAVE  <the bare file's chunks>  LIST(INFO(ICMT pointer))  ttsa(capsule)

Only the RIFF size differs in the bare part, and it follows from the length. No decoder is needed: the body of
`data` is the canonical PCM (clause 8.3).
"""

from __future__ import annotations

import struct
from functools import cache

from ttsartifact._starting import NamedTuple
from ttsartifact.container import capsule as capsules
from ttsartifact.container.id3 import tail_between
from ttsartifact.container.limits import MAX_RIFF_CHUNKS, MAX_SMALL_CHUNK_BYTES
from ttsartifact.container.source import Piece, Source, Span
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError, damaged_at

CREDENTIAL_ID = b"C2PA"
CAPSULE_ID = b"ttsa"  # lower case: meaningful inside this form only, as the RIFF convention has it
POINTER_PREFIX = b"ttsartifact:1.0 id="
_POINTER_DIGITS = slice(-66, -2)  # of the pointer chunk: 64 digits, one NUL, one pad byte
_JUNK = b"JUNK" + struct.pack("<I", 28) + bytes(28)  # the size of ds64, so that a growing file can become RF64
_MAX_RIFF_BYTES = 0xFFFFFFFF
_64_BIT_FORMS = frozenset({b"RF64", b"BW64"})
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
# KSDATAFORMAT_SUBTYPE_*: the first two bytes are the format tag, the rest is fixed.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_SUBTYPES = {
    (_PCM, 8): "pcm_u8",
    (_PCM, 16): "pcm_s16",
    (_PCM, 24): "pcm_s24",
    (_PCM, 32): "pcm_s32",
    (_FLOAT, 32): "pcm_f32",
    (_FLOAT, 64): "pcm_f64",
    (_ALAW, 8): "alaw",
    (_MULAW, 8): "mulaw",
}
_TAGS = {subtype: tag for (tag, _), subtype in _SUBTYPES.items()}
# Codecs that a WAV may hold and that are not read, for the message.
_CODECS = {
    _PCM: "PCM",
    _FLOAT: "float",
    0x02: "Microsoft ADPCM",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x40: "G.721 ADPCM",
    0x50: "MPEG layer I or II",
    0x55: "MP3",
    0xFF: "AAC",
    0x28F: "G.722 ADPCM",
    0x161: "Windows Media Audio",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
}
# Chunks that make players choose another decoder, or another place for the sound (clause 3.2).
_FOREIGN_CHUNKS = {
    b"XMA2": "XMA2 sound",
    b"SMV0": "SMV pictures",
    b"xobX": "an XMV film",
    b"slnt": "silence that is stored as a number",
    b"INFO": "a list's items outside a list, where libsndfile looks for data",
}
# Of a list, the items whose place every reader finds, and how long they are at least; `I...` is any that begins so.
_LISTED = {b"INFO": {b"I...": 0}, b"adtl": {b"labl": 4, b"note": 4, b"ltxt": 20}}
_FLOAT_16_LE = b"\2\0\1\0"  # an extension of two bytes that says 1, which old sound editors wrote for such samples
# libsndfile reads the pad byte of these two a second time, SoX takes that of fmt for the id of a chunk, and no player
# that was tried opens an RF64 with an odd ds64.
_EVEN = frozenset({b"smpl", b"acid", b"fmt ", b"ds64"})
_FACT_BYTES = 4  # libsndfile reads so many of a chunk fact, however long it is
_CUE_BYTES, _POINT_BYTES = 4, 24  # and so many of a chunk cue as its points need
_ACID_BYTES = 24  # libsndfile reads so many of a chunk acid, however long it is
_MISREAD_CHUNKS = 4096  # as which a player may read what follows an odd chunk: eight zeros are one
_LOW_FREQUENCY = 0x8  # a speaker that players leave out where they have none
_MIXED = 0x7FF  # front, back and side: FFmpeg leaves out every other one when it mixes for two speakers
_NO_SAMPLES = "the WAV has no samples"


class RiffChunk(NamedTuple):
    """A RIFF chunk by its place; `size` is without the pad byte."""

    id: bytes
    offset: int
    size: int

    @property
    def body(self) -> int:
        """Offset of the first byte after the chunk's eight header bytes."""
        return self.offset + 8

    @property
    def end(self) -> int:
        """Offset after the chunk and its pad byte."""
        return self.body + self.size + (self.size & 1)


class WaveFormat(NamedTuple):
    """What `fmt ` says, once its arithmetic holds."""

    subtype: str
    sample_rate_hz: int
    channels: int
    bit_depth: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame over all channels."""
        return self.channels * self.bit_depth // 8


class Riff(NamedTuple):
    """A walked file: every byte of it belongs to a chunk or to the header."""

    form: bytes
    size: int
    chunks: tuple[RiffChunk, ...]
    format: WaveFormat
    data: RiffChunk
    pointer: RiffChunk | None
    capsule: RiffChunk | None
    wrapper: RiffChunk | None = None
    """A C2PA credential that was put on the artifact: the only chunk behind the capsule."""

    @property
    def frames(self) -> int:
        """Frames in the data chunk."""
        return self.data.size // self.format.frame_bytes

    @property
    def bare_pcm(self) -> tuple[int, int]:
        """The half-open byte range of the PCM within the bare file."""
        ours = [
            chunk for chunk in (self.pointer, self.capsule) if chunk is not None and chunk.offset < self.data.offset
        ]
        start = self.data.body - sum(chunk.end - chunk.offset for chunk in ours)
        return start, start + self.data.size


def recognise(head: bytes) -> bool:
    """Tell by its first twelve bytes whether a file is a WAV that this module walks."""
    return head[:4] in {b"RIFF", *_64_BIT_FORMS} and head[8:12] == b"WAVE"


def walk(source: Source) -> Riff:
    """Walk all of `source`, and raise at the first byte that breaks the structure (rules CON01 to CON08, CON15)."""
    try:
        return _walked(source)
    except Damaged as error:
        # Of an engine that said nothing, that is what matters, whichever length is wrong. No head is below 44 bytes.
        is_header = source.size < 44 and b"data" not in source.read_at(0, source.size)
        if _NO_SAMPLES not in error.message and (is_header or source.read_at(source.size - 8, 4) == b"data"):
            error.message = f"{_NO_SAMPLES}; {error.message}"
        raise


def _walked(source: Source) -> Riff:
    if source.size < 12 or not recognise(head := source.read_at(0, 12)):
        raise NotAnArtifact("not a RIFF/WAVE file", where="offset 0", expected="RIFF....WAVE")
    form = head[:4]
    sizes = _ds64(source) if form in _64_BIT_FORMS else None
    declared = struct.unpack_from("<I", head, 4)[0]
    if sizes is None and declared in {0, 0xFFFFFFFF}:
        raise Damaged(
            "the RIFF size is indeterminate",
            where="offset 4",
            found=f"{declared:#x}",
            expected="the file's length - 8",
            rule="CON05",
        )
    if sizes is not None and declared not in {0xFFFFFFFF, sizes[0]}:
        raise _two_sizes("the RIFF size", 4, declared, sizes[0])
    end = 8 + (declared if sizes is None else sizes[0])
    if end > source.size:
        raise Damaged(
            "the file is shorter than its RIFF size",
            where="offset 4",
            found=f"{source.size - 8} bytes",
            expected=f"{end - 8} bytes",
        )
    if end < source.size:
        tag = tail_between(source, end, source.size)
        raise Damaged(
            "bytes after the end of the container",
            where=f"offset {end}",
            found=f"{source.size - end} bytes{'' if tag is None else f', {tag}'}",
            expected="none",
            rule="CON06",
        )
    chunks = _chunks(source, end, None if sizes is None else sizes[1])
    return _assemble(source, form, chunks, None if sizes is None else sizes[2])


def _chunks(source: Source, end: int, data_bytes: int | None) -> tuple[RiffChunk, ...]:
    chunks: list[RiffChunk] = []
    offset = 12
    while offset < end:
        where = f"offset {offset}"
        if len(chunks) == MAX_RIFF_CHUNKS:
            raise TooLarge("too many chunks", where=where, expected=f"at most {MAX_RIFF_CHUNKS}")
        if end - offset < 8:
            raise Damaged("a chunk header is cut", where=where, found=f"{end - offset} bytes", expected="8 bytes")
        chunk_id, size = struct.unpack("<4sI", source.read_at(offset, 8))
        if chunk_id == b"data" and size == 0xFFFFFFFF:
            if data_bytes is None:
                raise Damaged(
                    "the data size is indeterminate",
                    where=f"offset {offset + 4}",
                    found="0xffffffff",
                    expected="a length",
                    rule="CON05",
                )
            size = data_bytes
        if chunk_id == b"data" and data_bytes is not None and size != data_bytes:
            raise _two_sizes("the data size", offset + 4, size, data_bytes)
        _require_own(source, chunk_id, offset, size, is_64_bit=data_bytes is not None)
        if offset + 8 + size > end:
            raise Damaged(
                f"the chunk {_name(chunk_id)} runs past the end of the file",
                where=where,
                found=f"{size} bytes",
                expected=f"at most {end - offset - 8} bytes",
            )
        if size & 1 and (offset + 8 + size == end or source.read_at(offset + 8 + size, 1) != b"\0"):
            raise Damaged(
                f"the chunk {_name(chunk_id)} of odd size has no zero pad byte",
                where=f"offset {offset + 8 + size}",
                expected="0x00",
                rule="CON03",
            )
        if chunk_id != b"data" and size > MAX_SMALL_CHUNK_BYTES:
            raise TooLarge(
                f"chunk {_name(chunk_id)} is too large",
                where=where,
                found=f"{size} bytes",
                expected=f"at most {MAX_SMALL_CHUNK_BYTES} bytes",
            )
        chunks.append(RiffChunk(chunk_id, offset, size))
        offset = chunks[-1].end
    return tuple(chunks)


def _two_sizes(what: str, offset: int, found: int, expected: int) -> Damaged:
    return Damaged(
        f"{what} is stated twice with different values, and players disagree on which to use",
        where=f"offset {offset}",
        found=f"{found} bytes",
        expected=f"0xffffffff, or {expected} bytes as ds64 has it",
        rule="CON08",
    )


def _require_own(source: Source, chunk_id: bytes, offset: int, size: int, *, is_64_bit: bool) -> None:
    """Raise for a chunk that makes a player look elsewhere for the sound, or take it for another kind."""
    other = _FOREIGN_CHUNKS.get(chunk_id)
    if chunk_id == b"LIST" and source.size >= offset + 8 + size:
        listed = source.read_at(offset + 8, min(size, MAX_SMALL_CHUNK_BYTES))
        other = "sound in pieces (wavl)" if listed[:4] == b"wavl" else other
        other = "a chunk data within a list" if _opens_data(listed) else other
    if chunk_id == b"ds64" and not (is_64_bit and offset == 12):
        other = "64-bit sizes outside RF64 and BW64"
    if chunk_id == b"acid" and size < _ACID_BYTES:
        other = f"a loop's facts in {size} bytes of {_ACID_BYTES}"
    if other is not None:
        raise Damaged(
            f"chunk {_name(chunk_id)} makes players choose a different decoder",
            where=f"offset {offset}",
            found=other,
            expected="one data chunk in the format of fmt",
        )
    _require_place_kept(source, chunk_id, offset, size)


def _require_place_kept(source: Source, chunk_id: bytes, offset: int, size: int) -> None:
    """Raise for a chunk behind which some player reads on at another place, and may find other sound there."""
    if not all(0x20 <= letter <= 0x7E for letter in chunk_id):  # SoX ends an id at a NUL or a new line
        found, expected = chunk_id.hex(), "an id of four printable ASCII characters"
    elif chunk_id in _EVEN and size & 1:
        found, expected = f"{size} bytes", "an even length"
    elif chunk_id == b"fact" and size < _FACT_BYTES:
        found, expected = f"{size} bytes", f"at least {_FACT_BYTES} bytes"
    elif chunk_id == b"cue " and size < _CUE_BYTES + _POINT_BYTES * (points := _points(source, offset)):
        found, expected = f"{size} bytes", f"{_CUE_BYTES + _POINT_BYTES * points} bytes for {points} points"
    else:
        return
    raise Damaged(
        f"players lose their place behind chunk {_name(chunk_id)}",
        where=f"offset {offset}",
        found=found,
        expected=expected,
    )


def _require_end_kept(source: Source, data: RiffChunk) -> None:
    """Raise where FFmpeg plays on behind a data chunk of odd length.

    It looks for a further chunk `data` from the pad byte on, and so reads names and sizes of its own.
    """
    at, steps = data.body + data.size, 0
    while data.size & 1 and at + 8 <= source.size:
        chunk_id, size = struct.unpack("<4sI", source.read_at(at, 8))
        if chunk_id == b"data":
            raise Damaged(
                "players lose their place behind chunk data",
                where=f"offset {data.end - 1}",
                found=f"{data.size} bytes, and more audio at offset {at} for a player that does not skip the pad byte",
                expected="an even length, or no such chunk behind it",
            )
        if steps == _MISREAD_CHUNKS:
            raise TooLarge("too many chunks behind chunk data", where=f"offset {at}", expected=f"at most {steps}")
        at, steps = at + 8 + size + (size & 1), steps + 1


def _points(source: Source, offset: int) -> int:
    """Return how many points the chunk `cue ` at an offset counts."""
    return int.from_bytes(source.read_at(offset + 8, min(_CUE_BYTES, source.size - offset - 8)), "little")


def _opens_data(listed: bytes) -> bool:
    """Tell whether a reader may come upon `data` in the body of a LIST chunk: libsndfile then plays from there on.

    It goes from item to item by ways of its own. Of a list that holds the word, only one whose items are known, large
    enough and end where the list does is read alike by everybody.
    """
    if b"data" not in listed:
        return False
    least = _LISTED.get(listed[:4], {})
    at = 4
    while at + 8 <= len(listed) and least:
        name, size = struct.unpack_from("<4sI", listed, at)
        if size < least.get(name, least.get(name[:1] + b"...", _MAX_RIFF_BYTES)):
            return True
        at += 8 + size + (size & 1)
    return at != len(listed) + (len(listed) & 1)


def _assemble(source: Source, form: bytes, chunks: tuple[RiffChunk, ...], ds64_frames: int | None) -> Riff:
    found: dict[bytes, RiffChunk] = {}
    for chunk in chunks:
        if chunk.id in found and chunk.id in {b"fmt ", b"data", b"ds64", CAPSULE_ID}:
            rule = "CON04" if chunk.id == CAPSULE_ID else "CON02"
            raise Damaged(f"two {_name(chunk.id)} chunks", where=f"offset {chunk.offset}", expected="one", rule=rule)
        found.setdefault(chunk.id, chunk)
    for needed in (b"fmt ", b"data"):
        if needed not in found:
            raise Damaged(f"no {_name(needed)} chunk", where="offset 12", expected=f"one {_name(needed)} chunk")
    data = found[b"data"]
    if found[b"fmt "].offset > data.offset:
        raise Damaged("the data chunk is before the fmt chunk", where=f"offset {data.offset}", expected="fmt first")
    wave = _format(source.read_at(found[b"fmt "].body, min(found[b"fmt "].size, 40)), found[b"fmt "].body)
    if data.size == 0:
        raise Damaged(
            _NO_SAMPLES,
            where=f"offset {data.offset + 4}",
            found="a data size of zero",
            expected="at least one frame",
            rule="CON05",
        )
    if data.size % wave.frame_bytes:
        raise Damaged(
            "the data is not a whole number of frames",
            where=f"offset {data.offset + 4}",
            found=f"{data.size} bytes",
            expected=f"a multiple of {wave.frame_bytes}",
        )
    _require_end_kept(source, data)
    # Encoders write 0 where they do not count; a count that is there must be right.
    if ds64_frames and ds64_frames != data.size // wave.frame_bytes:
        raise Damaged(
            "ds64 states a different number of samples",
            where="offset 36",
            found=ds64_frames,
            expected=data.size // wave.frame_bytes,
            rule="CON08",
        )
    capsule = found.get(CAPSULE_ID)
    pointer = next(
        (
            chunk
            for chunk in chunks
            if capsule is not None and chunk.end == capsule.offset and _is_pointer(source, chunk)
        ),
        None,
    )
    behind = chunks[chunks.index(capsule) + 1 :] if capsule is not None else ()
    wrapper = behind[0] if len(behind) == 1 and behind[0].id == CREDENTIAL_ID else None
    return Riff(
        form=form,
        size=source.size,
        chunks=chunks,
        format=wave,
        data=data,
        pointer=pointer,
        capsule=capsule,
        wrapper=wrapper,
    )


def _ds64(source: Source) -> tuple[int, int, int]:
    """Return RIFF size, data size and sample count of RF64 or BW64 (EBU Tech 3306, section 4; ITU-R BS.2088)."""
    if source.size < 48:
        raise Damaged("RF64 or BW64 without room for ds64", where="offset 12", rule="CON08")
    chunk_id, size, riff_bytes, data_bytes, frames, table = struct.unpack("<4sIQQQI", source.read_at(12, 36))
    if chunk_id != b"ds64" or size < 28:
        raise Damaged(
            "RF64 or BW64 does not begin with ds64",
            where="offset 12",
            found=_name(chunk_id),
            expected="ds64",
            rule="CON08",
        )
    if table:
        raise Damaged(
            "ds64 sizes of other chunks are not read",
            where="offset 44",
            found=f"{table} entries",
            expected="0",
            rule="CON08",
        )
    return riff_bytes, data_bytes, frames


def _format(body: bytes, offset: int) -> WaveFormat:
    if len(body) < 16:
        raise Damaged(
            "fmt is too short",
            where=f"offset {offset}",
            found=f"{len(body)} bytes",
            expected="16, 18 or 40 bytes",
        )
    tag, channels, rate, byte_rate, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE:
        tag = _extended_tag(body, offset, channels, bits)
    elif (tag, bits) == (_PCM, 32) and body[16:20] == _FLOAT_16_LE:
        raise Damaged(
            "players read PCM of 32 bits with this extension as a float of 16.16 bits",
            where=f"offset {offset + 16}",
            found=body[16:20].hex(),
            expected="no extension",
        )
    subtype = _SUBTYPES.get((tag, bits))
    if subtype is None:
        raise Damaged(
            "a sample format that is not read",
            where=f"offset {offset}",
            found=_CODECS.get(tag, f"tag {tag:#x}") + (f" of {bits} bits" if bits else ""),
            expected="PCM of 8, 16, 24 or 32 bits, float of 32 or 64 bits, A-law or mu-law",
        )
    if not channels or not rate or align != channels * bits // 8 or byte_rate != rate * align:
        raise Damaged(
            "the fmt chunk contradicts itself",
            where=f"offset {offset}",
            found=f"{channels} channel{'s' * (channels != 1)}, {rate} Hz, {align} bytes a frame, {byte_rate} bytes/s",
            expected=f"{channels * bits // 8} bytes a frame, {rate * channels * bits // 8} bytes/s"
            if channels and rate
            else "at least one channel, and a rate",
        )
    return WaveFormat(subtype=subtype, sample_rate_hz=rate, channels=channels, bit_depth=bits)


def _extended_tag(body: bytes, offset: int, channels: int, bits: int) -> int:
    """Return the format tag in the sub-format of WAVE_FORMAT_EXTENSIBLE, which must not contradict the rest."""
    if len(body) < 40 or struct.unpack_from("<H", body, 16)[0] < 22 or body[26:40] != _GUID_TAIL:
        raise Damaged(
            "fmt names a sub-format that is not read",
            where=f"offset {offset + 24}",
            found=body[24:40].hex() or "no extension",
            expected="PCM, IEEE float, A-law or mu-law, in an extension of 22 bytes",
        )
    valid, speakers, tag = struct.unpack_from("<HIH", body, 18)
    # FFmpeg reads samples of as many bytes as the valid bits fill, and 24 in 32 as a float of its own.
    fewest = bits - 7 if tag == _PCM else bits
    if valid and not fewest <= valid <= bits:
        raise Damaged(
            "players read samples of as many bytes as fmt has valid bits",
            where=f"offset {offset + 18}",
            found=f"{valid} valid bits in samples of {bits}",
            expected=f"0, or {fewest} to {bits}" if fewest < bits else f"0 or {bits}",
        )
    require_speakers(speakers, channels, "fmt", offset + 20)
    return int(tag)


def require_speakers(mask: int, channels: int, named_by: str, offset: int) -> None:
    """Raise Damaged for a mask of speakers by which some player leaves a channel out."""
    left_out = mask > _MIXED or (channels < 3 and mask & _LOW_FREQUENCY)
    if mask and (left_out or mask.bit_count() != channels):
        what, wanted = f"the speakers that {named_by} names", f"0, or {channels} speakers that every player has"
        raise damaged_at(f"{what} are not its channels", offset, f"mask {mask:#x}", wanted)


def header(wave: WaveFormat, data_bytes: int) -> bytes:
    """Return all bytes before the PCM of a file that we write ourselves: plain RIFF while it fits, RF64 above.

    A JUNK chunk of ds64's size comes first, so that the header's length is the same either way.
    """
    tag = _TAGS[wave.subtype]
    rate, align = wave.sample_rate_hz, wave.frame_bytes
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, wave.channels, rate, rate * align, align, wave.bit_depth)
    riff_bytes = 4 + len(_JUNK) + len(fmt) + 8 + data_bytes + (data_bytes & 1)
    # Room is left for a capsule: a file that only just fits could not take one.
    if riff_bytes + MAX_SMALL_CHUNK_BYTES > _MAX_RIFF_BYTES:
        ds64 = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, data_bytes, data_bytes // align, 0)
        return (
            struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + ds64 + fmt + struct.pack("<4sI", b"data", 0xFFFFFFFF)
        )
    return struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE") + _JUNK + fmt + struct.pack("<4sI", b"data", data_bytes)


def pointer_chunk(artifact_id: str) -> bytes:
    """Return the LIST/INFO/ICMT chunk that still names the descriptor when a converter dropped the capsule."""
    text = POINTER_PREFIX + artifact_id.encode("ascii") + b"\0"
    comment = b"INFO" + struct.pack("<4sI", b"ICMT", len(text)) + text + b"\0" * (len(text) & 1)
    return struct.pack("<4sI", b"LIST", len(comment)) + comment


def embed(source: Source, riff: Riff, artifact_id: str, capsule: bytes) -> list[Piece]:
    """Return the pieces of the artifact made of the bare file `source` and a capsule.

    Raises Damaged when `source` carries a capsule already, TooLarge when plain RIFF cannot hold the sum.
    """
    if riff.capsule is not None:
        raise Damaged(
            "the file carries a capsule already",
            where=f"offset {riff.capsule.offset}",
            expected="a bare file",
            rule="CON04",
        )
    tail = (
        pointer_chunk(artifact_id)
        + struct.pack("<4sI", CAPSULE_ID, len(capsule))
        + capsule
        + b"\0" * (len(capsule) & 1)
    )
    return [*_with_size(source, riff.form, source.size + len(tail), [(12, source.size)]), tail]


def bare(source: Source, riff: Riff) -> list[Piece]:
    """Return the pieces of `source` without pointer, capsule and wrapper: the bytes that the encoder delivered."""
    ours = [chunk for chunk in (riff.pointer, riff.capsule, riff.wrapper) if chunk is not None]
    spans, offset = [], 12
    for chunk in ours:
        spans.append((offset, chunk.offset))
        offset = chunk.end
    spans.append((offset, source.size))
    total = source.size - sum(chunk.end - chunk.offset for chunk in ours)
    return _with_size(source, riff.form, total, [span for span in spans if span[0] < span[1]])


def _with_size(source: Source, form: bytes, total: int, spans: list[tuple[int, int]]) -> list[Piece]:
    """Return `spans` of `source` behind a header that declares `total` bytes."""
    is_64_bit, declared = form in _64_BIT_FORMS, total - 8
    if is_64_bit and source.read_at(4, 4) == b"\xff\xff\xff\xff":
        declared = 0xFFFFFFFF
    if declared <= _MAX_RIFF_BYTES and is_64_bit:
        head = struct.pack("<4sI4s", form, declared, b"WAVE") + source.read_at(12, 8) + struct.pack("<Q", total - 8)
    elif total - 8 > _MAX_RIFF_BYTES:
        raise TooLarge(
            "the artifact would pass 4 GiB; write RF64",
            found=f"{total} bytes",
            expected=f"at most {_MAX_RIFF_BYTES + 8} bytes",
        )
    else:
        head = struct.pack("<4sI4s", b"RIFF", total - 8, b"WAVE")
    # The header reaches into the first span by what it holds beyond the twelve bytes: ds64's RIFF size in RF64.
    (first, end), *rest = spans
    spans = [(first + len(head) - 12, end), *rest]
    return [head, *(Span(source, start, stop - start) for start, stop in spans)]


def carries_capsule(source: Source) -> bool:
    """Return whether a capsule is in a WAV that can be walked."""
    try:
        return walk(source).capsule is not None
    except TtsArtifactError as error:
        return error.rule == "CON04"


def capsule(source: Source, riff: Riff) -> capsules.Capsule:
    """Return the capsule of a walked artifact; raises NotAnArtifact when it carries none."""
    if riff.capsule is None:
        raise NotAnArtifact(
            "a WAV without a capsule",
            where=f"offset {source.size}",
            expected=f"a ttsa chunk; {capsules.ADVICE}",
            rule="CON04",
        )
    return capsules.parse(source, riff.capsule.body, riff.capsule.size)


def misframed(source: Source, riff: Riff, artifact_id: str) -> list[capsules.Misframing]:
    """Return where pointer and capsule are not the last two chunks, or not as `embed` writes them."""
    assert riff.capsule is not None  # the reader knows no WAV artifact without one
    found = []
    if riff.capsule is not riff.chunks[-1]:
        behind = riff.chunks[riff.chunks.index(riff.capsule) + 1]
        what = f"chunk {behind.id.decode('ascii', 'backslashreplace')}"
        why = "a chunk follows the capsule"
        if riff.wrapper is not None:
            why = "a C2PA credential was added after the capsule"
        found.append(capsules.Misframing(behind.offset, what, "the end of the file", why))
    if riff.pointer is None:
        wanted = "a LIST chunk with the comment `ttsartifact:1.0 id=...` before the capsule"
        return [*found, capsules.Misframing(riff.capsule.offset, None, wanted, "no pointer before the capsule")]
    held = source.read_at(riff.pointer.offset, riff.pointer.end - riff.pointer.offset)
    written = pointer_chunk(artifact_id)
    # Which run the pointer names is asked by HSH05.
    held, written = _without_digits(held), _without_digits(written)
    if held != written:
        place = next(place for place, (a, b) in enumerate(zip(held, written, strict=True)) if a != b)
        what, wanted = f"{held[place]:#04x}", f"{written[place]:#04x}"
        found.append(capsules.Misframing(riff.pointer.offset, what, wanted, "the pointer is not framed as specified"))
    return found


def settled(riff: Riff, _bare_bytes: int | None) -> Riff:
    """Return the walk as it is: what stands behind the capsule shows without the size of the bare file."""
    return riff


def _without_digits(pointer: bytes) -> bytes:
    start, stop, _ = _POINTER_DIGITS.indices(len(pointer))
    return pointer[:start] + pointer[stop:]


@cache
def _pointer_bytes() -> int:
    return len(pointer_chunk("sha256:" + "0" * 64))


def _is_pointer(source: Source, chunk: RiffChunk) -> bool:
    return (
        chunk.id == b"LIST"
        and chunk.size == _pointer_bytes() - 8
        and source.read_at(chunk.body + 12, len(POINTER_PREFIX)) == POINTER_PREFIX
    )


def _name(chunk_id: bytes) -> str:
    return (
        chunk_id.decode("ascii").rstrip(" ") or "of four spaces"
        if chunk_id.isascii() and chunk_id.decode("ascii").isprintable()
        else chunk_id.hex()
    )
