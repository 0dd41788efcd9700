"""`ttsa diff`, called as people call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Two runs that differ in their queue depth."""

    def deeper(value: dict[str, Any]) -> None:
        value["run"]["run_id"] = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"
        value["run"]["load"]["queue_depth_at_submit"] = 12

    return str(kit.artifact(tmp_path)), str(kit.artifact(tmp_path, name="b.tts.wav", patch=deeper))


@pytest.mark.parametrize("form", ["text", "json", "tsv", "markdown"])
def test_every_format_names_the_change_and_says_it_twice_alike(
    pair: tuple[str, str], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the same bytes each time."""
    said = []
    for _ in range(2):
        assert main(["diff", *pair, "--format", form]) == 1
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "queue depth" in said[0]


def test_the_first_line_is_the_answer(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """It needs no second one."""
    main(["diff", *pair])
    assert capsys.readouterr().out.splitlines()[0] == "queue depth: 0 -> 12 - every sample is the same"


def test_a_run_does_not_differ_from_itself(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and the document says so."""
    assert main(["diff", pair[0], pair[0], "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_code"], document["cause"], document["changes"]) == (0, None, [])


def test_what_is_no_artifact_is_4(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is compared with what cannot be read."""
    letter = tmp_path / "letter.txt"
    letter.write_text("The run was fine.\n")
    assert main(["diff", pair[0], str(letter)]) == 4
    assert capsys.readouterr().err.startswith("ttsa: not an artifact but text: found The run was fine., expected")
