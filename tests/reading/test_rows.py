"""A row of Parquet is a run like any other: same identity, same parts, same audio."""

from __future__ import annotations

import io

import full_run
import kit
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import refusals
import soundfile

from ttsartifact.container import parquet
from ttsartifact.container.source import BytesSource, JoinedSource, Span
from ttsartifact.errors import Damaged, InvalidDescriptor, NotAnArtifact
from ttsartifact.packing.carriers import convert, strip
from ttsartifact.packing.pack import build, pack
from ttsartifact.reading.artifact import open_artifact, open_artifacts


def parts_of(artifact):
    return {name: artifact.parts.part(name) for name in artifact.parts.names()}


def audio_of(artifact):
    whole = JoinedSource(artifact.audio)
    return whole.read_at(0, whole.size)


def shelved(path, rows):
    with open(path, "w+b") as file:
        parquet.write(rows, file)
    return path


@pytest.mark.parametrize("make", [kit.artifact, full_run.artifact])
def test_both_carriers_hold_the_same_run(make, tmp_path):
    """3.6: descriptor, parts and audio of a run are byte for byte those of the other carrier."""
    wav, row = (open_artifact(make(tmp_path, name=name)) for name in ("run.tts.wav", "run.tts.parquet"))
    assert row.artifact_id == wav.artifact_id
    assert parts_of(row) == parts_of(wav)
    assert audio_of(row) == audio_of(wav)
    assert (row.carrier, row.row, row.capsule) == ("parquet", 0, None)
    assert row.wave.frames == wav.wave.frames
    assert row.pcm.source.read_at(row.pcm.offset, row.pcm.size) == wav.pcm.source.read_at(wav.pcm.offset, wav.pcm.size)


@pytest.mark.parametrize("make", [kit.artifact, full_run.artifact])
def test_there_and_back(make, tmp_path):
    """3.6: WAV to Parquet and back is the same file, seal included."""
    path = make(tmp_path)
    convert([path], tmp_path / "row.tts.parquet")
    convert([tmp_path / "row.tts.parquet"], tmp_path / "back.tts.wav")
    assert (tmp_path / "back.tts.wav").read_bytes() == path.read_bytes()


def test_many_runs(tmp_path):
    """A data set yields its runs in order, each with its own address."""
    names = [
        kit.artifact(tmp_path, name="0.tts.wav"),
        kit.artifact(tmp_path, name="1.tts.wav", audio=kit.wav(kit.tone(900)), run=kit.draft(traces=())),
    ]
    ids = convert(names, tmp_path / "set.tts.parquet")
    found = list(open_artifacts(tmp_path / "set.tts.parquet"))
    assert [artifact.artifact_id for artifact in found] == ids
    assert [artifact.where for artifact in found] == [f"{tmp_path}/set.tts.parquet#{n}" for n in (0, 1)]
    with refusals.raises(NotAnArtifact, match="holds many runs"):
        open_artifact(tmp_path / "set.tts.parquet")


@pytest.mark.parametrize(
    ("container", "subtype", "codec"),
    [("FLAC", "PCM_16", "flac"), ("MP3", None, "mp3"), ("OGG", "VORBIS", "ogg_vorbis"), ("OGG", "OPUS", "ogg_opus")],
)
def test_other_codecs(container, subtype, codec, tmp_path):
    """3.1: a row carries audio in each codec, byte for byte, and strip gives it back."""
    encoded = io.BytesIO()
    soundfile.write(encoded, [0.1, -0.1] * 4_000, 16_000, format=container, subtype=subtype)
    encoder = {"name": "libsndfile", "version": "1.2.2", "mode": "cbr", "quality": "5", "level": "5"}
    draft = kit.draft(traces=(), audio={"encoder": encoder})
    pack(draft, BytesSource(encoded.getvalue()), tmp_path / "run.tts.parquet")
    artifact = open_artifact(tmp_path / "run.tts.parquet")
    assert (artifact.wave, artifact.pcm, artifact.descriptor.known("/audio/codec")) == (None, None, codec)
    strip(tmp_path / "run.tts.parquet", tmp_path / "bare")
    assert (tmp_path / "bare").read_bytes() == encoded.getvalue()


def test_a_capsule_inside_a_row(tmp_path):
    """CON04: the audio of a row is the bare file; a capsule in it would be a second truth."""
    sealed = kit.artifact(tmp_path).read_bytes()
    run = build(kit.draft(), BytesSource(kit.wav()))
    path = shelved(tmp_path / "run.tts.parquet", [(run.parts, [sealed])])
    with refusals.raises(Damaged) as raised:
        open_artifact(path)
    assert (raised.value.rule, str(path) in raised.value.where, "row 0" in raised.value.where) == ("CON04", True, True)


def test_a_descriptor_that_is_none(tmp_path):
    """An error names the file and the row."""
    run = build(kit.draft(), BytesSource(kit.wav()))
    audio = [Span(run.audio, 0, run.audio.size)]
    path = shelved(tmp_path / "set.tts.parquet", [(run.parts, audio), ({"descriptor": b"{"}, audio)])
    with refusals.raises(InvalidDescriptor) as raised:
        list(open_artifacts(path))
    assert raised.value.where.startswith(f"{path}: row 1")


def test_any_other_parquet(tmp_path):
    """CON11: a table that holds no runs is told by the column that it lacks."""
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "table.parquet")
    with refusals.raises(Damaged, match="column descriptor_json is not as a run has it"):
        open_artifact(tmp_path / "table.parquet")
