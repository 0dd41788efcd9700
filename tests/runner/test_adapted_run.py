"""The reference runner's voice adapted, spoken with, verified and made again through the front door."""

from __future__ import annotations

import numpy as np
import pytest
from kit import wav

import ttsartifact
from ttsartifact import (
    AdaptationClip,
    RunOptions,
    TtsArtifactError,
    adapt_voice,
    rerun_runner,
    run_runner,
    verify,
)

WORDS = "The quick harbor was quiet."
OWN = {"kind": "synthetic", "name": "a hum and some noise"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Write 3.2 s of a hum under noise, and return it with its words."""
    time = np.arange(51_200) / 16_000
    hum = np.sin(2 * np.pi * 120 * time) * (1 + np.sin(2 * np.pi * 3 * time))
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal(len(time))
    path = tmp_path_factory.mktemp("clips") / "hum.wav"
    path.write_bytes(wav((hum * 4000 + noise * 300).astype("<i2").tobytes(), rate_hz=16_000))
    return AdaptationClip(path=str(path), transcript=WORDS, provenance=OWN)


@pytest.fixture(scope="module")
def folder(clip, small_checkpoint_path, tmp_path_factory):
    """Return a folder that holds a base, a delta on it, and a run with both."""
    place = tmp_path_factory.mktemp("voice")
    base = place / small_checkpoint_path.name
    base.write_bytes(small_checkpoint_path.read_bytes())
    few = {"steps": 2, "style_steps": 1, "rank": 2}
    adapt_voice("stable-tts", [clip], place / "me.safetensors", seed=5, parameters=few, weights={base.name: str(base)})
    weights = {name: str(place / name) for name in (base.name, "me.safetensors")}
    run_runner("stable-tts", WORDS, place / "run.tts.wav", RunOptions(weights=weights), attempt=1)
    return place


def test_a_run_of_the_adapted_voice_verifies_at_l3(folder, clip):
    """5.5: the runner states the delta's facts, and they hold together."""
    (report,) = verify(folder / "run.tts.wav")
    assert report.conformant, report.findings
    assert {"PIN12", "PIN17", "PIN18", "REF02", "REF05", "REF06"} <= set(report.passed)
    assert report.level_reached == "L3"
    known = ttsartifact.open(folder / "run.tts.wav").descriptor.known
    assert known("/input/mode") == "adapted"
    assert known("/input/refs/0/origin") == OWN
    assert known("/pins/adaptation/with_prior_preservation") is True


def test_it_is_made_again_and_its_delta_too(folder, clip):
    """10.4: equal samples from the delta, and an equal delta from the clip."""
    found = rerun_runner(folder / "run.tts.wav", weights=folder, readapt=True, references=[clip.path])
    assert found.causes == (), (found.explanation, found.others)
    assert (found.verdict, found.expected, found.exit_code) == ("PCM-EXACT", True, 0)
    assert found.readapted.words == "DELTA-EXACT"


def test_a_delta_on_another_base_is_refused_by_name(folder, clip, tmp_path):
    """The released base is none that this delta belongs to."""
    with pytest.raises(TtsArtifactError, match="wrong base"):
        run_runner(
            "stable-tts",
            WORDS,
            tmp_path / "x.tts.wav",
            RunOptions(weights={"me.safetensors": str(folder / "me.safetensors")}),
        )
    assert not (tmp_path / "x.tts.wav").exists()
