"""Between carriers nothing changes but the carrier."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import kit
import pytest
import soundfile

from ttsartifact.errors import NotAnArtifact, Refused
from ttsartifact.packing import carriers
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path


def test_strip_gives_the_encoders_bytes(tmp_path: Path) -> None:
    """3.6: strip(embed(x)) == x, and its digest is the stated one."""
    path = kit.artifact(tmp_path)
    stated = carriers.strip(path, tmp_path / "bare.wav")
    assert (tmp_path / "bare.wav").read_bytes() == kit.wav()
    assert stated == open_artifact(path).descriptor.known("/audio/digest")


def test_strip_refuses_other_audio(tmp_path: Path) -> None:
    """What comes out is the recorded audio, or nothing does."""
    path = kit.rewritten(kit.artifact(tmp_path), tmp_path / "edited.wav", lambda bare: bare[:-1] + b"\x7f")
    with pytest.raises(Refused, match="the audio is not the recorded audio"):
        carriers.strip(path, tmp_path / "bare.wav")
    assert not (tmp_path / "bare.wav").exists()


def test_there_and_back_gives_the_same_bytes(tmp_path: Path) -> None:
    """3.6: WAV to Parquet and back, seal included."""
    path = kit.artifact(tmp_path)
    ids = carriers.convert([path], tmp_path / "run.tts.parquet")
    assert ids == carriers.convert([tmp_path / "run.tts.parquet"], tmp_path / "back.tts.wav")
    assert (tmp_path / "back.tts.wav").read_bytes() == path.read_bytes()


def test_many_runs_make_one_table_but_no_wav(tmp_path: Path) -> None:
    """3.4: one row a run; a WAV carries one."""
    one, two = (
        kit.artifact(tmp_path, name="1.tts.wav"),
        kit.artifact(tmp_path, name="2.tts.wav", run=kit.draft(traces=())),
    )
    ids = carriers.convert([one, two], tmp_path / "set.tts.parquet")
    assert len(set(ids)) == 2
    with pytest.raises(Refused, match="found 2 runs, expected one run"):
        carriers.convert([tmp_path / "set.tts.parquet"], tmp_path / "both.tts.wav")


@pytest.mark.parametrize("tool", ["ffmpeg", "sox", "soundfile"])
def test_a_copy_that_lost_its_capsule_is_made_whole(tmp_path: Path, tool: str) -> None:
    """3.6: a converter drops the capsule and rewrites the header; the PCM and the recorded framing restore the file."""
    path, copied, out = kit.artifact(tmp_path), tmp_path / "copied.wav", tmp_path / "whole.tts.wav"
    if tool == "ffmpeg":
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", path, "-c", "copy", copied], check=True)
    elif tool == "sox":
        subprocess.run(["sox", path, copied], check=True)
    else:
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(copied, samples, rate, subtype="PCM_16")
    with pytest.raises(NotAnArtifact, match="a WAV without a capsule"):
        open_artifact(copied)
    carriers.detach(path, tmp_path / "run.ttsa")
    assert carriers.reattach(copied, tmp_path / "run.ttsa", out) == open_artifact(path).artifact_id
    assert out.read_bytes() == path.read_bytes()


def test_other_audio_is_refused(tmp_path: Path) -> None:
    """3.6: one sample differs, and nothing is written."""
    path = kit.artifact(tmp_path)
    (tmp_path / "other.wav").write_bytes(kit.wav(kit.tone()[:-2] + b"\x01\x00"))
    with pytest.raises(Refused, match="this is other audio"):
        carriers.reattach(tmp_path / "other.wav", path, tmp_path / "whole.tts.wav")
    with pytest.raises(NotAnArtifact, match="carries a capsule already"):
        carriers.reattach(path, path, tmp_path / "whole.tts.wav")
    assert not (tmp_path / "whole.tts.wav").exists()


def test_unpacked_parts_go_back(tmp_path: Path) -> None:
    """Single files for any tool, under names of ours, and the way back."""
    path = kit.artifact(tmp_path)
    names = carriers.unpack(path, tmp_path / "open")
    assert names == ["audio.wav", "descriptor.json", "trace-chunks.json"]
    for source in (tmp_path / "open", tmp_path / "open" / "descriptor.json"):
        carriers.reattach(tmp_path / "open" / "audio.wav", source, tmp_path / "again.tts.wav", replace=True)
        assert (tmp_path / "again.tts.wav").read_bytes() == path.read_bytes()
    with pytest.raises(Refused, match="the folder exists"):
        carriers.unpack(path, tmp_path / "open")


def test_players_hear_the_same_samples(tmp_path: Path) -> None:
    """3.2: the capsule is silent: libsndfile, sox and ffmpeg see the bare file's channels and samples."""
    path = kit.artifact(tmp_path, audio=kit.wav(kit.tone(800, 2), channels=2))
    samples, rate = soundfile.read(path, dtype="int16")
    assert (rate, samples.shape, samples.tobytes()) == (kit.RATE_HZ, (800, 2), kit.tone(800, 2))
    for command in (
        ["sox", str(path), "-t", "raw", "-"],
        ["ffmpeg", "-loglevel", "error", "-i", str(path), "-f", "s16le", "-"],
    ):
        assert subprocess.run(command, check=True, capture_output=True).stdout == kit.tone(800, 2)
