"""Colours and progress are for terminals; a pipe gets words."""

from __future__ import annotations

import io
import sys

import pytest

from ttsartifact.cli import speak
from ttsartifact.cli.making import note
from ttsartifact.errors import CommandFailed, Damaged, OutputExists, Refused, TtsArtifactError, Unavailable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_needs_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a pipe, not under NO_COLOR, not on a dumb terminal."""
    assert speak.paint(Terminal()).on
    assert not speak.paint(io.StringIO()).on
    monkeypatch.setenv("NO_COLOR", "1")
    assert not speak.paint(Terminal()).on
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not speak.paint(Terminal()).on


def test_progress_is_told_to_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never on stdout, and not before it is clear that the job takes time."""
    for stream, expected in ((Terminal(), True), (io.StringIO(), False)):
        seconds = iter((0.0, 2.0, 3.0))
        monkeypatch.setattr(speak.time, "monotonic", lambda seconds=seconds: next(seconds, 4.0))
        monkeypatch.setattr(sys, "stderr", stream)
        for done in (1, 2, 3):
            speak.progress(done, 3, "files")
        assert ("files" in stream.getvalue()) is expected


def test_what_is_told_is_fitted_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long note of `record` has a hanging indent there, and is one line in a pipe."""
    monkeypatch.setenv("COLUMNS", "40")
    words = "L2 also needs /run/attempt (--attempt N), /traces: telemetry (--sensor nvml)"
    for stream, expected in (
        (Terminal(), ["ttsa: L2 also needs /run/attempt", "  (--attempt N), /traces: telemetry", "  (--sensor nvml)"]),
        (io.StringIO(), [f"ttsa: {words}"]),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        note(words)
        assert stream.getvalue().replace("\r\x1b[K", "").splitlines() == expected


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (TtsArtifactError("plain"), "ttsa: plain", 4),
        (
            Damaged("the file ends too early", where="a.wav: offset 4", found="3 bytes", expected="8 bytes"),
            "ttsa: the file ends too early: found 3 bytes, expected 8 bytes (at a.wav: offset 4)",
            4,
        ),
        (Unavailable("no such runner", found="x\x1b"), "ttsa: no such runner: found x\\x1b", 3),
        (Refused("not a PCM format", where="--pcm", found="x"), "ttsa: not a PCM format: found x (at --pcm)", 2),
        (CommandFailed("line\nbreak", where="argv/0"), "ttsa: line\\nbreak (at argv/0)", 4),
        (OutputExists(where="a.wav"), "ttsa: the output exists; use --force to replace it (at a.wav)", 4),
    ],
)
def test_an_error_is_one_line_with_its_address(error: TtsArtifactError, line: str, code: int) -> None:
    """Message, both sides, place; and the exit code follows from its kind."""
    assert speak.error_line(error) == line
    assert speak.exit_of(error) == code


def test_what_was_written_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is shortened on a terminal and never broken; a pipe gets it whole."""
    line = f"hello.tts.wav: sha256:{'0123456789abcdef' * 4}, level L1"
    for stream, expected in (
        (Terminal(), "hello.tts.wav: sha256:0123456789ab…, level L1\n"),
        (io.StringIO(), f"{line}\n"),
    ):
        monkeypatch.setattr(sys, "stdout", stream)
        speak.say_written("hello.tts.wav", line)
        assert stream.getvalue() == expected
