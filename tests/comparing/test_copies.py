"""A copy without its capsule beside a run (clause 10.8): what a forum delivers of an artifact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest
import soundfile

from ttsartifact import NotAnArtifact, _spec, diff, strip
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.recorder import Recorder
from ttsartifact.reporting.diff import cause_line, diff_card, diff_document, diff_lines, diff_rows

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = jsonschema.Draft202012Validator(_spec.load_json("diff.schema.json"))
RATE_HZ = 16_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Record a second of a gliding tone."""
    path = tmp_path / "run.tts.wav"
    tone = np.sin(np.cumsum(np.linspace(0.05, 0.4, RATE_HZ))) * 9_000
    with Recorder(path, text="A tone.", sample_rate_hz=RATE_HZ, on_error="raise") as recorder:
        recorder.submit()
        recorder.chunk(tone.astype("<i2").tobytes())
    return path


def copied(run: Path, suffix: str, kind: str | None = None) -> Path:
    """Write the samples of a run as a bare file of another codec."""
    path = run.with_name(f"copy{suffix}")
    samples, rate_hz = soundfile.read(run)
    soundfile.write(path, samples, rate_hz, **({} if kind is None else {"format": kind[:3], "subtype": kind[4:]}))
    return path


@pytest.mark.parametrize(("suffix", "kind"), [(".mp3", None), (".ogg", "OGG/VORBIS"), (".opus", "OGG/OPUS")])
def test_a_lossy_copy_is_compared_by_its_sound(run: Path, suffix: str, kind: str | None) -> None:
    """It has no conditions; how far its sound is from that of the run is said, and nothing is concluded from it."""
    found = diff(run, copied(run, suffix, kind))
    assert (found.exit_code, found.copies, found.b.verdict) == (1, ("b",), "NOT_AN_ARTIFACT")
    assert found.audio is not None
    assert not found.audio.pcm_equal
    assert found.audio.mel_distance_db is not None
    assert found.audio.mel_distance_db < 6
    line = cause_line(found)
    near, mel = (
        f"(SNR {found.audio.snr_db or 0:.1f} dB)",
        f"{found.audio.mel_distance_db:.2f} dB apart on the mel scale",
    )
    told = f"nearly the same audio {near}" if kind == "OGG/OPUS" else f"different samples, SNR {near[5:-1]}, {mel}"
    assert line == f"b has no capsule, so only the sounds can be compared: {told}"
    said = list(diff_lines(found))
    assert "  unstated  conditions, stages and times: b states none, so they are not compared" in said
    assert not any("one run each" in each for each in said)
    SCHEMA.validate(json.loads(json.dumps(diff_document(found))))
    assert "| NOT_AN_ARTIFACT | none |" in "\n".join(diff_card(found))
    assert any(each.startswith("file\tnames\t") for each in diff_rows(found))


def test_a_stripped_file_holds_every_sample(run: Path) -> None:
    """3: the same sound, and conditions that only one file states."""
    bare = run.with_name("bare.wav")
    strip(run, bare)
    for found, name in ((diff(run, bare), "b"), (diff(bare, run), "a")):
        assert (found.exit_code, found.copies) == (3, (name,))
        assert cause_line(found) == f"{name} has no capsule, so only the sounds can be compared: the same audio"


@pytest.mark.parametrize("of_this_run", [True, False])
def test_a_comment_that_survived_says_whose_sound_it_was(run: Path, *, of_this_run: bool) -> None:
    """3.2: the id in a comment is that of the run beside it, or of a different one."""
    named = open_artifact(run).artifact_id if of_this_run else f"sha256:{'0' * 64}"
    path = run.with_name("copy.flac")
    samples, rate_hz = soundfile.read(run)
    with soundfile.SoundFile(path, "w", rate_hz, 1) as file:
        file.comment = f"ttsartifact:1.0 id={named}"
        file.write(samples)
    found = diff(run, path)
    assert (found.b.verdict, found.b.names) == ("CAPSULE_LOST", named)
    words = "names the run of a" if of_this_run else "names a different run, sha256:000000000000…"
    assert f"  b         {path}: a FLAC file without a capsule; its comment {words}" in list(diff_lines(found))


def test_a_codec_that_is_not_read_has_a_way_out(run: Path) -> None:
    """MP4 and WebM are not decoded; the rest is said all the same."""
    path = run.with_name("copy.m4a")
    path.write_bytes(b"\0\0\0\x1cftypM4A \0\0\2\0isomiso2" + bytes(600))
    found = diff(run, path)
    assert (found.exit_code, found.audio) == (3, None)
    assert found.audio_lacks == (
        "an MP4 or M4A file is not decoded here (audio in a codec that is not read): expected a WAV of it: "
        "`ffmpeg -i copy.m4a copy.wav`"
    )
    assert cause_line(found) == "b has no capsule, and its sound could not be compared"


def test_what_is_no_sound_is_refused_as_before(run: Path, tmp_path: Path) -> None:
    """Two bare files have no run to be compared with; a page, a program and nothing at all are no copies."""
    bare, page = copied(run, ".mp3"), tmp_path / "page.html"
    page.write_text("<html><body>not found</body></html>")
    for a, b in ((bare, bare), (run, page), (run, tmp_path / "none.mp3"), (run, tmp_path)):
        with pytest.raises(NotAnArtifact):
            diff(a, b)
