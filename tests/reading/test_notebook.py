"""Reading is as easy as writing: one line, a card with a player, samples and tables."""

from __future__ import annotations

import base64
import io
import sys
from typing import TYPE_CHECKING, Any

import encoded
import kit
import numpy as np
import pytest
import refusals
import soundfile

import ttsartifact
from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import TooLarge
from ttsartifact.reading import notebook
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path


def written(out: Path, **options: object) -> ttsartifact.Artifact:
    tone = np.linspace(-1, 0.99, 1600, dtype="f4").reshape(-1, int(str(options.get("channels", 1))))
    told = {"text": "<b>Hello</b>", "sample_rate_hz": kit.RATE_HZ, "engine": "mine@1.2", "say": lambda _: None}
    list(ttsartifact.wrap_iterator([tone], out, **(told | options)))
    return ttsartifact.open(out)


@pytest.mark.parametrize(
    ("subtype", "dtype", "first"),
    [("pcm_s16", "int16", -32768), ("pcm_s24", "int32", -8388608), ("pcm_s32", "int32", -(1 << 31))],
)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("carrier", ["wav", "parquet"])
def test_samples_are_an_array(
    tmp_path: Path, subtype: str, dtype: str, first: int, channels: int, carrier: str
) -> None:
    """(frames, channels), integers as they are stored, out of either carrier."""
    found = written(tmp_path / f"a.tts.{carrier}", subtype=subtype, channels=channels).samples()
    assert (found.shape, found.dtype, int(found[0, 0])) == ((1600 // channels, channels), np.dtype(dtype), first)
    assert int(found[-1, -1]) > 0


def test_floats_stay_floats(tmp_path: Path) -> None:
    found = written(tmp_path / "a.tts.wav", subtype="pcm_f32").samples()
    assert (found.dtype, float(found[0, 0])) == (np.dtype("float32"), -1.0)


def test_a_run_in_one_line_and_as_a_card(tmp_path: Path) -> None:
    """The line is short; what the file says is escaped in the card."""
    artifact = written(tmp_path / "a.tts.wav")
    assert len(repr(artifact)) < 300
    card = artifact._repr_html_()
    assert '<audio controls src="data:audio/wav;base64,UklGR' in card
    assert "&lt;b&gt;Hello&lt;/b&gt;" in card
    assert "<b>" not in card


def test_a_card_says_first_that_a_recording_is_incomplete(tmp_path: Path) -> None:
    """As the command line does; of a whole one there is nothing to say."""

    def cut(value: dict[str, Any]) -> None:
        value["run"]["incomplete"] = True

    card = ttsartifact.open(kit.artifact(tmp_path, patch=cut))._repr_html_()
    assert card.startswith("<div><b>the recording is incomplete</b><audio")
    assert "incomplete" not in ttsartifact.open(kit.artifact(tmp_path))._repr_html_()


def test_tables_and_a_dictionary(tmp_path: Path) -> None:
    """Columns that pandas takes; a copy of the descriptor that one may change."""
    artifact = written(tmp_path / "a.tts.wav")
    assert artifact.chunks is not None
    assert artifact.chunks["frame_count"] == [1600]
    assert artifact.telemetry is None
    copied = artifact.to_dict()
    assert copied["traces_by_name"]["chunks"]["frame_start"] == [0]
    copied["level"] = "L9"
    assert artifact.descriptor.at("/level") == "L1"


def test_the_front_door_adds_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ttsartifact.open` brings drawing along; without matplotlib the card is the table and the player."""
    path = kit.artifact(tmp_path)
    assert '<img style="max-width: 100%" alt="waveform, spectrogram' in ttsartifact.open(path)._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    card = ttsartifact.open(path)._repr_html_()
    assert "<img" not in card
    assert "<table>" in card


STORED = {
    "pcm_u8": "PCM_U8",
    "pcm_s16": "PCM_16",
    "pcm_s24": "PCM_24",
    "pcm_s32": "PCM_32",
    "pcm_f32": "FLOAT",
    "pcm_f64": "DOUBLE",
    "alaw": "ALAW",
    "mulaw": "ULAW",
}


@pytest.mark.parametrize("subtype", STORED)
def test_samples_of_every_format_are_those_that_comparisons_read(subtype: str, tmp_path: Path) -> None:
    """What `.samples()` gives, scaled to its own full scale, is what a diff compares."""
    file, tone = io.BytesIO(), np.sin(np.arange(800) / 7) * 0.9
    soundfile.write(file, tone, kit.RATE_HZ, format="WAV", subtype=STORED[subtype])
    run = ttsartifact.open(kit.artifact(tmp_path, audio=file.getvalue()))
    found = run.samples()
    scale = {"pcm_u8": 2.0**7, "pcm_s24": 2.0**23, "pcm_s32": 2.0**31}.get(subtype, 2.0**15)
    middle = 128 if subtype == "pcm_u8" else 0
    scaled = found if found.dtype.kind == "f" else (found.astype(np.float64) - middle) / scale
    with sound_of(run) as sound:
        assert sound.subtype == subtype
        assert scaled.tolist() == sound.read(0, 800).tolist()


def test_encoded_audio_is_decoded_whole_up_to_16_times_what_a_card_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond that `.samples()` says how much there is and how much it takes."""
    audio = encoded.bare_flac((encoded.PADDING, bytes(5)))
    audio = encoded.bare_flac((encoded.PADDING, bytes(5 + (1 - len(audio)) % 16)))
    run = ttsartifact.open(encoded.artifact(tmp_path, "flac", audio=audio))
    monkeypatch.setattr(notebook, "_MAX_PLAYED_BYTES", len(audio) // 16 + 1)
    assert run.samples().shape == (800, 1)
    monkeypatch.setattr(notebook, "_MAX_PLAYED_BYTES", len(audio) // 16)
    with refusals.raises(TooLarge) as refused:
        run.samples()
    assert str(refused.value) == f"so much audio is decoded in pieces: found {len(audio)}, expected {len(audio) - 1}"


def test_a_card_is_the_conditions_in_their_order(tmp_path: Path) -> None:
    """A value that is absent is its reason, a missing one a dash, and a long one is cut."""
    long = "x" * 600
    run = ttsartifact.open(
        kit.artifact(tmp_path, patch=lambda value: (value["input"]["text"].update(value=long), value.pop("generation")))
    )
    card = notebook.card_of(run)
    rows = [
        ("text", long[:500]),
        ("engine", "espeak-ng"),
        ("version", "1.51+dfsg-10"),
        ("model", "-"),
        ("device", "-"),
        ("sample rate", "16000"),
        ("frames", "800"),
        ("level", run.descriptor.at("/level")),
        ("recorded", "2026-11-21T10:00:00.123456789Z"),
        ("run", kit.RUN_ID),
    ]
    table = "".join(f"<tr><th>{label}</th><td>{value}</td></tr>" for label, value in rows)
    assert card.endswith(f"<table>{table}</table></div>")
    withheld = kit.artifact(tmp_path, patch=lambda value: value["input"]["text"].update(value=absent("withheld")))
    assert "<tr><th>text</th><td>(withheld)</td></tr>" in notebook.card_of(ttsartifact.open(withheld))


@pytest.mark.parametrize("drawn", [b"png", None])
def test_a_card_plays_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: bytes | None) -> None:
    """Audio beyond what a page plays has no player; a picture that was not drawn is not there."""
    run = ttsartifact.open(kit.artifact(tmp_path))
    monkeypatch.setattr(notebook, "_drawers", [lambda _: drawn])
    monkeypatch.setattr(notebook, "_MAX_PLAYED_BYTES", 1644)
    player = f'<audio controls src="data:audio/wav;base64,{base64.b64encode(kit.wav()).decode()}"></audio>'
    picture = (
        '<img style="max-width: 100%" alt="waveform, spectrogram, chunks and power on one axis of time" '
        'src="data:image/png;base64,cG5n">'
    )
    assert notebook.card_of(run).startswith(f"<div>{player}{picture if drawn else ''}<table>")
    monkeypatch.setattr(notebook, "_MAX_PLAYED_BYTES", 1643)
    assert notebook.card_of(run).startswith(f"<div>{picture if drawn else ''}<table>")
    monkeypatch.setattr(notebook, "_drawers", [])
    assert notebook.card_of(run).startswith("<div><table>")


def test_so_many_samples_are_not_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the limit are."""
    run = ttsartifact.open(kit.artifact(tmp_path))
    monkeypatch.setattr(notebook, "_MAX_SAMPLES_BYTES", 1600)
    assert len(run.samples()) == 800
    monkeypatch.setattr(notebook, "_MAX_SAMPLES_BYTES", 1599)
    with refusals.raises(TooLarge) as refused:
        run.samples()
    assert str(refused.value) == "so many samples are read in pieces: found 1600, expected 1599"
