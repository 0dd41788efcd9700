"""Between carriers nothing changes but the carrier."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import encoded
import kit
import numpy as np
import pytest
import refusals
import soundfile

from ttsartifact.container.samples import FORMATS, as_floats, as_stored
from ttsartifact.errors import Damaged, InvalidDescriptor, NotAnArtifact, Refused, TtsArtifactError
from ttsartifact.packing import carriers
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.verifying.engine import verify

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_strip_gives_the_encoders_bytes(tmp_path: Path) -> None:
    """3.6: strip(embed(x)) == x, and its digest is the stated one."""
    path = kit.artifact(tmp_path)
    stated = carriers.strip(path, tmp_path / "bare.wav")
    assert (tmp_path / "bare.wav").read_bytes() == kit.wav()
    assert stated == open_artifact(path).descriptor.known("/audio/digest")


def test_strip_refuses_other_audio(tmp_path: Path) -> None:
    """What comes out is the recorded audio, or nothing does."""
    path = kit.rewritten(kit.artifact(tmp_path), tmp_path / "edited.wav", lambda bare: bare[:-1] + b"\x7f")
    with refusals.raises(Refused, match="the audio is not the recorded audio"):
        carriers.strip(path, tmp_path / "bare.wav")
    assert not (tmp_path / "bare.wav").exists()


def test_strip_keeps_the_artifact(tmp_path: Path) -> None:
    """A bare file in the artifact's place would leave no capsule anywhere."""
    path = kit.artifact(tmp_path)
    with refusals.raises(Refused, match="whose capsule would be lost"):
        carriers.strip(path, path, replace=True)
    assert open_artifact(path).capsule is not None


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
    with refusals.raises(Refused, match="found 2 runs, expected one run"):
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
    with refusals.raises(NotAnArtifact, match="a WAV without a capsule"):
        open_artifact(copied)
    carriers.detach(path, tmp_path / "run.ttsa")
    assert carriers.reattach(copied, tmp_path / "run.ttsa", out) == open_artifact(path).artifact_id
    assert out.read_bytes() == path.read_bytes()


COPIES = {
    "FLAC by ffmpeg": ["ffmpeg", "-loglevel", "error", "-i", "{in}", "{out}.flac"],
    "FLAC by sox": ["sox", "{in}", "{out}.flac"],
    "FLAC of 24 bits": ["sox", "{in}", "-b", "24", "{out}.flac"],
    "WAV of 24 bits": ["sox", "{in}", "-b", "24", "{out}.wav"],
    "WAV of 32 bits": ["ffmpeg", "-loglevel", "error", "-i", "{in}", "-c:a", "pcm_s32le", "{out}.wav"],
    "WAV of floats": ["ffmpeg", "-loglevel", "error", "-i", "{in}", "-c:a", "pcm_f32le", "{out}.wav"],
}


@pytest.mark.parametrize("named", COPIES)
def test_a_copy_in_another_format_gives_the_recorded_file(tmp_path: Path, named: str) -> None:
    """3.6: the samples are the recorded ones, whatever they are stored in."""
    path, out = kit.artifact(tmp_path), tmp_path / "whole.tts.wav"
    words = {"{in}": str(path), "{out}": str(tmp_path / "copy")}
    command = COPIES[named]
    subprocess.run([words.get(word, word.replace("{out}", words["{out}"])) for word in command], check=True)
    (copy,) = tmp_path.glob("copy.*")
    assert carriers.reattach(copy, path, out) == open_artifact(path).artifact_id
    assert out.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("subtype", FORMATS)
def test_samples_are_stored_as_they_were_read(subtype: str) -> None:
    """8.3: as_stored is the inverse of as_floats, for every code but those of two spellings."""
    form = FORMATS[subtype]
    edges = [0.0, -1.0, 1.5, 2.0**-149]
    raw = np.array(edges, form.stored).tobytes() if form.is_float else bytes(range(256)) * form.width
    samples = as_floats(raw, subtype, 1)
    assert as_stored(samples, subtype) == (None if subtype in {"alaw", "mulaw"} else raw)
    assert as_stored(np.array([[1.0], [0.1]]), "pcm_s16") is None
    assert as_stored(np.array([[0.1]]), "pcm_f32") is None


def test_a_lossy_copy_is_named(tmp_path: Path) -> None:
    """3.6: what is found is what the copy is, and not the digest of its file."""
    path, copy = kit.artifact(tmp_path), tmp_path / "copy.mp3"
    copy.write_bytes(encoded.mp3())
    with refusals.raises(Refused) as caught:
        carriers.reattach(copy, path, tmp_path / "whole.tts.wav")
    assert str(caught.value) == (
        "a copy as MP3 does not hold the recorded WAV: one of the two encodes with loss: found MP3, expected WAV "
        f"(at {copy})"
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [("codec", None), ("codec", ["wav"]), ("subtype", ["pcm_s16"]), ("framing", {"head": "é", "tail": ""})],
)
def test_a_malformed_statement_of_the_audio_is_named(tmp_path: Path, member: str, value: object) -> None:
    """A descriptor may come from anywhere: what it says of its audio is checked before a copy is restored by it."""
    parts, copy = tmp_path / "parts", tmp_path / "copy.wav"
    carriers.unpack(kit.artifact(tmp_path), parts)
    stated = json.loads((parts / "descriptor.json").read_text())
    stated["audio"][member] = value
    (parts / "descriptor.json").write_text(json.dumps(stated))
    soundfile.write(copy, np.frombuffer(kit.tone(), "<i2"), kit.RATE_HZ, "PCM_24")
    with refusals.raises(InvalidDescriptor) as caught:
        carriers.reattach(copy, parts, tmp_path / "whole.tts.wav")
    assert caught.value.where.startswith(f"/audio/{member}")


def test_other_audio_is_refused(tmp_path: Path) -> None:
    """3.6: one sample differs, and nothing is written."""
    path = kit.artifact(tmp_path)
    (tmp_path / "other.wav").write_bytes(kit.wav(kit.tone()[:-2] + b"\x01\x00"))
    with refusals.raises(Refused, match="the audio is not the recorded audio"):
        carriers.reattach(tmp_path / "other.wav", path, tmp_path / "whole.tts.wav")
    with refusals.raises(NotAnArtifact, match="carries a capsule already"):
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
    with refusals.raises(Refused, match="the folder exists"):
        carriers.unpack(path, tmp_path / "open")


UNSOUND = [
    (entry["id"], entry["file"])
    for entry in json.loads((FIXTURES / "manifest.json").read_text())["fixtures"]
    if entry["expect"]["verdict"] == "BROKEN" and entry["runs"] == 1
]
TOO_DEEP = "fail/CON15/trace-33-levels.wav"  # the limit of a parser: the bytes are the sealed ones, and stay BROKEN


@pytest.mark.parametrize("carrier", ["wav", "parquet"])
@pytest.mark.parametrize(("named", "file"), UNSOUND, ids=[named for named, _ in UNSOUND])
def test_what_is_broken_is_not_sealed_again(tmp_path: Path, named: str, file: str, carrier: str) -> None:
    """3.6: a file of the kit that is BROKEN is refused by `convert`, by the words of the same rule."""
    if named == TOO_DEEP:
        carriers.convert([FIXTURES / file], tmp_path / f"out.tts.{carrier}")
        assert verify(tmp_path / f"out.tts.{carrier}")[0].verdict == "BROKEN"
        return
    with pytest.raises(TtsArtifactError) as refused:
        carriers.convert([FIXTURES / file], tmp_path / f"out.tts.{carrier}")
    assert list(tmp_path.iterdir()) == []
    found = verify(FIXTURES / file)[0].findings
    if refused.value.rule in {"HSH06", "CON02", "CON04"}:
        assert (refused.value.message, refused.value.found) in {(each.message, each.found) for each in found}


def test_a_new_seal_does_not_hide_a_trace_without_entry(tmp_path: Path) -> None:
    """A malformed list of traces keeps HSH06 from being run; the broken seal makes the file BROKEN, and it stays so."""
    path = kit.artifact(tmp_path, patch=kit.put(traces="none"))
    path.write_bytes(path.read_bytes().replace(b'"rows":', b'"rowz":', 1))
    assert verify(path)[0].verdict == "BROKEN"
    with refusals.raises(Refused, match="a trace is missing, not listed"):
        carriers.convert([path], tmp_path / "whole.tts.wav")


def test_a_part_of_no_known_name_makes_no_table(tmp_path: Path) -> None:
    """It would be one that no reader opens."""
    with refusals.raises(Damaged, match="a part of no known name: found other/thing"):
        carriers.convert([FIXTURES / "fail/CON04/stranger.tts.wav"], tmp_path / "set.tts.parquet")
    assert list(tmp_path.iterdir()) == []


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
