"""What the README shows is what happens: its Python runs, and its commands have the options that it names."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import full_run
import kit
import pytest
from typer.testing import CliRunner

from reference_runner.formant import EspeakRunner
from ttsartifact import Request, verify
from ttsartifact.cli.app import app
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "fixtures/README.md", "examples/claims/README.md")),
    *sorted((ROOT / "reference_runner").glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "spec").rglob("*.md")),
]
COMMANDS = sorted(
    {
        (page.relative_to(ROOT).as_posix(), command)
        for page in PAGES
        for pattern in (r"^ *(?:\$ )?(ttsa (?:[^\n]|(?<=\\)\n)+)", r"`(ttsa [^`]+)`")
        for command in re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE)
    }
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


@cache
def help_of(*words: str) -> str:
    """Return what a command says of itself; raises AssertionError for one that is none."""
    said = CliRunner().invoke(app, [*words, "--help"])
    assert said.exit_code == 0, words
    return said.output


def test_every_command_of_our_pages_exists() -> None:
    """Each command and each of its options, of every page that we write, is one that `--help` lists."""
    assert len(COMMANDS) > 100
    for page, command in COMMANDS:
        own, _, engine = command.replace("\\\n", " ").partition(" -- ")
        words = shlex.split(own, comments=True)
        said = help_of(*([words[1]] if len(words) > 1 and words[1].isalpha() else []))
        for place in re.findall(r"\{[a-z]+\}", engine):
            assert words[1] in {"record", "rerun"}, f"{page}: {words[1]} fills no {place}"
        for option in (word.partition("=")[0] for word in words if re.match("--?[a-z]", word)):
            assert re.search(rf"(^|\s|,){re.escape(option)}\b", said), f"{page}: {option} of {command}"


def shown(block: str) -> list[tuple[list[str], str]]:
    """Return the calls of a fenced block and what it shows of their output."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return [(shlex.split(call), told.strip()) for call, told in zip(parts[::2], parts[1::2], strict=True)]


def is_shown(told: str, said: str) -> bool:
    """Tell whether a page shows an output: digests may be others, and `…` stands for what was left out."""
    digest = re.compile(r"sha256:[0-9a-f]+")
    pieces = [re.escape(piece) for piece in digest.sub("sha256:0", told).split("…")]
    return re.fullmatch("(?s:.*)".join(pieces), digest.sub("sha256:0", said.strip())) is not None


def cloned(name: str, clip: bytes) -> dict[str, object]:
    """Return a run that took `clip` for its voice, whose durations and what follows depend on it."""
    reference = full_run.draft().descriptor["input"]["refs"][0] | {
        "digest": digest.of(clip), "size": len(clip), "origin": {"kind": "recording", "name": "me"},
        "segment": absent("not_applicable"), "fed": absent("not_applicable"), "embedded": False,
    }  # fmt: skip
    stages = [("text_normalised", b""), ("prosody_tokens", b""), ("duration", clip), ("mel", clip)]
    value = kit.descriptor()
    value["input"] |= {"refs": [reference], "mode": "cloned"}
    value["generation"]["stages"] = [{"stage": stage, "digest": digest.of(content)} for stage, content in stages]
    return {"name": name, "run": kit.draft(input=value["input"], generation=value["generation"])}


def test_the_outputs_of_the_readme_are_those_of_its_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `$ ttsa …` of a fenced block prints what stands below it, with espeak-ng as the engine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    kit.artifact(tmp_path, **cloned("monday.tts.wav", b"one clip"))
    kit.artifact(tmp_path, audio=kit.wav(kit.tone(800)[::-1]), **cloned("tuesday.tts.wav", b"another clip"))
    blocks = [shown(block) for block in re.findall(r"^```\n(\$ .*?)^```$", README, re.MULTILINE | re.DOTALL)]
    calls = [call for block in blocks for call in block]
    assert [words[:2] for words, _ in calls] == [["ttsa", name] for name in ("record", "verify", "rerun", "diff")]
    for words, told in calls:
        said = CliRunner().invoke(app, words[1:])
        assert is_shown(told, said.stdout), f"{words}\n{said.output}"


def test_an_output_that_changed_is_seen() -> None:
    """Only digests and what an ellipsis leaves out may differ."""
    assert is_shown("a: sha256:12, level L1", "a: sha256:34ef, level L1\n")
    assert not is_shown("a: sha256:12, level L1", "a: sha256:34ef, level L2")
    assert is_shown("first\n…", "first\nsecond\nthird\n")
    assert not is_shown("first", "first\nsecond")


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
