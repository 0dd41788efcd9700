"""Engines that are recorded from the outside of their code: an iterator, an awaited iterator, a function.

What the engine yields is passed on as it is, at once, whatever becomes of its recording. Closing a wrapped iterator
closes the engine's own, so that a listener who leaves stops the synthesis.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import itertools
import os
from numbers import Integral
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack, cast

from ttsartifact.errors import Refused
from ttsartifact.recording.factories import called_with, spoken_in
from ttsartifact.recording.recorder import Recorder, require_options

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from ttsartifact.recording.recorder import RecorderOptions

Chunk = TypeVar("Chunk")
Speak = TypeVar("Speak", bound="Callable[..., Any]")


def wrap_iterator(
    chunks: Iterable[Chunk] | Callable[[], Iterable[Chunk]],
    out: str | os.PathLike[str],
    *,
    text: str | bytes,
    **options: Unpack[RecorderOptions],
) -> Generator[Chunk, None, None]:
    """Pass on the chunks of an engine and record them; the artifact is written when the last one was taken.

    An iterator that raises, or is left before its end, leaves a journal, what was delivered, and no artifact.

    Args:
        chunks: The engine's chunks, or a function that returns them. The function is called after `t_submit` was taken,
            so that all of its work is inside the run.
        out: The artifact to write.
        text: What is spoken.
        **options: Those of `Recorder`; a wrong one is raised here, before anything is iterated.

    Example:
        `for chunk in wrap_iterator(engine.stream, "run.tts.wav", text="Hello.", sample_rate_hz=24_000): ...`
    """
    _require_no_await(chunks)
    return _recorded(chunks, Recorder(out, text=text, **options))


def _recorded(
    chunks: Iterable[Chunk] | Callable[[], Iterable[Chunk]], recorder: Recorder
) -> Generator[Chunk, None, None]:
    with recorder:
        recorder.submit()
        yield from _passed(_iterable(chunks() if callable(chunks) else chunks), recorder)


def _require_no_await(chunks: Any) -> None:
    """Raise Refused for chunks that are awaited: taken for one chunk, they would be recorded as no audio."""
    is_awaited = not hasattr(chunks, "__iter__") and (hasattr(chunks, "__aiter__") or inspect.isawaitable(chunks))
    if is_awaited:
        raise Refused(
            "the chunks are asynchronous",
            where="chunks",
            found=type(chunks).__name__,
            expected="wrap_async_iterator(), which takes this one",
        )


def _passed(chunks: Iterable[Chunk], recorder: Recorder) -> Generator[Chunk, None, None]:
    """Record and pass on; when the listener leaves, whatever gives the chunks is closed before anything else."""
    recorder._awaits(audio=True)  # noqa: SLF001 - its own side
    try:
        for chunk in chunks:
            recorder.chunk(chunk)
            recorder._awaits(audio=False)  # noqa: SLF001 - the listener has its turn
            yield chunk
            recorder._awaits(audio=True)  # noqa: SLF001
    except BaseException:
        _close(chunks)
        raise


def _close(chunks: Any) -> None:
    close = getattr(chunks, "close", None)
    if callable(close):
        close()


def _iterable(given: Any) -> Any:
    """Return the chunks of an engine; a sound that is there at once is one chunk."""
    if isinstance(given, GeneratorType):
        return given
    _require_no_await(given)
    # A file, such as the stdout of a program, can detach what it buffers, and is no tensor.
    is_array = hasattr(given, "__array__") or (hasattr(given, "detach") and hasattr(given, "cpu"))
    is_pair = isinstance(given, tuple) and any(isinstance(each, Integral) for each in given)  # with its rate
    alone = is_pair or is_array or isinstance(given, (bytes, bytearray, dict, io.BytesIO))
    alone = alone or not hasattr(given, "__iter__")
    return (given,) if alone else given


def wrap_async_iterator(
    chunks: AsyncIterable[Chunk] | Callable[[], AsyncIterable[Chunk] | Awaitable[AsyncIterable[Chunk]]],
    out: str | os.PathLike[str],
    *,
    text: str | bytes,
    **options: Unpack[RecorderOptions],
) -> AsyncGenerator[Chunk, None]:
    """Do as `wrap_iterator` does, for an engine that is awaited.

    Opening the recording and writing the artifact happen in a thread, so that the event loop goes on.

    Args:
        chunks: The engine's chunks, or a function that returns them; a coroutine that returns them is awaited too.
        out: The artifact to write.
        text: What is spoken.
        **options: Those of `Recorder`.

    Example:
        `async for chunk in wrap_async_iterator(engine.stream, "run.tts.wav", text="Hello."): ...`
    """
    return _recorded_async(chunks, Recorder(out, text=text, **options))


async def _recorded_async(chunks: Any, recorder: Recorder) -> AsyncGenerator[Any, None]:
    async with _Awaited(recorder):
        recorder.submit()
        given = chunks() if callable(chunks) else chunks
        if inspect.isawaitable(given):
            given = await given
        if not hasattr(given, "__aiter__"):
            raise Refused(
                "the chunks are not an asynchronous iterator",
                found=type(given).__name__,
                expected="an asynchronous iterator; wrap_iterator() takes this one",
            )
        async with contextlib.aclosing(_passed_async(given, recorder)) as passed:
            async for chunk in passed:
                yield chunk


async def _passed_async(chunks: AsyncIterable[Chunk], recorder: Recorder) -> AsyncGenerator[Chunk, None]:
    recorder._awaits(audio=True)  # noqa: SLF001
    try:
        async for chunk in chunks:
            recorder.chunk(chunk)
            recorder._awaits(audio=False)  # noqa: SLF001 - the listener has its turn
            yield chunk
            recorder._awaits(audio=True)  # noqa: SLF001
    except BaseException:
        aclose = getattr(chunks, "aclose", None)
        if callable(aclose):
            await aclose()
        raise


class _Turns(NamedTuple):
    """Who may open, and who may pack: one recording of an event loop at a time each.

    Threads that compute take the interpreter from the loop for a switch interval each: fifty streams that end
    together would hold it up fifty times as long as one. An opening does not wait for those that are packed.
    """

    opening: asyncio.Lock
    packing: asyncio.Lock


_TURNS: dict[asyncio.AbstractEventLoop, _Turns] = {}


def _turns() -> _Turns:
    """Return the turns of the event loop that runs."""
    loop = asyncio.get_running_loop()
    found = _TURNS.get(loop)
    if found is None:
        for closed in [each for each in list(_TURNS) if each.is_closed()]:
            _TURNS.pop(closed, None)
        found = _TURNS[loop] = _Turns(asyncio.Lock(), asyncio.Lock())
    return found


class _Awaited:
    """A recorder as an asynchronous context: what it does itself, it does in a thread, when it is its turn."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def __aenter__(self) -> Recorder:
        async with _turns().opening:
            return await asyncio.to_thread(self._recorder._enter_whole)  # noqa: SLF001 - the whole of its __enter__

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:  # a task that is cancelled waits for nothing
            self._recorder.__exit__(kind, error, trace)
            return
        # First what is stamped and what waits for a sensor: no run is longer because others are packed.
        await asyncio.to_thread(self._recorder._end_quietly)  # noqa: SLF001 - the half of its __exit__
        packing = _turns().packing
        try:
            await packing.acquire()
        except BaseException as cancelled:
            self._recorder.__exit__(type(cancelled), cancelled, cancelled.__traceback__)
            raise
        try:
            await asyncio.to_thread(self._recorder.__exit__, None, None, None)
        finally:
            packing.release()


def record_tts(
    out: str | os.PathLike[str] | Callable[[str], str | os.PathLike[str]], **options: Unpack[RecorderOptions]
) -> Callable[[Speak], Speak]:
    """Decorate a function or a method that takes a text: each completed call writes one artifact.

    The text is the argument named `text`, else the first that is one. A generator stays a generator, an async one too,
    and is recorded chunk by chunk. A function that returns its sound (bytes, an array, a pair with the rate, a result
    object) is recorded as one chunk and returns what it returned; one that returns an iterator returns an iterator. The
    function is stated as the run's factory, by which `rerun --factory` makes the run again, where it takes the text
    first and is no method; the other arguments of a call are its parameters, and a `seed` its seed.

    Args:
        out: A path, of which each call takes the next free number (run.tts.wav, run-2.tts.wav), or a function from the
            text to one.
        **options: Those of `Recorder`; `factory=` and `params=` replace what is found.

    Raises:
        Refused: What is decorated cannot be called.

    Example:
        `@record_tts("run.tts.wav", sample_rate_hz=24_000)`
    """
    require_options(options)

    def decorate(function: Speak) -> Speak:
        if not callable(function):
            raise Refused(
                "record_tts decorates a function",
                found=repr(function)[:200],
                expected='@record_tts("run.tts.wav", ...) above it',
            )
        record, numbers = _recording_of(function), itertools.count(1)

        def begin(arguments: Any, keywords: Any) -> Any:
            text = spoken_in(function, arguments, keywords)
            recorder_options = called_with(function, arguments, keywords, options)
            path = out(text) if callable(out) else _numbered(os.fspath(out), numbers, options.get("replace", False))
            recorder = Recorder(path, text=text, **recorder_options)
            return record(lambda: function(*arguments, **keywords), recorder)

        recorded = functools.wraps(function)(_of_the_same_kind(function, begin))
        setattr(recorded, _UNDECORATED, function)
        return cast("Speak", recorded)

    return decorate


def _of_the_same_kind(function: Callable[..., Any], begin: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return a function that does what `begin` does with its arguments; frameworks ask whether it must be awaited."""
    if inspect.isasyncgenfunction(function):

        async def each(*arguments: Any, **keywords: Any) -> AsyncGenerator[Any, None]:
            async with contextlib.aclosing(begin(arguments, keywords)) as chunks:
                async for chunk in chunks:
                    yield chunk

        return each
    if inspect.isgeneratorfunction(function):

        def every(*arguments: Any, **keywords: Any) -> Generator[Any, None, Any]:
            return (yield from begin(arguments, keywords))

        return every
    if inspect.iscoroutinefunction(function):

        async def awaited(*arguments: Any, **keywords: Any) -> Any:
            return await begin(arguments, keywords)

        return awaited
    return lambda *arguments, **keywords: begin(arguments, keywords)


def _numbered(path: str, numbers: Iterator[int], replace: bool) -> str:
    """Return the path of a call of a decorated function, the next that is free: no call fails because of another."""
    stem, ending = os.path.splitext(path)
    stem, mark = (stem[:-4], ".tts") if stem.endswith(".tts") else (stem, "")
    named = (path if number == 1 else f"{stem}-{number}{mark}{ending}" for number in numbers)
    return next(each for each in named if replace or not os.path.lexists(each))


_UNDECORATED = "__ttsartifact_undecorated__"


def undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function below `record_tts`: what makes a sound and records nothing."""
    found: Callable[..., Any] = getattr(function, _UNDECORATED, function)
    return found


def _recording_of(function: Callable[..., Any]) -> Callable[[Callable[[], Any], Recorder], Any]:
    """Return what records the calls of a function of this kind."""
    if inspect.isasyncgenfunction(function):
        return _recorded_async
    if inspect.isgeneratorfunction(function):
        return _recorded
    return _returned_async if inspect.iscoroutinefunction(function) else recorded_call


def recorded_call(call: Callable[[], Any], recorder: Recorder) -> Any:
    """Return what a function returns, recorded: a sound at once, an iterator as it is taken."""
    with contextlib.ExitStack() as run:
        run.enter_context(recorder)
        recorder.submit()
        result = call()
        if hasattr(result, "__next__") and not isinstance(result, io.BytesIO):
            recorder._awaits(audio=False)  # noqa: SLF001 - nobody has asked for a chunk yet
            return _rest_of(result, recorder, run.pop_all())
        if hasattr(result, "__anext__"):
            recorder._awaits(audio=False)  # noqa: SLF001
            return _rest_of_async(result, recorder, run.pop_all())
        if inspect.isawaitable(result):
            return _result_of(result, recorder, run.pop_all())
        recorder.chunk(result)
    return result


async def _returned_async(call: Callable[[], Awaitable[Any]], recorder: Recorder) -> Any:
    async with contextlib.AsyncExitStack() as run:
        await run.enter_async_context(_Awaited(recorder))
        recorder.submit()
        result = await call()
        if hasattr(result, "__aiter__"):
            recorder._awaits(audio=False)  # noqa: SLF001
            return _awaited_rest(result, recorder, run.pop_all())
        recorder.chunk(result)
    return result


async def _awaited_rest(chunks: Any, recorder: Recorder, run: contextlib.AsyncExitStack) -> AsyncGenerator[Any, None]:
    async with run:
        async for chunk in _passed_async(chunks, recorder):
            yield chunk


def _rest_of(chunks: Any, recorder: Recorder, run: contextlib.ExitStack) -> Generator[Any, None, None]:
    with run:
        yield from _passed(chunks, recorder)


async def _rest_of_async(chunks: Any, recorder: Recorder, run: contextlib.ExitStack) -> AsyncGenerator[Any, None]:
    with run:
        async for chunk in _passed_async(chunks, recorder):
            yield chunk


async def _result_of(result: Awaitable[Any], recorder: Recorder, run: contextlib.ExitStack) -> Any:
    with run:
        sound = await result
        recorder.chunk(sound)
    return sound
