"""Settings of a project: found, checked, and named in every report that they shaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.cli import main

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = '[ignore]\nHSH02 = "the header is repaired"\n'


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a run whose stated digest is not its audio's, from a folder two below the project's."""
    path = kit.artifact(tmp_path, patch=kit.put(audio__digest="sha256:" + "0" * 64))
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    return str(path)


def reports(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the one report as JSON."""
    code = main([*argv, "--format", "json"])
    (report,) = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, json.loads(_spec.read("report.schema.json")))
    return code, report


def outcome_of(report: dict[str, Any], rule: str) -> str:
    """Return the outcome of a rule's finding."""
    return next(finding["outcome"] for finding in report["findings"] if finding["rule"] == rule)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ttsartifact.toml", IGNORED),
        ("pyproject.toml", '[project]\nname = "x"\n[tool.ttsartifact.ignore]\nHSH02 = "the header is repaired"\n'),
    ],
)
def test_the_nearest_settings_count_and_are_named(
    name: str, text: str, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found upward from the working directory; the report says the file and what of it counted."""
    assert outcome_of(reports(["verify", changed], capsys)[1], "HSH02") == "fail"
    (tmp_path / name).write_text(text)
    _, report = reports(["verify", changed], capsys)
    assert outcome_of(report, "HSH02") == "suppressed"
    assert report["settings"] == {
        "file": f"../../{name}",
        "ignore": {"HSH02": "the header is repaired"},
        "profiles": [],
    }


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_words_say_it_first(form: str, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader sees it before any verdict."""
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    main(["verify", changed, "-q", "--format", form])
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "settings of ../../ttsartifact.toml: HSH02 ignored (the header is repaired)"


@pytest.mark.parametrize("form", ["tsv", "sarif", "junit", "github"])
def test_forms_without_room_say_it_on_stderr(
    form: str, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never silently, `-q` or not."""
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    main(["verify", changed, "-q", "--format", form])
    said = capsys.readouterr()
    assert said.err == "ttsa: settings of ../../ttsartifact.toml: HSH02 ignored (the header is repaired)\n"
    assert "settings of" not in said.out


def test_isolated_reads_none_and_config_names_one(
    changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line decides; both together contradict each other."""
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    _, report = reports(["verify", changed, "--isolated"], capsys)
    assert "settings" not in report
    other = tmp_path / "strict.toml"
    other.write_text('profiles = ["signed"]\n')
    _, report = reports(["verify", changed, "--config", str(other)], capsys)
    assert report["settings"]["profiles"] == ["signed"]
    assert report["profiles"] == ["signed"]
    assert outcome_of(report, "HSH02") == "fail"
    assert main(["verify", changed, "--isolated", "--config", str(other)]) == 2
    assert "--isolated and --config cannot be combined" in capsys.readouterr().err


def test_quick_leaves_profiles_out_and_says_so(
    changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What hashes nothing can meet no profile; the report names none."""
    (tmp_path / "ttsartifact.toml").write_text('profiles = ["signed"]\n')
    _, report = reports(["verify", changed, "--quick"], capsys)
    assert report["settings"]["profiles"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ignore = 3\n", "ignore is not a table of RULE = REASON"),
        ('[ignore]\nXYZ99 = "why"\n', "ignore XYZ99: unknown rule XYZ99"),
        ('[ignore]\nHSH02 = " "\n', "ignore HSH02: a suppression needs a reason; write HSH02=REASON"),
        ('profiles = ["fast"]\n', "profiles: expected a list of power, energy"),
        ("colour = 1\n", "unknown key colour; expected ignore or profiles"),
        ("a = b = c\n", "not TOML"),
    ],
    ids=str,
)
def test_wrong_settings_are_wrong_usage(
    text: str, words: str, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2, with the file and what is wrong in it; nothing is verified by half a file."""
    (tmp_path / "ttsartifact.toml").write_text(text)
    assert main(["verify", changed]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ttsa: usage: ../../ttsartifact.toml: ") or "not TOML" in said
    assert words in said


def test_a_pyproject_of_others_is_none_of_ours(
    changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the table it is passed over, broken or not, and the search goes on."""
    (tmp_path / "a" / "pyproject.toml").write_text("this is not [TOML")
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    _, report = reports(["verify", changed], capsys)
    assert report["settings"]["file"] == "../../ttsartifact.toml"


def test_a_long_pyproject_of_others_is_passed_over(
    changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One longer than settings may be keeps nobody from verifying: the search goes on."""
    (tmp_path / "a" / "pyproject.toml").write_text("# a lock of everything\n" * 60_000)
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    _, report = reports(["verify", changed], capsys)
    assert report["settings"]["file"] == "../../ttsartifact.toml"


def test_a_deleted_folder_has_no_settings(changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell may still be in it; the file to verify is elsewhere."""
    (tmp_path / "ttsartifact.toml").write_text(IGNORED)
    (tmp_path / "a" / "b").rmdir()
    _, report = reports(["verify", changed], capsys)
    assert "settings" not in report
    assert outcome_of(report, "HSH02") == "fail"
