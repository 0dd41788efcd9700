"""The walk over RIFF, and the capsule put on and taken off."""

from __future__ import annotations

import struct
from contextlib import suppress

import kit
import pytest
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


foreign = st.builds(chunk, st.sampled_from([b"bext", b"iXML", b"JUNK", b"LIST", b"xyz "]), st.binary(max_size=40))
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
    assert riff.walk(BytesSource(short + bytes(1000))).frames == 500
    with pytest.raises(Damaged, match="shorter than its RIFF size"):
        riff.walk(BytesSource(long))


GOOD = file_of(FMT, chunk(b"data", kit.tone(10)))
BROKEN = {
    "empty": (b"", "CON01"),
    "other magic": (b"OggS" + bytes(40), "CON01"),
    "BW64": (file_of(FMT, form=b"BW64"), "CON01"),
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
    "mu-law": (file_of(chunk(b"fmt ", struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)), chunk(b"data", b"ab")), "CON02"),
    "byte rate lies": (
        file_of(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 8000, 2, 16)), chunk(b"data", b"ab")),
        "CON02",
    ),
    "too many chunks": (file_of(FMT, chunk(b"data", b"ab"), *[chunk(b"abcd", b"")] * 300), "CON15"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_structural_fault_names_its_rule_and_place(name: str) -> None:
    """A fault is one error with a rule, an offset and what was found."""
    data, rule = BROKEN[name]
    with pytest.raises((Damaged, NotAnArtifact, TooLarge)) as caught:
        riff.walk(BytesSource(data))
    assert caught.value.rule == rule
    assert caught.value.where.startswith("offset")


def test_messages_say_both_sides() -> None:
    """The message is part of the interface."""
    with pytest.raises(Damaged) as caught:
        riff.walk(BytesSource(GOOD + b"\0"))
    assert str(caught.value) == ("bytes after the end of the container: found 1 bytes, expected none (at offset 64)")
