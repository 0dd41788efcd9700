"""The lists of the README are whole: verdicts, formats of reports, and what each level asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ttsartifact.cli.report_streams import VOICES
from ttsartifact.formulas.conditions import needed_at
from ttsartifact.terms.finding import Verdict
from ttsartifact.terms.level import Level

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
OF_NO_ARTIFACT = {
    Verdict.NOT_AN_ARTIFACT,
    Verdict.UNREADABLE,
    Verdict.NOT_FOUND,
    Verdict.NOT_VERIFIED,
    Verdict.NOT_HASHED,
}
SAID = {
    "/audio/digest": "all digests",
    "/pins/engine": "the engine",
    "/run/attempt": "attempt",
    "/run/load/queue_depth_at_submit": "queue depth",
    "/run/times/t_first_token_semantics": "what counts as first token",
    "/generation/device": "device",
    "/input/text/value": "the text",
    "/pins/model": "model",
    "/pins/vocoder": "vocoder",
    "/pins/engine/build": "engine's build",
    "/pins/frontend": "front end",
    "/pins/lock": "lock",
    "/generation/seeds": "seeds",
    "/generation/precision": "precision",
    "/env/os": "machine",
    "/env/cpu": "machine",
}


def test_the_verdicts_of_an_artifact_are_all_named() -> None:
    """From best to worst; the others are of files that were not one, or were not asked."""
    said = re.search(r"The verdict grades the bytes: (.*?)\. A finding", README)
    assert said
    assert re.findall(r"`(\w+)`", said[1]) == [each for each in Verdict if each not in OF_NO_ARTIFACT]


def test_the_formats_are_those_of_verify() -> None:
    """Text is what a reader gets without asking."""
    said = re.search(r"--format (json)`, or ([\w, ]+); (markdown)", README)
    assert said
    assert {said[1], said[3], *said[2].split(", ")} == set(VOICES) - {"text"}


@pytest.mark.parametrize("level", Level)
def test_a_level_asks_for_what_its_row_says(level: Level) -> None:
    """Each field that must be known (clause 9) has its words in the row, and a new field needs some."""
    row = next(line for line in README.splitlines() if line.startswith(f"| {level} "))
    assert [pointer for pointer in needed_at(level) if SAID[pointer] not in row] == []
