"""What software adds to an artifact's audio: `strip`, `convert` and `reattach` agree with the verdict (clause 3.6)."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

import kit
import pytest
import refusals
from near_misses import encoded

from ttsartifact.container.hashing import digest_pieces
from ttsartifact.errors import Refused
from ttsartifact.packing.carriers import convert, reattach, strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID3V1 = b"TAG" + b"a title".ljust(125, b"\0")
TITLE = b"TIT2\0\0\0\x06\0\0\3hello"
ID3V2 = b"ID3\4\0\0" + bytes([0, 0, 0, len(TITLE)]) + TITLE
ITEM = struct.pack("<II", 5, 0) + b"Title\0hello"
APE = b"".join(
    mark + b"APETAGEX" + struct.pack("<IIII", 2000, len(ITEM) + 32, 1, flags) + bytes(8)
    for mark, flags in ((b"", 0xA0000000), (ITEM, 0x80000000))
)
INFO = b"LIST" + struct.pack("<I", 18) + b"INFOINAM" + struct.pack("<I", 6) + b"title\0"
PADDING = b"\x01\0\0\x40" + bytes(64)


def behind(added: bytes, data: bytes) -> bytes:
    return data + added


def before(added: bytes, data: bytes) -> bytes:
    return added + data


def in_riff(place: int | None, data: bytes) -> bytes:
    """Put a list into a WAV, at its end or before its format."""
    at = len(data) if place is None else place
    size = struct.pack("<I", struct.unpack("<I", data[4:8])[0] + len(INFO))
    return data[:4] + size + data[8:at] + INFO + data[at:]


def behind_own_tag(data: bytes) -> bytes:
    """Put a tag between the capsule's own and the frames, as a tagger does that keeps what it finds."""
    end = 10 + sum((data[6 + n] & 127) << 7 * (3 - n) for n in range(4))
    return data[:end] + ID3V2 + data[end:]


ADDED: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "wav-list-behind": ("wav", partial(in_riff, None), "RETAGGED"),
    "wav-list-before": ("wav", partial(in_riff, 12), "RETAGGED"),
    "flac-id3v1": ("flac", partial(behind, ID3V1), "REWRAPPED"),
    "flac-id3v2": ("flac", partial(before, ID3V2), "REWRAPPED"),
    "mp3-id3v1": ("mp3", partial(behind, ID3V1), "RETAGGED"),
    "mp3-ape": ("mp3", partial(behind, APE + ID3V1), "RETAGGED"),
    "mp3-id3v2": ("mp3", partial(before, ID3V2), "RETAGGED"),
    "mp3-both": ("mp3", lambda data: ID3V2 + data + ID3V1, "RETAGGED"),
    "mp3-id3v2-within": ("mp3", behind_own_tag, "RETAGGED"),
}


def made(folder: Path, kind: str) -> Path:
    if kind == "wav":
        return kit.artifact(folder, name="whole.tts.wav")
    out = folder / f"whole.tts.{kind}"
    convert([encoded(kind.upper())(folder)], out)
    return out


@pytest.mark.parametrize("key", ADDED)
def test_what_was_added_is_left_out(key: str, tmp_path: Path) -> None:
    """Every act gives the recorded file, byte for byte, of a file whose samples the verdict calls recorded."""
    kind, edit, verdict = ADDED[key]
    whole = made(tmp_path, kind)
    tagged = tmp_path / f"tagged.tts.{kind}"
    tagged.write_bytes(edit(whole.read_bytes()))
    assert [report.verdict for report in verify(tagged)] == [verdict]
    recorded = digest_pieces(open_artifact(whole).audio)
    assert strip(tagged, tmp_path / "bare") == recorded == digest.of((tmp_path / "bare").read_bytes())
    for name in (f"again.tts.{kind}", "again.tts.parquet"):
        convert([tagged], tmp_path / name)
        assert [report.verdict for report in verify(tmp_path / name)] == ["INTACT"]
    reattach(tagged, whole, tmp_path / f"back.tts.{kind}")
    assert (tmp_path / f"back.tts.{kind}").read_bytes() == whole.read_bytes()


def test_a_block_within_a_flac_is_named_as_what_differs(tmp_path: Path) -> None:
    """The samples are the recorded ones, and the file cannot be made again: both are said, and nothing is written."""
    whole = made(tmp_path, "flac").read_bytes()
    tagged = tmp_path / "tagged.tts.flac"
    tagged.write_bytes(whole[:42] + PADDING + whole[42:])
    assert [report.verdict for report in verify(tagged)] == ["RETAGGED"]
    for act in (partial(strip, tagged), partial(convert, [tagged])):
        with refusals.raises(Refused, match="the samples are the recorded ones, but the recorded file is a FLAC"):
            act(tmp_path / "out.tts.flac")
    assert not (tmp_path / "out.tts.flac").exists()
