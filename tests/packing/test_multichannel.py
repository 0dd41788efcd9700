"""Voice and traces as channels of one WAV, and the readings back out of the sound."""

from __future__ import annotations

import io
import uuid
from typing import TYPE_CHECKING

import full_run
import kit
import numpy as np
import refusals
import soundfile

from ttsartifact.cli import main
from ttsartifact.container.source import BytesSource, JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.packing.derived import derived_draft, derived_run_id, render
from ttsartifact.packing.pack import pack
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def read_as_an_editor_does(path: Path) -> np.ndarray:
    """Return the samples of the bare file, by libsndfile."""
    bare = JoinedSource(open_artifact(path).audio)
    samples, _ = soundfile.read(io.BytesIO(bare.read_at(0, bare.size)), dtype="int32", always_2d=True)
    return samples


def test_every_reading_within_the_sound_comes_back(tmp_path: Path) -> None:
    """6.9: from the samples alone, by scale and offset, to the unit; the voice is the voice, shifted up."""
    source = full_run.artifact(tmp_path, name="source.tts.wav")
    made = render(source, tmp_path / "all.tts.wav")
    (report,) = refusals.verify(tmp_path / "all.tts.wav")
    assert (report.verdict, report.findings) == ("INTACT", ())
    assert "AUD20" in report.passed
    before, after = open_artifact(source), open_artifact(tmp_path / "all.tts.wav")
    samples = read_as_an_editor_does(tmp_path / "all.tts.wav")
    voice = read_as_an_editor_does(source)
    assert np.array_equal(samples[:, : voice.shape[1]], voice)
    start, rate = (
        before.descriptor.known("/run/times/t_first_token_ns"),
        before.descriptor.known("/audio/sample_rate_hz"),
    )
    telemetry = before.trace("telemetry")
    assert telemetry is not None
    roles = after.descriptor.known("/audio/roles")
    assert {"power_mw", "util_gpu_pct", "queue/waiting", "queue/running"} <= set(made.channels)
    for place, role in enumerate(roles):
        column = telemetry.columns.get(role.get("name"))
        if column is None:
            continue
        shown = samples[:, place].astype(object) * role["scale"] // (1 << 31) + role["offset"]
        for frame in range(len(samples)):
            now = start + frame * 1_000_000_000 / rate
            held = [v for t, v in zip(telemetry.columns["t_ns"], column, strict=True) if t <= now and v is not None]
            assert shown[frame] == 1000 * held[-1], (role["name"], frame)
    for name in ("telemetry", "queue"):
        assert before.parts.part(f"trace/{name}") == after.parts.part(f"trace/{name}")


def test_a_sample_of_a_channel_that_is_not_its_reading_is_seen(tmp_path: Path) -> None:
    """AUD20: one unit more in one frame of the power, with every digest made anew."""
    path = full_run.rendered(tmp_path)
    artifact = open_artifact(path)
    bare = JoinedSource(artifact.audio)
    data = bytearray(bare.read_at(0, bare.size))
    start, _ = artifact.wave.bare_pcm
    data[start + artifact.wave.format.frame_bytes * 400 + 4 * 5 + 3] ^= 1
    made = derived_draft(artifact, "multichannel", artifact.trace("chunks"), run_words=("again",))
    pack(made, BytesSource(bytes(data)), tmp_path / "forged.tts.wav")
    (report,) = refusals.verify(tmp_path / "forged.tts.wav")
    assert kit.failed(report) == {"AUD20"}
    assert "frame 400 of channel" in report.findings[0].message


def test_as_somebody_types_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The channels are named; one run at a time; a run without traces and encoded audio are refused."""
    source = str(full_run.artifact(tmp_path, name="source.tts.wav"))
    out = str(tmp_path / "all.tts.wav")
    assert main(["convert", source, "--multichannel", "-o", out]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: sha256:")
    assert "beside the voice: clock_event_reasons, clock_mhz, energy_mj" in printed.err
    assert main(["convert", source, source, "--multichannel", "-o", out, "--force"]) == 2
    plain = kit.artifact(tmp_path, name="plain.tts.wav")
    with refusals.raises(Refused, match="the run has no trace to show"):
        render(plain, tmp_path / "x.tts.wav")
    assert not (tmp_path / "x.tts.wav").exists()


def test_the_id_of_a_derived_run_follows_from_its_words() -> None:
    """A UUID of version 8, the same each time, and another where a word ends elsewhere."""
    first = derived_run_id("ab", "c")
    assert first == derived_run_id("ab", "c") != derived_run_id("a", "bc")
    assert (uuid.UUID(first).version, uuid.UUID(first).variant) == (8, uuid.RFC_4122)


def test_a_channel_states_its_unit(tmp_path: Path) -> None:
    """6.9: readings are in the unit of their channel, and a queue is counted in requests."""
    roles = open_artifact(full_run.rendered(tmp_path)).descriptor.known("/audio/roles")
    units = {role["name"]: role["unit"] for role in roles if role["role"] == "sensor"}
    assert (
        units.items()
        >= {"power_mw": "mW", "clock_mhz": "MHz", "util_gpu_pct": "%", "queue/waiting": "requests"}.items()
    )
