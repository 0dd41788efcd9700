"""claim as somebody types it: new, read, settled on files."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import kit
import pytest

from ttsartifact import _spec
from ttsartifact.claiming.claim import load_claim
from ttsartifact.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CLAIM = """
claim = "1.0"
title = "the second half is longer"
[factor]
by = "order"
after = 4
[held]
free = ["text"]
[runs]
minimum = 4
[[expect]]
metric = "duration"
margin = 5
[[expect]]
metric = "evaluated:wer"
tool = "a-listener@1.0"
effect = "level"
direction = "less"
margin = 0.1
test = "bootstrap"
"""


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    path = tmp_path / "claim.toml"
    path.write_text(CLAIM)
    return path


def session(folder: Path, claim: Path, count: int = 8, **later: Any) -> list[str]:
    """Return runs of 50 ms and more, the later ones 10 ms longer, and `later` stated by them alone."""
    stated = load_claim(claim).digest
    paths = []
    for n in range(count):
        patch = kit.put(
            run__preregistered=[stated],
            run__run_id=f"01a1fd8c-697b-7c3a-9d1f-{n:012x}",
            timebase__origin__utc=f"2026-11-21T10:00:{n:02}.000000000Z",
            traces=[],
            **(later if n >= 4 else {}),
        )
        audio = kit.wav(kit.tone(800 + n + (160 if n >= 4 else 0)))
        draft = kit.draft(traces=())
        paths.append(str(kit.artifact(folder, name=f"{n}.tts.wav", audio=audio, run=draft, patch=patch)))
    return paths


def measurements(folder: Path, runs: list[str], tool: str = "a-listener") -> str:
    from ttsartifact import open as open_run

    path = folder / f"{tool}.json"
    values = {open_run(run).artifact_id: {"values": {"wer": 0.02 + n / 1000}} for n, run in enumerate(runs)}
    document = {"schema": "urn:ttsartifact:1.0:measurements", "tool": {"name": tool, "version": "1.0"}, "runs": values}
    path.write_text(json.dumps(document))
    return str(path)


def test_a_new_claim_is_one_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every template can be read as it stands, and no file is replaced without --force."""
    path = str(tmp_path / "mine.toml")
    assert main(["claim", "new", path, "--template", "prosody-transfer"]) == 0
    assert (
        capsys.readouterr().out == f"{path}: a claim of the template prosody-transfer; change it before the first run\n"
    )
    assert main(["claim", "check", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "claim       The output follows the manner of the reference clip by at least half"
    assert lines[1].startswith("digest      sha256:")
    assert lines[2:6] == [
        "factor      the reference clip",
        "free        seed, text",
        "runs        at least 20",
        "expected    slope of pitch range more than 0.5",
    ]
    assert main(["claim", "new", path, "--template", "prosody-transfer"]) == 4


def test_a_claim_is_settled_on_files(tmp_path: Path, claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text and document agree; the order of the files, and where they lie, change nothing."""
    runs = session(tmp_path, claim)
    found = ["--measurements", measurements(tmp_path, runs)]
    assert main(["claim", "check", str(claim), *runs, *found]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "supported: the second half is longer"
    assert "runs        4 in a, 4 in b" in lines
    assert "measured by a-listener 1.0" in lines
    documents = set()
    for order in (runs, runs[::-1]):
        assert main(["claim", "check", str(claim), *order, *found, "--format", "json"]) == 0
        documents.add(capsys.readouterr().out)
    (document,) = documents
    jsonschema.Draft202012Validator(_spec.load_json("claim-result.schema.json")).validate(json.loads(document))
    assert str(tmp_path) not in document


def test_another_tool_than_the_pinned_one_leaves_it_open(
    tmp_path: Path, claim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, and the reason names the metric."""
    runs = session(tmp_path, claim)
    other = measurements(tmp_path, runs, "a-stranger")
    assert main(["claim", "check", str(claim), *runs, "--measurements", other]) == 3
    out = capsys.readouterr().out
    assert "because evaluated:wer of 8 runs is not known" in out
    assert "no evaluation of it was given" in out


def test_a_confounder_is_named_once(tmp_path: Path, claim: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the reason, and the line of conditions counts it."""
    runs = session(tmp_path, claim, generation__params={"speed": 2})
    assert main(["claim", "check", str(claim), *runs]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "speed" in line] == [
        "  because parameter speed changed at run 5: not stated -> 2 (4 runs)"
    ]
    assert "conditions  1 confounder, named above" in lines


def test_on_a_terminal_a_claim_is_as_wide_as_that_and_its_digest_whole(
    claim: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest is what a log and a run state."""
    claim.write_text(CLAIM.replace("the second half", "of a session of eight short runs the second half"))
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["claim", "check", str(claim)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["claim       of a session of eight short runs the", "            second half is longer"]
    assert load_claim(claim).digest in "".join(lines)
    assert "factor      order of t_submit: a is the first 4" in lines


def test_what_is_wrong_with_a_call_or_a_document(
    tmp_path: Path, claim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage is 2; a file of another shape is named."""
    assert main(["claim", "settle", str(claim)]) == 2
    assert main(["claim", "new", str(tmp_path / "x.toml")]) == 2
    assert "new needs --template, one of session-consistency" in capsys.readouterr().err
    runs = session(tmp_path, claim)
    bad = tmp_path / "bad.json"
    for text in ("[]", "{", '{"schema": "urn:ttsartifact:1.0:measurements"}', "[" * 100_000):
        bad.write_text(text)
        assert main(["claim", "check", str(claim), *runs, "--measurements", str(bad)]) == 4
    claim.write_text("claim = 1\n")
    assert main(["claim", "check", str(claim)]) == 4


def test_a_run_states_and_a_log_holds_the_canonical_digest(
    tmp_path: Path, claim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comment more or less is the same claim, so the log refuses it as one that it holds."""
    log, key = str(tmp_path / "log"), str(tmp_path / "key")
    assert main(["log", "init", log, "--origin", "example.org/runs", "--key", key]) == 0
    assert main(["log", "add", log, str(claim)]) == 0
    assert f"0 claim {load_claim(claim).digest}" in capsys.readouterr().out
    claim.write_text(
        "\ufeff# another comment\n" + CLAIM, encoding="utf-8"
    )  # with a byte order mark, as Notepad writes it
    assert main(["log", "add", log, str(claim)]) == 4
