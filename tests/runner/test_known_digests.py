"""The eight requests whose digests are known give them here: what a GPU will be compared with."""

from __future__ import annotations

import json
from dataclasses import replace

import known_digests
import pytest

from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.request import Numerics
from reference_runner.synthesis.synthesizer import Synthesizer

KNOWN = json.loads(known_digests.FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def synthesizer():
    return Synthesizer(load_checkpoint())


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    return known_digests.requests(known_digests.write_clip(tmp_path_factory.mktemp("clip") / "clip.wav"))


def test_the_file_is_of_the_released_checkpoint(synthesizer, requests):
    """And has every request, in both profiles."""
    assert KNOWN["checkpoint"] == f"sha256:{synthesizer.checkpoint.digest}"
    assert list(KNOWN["requests"]) == list(requests)
    assert len(requests) == 8
    assert {tuple(each) for each in KNOWN["requests"].values()} == {("exact", "native")}


QUICK = ("no steps", "a clip's voice and manner")


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.exhaustive) for each in KNOWN["requests"]],
)
def test_exact_gives_the_known_digests(name, synthesizer, requests):
    """Every stage, on every machine."""
    found, _ = known_digests.spoken(synthesizer, replace(requests[name], numerics=Numerics.EXACT))
    assert found == KNOWN["requests"][name]["exact"]
