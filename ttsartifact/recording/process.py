"""Runs the user's own command, never through a shell, and stamps what it writes on stdout as it arrives.

A thread a pipe and one that waits for the end: this works wherever Python has threads, and a read is stamped by the
thread that it woke. On POSIX the command leads a process group, and all of it ends when the recording does not go on:
at a deadline, at an error, and at SIGINT, SIGTERM or SIGHUP, so that no engine is left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ttsartifact.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

_READ_BYTES = 1 << 16  # a pipe of Linux holds no more, so that one read is one arrival
_TAIL_BYTES = 4096
_WAKE_S = 0.25
"""How soon a signal that asks for the end is obeyed."""
_DRAIN_S = 0.2
"""How long a pipe is waited for after the command's end while nothing comes: a grandchild may hold it for ever."""
_ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


@dataclass(slots=True, kw_only=True)
class CommandEnd:
    """A command that ended."""

    status: int
    """Its exit status; minus the signal's number when a signal ended it."""
    t_end_ns: int
    reads: list[tuple[int, int]] = field(default_factory=list)
    """When a read returned, and how many bytes of stdout were there then."""
    tail: str = ""
    """The end of what it said: stderr, and stdout too where that is not the audio."""


def run_process(
    argv: Sequence[str],
    *,
    stdin: bytes | None,
    stdout: IO[bytes] | None,
    now: Callable[[], int],
    timeout_s: float | None,
    idle_timeout_s: float | None = None,
    submitted: Callable[[], None],
    awake: Callable[[int], None],
    arrived: Callable[[int, int], None] = lambda _t_ns, _size: None,
) -> CommandEnd:
    """Run `argv` to its end and copy its stdout to the file `stdout`, where that is the audio.

    `submitted` is called right before the process is made, `awake` now and then with the time, `arrived` by the thread
    that reads, after each read was written. Raises CommandFailed when the process cannot be made, does not end within
    `timeout_s` or writes nothing to stdout for `idle_timeout_s`, and KeyboardInterrupt or SystemExit when this process
    is asked to end; the command's process group is then killed.
    """
    asked_to_end: list[int] = []
    with signals_held(asked_to_end.append):
        submitted()
        try:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # of no effect where there are no sessions
                bufsize=0,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL inside an argument
            why = error.strerror if isinstance(error, OSError) else error
            raise CommandFailed(f"the command did not start: {why}", where="argv/0") from error
        attendance = _Attendance(child, stdin, stdout, now, arrived, _Limits(now(), timeout_s, idle_timeout_s))
        try:
            return attendance.until_ended(awake, asked_to_end)
        except BaseException:
            _kill(child)
            attendance.stop()
            raise


class _Limits(NamedTuple):
    began_ns: int
    whole_s: float | None
    idle_s: float | None

    def left_s(self, t_ns: int, heard_ns: int) -> float:
        """Return how long the command may go on, at most `_WAKE_S`; raises CommandFailed for one that may not."""
        left_s = _WAKE_S
        for limit_s, since_ns, words, expected in (
            (self.whole_s, self.began_ns, "did not end in time", "an end within"),
            (self.idle_s, heard_ns, "delivered no audio for too long", "some every"),
        ):
            if limit_s is not None:
                left_s = min(left_s, limit_s - (t_ns - since_ns) / 1e9)
                if left_s <= 0:
                    raise CommandFailed(
                        f"the command {words}",
                        where="argv/0",
                        found="still running",
                        expected=f"{expected} {limit_s:g} s",
                    )
        return left_s


class _Attendance:
    """The threads around one child: two read its pipes, one feeds it, one waits for its end."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        stdin: bytes | None,
        stdout: IO[bytes] | None,
        now: Callable[[], int],
        arrived: Callable[[int, int], None],
        limits: _Limits,
    ) -> None:
        self._child, self._stdout, self._now, self._arrived = child, stdout, now, arrived
        self._limits = limits
        self._done = CommandEnd(status=0, t_end_ns=0)
        self._size, self._tail = 0, b""
        self._fault: BaseException | None = None
        self._stopped = False
        self._reads = 0
        self._changed = threading.Condition()
        assert child.stdout is not None
        assert child.stderr is not None
        self._readers = [
            self._begin(self._read, child.stdout, stdout is not None),
            self._begin(self._read, child.stderr, False),
        ]
        self._begin(self._wait)
        if child.stdin is not None:
            self._begin(self._feed, child.stdin, stdin or b"")

    def until_ended(self, awake: Callable[[int], None], asked_to_end: list[int]) -> CommandEnd:
        """Wait for the command's end, and for what its pipes still hold.

        Raises where a limit comes first, and as soon as a signal stands in `asked_to_end`.
        """
        while True:
            if asked_to_end:
                raise_end(asked_to_end[0])
            with self._changed:
                t_ns = self._now()
                if self._fault is not None:
                    raise self._fault
                if self._done.t_end_ns:
                    break
                reads = self._done.reads
                self._changed.wait(self._limits.left_s(t_ns, reads[-1][0] if reads else self._limits.began_ns))
            awake(self._now())
        self._drain()
        self.stop()
        if self._fault is not None:
            raise self._fault
        done = self._done
        # The last bytes may be read after the exit was seen; the audio is complete only then.
        done.t_end_ns = max(done.t_end_ns, done.reads[-1][0] if done.reads else 0)
        done.tail = self._tail.decode("utf-8", "backslashreplace")
        return done

    def stop(self) -> None:
        """Write nothing more; a pipe whose reader still waits is left to it, and closes with it."""
        with self._changed:
            self._stopped = True

    def _begin(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name="ttsartifact-pipe", daemon=True)
        thread.start()
        return thread

    def _read(self, pipe: IO[bytes], is_audio: bool) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), _READ_BYTES):
                t_ns = self._now()
                with self._changed:
                    if self._stopped:
                        return
                    self._reads += 1
                    if not is_audio:
                        self._tail = (self._tail + data)[-_TAIL_BYTES:]
                        continue
                    try:
                        self._keep(data, t_ns)
                    except OSError as error:  # a full disk
                        self._fault = error
                        self._changed.notify_all()
                        return

    def _keep(self, data: bytes, t_ns: int) -> None:
        assert self._stdout is not None
        left = memoryview(data)
        while left:  # a file without a buffer may take less than it is given
            left = left[self._stdout.write(left) :]
        self._size += len(data)
        self._done.reads.append((t_ns, self._size))
        self._arrived(t_ns, self._size)

    def _feed(self, pipe: IO[bytes], text: bytes) -> None:
        """Write the text and close; a command that does not read it to its end has its reasons."""
        with contextlib.suppress(OSError), pipe:
            left = memoryview(text)
            while left:
                left = left[os.write(pipe.fileno(), left) :]

    def _wait(self) -> None:
        status = self._child.wait()
        t_ns = self._now()
        with self._changed:
            self._done.status, self._done.t_end_ns = status, t_ns
            self._changed.notify_all()

    def _drain(self) -> None:
        """Wait for the readers as long as something comes; they end by themselves unless a grandchild has the pipe."""
        for reader in self._readers:
            seen = -1
            while reader.is_alive() and seen != self._reads:
                seen = self._reads
                reader.join(_DRAIN_S)


@contextlib.contextmanager
def signals_held(act: Callable[[int], object]) -> Iterator[None]:
    """Call `act` with each signal that asks this process to end, instead of ending it.

    An exception out of a handler could fall between the making of a child and the place that ends it. Only in the
    main thread, where Python takes signals, and only if no other handler is installed.
    """
    replaced: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING_SIGNALS:
            if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
                replaced[number] = signal.signal(number, lambda got, _frame: act(got))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def raise_end(number: int) -> NoReturn:
    """Raise what Python raises for a signal, or would."""
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the command: its process group where there are such, else the process alone."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
