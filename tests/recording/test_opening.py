"""An engine begins while the files of its recording are created; what goes wrong with them takes nothing from it."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import threading
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import statements
from ttsartifact.recording.clock import MONOTONIC, REALTIME, SystemClock
from ttsartifact.recording.command import record_command
from ttsartifact.recording.meanwhile import Meanwhile
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.wrapping import wrap_iterator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PCM = kit.tone(800)
TOLD: dict[str, Any] = {"text": "Hello.", "sample_rate_hz": kit.RATE_HZ}


class _OpenedLate(Recorder):
    """A recorder whose files are not there before the engine lets them."""

    may_open: threading.Event
    waited = False

    def _open(self) -> None:
        self.waited = self.may_open.wait(10)
        super()._open()


def test_the_engine_begins_before_the_files_of_its_recording_are_there(tmp_path: Path) -> None:
    """Its chunk waits for them, with the time at which it came; what was logged meanwhile is in the journal."""
    out = tmp_path / "a.tts.wav"
    recorder = _OpenedLate(out, **TOLD)
    recorder.may_open = threading.Event()
    with recorder:
        recorder.submit()
        recorder.event("engine_begins")
        assert os.listdir(tmp_path) == []
        recorder.may_open.set()
        recorder.chunk(PCM)
        lines = (tmp_path / "a.tts.wav.journal.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.split('"what": "')[1].split('"')[0] for line in lines] == [
        *("begin", "timebase", "audio", "conditions", "moment", "event"),
        *("moment", "chunk"),
    ]
    assert recorder.waited
    assert recorder.result.path == str(out)
    assert os.listdir(tmp_path) == ["a.tts.wav"]


class _AskedLate(SystemClock):
    """Clocks of whose state the system says nothing before an engine has begun."""

    def __init__(self) -> None:
        self.may_say = threading.Event()
        self.waited: list[bool] = []

    def clocks(self) -> list[dict[str, Any]]:
        self.waited.append(self.may_say.wait(10))
        return super().clocks()


def test_the_engine_begins_before_the_state_of_the_clocks_is_known(tmp_path: Path) -> None:
    """What the kernel knows of its clocks is asked meanwhile, and stands in the artifact."""
    clock = _AskedLate()

    def engine() -> Iterator[bytes]:
        clock.may_say.set()
        yield PCM

    out = tmp_path / "a.tts.wav"
    assert list(wrap_iterator(engine, out, clock=clock, **TOLD)) == [PCM]
    assert all(clock.waited)
    clocks = open_artifact(out).descriptor.at("/timebase/clocks")
    assert [each["id"] for each in clocks[:2]] == [MONOTONIC, REALTIME]


def test_an_act_is_done_once_and_whoever_waits_is_told_what_it_raised() -> None:
    """By its thread, or by who waits; each who waits is told."""
    done: list[int] = []
    act = Meanwhile(lambda: done.append(1))
    act.wait()
    act.wait()
    assert done == [1]

    failing = Meanwhile(lambda: 1 // 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing.wait()


def test_a_folder_that_goes_away_ends_the_recording_and_not_the_stream(tmp_path: Path) -> None:
    """Between the call and the first chunk; with `on_error="raise"` it is raised before the engine begins."""
    folder = tmp_path / "folder"
    said: list[str] = []
    folder.mkdir()
    before = threading.active_count()
    chunks = wrap_iterator([PCM, PCM], folder / "a.tts.wav", say=said.append, **TOLD)
    recorder = Recorder(folder / "b.tts.wav", on_error="raise", **TOLD)
    shutil.rmtree(folder)

    assert list(chunks) == [PCM, PCM]
    missing = f"[Errno 2] No such file or directory: '{folder / 'a.tts.wav'}.journal.jsonl'"
    assert said == [f"a.tts.wav will not be written; the audio goes on: {missing}"]
    with pytest.raises(FileNotFoundError):
        recorder.__enter__()
    assert threading.active_count() <= before, "each sampler has ended"


def test_a_process_without_a_free_handle_keeps_its_stream(tmp_path: Path) -> None:
    """Not even the null device can be opened then."""
    said: list[str] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def engine() -> Iterator[bytes]:
        yield PCM

    chunks = wrap_iterator(engine, tmp_path / "a.tts.wav", say=said.append, **TOLD)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        heard = list(chunks)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert heard == [PCM]
    assert len(said) == 1
    assert said[0].startswith("a.tts.wav will not be written; the audio goes on: [Errno 24] Too many open")
    assert os.listdir(tmp_path) == []


def test_what_an_earlier_run_delivered_is_neither_written_over_nor_deleted(tmp_path: Path) -> None:
    """Its journal may be gone: the file of the audio is taken all the same."""
    kept = tmp_path / "a.tts.wav.part.wav"
    kept.write_bytes(b"an earlier take")

    assert list(wrap_iterator([PCM], tmp_path / "a.tts.wav", **TOLD)) == [PCM]
    assert kept.read_bytes() == b"an earlier take"
    assert sorted(os.listdir(tmp_path)) == ["a.tts.wav", "a.tts.wav.part.wav"]

    command = [sys.executable, "-c", "import sys; open(sys.argv[1], 'wb').write(b'RIFF....'); sys.exit(3)", "{out}"]
    with pytest.raises(CommandFailed):
        record_command(
            command, text="Hello.", out=tmp_path / "a.tts.wav", text_on_stdin=True, replace=True, say=lambda _: None
        )
    assert kept.read_bytes() == b"an earlier take"
    assert (tmp_path / "a.tts.wav.part.2.wav").read_bytes() == b"RIFF...."


class _Asked(dict[str, Any]):
    """What is stated, and which keywords were looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return default

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return False


def test_a_section_of_which_nothing_is_stated_is_not_checked_and_its_keywords_are_all_known() -> None:
    """A keyword that a section begins to look up has to be added to the table."""
    sections: dict[str, Any] = {
        "input": lambda stated: statements.input_section("Hello.", stated, ()),
        "pins": lambda stated: statements.pins_section(stated, {}),
        "generation": lambda stated: statements.generation_section(stated, command={}, self_repeat={}),
    }
    asked = {name: _Asked() for name in sections}
    for name, section in sections.items():
        section(asked[name])
    looked_up = {name: each.names for name, each in asked.items()}
    assert looked_up["input"] | {"mode"} == statements.STATED_IN["input"]
    assert looked_up["pins"] == statements.STATED_IN["pins"]
    assert looked_up["generation"] | {"self_repeat"} == statements.STATED_IN["generation"]
    with pytest.raises(Refused):
        statements.require_sound({"device": "toaster"}, "Hello.", ())
