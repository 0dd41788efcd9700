"""What was handed over is no artifact, or the machine cannot judge it: both are said, and neither accuses a file."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.receipt import of
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Capture = pytest.CaptureFixture[str]

RECEIPT = "sha256:" + "ab" * 32  # nothing is compared with it where no file could be read
WRITE = "WAV, FLAC, MP3 or Parquet; `ttsa record` and `ttsa pack` write artifacts"
STAND_INS = {
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n": (
        "not an artifact but a Git LFS pointer: found version https://git-lfs.github.com/spec/v1, "
        "expected the file itself: `git lfs pull` fetches it"
    ),
    gzip.compress(
        b"RIFF", mtime=0
    ): "not an artifact but a gzip file: found \\x1f\\x8b\\x08\\x00, expected the file in it: unpack it with `gunzip`",
    b"PK\x03\x04rest": (
        "not an artifact but a ZIP archive: found PK\\x03\\x04, expected a file in it: unpack it with `unzip`"
    ),
    b"\n<!DOCTYPE html><html>": (
        "not an artifact but a page of HTML or XML: found <!DOCTYPE html><html>, "
        "expected the file itself: the server sent a page in its place"
    ),
    b'{"error":{"message":"no such voice"}}': (
        'not an artifact but JSON: found {"error":{"message":"no such voice"}}, '
        "expected the file itself: the server sent an answer in its place"
    ),
    b"": f"not an artifact but an empty file: found 0 bytes, expected {WRITE}",
    b"hello\n": f"not an artifact but text: found hello, expected {WRITE}",
    b"\x01\x02\x03": (
        "not an artifact but a file of unknown format: found \\x01\\x02\\x03, expected WAV, FLAC, MP3 or Parquet"
    ),
}


def verified(capsys: Capture, *call: str, code: int) -> dict[str, Any]:
    assert main(["verify", *call, "--format", "json"]) == code
    documents: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    (document,) = documents
    return document


@pytest.mark.parametrize("data", STAND_INS, ids=lambda data: repr(data[:8]))
def test_a_stand_in_is_called_what_it_is(data: bytes, tmp_path: Path, capsys: Capture) -> None:
    """No run was read, so none is accused; the finding says what to do."""
    path = tmp_path / "run.tts.wav"
    path.write_bytes(data)
    document = verified(capsys, str(path), code=4)
    (finding,) = document["findings"]
    said = f"{finding['message']}: found {safe(finding['found'])}, expected {finding['expected']}"
    assert (document["verdict"], finding["rule"], said) == ("NOT_AN_ARTIFACT", "CON01", STAND_INS[data])


@pytest.mark.parametrize(
    ("name", "verdict", "message"),
    [
        ("nosuch.tts.wav", "NOT_FOUND", "cannot open: No such file or directory"),
        ("https://example.org/run.tts.wav", "NOT_FOUND", "this is an address, and no file is downloaded"),
        ("fifo", "UNREADABLE", "not a regular file"),
    ],
)
def test_what_cannot_be_read_breaks_no_rule(
    name: str, verdict: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Of a file that is not there nothing is known: a reason in place of findings."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    document = verified(capsys, name, code=4)
    assert (document["verdict"], document["findings"], document["reason"]["message"]) == (verdict, [], message)
    for spelling in ("text", "tsv", "junit", "sarif", "github", "markdown"):
        assert main(["verify", name, "--format", spelling]) == 4
        assert message in capsys.readouterr().out
    assert main(["verify", name, "--receipt", RECEIPT]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines[:-1]] == [f"{name}: {verdict}"]
    assert lines[0].endswith(("or no such row in it", "the file is not readable"))
    assert message in lines[-1]


def test_plain_audio_states_no_run(tmp_path: Path, capsys: Capture) -> None:
    """A WAV without a capsule breaks CON04, and is NOT_AN_ARTIFACT in two lines."""
    (tmp_path / "a.wav").write_bytes(kit.wav())
    assert main(["verify", str(tmp_path / "a.wav")]) == 4
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'a.wav'}: NOT_AN_ARTIFACT - the file states no run"


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_audio_that_lost_its_capsule_names_its_run(suffix: str, tmp_path: Path, capsys: Capture) -> None:
    """Ffmpeg carries the comment of clause 3.2 into every format that was tried."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    path, copy = kit.artifact(tmp_path), tmp_path / f"copy.{suffix}"
    artifact_id = open_artifact(path).artifact_id
    quiet = ("-loglevel", "error", "-bitexact", "-map_metadata", "0")
    subprocess.run(["ffmpeg", "-i", str(path), *quiet, str(copy)], check=True)
    document = verified(capsys, str(copy), code=4)
    (finding,) = document["findings"]
    assert (document["verdict"], finding["found"]) == ("CAPSULE_LOST", artifact_id)


@pytest.mark.parametrize(
    ("before", "behind", "verdict"),
    [
        (4, 400_000, "CAPSULE_LOST"),
        ((256 << 10) - 90, 400_000, "CAPSULE_LOST"),
        ((256 << 10) - 89, 400_000, "NOT_AN_ARTIFACT"),
        (400_000, (256 << 10) - 90, "CAPSULE_LOST"),
        (400_000, (256 << 10) - 89, "NOT_AN_ARTIFACT"),
    ],
)
def test_a_comment_at_either_end_names_the_run(
    before: int, behind: int, verdict: str, tmp_path: Path, capsys: Capture
) -> None:
    """10.2: whole within the first or the last 256 KiB."""
    comment = b"ttsartifact:1.0 id=sha256:" + b"5" * 64
    assert len(comment) == 90
    path = tmp_path / "copy.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A ".ljust(before, b"\0")[:before] + comment + bytes(behind))
    document = verified(capsys, str(path), code=4)
    assert document["verdict"] == verdict


def test_the_first_words_of_a_text_are_said(tmp_path: Path, capsys: Capture) -> None:
    """80 characters of its first line: what a server answered, and no page of it."""
    path = tmp_path / "run.tts.wav"
    path.write_text("no such voice; " + "x" * 200 + "\nmore")
    (finding,) = verified(capsys, str(path), code=4)["findings"]
    assert (finding["message"], finding["found"]) == ("not an artifact but text", "no such voice; " + "x" * 65)


def test_standard_input_is_read_by_its_name(tmp_path: Path) -> None:
    """A pipe does not seek and is copied; a file on standard input is read where it lies."""
    path = kit.artifact(tmp_path)
    ttsa = [sys.executable, "-m", "ttsartifact", "verify", "-"]
    with path.open("rb") as file:
        assert subprocess.run(ttsa, stdin=file, capture_output=True, check=False).stdout.startswith(b"-: INTACT")
    assert subprocess.run(ttsa, input=path.read_bytes(), capture_output=True, check=False).stdout.startswith(
        b"-: INTACT"
    )


def test_a_receipt_of_a_tampered_file_never_approves(tmp_path: Path, capsys: Capture) -> None:
    """What the descriptor states is the receipt's; what was computed is not."""
    path = kit.artifact(tmp_path)
    line = str(of(open_artifact(path).descriptor))
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    document = verified(capsys, str(path), "--receipt", line, code=1)
    assert not document["receipt"]["matches"]
    assert [part["part"] for part in document["receipt"]["differences"]] == ["audio", "pcm"]


def test_a_receipt_of_a_file_with_other_parts_never_approves(tmp_path: Path, capsys: Capture) -> None:
    """Its audio and descriptor are the receipt's, a trace is not."""
    path = kit.artifact(tmp_path)
    line = str(of(open_artifact(path).descriptor))
    path.write_bytes(path.read_bytes().replace(b'"frame_count":[', b'"frame_count":{'))
    document = verified(capsys, str(path), "--receipt", line, code=1)
    assert [part["part"] for part in document["receipt"]["differences"]] == ["file"]


def test_a_receipt_without_hashing_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    """--quick computes nothing that could be compared."""
    path = kit.artifact(tmp_path)
    assert main(["verify", str(path), "--quick", "--receipt", str(of(open_artifact(path).descriptor))]) == 2
    assert (
        "--quick computes no digest: a receipt, profile, text, clip, trust file, log or set needs"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("depth", "suffix"), [("PCM_16", "flac"), ("PCM_24", "flac"), ("PCM_24", "wav")])
def test_a_lossless_copy_has_the_samples_of_the_receipt(
    depth: str, suffix: str, tmp_path: Path, capsys: Capture
) -> None:
    """The capsule is gone and the samples are not: that is said, and the file stays no artifact."""
    import soundfile

    path, copy = kit.artifact(tmp_path), tmp_path / f"copy.{suffix}"
    samples, rate = soundfile.read(path, dtype="int32")
    soundfile.write(copy, samples, rate, subtype=depth)
    call = ["verify", str(copy), "--receipt", str(of(open_artifact(path).descriptor))]
    assert main(call) == 4
    said = capsys.readouterr().out
    assert "  receipt   the samples match the receipt; no other part could be compared\n" in said
    samples[7] += 1 << 16
    soundfile.write(copy, samples, rate, subtype=depth)
    assert main(call) == 4
    assert "the samples are those" not in capsys.readouterr().out


def _without(module: str) -> str:
    return f"import sys; sys.modules[{module!r}] = None; from ttsartifact.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("module", "name", "verdict"),
    [("pyarrow", "run.tts.parquet", "NOT_VERIFIED"), ("jsonschema_rs", "run.tts.wav", "NOT_VERIFIED")],
)
def test_a_missing_library_is_inconclusive(module: str, name: str, verdict: str, tmp_path: Path) -> None:
    """What is missing here is named; the file is not accused."""
    # A descriptor that fits is known to without a library; one that does not fit is explained by two.
    path = kit.artifact(tmp_path, name=name, patch=lambda value: value.update(level="L9"))
    call = [sys.executable, "-c", _without(module), "verify", str(path), "--format", "json"]
    done = subprocess.run(call, capture_output=True, check=False, text=True)
    (document,) = json.loads(done.stdout)
    assert (done.returncode, document["verdict"], document["findings"]) == (3, verdict, [])
    assert module in document["reason"]["found"]


@pytest.mark.parametrize(
    "hinder",
    [
        "import sys; sys.executable = '/nonexistent/python'",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (80 << 20,) * 2)",
        "import os; os.environ['PYTHONPATH'] = '{folder}'",
    ],
    ids=["no-decoder", "low-memory", "no-soundfile"],
)
def test_a_decoder_that_cannot_work_leaves_its_rules_open(hinder: str, tmp_path: Path) -> None:
    """AUD07 and HSH03 are unverifiable, the exit code is 3, and the verdict is what the seal says."""
    import near_misses

    path = near_misses.encoded("FLAC", name="run.tts.flac")(tmp_path)
    (tmp_path / "soundfile.py").write_text("raise ImportError('no soundfile here')")
    code = (
        f"{hinder.format(folder=tmp_path)}\nimport sys\nfrom ttsartifact.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    call = [sys.executable, "-c", code, "verify", str(path), "--format", "json"]
    done = subprocess.run(call, capture_output=True, check=False, text=True)
    (document,) = json.loads(done.stdout)
    opened = {entry["rule"] for entry in document["unchecked"] if entry["outcome"] == "unverifiable"}
    assert (done.returncode, document["verdict"], document["findings"]) == (3, "INTACT", [])
    assert {"AUD07", "HSH03"} <= opened


def test_no_file_handles_is_inconclusive(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE says something of this machine."""
    path = kit.artifact(tmp_path)

    def full(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.open", full)
    document = verified(capsys, str(path), "--receipt", RECEIPT, code=3)
    assert (document["verdict"], document["receipt"]) == ("NOT_VERIFIED", None)
    assert document["reason"]["message"] == "no file can be opened: Too many open files"


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Twelve good runs, of which one ends the process that looks at it, or crashes it, in worker processes too."""
    for number in range(12):
        kit.artifact(tmp_path, name=f"{number:02}.tts.wav")
    (tmp_path / "sitecustomize.py").write_text(
        "import os, ttsartifact.verifying.engine as engine\n"
        "verify = engine.verify\n"
        "def poisoned(path, **asked):\n"
        "    if str(path).endswith('05.tts.wav'):\n"
        "        os.kill(os.getpid(), 9) if os.environ['POISON'] == 'kill' else 1 / 0\n"
        "    return verify(path, **asked)\n"
        "engine.verify = poisoned\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def call(how: str) -> list[str]:
        monkeypatch.setenv("POISON", how)
        return [sys.executable, "-m", "ttsartifact", "verify", str(tmp_path)]

    return call


@pytest.mark.parametrize(("how", "jobs"), [("kill", 2), ("crash", 2), ("crash", 1)])
def test_one_poisoned_file_costs_one_report(how: str, jobs: int, poisoned: Callable[[str], list[str]]) -> None:
    """Every other file is judged, in the order of their names, and the exit code is 5."""
    call = [*poisoned(how), "--jobs", str(jobs), "--format", "jsonl"]
    done = subprocess.run(call, capture_output=True, check=False, text=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = ["NOT_VERIFIED" if number == 5 else "INTACT" for number in range(12)]
    assert (done.returncode, [report["verdict"] for report in told]) == (5, verdicts)
    message = told[5]["reason"]["message"]
    assert message.startswith("internal error: ZeroDivisionError") if how == "crash" else "was killed twice" in message


@pytest.mark.parametrize("spelling", ["text", "json", "junit", "sarif", "tsv", "github", "markdown"])
def test_every_format_tells_a_poisoned_file(spelling: str, poisoned: Callable[[str], list[str]]) -> None:
    """Formats that are one document are whole documents."""
    done = subprocess.run([*poisoned("crash"), "--format", spelling], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (5, "")
    assert "ZeroDivisionError" in done.stdout
    assert all(f"{number:02}.tts.wav" in done.stdout for number in range(12))
    if spelling in {"json", "sarif"}:
        json.loads(done.stdout)
