"""The walk over RIFF, and the capsule put on and taken off."""

from __future__ import annotations

import struct
from contextlib import suppress

import kit
import pytest
import refusals
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource, Piece, blocks_of
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError

ARTIFACT_ID = "sha256:" + "ab" * 32


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(bytes(block) for block in blocks_of(pieces, 7))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))


def file_of(*chunks: bytes, size: int | None = None, form: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


foreign = st.builds(
    chunk,
    st.sampled_from([b"bext", b"iXML", b"JUNK", b"LIST", b"xyz "]),
    st.binary(max_size=40).filter(lambda body: b"data" not in body),
)
pcm = st.binary(min_size=2, max_size=200).map(lambda data: data[: len(data) // 2 * 2])


@pytest.mark.property
@given(st.lists(foreign, max_size=4), st.lists(foreign, max_size=4), pcm, st.binary(min_size=1, max_size=90))
def test_strip_undoes_embed(before: list[bytes], after: list[bytes], samples: bytes, capsule: bytes) -> None:
    """3.6: strip(embed(x)) == x, byte for byte, whatever chunks stand around the audio."""
    bare = file_of(*before, FMT, chunk(b"data", samples), *after)
    source = BytesSource(bare)
    whole = BytesSource(joined(riff.embed(source, riff.walk(source), ARTIFACT_ID, capsule)))
    walked = riff.walk(whole)
    assert joined(riff.bare(whole, walked)) == bare
    assert walked.capsule is not None
    assert whole.read_at(walked.capsule.body, walked.capsule.size) == capsule
    assert walked.capsule.end == whole.size


@pytest.mark.property
@given(st.binary(max_size=120))
def test_any_bytes_are_walked_or_refused(data: bytes) -> None:
    """3.8: a walk over anything ends, with a walk or with an error of ours."""
    for candidate in (data, file_of(data), file_of(FMT, data)):
        with suppress(TtsArtifactError):
            riff.walk(BytesSource(candidate))


def test_rf64_round_trip() -> None:
    """3.3: in RF64 only the sizes in ds64 change, and change back."""
    samples = kit.tone(20)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 4 + 36 + len(FMT) + 8 + len(samples), len(samples), 20, 0))
    bare = file_of(ds64, FMT, b"data" + struct.pack("<I", 0xFFFFFFFF) + samples, size=0xFFFFFFFF, form=b"RF64")
    source = BytesSource(bare)
    walked = riff.walk(source)
    assert (walked.frames, walked.format.sample_rate_hz) == (20, 16_000)
    whole = BytesSource(joined(riff.embed(source, walked, ARTIFACT_ID, b"odd")))
    assert joined(riff.bare(whole, riff.walk(whole))) == bare


def test_a_capsule_in_another_place_is_still_taken_off() -> None:
    """3.2: a reader accepts a capsule that is not the last chunk, and the PCM's place in the bare file follows."""
    pointer, capsule = riff.pointer_chunk(ARTIFACT_ID), chunk(b"ttsa", b"capsule")
    bare = file_of(FMT, chunk(b"data", kit.tone(10)))
    for moved in (
        file_of(pointer, capsule, FMT, chunk(b"data", kit.tone(10))),
        file_of(FMT, pointer, capsule, chunk(b"data", kit.tone(10))),
        file_of(FMT, capsule, chunk(b"data", kit.tone(10))),
    ):
        source = BytesSource(moved)
        walked = riff.walk(source)
        assert joined(riff.bare(source, walked)) == bare
        assert walked.bare_pcm == (44, 64)


def test_our_own_header_is_plain_riff_until_it_no_longer_fits() -> None:
    """3.3: plain RIFF while an artifact fits into 4 GiB, RF64 above, and one header length for both."""
    wave = riff.WaveFormat(subtype="pcm_s16", sample_rate_hz=24_000, channels=1, bit_depth=16)
    short, long = riff.header(wave, 1000), riff.header(wave, 5_000_000_000)
    assert (short[:4], long[:4]) == (b"RIFF", b"RF64")
    assert len(short) == len(long)
    # 72 bytes from the form's name to the samples, and 64 MiB for a capsule: 2**32 is one byte too many.
    fits = (1 << 32) - (64 << 20) - 72 - 2
    assert [riff.header(wave, size)[:4] for size in (fits, fits + 2)] == [b"RIFF", b"RF64"]
    assert riff.walk(BytesSource(short + bytes(1000))).frames == 500
    with refusals.raises(Damaged, match="shorter than its RIFF size"):
        riff.walk(BytesSource(long))


def sixty_four(form: bytes, *, data: int = 8, small: int = 0xFFFFFFFF, riff: int = 0xFFFFFFFF) -> bytes:
    """Return a file of 64-bit sizes with `data` bytes of PCM, and other numbers in the fields of 32 bits."""
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 4 + 36 + 24 + 8 + 8, data, 0, 0)
    body = ds64 + FMT + struct.pack("<4sI", b"data", small) + bytes(8)
    return form + struct.pack("<I", riff) + b"WAVE" + body


def extensible(*, tag: int = 1, size: int = 22, valid: int = 16, speakers: int = 4) -> bytes:
    """Return a fmt chunk of one 16-bit channel in its extended form."""
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 16000, 2, 16, size, valid, speakers)
    return chunk(b"fmt ", head + struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71"))


BYTES = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8))
# Read from a pad byte before it, this is a chunk of 101 + 256 x 4 bytes, then one of audio.
HIDING = chunk(b"note", bytes(4)) + chunk(b"JUNK", bytes(1_113) + chunk(b"data", bytes(400)))
GOOD = file_of(FMT, chunk(b"data", kit.tone(10)))
BROKEN = {
    "empty": (b"", "CON01"),
    "other magic": (b"OggS" + bytes(40), "CON01"),
    "truncated": (GOOD[:-1], "CON02"),
    "trailing byte": (GOOD + b"\0", "CON06"),
    "no fmt": (file_of(chunk(b"data", b"ab")), "CON02"),
    "no data": (file_of(FMT), "CON02"),
    "two data": (file_of(FMT, chunk(b"data", b"ab"), chunk(b"data", b"ab")), "CON02"),
    "data before fmt": (file_of(chunk(b"data", b"ab"), FMT), "CON02"),
    "streaming size": (file_of(FMT, chunk(b"data", b"ab"), size=0xFFFFFFFF), "CON05"),
    "zero size": (file_of(FMT, chunk(b"data", b"ab"), size=0), "CON05"),
    "streaming data": (file_of(FMT, b"data\xff\xff\xff\xffab"), "CON05"),
    "empty data": (file_of(FMT, chunk(b"data", b"")), "CON05"),
    "half a frame": (file_of(FMT, chunk(b"data", b"abc")), "CON02"),
    "pad not zero": (file_of(FMT, b"abcd\x01\0\0\0xy", chunk(b"data", b"ab")), "CON03"),
    "pad missing at the end": (file_of(FMT, chunk(b"data", b"ab"), b"abcd\x01\0\0\0x"), "CON03"),
    "two capsules": (file_of(FMT, chunk(b"data", b"ab"), chunk(b"ttsa", b"x"), chunk(b"ttsa", b"x")), "CON04"),
    "RF64 without ds64": (file_of(FMT, chunk(b"data", b"ab"), bytes(20), size=0xFFFFFFFF, form=b"RF64"), "CON08"),
    "byte rate lies": (
        file_of(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 2, 16)), chunk(b"data", b"ab")),
        "CON02",
    ),
    "two sizes of RF64 data": (sixty_four(b"RF64", data=8, small=4), "CON08"),
    "two sizes of BW64 data": (sixty_four(b"BW64", data=8, small=4), "CON08"),
    "two sizes of RF64": (sixty_four(b"RF64", riff=60), "CON08"),
    "ds64 in a RIFF": (file_of(chunk(b"ds64", bytes(28)), FMT, chunk(b"data", b"ab")), "CON02"),
    "XMA2": (file_of(chunk(b"XMA2", bytes(44)), FMT, chunk(b"data", b"ab")), "CON02"),
    "SMV0": (file_of(FMT, chunk(b"SMV0", b"0200"), chunk(b"data", b"ab")), "CON02"),
    "INFO outside a list": (file_of(FMT, chunk(b"INFO", b"data\2\0\0\0ab"), chunk(b"data", b"ab")), "CON02"),
    "wavl": (file_of(FMT, chunk(b"LIST", b"wavl" + chunk(b"slnt", bytes(4))), chunk(b"data", b"ab")), "CON02"),
    **{
        f"data in a list: {name}": (file_of(FMT, chunk(b"LIST", listed), chunk(b"data", b"ab")), "CON02")
        for name, listed in {
            "INFO": b"INFOdata\xf0\xff\xff\xff",
            "INFO, behind an item": b"INFO" + chunk(b"ISFT", b"x") + b"data\xf0\xff\xff\xff",
            "INFO of another item": b"INFO" + chunk(b"note", b"data"),
            "adtl": b"adtldata\xf0\xff\xff\xff",
            "adtl, behind a short label": b"adtl" + chunk(b"labl", b"") + chunk(b"labl", b"\1\0\0\0data"),
            "exif": b"exif\0\0\0\0data\xf0\xff\xff\xff",
            "nothing known": b"movi" + chunk(b"data", b"ab"),
            "its own kind": b"data\xff\xff\xff\x7f",
            "INFO that ends within an item": b"INFOICMT\x08\0\0\0data",
        }.items()
    },
    "ADPCM": (
        file_of(chunk(b"fmt ", struct.pack("<HHIIHH", 17, 1, 8000, 4000, 4, 4)), chunk(b"data", b"abcd")),
        "CON02",
    ),
    "extension of another size": (file_of(extensible(size=0), chunk(b"data", b"ab")), "CON02"),
    "more valid bits than bits": (file_of(extensible(valid=20), chunk(b"data", b"ab")), "CON02"),
    "valid bits of another width": (file_of(extensible(valid=8), chunk(b"data", b"ab")), "CON02"),
    "a float of 16.16 bits": (
        file_of(chunk(b"fmt ", struct.pack("<HHIIHHHH", 1, 1, 8000, 32_000, 4, 32, 2, 1)), chunk(b"data", bytes(8))),
        "CON02",
    ),
    **{
        f"{name.decode().strip()} of {len(body)} bytes": (
            file_of(FMT, chunk(name, body), chunk(b"data", b"ab")),
            "CON02",
        )
        for name, body in (
            (b"fact", b"xx"),
            (b"smpl", bytes(37)),
            (b"acid", bytes(25)),
            (b"cue ", (2).to_bytes(4, "little") + bytes(24)),
            (b"cue ", b"\1"),
        )
    },
    "an odd fmt": (file_of(chunk(b"fmt ", FMT[8:] + b"\0"), chunk(b"data", b"ab")), "CON02"),
    "an id with a NUL": (file_of(FMT, chunk(b"\0\x40\0\0", bytes(64)), chunk(b"data", b"ab")), "CON02"),
    "an id with a new line": (file_of(FMT, chunk(b"abc\n", bytes(64)), chunk(b"data", b"ab")), "CON02"),
    "a short acid": (file_of(FMT, chunk(b"acid", bytes(10)), chunk(b"data", b"ab")), "CON02"),
    "two speakers for one channel": (file_of(extensible(speakers=3), chunk(b"data", b"ab")), "CON02"),
    "a subwoofer alone": (file_of(extensible(speakers=8), chunk(b"data", b"ab")), "CON02"),
    **{
        f"a speaker of bit {bit}": (file_of(extensible(speakers=1 << bit), chunk(b"data", b"ab")), "CON02")
        for bit in (11, 14, 18, 31)
    },
    "more audio behind an odd data": (file_of(BYTES, chunk(b"data", b"abc"), HIDING), "CON02"),
    "many zeros behind an odd data": (
        file_of(BYTES, chunk(b"data", b"abc"), chunk(b"note", bytes(4)), chunk(b"JUNK", bytes(40_000))),
        "CON15",
    ),
    "A-law of 16 bits": (file_of(extensible(tag=6), chunk(b"data", b"ab")), "CON02"),
    "too many chunks": (file_of(FMT, chunk(b"data", b"ab"), *[chunk(b"abcd", b"")] * 300), "CON15"),
}


def test_chunks_that_every_player_passes_over_are_accepted() -> None:
    """3.2: a fact, cue and smpl of the right size, and a cue with room behind its points, lead nobody astray."""
    point = (1).to_bytes(4, "little") + bytes(24)
    for name, body in ((b"fact", bytes(4)), (b"cue ", point), (b"cue ", point + bytes(24)), (b"smpl", bytes(36))):
        assert riff.walk(BytesSource(file_of(FMT, chunk(name, body), chunk(b"data", b"ab")))).frames == 1


def test_speakers_around_the_listener_are_accepted() -> None:
    """3.1: each one of the front, the back and the sides, which FFmpeg mixes for two speakers."""
    for bit in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10):
        assert riff.walk(BytesSource(file_of(extensible(speakers=1 << bit), chunk(b"data", b"ab")))).frames == 1


def test_words_in_a_list_are_words() -> None:
    """3.2: an item of a list that is read alike by everybody may say `data`."""
    for listed in (
        b"INFO" + chunk(b"ICMT", b"metadata") + chunk(b"ISFT", b"odd data"),
        b"adtl" + chunk(b"labl", b"\1\0\0\0data") + chunk(b"ltxt", bytes(20)),
        b"movi" + bytes(9),
    ):
        assert riff.walk(BytesSource(file_of(FMT, chunk(b"LIST", listed), chunk(b"data", b"ab")))).frames == 1


STREAM = b"\xff\xff\xff\xff"
LISTED = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Lavf60"))
HEADERS = {
    "a count of zero": (file_of(FMT, chunk(b"data", b"")), "CON05"),
    "a count of zero before a list": (file_of(FMT, chunk(b"data", b""), LISTED), "CON05"),
    "lengths of samples that never came": (file_of(FMT, b"data\xa0\x0f\0\0", size=36 + 4_000), "CON02"),
    "a length of samples that never came": (file_of(FMT, b"data\xa0\x0f\0\0"), "CON02"),
    "no lengths": (file_of(FMT, b"data" + STREAM, size=0xFFFFFFFF), "CON05"),
    "no lengths, behind a list": (file_of(FMT, LISTED, b"data" + STREAM, size=0xFFFFFFFF), "CON05"),
    "no length of the samples": (file_of(FMT, b"data" + STREAM), "CON05"),
    "a header that is cut": (file_of(FMT, size=4_036), "CON02"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_without_samples_is_called_that(name: str) -> None:
    """3.2: of an engine that wrote a header and then nothing, the first words are what is wrong."""
    data, rule = HEADERS[name]
    with refusals.raises(Damaged, match=r"^the WAV has no samples\b") as caught:
        riff.walk(BytesSource(data))
    assert caught.value.rule == rule


def test_one_sample_is_no_silence() -> None:
    """The same lengths in front of one sample are named as they were, and so is a file without any room for a head."""
    for silent, behind in ((name, b"ab") for name in HEADERS if name.startswith(("no ", "lengths", "a length"))):
        with pytest.raises(Damaged) as caught:
            riff.walk(BytesSource(HEADERS[silent][0] + behind))
        assert "no samples" not in str(caught.value)
    with pytest.raises(Damaged, match=r"^no fmt chunk"):
        riff.walk(BytesSource(file_of(chunk(b"data", b"ab"))))


@pytest.mark.parametrize("name", BROKEN)
def test_each_structural_fault_names_its_rule_and_place(name: str) -> None:
    """A fault is one error with a rule, an offset and what was found."""
    data, rule = BROKEN[name]
    with refusals.raises(Damaged, NotAnArtifact, TooLarge) as caught:
        riff.walk(BytesSource(data))
    assert caught.value.rule == rule
    assert riff.carries_capsule(BytesSource(data)) is (name == "two capsules")
    assert caught.value.where.startswith("offset")


def test_messages_say_both_sides() -> None:
    """The message is part of the interface."""
    with refusals.raises(Damaged) as caught:
        riff.walk(BytesSource(GOOD + b"\0"))
    assert str(caught.value) == ("bytes after the end of the container: found 1 bytes, expected none (at offset 64)")


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
@pytest.mark.parametrize(("small", "riff_bytes"), [(0xFFFFFFFF, 0xFFFFFFFF), (8, 0xFFFFFFFF), (8, 80)])
def test_64_bit_sizes_may_be_true_twice(form: bytes, small: int, riff_bytes: int) -> None:
    """3.3: the fields of 32 bits hold a marker or the same numbers, and stripping gives either back."""
    data = sixty_four(form, small=small, riff=riff_bytes)
    bare = BytesSource(data)
    walked = riff.walk(bare)
    assert walked.frames == 4
    whole = BytesSource(joined(riff.embed(bare, walked, ARTIFACT_ID, b"capsule")))
    assert joined(riff.bare(whole, riff.walk(whole))) == data


FORMATS = {
    "pcm_u8": (1, 8),
    "pcm_s32": (1, 32),
    "pcm_f32": (3, 32),
    "pcm_f64": (3, 64),
    "alaw": (6, 8),
    "mulaw": (7, 8),
}


@pytest.mark.parametrize("subtype", FORMATS)
def test_common_sample_formats(subtype: str) -> None:
    """3.1: what telephones, numpy and old sound cards write is carried as it is stored."""
    tag, bits = FORMATS[subtype]
    fmt = chunk(b"fmt ", struct.pack("<HHIIHH", tag, 1, 8000, 8000 * bits // 8, bits // 8, bits))
    walked = riff.walk(BytesSource(file_of(fmt, chunk(b"data", bytes(3 * bits // 8)))))
    assert (walked.format.subtype, walked.format.bit_depth, walked.frames) == (subtype, bits, 3)


def test_fewer_valid_bits_are_read() -> None:
    """3.1: 12 valid bits of 16 are played as 16, and digested as 16."""
    assert riff.walk(BytesSource(file_of(extensible(valid=12), chunk(b"data", b"ab")))).format.bit_depth == 16


def test_a_codec_is_called_by_its_name() -> None:
    """A format tag is nothing that anybody knows by heart."""
    with refusals.raises(Damaged) as caught:
        riff.walk(BytesSource(BROKEN["ADPCM"][0]))
    assert str(caught.value) == (
        "a sample format that is not read: found IMA ADPCM of 4 bits, expected PCM of 8, 16, 24 or 32 bits, "
        "float of 32 or 64 bits, A-law or mu-law (at offset 20)"
    )


def test_an_odd_data_is_accepted_where_no_player_finds_more() -> None:
    """3.2: what follows an odd chunk is only refused if a player that does not skip the pad byte comes upon audio."""
    for behind in (b"", chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"data")), chunk(b"JUNK", b"data" * 400)):
        assert riff.walk(BytesSource(file_of(BYTES, chunk(b"data", b"abc"), behind))).frames == 3
    even = file_of(BYTES, chunk(b"data", b"abcd"), HIDING)
    assert riff.walk(BytesSource(even)).frames == 4
