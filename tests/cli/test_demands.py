"""What an asker may demand of verify: a profile, a severity, less than all; and what explain says of the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.cli import main
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> str:
    return str(kit.artifact(tmp_path))


@pytest.fixture
def warned(tmp_path: Path) -> str:
    return str(kit.artifact(tmp_path, name="warned.tts.wav", patch=kit.put(run__notes="see /home/jo/notes")))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    code = main(["verify", *words, "--format", "json"])
    (document,) = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, _spec.load_json("report.schema.json"))
    return code, document


def test_fail_on_warn_counts_warnings(warned: str, capsys: pytest.CaptureFixture[str]) -> None:
    """10.1: an asker may count warnings; what could not be asked is another matter."""
    assert told(capsys, warned)[0] == 0
    assert told(capsys, warned, "--fail-on", "error")[0] == 0
    assert told(capsys, warned, "--fail-on", "warn")[0] == 1
    assert told(capsys, warned, "--fail-on", "warn", "--ignore", "PRV01=it is mine")[0] == 0


def test_quick_says_that_it_hashed_nothing(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """10.1: sizes and structure; a changed sample goes unseen, a changed size does not, and the verdict is open."""
    code, document = told(capsys, run, "--quick")
    assert (code, document["verdict"]) == (0, "NOT_HASHED")
    assert "HSH04" in document["passed"]
    assert not {"HSH02", "SEA02"} & set(document["passed"])
    with open(run, "r+b") as file:
        file.seek(50)
        file.write(b"!")
    assert told(capsys, run, "--quick")[0] == 0
    assert told(capsys, run)[0] == 1
    assert main(["verify", run, "--quick"]) == 0
    assert "no digest was computed" in capsys.readouterr().out


def test_quick_takes_nothing_that_needs_hashing(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile or a text cannot be asked without looking."""
    assert main(["verify", run, "--quick", "--profile", "power"]) == 2
    assert "--quick computes no digest" in capsys.readouterr().err


def test_sizes_are_asked_quickly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10.1: a stated size is a question of structure."""
    path = str(kit.artifact(tmp_path, patch=kit.put(audio__size=3)))
    code, document = told(capsys, path, "--quick")
    assert (code, [finding["rule"] for finding in document["findings"]]) == (1, ["HSH04"])


def test_a_profile_is_demanded(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """9.5: what is missing for it is said; what needs other runs leaves it open."""
    code, document = told(capsys, run, "--profile", "power", "--profile", "session")
    assert code == 1
    assert document["profiles"] == ["power", "session"]
    assert {finding["rule"] for finding in document["findings"]} == {"CLM01", "CLM02"}
    assert told(capsys, run, "--profile", "latency")[0] == 3


def test_a_level_is_demanded(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """9: and the rule that says so counts once, as failed."""
    code, document = told(capsys, run, "--level", "L3")
    assert code == 1
    assert "SCH10" not in document["passed"]
    assert [finding["rule"] for finding in document["findings"]] == ["SCH10"]


def test_grades_are_those_of_what_passed(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """10.6: what each pass is worth stands beside it."""
    _, document = told(capsys, run)
    assert list(document["grades"]) == document["passed"]
    assert document["grades"]["HSH02"] == "recomputed"
    assert document["grades"]["PIN05"] == "declared"


def test_hints_stand_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10.6: they are neither findings nor part of the exit code, even of a strict asker."""
    path = str(kit.artifact(tmp_path, patch=kit.put(input__text__value=absent("withheld"))))
    code, document = told(capsys, path, "--strict")
    assert [hint["hint"] for hint in document["hints"]] == ["HSH15"]
    assert document["findings"] == []
    assert main(["verify", path]) == 0
    assert "hint      HSH15" in capsys.readouterr().out
    assert code == told(capsys, path, "--strict", "--fail-on", "warn")[0]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("PIN01", ["fixtures", "fail/PIN01/", "evidence", "declared"]),
        ("CLM03", ["the profile latency", "9.5 of ttsartifact"]),
        ("tim05", ["PlausibleSpeed", "never decides"]),
        ("ENV06", ["left out", "TIM09"]),
    ],
)
def test_every_id_is_explained(key: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A rule, a heuristic, and one that was left out."""
    assert main(["explain", key]) == 0
    said = capsys.readouterr().out
    assert [word for word in words if word not in said] == []
