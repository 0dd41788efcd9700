"""Streams that people really have: cut, wrapped, broken, mixed with marks, and not what was promised."""

from __future__ import annotations

import array
import asyncio
import contextlib
import io
import itertools
import os
import re
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import pytest

from ttsartifact.container.magic import kind_of
from ttsartifact.errors import CommandFailed, Refused, TooLarge
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording import clock, run
from ttsartifact.recording.command import record_command
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.recovering import recover
from ttsartifact.recording.wrapping import _turns, record_tts, wrap_async_iterator, wrap_iterator
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

RATE_HZ = kit.RATE_HZ
PCM = kit.tone(800)
FLOATS = np.zeros(800, dtype="f4")


def recorded(out: Path, chunks: Any, **options: Any) -> tuple[list[Any], list[str]]:
    """Return what reached the listener and what was said."""
    said: list[str] = []
    told = {"text": "Hi.", "sample_rate_hz": RATE_HZ, "say": said.append} | options
    return list(wrap_iterator(chunks, out, **told)), said


def samples(out: Path) -> bytes:
    found = open_artifact(out)
    assert found.pcm is not None
    (report,) = verify(out)
    assert (report.verdict, report.failures) == ("INTACT", ())
    return found.source.read_at(found.pcm.offset, found.pcm.size)


def pieces_of(data: bytes, *places: int) -> list[bytes]:
    ends = [0, *places, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(ends)]


def test_the_first_byte_may_be_older_than_the_first_audio(tmp_path: Path) -> None:
    """7.4: a header that comes ahead of the samples is the first byte and no audio; arrays have no bytes at all."""
    data = kit.wav(PCM)
    recorded(tmp_path / "a.tts.wav", pieces_of(data, 44))
    known = open_artifact(tmp_path / "a.tts.wav").descriptor.known
    submit, byte, token = (known(f"/run/times/t_{name}_ns") for name in ("submit", "first_byte", "first_token"))
    assert submit < byte < token
    recorded(tmp_path / "b.tts.wav", [FLOATS])
    assert open_artifact(tmp_path / "b.tts.wav").descriptor.at("/run/times/t_first_byte_ns") is None


@pytest.mark.parametrize("cut", [1, 2, 3, 799, 1599])
def test_a_cut_sample_waits_for_the_next_chunk(tmp_path: Path, cut: int) -> None:
    """6.3: transport cuts where it likes; a frame is there when its last byte is."""
    passed, said = recorded(tmp_path / "a.tts.wav", pieces_of(PCM, cut))
    assert (b"".join(passed), samples(tmp_path / "a.tts.wav"), said) == (PCM, PCM, [])


def test_bytes_behind_the_last_whole_frame_are_said(tmp_path: Path) -> None:
    """At the end, and not in the middle of somebody's stream."""
    _, said = recorded(tmp_path / "a.tts.wav", [PCM + b"\1"])
    assert said == ["1 byte after the last whole frame forms no sample and was dropped"]
    assert samples(tmp_path / "a.tts.wav") == PCM
    events = open_artifact(tmp_path / "a.tts.wav").trace("events")
    assert events is not None
    assert events.columns["kind"] == ["cut_frame"]


@pytest.mark.parametrize(
    "chunks",
    [
        [kit.wav(PCM), kit.wav(PCM)],
        [*pieces_of(kit.wav(PCM) + kit.wav(PCM), 3, 17, 40, 1001)[:4], (kit.wav(PCM) + kit.wav(PCM))[1001:]],
        [kit.wav(PCM)[:40] + b"\xff\xff\xff\xff", PCM, kit.wav(PCM)],
        [kit.wav(PCM) + b"LIST\4\0\0\0INFO", PCM[:0], kit.wav(PCM)],
        [io.BytesIO(kit.wav(PCM)), kit.wav(PCM)],
    ],
    ids=["two files", "cut anywhere", "open-ended", "a chunk behind the samples", "BytesIO"],
)
def test_headers_of_wav_files_are_taken_off(tmp_path: Path, chunks: list[Any]) -> None:
    """A header among the samples is a click that nobody played."""
    recorded(tmp_path / "a.tts.wav", chunks)
    assert samples(tmp_path / "a.tts.wav") == PCM * 2


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (b'{"error": {"message": "invalid api key"}}', 'JSON came: \'{"error": {"message": "invalid api key"}}\''),
        (b"<!DOCTYPE html>\n<html>502", "HTML or XML came: '<!DOCTYPE html>'"),
        (b"Rate limit reached for requests", "text came: 'Rate limit reached for requests'"),
        (b'data: {"type": "speech.audio.delta"}\n\n', "text came: 'data: "),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c", "gzip-compressed data came"),
        (b"OggS\0\2" + bytes(30), "an Ogg file came; decode it, or ask the server for PCM"),
        (b"fLaC\0\0\0\x22" + bytes(40), "a FLAC file came"),
        (b"ID3\4\0\0\0\0\0\x23" + bytes(40), "an MP3 file came"),
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_visibly_no_sample_is_never_recorded(tmp_path: Path, strange: bytes, words: str, before: int) -> None:
    """Refused with the server's first line, at the start of any chunk; the listener gets every chunk, we keep each."""
    chunks = [*[PCM] * before, strange, PCM]
    passed, said = recorded(tmp_path / "a.tts.wav", chunks)
    assert passed == chunks
    assert f"raw samples were promised and {words}" in said[0]
    assert not (tmp_path / "a.tts.wav").exists()
    assert (tmp_path / "a.tts.wav.part.bin").read_bytes() == strange
    with pytest.raises(Refused, match="raw samples were promised"):
        recorded(tmp_path / "b.tts.wav", chunks, on_error="raise")


def test_real_encoders_are_known_and_real_samples_are_not_taken_for_them(tmp_path: Path) -> None:
    """Every start of speech in four sample formats is samples; what ffmpeg writes is not."""
    subprocess.run(["espeak-ng", "-w", tmp_path / "s.wav", "Nothing of this is a text."], check=True)
    speech = np.frombuffer((tmp_path / "s.wav").read_bytes()[44:], "<i2")
    for suffix in ("mp3", "aac", "m4a", "flac", "ogg", "webm", "aiff", "caf", "au", "mp2"):
        extra = ["-write_xing", "0", "-id3v2_version", "0"] if suffix == "mp3" else []
        command = ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "s.wav", *extra, tmp_path / f"s.{suffix}"]
        subprocess.run(command, check=True)
        kind = kind_of((tmp_path / f"s.{suffix}").read_bytes())
        assert kind is not None, suffix
        assert kind.is_audio
    encodings = [speech, (speech / 32768).astype("<f4"), (speech / 32768 * 2147483647).astype("<i4")]
    for encoding in encodings:
        data = encoding.tobytes()
        assert not [place for place in range(0, len(data), 640) if kind_of(data[place : place + 640])]


@pytest.mark.parametrize("mark", [None, "a word", ("hi", "h", None), {"event": "end"}, 7, object()])
def test_an_item_without_audio_passes_and_is_logged(tmp_path: Path, mark: Any) -> None:
    """Engines send marks between the chunks; the stream goes on."""
    passed, said = recorded(tmp_path / "a.tts.wav", [mark, PCM, mark])
    assert (passed, said) == ([mark, PCM, mark], [])
    events = open_artifact(tmp_path / "a.tts.wav").trace("events")
    assert events is not None
    assert events.columns["kind"] == ["no_audio"] * 2


@pytest.mark.parametrize(
    ("chunk", "channels"),
    [
        ({"waveform": np.zeros((1, 1, 800), "f4"), "sample_rate": RATE_HZ}, 1),
        ({"waveform": np.zeros((1, 2, 800), "f4"), "sample_rate": RATE_HZ}, 2),
        (np.zeros((2, 800), "f4"), 2),
        (np.zeros((800, 2), "f4"), 2),
        (memoryview(bytes(3200))[::2], 1),
        (array.array("f", [0.0] * 800), 1),
        (([0.0] * 800, float(RATE_HZ)), 1),
    ],
    ids=["ComfyUI", "ComfyUI stereo", "channels first", "frames first", "strided", "array.array", "a rate of 8000.0"],
)
def test_shapes_that_people_have(tmp_path: Path, chunk: Any, channels: int) -> None:
    """(channels, frames) is torch's order; which axis is which follows from the number of channels."""
    recorded(tmp_path / "a.tts.wav", [chunk], channels=np.int64(channels))
    assert samples(tmp_path / "a.tts.wav") == bytes(1600 * channels)


def test_the_order_of_the_axes_is_remembered(tmp_path: Path) -> None:
    """A last chunk of two frames in two channels has the order of those before it; alone, nobody could tell."""
    first, last = np.zeros((2, 800), "f4"), np.array([[0.0, 0.5], [0.25, 0.75]], "f4")
    recorded(tmp_path / "a.tts.wav", [first, last], channels=2)
    tail = np.frombuffer(samples(tmp_path / "a.tts.wav")[-8:], "<i2")
    assert tail.tolist() == [0, 8192, 16384, 24576]
    _, said = recorded(tmp_path / "b.tts.wav", [last], channels=2)
    assert "a chunk of as many frames as channels does not say which axis is which" in said[0]


def _nested(levels: int) -> list[Any]:
    return [_nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"modell": "x"}, TypeError, "unknown keyword modell=; did you mean model=?"),
        ({"temperature": 0.3}, TypeError, "unknown keyword temperature=; a parameter of the engine goes into params="),
        ({"sample_rate": 8000}, TypeError, "did you mean sample_rate_hz=?"),
        ({"rate": 8000}, TypeError, "unknown keyword rate=; did you mean sample_rate_hz=?"),
        ({"speed": 1.2}, TypeError, "did you mean seed=? Else a parameter of the engine goes into params={'speed': "),
        ({"seed": 7.5}, Refused, "the seed is not a whole number: found 7.5, expected seed=7, or a text of digits"),
        ({"lang": "!!"}, Refused, 'found !!, expected lang="en-GB"'),
        ({"session": "N/A"}, Refused, 'found N/A, expected session="evening-1"'),
        ({"device": "gpu"}, Refused, 'expected device="cuda"; one of cpu, cuda'),
        ({"seeds": [[]]}, Refused, "the seed is not a whole number: found [], expected seed=7, or a text of digits"),
        ({"seeds": [{"stage": [3]}]}, Refused, "expected seed=7, or seeds="),
        ({"params": {"temperature": float("nan")}}, Refused, "a stated value is not finite"),
        ({"params": {"voice": object()}}, Refused, "a stated value is not representable in JSON"),
        ({"params": {"voice": "a\udcff"}}, Refused, "a stated text holds bytes that are not UTF-8"),
        ({"params": {"größe": 1}}, Refused, "a parameter has a name that no artifact holds: found größe"),
        ({"params": {"a": [{"b/c": 1}]}}, Refused, "a parameter has a name that no artifact holds: found b/c"),
        ({"params": {"clip": "A" * 1_100_000}}, TooLarge, "the descriptor would be too large: found 1100"),
        ({"params": {"a": _nested(40)}}, TooLarge, "is nested too deeply: expected at most 32 levels"),
        ({"text": "a\ud83d"}, Refused, "half of a surrogate pair"),
        ({"sample_rate_hz": 24000.5}, Refused, "sample_rate_hz is not a whole number in range"),
        ({"observer": "host"}, Refused, "this condition cannot be recorded: found host"),
        ({"semantics": "in_process"}, Refused, "this condition cannot be recorded: found in_process"),
    ],
)
def test_conditions_are_checked_before_the_engine_is_asked(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Whatever `on_error` says: it is the call that is wrong, and nothing was spoken yet."""
    asked: list[int] = []

    def speak() -> Iterator[bytes]:
        asked.append(1)
        yield PCM

    with pytest.raises(error) as caught:
        recorded(tmp_path / "a.tts.wav", speak, **options)
    assert words in str(caught.value)
    assert (asked, os.listdir(tmp_path)) == ([], [])


def test_parameters_are_the_engines_own(tmp_path: Path) -> None:
    """4.2, 4.3: names as engines have them, and numbers that are beyond what JSON readers agree on, as text."""
    params = {
        "speakingRate": 1.2,
        "speaker-id": 7,
        "seed": 2**64 - 1,
        "scale": 1e20,
        "voice": {"styleDegree": -(2**53)},
    }
    recorded(tmp_path / "a.tts.wav", [PCM], params=params)
    (report,) = verify(tmp_path / "a.tts.wav")
    assert (report.verdict, report.failures) == ("INTACT", ())
    assert open_artifact(tmp_path / "a.tts.wav").descriptor.known("/generation/params") == {
        "speakingRate": 1.2,
        "speaker-id": 7,
        "seed": "18446744073709551615",
        "scale": "1e+20",
        "voice": {"styleDegree": "-9007199254740992"},
    }


def test_a_line_of_a_log_before_the_samples_is_no_sound(tmp_path: Path) -> None:
    """It would be heard as a click; eight samples of letters in a row are no sound."""
    _, said = recorded(tmp_path / "a.tts.wav", [b"Loading the model\n" + PCM])
    assert "raw samples were promised and text came: 'Loading the model'" in said[0]


def test_an_output_is_a_path() -> None:
    """In the words of every other wrong value, whoever is given it."""
    words = 'found None, expected "run.tts.wav", or a Path (at out)'
    for record in (
        lambda out: Recorder(out, text="Hello.", sample_rate_hz=RATE_HZ),
        lambda out: record_command(["espeak-ng", "-w", "{out}", "{text}"], text="Hello.", out=out),
    ):
        with pytest.raises(Refused) as caught:
            record(None)
        assert words in str(caught.value)


def test_a_pipe_is_iterated_and_not_one_item(tmp_path: Path) -> None:
    """The stdout of a program has a `detach` of its own, and is no tensor."""
    read, write = os.pipe()
    os.write(write, PCM)
    os.close(write)
    with open(read, "rb") as pipe:
        heard, said = recorded(tmp_path / "a.tts.wav", pipe)
    assert (b"".join(heard), said) == (PCM, [])
    assert samples(tmp_path / "a.tts.wav") == PCM


def test_values_of_numpy_paths_and_enums_are_taken(tmp_path: Path) -> None:
    """A seed and free parameters have a place, in whatever type the caller has them."""
    from enum import Enum

    style = Enum("Style", {"CALM": "calm"})
    params = {"temperature": np.float32(0.5), "voice": tmp_path / "v.pt", "style": style.CALM, "speaker": np.int64(3)}
    recorded(tmp_path / "a.tts.wav", [PCM], seed=np.int64(7), params=params)
    generation = open_artifact(tmp_path / "a.tts.wav").descriptor.at("/generation")
    assert generation["params"] == {"temperature": 0.5, "voice": "v.pt", "style": "calm", "speaker": 3}
    assert (generation["seeds"][0]["stage"], generation["seeds"][0]["requested"]) == ("engine", "7")


def test_a_full_disk_does_not_end_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fits is kept; the audio goes on."""

    def full(self: Recorder, data: bytes) -> None:
        if len(data) == len(PCM) and self._frames >= 800:
            raise OSError(28, "No space left on device")
        os.write(self._file.fileno(), data)

    monkeypatch.setattr(Recorder, "_write", full)
    passed, said = recorded(tmp_path / "a.tts.wav", [PCM] * 3)
    assert passed == [PCM] * 3
    assert "a.tts.wav will not be written; the audio goes on: [Errno 28] No space left on device" in said[0]
    assert said[1] == f"what is not recorded is kept in {tmp_path}/a.tts.wav.part.bin"
    assert f"`ttsa recover {tmp_path}/a.tts.wav.journal.jsonl`" in said[2]


@pytest.mark.parametrize(
    "chunk",
    [
        np.arange(12, dtype="<i4").reshape(6, 2),
        np.arange(12, dtype="i1"),
        {"audio": np.linspace(-1, 1, 12, dtype="f2").reshape(4, 3)},
    ],
    ids=["stereo of 32 bits", "8 bits", "three channels"],
)
def test_an_array_that_is_not_recorded_is_kept_as_numpy_writes_it(tmp_path: Path, chunk: Any) -> None:
    """Of each chunk in its order, in one file, which a line names; what an engine delivered is never lost."""
    passed, said = recorded(tmp_path / "a.tts.wav", [chunk, chunk])
    assert len(passed) == 2
    kept = tmp_path / "a.tts.wav.part.npy"
    assert f"what is not recorded is kept in {kept}" in said
    with kept.open("rb") as file:
        both = [np.load(file, allow_pickle=False) for _ in range(2)]
        assert not file.read()
    wanted = chunk["audio"] if isinstance(chunk, dict) else chunk
    assert all(np.array_equal(each, wanted) and each.dtype == wanted.dtype for each in both)


def test_a_listener_who_leaves_stops_the_engine(tmp_path: Path) -> None:
    """Closing the wrapper closes what it wraps, at once, also an iterator that is no generator."""
    closed: list[str] = []

    def speak() -> Iterator[bytes]:
        try:
            while True:
                yield PCM
        finally:
            closed.append("generator")

    class Response:
        def __iter__(self) -> Response:
            return self

        def __next__(self) -> bytes:
            return PCM

        def close(self) -> None:
            closed.append("response")

    for number, engine in enumerate((speak(), Response())):
        passing = wrap_iterator(engine, tmp_path / f"{number}.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ)
        next(passing)
        passing.close()
    assert closed == ["generator", "response"]


@pytest.mark.parametrize("sound", [PCM, FLOATS, (RATE_HZ, FLOATS), {"audio": FLOATS}])
def test_a_function_that_returns_its_sound(tmp_path: Path, sound: Any) -> None:
    """Most libraries' call: recorded as one chunk, and what it returned is returned."""
    out = tmp_path / "a.tts.wav"

    @record_tts(out, sample_rate_hz=RATE_HZ, say=lambda _: None)
    def speak(text: str) -> Any:
        return sound

    assert speak("Hi.") is sound
    assert len(samples(out)) == 1600


def test_awaited_functions_and_iterators(tmp_path: Path) -> None:
    """A coroutine that returns the sound, one that returns the iterator, and an async generator left early."""
    closed: list[str] = []

    async def stream() -> AsyncIterator[bytes]:
        try:
            for _ in range(3):
                yield PCM
        finally:
            closed.append("stream")

    async def opened() -> AsyncIterator[bytes]:
        return stream()

    @record_tts(tmp_path / "c.tts.wav", sample_rate_hz=RATE_HZ, say=lambda _: None)
    async def speak(text: str) -> bytes:
        return PCM

    async def all_of_it() -> None:
        wrapped = wrap_async_iterator(opened, tmp_path / "a.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ)
        assert [chunk async for chunk in wrapped] == [PCM] * 3
        left = wrap_async_iterator(stream(), tmp_path / "b.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ)
        async with contextlib.aclosing(left) as passing:
            await anext(passing)
        assert await speak("Hi.") == PCM

    asyncio.run(all_of_it())
    assert closed == ["stream", "stream"]
    assert samples(tmp_path / "a.tts.wav") == PCM * 3
    assert not (tmp_path / "b.tts.wav").exists()
    assert samples(tmp_path / "c.tts.wav") == PCM


async def three() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield PCM


def test_streams_that_end_together_are_each_packed(tmp_path: Path) -> None:
    """One at a time, so that the event loop goes on; in each loop of the process."""

    async def listen(number: int) -> list[bytes]:
        out = tmp_path / f"{number}.tts.wav"
        return [chunk async for chunk in wrap_async_iterator(three, out, text="Hi.", sample_rate_hz=RATE_HZ)]

    async def together(first: int) -> list[list[bytes]]:
        return await asyncio.gather(*(listen(number) for number in range(first, first + 8)))

    for first in (0, 8):
        assert asyncio.run(together(first)) == [[PCM] * 3] * 8
    assert [samples(tmp_path / f"{number}.tts.wav") for number in range(16)] == [PCM * 3] * 16
    assert len(os.listdir(tmp_path)) == 16


def test_a_listener_who_is_cancelled_before_the_packing_leaves_what_was_delivered(tmp_path: Path) -> None:
    """Beside a journal, of which `recover` makes the artifact."""
    out = tmp_path / "a.tts.wav"

    async def listen() -> None:
        async for _ in wrap_async_iterator(three, out, text="Hi.", sample_rate_hz=RATE_HZ, say=lambda _: None):
            pass

    async def cancelled() -> None:
        async with _turns().packing:
            listening = asyncio.create_task(listen())
            while not _turns().packing._waiters:
                await asyncio.wait([listening], timeout=0.001)
            listening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listening

    asyncio.run(cancelled())
    assert sorted(os.listdir(tmp_path)) == ["a.tts.wav.journal.jsonl", "a.tts.wav.part.wav"]
    recover(tmp_path / "a.tts.wav.journal.jsonl")
    assert samples(out) == PCM * 3


def test_an_awaited_engine_without_a_sound_is_said_once(tmp_path: Path) -> None:
    """What goes wrong before the packing is neither raised in the listener's stream nor said twice."""
    said: list[str] = []

    async def silent() -> AsyncIterator[bytes]:
        yield b""

    async def listen() -> list[bytes]:
        out = tmp_path / "a.tts.wav"
        found = wrap_async_iterator(silent, out, text="Hi.", sample_rate_hz=RATE_HZ, say=said.append)
        return [chunk async for chunk in found]

    assert asyncio.run(listen()) == [b""]
    journal = tmp_path / "a.tts.wav.journal.jsonl"
    why = f"the engine delivered no audio: expected at least one frame (at {journal})"
    assert said == [f"a.tts.wav was not written: {why}"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "q.m4a",
            (),
            "the command wrote an MP4 or M4A file, which is not read; let it write one of the",
        ),
        ("q.aiff", (), "the command wrote an AIFF file, which is not read"),
        ("q.webm", (), "the command wrote a WebM or Matroska file, which is not read"),
        ("q.raw", ("-f", "s16le"), "for raw samples, add --pcm s16le:RATE:CHANNELS"),
    ],
)
def test_audio_that_is_not_read_is_not_no_audio(
    tmp_path: Path, name: str, arguments: tuple[str, ...], words: str
) -> None:
    """Said by its name, with the way out; what the command wrote is kept."""
    (tmp_path / "s.wav").write_bytes(kit.wav())
    command = ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "s.wav", *arguments, tmp_path / name]
    subprocess.run(command, check=True)
    argv = ["cp", "-S{text}", str(tmp_path / name), "{out}"]
    with pytest.raises(CommandFailed) as caught:
        record_command(argv, text="Hi.", out=tmp_path / "a.tts.wav", say=lambda _: None)
    assert words in str(caught.value)
    assert digest.of((tmp_path / "a.tts.wav.part.wav").read_bytes()) == digest.of((tmp_path / name).read_bytes())


def test_little_sound_for_a_text_of_words_is_said(tmp_path: Path) -> None:
    """2.3 ms are no speech."""
    _, said = recorded(tmp_path / "a.tts.wav", [bytes(36)])
    assert said == ["a.tts.wav holds 1.12 ms of sound for a text of words"]


def test_an_engine_that_stalls_is_said_and_its_stream_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first chunk and later; nothing ends a stream that is the user's."""
    monkeypatch.setattr(clock, "_WATCH_S", 0.01)
    monkeypatch.setattr(run, "_QUIET_NS", 1_000_000)
    said, seen = threading.Event(), []

    def say(words: str) -> None:
        seen.append(words)
        said.set()

    def engine() -> Iterator[bytes]:
        for _ in range(2):
            said.clear()
            assert said.wait(30)
            yield PCM

    out = tmp_path / "a.tts.wav"
    assert list(wrap_iterator(engine, out, text="Hi.", sample_rate_hz=RATE_HZ, say=say)) == [PCM] * 2
    assert samples(out) == PCM * 2
    assert all(re.fullmatch(r"no audio for \d+ s; still waiting", words) for words in seen)

    async def awaited() -> AsyncIterator[bytes]:
        for _ in range(2):
            said.clear()
            assert await asyncio.to_thread(said.wait, 30)
            yield PCM

    async def listen() -> list[bytes]:
        wrapped = wrap_async_iterator(awaited, out, text="Hi.", sample_rate_hz=RATE_HZ, say=say, replace=True)
        return [chunk async for chunk in wrapped]

    assert asyncio.run(listen()) == [PCM] * 2
    assert samples(out) == PCM * 2


def test_a_silence_of_the_listener_is_none_of_the_engine(tmp_path: Path) -> None:
    """While the listener plays a chunk nothing is awaited; a silence is said at ten seconds, twenty and forty."""
    said: list[str] = []
    chunks = wrap_iterator(three_at_once, tmp_path / "a.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ, say=said.append)
    assert next(chunks) == PCM
    for timebase in list(clock._KEEPER._open):
        for watcher in timebase.watchers:
            watcher(10**15)
    chunks.close()
    spoken = record_tts(tmp_path / "b.tts.wav", sample_rate_hz=RATE_HZ, say=said.append)(lambda text: three_at_once())
    asked_for = spoken("Hi.")
    for timebase in list(clock._KEEPER._open):
        for watcher in timebase.watchers:
            watcher(10**15)
    assert list(asked_for) == [PCM] * 3
    assert not [words for words in said if "no audio" in words]

    silence = run.Silence(said.append, lambda: 1_000_000_000)
    said.clear()
    for t_s in (1, 10, 11, 12, 20, 21, 40, 41, 43):
        silence(t_s * 1_000_000_000)
    assert said == [f"no audio for {quiet} s; still waiting" for quiet in (10, 20, 40)]


def three_at_once() -> Iterator[bytes]:
    """Yield three chunks."""
    return iter([PCM] * 3)
