"""record, run and rerun from the command line, with commands that really run."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact

if TYPE_CHECKING:
    from pathlib import Path

ESPEAK = ("espeak-ng", "-w", "{out}", "{text}")
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture
def engine(tmp_path: Path) -> list[str]:
    """Return a command that speaks every text as the same tone; another last argument is another voice."""
    (tmp_path / "tone.wav").write_bytes(kit.wav())
    (tmp_path / "noise.wav").write_bytes(kit.wav(bytes(range(200)) * 8))
    code = "import shutil, sys; shutil.copy(sys.argv[3] + '.wav', sys.argv[1])"
    return [sys.executable, "-c", code, "{out}", "{text}", str(tmp_path / "tone")]


def test_record_verify_rerun(engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The main job: record, verify, make again; then with another voice."""
    out = str(tmp_path / "a.tts.wav")
    assert main(["record", "-o", out, "--text", kit.TEXT, "--lang", "en", "--sensor", "none", "--", *engine]) == 0
    said = capsys.readouterr().out
    assert said == f"{out}: {open_artifact(out).artifact_id}, level L1\n"
    assert main(["verify", out, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "INTACT"
    assert main(["rerun", out, "--", *engine]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("plan: run what you typed: ")
    assert "PCM-EXACT - every sample is the same" in lines
    other = [*engine[:-1], str(tmp_path / "noise")]
    assert main(["rerun", out, "--format", "json", "--keep", str(tmp_path / "b.tts.wav"), "--", *other]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "DIFFERENT"
    assert document["audio"]["divergence"]["chunk"] == 0
    assert "command line" in {cause["label"] for cause in document["causes"]}
    assert main(["verify", str(tmp_path / "b.tts.wav")]) == 0


def test_a_run_is_marked_for_a_meter(engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--sync-burst puts a coded load before and after it; a server's meter would not see this machine's load."""
    out = str(tmp_path / "a.tts.wav")
    words = ["record", "-o", out, "--text", kit.TEXT, "--sensor", "none", "--sync-burst", "--sync-chip", "10"]
    assert main([*words, "--", *engine]) == 0
    code = open_artifact(out).trace("channel/sync_burst")
    assert code is not None
    assert code.columns["value"] == 2 * [0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0, None]
    capsys.readouterr()
    assert main([*words, "--http", "http://localhost/v1/audio/speech"]) == 2
    assert "--sync-burst and --http cannot be combined" in capsys.readouterr().err
    for given, expected in (
        (["--sync-chip", "500"], "--sync-chip needs --sync-burst"),
        (["--sync-burst", "--sync-chip", "70000"], "--sync-chip 70000: expected at most 60000 ms"),
    ):
        assert main(["record", "-o", out, "--text", kit.TEXT, *given, "--", *engine]) == 2
        assert expected in capsys.readouterr().err


def test_what_the_next_level_would_need_is_told(
    engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody but the poster knows which attempt it was: it is asked for, and not made up."""
    out = str(tmp_path / "a.tts.wav")
    main(["record", "-o", out, "--text", kit.TEXT, "--device", "cpu", "--sensor", "none", "--", *engine])
    said = capsys.readouterr().err
    assert "ttsa: L2 also needs " in said
    assert "/run/attempt (--attempt N)" in said


def test_a_level_that_lacks_nothing_of_its_own_is_not_mentioned(
    engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run may have all that L3 adds and still miss something of L2."""
    monkeypatch.setattr(
        "ttsartifact.packing.pack.lacking_for", lambda level, _: ["/run/attempt"] if level == "L2" else []
    )
    out = str(tmp_path / "a.tts.wav")
    main(["record", "-o", out, "--level", "L3", "--text", kit.TEXT, "--sensor", "none", "--", *engine])
    said = capsys.readouterr().err
    assert "L2 also needs /run/attempt (--attempt N)" in said
    assert "L3 also needs" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--engine", "my-engine@latest"), ["PIN05: a moving reference is not an exact version: found latest"]),
        (("--model", f"file:///x/m@{'7b1e55d2904fc8a31e6d' * 2}"), ["PIN21: an address of scheme file cannot be"]),
        (("--device", "cuda"), []),
        (
            ("--param", "speakingRate=1.2", "--session", "a\u200bb"),
            ["SCH11: a name holds a character that is not seen"],
        ),
    ],
)
def test_what_verify_will_find_is_said_at_once(
    engine: list[str], options: tuple[str, ...], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who stated something wrong hears it from record, and not from a stranger who verifies the post."""
    out = str(tmp_path / "a.tts.wav")
    assert main(["record", "-o", out, "--text", kit.TEXT, "--sensor", "none", *options, "--", *engine]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "verify will find" in line]
    assert len(said) == len(words)
    assert all(line.startswith(f"ttsa: verify will find {begins}") for line, begins in zip(said, words, strict=True))
    assert main(["verify", out]) == bool(words)


def test_a_row_of_a_data_set_is_made_again(
    engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FILE#N names the run; the whole file does not."""
    clips = [str(tmp_path / f"{name}.tts.wav") for name in "ab"]
    for clip in clips:
        main(["record", "-o", clip, "--text", kit.TEXT, "--sensor", "none", "--", *engine])
    rows = str(tmp_path / "set.tts.parquet")
    assert main(["convert", *clips, "-o", rows]) == 0
    assert main(["rerun", f"{rows}#1", "--", *engine]) == 0
    assert "PCM-EXACT" in capsys.readouterr().out
    assert main(["show", f"{rows}#0"]) == main(["verify", f"{rows}#0"]) == 0
    assert main(["rerun", rows, "--", *engine]) == 4


@needs_espeak
def test_the_example_of_the_readme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real engine, a real rerun, and the same engine with another voice."""
    out = str(tmp_path / "a.tts.wav")
    assert main(["record", "-o", out, "--text", "The quick brown fox.", "--", *ESPEAK]) == 0
    assert main(["verify", out]) == 0
    assert main(["rerun", out, "--", *ESPEAK]) == 0
    assert "PCM-EXACT" in capsys.readouterr().out
    assert main(["rerun", out, "--", "espeak-ng", "-v", "en+f3", "-w", "{out}", "{text}"]) == 1
    assert "-v" in capsys.readouterr().out


@needs_espeak
def test_an_installed_runner_makes_and_makes_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`run` and `rerun` by name; a parameter that the runner does not have is refused."""
    out = str(tmp_path / "r.tts.wav")
    assert main(["run", "Hello.", "--runner", "espeak-ng", "--param", "rate=150", "-o", out]) == 0
    assert main(["run", "Hello.", "-o", str(tmp_path / "usual.tts.wav")]) in {0, 3}, "3 where the usual one lacks torch"
    assert main(["rerun", out]) == 0
    assert "rate = 150" in capsys.readouterr().out
    assert main(["run", "Hello.", "--runner", "espeak-ng", "--param", "nonsense=1", "-o", out, "--force"]) == 4
    assert main(["run", "Hello.", "--runner", "espeak-ng", "--param", "nonsense", "-o", out, "--force"]) == 2
    assert main(["run", "Hello.", "--runner", "not-installed", "-o", out, "--force"]) == 3
    assert main(["run", "Hello.", "--runner", "espeak-ng", "--steps", "4", "-o", out, "--force"]) == 2
    assert "it takes voice, rate" in capsys.readouterr().err
    assert main(["run", "Hello.", "--runner", "espeak-ng", "--ref-origin", "somewhere", "--ref", out, "-o", out]) == 2


def test_what_is_said_is_stored(engine: list[str], tmp_path: Path) -> None:
    """Pins, notes, session, attempt and a clip that another command was given."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(kit.wav())
    out = str(tmp_path / "a.tts.wav")
    commit = "0123456789abcdef0123456789abcdef01234567"
    said = ["--model", f"org/model@{commit}", "--model-file", str(clip), "--engine", "tone@1.2.3", "--device", "cpu"]
    said += [
        "--notes",
        "two words",
        "--session",
        "s1",
        "--attempt",
        "2",
        "--seed",
        "7",
        "--seed",
        "noise=8",
        "--determinism",
        "bitwise",
        "--ref",
        str(clip),
        "--ref-origin",
        "other: an answering machine",
        "--withhold-text",
    ]
    assert main(["record", "-o", out, "--text", "secret", *said, "--sensor", "none", "--", *engine, "{ref}"]) == 0
    known = open_artifact(out).descriptor.known
    assert known("/pins/model")["revision"] == commit
    assert known("/pins/model")["files"][0]["path"] == "clip.wav"
    assert known("/pins/engine")["version"] == "1.2.3"
    assert known("/run/notes") == "two words"
    assert known("/run/session_id") == "s1"
    assert known("/run/attempt") == {"index": 2, "retries": 1}
    assert known("/generation/device") == "cpu"
    assert known("/generation/determinism/class") == "bitwise"
    seeds = [(seed["stage"], seed["requested"]) for seed in known("/generation/seeds")]
    assert seeds == [("engine", "7"), ("noise", "8")]
    assert known("/input/text/value") is None
    assert [ref["origin"] for ref in known("/input/refs")] == [{"kind": "other", "name": "an answering machine"}]


def test_a_dry_run_stores_nothing_and_shows_all(
    engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The descriptor that would be stored, and no file."""
    out = tmp_path / "a.tts.wav"
    assert main(["record", "-o", str(out), "--text", "t", "--dry-run", "--sensor", "none", "--", *engine]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["audio"]["sample_rate_hz"] == kit.RATE_HZ
    assert said.err.startswith(f"ttsa: no file was written; {out} would hold this and the audio\nttsa: L2 also needs ")
    assert not out.exists()


def test_a_dry_run_refuses_what_the_run_would(
    engine: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there is not replaced, and the command is not run for nothing."""
    out = tmp_path / "a.tts.wav"
    out.write_bytes(b"mine")
    words = ["record", "-o", str(out), "--text", "t", "--dry-run", "--sensor", "none"]
    assert main([*words, "--", *engine]) == 4
    assert "the output exists" in capsys.readouterr().err
    assert main([*words, "--force", "--", *engine]) == 0
    assert out.read_bytes() == b"mine"


def test_a_command_that_fails_leaves_no_artifact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, the journal's place, and no half file."""
    out = tmp_path / "a.tts.wav"
    broken = [sys.executable, "-c", "import sys; sys.exit('no voice')", "{text}", "{out}"]
    assert main(["record", "-o", str(out), "--text", "t", "--sensor", "none", "--", *broken]) == 4
    said = capsys.readouterr().err
    assert said.startswith("ttsa: the command failed")
    assert "journal" in said
    assert not out.exists()


def test_a_rerun_whose_command_fails_is_inconclusive(tmp_path: Path) -> None:
    """Nothing was compared: 3, as for a text that nobody has."""
    path = str(kit.artifact(tmp_path))
    assert main(["rerun", path, "--", sys.executable, "-c", "raise SystemExit(1)", "{text}", "{out}"]) == 3
    assert main(["rerun", path]) == 3, "no runner made it"


def test_two_ways_at_once_are_a_wrong_call(tmp_path: Path) -> None:
    """A command and a runner cannot both make the run."""
    assert main(["rerun", str(kit.artifact(tmp_path)), "--runner", "espeak-ng", "--", "true", "{text}"]) == 2
