"""The walk over FLAC, and the capsule put in and taken out."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import encoded
import pytest
import refusals
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container import capsule, flac, limits
from ttsartifact.container.bare import flac_length
from ttsartifact.container.source import BytesSource, Piece, blocks_of
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError

if TYPE_CHECKING:
    from pathlib import Path

FOOTLESS = encoded.id3(encoded.TITLE)
HELD = capsule.build({"descriptor": b"{}", "trace/chunks": b"[]"}, "sha256:" + "ab" * 32)
PLAIN = encoded.flac()
ONLY_STREAMINFO = encoded.bare_flac()


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(bytes(block) for block in blocks_of(pieces, 7))


def embedded(bare: bytes, held: bytes = HELD) -> bytes:
    source = BytesSource(bare)
    return joined(flac.embed(source, flac.walk(source), "", held))


def stripped(whole: bytes) -> bytes:
    source = BytesSource(whole)
    return joined(flac.bare(source, flac.walk(source)))


def reordered(whole: bytes, order: list[int]) -> bytes:
    blocks, frames = encoded.blocks_of(whole)
    return encoded.flac_of([blocks[place] for place in order], frames)


repeated = st.tuples(
    st.sampled_from([encoded.PADDING, encoded.APPLICATION, encoded.CUESHEET, encoded.PICTURE, 7, 126]),
    st.binary(max_size=40).filter(lambda body: body[:4] not in {b"ttsa", b"riff"}),
)
once = st.lists(
    st.sampled_from([encoded.SEEKPOINTS, encoded.comment("A=b")]), unique_by=lambda block: block[0], max_size=2
)


@pytest.mark.property
@given(st.lists(repeated, max_size=5), once, st.randoms(), st.integers(1, 500))
def test_strip_undoes_embed(many: list, single: list, random, size: int) -> None:
    """3.6: strip(embed(x)) == x, byte for byte, whatever blocks stand around the capsule, or none."""
    blocks = [*many, *single]
    random.shuffle(blocks)
    bare = encoded.bare_flac(*blocks)
    held = bytes(random.randrange(256) for _ in range(size))
    whole = embedded(bare, held)
    assert stripped(whole) == bare
    walked = flac.walk(BytesSource(whole))
    assert [block.offset for block in walked.ours] == [42]
    assert whole[walked.ours[0].body + 8 : walked.ours[0].end] == held
    assert flac.misframed(BytesSource(whole), walked, "") == []


@pytest.mark.parametrize(
    "bare",
    [
        PLAIN,
        ONLY_STREAMINFO,
        encoded.flac(5_000, "PCM_24", 2),
        encoded.flac(20_000),
        encoded.bare_flac((encoded.PADDING, bytes(100)), encoded.comment("A=b"), encoded.picture(), encoded.SEEKPOINTS),
    ],
    ids=["libsndfile", "streaminfo-is-last", "24-bit-stereo", "several-frames", "all-blocks"],
)
def test_a_bare_file_comes_out_as_it_went_in(bare: bytes) -> None:
    """3.9: only the last-block flag ever changes, and changes back."""
    whole = embedded(bare)
    assert whole != bare
    assert stripped(whole) == bare
    source = BytesSource(whole)
    assert flac.capsule(source, flac.walk(source)).raw == HELD


@pytest.mark.parametrize(
    "command",
    [
        ["flac", "-s", "-o"],
        ["flac", "-s", "-8", "--no-padding", "--no-seektable", "-o"],
        ["ffmpeg", "-loglevel", "error", "-i"],
    ],
)
def test_other_encoders(tmp_path: Path, command: list[str]) -> None:
    """3.9: what flac and ffmpeg write ends with its last frame too; a FLAC from a pipe does not know its length."""
    import kit

    (tmp_path / "in.wav").write_bytes(kit.wav(kit.tone(9_001)))
    out, audio = str(tmp_path / "out.flac"), str(tmp_path / "in.wav")
    subprocess.run([*command, out, audio] if command[0] == "flac" else [*command, audio, out], check=True)
    bare = (tmp_path / "out.flac").read_bytes()
    assert stripped(embedded(bare)) == bare
    piped = subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", audio, "-f", "flac", "-"], check=True, capture_output=True
    ).stdout
    assert flac_length(BytesSource(piped)) == (kit.RATE_HZ, 9_001)
    assert stripped(embedded(piped)) == piped


def test_a_long_capsule_takes_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.9: full blocks and what is left, numbered; a capsule over the seams is read as one."""
    monkeypatch.setattr(flac, "MAX_CAPSULE_BLOCK_BYTES", 48)
    monkeypatch.setattr(flac, "_ROOM", 40)
    for bare in (PLAIN, ONLY_STREAMINFO):
        whole = embedded(bare)
        walked = flac.walk(BytesSource(whole))
        assert {block.size for block in walked.ours[:-1]} == {48}
        assert len(walked.ours) > 2
        assert stripped(whole) == bare
        assert flac.capsule(BytesSource(whole), walked).part("trace/chunks") == b"[]"
        last = len(encoded.blocks_of(whole)[0])
        for order in ([0, 2, 1, *range(3, last)], [0, *range(2, last)], [0, 1, 1, *range(2, last)]):
            with refusals.raises(Damaged, match="incomplete or out of order") as caught:
                flac.walk(BytesSource(reordered(whole, order)))
            assert caught.value.rule == "CON09"


def test_the_largest_block_is_written_and_read() -> None:
    """3.9: 8 MiB and no more in a block; every byte comes back."""
    held = bytes(range(256)) * (4 * 8192 + 1)
    whole = embedded(ONLY_STREAMINFO, held)
    walked = flac.walk(BytesSource(whole))
    assert [block.size for block in walked.ours] == [limits.MAX_CAPSULE_BLOCK_BYTES, len(held) + 16 - (8 << 20)]
    assert joined([whole[b.body + 8 : b.end] for b in walked.ours]) == held
    assert stripped(whole) == ONLY_STREAMINFO


def test_a_capsule_in_another_place_is_still_taken_out() -> None:
    """3.9: a reader accepts blocks that stand elsewhere, also as the last one, and CON07 has its place."""
    bare = encoded.bare_flac(encoded.comment("A=b"))
    moved = reordered(embedded(bare), [0, 2, 1])
    walked = flac.walk(BytesSource(moved))
    assert stripped(moved) == bare
    (found,) = flac.misframed(BytesSource(moved), walked, "")
    assert found.offset == walked.ours[0].offset


MASK = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"
NOT_ITS_CHANNELS = "the speakers that a comment names are not its channels: found mask "


@pytest.mark.parametrize(
    ("channels", "words", "refused"),
    [
        (1, ["TITLE=a", f"{MASK}=0x4"], None),
        (2, [f"{MASK}=0x0"], None),
        (2, [f"{MASK}=0x0003"], None),
        (6, [f"{MASK}=0x3F"], None),
        (6, [f"{MASK}=0x60F"], None),
        (8, [f"{MASK}=0x63F"], None),
        (1, [f"{MASK}=0x3"], NOT_ITS_CHANNELS + "0x3, expected 0, or 1 speakers that every player has (at offset 63)"),
        (2, ["TITLE=a", f"{MASK}=0xC"], NOT_ITS_CHANNELS + "0xc, "),
        (2, [f"{MASK.lower()}=0X804"], NOT_ITS_CHANNELS + "0x804, "),
        (2, [f"{MASK}=0x3", f"{MASK}=0x5000"], NOT_ITS_CHANNELS + "0x5000, "),
        (2, [f"{MASK}=12"], "a mask of speakers is not a number: found 12, expected 0x... (at offset 63)"),
        (2, [f"{MASK}=0x3;0xC"], "a mask of speakers is not a number: found 0x3;0xC, "),
    ],
)
def test_speakers_that_a_comment_names_are_those_of_a_wav(channels: int, words: list[str], refused: str | None) -> None:
    """3.1: FFmpeg and flac take such a comment for the mask of a WAV, and leave out what it leads astray."""
    (info, *_), audio = encoded.blocks_of(encoded.flac(channels=channels))
    source = BytesSource(encoded.flac_of([info, encoded.comment(*words)], audio))
    with nullcontext() if refused is None else pytest.raises(Damaged) as caught:
        flac.require_whole_blocks(source, flac.walk(source).blocks)
    assert refused is None or str(caught.value).startswith(refused)


def block(kind: int, size: int) -> bytes:
    return bytes([kind]) + size.to_bytes(3)


BROKEN = {
    "empty": (b"", "CON01"),
    "no streaminfo": (b"fLaC" + block(4, 34) + bytes(50), "CON01"),
    "a footer that is a FLAC": (FOOTLESS[:5] + b"\x10" + FOOTLESS[6:] + b"fLaC\x81\0\0\0\0\0" + PLAIN, "CON01"),
    "two ID3 tags first": (encoded.id3(encoded.TITLE) * 2 + PLAIN, "CON02"),
    "block past the end": (PLAIN[:42] + block(1, 1 << 23) + PLAIN[42:], "CON02"),
    "cut header": (ONLY_STREAMINFO[:4] + b"\0" + ONLY_STREAMINFO[5:42] + b"\x81", "CON02"),
    "type 127": (PLAIN[:42] + block(127, 0) + PLAIN[42:], "CON02"),
    "two streaminfo": (encoded.bare_flac((0, ONLY_STREAMINFO[8:42])), "CON02"),
    "two comments": (encoded.bare_flac(encoded.comment(), encoded.comment()), "CON02"),
    "no frames": (ONLY_STREAMINFO[:42], "CON02"),
    "no frame behind": (ONLY_STREAMINFO[:42] + b"RIFF" + ONLY_STREAMINFO[42:], "CON02"),
    "cut": (PLAIN[:-1], "CON02"),
    "trailing byte": (PLAIN + b"\0", "CON02"),
    "two trailing ID3v1": (PLAIN + encoded.ID3V1 * 2, "CON02"),
    "a last frame lost": (encoded.flac(20_000)[: encoded.flac(20_000).rfind(b"\xff\xf8")], "CON02"),
    "too many blocks": (encoded.bare_flac(*[(1, b"")] * 128), "CON15"),
    "empty capsule block": (encoded.bare_flac((2, b"ttsa\0\1\0\1")), "CON09"),
    "capsule block without number": (encoded.bare_flac((2, b"ttsa")), "CON09"),
    "block 2 of 2 alone": (encoded.bare_flac((2, b"ttsa\0\2\0\2x")), "CON09"),
    "block 1 of 2 alone": (encoded.bare_flac((2, b"ttsa\0\1\0\2x")), "CON09"),
    "block 0": (encoded.bare_flac((2, b"ttsa\0\0\0\1x")), "CON09"),
    "over 8 MiB": (encoded.bare_flac((2, b"ttsa\0\1\0\1" + bytes(8 << 20))), "CON09"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_structural_fault_names_its_rule_and_place(name: str) -> None:
    """A fault is one error with a rule, an offset and what was found."""
    data, rule = BROKEN[name]
    with refusals.raises(Damaged, NotAnArtifact, TooLarge) as caught:
        flac.walk(BytesSource(data))
    assert caught.value.rule == rule
    assert caught.value.where.startswith("offset")


def test_a_hostile_end_costs_little() -> None:
    """3.8: a megabyte of what looks like frames is looked at a bounded number of times."""
    data = ONLY_STREAMINFO[:42] + ONLY_STREAMINFO[42:58] * (1 << 16)
    forged = data[:15] + bytes(3) + data[18:]  # the largest frame is not known
    with refusals.raises(Damaged, match="the last frame does not end"):
        flac.walk(BytesSource(forged))


def test_a_full_file_takes_no_capsule() -> None:
    """3.8: what we write we can read: no block is added beyond the limit, and no capsule to a capsule."""
    with refusals.raises(TooLarge, match="too many metadata blocks to add one"):
        embedded(encoded.bare_flac(*[(1, b"")] * 127))
    with refusals.raises(Damaged, match="carries a capsule already"):
        embedded(embedded(PLAIN))


@pytest.mark.property
@given(st.binary(max_size=120))
def test_any_bytes_are_walked_or_refused(data: bytes) -> None:
    """3.8: a walk over anything ends, with a walk or with an error of ours."""
    for candidate in (data, b"fLaC" + data, ONLY_STREAMINFO[:42] + data, embedded(PLAIN)[:60] + data):
        with suppress(TtsArtifactError):
            flac.walk(BytesSource(candidate))
        flac.carries_capsule(BytesSource(candidate))
