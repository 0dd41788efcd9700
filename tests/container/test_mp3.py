"""The walk over an MP3's tags, and the capsule put before them and taken off."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import encoded
import kit
import pytest
import refusals
from encoded import ID3V1, TITLE, ape, id3
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.container import bare, capsule, mp3
from ttsartifact.container.carrier import recognised
from ttsartifact.container.source import BytesSource, Piece, blocks_of
from ttsartifact.errors import Damaged, NotAnArtifact, TooLarge, TtsArtifactError

if TYPE_CHECKING:
    from pathlib import Path

HELD = capsule.build({"descriptor": b"{}"}, "sha256:" + "ab" * 32)
FRAMES = encoded.mp3()
PRIV = (b"PRIV", b"ttsartifact\0" + HELD)


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(bytes(block) for block in blocks_of(pieces, 7))


def embedded(bare: bytes, held: bytes = HELD) -> bytes:
    source = BytesSource(bare)
    return joined(mp3.embed(source, mp3.walk(source), "", held))


def stripped(whole: bytes) -> bytes:
    source = BytesSource(whole)
    return joined(mp3.bare(source, mp3.walk(source)))


LEADING = [
    b"",
    id3(TITLE),
    id3(TITLE, version=3, padding=64),
    id3(version=2, padding=20),
    id3(TITLE, flags=0x80),
    id3(TITLE, flags=0x10),
    id3((b"PRIV", b"someone else\0data"), TITLE),
    id3(TITLE) + id3(TITLE, version=3),
]
TRAILING = [b"", ID3V1, ape(), ape(head=False), ape() + ID3V1]


@pytest.mark.property
@given(st.sampled_from(LEADING), st.sampled_from(TRAILING), st.binary(min_size=1, max_size=300))
def test_strip_undoes_embed(before: bytes, after: bytes, held: bytes) -> None:
    """3.6: strip(embed(x)) == x, byte for byte, whatever tags stand around the audio, or none."""
    bare = before + FRAMES + after
    whole = embedded(bare, held)
    assert whole.endswith(bare)
    assert stripped(whole) == bare
    walked = mp3.walk(BytesSource(whole))
    assert walked.ours is not None
    assert walked.ours.capsule is not None
    start, size = walked.ours.capsule
    assert whole[start : start + size] == held
    assert mp3.misframed(BytesSource(whole), walked, "") == []
    assert (walked.audio, walked.audio_end) == (len(whole) - len(FRAMES + after), len(whole) - len(after))


@pytest.mark.parametrize(
    "how",
    [
        ["-b:a", "64k"],
        ["-q:a", "4"],
        ["-b:a", "96k", "-ar", "44100"],
        ["-write_id3v1", "1", "-id3v2_version", "3"],
        ["-write_xing", "0", "-id3v2_version", "0"],
    ],
)
def test_other_encoders(tmp_path: Path, how: list[str]) -> None:
    """3.9: constant and variable bitrates, with and without tags and Xing header, end with their last frame."""
    (tmp_path / "in.wav").write_bytes(kit.wav(kit.tone(9_001)))
    command = ["ffmpeg", "-loglevel", "error", "-i", str(tmp_path / "in.wav"), *how, str(tmp_path / "out.mp3")]
    subprocess.run(command, check=True)
    bare = (tmp_path / "out.mp3").read_bytes()
    assert stripped(embedded(bare)) == bare


def test_a_capsule_in_another_tag_is_found() -> None:
    """3.9: a tagger may merge our frame into its own tag; it is read, and CON07 has its place."""
    for whole in (id3(TITLE, PRIV) + FRAMES, id3(PRIV, version=3) + FRAMES, id3(PRIV, padding=9) + FRAMES):
        source = BytesSource(whole)
        walked = mp3.walk(source)
        assert mp3.capsule(source, walked).raw == HELD
        assert stripped(whole) == FRAMES
        assert mp3.misframed(source, walked, "")
    behind = id3(TITLE) + id3(PRIV) + FRAMES
    assert stripped(behind) == id3(TITLE) + FRAMES


def edited(data: bytes, place: int, octet: int) -> bytes:
    return data[:place] + bytes([octet]) + data[place + 1 :]


WHOLE = embedded(FRAMES)
BROKEN = {
    "empty": (b"", "CON01"),
    "not layer III": (b"\xff\xf1" + FRAMES[2:], "CON01"),
    "free format": (edited(FRAMES, 2, FRAMES[2] & 0x0F), "CON01"),
    "a FLAC behind the tag": (id3(TITLE) + encoded.flac(), "CON01"),
    "only a tag": (id3(TITLE), "CON01"),
    "ID3v2.5": (edited(id3(TITLE), 3, 5) + FRAMES, "CON02"),
    "size not synchsafe": (edited(id3(TITLE), 9, 0x80) + FRAMES, "CON02"),
    "tag past the end": (edited(id3(TITLE), 6, 1) + FRAMES, "CON02"),
    "no footer": (edited(id3(TITLE), 5, 0x10) + FRAMES[:10] + FRAMES, "CON02"),
    "cut": (FRAMES[:-1], "CON02"),
    "trailing byte": (FRAMES + b"\0", "CON02"),
    "APE tag that lies": (FRAMES + ape()[:-20] + b"\xff\xff\xff\x7f" + ape()[-16:], "CON02"),
    "APE tag of nothing": (FRAMES + ape()[:-20] + bytes(4) + ape()[-16:], "CON02"),
    "frame past its tag": (edited(WHOLE, 17, WHOLE[17] + 1), "CON02"),
    "frame size not synchsafe": (edited(WHOLE, 16, WHOLE[16] | 0x80), "CON02"),
    "unsynchronised": (edited(WHOLE, 5, 0x80), "CON09"),
    "compressed": (edited(WHOLE, 19, 0x08), "CON09"),
    "two in one tag": (id3(PRIV, PRIV) + FRAMES, "CON04"),
    "two tags": (id3(PRIV) + WHOLE, "CON04"),
    "too many tags": (id3(TITLE) * 17 + FRAMES, "CON15"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_structural_fault_names_its_rule_and_place(name: str) -> None:
    """A fault is one error with a rule, an offset and what was found."""
    data, rule = BROKEN[name]
    with refusals.raises(Damaged, NotAnArtifact, TooLarge) as caught:
        mp3.walk(BytesSource(data))
    assert caught.value.rule == rule
    assert caught.value.where.startswith("offset")


def test_a_flac_behind_a_tag_says_what_it_is() -> None:
    """3.9: taggers and C2PA write such files, and the FLAC carrier reads them."""
    data = id3(TITLE) + encoded.flac()
    with refusals.raises(NotAnArtifact, match="a FLAC, and not an MP3, behind its tag"):
        mp3.walk(BytesSource(data))
    assert bare.codec_of(BytesSource(data)) == "flac"
    found = recognised(BytesSource(data))
    assert found is not None
    assert found[0] == "flac"
    with refusals.raises(NotAnArtifact, match="more than one ID3v2 tag before a FLAC"):
        bare.codec_of(BytesSource(id3(TITLE) + data))


def test_a_full_file_takes_no_capsule() -> None:
    """3.8: what we write we can read: no tag is added beyond the limit, and no capsule to a capsule."""
    with refusals.raises(TooLarge, match="too many tags to add one"):
        embedded(id3(TITLE) * 16 + FRAMES)
    with refusals.raises(Damaged, match="carries a capsule already"):
        embedded(WHOLE)


@pytest.mark.property
@given(st.binary(max_size=120))
def test_any_bytes_are_walked_or_refused(data: bytes) -> None:
    """3.8: a walk over anything ends, with a walk or with an error of ours."""
    for candidate in (data, b"ID3" + data, b"ID3\4\0\0\0\0" + data, WHOLE[:20] + data, FRAMES + data):
        with suppress(TtsArtifactError):
            mp3.walk(BytesSource(candidate))
        mp3.carries_capsule(BytesSource(candidate))
