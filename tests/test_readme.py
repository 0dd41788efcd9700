"""What the README shows is what happens: its Python runs, and its commands have the options that it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from reference_runner.formant import EspeakRunner
from ttsartifact import Request, verify
from ttsartifact.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "\n".join(
    (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "reference_runner/README.md", "docs/costs.md")
)
COMMANDS = re.findall(r"^(?:\$ )?(ttsa (?:[^\n]|(?<=\\)\n)+)", PAGES, re.MULTILINE) + re.findall(
    r"`(ttsa [^`]+)`", PAGES
)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_the_python_examples_record_a_real_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str) -> None:
    """Each block runs as it stands, given an engine that streams and a loudspeaker."""
    monkeypatch.chdir(tmp_path)
    text = "The quick brown fox."
    runner = EspeakRunner()
    parameters = {parameter.name: parameter.default for parameter in runner.describe().parameters}
    runner.prepare(Request(text=text, parameters=parameters))
    engine = SimpleNamespace(stream=lambda _text: runner.stream())
    exec(block, {"text": text, "engine": engine, "play": len})
    runner.finish()
    (path,) = tmp_path.iterdir()
    (report,) = verify(path)
    assert report.conformant


def test_every_command_of_the_readme_exists() -> None:
    """Each command and each of its options is one that `--help` lists."""
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        words = shlex.split(command.replace("\\\n", " ").partition(" -- ")[0])
        said = CliRunner().invoke(app, [words[1], "--help"] if len(words) > 1 and words[1][0] != "…" else ["--help"])
        assert said.exit_code == 0, command
        for option in (word.partition("=")[0] for word in words if word.startswith("-")):
            assert re.search(rf"(^|\s|,){re.escape(option)}\b", said.output), f"{option} of {command}"


def test_the_readme_is_read_in_five_minutes() -> None:
    """At most 1,200 words; and every page that it points to is there."""
    assert len(README.split()) <= 1_200
    for page in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / page).exists(), page


def test_the_example_of_claims_is_of_the_claims_that_lie_beside_it() -> None:
    """The results name the digests of the committed claims, and their log holds the claims before the runs."""
    import json

    from ttsartifact.attesting.runlog import Entry, RunLog
    from ttsartifact.claiming.claim import load_claim

    folder = ROOT / "examples" / "claims"
    entries = [Entry.from_bytes(each) for each in RunLog(folder / "results" / "log").entries()]
    for name in ("faster", "same-voice"):
        digest = load_claim(folder / f"{name}.toml").digest
        result = json.loads((folder / "results" / f"{name}.json").read_text(encoding="utf-8"))
        assert result["claim"] == digest
        assert digest in {each.digest for each in entries[:2]}
        shown = {each["artifact_id"] for each in result["values"]}
        assert shown == {each.digest for each in entries[2:]}
