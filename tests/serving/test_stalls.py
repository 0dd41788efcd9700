"""A server that stalls, on a real socket: it is said, it has a limit, and what it sent is kept."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import kit
import pytest
from serving_kit import TEXT, asked

from ttsartifact.errors import CommandFailed
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import clock, run
from ttsartifact.recording.recovering import recover
from ttsartifact.serving.keeping import record_http
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAV = kit.wav(kit.tone(12_000))
HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: {len(WAV)}\r\n\r\n".encode()
ANSWER = HEAD + WAV
STALLS = {
    "before the head": 0,
    "behind the head": len(HEAD),
    "in the middle of the body": len(HEAD) + 9_000,
    "before the last chunk": len(ANSWER) - 960,
}


@contextlib.contextmanager
def stalling(size: int) -> Iterator[tuple[str, threading.Event]]:
    """Yield a server that sends so much of the answer, and the rest once the event is set."""
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                while TEXT.encode() not in connection.recv(1 << 16):
                    pass
                connection.sendall(ANSWER[:size])
                go_on.wait(60)
                connection.sendall(ANSWER[size:])

        serving = threading.Thread(target=answer, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", go_on
        go_on.set()
        serving.join(10)


@pytest.mark.parametrize("stall", STALLS)
def test_a_server_that_stalls_has_a_limit(tmp_path: Path, stall: str) -> None:
    """Wherever it stalls: the request ends with its reason, and each byte that came is beside the output."""
    size, out = STALLS[stall], tmp_path / "run.tts.wav"
    came = max(0, size - len(HEAD))
    limit_s = 2 if size else 0.2  # what is sent has to arrive first, on a busy machine too
    with stalling(size) as (url, _), pytest.raises(CommandFailed) as caught:
        record_http(asked(url, idle_timeout_s=limit_s), out, say=lambda _: None)
    what = "only a part of its answer" if came else "no audio"
    found = "HTTP 200" if size else "no answer"
    expected = "the whole answer" if came else "audio"
    assert str(caught.value) == (
        f"the server delivered {what}: nothing came for {limit_s} s: found {found}, expected {expected} "
        f"(at {url}/v1/audio/speech)"
    )
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept.pop(f"{out.name}.journal.jsonl", None) is not None or not came
    assert kept == ({f"{out.name}.part.answer": WAV[:came]} if came else {})


@pytest.mark.parametrize("stall", STALLS)
def test_a_server_that_goes_on_after_a_stall_is_recorded(
    tmp_path: Path, stall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line says that nothing comes; without a limit that is reached, the answer is recorded whole."""
    monkeypatch.setattr(clock, "_WATCH_S", 0.01)
    monkeypatch.setattr(run, "_QUIET_NS", 1_000_000)
    said: list[str] = []
    with stalling(STALLS[stall]) as (url, go_on):

        def say(line: str) -> None:
            said.append(line)
            go_on.set()

        packed = record_http(asked(url), tmp_path / "run.tts.wav", say=say)
    assert re.fullmatch(r"no audio for \d+ s; still waiting \(Ctrl-C ends it and keeps what came\)", said[0])
    assert packed.descriptor.at("/audio/frames") == 12_000


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_who_ends_a_stalled_request_keeps_what_came(tmp_path: Path, number: int, status: int) -> None:
    """By Ctrl-C, by the signal of a service that is stopped or by force; `recover` makes an artifact of it."""
    size = STALLS["in the middle of the body"]
    with stalling(size) as (url, _):
        words = ["record", "--http", url, "--text", TEXT, "--sensor", "none", "-o", "run.tts.wav"]
        call = [sys.executable, "-m", "ttsartifact", *words]
        heeds: Any = {"preexec_fn": _heed_ctrl_c}
        process = subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **heeds)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not _arrived(tmp_path, size - len(HEAD)):
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    kept, journal = "run.tts.wav.part.answer", "run.tts.wav.journal.jsonl"
    made = f"what the server sent is kept in {kept}, and `ttsa recover {journal}` makes an artifact of it"
    assert (made in said) is (number != signal.SIGKILL)
    assert sorted(os.listdir(tmp_path)) == [journal, kept]
    assert (tmp_path / kept).read_bytes() == WAV[: size - len(HEAD)]
    out = recover(tmp_path / journal).path
    (report,) = verify(out)
    at = open_artifact(out).descriptor.at
    assert report.conformant, report.findings
    assert at("/audio/frames") == (size - len(HEAD) - 44) // 2
    assert at("/run/request/url") == f"{url}/v1/audio/speech"
    assert at("/input/text/value") == TEXT
    assert at("/run/notes").startswith("recovered from a journal: ")


def _heed_ctrl_c() -> None:
    """Undo what a shell does to its background jobs, in which these tests may run."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _arrived(folder: Path, size: int) -> bool:
    journal = folder / "run.tts.wav.journal.jsonl"
    return journal.exists() and f'"bytes": {size}}}' in journal.read_text()
