"""`ttsa conform`: our own verifier goes through the door of strangers, and what is no answer is no pass."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import refusals

from ttsartifact.cli import main
from ttsartifact.conforming.ask import ask, ask_all
from ttsartifact.conforming.kit import differences, hand_out, load
from ttsartifact.errors import Damaged, NotFound, Refused

CASES = load()
KIT = Path(__file__).parent.parent.parent / "fixtures"
OURS = [sys.executable, "-m", "ttsartifact", "verify", "--format", "json"]
GOOD = next(case for case in CASES if case.id == "valid/L2/wav/plain.wav")
BAD = next(case for case in CASES if case.id == "fail/AUD01/44100.wav")


def stranger(folder: Path, body: str) -> list[str]:
    script = folder / "verifier.py"
    script.write_text(textwrap.dedent(body))
    return [sys.executable, str(script)]


def test_the_kit_is_one_of_cases() -> None:
    """At least 300, and at least 60 % of them must fail."""
    assert len(CASES) >= 300
    assert sum(case.must_fail for case in CASES) >= 0.6 * len(CASES)


def test_our_own_verifier_passes_a_sample() -> None:
    """Every folder and every carrier; `make conform` asks about all."""
    sample = {case.id: case for case in CASES[:: max(1, len(CASES) // 20)]}
    for start in ("valid/", "hostile/cut", "hostile/bomb", "acceptable/", "boundary/", "near/"):
        found = next(case for case in CASES if case.id.startswith(start))
        sample[found.id] = found
    answers = list(ask_all(list(sample.values()), OURS, jobs=2, timeout_s=120))
    assert [(answer.case.id, answer.faults) for answer in answers if not answer.passed] == []
    assert len(answers) >= 20


@pytest.mark.exhaustive
def test_our_own_verifier_passes_the_kit(capsys: pytest.CaptureFixture[str]) -> None:
    """N of N."""
    assert main(["conform", "--format", "json", "--timeout", "120", "--", *OURS]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["failed"]) == (len(CASES), 0)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by signal 11"),
        ("raise SystemExit(5)", "exit code 5, which is not a verdict"),
        ("raise SystemExit(2)", "exit code 2, which is not a verdict"),
        (
            r"import os; os.write(2, b'\x9bm\xfcde\n'); raise SystemExit(6)",
            "exit code 6, which is not a verdict: \ufffdm\ufffdde",
        ),
        (
            "import os; os.write(2, b'<' + b'x' * 299 + b'>'); raise SystemExit(7)",
            f"exit code 7, which is not a verdict: {299 * 'x'}>",
        ),
        (
            "import os; os.write(2, b'a' * 1999 + b'bc'); raise SystemExit(8)",
            f"exit code 8, which is not a verdict: {299 * 'a'}b",
        ),
        ("1 / 0", "its output is not a report"),
        ("print('INVALID'); raise SystemExit(1)", "its output is not a report"),
        ("print('[]'); raise SystemExit(1)", "its output is not a report: an empty list"),
        ("print('{}'); raise SystemExit(1)", "its output is not a report: no `findings`"),
        ("""print('{"findings": [{"rule": 1}]}'); raise SystemExit(1)""", "its output is not a report: no `findings`"),
        ("print('[' * 100000); raise SystemExit(1)", "its output is not a report"),
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("""print('{"findings": []}')""", "does not see AUD01; exit code 0, expected 1"),
        (
            """
            print('{"findings": [{"rule": "AUD01", "outcome": "fail"}, {"rule": "AUD02", "outcome": "fail"}]}')
            raise SystemExit(1)
            """,
            "also calls AUD02 broken",
        ),
        (
            """
            print('{"verdict": "BROKEN", "findings": [{"rule": "AUD01", "outcome": "fail"}]}')
            raise SystemExit(1)
            """,
            "verdict BROKEN, expected INTACT",
        ),
        ("""print('{"findings": [{"rule": "AUD01", "outcome": "fail"}]}'); raise SystemExit(1)""", None),
        ("""print('[{"findings": [{"rule": "AUD01", "outcome": "fail"}]}]'); raise SystemExit(1)""", None),
    ],
)
def test_what_is_no_answer_is_no_pass(body: str, fault: str | None, tmp_path: Path) -> None:
    """A crash, a timeout and other output are failures, even of a case that must fail."""
    answer = ask(BAD, stranger(tmp_path, body), timeout_s=1 if "sleep" in body else 30)
    assert answer.passed is (fault is None)
    assert "; ".join(answer.faults).startswith(fault or "")


def test_a_verifier_that_is_not_there() -> None:
    """A name that cannot be started is a failure with its reason."""
    answer = ask(GOOD, ["no-such-verifier-here"])
    assert answer.faults == ("cannot start: No such file or directory",)


def test_a_verifier_leaves_no_child_behind(tmp_path: Path) -> None:
    """What it started is ended with it."""
    body = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open(sys.argv[0] + ".pid", "w").write(str(child.pid))
        time.sleep(60)
    """
    answer = ask(GOOD, stranger(tmp_path, body), timeout_s=3)
    assert not answer.passed
    pid = (tmp_path / "verifier.py.pid").read_text()
    state = Path(f"/proc/{pid}/stat")
    for _ in range(100):  # the signal is sent; the kernel takes its time
        if not state.exists() or state.read_text().split()[2] in {"Z", "X"}:
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")


def test_the_three_formats(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table, a document and JUnit say the same of the same answers."""
    silent = stranger(tmp_path, """print('{"findings": []}')""")
    for form in ("text", "json", "junit"):
        assert main(["conform", "--select", "valid/L2/wav", "--format", form, "--", *silent]) == 0
        assert main(["conform", "--select", "fail/AUD05", "--format", form, "--", *silent]) == 1
        good, bad = _split(capsys.readouterr().out, form)
        if form == "text":
            assert good[-1].endswith(" conform")
            assert bad[0].startswith("fail ")
            assert bad[-1].startswith("0 of ")
            places = [line.split()[1].rstrip(":") for line in bad if line.startswith("failed ")]
            assert [place for place in places if not (KIT / place).is_file()] == []
        elif form == "json":
            assert (good["failed"], bad["passed"]) == (0, 0)
            assert bad["cases"][0]["faults"][0].startswith("does not see AUD05")
        else:
            assert (good.get("failures"), bad.get("failures")) == ("0", bad.get("tests"))


def _split(said: str, form: str):
    if form == "text":
        middle = said.index("conform\n") + 8
        return said[:middle].splitlines(), said[middle:].splitlines()
    if form == "json":
        decoder = json.JSONDecoder()
        good, end = decoder.raw_decode(said)
        return good, json.loads(said[end:])
    return [ET.fromstring(text) for text in said.split('<?xml version="1.0" encoding="UTF-8"?>')[1:]]


def test_an_edited_kit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody passes by mending the kit, and a folder without one says what is missing."""
    with refusals.raises(NotFound) as missing:
        load(str(tmp_path))
    assert str(missing.value) == (
        f"no kit found: expected manifest.json; `ttsa fixtures -o DIR` writes one (at {tmp_path})"
    )
    entry = json.loads((Path(CASES[0].path).parents[3] / "manifest.json").read_text())["fixtures"][0]
    (tmp_path / "x").write_bytes(b"other")
    manifest = {"spec_version": "1.0", "fixtures": [entry | {"file": "x"}], "vectors": []}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with refusals.raises(Damaged):
        load(str(tmp_path))
    assert main(["conform", "--kit", str(tmp_path), "--", "true"]) == 4
    assert main(["conform", "--select", "nothing/", "--", "true"]) == 2
    assert "no file of the kit begins with this" in capsys.readouterr().err


def test_the_kit_is_handed_out_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has no checkout gets the same bytes, and can see whether a copy still has them."""
    out = tmp_path / "new" / "kit"
    assert main(["fixtures", "-o", str(out)]) == 0
    assert main(["fixtures", "-o", str(out), "--check"]) == 0
    (tmp_path / "usual").mkdir()
    assert out.stat().st_mode == (tmp_path / "usual").stat().st_mode, "who can read a folder of the user's can read it"
    (tmp_path / "usual").rmdir()
    assert load(str(out)) == tuple(replace(case, path=str(out / Path(case.path).relative_to(KIT))) for case in CASES)
    assert main(["fixtures", "-o", str(out)]) == 4
    capsys.readouterr()
    (out / "fail/AUD01/44100.tts.wav").write_bytes(b"other")
    (out / "clocks/bounds.json").unlink()
    (out / "near/more\x1b").touch()
    (out / "README.md").write_text("mine")
    (out / "manifest.json").write_text("{}")
    assert main(["fixtures", "-o", str(out), "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "other bytes: fail/AUD01/44100.tts.wav",
        "missing: clocks/bounds.json",
        "other bytes: manifest.json",
        "other bytes: README.md",
        "not of the kit: near/more\\x1b",
        "5 differences from the kit",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_kit_is_handed_out_into_nothing_or_an_empty_folder(kind: str, tmp_path: Path) -> None:
    """What is there already stays as it is, and nothing is left beside it."""
    out = tmp_path / "kit"
    if kind == "file":
        out.write_text("mine")
    elif kind == "folder":
        out.mkdir()
        (out / "mine").touch()
    else:
        out.symlink_to(tmp_path / "nowhere")
    with refusals.raises(Refused):
        hand_out(str(out))
    assert list(tmp_path.iterdir()) == [out]
    assert (out.is_symlink(), out.is_file(), out.is_dir()) == (kind == "link", kind == "file", kind == "folder")


def test_a_kit_that_is_being_written_is_hidden_and_gone_if_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an empty folder that was there and is filled at once, at the end."""
    seen: set[str] = set()

    def copy(source: str, out: str) -> None:
        seen.update(each.name[:6] for each in tmp_path.iterdir())
        shutil.copyfile(source, out)
        if len(seen) > 1 and Path(out).name == "plain.tts.wav":
            Path(out).write_bytes(b"cut")

    (tmp_path / "kit").mkdir()
    monkeypatch.setattr("ttsartifact.conforming.kit.shutil", SimpleNamespace(copyfile=copy, rmtree=shutil.rmtree))
    with refusals.raises(Damaged):
        hand_out(str(tmp_path / "kit"))
    assert seen == {"kit", ".ttsa-"}
    assert list(tmp_path.iterdir()) == [tmp_path / "kit"]
    assert list((tmp_path / "kit").iterdir()) == []


def test_a_folder_to_check_that_is_not_there(tmp_path: Path) -> None:
    """It is not a folder of which everything is missing."""
    with refusals.raises(Refused):
        differences(str(tmp_path / "nowhere"))


def test_nothing_is_read_by_a_shell(tmp_path: Path) -> None:
    """The command is words, not a line."""
    ran = subprocess.run(
        [sys.executable, "-m", "ttsartifact", "conform", "--select", "valid/L0/wav", "--", f"touch {tmp_path}/x;"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 3
    assert "no such command" in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["../other", "a/../../other", "link/other"])
def test_a_kit_names_no_file_outside_itself(tmp_path: Path, place: str) -> None:
    """By its name or through a link; the file is not opened, whatever it holds."""
    folder = tmp_path / "kit"
    folder.mkdir()
    (tmp_path / "other").write_bytes(b"other")
    (folder / "link").symlink_to(tmp_path)
    entry = json.loads((KIT / "manifest.json").read_text())["fixtures"][0]
    manifest = {"spec_version": "1.0", "fixtures": [entry | {"file": place}], "vectors": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with refusals.raises(Refused) as refused:
        load(str(folder))
    assert str(refused.value) == (
        f"a manifest names a file outside its kit: expected a path below the kit (at {place})"
    )
