"""What was published comes out again: every released artifact, by the runner and the weights that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttsartifact import Verdict, rerun_runner, verify

RELEASED = sorted((Path(__file__).parent.parent.parent / "fixtures" / "released").rglob("*.tts.wav"))


def test_something_was_published():
    """An empty folder would pass all that follows."""
    assert RELEASED


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_released_artifact_verifies_at_its_level(path):
    """As on the day it was made."""
    (report,) = verify(path)
    assert report.verdict == Verdict.INTACT
    assert (report.findings, report.level_reached) == ((), "L3")


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_released_artifact_comes_out_again_to_the_sample(path):
    """On every machine, with every torch: each stage and each sample."""
    again = rerun_runner(path)
    assert (again.verdict, again.judgement.stages_equal) == ("PCM-EXACT", 8)
    assert again.audio.encoded_equal
    assert not [each.label for each in (*again.causes, *again.others) if each.cause == "weights"]
