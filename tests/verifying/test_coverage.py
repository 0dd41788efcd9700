"""Every rule of the semantic families has a case that fails it and a run that passes it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import answers
import full_run
import pytest
import write_fixtures

from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    import kit

FAMILIES = ("PIN", "REF", "TXT", "CLK", "TIM", "AUD", "CHK", "TEL", "ENV")
# Not asked of this run, a plain WAV of no registered family; the cases' own files pass them.
OF_OTHER_RUNS = {
    "AUD06",
    "AUD12",
    "AUD20",
    "ENV04",
    "ENV08",
    "PIN15",
    "PIN19",
    "PIN24",
    "PIN25",
    "TEL15",
    "TEL17",
    "TEL27",
    "TEL28",
}
RULES = {key for key in catalogue() if key[:3] in FAMILIES}


def cases(name: str) -> list[kit.Case]:
    spec = importlib.util.spec_from_file_location(f"cases_{name}", Path(__file__).with_name(f"test_{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


def test_each_rule_fails_somewhere():
    """A rule that no case breaks has never been seen to work; ENV04 and TEL15 need two runs and stand elsewhere."""
    names = ("pins", "pins_adaptation", "references", "timeline", "audio", "telemetry", "environment", "statements")
    broken = {case.rule for name in names for case in cases(name)}
    assert RULES - broken == {"ENV04", "TEL15"}


def test_the_words_of_every_case_are_listed():
    """Message, place and both sides of each finding are read by a person when they change."""
    silent = {str(case) for case in write_fixtures.cases() if case.says is None}
    assert silent == set(answers.approved()["cases"]), answers.HOW


def test_each_rule_passes_somewhere(tmp_path):
    """A run of which everything is known leaves no rule without a question."""
    (report,) = verify(full_run.artifact(tmp_path))
    assert RULES - set(report.passed) == OF_OTHER_RUNS
    assert report.level_claimed == "L3"


@pytest.mark.parametrize("key", sorted(RULES))
def test_each_rule_is_described(key):
    """The catalogue says of each what must hold, why, and what to do."""
    entry = catalogue()[key]
    assert entry.name
    assert entry.requires.endswith(".")
    assert entry.fails
    assert not entry.fails.endswith(".")
    assert entry.why.endswith(".")
    assert entry.mend.endswith(".")
    assert entry.grade in {"declared", "consistent", "recomputed", "witnessed"}
