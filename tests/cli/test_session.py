"""session as somebody types it, and a manner slope over clips that lie in the artifacts."""

from __future__ import annotations

import json
import struct
import wave
from math import pi, sin
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact import Recorder, Reference, load_claim
from ttsartifact.cli import main
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000


def sine(seconds: float, amplitude: float, hz: float = 997.0) -> bytes:
    """Return a tone of 16 bits; at 997 Hz its loudness is 3.01 dB below its peak (BS.1770-4, annex 1)."""
    count = round(seconds * RATE_HZ)
    return struct.pack(
        f"<{count}h", *(round(32_767 * amplitude * sin(2 * pi * hz * n / RATE_HZ)) for n in range(count))
    )


def session(folder: Path, sounds: list[bytes]) -> list[str]:
    """Return a run of each sound, a second apart."""
    paths = []
    for number, pcm in enumerate(sounds):
        count = len(pcm) // 2
        seconds = range(0, count, RATE_HZ)
        columns = {
            "t_ns": [21_000_017 + 20_000_012 * place // len(seconds) for place in range(len(seconds))],
            "frame_start": list(seconds),
            "frame_count": [min(RATE_HZ, count - start) for start in seconds],
        }
        columns["t_ns"][-1] = 41_000_029
        base = kit.descriptor()["run"]
        first = columns["frame_count"][0]
        run = kit.draft(
            traces=(Trace("chunks", columns),), run=base | {"times": base["times"] | {"first_chunk_frames": first}}
        )
        patch = kit.put(
            run__run_id=f"01a1fd8c-697b-7c3a-9d1f-{number:012x}",
            timebase__origin__utc=f"2026-11-21T10:00:{number:02}.000000000Z",
        )
        paths.append(str(kit.artifact(folder, name=f"{number}.tts.wav", audio=kit.wav(pcm), run=run, patch=patch)))
    return paths


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[list[str]]:
    assert main(["session", *words, "--format", "tsv"]) == 0
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_loudness_is_that_of_the_standard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tone of a tenth of full scale has -23.01 LUFS within the 0.1 of EBU Tech 3341; twice of it 6.02 more."""
    paths = session(tmp_path, [sine(1, 0.1)] * 4 + [sine(1, 0.2)] * 4)
    head, *found = rows(capsys, *paths, "--metric", "loudness", "--metric", "duration")
    assert head == ["run", "artifact_id", "start_ms", "loudness", "duration"]
    assert [float(line[3]) for line in found] == pytest.approx([-23.01] * 4 + [-16.99] * 4, abs=0.1)
    assert {line[4] for line in found} == {"1000.0"}
    assert main(["session", *paths, "--metric", "loudness", "--format", "json"]) == 0
    (course,) = json.loads(capsys.readouterr().out)["courses"]
    assert (course["halves"], course["unit"]) == (6.02, "LUFS")
    assert [each["run"] for each in course["change_points"]] == []  # four runs a side are too few for 1 %
    assert main(["session", *paths, "--metric", "loudness"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "8 runs, in the order of t_submit"
    assert any(line.startswith("loudness (LUFS): mean -19.9") for line in lines)


def test_stretches_are_chunks_of_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that grows louder in its last second says so, and half a second at its end is a stretch too."""
    paths = session(tmp_path, [sine(2, 0.1) + sine(1.5, 0.2), sine(1, 0.1)])
    found = rows(capsys, *paths, "--stretches", "--metric", "loudness")
    assert [line[2] for line in found[1:]] == ["\\N", "\\N", "0", "1000", "2000", "3000", "0"]
    heard = [float(line[3]) for line in found[1:]]
    assert heard[1:] == pytest.approx([-23.01, -23.01, -23.01, -16.99, -16.99, -23.01], abs=0.1)
    assert heard[1] < heard[0] < heard[4]
    assert main(["session", *paths, "--stretches", "--metric", "loudness"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "run  at s  loudness" in lines
    assert any(line.startswith("  1   2.0    -1") for line in lines)


def test_a_picture_a_metric_of_another_tool_and_what_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A picture replaces none without --force; an unknown metric and a file without a run have their words."""
    from ttsartifact import open as open_run

    paths = session(tmp_path, [sine(0.5, 0.1), sine(0.5, 0.2)])
    values = {open_run(path).artifact_id: {"values": {"voice": 0.9 - n / 10}} for n, path in enumerate(paths)}
    document = {
        "schema": "urn:ttsartifact:1.0:measurements",
        "tool": {"name": "ears", "version": "1.0"},
        "runs": values,
    }
    (tmp_path / "voice.json").write_text(json.dumps(document))
    picture = tmp_path / "session.png"
    words = ["session", *paths, "--metric", "evaluated:voice", "--measurements", str(tmp_path / "voice.json")]
    assert main([*words, "--plot", str(picture)]) == 0
    printed = capsys.readouterr()
    assert "measured by ears 1.0" in printed.out
    assert f"{picture}: the picture" in printed.err
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert main([*words, "--plot", str(picture)]) == 4
    assert main([*words, "--plot", str(picture), "--force"]) == 0
    capsys.readouterr()
    assert main(["session", *paths, "--metric", "loudnes"]) == 2
    assert "unknown metric: found loudnes" in capsys.readouterr().err
    (tmp_path / "plain.wav").write_bytes(kit.wav())
    assert main(["session", str(tmp_path / "plain.wav")]) == 4


CLAIM = """
claim = "1.0"
title = "the output follows the manner of its clip by at least half"
[factor]
by = "reference"
[held]
free = ["text"]
[runs]
minimum = 6
[[expect]]
metric = "pitch_range"
effect = "slope"
direction = "greater"
margin = 0.5
test = "permutation"
alpha = 0.05
"""


def glide(semitones: float) -> bytes:
    """Return a second of a buzz whose pitch sweeps so far around 150 Hz, up and down."""
    phase, made = 0.0, []
    for n in range(RATE_HZ):
        phase += 150 * 2 ** (semitones / 24 * sin(2 * pi * n / RATE_HZ)) / RATE_HZ
        made.append(round(2500 * sum(sin(2 * pi * k * phase) / k for k in range(1, 7))))
    return struct.pack(f"<{RATE_HZ}h", *made)


def spoken(folder: Path, claim: Path, follows: float) -> list[str]:
    """Record six answers to clips of other manners, each clip within its artifact."""
    paths = []
    for number, semitones in enumerate((2.0, 4.0, 6.0, 8.0, 10.0, 12.0)):
        clip = folder / f"clip-{number}.wav"
        with wave.open(str(clip), "wb") as file:
            file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            file.writeframes(glide(semitones))
        path = folder / f"{follows}-{number}.tts.wav"
        origin = {"kind": "synthetic", "name": "a buzz"}
        reference = Reference(path=clip, role="prosody", origin=origin, embed=True)
        stated = {"preregistered": [load_claim(claim).digest], "attempt": 1, "references": [reference]}
        with Recorder(path, text=f"Take {number}.", sample_rate_hz=RATE_HZ, **stated) as recorder:
            recorder.submit()
            recorder.chunk(glide(7 + follows * (semitones - 7)))
        paths.append(str(path))
    return paths


def test_a_manner_slope_over_the_clips_within_the_artifacts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who follows four fifths of a clip's manner is supported, who follows a tenth is not."""
    pytest.importorskip("swift_f0", reason="the extra analysis is not installed")
    claim = tmp_path / "manner.toml"
    claim.write_text(CLAIM)
    for follows, code in ((0.8, 0), (0.1, 1)):
        assert main(["claim", "check", str(claim), *spoken(tmp_path, claim, follows), "--format", "json"]) == code
        (decided,) = json.loads(capsys.readouterr().out)["expectations"]
        assert decided["estimate"] == pytest.approx(follows, abs=0.1)
    bare = session(tmp_path, [sine(1, 0.1 + n / 100) for n in range(6)])
    assert main(["claim", "check", str(claim), *bare, "--exploratory"]) == 3
    assert "no reference clip is embedded" in capsys.readouterr().out
