"""Every sample of fixtures/released comes out again, by the runner and the weights that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

import ttsartifact
from ttsartifact import Verdict, rerun_runner, verify

SAMPLES = sorted((Path(__file__).parent.parent.parent / "fixtures" / "released").rglob("*.tts.wav"))


def test_there_are_samples():
    """An empty folder would pass all that follows."""
    assert SAMPLES


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_sample_verifies_at_its_level(path):
    """Every byte as it was sealed, and nothing missing for a rerun."""
    (report,) = verify(path)
    assert report.verdict == Verdict.INTACT
    assert (report.findings, report.level_reached) == ((), "L3")
    assert ttsartifact.open(path).descriptor.known("/generation/marking") == "none"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_sample_comes_out_again_equal_in_every_pcm_sample(path):
    """On every machine, with every torch: each stage and each sample, of a run on a GPU too."""
    again = rerun_runner(path, parameters={"device": "cpu"})
    assert (again.verdict, again.judgement.stages_equal) == ("PCM-EXACT", 8)
    assert again.audio.encoded_equal
    assert not [each.label for each in (*again.causes, *again.others) if each.cause == "weights"]
