"""Runs the user's own command, never through a shell, and stamps what it writes on stdout as it arrives."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttsartifact.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

__all__ = ["Finished", "run_process"]

_READ_BYTES = 1 << 16  # a pipe of Linux holds no more, so that one read is one arrival
_TAIL_BYTES = 4096
_WAKE_S = 10.0


@dataclass(slots=True, kw_only=True)
class Finished:
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
    submitted: Callable[[], None],
    awake: Callable[[int], None],
) -> Finished:
    """Run `argv` to its end and copy its stdout to the file `stdout`, where that is the audio.

    `submitted` is called right before the process is made, `awake` now and then with the time. Raises CommandFailed
    when the process cannot be made or does not end within `timeout_s`; its whole process group is then killed.
    """
    deadline_ns = None if timeout_s is None else now() + int(timeout_s * 1e9)
    submitted()
    try:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL inside an argument
        why = error.strerror if isinstance(error, OSError) else error
        raise CommandFailed(f"the command did not start: {why}", where="argv/0") from error
    try:
        done = _attend(child, stdin, stdout, now, deadline_ns, awake)
    except BaseException:
        _kill(child)
        raise
    if done is None:
        _kill(child)
        raise CommandFailed(
            "the command did not end in time",
            where="argv/0",
            found="still running",
            expected=f"an end within {timeout_s:g} s",
        )
    return done


def _attend(
    child: subprocess.Popen[bytes],
    stdin: bytes | None,
    stdout: IO[bytes] | None,
    now: Callable[[], int],
    deadline_ns: int | None,
    awake: Callable[[int], None],
) -> Finished | None:
    """Serve the pipes until the command has ended; None when the deadline came first."""
    assert child.stdout is not None
    assert child.stderr is not None
    done = Finished(status=0, t_end_ns=0)
    size, tail = 0, b""
    with selectors.DefaultSelector() as waiting, _exit_of(child) as ended:
        waiting.register(child.stdout, selectors.EVENT_READ)
        waiting.register(child.stderr, selectors.EVENT_READ)
        if ended is not None:
            waiting.register(ended, selectors.EVENT_READ)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            waiting.register(child.stdin, selectors.EVENT_WRITE)
        left = memoryview(stdin or b"")
        open_pipes = 2
        # A command may close its pipes and go on; it has ended when the system says so.
        while open_pipes or (ended is not None and not done.t_end_ns):
            t_ns = now()
            if deadline_ns is not None and t_ns >= deadline_ns:
                return None
            awake(t_ns)
            pause = _WAKE_S if deadline_ns is None else min(_WAKE_S, (deadline_ns - t_ns) / 1e9)
            # A background grandchild may hold the pipes open for ever: once the child is gone, take what is there.
            events = waiting.select(0 if done.t_end_ns else pause)
            if not events and done.t_end_ns:
                break
            for key, _ in events:
                if key.fileobj is child.stdin:
                    left = _feed(child.stdin, left, waiting)
                elif key.fd == ended:
                    done.t_end_ns = now()
                    waiting.unregister(key.fileobj)
                elif data := os.read(key.fd, _READ_BYTES):
                    t_ns = now()
                    if stdout is not None and key.fileobj is child.stdout:
                        stdout.write(data)
                        size += len(data)
                        done.reads.append((t_ns, size))
                    else:
                        tail = (tail + data)[-_TAIL_BYTES:]
                else:
                    waiting.unregister(key.fileobj)
                    open_pipes -= 1
    try:
        done.status = child.wait(None if deadline_ns is None else max(0.0, (deadline_ns - now()) / 1e9))
    except subprocess.TimeoutExpired:
        return None
    # The last bytes may be read after the exit was seen; the audio is complete only then.
    done.t_end_ns = max(done.t_end_ns or now(), done.reads[-1][0] if done.reads else 0)
    done.tail = tail.decode("utf-8", "backslashreplace")
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    return done


@contextlib.contextmanager
def _exit_of(child: subprocess.Popen[bytes]) -> Iterator[int | None]:
    """Yield a descriptor that becomes readable when `child` ends, or None where the system has none."""
    try:
        handle = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _feed(pipe: IO[bytes] | None, left: memoryview, waiting: selectors.BaseSelector) -> memoryview:
    """Write what the pipe takes; close it after the last byte, or when nobody reads it."""
    assert pipe is not None
    with contextlib.suppress(BlockingIOError):
        try:
            left = left[os.write(pipe.fileno(), left) :] if left else left
        except BrokenPipeError:
            left = left[:0]
    if not left:
        waiting.unregister(pipe)
        pipe.close()
    return left


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
