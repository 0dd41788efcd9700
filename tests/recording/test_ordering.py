"""What a call of a command is refused for before anything runs, and what its output is refused for: whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact.container import riff
from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.recording.delivering import chunk_log, require_audio, signal_name, walked
from ttsartifact.recording.ordering import Order, StatedPcmFormat, order_of, recorded_argv
from ttsartifact.recording.process import CommandEnd
from ttsartifact.recording.references import Reference

if TYPE_CHECKING:
    from pathlib import Path


def ordered(argv: list[str], out: str = "run.tts.wav", *, clip: str | None = None, **given: Any) -> Order:
    """Return an order."""
    stated: Any = {"references": [Reference(path=clip)]} if clip else {}
    asked: dict[str, Any] = dict.fromkeys(("pcm", "suffix", "timeout_s", "idle_timeout_s")) | {"text_on_stdin": False}
    return order_of(argv, "Hello.", out, stated, None, **(asked | given))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (([],), "no command is given: expected -- COMMAND ... (at argv)"),
        (
            (["say", "{text}"], "{out}"),
            (
                "an option of the command was read as one of `ttsa record`: found {out}, expected -- before the "
                "command (at --out)"
            ),
        ),
        ((["say"],), "the command is never given the text: expected {text}, or --text-on-stdin (at argv)"),
        ((["say", "{text}", "{ref}"],), "the command takes a reference and none was given: found {ref} (at argv)"),
        (
            (["say", "{text}"], "run.tts.wav", {"clip": "a.wav"}),
            "a reference was given and the command takes none: expected {ref} (at argv)",
        ),
        (
            (["say", "{text}"], "run.tts.wav", {"suffix": ".mp3"}),
            "the WAV carrier holds WAV audio only; write .tts.parquet: found .mp3, expected .wav (at run.tts.wav)",
        ),
        (
            (["say", "{text}"], "run.tts.flac", {"suffix": ".wav"}),
            "the FLAC carrier holds FLAC audio only; write .tts.parquet: found .wav, expected .flac (at run.tts.flac)",
        ),
        (
            (["say", "{text}"], "run.tts.flac", {"pcm": "s16le:8000:1"}),
            "raw PCM is written as WAV: found .tts.flac, expected .tts.wav or .tts.parquet (at run.tts.flac)",
        ),
        (
            (["say", "{text}"], "run.tts.mp3", {"pcm": "s16le:8000:1"}),
            "raw PCM is written as WAV: found .tts.mp3, expected .tts.wav or .tts.parquet (at run.tts.mp3)",
        ),
        (
            (["say", "{text}", "{out}"], "run.tts.wav", {"pcm": "s16le:8000:1"}),
            "raw PCM comes from stdout, not from {out}: found {out} (at argv)",
        ),
    ],
)
def test_a_call_whose_record_would_not_be_true_is_refused(call: tuple[Any, ...], words: str) -> None:
    """What is wrong, what was found, what would do, and where."""
    argv, *rest = call
    out = rest[0] if rest else "run.tts.wav"
    with pytest.raises(Refused) as refused:
        ordered(argv, out, **(rest[1] if len(rest) > 1 else {}))
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("out", "given", "suffix"),
    [
        ("run.tts.wav", {}, ".wav"),
        ("run.tts.flac", {}, ".flac"),
        ("run.tts.mp3", {}, ".mp3"),
        ("run.tts.parquet", {}, ".wav"),
        ("run.tts.parquet", {"suffix": ".mp3"}, ".mp3"),
    ],
)
def test_the_file_of_a_command_ends_as_its_carrier_does(out: str, given: dict[str, str], suffix: str) -> None:
    """A data set holds any of them."""
    assert ordered(["say", "{text}"], out, **given).suffix == suffix


@pytest.mark.parametrize(
    ("words", "subtype", "depth"),
    [
        ("s16le:8000:1", "pcm_s16", 16),
        ("s24le:8000:1", "pcm_s24", 24),
        ("s32le:8000:1", "pcm_s32", 32),
        ("f32le:8000:1", "pcm_f32", 32),
        ("f64le:8000:1", "pcm_f64", 64),
        ("u8:8000:1", "pcm_u8", 8),
        ("alaw:8000:1", "alaw", 8),
        ("mulaw:9999999:9999", "mulaw", 8),
    ],
)
def test_a_format_of_raw_samples_is_read(words: str, subtype: str, depth: int) -> None:
    """Its word, its rate and its channels."""
    found = StatedPcmFormat.parse(words)
    assert (found.subtype, found.bit_depth) == (subtype, depth)
    assert f"{found.sample_rate_hz}:{found.channels}" == words.partition(":")[2]


@pytest.mark.parametrize(
    "words", ["s16be:8000:1", "s16le", "s16le:0:1", "s16le:8000:0", "s16le:10000000:1", "s16le:8000:10000", ""]
)
def test_another_format_of_raw_samples_is_refused(words: str) -> None:
    """With those that there are."""
    with pytest.raises(Refused) as refused:
        StatedPcmFormat.parse(words)
    assert str(refused.value) == (
        f"not a PCM format: found {words}, expected s16le|s24le|s32le|f32le|f64le|u8|alaw|mulaw:RATE:CHANNELS "
        "(at --pcm)"
    )


@pytest.mark.parametrize(
    ("word", "recorded"),
    [
        ("/home/me/piper", "piper"),
        ("~/voices/a.onnx", "a.onnx"),
        ("-m/home/me/a.onnx", "-ma.onnx"),
        ("--model=/home/me/a.onnx", "--model=a.onnx"),
        ("--model-dir=/home/me/", "--model-dir=me"),
        ("relative/a.onnx", "relative/a.onnx"),
        ("http://host/a/b", "http://host/a/b"),
        ("file:///home/me/a", "file:a"),
        ("a=/x/b:/y/c", "a=b:c"),
        ("say '/x/b' && cat </y/c", "say 'b' && cat <c"),
        ("speak >/home/me/$i.wav `pwd`", "speak >$i.wav `pwd`"),
        ("{text}", "{text}"),
    ],
)
def test_a_command_is_recorded_without_the_places_of_this_machine(word: str, recorded: str) -> None:
    """The names that paths end with are left, unless the caller wants the paths."""
    assert recorded_argv([word], include_paths=False) == [recorded]
    assert recorded_argv([word], include_paths=True) == [word]


def ended(status: int = 0, tail: str = "", reads: tuple[tuple[int, int], ...] = ()) -> CommandEnd:
    """Return the end of a command."""
    return CommandEnd(status=status, t_end_ns=99, reads=list(reads), tail=tail)


FILE, PIPE = ["say", "{text}", "{out}"], ["say", "{text}"]


@pytest.mark.parametrize(
    ("argv", "end", "data", "words"),
    [
        (PIPE, ended(3), b"", "the command failed: found exit status 3, expected exit status 0 (at argv/0)"),
        (PIPE, ended(-11), b"", "the command failed: found signal SIGSEGV, expected exit status 0 (at argv/0)"),
        (PIPE, ended(-200), b"", "the command failed: found signal 200, expected exit status 0 (at argv/0)"),
        (
            PIPE,
            ended(1, "a\n  no voice  \n\n"),
            b"",
            "the command failed and said 'no voice': found exit status 1, expected exit status 0 (at argv/0)",
        ),
        (
            PIPE,
            ended(1, "Hello.: No such file"),
            b"",
            (
                "the command failed and said 'Hello.: No such file': found exit status 1, expected exit status 0; it "
                "may have taken the text for the name of a file: try --text-on-stdin without {text} (at argv/0)"
            ),
        ),
        (FILE, ended(0, "done"), None, "the command wrote no file and said 'done': expected audio (at {out})"),
        (
            FILE,
            ended(0, "RIFF\0\0WAVE\n\0\1"),
            None,
            "the command wrote no file: expected audio; it wrote bytes to stdout: leave out {out} (at {out})",
        ),
        (FILE, ended(), b"", "the command wrote an empty file: found 0 bytes, expected audio (at {out})"),
        (
            PIPE,
            ended(),
            b"",
            (
                "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} where the command takes "
                "the name of its file (at stdout)"
            ),
        ),
        (
            ["say", "-o", "a.wav", "{text}"],
            ended(),
            b"",
            (
                "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} in place of a.wav "
                "(at stdout)"
            ),
        ),
        (
            ["espeak-ng", "{text}"],
            ended(),
            b"",
            (
                "the command wrote nothing to stdout: found 0 bytes, expected audio, or {out} behind its option -w "
                "(at stdout)"
            ),
        ),
    ],
)
def test_a_command_that_left_no_audio_is_refused(
    argv: list[str], end: CommandEnd, data: bytes | None, words: str, tmp_path: Path
) -> None:
    """How it ended, what it said last, what came and what would do."""
    path = tmp_path / "out.wav"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CommandFailed) as failed:
        require_audio(ordered(argv), str(path), end)
    assert str(failed.value) == words


@pytest.mark.parametrize(
    "said",
    ["cannot open Hello.", "Can't read Hello.", "could not open Hello.", "failed to read Hello.", "Hello. not found"],
)
def test_a_text_that_was_taken_for_a_file_is_seen_by_what_was_said(said: str, tmp_path: Path) -> None:
    """In the words of several programs; not where the command was given no text, nor where it is another file."""
    for argv, tail, hinted in (
        (PIPE, said, True),
        (PIPE, said.replace("Hello.", "voice"), False),
        (["say {text}"], said, False),
    ):
        with pytest.raises(CommandFailed) as failed:
            require_audio(ordered(argv), str(tmp_path / "out.wav"), ended(1, tail))
        assert ("taken the text for the name of a file" in str(failed.value)) is hinted


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"",
            "the command wrote no whole number of frames: found 0 bytes, expected a positive multiple of 4 (at stdout)",
        ),
        (
            bytes(6),
            "the command wrote no whole number of frames: found 6 bytes, expected a positive multiple of 4 (at stdout)",
        ),
        (
            kit.wav(bytes(8)),
            (
                "stdout is a WAV file, not raw PCM; leave out --pcm: found RIFF....WAVE, expected samples without a "
                "header (at stdout)"
            ),
        ),
        (
            bytes(400) + kit.wav(bytes(8)),
            (
                "stdout holds the header of a WAV file between the samples; let the server send PCM, or one WAV: found "
                "RIFF....WAVEfmt, expected samples without a header (at stdout, byte 400)"
            ),
        ),
    ],
)
def test_raw_samples_that_are_none_are_refused(data: bytes, words: str, tmp_path: Path) -> None:
    """Sizes, headers of files, and where they are behind the header that is ours."""
    path = tmp_path / "out.wav"
    order = ordered(PIPE, pcm="s16le:8000:2")
    assert order.pcm is not None
    path.write_bytes(riff.header(order.pcm, 0) + data)
    with pytest.raises(CommandFailed) as failed:
        require_audio(order, str(path), ended())
    assert str(failed.value) == words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"Loading the voice\n" + kit.wav(bytes(800)),
            (
                "the command wrote a line of text before its audio: 'Loading the voice'; let it write that to stderr, "
                "or use {out}: found text, expected WAV, FLAC, MP3 or Ogg (at offset 0)"
            ),
        ),
        (
            bytes(range(200, 216)),
            (
                "the command wrote no known audio format; for raw samples, add --pcm s16le:RATE:CHANNELS: found bytes "
                "c8 c9 ca cb cc cd ce cf d0 d1 d2 d3, expected WAV, FLAC, MP3 or Ogg (at offset 0)"
            ),
        ),
        (
            b"Traceback (most recent call last):\n  File\n",
            (
                "the command wrote text and no audio: 'Traceback (most recent call last):': found text, expected WAV, "
                "FLAC, MP3 or Ogg (at offset 0)"
            ),
        ),
        (
            kit.wav(bytes(800), tag=99)[:60],
            "",
        ),
    ],
)
def test_what_is_no_audio_is_called_by_what_it_is(data: bytes, words: str, tmp_path: Path) -> None:
    """A line before a file, no format, a text; a broken WAV is refused with what the walk says."""
    path = tmp_path / "out.wav"
    path.write_bytes(data)
    with FileSource(path) as audio, pytest.raises(CommandFailed) as failed:
        walked(audio)
    said = str(failed.value)
    assert said == words if words else said.startswith("the command wrote a broken WAV: ")


def test_signals_have_names() -> None:
    """One without a name has its number."""
    assert (signal_name(9), signal_name(15), signal_name(200)) == ("SIGKILL", "SIGTERM", "200")


@pytest.mark.parametrize(
    ("argv", "pcm", "log"),
    [
        (FILE, None, [(99, 0, 400)]),
        (PIPE, None, [(2, 0, 100), (4, 100, 300)]),
        (PIPE, "s16le:16000:1", [(2, 0, 122), (3, 122, 0 + 1), (4, 123, 277)]),
    ],
)
def test_the_chunk_log_of_a_command(
    argv: list[str], pcm: str | None, log: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    """The frames that each read completed, behind the header where the command wrote one; all at once of a file."""
    path = tmp_path / "out.wav"
    path.write_bytes(kit.wav(bytes(800)))
    reads = ((1, 1), (2, 244), (3, 246 if pcm else 245), (4, 2000))
    with FileSource(path) as audio:
        found = chunk_log(ordered(argv, pcm=pcm), ended(reads=reads), walked(audio), 0)
    assert found == log
    assert chunk_log(ordered(argv), ended(), None, 7) == [(99, 0, 7)]
    assert chunk_log(ordered(argv), ended(), None, 0) == []
