"""`recover`: a run whose recording did not come to its end says so wherever it is shown, before anything else."""

from __future__ import annotations

import json
import re
import shlex
import struct
import sys
from pathlib import Path

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.recorder import Recorder
from ttsartifact.terms import digest

SAID = "; the recording is incomplete"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a whole run, and the journal of one that ended after its first chunk."""
    monkeypatch.chdir(tmp_path)
    with told("whole.tts.wav") as recorder:
        recorder.submit()
        recorder.chunk(kit.tone(800))
        recorder.chunk(kit.tone(800))
    with pytest.raises(ZeroDivisionError), told("cut.tts.wav") as recorder:
        recorder.submit()
        recorder.chunk(kit.tone(800))
        _ = 1 / 0
    return tmp_path


def told(out: str) -> Recorder:
    return Recorder(out, text="Hello.", sample_rate_hz=kit.RATE_HZ, engine="mine@1.2", say=lambda _: None)


def printed(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> list[str]:
    """Return the lines on standard output."""
    capsys.readouterr()
    assert main(list(argv)) == code
    return capsys.readouterr().out.splitlines()


def test_what_is_incomplete_says_so_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the line of `recover`, and in the first line of `verify`, `show` and `diff`, and of the page."""
    (written,) = printed(capsys, "recover", "cut.tts.wav.journal.jsonl")
    run = open_artifact("cut.tts.wav")
    assert run.descriptor.at("/run/incomplete") is True
    assert written == f"{folder / 'cut.tts.wav'}: {run.artifact_id}, level L1{SAID}"

    assert printed(capsys, "verify", "cut.tts.wav")[0] == f"cut.tts.wav: INTACT - every byte is as it was sealed{SAID}"
    first, second, _ = printed(capsys, "verify", "cut.tts.wav", "whole.tts.wav")
    assert first == f"cut.tts.wav: INTACT, level L1, as claimed{SAID}; {run.artifact_id}"
    assert SAID not in second
    assert printed(capsys, "show", "cut.tts.wav")[0] == f"cut.tts.wav: a run of mine 1.2{SAID}"
    card = printed(capsys, "verify", "cut.tts.wav", "--format", "markdown")
    assert card[2] == f"Every byte is as it was sealed{SAID}."

    for name in ("cut.tts.wav", "whole.tts.wav"):
        document = json.loads("\n".join(printed(capsys, "verify", name, "--format", "json")))
        assert [run.get("incomplete", False) for run in document] == [name.startswith("cut")]

    names = ("whole.tts.wav", "cut.tts.wav")
    assert printed(capsys, "diff", *names, code=1)[0].startswith(
        "b is an incomplete recording; the same audio as far as both go"
    )
    assert printed(capsys, "diff", *names[::-1], code=1)[0].startswith(
        "a is an incomplete recording; the same audio as far as both go"
    )
    both = printed(capsys, "diff", names[1], names[1])
    assert both[0].startswith("a is an incomplete recording; b is an incomplete recording; no difference")

    printed(capsys, "report", "cut.tts.wav", "-o", "cut.html")
    page = Path("cut.html").read_text(encoding="utf-8")
    assert f"<title>INTACT: mine 1.2{SAID}</title>" in page
    assert f"every byte is as it was sealed{SAID}. Rules: " in page.partition("<main")[0]
    Path("plain.wav").write_bytes(kit.wav())
    for files, code, first in (
        (["cut.tts.wav", "whole.tts.wav"], 0, "a is an incomplete recording; "),
        (
            ["cut.tts.wav", "whole.tts.wav", "plain.wav"],
            4,
            (
                "Verdicts: 2 INTACT. 1 recording incomplete: only the recorded part is heard, and counts below. "
                "1 file not readable."
            ),
        ),
    ):
        printed(capsys, "report", *files, "-o", "many.html", "--force", code=code)
        page = Path("many.html").read_text(encoding="utf-8")
        assert first in page.partition("<h2")[0]
        assert ("behind 0.050 s one of them has ended, which counts as silence." in page) == (len(files) == 2)
        cells = re.findall(r'verify.verdict">INTACT</strong>([^<]*)</td>', page)
        assert cells == [SAID, ""]


def test_a_run_with_its_end_is_not_called_incomplete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does its descriptor state anything of the kind."""
    assert "incomplete" not in open_artifact(folder / "whole.tts.wav").descriptor.raw.decode()
    for command in (("verify",), ("show",), ("verify", "--format", "markdown"), ("diff", "whole.tts.wav")):
        assert "incomplete" not in "\n".join(printed(capsys, *command, "whole.tts.wav"))


def test_the_error_is_said_before_what_can_be_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What went wrong, then what is kept; and nothing of it stays for the next command."""
    monkeypatch.chdir(tmp_path)
    Path("s.wav").write_bytes(kit.wav())
    failing = ["sh", "-c", "cat s.wav; exit 3"]
    assert main(["record", "-o", "a.tts.wav", "--text", "Hello.", "--text-on-stdin", "--", *failing]) == 4
    error, kept = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith("ttsa: the command failed: found exit status 3, expected exit status 0 (at ")
    assert kept == (
        "ttsa: what the command wrote is kept in a.tts.wav.part.wav, "
        "and `ttsa recover a.tts.wav.journal.jsonl` makes an artifact of it"
    )
    assert main(["--version"]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_incomplete_is_no_failed_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`rerun` says in its first line that the recording was cut, and that all of it is the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "say.wav").write_bytes(kit.wav(kit.tone(1600)))
    slow = ["sh", "-c", "head -c 1644 say.wav; sleep 20"]
    words = ["record", "--text", "Hi.", "--text-on-stdin", "--sensor", "none", "-o", "cut.tts.wav", "--timeout", "1"]
    assert main([*words, "--", *slow]) == 4
    assert main(["recover", "cut.tts.wav.journal.jsonl"]) == 0
    assert "also needs" not in capfd.readouterr().err
    main(["rerun", "cut.tts.wav", "--text-on-stdin", "--", "sh", "-c", "cat say.wav"])
    said = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("DIFFERENT"))
    assert said.startswith("DIFFERENT - the same audio as far as both go, and 800 frames more in one")
    assert said.endswith("; the first recording is incomplete")


def test_a_rerun_that_fails_names_no_file_that_is_gone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.sh").write_text("echo no such voice; exit 1")
    main(["rerun", "whole.tts.wav", "--text-on-stdin", "--", "sh", "bad.sh"])
    assert "is kept in" not in capfd.readouterr().err


@pytest.mark.parametrize("words", ["s16le", "u8", "f32le", "mulaw"])
def test_the_line_that_makes_a_run_again_works_as_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: str
) -> None:
    """Of raw samples it names their format, which no header says."""
    monkeypatch.chdir(tmp_path)
    samples = struct.pack("<2400f", *(number % 97 / 100 for number in range(2400)))
    (tmp_path / "say.py").write_text(f"import sys; sys.stdout.buffer.write({samples!r})")
    out = ["record", "--text", "Hi.", "--sensor", "none", "-o", "a.tts.wav", "--pcm", f"{words}:8000:2"]
    assert main([*out, "--", sys.executable, "say.py", "{text}"]) == 0
    capfd.readouterr()
    main(["show", "a.tts.wav"])
    line = next(row for row in capfd.readouterr().out.splitlines() if "rerun with" in row)
    assert main(shlex.split(line.partition("ttsa ")[2])) == 0
    assert "PCM-EXACT" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "argv", "why"),
    [
        (b"Gr\xfc\xdfe", ["espeak-ng", "--stdout", "-b", "2"], "the text is not UTF-8"),
        (b"Hi. " * 17_000, ["sh", "-c", "espeak-ng --stdout Hi"], "longer than a descriptor carries"),
        (b"Hello.\n", ["espeak-ng", "-f", "t.txt", "-w", "{out}"], None),
        (b"Hello.\n", ["sh", "-c", "espeak-ng --stdout -f t.txt"], None),
        (b"Hello.\n", ["sh", "say.sh", "--file=t.txt"], None),
    ],
)
def test_a_text_of_a_file_is_given_and_given_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    text: bytes,
    argv: list[str],
    why: str | None,
) -> None:
    """A text that the descriptor cannot hold is said at once, and the line of `show` says how it is given again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_bytes(text)
    (tmp_path / "say.sh").write_text('espeak-ng --stdout -f "${1#--file=}"')
    on_stdin = ["--text-on-stdin"] if why else []
    out = ["record", "--text-file", "t.txt", "--sensor", "none", "-o", "a.tts.wav", *on_stdin]
    assert main([*out, "--", *argv]) == 0
    said = capfd.readouterr().err.splitlines()
    words = f"the text is recorded by its digest alone ({why}): a rerun needs --text-file"
    assert [line for line in said if "by its digest alone" in line] == ([f"ttsa: {words}"] if why else [])
    main(["show", "a.tts.wav"])
    line = next(row for row in capfd.readouterr().out.splitlines() if "rerun with" in row).partition("ttsa ")[2]
    assert ("--text-file FILE" in line) is (why is not None)
    main([word.replace("FILE", "t.txt") for word in shlex.split(line.replace(" -- ", f" {' '.join(on_stdin)} -- "))])
    assert "PCM-EXACT" in capfd.readouterr().out


def test_a_file_with_another_text_is_not_the_one_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of the same length even: what is recorded as spoken was not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_bytes(b"Hello.\n")
    (tmp_path / "u.txt").write_bytes(b"Jello.\n")
    argv = ["record", "--text-file", "t.txt", "-o", "a.tts.wav", "--", "espeak-ng", "-f", "u.txt", "-w", "{out}"]
    assert main(argv) == 2
    assert "the command is never given the text" in capfd.readouterr().err


RAW = struct.pack("<800h", *(number * 37 % 9001 for number in range(800)))
SAY_RAW = "import sys; sys.stdout.buffer.write(open('raw.pcm', 'rb').read())"
STATED = "the format of the samples was stated when they were recovered: s16le:8000:1"


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the journal of raw samples that were recorded without --pcm."""
    monkeypatch.chdir(tmp_path)
    Path("raw.pcm").write_bytes(RAW)
    words = ["record", "-o", "a.tts.wav", "--text", "Hi.", "--text-on-stdin", "--sensor", "none"]
    assert main([*words, "--", sys.executable, "-c", SAY_RAW]) == 4
    assert capsys.readouterr().err.splitlines()[-1] == (
        "ttsa: what the command wrote is kept in a.tts.wav.part.wav, and if they are raw samples, "
        "`ttsa recover a.tts.wav.journal.jsonl --pcm FORMAT` makes an artifact of them"
    )
    return "a.tts.wav.journal.jsonl"


def test_raw_samples_whose_format_nobody_stated_are_recovered_with_it(
    raw: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the format the refusal names the option; with it every sample is there, and the notes say so."""
    assert main(["recover", raw]) == 4
    assert capsys.readouterr().err == (
        "ttsa: what was delivered is not audio of a known kind, and the journal states no format of raw samples: "
        f"found {RAW[:4].hex()}, expected --pcm s16le:RATE:CHANNELS, as the engine wrote it (at a.tts.wav.part.wav)\n"
    )
    assert main(["recover", raw, "--pcm", "s16le:8000:1"]) == 0
    assert capsys.readouterr().err == f"ttsa: {STATED}\n"
    run = open_artifact("a.tts.wav")
    assert run.pcm is not None
    assert run.source.read_at(run.pcm.offset, run.pcm.size) == RAW
    assert run.descriptor.at("/run/notes").splitlines()[0] == STATED
    assert run.descriptor.at("/run/times/includes") == ["process_start", "model_load"]


def test_a_format_beside_that_of_the_journal_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recover", "cut.tts.wav.journal.jsonl", "--pcm", "s16le:8000:1"]) == 2
    assert capsys.readouterr().err == (
        "ttsa: the journal states the format of its samples: found s16le:8000:1, expected no --pcm (at --pcm)\n"
    )


@pytest.mark.parametrize("size", [1600, 1200])
def test_audio_that_was_altered_since_is_said_to_be(raw: str, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The journal holds size and digest of what was kept; the warning and the notes state both sides."""
    altered = b"\1\0" + RAW[2:size]
    Path("a.tts.wav.part.wav").write_bytes(altered)
    assert main(["recover", raw, "--pcm", "s16le:8000:1"]) == 0
    words = (
        f"a.tts.wav.part.wav was altered after the recording: found {size} bytes of {digest.of(altered)}, "
        f"expected 1600 bytes of {digest.of(RAW)}"
    )
    assert capsys.readouterr().err.splitlines() == [f"ttsa: {STATED}", f"ttsa: {words}"]
    assert words in open_artifact("a.tts.wav").descriptor.at("/run/notes").splitlines()


def test_audio_that_is_shorter_than_its_journal_is_said_to_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recorder that was killed states no digest: then the times of the chunks say how much there was."""
    journal, audio = Path("cut.tts.wav.journal.jsonl"), Path("cut.tts.wav.part.wav")
    journal.write_text(
        "".join(line for line in journal.read_text().splitlines(keepends=True) if '"kept as"' not in line)
    )
    audio.write_bytes(audio.read_bytes()[:-10])
    assert main(["recover", str(journal)]) == 0
    words = "cut.tts.wav.part.wav is 10 bytes shorter than its journal states: it was altered, or not all was written"
    assert f"ttsa: {words}" in capsys.readouterr().err.splitlines()
    assert words in open_artifact("cut.tts.wav").descriptor.at("/run/notes").splitlines()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "interrupted by Ctrl-C"),
        (SystemExit(143), "ended by signal 15"),
        (SystemExit(3), "the program ended itself: 3"),
        (GeneratorExit(), "what takes the chunks stopped before the last one"),
        (ValueError(), "ValueError"),
        (ValueError("no voice"), "ValueError: no voice"),
    ],
)
def test_an_end_without_words_is_named_by_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str
) -> None:
    """The notes never end in an empty message."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(type(error)), told("cut.tts.wav") as recorder:
        recorder.submit()
        recorder.chunk(kit.tone(800))
        raise error
    assert main(["recover", "cut.tts.wav.journal.jsonl"]) == 0
    notes = open_artifact("cut.tts.wav").descriptor.at("/run/notes")
    assert notes == f"recovered from a journal: {words}"
