"""Faults that happen to recordings, each made for real where the system allows it, and what must hold after each.

A fault is one call. It leaves a `Aftermath`: what reached the listener, what the recorder took, and which files lie
there. What must hold is the same for all: nothing that was delivered is lost, no file is half-written, nothing that was
started still runs, and a fault of the recorder's own takes nothing from the listener.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.container import riff
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.command import record_command
from ttsartifact.recording.recorder import Recorder
from ttsartifact.recording.recovering import recover
from ttsartifact.recording.wrapping import record_tts, wrap_async_iterator, wrap_iterator
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNKS = 12
_HEADER_BYTES = len(riff.header(riff.WaveFormat("pcm_s16", kit.RATE_HZ, 1, 16), 0))
CHUNK = kit.tone(100)
PCM = CHUNK * CHUNKS
TOLD: dict[str, Any] = {"text": "Some words.", "sample_rate_hz": kit.RATE_HZ}


class Planned(Exception):  # noqa: N818 - it is no error of ours
    """What an engine raises when its turn has come."""


@dataclass(slots=True, kw_only=True)
class Aftermath:
    """What a fault leaves behind."""

    passed: bytes = b""
    """What reached the listener."""
    due: bytes = b""
    """What must have reached the listener."""
    kept: bytes = b""
    """What an artifact must hold, or what `recover` must make one of; later bytes may be there too."""
    whole: bool = False
    """Whether an artifact must be there without a recovery."""
    pids: list[int] = field(default_factory=list)
    """Processes that must have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: its kind, where in the run it strikes, and the call that lets it happen in a folder."""

    kind: str
    where: str
    happen: Callable[[Path], Aftermath]


def strike(fault: Fault, folder: Path) -> list[str]:
    """Let a fault happen in an empty folder, and return what is wrong afterwards."""
    threads, files = threading.active_count(), _open_files()
    after = fault.happen(folder)
    wrong = []
    if after.passed != after.due:
        wrong.append(f"lost: {len(after.passed)} of {len(after.due)} bytes reached the listener")
    wrong += _half_written(folder)
    wrong += _not_kept(folder, after)
    wrong += [f"orphan: process {pid}" for pid in after.pids if _runs(pid)]
    if _threads_above(threads):
        wrong.append(f"orphan: {[thread.name for thread in threading.enumerate()]}")
    if (more := _open_files() - files) > 0:
        wrong.append(f"orphan: {more} open files")
    return wrong


def faults() -> list[Fault]:
    """Return every fault, over a thousand; those of one kind stand together."""
    found = [*_engine_raises(), *_listener_leaves(), *_sensor_breaks(), *_disk_fills(), *_callers_listener_breaks()]
    return [*found, *_commands_end_badly(), *_two_writers(), *_signals_in_process(), *_signals_at_a_command()]


def _engine_raises() -> Iterator[Fault]:
    """Exceptions of the engine at every chunk, in every way of recording."""
    for (name, record), error, place in itertools.product(_WAYS.items(), _ERRORS, range(CHUNKS + 1)):
        yield Fault(
            kind="the engine raises",
            where=f"{name}, {error.__name__}, chunk {place}",
            happen=lambda folder, record=record, error=error, place=place: record(folder, place, error),  # type: ignore[misc]
        )


def _listener_leaves() -> Iterator[Fault]:
    for place in range(CHUNKS):
        yield Fault(
            kind="the listener leaves",
            where=f"chunk {place}",
            happen=lambda folder, place=place: _left(folder, place),  # type: ignore[misc]
        )
        yield Fault(
            kind="the task is cancelled",
            where=f"chunk {place}",
            happen=lambda folder, place=place: _cancelled(folder, place),  # type: ignore[misc]
        )


def _sensor_breaks() -> Iterator[Fault]:
    """Whatever a driver raises, in every call of a sensor."""
    calls = [(call, turn) for call in ("open", "devices", "runtime", "channels", "close") for turn in (0,)]
    calls += [("read", turn) for turn in range(6)]
    for (call, turn), error in itertools.product(calls, _DRIVER_ERRORS):
        yield Fault(
            kind="a sensor breaks",
            where=f"{call} {turn}, {type(error).__name__}",
            happen=lambda folder, call=call, turn=turn, error=error: _with_sensor(folder, call, turn, error),  # type: ignore[misc]
        )


def _disk_fills() -> Iterator[Fault]:
    """Let the system take no byte more, at every size that audio, journal and artifact go through."""
    for limit in range(0, 16_000, 32):
        yield Fault(
            kind="the disk is full",
            where=f"a file takes {limit} bytes",
            happen=lambda folder, limit=limit: _full(folder, limit),  # type: ignore[misc]
        )


def _callers_listener_breaks() -> Iterator[Fault]:
    for turn in range(4):
        yield Fault(
            kind="the caller's `say` raises",
            where=f"turn {turn}",
            happen=lambda folder, turn=turn: _deaf(folder, turn),  # type: ignore[misc]
        )


def _commands_end_badly() -> Iterator[Fault]:
    """Exit codes, signals, deadlines and grandchildren of a command, behind every number of chunks."""
    endings = {
        "exit 1": "exit 1",
        "killed": "kill -9 $$",
        "terminated": "kill -15 $$",
        "deadline": "sleep 60",
        "deadline with children": "sleep 60 & sleep 60",
    }
    for (name, ending), count, raw in itertools.product(endings.items(), (0, 1, 3, 6), (True, False)):
        yield Fault(
            kind="a command ends badly",
            where=f"{name} behind {count} chunks, {'pipe' if raw else 'file'}",
            happen=lambda folder, ending=ending, count=count, raw=raw: _command(folder, ending, count, raw=raw),  # type: ignore[misc]
        )


def _two_writers() -> Iterator[Fault]:
    for first, second in itertools.product(range(0, CHUNKS, 2), range(0, CHUNKS, 2)):
        yield Fault(
            kind="two writers of one output",
            where=f"parted at {first} and {second}",
            happen=lambda folder, first=first, second=second: _both(folder, first, second),  # type: ignore[misc]
        )


def _signals_in_process() -> Iterator[Fault]:
    """End the process that records, at every chunk and by every signal, SIGKILL among them."""
    for number, place in itertools.product(_SIGNALS, range(CHUNKS)):
        yield Fault(
            kind="the recording process is ended",
            where=f"{number.name}, chunk {place}",
            happen=lambda folder, number=number, place=place: _ended(folder, number, place),  # type: ignore[misc]
        )


def _signals_at_a_command() -> Iterator[Fault]:
    for number, count, raw in itertools.product(_SIGNALS[1:], range(1, 9), (True, False)):
        yield Fault(
            kind="the recorder of a command is ended",
            where=f"{number.name} behind {count} chunks, {'pipe' if raw else 'file'}",
            happen=lambda folder, number=number, count=count, raw=raw: _ended_command(folder, number, count, raw=raw),  # type: ignore[misc]
        )


_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_ERRORS: tuple[type[BaseException], ...] = (Planned, OSError, MemoryError, KeyboardInterrupt, SystemExit)
_DRIVER_ERRORS = (
    RuntimeError("lost"),
    OSError(5, "Input/output error"),
    AttributeError("nvmlDeviceGetX"),
    UnicodeDecodeError("utf-8", b"\xf8", 0, 1, "invalid start byte"),
    ZeroDivisionError("a period of 0"),
    KeyError("power"),
    TypeError("of its own"),
    ValueError("of its own"),
)


def speak(place: int = CHUNKS, error: type[BaseException] | None = None) -> Iterator[bytes]:
    """Yield chunks and raise `error` in place of one."""
    for number in range(CHUNKS + 1):
        if number == place and error is not None:
            raise error("planned")
        if number < CHUNKS:
            yield CHUNK


def _quiet(_: str) -> None:
    """Say nothing."""


def _by_wrapping(folder: Path, place: int, error: type[BaseException]) -> Aftermath:
    heard: list[bytes] = []
    with contextlib.suppress(error):
        heard.extend(wrap_iterator(lambda: speak(place, error), folder / "a.tts.wav", say=_quiet, **TOLD))
    return _after_engine(heard, place)


def _by_block(folder: Path, place: int, error: type[BaseException]) -> Aftermath:
    heard: list[bytes] = []
    with contextlib.suppress(error), Recorder(folder / "a.tts.wav", say=_quiet, **TOLD) as recorder:
        recorder.submit()
        for chunk in speak(place, error):
            recorder.chunk(chunk)
            heard.append(chunk)
    return _after_engine(heard, place)


def _by_decorating(folder: Path, place: int, error: type[BaseException]) -> Aftermath:
    heard: list[bytes] = []
    options = {key: value for key, value in TOLD.items() if key != "text"}
    recorded = record_tts(folder / "a.tts.wav", say=_quiet, **options)(lambda _: speak(place, error))
    with contextlib.suppress(error):
        heard.extend(recorded("Some words."))
    return _after_engine(heard, place)


def _by_awaiting(folder: Path, place: int, error: type[BaseException]) -> Aftermath:
    heard: list[bytes] = []

    async def awaited() -> Any:
        for chunk in speak(place, error):
            yield chunk

    async def listen() -> None:
        async with contextlib.aclosing(
            wrap_async_iterator(awaited, folder / "a.tts.wav", say=_quiet, **TOLD)
        ) as chunks:
            async for chunk in chunks:
                heard.extend([chunk])

    with contextlib.suppress(error):
        asyncio.run(listen())
    return _after_engine(heard, place)


def _after_engine(heard: list[bytes], place: int) -> Aftermath:
    return Aftermath(passed=b"".join(heard), due=CHUNK * place, kept=CHUNK * place)


_WAYS = {
    "wrap_iterator": _by_wrapping,
    "Recorder": _by_block,
    "record_tts": _by_decorating,
    "wrap_async_iterator": _by_awaiting,
}


def _left(folder: Path, place: int) -> Aftermath:
    chunks = wrap_iterator(speak(), folder / "a.tts.wav", say=_quiet, **TOLD)
    heard = b"".join(itertools.islice(chunks, place + 1))
    chunks.close()
    return Aftermath(passed=heard, due=CHUNK * (place + 1), kept=CHUNK * (place + 1))


def _cancelled(folder: Path, place: int) -> Aftermath:
    heard: list[bytes] = []
    reached = asyncio.Event()

    async def awaited() -> Any:
        for number, chunk in enumerate(speak()):
            if number == place + 1:
                reached.set()
                await asyncio.Event().wait()
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    async def listen() -> None:
        async for chunk in wrap_async_iterator(awaited, folder / "a.tts.wav", say=_quiet, **TOLD):
            heard.extend([chunk])

    async def both() -> None:
        task = asyncio.create_task(listen())
        await reached.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(both())
    return Aftermath(passed=b"".join(heard), due=CHUNK * (place + 1), kept=CHUNK * (place + 1))


class _Sensor:
    """A sensor of which one call breaks, at its turn."""

    def __init__(self, call: str, turn: int, error: Exception) -> None:
        self._call, self._turn, self._error = call, turn, error
        self._turns = 0

    def _break(self, call: str) -> None:
        if call == self._call:
            self._turns += 1
            if self._turns > self._turn:
                raise self._error

    def open(self) -> None:
        self._break("open")

    def devices(self) -> list[dict[str, Any]]:
        self._break("devices")
        return []

    def runtime(self) -> list[dict[str, Any]]:
        self._break("runtime")
        return []

    def channels(self, _: int) -> list[dict[str, Any]]:
        self._break("channels")
        return []

    def read(self) -> dict[str, int | None]:
        self._break("read")
        return {}

    def close(self) -> None:
        self._break("close")


def _with_sensor(folder: Path, call: str, turn: int, error: Exception) -> Aftermath:
    sensor = _Sensor(call, turn, error)
    given = {"sensor": sensor, "period_ns": 1_000_000, "say": _quiet, "device": "cpu"}
    heard = b"".join(wrap_iterator(speak(), folder / "a.tts.wav", **given, **TOLD))
    return Aftermath(passed=heard, due=PCM, kept=PCM, whole=True)


def _full(folder: Path, limit: int) -> Aftermath:
    """Let no file of this process grow beyond `limit`, as a full disk or a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        heard = b"".join(wrap_iterator(speak(), folder / "a.tts.wav", say=_quiet, **TOLD))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    room = max(0, limit - _HEADER_BYTES)
    kept = PCM[: room - room % len(CHUNK)]  # a chunk that does not fit goes to the listener alone
    return Aftermath(passed=heard, due=PCM, kept=kept)


def _deaf(folder: Path, turn: int) -> Aftermath:
    turns = itertools.count()

    def say(_: str) -> None:
        if next(turns) >= turn:
            raise BrokenPipeError

    sensor = _Sensor("open", 0, RuntimeError("lost"))
    chunks = [*speak(), CHUNK + b"\0"]  # half a sample is said too
    heard = b"".join(wrap_iterator(chunks, folder / "a.tts.wav", say=say, sensor=sensor, **TOLD))
    return Aftermath(passed=heard, due=PCM + CHUNK + b"\0", kept=PCM + CHUNK, whole=True)


def _command(folder: Path, ending: str, count: int, *, raw: bool) -> Aftermath:
    argv, expected = _argv(folder, ending, count, raw=raw)
    with contextlib.suppress(TtsArtifactError):
        record_command(
            argv, out=folder / "a.tts.wav", text=b"Some words.", timeout_s=0.6, say=_quiet, **_stdout(raw=raw)
        )
    return Aftermath(kept=expected, pids=_pids(folder))


def _argv(folder: Path, ending: str, count: int, *, raw: bool) -> tuple[list[str], bytes]:
    """Return a command that delivers some chunks, writes its pid down, and ends as it is told to."""
    (folder / "in").mkdir()
    (folder / "in" / "s.pcm").write_bytes(CHUNK * count)
    (folder / "in" / "s.wav").write_bytes(kit.wav(CHUNK * count))
    source = folder / "in" / ("s.pcm" if raw else "s.wav")
    deliver = f"cat {source}" if raw else f'cp {source} "$1"'
    if not raw and not count:
        deliver = ":"
    script = f"{deliver}; echo $$ >{folder}/in/pid.new; mv {folder}/in/pid.new {folder}/in/pid; {ending}"
    return ["sh", "-c", script, "sh", "{text}" if raw else "{out}"], CHUNK * count


def _stdout(*, raw: bool) -> dict[str, Any]:
    return {"pcm": f"s16le:{kit.RATE_HZ}:1"} if raw else {"text_on_stdin": True}


def _both(folder: Path, first: int, second: int) -> Aftermath:
    """Two recordings of one output beside each other: one is written, and of the other nothing is lost."""
    chunks = [wrap_iterator(speak(), folder / "a.tts.wav", say=_quiet, **TOLD) for _ in range(2)]
    heard = [b"".join(itertools.islice(each, place)) for each, place in zip(chunks, (first, second), strict=True)]
    heard[1] += b"".join(chunks[1])
    heard[0] += b"".join(chunks[0])
    assert heard == [PCM, PCM]
    return Aftermath(kept=PCM, whole=True)


def _ended(folder: Path, number: signal.Signals, place: int) -> Aftermath:
    """Fork a process that records, and end it when a chunk has been taken."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.close(told)
            with Recorder(folder / "a.tts.wav", say=_quiet, **TOLD) as recorder:
                recorder.submit()
                for taken, chunk in enumerate(speak()):
                    recorder.chunk(chunk)
                    if taken == place:
                        os.write(tell, b"x")
                        threading.Event().wait(30)
        os._exit(0)
    os.close(tell)
    os.read(told, 1)
    os.close(told)
    os.kill(child, number)
    os.waitpid(child, 0)
    return Aftermath(kept=CHUNK * (place + 1), pids=[child])


def _ended_command(folder: Path, number: signal.Signals, count: int, *, raw: bool) -> Aftermath:
    """Fork a process that records a command, and end it when the command has delivered."""
    argv, expected = _argv(folder, "sleep 30 & wait", count, raw=raw)
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            record_command(argv, out=folder / "a.tts.wav", text=b"Some words.", say=_quiet, **_stdout(raw=raw))
        os._exit(0)
    waiting = threading.Event()
    while not (folder / "in" / "pid").exists() or not _arrived(folder, len(expected), raw=raw):
        waiting.wait(0.005)
    os.kill(child, number)
    os.waitpid(child, 0)
    return Aftermath(kept=expected, pids=[child, *_pids(folder)])


def _arrived(folder: Path, size: int, *, raw: bool) -> bool:
    """Tell whether what the command delivered has reached the recorder's file."""
    parts = [each for each in folder.rglob("audio.*") if ".ttsa-" in str(each)]
    return any(each.stat().st_size >= size + (_HEADER_BYTES if raw else 0) for each in parts)


def _pids(folder: Path) -> list[int]:
    pid = folder / "in" / "pid"
    return [int(pid.read_text())] if pid.exists() else []


def _half_written(folder: Path) -> list[str]:
    """Return what is wrong with the output, and which files lie there that nobody asked for."""
    out = folder / "a.tts.wav"
    wrong = [f"half-written: {name}" for name in os.listdir(folder) if name.startswith(".")]
    if out.exists():
        (report,) = verify(out)
        if report.verdict != "INTACT" or report.failures:
            wrong.append(f"half-written: {report.verdict} {[each.rule for each in report.failures]}")
    return wrong


def _not_kept(folder: Path, after: Aftermath) -> list[str]:
    """Return what of the delivered samples no artifact holds, and no recovery brings back."""
    wrong = []
    out, journals = folder / "a.tts.wav", sorted(folder.glob("*.journal.jsonl"))
    if after.whole and not out.exists():
        wrong.append("lost: no artifact")
    found = [_samples(out)] if out.exists() else []
    # A journal that found no room for the conditions makes no artifact; the samples lie beside it all the same.
    found += [each.read_bytes()[_HEADER_BYTES:] for each in folder.glob("*.part.wav")]
    for number, journal in enumerate(journals):
        again = folder / f"recovered-{number}.tts.wav"
        with contextlib.suppress(TtsArtifactError):
            recover(journal, again)
            found.append(_samples(again))
            wrong += [f"half-written: {fault.rule} {fault.message}" for fault in verify(again)[0].failures]
    if after.kept and not any(each.startswith(after.kept) for each in found):
        sizes = ", ".join(str(len(each)) for each in found) or "nothing"
        wrong.append(f"lost: {len(after.kept)} bytes were delivered, and {sizes} are there")
    return wrong


def _samples(path: Path) -> bytes:
    artifact = open_artifact(path)
    assert artifact.pcm is not None
    return artifact.source.read_at(artifact.pcm.offset, artifact.pcm.size)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _threads_above(count: int) -> bool:
    """Tell whether more threads run than before; those of pipes end a moment after their command."""
    waiting = threading.Event()
    for _ in range(100):
        if threading.active_count() <= count:
            return False
        waiting.wait(0.01)
    return True


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
