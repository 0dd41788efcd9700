"""A real engine that streams: espeak-ng through its C interface, recorded chunk by chunk as it decodes."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from ttsartifact.formulas.logs import stalls
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.wrapping import wrap_iterator
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "The quick brown fox jumps over the lazy dog. It does so twice, and then it rests."
_SYNCHRONOUS, _UTF8, _BUFFER_MS = 2, 1, 60  # speak_lib.h: AUDIO_OUTPUT_SYNCHRONOUS, espeakCHARS_UTF8


@cache
def espeak() -> tuple[ctypes.CDLL, int]:
    """Return the library, ready, and its sample rate. It may be made ready once a process."""
    try:
        library = ctypes.CDLL("libespeak-ng.so.1")
    except OSError:
        pytest.skip("libespeak-ng is not installed")
    return library, library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, 0)


def speak(text: str) -> Iterator[bytes]:
    """Yield 16-bit PCM as espeak-ng decodes it on a thread of its own."""
    library, _ = espeak()
    chunks: SimpleQueue[bytes | None] = SimpleQueue()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def decoded(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count:
            chunks.put(ctypes.string_at(samples, 2 * count))
        return 0

    def synthesise() -> None:
        library.espeak_SetSynthCallback(decoded)
        data = text.encode()
        library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        chunks.put(None)

    worker = threading.Thread(target=synthesise)
    worker.start()
    while (chunk := chunks.get()) is not None:
        yield chunk
    worker.join()


def test_a_streaming_engine_is_recorded_as_it_decodes(tmp_path: Path) -> None:
    """6.3, 7.4: t_first_token and t_last_token are the ends of the chunk log, and every chunk digest recomputes."""
    _, rate_hz = espeak()
    out = tmp_path / "run.tts.wav"
    heard: list[bytes] = []

    with Recorder(out, text=TEXT, sample_rate_hz=rate_hz, engine={"name": "espeak-ng", "version": "1.51"}) as recorder:
        recorder.submit(waiting=0, running=0)
        recorder.start()
        for chunk in speak(TEXT):
            recorder.chunk(chunk)
            heard.append(chunk)

    found = open_artifact(out)
    log, times = found.trace("chunks"), found.descriptor.at("/run/times")
    assert log is not None
    assert len(heard) > 10
    assert log.columns["pcm_sha256"] == [digest.of(chunk).removeprefix("sha256:") for chunk in heard]
    t_ns = log.columns["t_ns"]
    assert times["t_submit_ns"] < times["t_start_ns"] < times["t_first_token_ns"] == t_ns[0]
    assert times["t_last_token_ns"] == t_ns[-1] <= times["t_encoded_ns"]
    assert times["first_chunk_frames"] == len(heard[0]) // 2
    assert times["streaming"] is True
    count, total_ns = stalls(t_ns, log.columns["frame_start"], log.columns["frame_count"], rate_hz)
    assert times["stalls"] == {"count": count, "total_ns": total_ns}
    (report,) = verify(out)
    assert (report.verdict, report.failures, report.warnings) == ("INTACT", (), ())


def test_a_wrapped_engine_gives_the_caller_what_the_file_holds(tmp_path: Path) -> None:
    """Passing through the recorder changes no sample."""
    _, rate_hz = espeak()
    out = tmp_path / "run.tts.wav"

    passed = b"".join(wrap_iterator(lambda: speak(TEXT), out, text=TEXT, sample_rate_hz=rate_hz))

    assert open_artifact(out).descriptor.at("/audio/pcm") == digest.of(passed)
