"""Calls in an order, or of a kind, that was not thought of: recorded as what they are, or refused in words."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import io
from typing import TYPE_CHECKING, Any

import kit
import numpy as np
import pytest

from ttsartifact import Recorder, record_tts, verify, wrap_async_iterator, wrap_iterator
from ttsartifact.errors import Refused
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.drafting import _stalls
from ttsartifact.recording.factories import installed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

SOUND = (np.sin(np.arange(2_400) / 9) * 9_000).astype("<i2")
OPTIONS: dict[str, Any] = {"sample_rate_hz": 24_000, "replace": True, "on_error": "raise", "say": lambda _: None}


def decorated(out: Path) -> Any:
    class Engine:
        @record_tts(out, **OPTIONS)
        def say(self, text: str, voice: str = "a") -> Any:
            return SOUND

        @record_tts(out, **OPTIONS)
        def stream(self, voice: str, text: str) -> Iterator[Any]:
            yield SOUND

    return Engine()


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.say("Hello."),
        lambda engine: engine.say(text="Hello."),
        lambda engine: engine.say("Hello.", voice="b"),
        lambda engine: list(engine.stream("b", "Hello.")),
        lambda engine: list(engine.stream(text="Hello.", voice="b")),
    ],
)
def test_the_text_of_a_call_is_found_wherever_it_stands(tmp_path: Path, call: Callable[[Any], object]) -> None:
    """A method, a keyword, a voice before the text: what is recorded as spoken is the text."""
    out = tmp_path / "run.tts.wav"
    call(decorated(out))
    value = open_artifact(out).descriptor.value
    assert value["input"]["text"]["value"] == "Hello."
    assert value["generation"]["params"].get("voice") in {None, "b"}
    assert "factory" not in value["generation"]["runner"]  # neither is called with a text alone


def test_a_misspelled_option_is_an_error_where_it_is_written(tmp_path: Path) -> None:
    """At the decorator, and not at the first call in production."""
    with pytest.raises(TypeError, match=r"unknown keyword sample_rat=; did you mean sample_rate_hz=\?"):
        record_tts(tmp_path / "run.tts.wav", sample_rat=24_000)  # type: ignore[call-arg]


def test_awaited_chunks_are_not_taken_for_one(tmp_path: Path) -> None:
    """`wrap_iterator` recorded an asynchronous generator as an item without audio."""

    async def stream() -> AsyncIterator[Any]:
        yield SOUND

    out: Any = tmp_path / "run.tts.wav"
    for chunks in (stream(), stream):
        with pytest.raises(
            Refused, match=r"the chunks are asynchronous: found async_generator, expected wrap_async_iter"
        ):
            list(wrap_iterator(chunks, out, text="Hi.", **OPTIONS))  # type: ignore[arg-type]


def test_a_coroutine_that_returns_a_stream_is_recorded_as_it_is_taken(tmp_path: Path) -> None:
    """What it returns has no samples yet."""

    async def stream() -> AsyncIterator[Any]:
        yield SOUND
        yield SOUND

    @record_tts(tmp_path / "run.tts.wav", **OPTIONS)
    async def speak(text: str) -> AsyncIterator[Any]:
        return stream()

    async def listen() -> int:
        return len([chunk async for chunk in await speak("Hi.")])

    assert asyncio.run(listen()) == 2
    assert open_artifact(tmp_path / "run.tts.wav").descriptor.at("/audio/frames") == 2 * len(SOUND)


@pytest.mark.parametrize(
    ("out", "names"),
    [
        ("run.tts.wav", ["run-2.tts.wav", "run-3.tts.wav", "run.tts.wav"]),
        ("v1.2.wav", ["v1.2-2.wav", "v1.2-3.wav", "v1.2.wav"]),
    ],
)
def test_a_function_that_is_called_often_writes_a_file_a_call(tmp_path: Path, out: str, names: list[str]) -> None:
    """The second call must not fail in the user's own program because the first wrote the file, nor after a restart."""
    (tmp_path / "a.b").mkdir()
    options = {**OPTIONS, "replace": False}

    def speak(text: str) -> Any:
        return SOUND[: len(text)]

    begun, restarted = (record_tts(tmp_path / "a.b" / out, **options)(speak) for _ in range(2))
    for call, text in ((begun, "One."), (begun, "Two, twice."), (restarted, "Three.")):
        assert len(call(text)) == len(text)
    assert sorted(path.name for path in (tmp_path / "a.b").iterdir()) == names
    second = open_artifact(tmp_path / "a.b" / names[0]).descriptor
    assert second.at("/audio/frames") == len("Two, twice.")


def test_a_decorated_function_is_of_the_kind_that_it_was(tmp_path: Path) -> None:
    """A framework asks whether a function must be awaited: what is not asked to be is never run."""

    def returns(text: str) -> Any:
        return SOUND

    def yields(text: str) -> Iterator[Any]:
        yield SOUND

    async def awaited(text: str) -> Any:
        return SOUND

    async def streams(text: str) -> AsyncIterator[Any]:
        yield SOUND

    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    for function in (returns, yields, awaited, streams):
        decorated_one = record_tts(tmp_path / "run.tts.wav", **OPTIONS)(function)
        assert [kind(decorated_one) for kind in kinds] == [kind(function) for kind in kinds]
        assert (decorated_one.__name__, decorated_one.__wrapped__) == (function.__name__, function)


def test_a_recorder_records_one_run_from_its_begin_to_its_end(tmp_path: Path) -> None:
    """Before and after it says so; finishing again returns what was written."""
    recorder = Recorder(tmp_path / "run.tts.wav", text="Hi.", **OPTIONS)
    early: list[Callable[[], object]] = [
        recorder.submit, recorder.start, recorder.first_model_token, recorder.finish, lambda: recorder.chunk(SOUND),
        lambda: recorder.event("a"), lambda: recorder.channel("a", unit="count"), lambda: recorder.batch(1, 0),
    ]  # fmt: skip
    for act in early:
        with pytest.raises(Refused, match=r"the recording has not begun: expected with Recorder\(\.\.\.\) as recorder"):
            act()
    with recorder:
        recorder.submit()
        recorder.chunk(SOUND)
    assert recorder.finish() is recorder.packed
    for again in (lambda: recorder.chunk(SOUND), recorder.__enter__):
        with pytest.raises(Refused, match="the recording has ended: expected a Recorder for each run"):
            again()


def test_what_is_logged_meanwhile_has_its_shape(tmp_path: Path) -> None:
    """A count, a place in a batch, a kind of event and a whole value; they failed when the audio was there."""
    with Recorder(tmp_path / "run.tts.wav", text="Hi.", **OPTIONS) as recorder:
        own = recorder.channel("queue_len", unit="count")
        for act in (
            lambda: recorder.submit(waiting="3"),  # type: ignore[arg-type]
            lambda: recorder.queue_depth(-1, None),
            lambda: recorder.batch(2, 2),
            lambda: recorder.event(5),  # type: ignore[arg-type]
            lambda: own.sample(1.5),  # type: ignore[arg-type]
            lambda: recorder.channel("other", unit=5),  # type: ignore[arg-type]
        ):
            with pytest.raises(Refused):
                act()
        own.sample(np.int64(3))
        recorder.submit()
        recorder.chunk(SOUND)
    assert open_artifact(tmp_path / "run.tts.wav").trace("channel/queue_len").columns["value"] == [3]


def test_what_cannot_be_logged_ends_no_stream(tmp_path: Path) -> None:
    """With `on_error` as it is by default it is said, and the run is recorded without it."""
    said: list[str] = []
    options = OPTIONS | {"on_error": "log", "say": said.append}
    with Recorder(tmp_path / "run.tts.wav", text="Hi.", **options) as recorder:
        recorder.submit(waiting=-1)
        recorder.event("")
        recorder.chunk(SOUND)
    recorder.chunk(SOUND)
    assert recorder.packed is not None
    assert [each.partition(": ")[0] for each in said] == ["not recorded"] * 3


def test_a_function_that_returns_an_open_buffer_returns_it(tmp_path: Path) -> None:
    """A BytesIO is one sound, though it can be iterated."""
    speak = record_tts(tmp_path / "a.tts.wav")(lambda text: io.BytesIO(kit.wav()))
    assert speak("Hi.").getvalue() == kit.wav()
    assert verify(tmp_path / "a.tts.wav")[0].verdict == "INTACT"


def test_a_sound_beside_its_rate_is_one_sound(tmp_path: Path) -> None:
    """Of a function that an iterator was expected from."""
    pair = (np.zeros(2400, dtype="f4"), np.int64(24_000))
    assert list(wrap_iterator(lambda: pair, tmp_path / "a.tts.wav", text="Hi.")) == [pair]
    assert verify(tmp_path / "a.tts.wav")[0].verdict == "INTACT"


def test_what_is_not_what_it_looks_like_is_said(tmp_path: Path) -> None:
    """The decorator without its path, the name of a file in place of its bytes, and a batch."""
    with pytest.raises(Refused) as refused:
        record_tts(lambda text: b"")("Hi.")  # type: ignore[type-var,arg-type,return-value]
    assert str(refused.value) == (
        "record_tts decorates a function: found 'Hi.', expected @record_tts(\"run.tts.wav\", ...) above it"
    )
    said: list[str] = []
    record_tts(tmp_path / "a.tts.wav", say=said.append)(lambda text: "speech.wav")("Hi.")
    assert said[-1] == (
        "a.tts.wav was not written: the engine delivered no audio, and 1 item without audio, the first of type str: "
        "expected bytes, an array, (rate, samples), or the bytes of a file in place of its name "
        f"(at {tmp_path / 'a.tts.wav.journal.jsonl'})"
    )
    with (
        pytest.raises(Refused) as refused,
        Recorder(tmp_path / "b.tts.wav", text="Hi.", sample_rate_hz=24_000, on_error="raise") as recorder,
    ):
        recorder.submit()
        recorder.chunk(np.zeros((2, 1, 2400), dtype="f4"))
    assert str(refused.value) == (
        "a chunk is a batch of sounds: found (2, 1, 2400), expected a Recorder for each: chunk(batch[0]) (at chunk 0)"
    )


@pytest.mark.parametrize("kind", ["list", "generator", "function", "coroutine"])
def test_chunks_that_are_not_awaited_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    """`wrap_async_iterator` names the function that takes them, however the chunks are given."""

    async def later() -> Any:
        return [SOUND]

    given: dict[str, Any] = {
        "list": [SOUND],
        "generator": (chunk for chunk in [SOUND]),
        "function": lambda: [SOUND],
        "coroutine": later,
    }
    found = "generator" if kind == "generator" else "list"

    async def listen() -> None:
        async for _ in wrap_async_iterator(given[kind], tmp_path / "run.tts.wav", text="Hi.", **OPTIONS):
            pass

    with pytest.raises(
        Refused, match=rf"not an asynchronous iterator: found {found}, expected .*; wrap_iterator\(\) takes this one"
    ):
        asyncio.run(listen())
    assert not (tmp_path / "run.tts.wav").exists()


@pytest.mark.parametrize(("stated", "pinned"), [
    ({}, True),
    ({"build": "cu130"}, False),
    ({"digest": "sha256:" + "ab" * 32}, False),
])  # fmt: skip
def test_a_tool_that_states_its_own_build_keeps_it(stated: dict[str, Any], pinned: bool) -> None:
    """What the caller says of a tool is not written over by what is installed here under its name."""
    tool = {"name": "numpy", "version": importlib.metadata.version("numpy"), **stated}
    found = installed(tool)
    assert (found == tool) is not pinned
    assert found.get("build", "").startswith("pip-record ") is pinned


@pytest.mark.parametrize(
    ("chunks", "rate_hz", "lacks"),
    [
        ((), 24_000, "no chunk log"),
        ([(5, 0, 240)], None, "the sample rate is not known"),
        ((), None, "no chunk log"),
    ],
)
def test_stalls_need_a_chunk_log_and_a_rate(
    chunks: Sequence[tuple[int, int, int]], rate_hz: int | None, lacks: str
) -> None:
    """Where either is missing they were not measured, which is not the same as none; what is missing is named."""
    assert _stalls(chunks, rate_hz) == {"value": None, "reason": "not_measured", "detail": lacks}
    assert _stalls([(5, 0, 240)], 24_000) == {"count": 0, "total_ns": 0}
