"""A streamed WAV is given the lengths that it has, beyond 4 GiB as RF64."""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact.container import riff
from ttsartifact.container.source import FileSource
from ttsartifact.recording import repairing
from ttsartifact.recording.command import record_command
from ttsartifact.recording.recorder import Recorder
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from pathlib import Path

PCM = kit.tone(1201)


def streamed_wav(size: int, behind: bytes = b"") -> bytes:
    """Return a WAV whose writer did not know its length."""
    whole = kit.wav(PCM)
    place = whole.index(b"data")
    return whole[:4] + b"\xff" * 4 + whole[8 : place + 4] + struct.pack("<I", size) + PCM + behind


@pytest.mark.parametrize("declared", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO"])
def test_a_file_beyond_the_limit_becomes_rf64(
    tmp_path: Path, declared: int, behind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EBU Tech 3306: sizes in ds64, all that lies behind the samples kept, and every sample the one that came."""
    monkeypatch.setattr(repairing, "_MOST_RIFF_BYTES", 1000)
    (tmp_path / "a.wav").write_bytes(streamed_wav(declared, behind))
    found = repairing.repaired(str(tmp_path / "a.wav"))
    assert found is not None
    assert found.words == f"the header of the WAV was repaired: {declared} data bytes declared, {len(PCM)} written"
    data = (tmp_path / "a.wav").read_bytes()
    assert data[:4] == b"RF64"
    assert data.endswith(behind)
    with FileSource(tmp_path / "a.wav") as source:
        wave = riff.walk(source)
        assert source.read_at(wave.data.body, wave.data.size) == PCM
    assert wave.frames == 1201


def test_a_small_file_stays_a_plain_riff(tmp_path: Path) -> None:
    """Common players open no RF64."""
    (tmp_path / "a.wav").write_bytes(streamed_wav(0xFFFFFFFF))
    repairing.repaired(str(tmp_path / "a.wav"))
    assert (tmp_path / "a.wav").read_bytes() == kit.wav(PCM)


@pytest.mark.parametrize("blanks", [b"\n", b"\r\n", bytes(8)])
def test_blanks_behind_the_end_are_cut_off(blanks: bytes, tmp_path: Path) -> None:
    """A shell's newline is no part of the sound, and no reason to lose it; other bytes are refused as before."""
    path = tmp_path / "a.wav"
    path.write_bytes(kit.wav() + blanks)
    found = repairing.repaired(str(path))
    assert found is not None
    count = "1 byte" if len(blanks) == 1 else f"{len(blanks)} bytes"
    assert found.words == f"cut off {count} without content behind the end of the WAV"
    assert path.read_bytes() == kit.wav()
    path.write_bytes(kit.wav() + b"x" + blanks)
    assert repairing.repaired(str(path)) is None


@pytest.mark.parametrize("behind", [b"\0", b"\n", b"\0\n", b"\r\n"])
def test_the_pad_of_an_odd_sound_is_no_blank(behind: bytes, tmp_path: Path) -> None:
    """Some writers do not count it in the size of the whole, some do not write it; the file is whole afterwards."""
    whole = kit.wav(PCM[:-1], bits=8)
    uncounted = whole[:4] + (len(whole) - 9).to_bytes(4, "little") + whole[8:-1] + behind
    path = tmp_path / "a.wav"
    path.write_bytes(uncounted)
    assert repairing.repaired(str(path)) is not None
    assert path.read_bytes() == whole


@pytest.mark.parametrize("counted", [4, 36, 9_999_999, 0x7FFFFFFF])
@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO"])
def test_a_riff_that_miscounts_itself_is_mended(tmp_path: Path, counted: int, behind: bytes) -> None:
    """The size of the whole is wrong, that of the samples is right: nothing is cut off, added or called sound."""
    whole, path = kit.wav(PCM) + behind, tmp_path / "a.wav"
    path.write_bytes(whole[:4] + struct.pack("<I", counted) + whole[8:])
    found = repairing.repaired(str(path))
    assert found is not None
    assert found.words == "the header of the WAV was repaired: its RIFF size was not that of the file"
    assert path.read_bytes() == whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


@pytest.mark.parametrize("behind", [kit.wav(PCM), b"<html>an error</html>", b"data\x04\0\0\0\1\2\3\4"])
def test_what_may_be_sound_or_an_answer_behind_the_end_is_not_taken_in(tmp_path: Path, behind: bytes) -> None:
    """A second file, a page, a second data chunk: refused as before."""
    path = tmp_path / "a.wav"
    path.write_bytes(kit.wav(PCM) + behind)
    assert repairing.repaired(str(path)) is None
    assert path.read_bytes() == kit.wav(PCM) + behind


@pytest.mark.parametrize("declared", [len(PCM), 0])
def test_a_count_of_bytes_per_second_that_is_wrong_is_mended(tmp_path: Path, declared: int) -> None:
    """Version 2.2 of flite writes twice the number when it reads a file or a pipe; no player looks at it."""
    right = kit.wav(PCM)
    wrong = right[:28] + struct.pack("<I", 2 * int.from_bytes(right[28:32], "little")) + right[32:]
    place = wrong.index(b"data") + 4
    path = tmp_path / "a.wav"
    path.write_bytes(wrong[:place] + struct.pack("<I", declared) + wrong[place + 4 :])
    found = repairing.repaired(str(path))
    assert found is not None
    begins = "the header of the WAV was repaired: 64000 bytes per second declared, 32000 by its rate and frame"
    lengths = f"; the header of the WAV was repaired: 0 data bytes declared, {len(PCM)} written"
    assert found.words == begins + ("" if declared else lengths)
    assert path.read_bytes() == right


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_flite_from_a_pipe_by_each_way(tmp_path: Path) -> None:
    """Its own header of a text that it read, not as an argument: recorded, in process too."""
    out, text = tmp_path / "a.tts.wav", "Hello there."
    said: list[str] = []
    packed = record_command(["flite", "-o", "{out}"], text=text, out=out, say=said.append)
    assert said == ["the header of the WAV was repaired: 32000 bytes per second declared, 16000 by its rate and frame"]
    assert packed.descriptor.at("/run/notes") == said[0]
    (report,) = verify(out)
    assert (report.verdict, report.findings) == ("INTACT", ())
    subprocess.run(["flite", "-o", tmp_path / "b.wav"], input=text.encode(), check=True)
    with Recorder(tmp_path / "b.tts.wav", text=text, on_error="raise") as recorder:
        recorder.submit()
        recorder.chunk((tmp_path / "b.wav").read_bytes())
    assert recorder.result.descriptor.at("/audio/frames") == packed.descriptor.at("/audio/frames")


@pytest.mark.skipif(not shutil.which("text2wave"), reason="festival is not installed")
def test_festival_on_a_pipe_has_no_header_among_its_samples(tmp_path: Path) -> None:
    """It writes the header again behind the samples, where a pipe cannot go back: 22 frames that nobody spoke."""
    text, out = "Hello there.", tmp_path / "a.tts.wav"
    subprocess.run(["text2wave", "-o", tmp_path / "a.wav"], input=text.encode(), check=True)
    piped = subprocess.run(["text2wave"], input=text.encode(), check=True, capture_output=True).stdout
    bare = (tmp_path / "a.wav").read_bytes()
    assert len(piped) == len(bare) + 44
    said: list[str] = []
    packed = record_command(["text2wave"], text=text, out=out, say=said.append)
    size = len(bare) - 44
    assert said == [
        (
            f"the header of the WAV was repaired: 0 data bytes declared, {size} written; "
            "a second header of 44 bytes behind them was cut off"
        )
    ]
    with FileSource(tmp_path / "a.wav") as source:
        assert packed.descriptor.at("/audio/frames") == riff.walk(source).frames
    for number, cut in enumerate([len(piped), 4096, len(piped) - 30]):
        with Recorder(tmp_path / f"{number}.tts.wav", text=text, on_error="raise") as recorder:
            recorder.submit()
            for start in range(0, len(piped), cut):
                recorder.chunk(piped[start : start + cut])
        assert recorder.result.descriptor.at("/audio/pcm") == packed.descriptor.at("/audio/pcm")
