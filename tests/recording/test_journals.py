"""What an engine has delivered is never deleted: journals, kept audio, and the artifact that is made of both."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import kit
import pytest

from ttsartifact.cli import main
from ttsartifact.container import riff
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.journal import Journal
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.recovering import recover
from ttsartifact.recording.wrapping import record_tts, wrap_iterator
from ttsartifact.verifying.engine import verify

RATE_HZ = kit.RATE_HZ
PCM = kit.tone(800)


def told(out: Path, **options: Any) -> Any:
    return Recorder(out, **({"text": "Hello.", "sample_rate_hz": RATE_HZ, "say": lambda _: None} | options))


def pcm_of(path: Path) -> bytes:
    found = open_artifact(path)
    (report,) = verify(path)
    assert (report.verdict, report.failures) == ("INTACT", ())
    assert found.pcm is not None
    return found.source.read_at(found.pcm.offset, found.pcm.size)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


KILLED = """
import sys, os, signal, ttsartifact
with ttsartifact.Recorder(sys.argv[1], text="Hello.", sample_rate_hz=8000, seed=7, engine="mine@1.2") as recorder:
    recorder.submit(waiting=2, running=0)
    for _ in range(5):
        recorder.chunk(bytes(1600))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recorder_that_is_killed_loses_no_chunk(tmp_path: Path) -> None:
    """Each chunk is in the file before the next is asked for, and the journal names file, format and conditions."""
    out = tmp_path / "a.tts.wav"
    done = subprocess.run([sys.executable, "-c", KILLED, out], check=False)
    assert done.returncode == -signal.SIGKILL

    packed = recover(f"{out}.journal.jsonl")

    assert (packed.path, len(pcm_of(out))) == (str(out), 8000)
    value = open_artifact(out).descriptor
    assert value.at("/generation/seeds")[0]["requested"] == "7"
    assert value.at("/pins/engine") == {"name": "mine", "version": "1.2"}
    assert value.at("/run/load/queue_depth_at_submit") == 2
    assert value.at("/run/notes") == "recovered from a journal: the recorder was ended before it could say why"
    log = open_artifact(out).trace("chunks")
    assert log is not None
    assert log.columns["frame_count"] == [800] * 5
    assert sorted(os.listdir(tmp_path)) == ["a.tts.wav", "a.tts.wav.journal.jsonl", "a.tts.wav.part.wav"]


def test_a_block_that_raises_can_be_recovered_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ttsa recover JOURNAL`, in any folder."""
    with pytest.raises(ZeroDivisionError), told(tmp_path / "a.tts.wav", notes="Mine.") as recorder:
        recorder.submit()
        recorder.chunk(PCM)
        _ = 1 / 0
    assert main(["recover", str(tmp_path / "a.tts.wav.journal.jsonl")]) == 0
    assert pcm_of(tmp_path / "a.tts.wav") == PCM
    notes = open_artifact(tmp_path / "a.tts.wav").descriptor.at("/run/notes")
    assert notes == "Mine.\nrecovered from a journal: ZeroDivisionError: division by zero"
    assert str(tmp_path / "a.tts.wav") in capsys.readouterr().out


def test_a_journal_that_a_full_disk_cut_short_finds_its_audio(tmp_path: Path) -> None:
    """The line about where it was moved takes room; a move takes none."""
    out = tmp_path / "a.tts.wav"
    said: list[str] = []
    command = ["sh", "-c", f"cat {tmp_path}/s.wav; exit 1"]
    (tmp_path / "s.wav").write_bytes(kit.wav(PCM))
    with pytest.raises(CommandFailed):
        record_command(command, text="Hello.", out=out, text_on_stdin=True, say=said.append)
    assert said[-1] == (
        f"what the command wrote is kept in {out}.part.wav, "
        f"and `ttsa recover {out}.journal.jsonl` makes an artifact of it"
    )
    journal = Path(f"{out}.journal.jsonl")
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if ".part.wav" not in line), encoding="utf-8")
    recover(journal)
    assert pcm_of(out) == PCM


@pytest.mark.parametrize("form", ["record_command", "wrap_iterator", "record_tts"])
def test_of_three_recordings_of_one_name_each_can_be_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The first to end has the name; what the others are told makes an artifact of its own of each, in any order."""
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    options: dict[str, Any] = {"say": said.append, "sample_rate_hz": RATE_HZ}
    if form == "record_command":
        Path("s.wav").write_bytes(kit.wav(PCM))
        script = "touch began.$$; while [ $(ls began.* | wc -l) -lt 3 ]; do sleep 0.01; done; cat s.wav"

        def one() -> None:
            with suppress(Refused):
                record_command(["sh", "-c", script], text="Hi.", out="a.tts.wav", text_on_stdin=True, say=said.append)

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        if form == "wrap_iterator":
            streams = [wrap_iterator([PCM], "a.tts.wav", text="Hi.", **options) for _ in range(3)]
        else:
            streams = [record_tts("a.tts.wav", **options)(lambda text: iter([PCM]))("Hi.") for _ in range(3)]
        for stream in streams:
            next(stream)
        for stream in streams:
            with suppress(Refused):
                list(stream)
    told_to = [line.split("`")[1] for line in said if "makes an artifact of it" in line]
    assert len(told_to) == 2
    for command in reversed(told_to):
        assert main(shlex.split(command)[1:]) == 0
    assert [pcm_of(path) for path in tmp_path.glob("a*.tts.wav")] == [PCM] * 3


@pytest.mark.parametrize("said", ['{"error": "no such voice"}', "Traceback (most recent call last):\\n"])
def test_a_text_in_place_of_samples_is_never_recovered_as_sound(tmp_path: Path, said: str) -> None:
    """A command that fails may say why on stdout; whether it is ended there or we are, its words are no audio."""
    out, notes = tmp_path / "a.tts.wav", list[str]()
    command = ["sh", "-c", f"printf '{said * 9}'; exit 1"]
    with pytest.raises(CommandFailed):
        record_command(command, text="Hello.", out=out, text_on_stdin=True, pcm="s16le:8000:1", say=notes.append)
    assert notes[-1] == f"what the command wrote is kept in {out}.part.bin, and its times are in {out}.journal.jsonl"
    with pytest.raises(Refused, match=r"raw samples were promised and (JSON|text) came"):
        recover(f"{out}.journal.jsonl")
    assert not out.exists()


@pytest.mark.parametrize("was_killed", [False, True])
def test_a_wav_in_place_of_samples_is_recovered_as_the_wav_that_it_is(tmp_path: Path, was_killed: bool) -> None:
    """As it is said when it is kept; one whose recorder was killed stands behind the header of ours for samples."""
    out, sound, notes = tmp_path / "a.tts.wav", kit.wav(PCM), list[str]()
    (tmp_path / "s.wav").write_bytes(sound)
    with pytest.raises(CommandFailed, match="leave out --pcm"):
        record_command(
            ["cat", str(tmp_path / "s.wav")],
            text="Hi.",
            out=out,
            text_on_stdin=True,
            pcm="s16le:8000:1",
            say=notes.append,
        )
    journal = Path(f"{out}.journal.jsonl")
    assert notes[-1] == (
        f"what the command wrote is kept in {out}.part.bin, and `ttsa recover {journal}` makes an artifact of it"
    )
    if was_killed:
        lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
        audio = [place for place, line in enumerate(lines) if '"what": "audio"' in line]
        journal.write_text("".join(lines[: audio[1]]), encoding="utf-8")
        place = tmp_path / json.loads(lines[audio[0]])["file"]
        place.parent.mkdir()
        Path(f"{out}.part.bin").rename(place)
        wave = riff.WaveFormat(subtype="pcm_s16", sample_rate_hz=8_000, channels=1, bit_depth=16)
        place.write_bytes(riff.header(wave, 0) + sound)
    recover(journal)
    run = open_artifact(out)
    assert run.descriptor.at("/audio/digest") == f"sha256:{hashlib.sha256(sound).hexdigest()}"
    assert run.descriptor.at("/run/times/includes") == ["process_start", "model_load", "container_encode"]


def test_samples_that_begin_like_a_frame_of_mp3_are_samples(tmp_path: Path) -> None:
    """Its first four bytes are a frame's, and no frame follows: the format that was stated holds."""
    out, sound = tmp_path / "a.tts.wav", b"\xff\xfb\x90\x64" + PCM
    (tmp_path / "s.raw").write_bytes(sound)
    command = ["sh", "-c", f"cat {tmp_path}/s.raw; exit 1"]
    with pytest.raises(CommandFailed):
        record_command(command, text="Hi.", out=out, text_on_stdin=True, pcm="s16le:8000:1", say=lambda _: None)
    recover(f"{out}.journal.jsonl")
    assert pcm_of(out) == sound


def test_who_was_ended_while_a_command_wrote_a_text_recovers_no_sound(tmp_path: Path) -> None:
    """By SIGKILL: nobody took our header off the text."""
    words = [
        "record",
        "--text",
        "x",
        "--pcm",
        "s16le:8000:1",
        "--text-on-stdin",
        "-o",
        "a.tts.wav",
        "--",
        sys.executable,
    ]
    wrote = "import sys, time; sys.stdout.write('no such voice, no such file ' * 9); sys.stdout.flush(); time.sleep(60)"
    journal = tmp_path / "a.tts.wav.journal.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "ttsartifact", *words, "-c", wrote], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (journal.exists() and '"read"' in journal.read_text()):
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    with pytest.raises(Refused, match="raw samples were promised and text came: 'no such voice"):
        recover(journal)


def test_two_writers_keep_a_journal_each(tmp_path: Path) -> None:
    """The faster one takes the name; the slower one's audio is kept, and neither touches the other's journal."""
    out = tmp_path / "a.tts.wav"
    said: list[str] = []
    with told(out, say=said.append) as slow:
        slow.submit()
        slow.chunk(PCM)
        with told(out) as fast:
            fast.submit()
            fast.chunk(PCM * 2)
        assert sorted(os.listdir(tmp_path)) == ["a.tts.wav", "a.tts.wav.journal.jsonl", "a.tts.wav.part.wav"]
    assert isinstance(slow.fault, Refused)
    assert said[-1].startswith("a.tts.wav was not written: the output exists")
    assert pcm_of(out) == PCM * 2
    recover(f"{out}.journal.jsonl", tmp_path / "b.tts.wav")
    assert pcm_of(tmp_path / "b.tts.wav") == PCM


def test_an_old_journal_is_not_written_over(tmp_path: Path) -> None:
    """It may be all that is left of another recording."""
    (tmp_path / "a.tts.wav.journal.jsonl").write_text("old\n")
    with pytest.raises(ZeroDivisionError), told(tmp_path / "a.tts.wav") as recorder:
        recorder.submit()
        recorder.chunk(PCM)
        _ = 1 / 0
    assert (tmp_path / "a.tts.wav.journal.jsonl").read_text() == "old\n"
    assert (tmp_path / "a.tts.wav.2.part.wav").exists()
    recover(tmp_path / "a.tts.wav.2.journal.jsonl")
    assert pcm_of(tmp_path / "a.tts.wav") == PCM


def test_a_withheld_text_stays_out_of_the_journal(tmp_path: Path) -> None:
    """Its digest is there, and the recovered artifact has it."""
    with pytest.raises(ZeroDivisionError), told(tmp_path / "a.tts.wav", text="A secret.", withhold_text=True) as each:
        each.submit()
        each.chunk(PCM)
        _ = 1 / 0
    assert b"A secret." not in (tmp_path / "a.tts.wav.journal.jsonl").read_bytes()
    recover(tmp_path / "a.tts.wav.journal.jsonl")
    assert open_artifact(tmp_path / "a.tts.wav").descriptor.at("/input/text/value/reason") == "withheld"


def _heed_hang_up() -> None:
    """Undo what nohup does, under which these tests may run: the recorder would ignore the signal, as asked."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("raw", [True, False])
def test_a_signal_ends_the_engine_and_keeps_what_it_delivered(tmp_path: Path, signal_name: str, raw: bool) -> None:
    """`docker stop`, a closed terminal, Ctrl-C: no engine is left behind, and nothing that came is lost."""
    (tmp_path / "s.wav").write_bytes(kit.wav(PCM))
    before = "head -c 1600 /dev/zero" if raw else f'cp {tmp_path}/s.wav "$1"'
    script = f"{before}; echo $$ > {tmp_path}/pid; sleep 60 & wait"
    place = ["--pcm", "s16le:8000:1", "--", "sh", "-c", script] if raw else ["--", "sh", "-c", script, "sh", "{out}"]
    command = [sys.executable, "-m", "ttsartifact", "record", "-o", str(tmp_path / "a.tts.wav"), "--sensor", "none"]
    heeds: Any = {"preexec_fn": _heed_hang_up}
    recording = subprocess.Popen(
        [*command, "--text", "Hello.", "--text-on-stdin", *place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **heeds,
    )
    ready = threading.Event()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert recording.poll() is None
        ready.wait(0.02)

    recording.send_signal(getattr(signal, signal_name))
    recording.communicate(timeout=60)

    assert recording.returncode != 0
    assert not alive(int((tmp_path / "pid").read_text()))
    recover(tmp_path / "a.tts.wav.journal.jsonl")
    assert pcm_of(tmp_path / "a.tts.wav") == (bytes(1600) if raw else PCM)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".ttsa-")]


@pytest.mark.parametrize("argv", [["-o", "x.tts.wav", "--lang", "!!"], ["-o", "x.tts.wav", "--session", "N/A"]])
def test_a_bad_option_is_refused_before_the_engine_runs(
    tmp_path: Path, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards its sound would be there, and no artifact of it."""
    monkeypatch.chdir(tmp_path)
    command = ["record", *argv, "--text", "Hi.", "--", "sh", "-c", 'touch ran; espeak-ng -w "$1" "$2"', "sh", "{out}"]
    assert main([*command, "{text}"]) == 2
    assert os.listdir(tmp_path) == []


def test_a_deadline_keeps_what_came_before_it(tmp_path: Path) -> None:
    """The command is ended with all its processes, and what it wrote is in the journal's hands."""
    with pytest.raises(CommandFailed, match="the command did not end in time"):
        record_command(
            ["sh", "-c", "head -c 3200 /dev/zero; sleep 60", "{text}"],
            text="Hi.",
            out=tmp_path / "a.tts.wav",
            pcm="s16le:8000:1",
            timeout_s=2,
            say=lambda _: None,
        )
    lines = [json.loads(line) for line in (tmp_path / "a.tts.wav.journal.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["what"] == "read"][-1]["bytes"] == 3200
    recover(tmp_path / "a.tts.wav.journal.jsonl")
    assert pcm_of(tmp_path / "a.tts.wav") == bytes(3200)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the recording ended before the request was submitted"),
        ("not json\n", "this is not the journal of a recording"),
        ('{"what": "begin", "t_ns": 0, "format": 9, "out": "a", "recorder": "x"}\n', "this is not the journal"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """With the line that is none."""
    (tmp_path / "j").write_text(text)
    with pytest.raises(Refused, match=message):
        recover(tmp_path / "j")


def test_a_forked_child_leaves_the_recording_alone(tmp_path: Path) -> None:
    """`sys.exit` in it ends the child's block, and nothing of the parent's."""
    with told(tmp_path / "a.tts.wav") as recorder:
        recorder.submit()
        recorder.chunk(PCM)
        child = os.fork()
        if not child:
            try:
                recorder.__exit__(SystemExit, SystemExit(0), None)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        recorder.chunk(PCM)
    assert pcm_of(tmp_path / "a.tts.wav") == PCM * 2


def test_a_secret_is_masked_in_every_kind_of_line(tmp_path: Path) -> None:
    """The quick look that spares the walk lets none through: by name, by form, within a command, in an event."""
    key = "sk-" + "a1b2" * 10
    with Journal(tmp_path / "a.tts.wav", lambda: 1) as journal:
        journal.write("begin", argv=["say", "--token", "q1w2e3r4", f"https://me:{key}@x.org/"])
        journal.write("conditions", sections={"params": {"api_key": "q1w2e3r4", "voice": "a"}})
        journal.write_at(2, "event", kind="log", detail=f"sent {key}")
        journal.write_at(3, "event", kind="log", detail="token=q1w2e3r4")
    written = Path(journal.path).read_text(encoding="utf-8")
    assert "q1w2e3r4" not in written
    assert key not in written
    assert written.count("{secret}") == 5
