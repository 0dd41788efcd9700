"""Chunks as libraries hand them over: every one of them becomes the same samples."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ttsartifact import record_tts, wrap_async_iterator, wrap_iterator
from ttsartifact.errors import CommandFailed, Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms import digest
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

RATE_HZ = 24_000
SAMPLES = (np.arange(480) % 97 * 300 - 12_000).astype("<i2")
FLOATS = SAMPLES.astype(np.float32) / 32_768
COMMIT = "1f0c0a4d83b6e2579cc41d70f5a8e6b3920d7c14"


@dataclass
class Result:
    """A result as Kokoro or sherpa-onnx gives one."""

    graphemes: str
    audio: Any
    sample_rate: int | None = RATE_HZ


class Tensor:
    """What torch's tensors are asked for here, on a device, with a gradient."""

    def __init__(self, values: np.ndarray, *, dtype: str = "torch.float32", host: bool = False) -> None:
        self.values, self.dtype, self.host = values, dtype, host

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return Tensor(self.values, dtype=self.dtype, host=True)

    def float(self) -> Tensor:
        return Tensor(self.values, host=self.host)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        if not self.host or self.dtype == "torch.bfloat16":
            raise TypeError("not in host memory, or no type of numpy's")
        return self.values


CHUNKS = {
    "bytes": (SAMPLES.tobytes(), False),
    "memoryview": (memoryview(SAMPLES), False),
    "int16": (SAMPLES, False),
    "float32": (FLOATS, False),
    "float64": (FLOATS.astype(np.float64), False),
    "list of floats": (FLOATS.tolist(), False),
    "a column": (FLOATS[:, None], False),
    "a channel first": (FLOATS[None], False),
    "a batch of one": (FLOATS[None, None], False),
    "a tensor on a device": (Tensor(FLOATS[None]), False),
    "a bfloat16 tensor": (Tensor(FLOATS, dtype="torch.bfloat16"), False),
    "rate and samples": ((RATE_HZ, SAMPLES), True),
    "samples and rate": ((Tensor(FLOATS), np.int64(RATE_HZ)), True),
    "words beside samples": (("hi", "hai", FLOATS), False),
    "a result object": (Result("hi", Tensor(FLOATS)), True),
    "a result object without a rate": (Result("hi", FLOATS, None), False),
    "a dictionary": ({"audio": FLOATS[None], "sampling_rate": RATE_HZ}, True),
    "a dictionary within one": ({"audio": {"array": FLOATS, "sampling_rate": RATE_HZ}, "text": "Hi."}, True),
    "bytes of a data set's column": ({"audio": {"bytes": SAMPLES.tobytes(), "path": None}}, False),
    "a list of integers": (SAMPLES.tolist(), False),
    "int64": (SAMPLES.astype(np.int64), False),
    "a list of bytes": ([SAMPLES[:100].tobytes(), SAMPLES[100:].tobytes()], False),
}


def found(out: Path) -> Any:
    (report,) = verify(out)
    assert (report.verdict, report.failures) == ("INTACT", ())
    return open_artifact(out).descriptor


@pytest.mark.parametrize("kind", CHUNKS)
def test_every_kind_is_the_same_samples(tmp_path: Path, kind: str) -> None:
    """Two chunks of it; the rate is said once, by the caller or by the chunk."""
    chunk, tells_rate = CHUNKS[kind]
    told = {} if tells_rate else {"sample_rate_hz": RATE_HZ}

    passed = list(wrap_iterator([chunk, chunk], tmp_path / "run.tts.wav", text="Hi.", **told))

    assert all(each is chunk for each in passed)
    descriptor = found(tmp_path / "run.tts.wav")
    assert descriptor.at("/audio/sample_rate_hz") == RATE_HZ
    assert descriptor.at("/audio/pcm") == digest.of(SAMPLES.tobytes() * 2)
    assert len(open_artifact(tmp_path / "run.tts.wav").trace("chunks").columns["t_ns"]) == 2


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_real_tensors(tmp_path: Path) -> None:
    """With a gradient, in float32, float16 and bfloat16."""
    import torch

    tensor = torch.from_numpy(FLOATS.copy()).requires_grad_()
    chunks = [tensor, (RATE_HZ, tensor[None]), tensor.half(), tensor.bfloat16()]
    list(wrap_iterator(chunks, tmp_path / "run.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ))
    assert found(tmp_path / "run.tts.wav").at("/audio/frames") == 4 * len(SAMPLES)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([FLOATS], "the sample rate is not stated"),
        ([(RATE_HZ, FLOATS), (16_000, FLOATS)], "a chunk has a different sample rate"),
        (
            [(FLOATS, FLOATS)],
            (
                r"a chunk does not say which of its parts is the audio: found \(ndarray, ndarray\), "
                r"expected samples, \(rate, samples\) or \(samples, rate\) \(at chunk 0\)$"
            ),
        ),
        ([(RATE_HZ, 16_000, FLOATS)], "a chunk does not say which of its parts is the audio"),
        ([("only", "words")], "the engine delivered no audio, and 1 item without audio, the first of type tuple"),
        ([object()], "the engine delivered no audio, and 1 item without audio, the first of type object"),
        (
            [{"text": "no audio"}, None],
            "the engine delivered no audio, and 2 items without audio, the first of type dict",
        ),
        (
            [ValueError("no such voice")],
            "the engine delivered no audio, and 1 item without audio, the first of type ValueError: no such voice",
        ),
        (
            [{"audio": "UklG" * 80}],
            (
                r"a chunk is base64, and what it encodes is not stated: found UklGUklGUklGUklG\.\.\. of 320 "
                r"characters, expected base64\.b64decode\(\) of it, where those bytes are samples"
            ),
        ),
        (
            [(RATE_HZ, SAMPLES.astype("f4"))],
            (
                r"floating-point samples are not within -1 and 1: found a peak of \d+, expected integers "
                r"as integers: samples\.astype\('int16'\), or samples / 32768"
            ),
        ),
        ([(RATE_HZ, [0, 40_000])], "a sample lies outside 16 bits: found 0 to 40000, expected -32768 to 32767"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, chunks: list[Any], message: str) -> None:
    """With a journal, and no artifact that would say something false."""
    with pytest.raises((Refused, CommandFailed), match=message):
        list(wrap_iterator(chunks, tmp_path / "run.tts.wav", text="Hi.", on_error="raise"))
    assert "run.tts.wav.journal.jsonl" in os.listdir(tmp_path)
    assert not (tmp_path / "run.tts.wav").exists()


@pytest.mark.parametrize("before", [0, 2])
def test_an_engine_that_raises_leaves_a_journal(tmp_path: Path, before: int) -> None:
    """Its own error reaches the caller, from the first chunk on or before it."""

    def broken() -> Iterator[Any]:
        yield from [FLOATS] * before
        raise ConnectionResetError("the server went away")

    with pytest.raises(ConnectionResetError, match="the server went away"):
        list(wrap_iterator(broken, tmp_path / "run.tts.wav", text="Hi.", sample_rate_hz=RATE_HZ))
    left = ["run.tts.wav.journal.jsonl", "run.tts.wav.part.wav"]
    assert sorted(os.listdir(tmp_path)) == left[: 1 + (before > 0)]
    assert "the server went away" in (tmp_path / "run.tts.wav.journal.jsonl").read_text()


def test_an_awaited_engine_is_recorded(tmp_path: Path) -> None:
    """As an iterator, and as a decorated function."""

    async def speak(text: str) -> AsyncIterator[Any]:
        for _ in text.split():
            await asyncio.sleep(0)
            yield RATE_HZ, FLOATS

    async def heard(chunks: AsyncIterator[Any]) -> int:
        return len([chunk async for chunk in chunks])

    wrapped = wrap_async_iterator(lambda: speak("one two"), tmp_path / "a.tts.wav", text="one two")
    assert asyncio.run(heard(wrapped)) == 2
    decorated = record_tts(tmp_path / "b.tts.wav")(speak)
    assert asyncio.run(heard(decorated("one two three"))) == 3
    assert found(tmp_path / "a.tts.wav").at("/audio/frames") == 2 * len(SAMPLES)
    assert found(tmp_path / "b.tts.wav").at("/audio/frames") == 3 * len(SAMPLES)


def test_pins_in_words(tmp_path: Path) -> None:
    """As the command line takes them; one that pins nothing is refused before anything is spoken."""
    asked: list[int] = []

    def speak() -> Iterator[Any]:
        asked.append(1)
        yield RATE_HZ, FLOATS

    pins = {"model": f"hf:example/voice@{COMMIT}", "engine": "my-engine@2.3.1"}
    list(wrap_iterator(speak, tmp_path / "run.tts.wav", text="Hi.", **pins))
    descriptor = found(tmp_path / "run.tts.wav")
    assert (descriptor.at("/pins/model/uri"), descriptor.at("/pins/model/revision")) == ("hf:example/voice", COMMIT)
    assert descriptor.at("/pins/engine") == {"name": "my-engine", "version": "2.3.1"}
    with pytest.raises(Refused, match="the repository is not pinned by a full commit"):
        list(wrap_iterator(speak, tmp_path / "other.tts.wav", text="Hi.", model="hf:example/voice@main"))
    assert asked == [1]


def test_the_example_runs(tmp_path: Path) -> None:
    """examples/any_engine.py, as a reader would start it."""
    script = Path(__file__).parent.parent.parent / "examples" / "any_engine.py"
    done = subprocess.run(
        [sys.executable, script, "run.tts.wav"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "run.tts.wav: INTACT, 0 rules broken"
    descriptor = found(tmp_path / "run.tts.wav")
    assert descriptor.at("/pins/engine/name") == "espeak-ng"
    assert len(open_artifact(tmp_path / "run.tts.wav").trace("chunks").columns["t_ns"]) == 3
