"""Exit codes and one-line errors of real calls (clause 10.3)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.cli import main, table
from ttsartifact.cli.speak import Usage, worst

if TYPE_CHECKING:
    from pathlib import Path

ECHO = (sys.executable, "-c", "import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])")


@pytest.fixture
def good(tmp_path: Path) -> str:
    return str(kit.artifact(tmp_path))


@pytest.fixture
def changed(tmp_path: Path, good: str) -> str:
    """One bit of the audio is another one."""
    data = bytearray((tmp_path / "run.tts.wav").read_bytes())
    data[200] ^= 1
    path = tmp_path / "changed.tts.wav"
    path.write_bytes(data)
    return str(path)


def test_an_intact_run_is_0(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every rule that was asked holds."""
    assert main(["verify", good]) == 0
    assert ": INTACT - every byte is as it was sealed\n" in capsys.readouterr().out


def test_a_finding_is_1(changed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Changed audio is told with both digests."""
    assert main(["verify", changed, "--format", "json"]) == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "AUDIO_CHANGED"
    assert document["exit_code"] == 1
    assert "HSH02" in {finding["rule"] for finding in document["findings"]}


def test_a_bare_file_is_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No artifact, no verdict over one."""
    bare = tmp_path / "bare.wav"
    bare.write_bytes(kit.wav())
    assert main(["verify", str(bare)]) == 4
    assert main(["show", str(bare)]) == 4
    assert capsys.readouterr().err == (
        "ttsa: a WAV without a capsule: expected a ttsa chunk; `ttsa reattach` puts back that of the recorded run, "
        f"`ttsa record` makes a new run (at {bare}: offset {bare.stat().st_size})\n"
    )


@pytest.mark.parametrize("command", ["verify", "validate", "show", "strip"])
def test_a_file_that_is_not_there_is_4(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unreadable, whatever the command."""
    out = ["-o", str(tmp_path / "out.wav")] if command == "strip" else []
    assert main([command, str(tmp_path / "nothing.tts.wav"), *out]) == 4
    assert "cannot open: No such file or directory" in "".join(capsys.readouterr())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """4, at once."""
    os.mkfifo(tmp_path / "pipe.tts.wav")
    assert main(["verify", str(tmp_path / "pipe.tts.wav")]) == 4


WRONG_CALLS: tuple[tuple[list[str], str], ...] = (
    (["verify"], "FILE... is missing: Artifacts, folders of them, or @LIST"),
    (["verify", "--nonsense", "x"], "there is no option --nonsense ("),
    (
        ["record", "-o", "x.tts.wav", "--text", "t", "espeak-ng", "-w", "{out}", "{text}"],
        "there is no option -w; where it is one of the command's, put -- before the command (",
    ),
    (["record", "-w", "--", "true"], "there is no option -w ("),
    (["verify", "--txt", "x"], "there is no option --txt; did you mean --text, --text-file or --trust? ("),
    (["verify", "x", "--level"], "--level needs a value: The required level ("),
    (["verify", "x", "--quiet=3"], "--quiet takes no value ("),
    (["verify", "x", "--jobs", "zz"], "--jobs: found 'zz', expected a whole number of at least 0 ("),
    (["verify", "x", "--jobs=-1"], "--jobs: found '-1', expected a whole number of at least 0 ("),
    (["convert", "x"], "-o, --out OUT is missing: The file to write atomically; - is stdout ("),
    (["align", "x", "--sensor", "y", "--append"], "--append needs --out ("),
    (["align", "x", "--sensor", "y", "-o", "z"], "--out needs --append ("),
    (["diff", "x"], "B is missing: The run to compare it with ("),
    (["diff", "x", "y", "z"], "'z' was not expected: diff takes A B ("),
    (["recover", "x", "y", "z"], "'y z' was not expected: recover takes JOURNAL ("),
    (["doctor", "x"], "'x' was not expected: doctor takes options only ("),
    (["nonsense"], "unknown command nonsense"),
    (["verify", "x", "--format", "yaml"], "--format: found 'yaml', expected one of text, "),
    (["verify", "x", "--ignore", "HSH02"], "--ignore HSH02: a suppression needs a reason; write HSH02=REASON"),
    (["verify", "x", "--ignore", "XXX99=why"], "--ignore XXX99: unknown rule XXX99"),
    (["verify", "x", "--receipt", "hello"], "--receipt: not a receipt: expected `ttsa1 id=sha256:"),
    (["verify", "x", "y", "--receipt", "hello"], "--receipt: not a receipt"),
    (["verify", "x", "--text", "a", "--text-file", "b"], "--text-file and --text cannot be combined ("),
    (["explain", "HSH2"], "unknown topic HSH2; close to it: "),
    (["schema", "nothing"], "unknown schema nothing; expected one of adapt, attestation, "),
    (["record", "-o", "x.tts.wav", "--", "true"], "give the text by one of --text TEXT and --text-file FILE"),
    (
        ["record", "-o", "x.tts.wav", "--text", "t", "--seed", "many", "--", "true"],
        "--seed many: expected a whole number",
    ),
    (
        ["record", "-o", "x.tts.wav", "--text", "t", "--device", "abacus", "--", "true"],
        "found 'abacus', expected one of cpu, ",
    ),
    (["record", "-o", "x.tts.wav", "--text", "t", "--engine", "e", "--", "true", "{text}"], "no exact version"),
    (["record", "-o", "x.tts.wav", "--text", "t", "--frontend", "e", "--", "true", "{text}"], "(at --frontend)"),
    (["record", "-o", "x.ogg", "--text", "t", "--", "true", "{text}"], "found .ogg, expected one of .tts.wav, "),
    (["record", "-o", "x.tts.wav", "--text", "", "--", "true", "{text}"], "the text is empty"),
    (["record", "-o", "x.tts.wav", "--text", "t", "--", "true"], "the command is never given the text"),
    (["record", "-o", "x.tts.wav", "--text", "t", "--", "true", "{text}", "{ref}"], "takes a reference and none was"),
    (
        ["record", "-o", "x.tts.wav", "--text", "t", "--lang", "a b", "--", "true", "{text}"],
        "found a b, expected lang=",
    ),
    (
        ["record", "-o", "x.tts.wav", "--text", "t", "--pcm", "u8:8000:1", "--", "true", "{text}", "{out}"],
        "raw PCM comes from stdout, not from {out}",
    ),
    (["session", "x", "--metric", "charm"], "unknown metric: found charm, expected pitch, "),
    (["report", "x", "-o", "page.png"], "--out page.png: expected a name that ends in .html ("),
    (["gallery", "x", "-o", "page.txt"], "--out page.txt: expected a name that ends in .html ("),
    (["diff", "-", "-"], "A and B: standard input is one stream; give - once ("),
    (["claim", "check", "--template", "y"], "--template needs `claim new` ("),
    (["claim", "check", "c.toml", "--template=y"], "--template needs `claim new` ("),
    (["claim", "new", "c.toml", "--template", "y"], "--template: found 'y', expected one of session-consistency, "),
)


@pytest.mark.parametrize(
    ("argv", "words"), WRONG_CALLS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_wrong_call_is_2(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr says what was wrong; nothing is on stdout."""
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.startswith("ttsa: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("convert {good} -o {folder}/x.ogg", 2, "found .ogg, expected one of .tts.wav, "),
        ("convert {good} {good} -o {folder}/x.tts.wav", 2, "this carrier holds one run: found 2 runs"),
        (
            "align {good} --sensor {log} --time t --value power --unit W",
            2,
            "the log has no such column: found timestamp, power, expected t (at --time)",
        ),
        (
            "align {good} --sensor {log} --value volts",
            2,
            "the log has no such column: found timestamp, power, expected volts (at --value)",
        ),
        ("conform -- no-such-verifier", 3, "no such command: found no-such-verifier"),
        ("conform --kit {folder} -- true", 4, "no kit found: expected manifest.json"),
    ],
)
def test_what_is_asked_of_good_files_may_be_wrong(
    words: str, code: int, said: str, good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was typed is 2, what is not installed here is 3, and what cannot be read is 4."""
    log = tmp_path / "power.csv"
    log.write_text("timestamp,power\n2026-01-01 12:00:00,5\n")
    assert main(words.format(good=good, folder=tmp_path, log=log).split()) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("diff", {"a": "x"}, "B is missing: The run to compare it with"),
        ("convert", {"files": ["x"]}, "-o, --out OUT is missing: The file to write atomically; - is stdout"),
    ],
)
def test_what_a_parser_lets_pass_is_missing_all_the_same(name: str, given: dict[str, Any], words: str) -> None:
    """The oldest typer beside the newest click hands over None for what has to be given."""
    with pytest.raises(Usage) as caught:
        table.call(table.COMMANDS[name], given)
    assert str(caught.value) == words


def test_what_cannot_be_answered_is_3(tmp_path: Path) -> None:
    """An unknown critical extension leaves the question open."""

    def patch(value: dict[str, Any]) -> None:
        value["ext"] = {"org.example.watermark": {"present": 1}}
        value["ext_critical"] = ["org.example.watermark"]

    assert main(["verify", str(kit.artifact(tmp_path, patch=patch))]) == 3


def test_an_error_of_ours_is_5_and_no_traceback(
    good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crash over a file is that file's report: never a verdict, and never the end of the others."""

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("\x1b[31mboom")

    monkeypatch.setattr("ttsartifact.verifying.engine.verify", crash)
    assert main(["verify", good]) == 5
    said = capsys.readouterr()
    told = said.out.splitlines()
    assert (
        told[0] == f"{good}: NOT_VERIFIED - this verifier could not check the file; this is not a verdict on the file"
    )
    assert told[1].startswith("  internal error: RuntimeError: \\x1b[31mboom (at test_exit_codes.py:")
    assert told[1].endswith("; this is a bug of ours: please report it with the file and this line")
    assert (len(told), said.err) == (2, "")
    monkeypatch.setenv("TTSARTIFACT_TRACEBACK", "1")
    assert main(["verify", good]) == 5
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="closed by a POSIX shell")
def test_closed_streams_change_no_exit_code(good: str, changed: str, tmp_path: Path) -> None:
    """A daemon, and `>&-`, give no stdout at all; the answer is in the exit code."""
    calls = ((good, ">&-", 0), (changed, ">&- 2>&-", 1), (str(tmp_path / "none"), "<&- >&- 2>&-", 4))
    for file, closed, code in calls:
        words = ["sh", "-c", f'exec "$0" -m ttsartifact verify "$1" {closed}', sys.executable, file]
        assert subprocess.run(words, check=False).returncode == code


def test_an_interrupt_is_130(good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell expects of SIGINT."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ttsartifact.verifying.engine.verify", interrupt)
    for call in (["verify", good], ["verify", good, "--jobs", "1"]):
        assert main(call) == 130
        assert capsys.readouterr().err.strip() == "ttsa: interrupted"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 1], 1), ([1, 4], 4), ([4, 2, 1], 2), ([2, 5], 5), ([0, 1, 2, 3, 4, 5], 5)],
)
def test_of_many_files_the_worst_wins(codes: list[int], expected: int) -> None:
    """5 above all, then 2 > 4 > 1 > 3 > 0."""
    assert worst(codes) == expected


def test_many_files_in_one_call(good: str, changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file has its report, and the sum stands last."""
    bare = tmp_path / "bare.wav"
    bare.write_bytes(kit.wav())
    assert main(["verify", good, changed]) == 1
    assert capsys.readouterr().out.endswith("2 runs: 1 AUDIO_CHANGED, 1 INTACT; 1 conformant\n")
    assert main(["verify", good, changed, str(bare), "--format", "jsonl"]) == 4
    verdicts = [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["INTACT", "AUDIO_CHANGED", "NOT_AN_ARTIFACT"]
    assert main(["verify", good, changed, "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_processes_and_order_do_not_change_the_answer(
    good: str, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two processes say what one says, in the order that was asked."""
    asked = ["verify", good, changed, good, changed, "--format", "jsonl"]
    assert main([*asked, "--jobs", "1"]) == main([*asked, "--jobs", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == lines[4:]


def test_a_folder_is_all_artifacts_below_it(good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the order of their names; a folder without any is a wrong call."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "below").mkdir()
    kit.artifact(tmp_path / "below", name="a.tts.wav")
    (tmp_path / "below" / "notes.txt").write_text("no artifact")
    assert main(["verify", str(tmp_path), "--format", "tsv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("\t")[0] for row in rows] == ["file", str(tmp_path / "below" / "a.tts.wav"), good]
    assert main(["verify", str(tmp_path / "empty")]) == 2


def test_a_demanded_level_that_is_not_reached(good: str) -> None:
    """`--level` turns a lower level into a finding."""
    assert main(["verify", good, "--level", "L2"]) == 0
    assert main(["verify", good, "--level", "L3"]) == 1


def test_the_text_that_the_asker_knows(good: str, tmp_path: Path) -> None:
    """It must be the run's."""
    (tmp_path / "text").write_text(kit.TEXT)
    assert main(["verify", good, "--text", kit.TEXT]) == 0
    assert main(["verify", good, "--text-file", str(tmp_path / "text")]) == 0
    assert main(["verify", good, "--text", "Another text."]) == 1


def test_a_receipt_and_the_file_it_was_made_for(good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of `show --receipt` fits its file and no other."""
    assert main(["show", good, "--receipt"]) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith("ttsa1 id=sha256:")
    assert main(["verify", good, "--receipt", line]) == 0
    (tmp_path / "other").mkdir()
    other = str(kit.artifact(tmp_path / "other", audio=kit.wav(bytes(1600))))
    capsys.readouterr()
    assert main(["verify", other, "--receipt", line, "--format", "json"]) == 1
    (document,) = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "INTACT"
    assert [difference["part"] for difference in document["receipt"]["differences"]] == ["id", "audio", "pcm"]
    assert main(["verify", other, "--receipt", line]) == 1
    assert "receipt   audio: the file has sha256:" in capsys.readouterr().out
