"""adapt, run --voice and rerun --readapt from the command line, with an adapter that really computes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING

import jsonschema
import kit
import pytest
import tiny_voice
from breaking_pipe import Pipe

from ttsartifact import Refused, RunOptions, _spec, run_runner
from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with three clips and their words, where the tiny voice is installed."""
    tiny_voice.installed_in(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    environment._installed.cache_clear()
    for name, frames in (("a", 800), ("b", 900), ("long", 16_000)):
        (tmp_path / f"{name}.wav").write_bytes(kit.wav(kit.tone(frames)))
    (tmp_path / "lines.txt").write_text("first words\nsecond words\nthe last of them\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    environment._installed.cache_clear()


CLIPS = ["a.wav", "b.wav", "long.wav"]
SAID = ["--transcripts", "lines.txt", "--adapter", "tiny", "--seed", "3"]
CALL = ["adapt", *CLIPS, *SAID, "--provenance", "recording:me", "-o", "mine.safetensors"]


def test_adapt_run_verify_rerun(work: Path, capsys: Captured) -> None:
    """The whole way: a voice, a run with it, its rules, its rerun, and its making made again."""
    assert main([*CALL, "--param", "steps=6"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    delta = tiny_voice.of((work / "mine.safetensors").read_bytes())
    base, one = tiny_voice.of(tiny_voice.BASE), tiny_voice.of((work / "a.wav").read_bytes())
    assert lines[:3] == [
        f"mine.safetensors: {delta}",
        f"  base      {base}",
        f"  clip      a.wav: 0.05 s, {one}",
    ]
    assert "  prior     preserved by 1 sample" in lines
    assert "  learnt    6 steps" in lines
    assert [line.split()[-2] for line in lines if "sha256" in line][-5:] == [
        "base",
        "clips",
        "priors",
        "config",
        "seed",
    ]
    advice = "listen to it, check its words, or leave it out"
    assert lines[-2:] == [
        f"  outlier   long.wav is unlike the other clips: {advice}",
        "  next      ttsa run TEXT --voice mine.safetensors -o OUT",
    ]
    out = str(work / "hello.tts.wav")
    assert main(["run", "Hello.", "--runner", "tiny", "--voice", "mine.safetensors", "-o", out]) == 0
    capsys.readouterr()
    assert main(["verify", out]) == 0
    facts = "tiny-loudness, 3 target clips, 1 prior clip to preserve the base, 6 steps, with its chain"
    told = f"{facts}; delta {delta} on base {base}"
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  voice")] == [f"  voice     adapted: {told}"]
    assert main(["show", out]) == 0
    assert f"  adaptation   {told}" in capsys.readouterr().out.splitlines()
    assert main(["rerun", out]) == 3
    assert f"mine.safetensors, {delta}; give its folder with --weights" in capsys.readouterr().out
    assert main(["rerun", out, "--weights", "."]) == 0
    capsys.readouterr()
    given = [word for clip in CLIPS for word in ("--ref", clip)]
    assert main(["rerun", out, "--weights", ".", "--readapt", *given]) == 0
    said_again = capsys.readouterr().out.splitlines()
    assert said_again[0] == "plan: adapt again with the installed adapter tiny, with the settings of the delta"
    assert f"  delta     DELTA-EXACT - adapting again gave the same bytes, {delta}" in said_again
    assert main(["rerun", out, "--weights", ".", "--readapt", *given, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(_spec.load_json("rerun.schema.json")).validate(document)


def test_the_document_holds_to_its_schema(work: Path, capsys: Captured) -> None:
    """What a machine is told is what every run with the voice will state."""
    assert main([*CALL, "--format", "json", "--no-preserve"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(_spec.load_json("adapt.schema.json")).validate(document)
    assert document["delta"] == document["adaptation"]["delta"]
    assert document["adaptation"]["prior_refs"] == []
    assert [each["role"] for each in document["references"]] == ["target"] * 3


@pytest.mark.parametrize(
    ("words", "kind", "name"),
    [
        ("recording:me", "recording", "me"),
        ("synthetic: virtual speaker 3", "synthetic", "virtual speaker 3"),
        ("my own voice: a kitchen", "other", "my own voice: a kitchen"),
    ],
)
def test_where_clips_come_from(work: Path, capsys: Captured, words: str, kind: str, name: str) -> None:
    """Words without a kind are of kind other."""
    assert main(["adapt", *CLIPS, *SAID, "--provenance", words, "-o", "x.safetensors", "--format", "json"]) == 0
    origins = [each["origin"] for each in json.loads(capsys.readouterr().out)["references"][:3]]
    assert origins == [{"kind": kind, "name": name}] * 3


def test_a_provenance_for_each_clip(work: Path, capsys: Captured) -> None:
    """In the order of the clips."""
    each = [word for name in "123" for word in ("--provenance", f"recording:day {name}")]
    assert main(["adapt", *CLIPS, *SAID, *each, "-o", "x.safetensors", "--format", "json"]) == 0
    names = [entry["origin"]["name"] for entry in json.loads(capsys.readouterr().out)["references"][:3]]
    assert names == ["day 1", "day 2", "day 3"]


@pytest.mark.parametrize(
    ("lines", "call", "message"),
    [
        ("one\n", CALL, "--transcripts lines.txt: 1 lines for 3 clips; expected one line per clip"),
        ("one\n\nthree", CALL, "--transcripts lines.txt: line 2 is empty; it takes what clip 2 says"),
        ("1\n2\n3\n4\n", CALL, "--transcripts lines.txt: 4 lines for 3 clips; expected one line per clip"),
        ("\udcff\n", CALL, "--transcripts lines.txt: not UTF-8 at byte 0"),
        (
            "1\n2\n3\n",
            [*CALL, "--provenance", "x"],
            "--provenance: given 2 times for 3 clips; give it once, or once per clip",
        ),
        ("1\n2\n3\n", [*CALL, "--param", "steps"], "--param steps: expected NAME=VALUE"),
        ("1\n" * 21, ["adapt", *["a.wav"] * 21, *CALL[4:]], "adapter tiny takes 1 to 20 clips; there are 21"),
    ],
)
def test_wrong_calls(work: Path, capsys: Captured, lines: str, call: list[str], message: str) -> None:
    """2, one line that names both sides, and no file."""
    (work / "lines.txt").write_bytes(lines.encode("utf-8", "surrogateescape"))
    assert main(call) == 2
    assert message in capsys.readouterr().err
    assert not (work / "mine.safetensors").exists()


def test_a_voice_that_adapts_nothing_is_refused(work: Path) -> None:
    """A runner that would speak with another voice than the one that was asked for leaves no file."""
    with pytest.raises(Refused, match="runner tiny did not apply the adapted voice: found no weight file"):
        run_runner("tiny", "Hello.", "x.tts.wav", RunOptions(adapted=True))
    assert not (work / "x.tts.wav").exists()


def test_where_the_rerun_is_kept_is_asked_first(work: Path, capsys: Captured) -> None:
    """Before the plan, and before anything is adapted again."""
    assert main(CALL) == 0
    assert main(["run", "Hello.", "--runner", "tiny", "--voice", "mine.safetensors", "-o", "x.tts.wav"]) == 0
    capsys.readouterr()
    for kept, ends_with in (("x.tts.wav", 4), ("nowhere/y.tts.wav", 4), ("y.txt", 2)):
        given = [word for clip in CLIPS for word in ("--ref", clip)]
        assert main(["rerun", "x.tts.wav", "--weights", ".", "--readapt", *given, "--keep", kept]) == ends_with
        assert capsys.readouterr().out == ""


def test_a_fifo_is_no_clip(work: Path, capsys: Captured) -> None:
    """It is refused before an engine opens it and waits for ever; so it is as a voice and as a reference."""
    os.mkfifo(work / "pipe")
    wanted = "ttsa: not a regular file: found a FIFO, expected a regular file (at pipe)\n"
    for call in (
        ["adapt", "pipe", *CALL[2:]],
        [*CALL, "--base", "pipe"],
        ["run", "Hello.", "--runner", "tiny", "--voice", "pipe", "-o", "x.tts.wav"],
        ["run", "Hello.", "--runner", "tiny", "--ref", "pipe", "-o", "x.tts.wav"],
    ):
        assert main(call) == 4
        assert capsys.readouterr().err == wanted


def test_a_folder_that_is_not_there(work: Path, capsys: Captured) -> None:
    """Its own name is told, and not that of a file that we would have made in it."""
    assert main([*CALL[:-1], "nowhere/mine.safetensors"]) == 4
    told = f"expected a folder that is there (at {work / 'nowhere'})"
    assert told in capsys.readouterr().err


def test_other_breaks_end_no_transcript(work: Path, capsys: Captured) -> None:
    """A mark at the beginning and carriage returns go; a line separator of Unicode may stand in what is said."""
    (work / "lines.txt").write_bytes("\ufefffirst\u2028words\r\nsecond\r\nthird\r\n".encode())
    assert main([*CALL, "--format", "json"]) == 0
    said = [each["transcript_digest"] for each in json.loads(capsys.readouterr().out)["references"][:3]]
    assert said == [tiny_voice.of(words.encode()) for words in ("first\u2028words", "second", "third")]


def test_whole_or_not_at_all(work: Path, capsys: Captured) -> None:
    """A delta is replaced when that is said; a clip that cannot be read leaves nothing."""
    assert main(CALL) == 0
    assert main(CALL) == 4
    assert "the output exists; use --force to replace it" in capsys.readouterr().err
    before = (work / "mine.safetensors").read_bytes()
    assert main([*CALL, "--force", "--param", "steps=50"]) == 0
    assert (work / "mine.safetensors").read_bytes() != before
    (work / "b.wav").write_bytes(b"no sound")
    before = (work / "mine.safetensors").read_bytes()
    names = sorted(entry.name for entry in work.iterdir())
    assert main([*CALL, "--force"]) == 4
    assert (work / "mine.safetensors").read_bytes() == before
    assert sorted(entry.name for entry in work.iterdir()) == names


def test_two_files_of_one_name(work: Path, capsys: Captured) -> None:
    """The descriptor could not tell them apart."""
    call = ["run", "Hello.", "--runner", "tiny", "--voice", "x/mine.safetensors", "--weights", "mine.safetensors"]
    assert main([*call, "-o", "x.tts.wav"]) == 2
    assert "two files have the same name" in capsys.readouterr().err


def test_readapt_is_the_runners(work: Path) -> None:
    """A command cannot adapt again."""
    assert main(["rerun", str(kit.artifact(work)), "--readapt", "--", "true", "{text}"]) == 2


def test_runs_of_a_batch_are_named_by_their_lines(work: Path, capsys: Captured) -> None:
    """From 001, so that a name says which line was spoken; a line without words is none and keeps its number."""
    (work / "texts.txt").write_text("One.\n\nThree.\n")
    call = ["run", "--runner", "tiny", "--batch", "texts.txt", "--batch-size", "1", "--sensor", "none"]
    assert main([*call, "-o", "runs"]) == 0
    written = {path.name: open_artifact(path) for path in (work / "runs").iterdir()}
    spoken = {name: found.descriptor.at("/input/text/value") for name, found in written.items()}
    assert spoken == {"001.tts.wav": "One.", "003.tts.wav": "Three."}
    capsys.readouterr()
    assert main([*call, "-o", "-"]) == 2
    assert "--batch writes many files; -o names a folder then" in capsys.readouterr().err


def test_one_run_may_go_to_standard_output(work: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Only a batch needs a folder."""
    assert main(["run", "Hello.", "--runner", "tiny", "--sensor", "none", "-o", "-"]) == 0
    (work / "x.tts.wav").write_bytes(capfdbinary.readouterr().out)
    assert open_artifact(work / "x.tts.wav").descriptor.at("/input/text/value") == "Hello."


def test_a_voice_that_is_taken_in_part_stays_under_a_name_of_its_kind(
    work: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where `run --voice` takes it."""
    own = work / "own"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Pipe(3))
        assert main([*CALL[:-1], "-"]) == 4
    said = next(line for line in capsys.readouterr().err.splitlines() if "only a part" in line)
    (kept,) = own.rglob("*.safetensors")
    assert said == f"ttsa: standard output took only a part of the file; the whole of it is {kept}"
    assert main(["run", "Hello.", "--runner", "tiny", "--voice", str(kept), "-o", "x.tts.wav"]) == 0
