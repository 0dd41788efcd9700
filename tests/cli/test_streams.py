"""`-` is standard input and standard output wherever a file is read or written, and `@LIST` is a list of files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import kit
import pytest
import soundfile

from ttsartifact.cli import main
from ttsartifact.cli.files import listed
from ttsartifact.reading.artifact import open_artifact

_TTSA = [sys.executable, "-m", "ttsartifact"]


def ttsa(*argv: str, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run the command with bytes on its standard input."""
    done = subprocess.run([*_TTSA, *argv], input=stdin, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return kit.artifact(tmp_path)


def test_strip_and_reattach_through_pipes(run: Path, tmp_path: Path) -> None:
    """Bytes on stdout, words on stderr, and the same file in the end."""
    capsule = str(tmp_path / "capsule")
    bare = ttsa("strip", "-", "-o", "-", "--capsule", capsule, stdin=run.read_bytes())
    assert bare.stdout == kit.wav()
    assert bare.stderr.decode() == f"ttsa: -: {open_artifact(run).descriptor.known('/audio/digest')}\n"
    again = ttsa("reattach", "-", "--descriptor", capsule, "-o", "-", stdin=bare.stdout)
    assert again.stdout == run.read_bytes()
    whole = ttsa("strip", str(run), "-o", str(tmp_path / "bare.wav"), "--capsule", "-").stdout
    assert whole == Path(capsule).read_bytes()


def test_reattach_chooses_the_carrier_of_the_run(run: Path, tmp_path: Path) -> None:
    """A copy as FLAC gives the recorded WAV on standard output as in a file."""
    bare = tmp_path / "bare.wav"
    bare.write_bytes(kit.wav())
    samples, rate = soundfile.read(bare, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    assert ttsa("reattach", str(tmp_path / "copy.flac"), "--descriptor", str(run), "-o", "-").stdout == run.read_bytes()


def test_convert_chooses_the_carrier_of_the_runs(run: Path) -> None:
    """One run goes into the carrier of its codec, several into a data set."""
    assert ttsa("convert", "-", "-o", "-", stdin=run.read_bytes()).stdout == run.read_bytes()
    table = ttsa("convert", str(run), str(run), "-o", "-").stdout
    assert table[:4] == b"PAR1"
    assert ttsa("show", "-", "--receipt", stdin=table).stdout.count(b"ttsa1 id=") == 2
    assert ttsa("convert", "-", "-o", "-", stdin=ttsa("convert", str(run), "-o", "-").stdout).stdout == run.read_bytes()


def test_pack_takes_its_descriptor_from_stdin(run: Path, tmp_path: Path) -> None:
    """The parts of a run make the run again."""
    folder = tmp_path / "parts"
    assert main(["unpack", str(run), "-o", str(folder)]) == 0
    trace = str(folder / "trace-chunks.json")
    argv = ["pack", str(folder / "audio.wav"), "--descriptor", "-", "--trace", trace, "-o", "-"]
    assert ttsa(*argv, stdin=(folder / "descriptor.json").read_bytes()).stdout == run.read_bytes()


def test_record_writes_to_stdout(tmp_path: Path) -> None:
    """The artifact goes through the pipe; nothing is left where temporary files lie."""
    say = f"import sys; sys.stdout.buffer.write(open({str(tmp_path / 'a.wav')!r}, 'rb').read())"
    (tmp_path / "a.wav").write_bytes(kit.wav())
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [*_TTSA, "record", "-o", "-", "--text", "x", "--", sys.executable, "-c", say, "{text}"],
        capture_output=True,
        check=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
    )
    assert ttsa("verify", "-", stdin=done.stdout).stdout.startswith(b"-: INTACT")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_recording_that_cannot_be_packed_is_kept(tmp_path: Path) -> None:
    """What an engine delivered is never deleted, on the way to a pipe neither."""
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [*_TTSA, "record", "-o", "-", "--text", "x", "--", sys.executable, "-c", "print('no sound')", "{text}"],
        capture_output=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
    )
    assert done.returncode != 0
    assert done.stdout == b""
    assert [path.suffix for path in (tmp_path / "tmp").rglob("*journal*")] != []


def test_the_page_and_a_request_go_to_stdout(run: Path) -> None:
    """A page and a time-stamp request are files too."""
    assert ttsa("report", str(run), "-o", "-").stdout.startswith(b"<!doctype html>")
    assert ttsa("timestamp", str(run), "--request", "-").stdout[:1] == b"\x30"


def test_a_list_names_files(run: Path, tmp_path: Path) -> None:
    """One path per line, empty lines skipped, `@-` from stdin; `./@name` is a file of that name."""
    names = tmp_path / "names.txt"
    names.write_text(f"{run}\n\n{run}\r\n", encoding="utf-8")
    assert listed([f"@{names}", "./@other"]) == [str(run), str(run), "./@other"]
    assert ttsa("verify", f"@{names}").stdout.splitlines()[-1] == b"2 runs: 2 INTACT; 2 conformant"
    assert ttsa("show", "@-", "--receipt", stdin=f"{run}\n".encode()).stdout.count(b"ttsa1 id=") == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\n \n", "the list names no file"), (b"\xff\n", "the list"), (None, "cannot open")],
    ids=["empty", "not UTF-8", "missing"],
)
def test_a_list_that_is_none(
    data: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said in one line, and nothing is verified."""
    names = tmp_path / "names.txt"
    if data is not None:
        names.write_bytes(data)
    assert main(["verify", f"@{names}"]) == (4 if data is None else 2)
    assert words in capsys.readouterr().err


def test_the_new_run_of_a_rerun_goes_to_stdout(run: Path, tmp_path: Path) -> None:
    """`--keep -`: the plan and the verdict are on stderr, and the artifact alone on stdout."""
    (tmp_path / "a.wav").write_bytes(kit.wav())
    command = ["sh", "-c", f"cat {tmp_path / 'a.wav'}", "sh", "{text}"]
    done = ttsa("rerun", str(run), "--keep", "-", "--", *command)
    assert ttsa("verify", "-", stdin=done.stdout).stdout.startswith(b"-: INTACT")
    assert b"PCM-EXACT" in done.stderr


def test_documents_of_the_reader_come_from_stdin(run: Path, tmp_path: Path) -> None:
    """A policy, a trust file and measurements are read like any other document; an imported table is written so."""
    policy = b'id = "p"\nversion = "1"\n[[check]]\nmetric = "loudness"\noperator = ">="\nthreshold = -90\n'
    judged = ttsa("gate", str(run), "--policy", "-", "-o", "-", stdin=policy).stdout
    assert ttsa("verify", "-", stdin=judged).stdout.startswith(b"-: INTACT")
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIFVBDq7hvTPpWBW1WVZYJ3hUqjLRc5rvOZrGQ+9SRyZk"
    for trust in (f"a@b ssh-ed25519 {key}\n", "version = 1\n"):
        assert ttsa("verify", str(run), "--trust", "-", stdin=trust.encode()).stdout.startswith(str(run).encode())
    said = ttsa("claim", "check", "-", stdin=b"{}", code=4).stderr
    assert b"not TOML" in said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("verify", "-", "--trust", "-"), "FILE... and --trust: standard input is one stream; give - once"),
        (("verify", "-", "-"), "FILE... and FILE...: standard input is one stream; give - once"),
        (("verify", "-", "--log", "-"), "--log -: a folder cannot be a stream; name a folder"),
        (("unpack", "-", "-o", "-"), "--out -: a folder cannot be a stream; name a folder"),
        (("recover", "-"), "a journal cannot be read from standard input: its audio lies beside it"),
        (
            ("bench", "http://localhost:1", "-o", "-", "--text", "hi"),
            "bench writes two files and prints the totals on standard output; name a file instead of -",
        ),
    ],
)
def test_a_stream_that_cannot_be_one_is_refused(
    argv: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is read and no file named `-` is left."""
    assert main(list(argv)) == (4 if argv[0] == "recover" else 2)
    assert words in capsys.readouterr().err
    assert not os.path.lexists("-")
