"""How the command line speaks: results on stdout, everything else on stderr, and one exit code for all of it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from ttsartifact.cli.manner import manner
from ttsartifact.errors import OutputExists, TtsArtifactError, Unavailable, WrongCall

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from rich.progress import Progress

    from ttsartifact.reporting.phrases import Paint


class EXIT:
    """Exit codes (clause 10.3)."""

    OK, FINDINGS, USAGE, INCONCLUSIVE, UNREADABLE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Usage(Exception):  # noqa: N818 - it is what the asker did, not what went wrong here
    """The command was called in a way that has no sound meaning."""


_PATIENCE_S = 1.0
_REDRAWN_EVERY_S = 0.1
_WORST_FIRST = (EXIT.INTERNAL, EXIT.USAGE, EXIT.UNREADABLE, EXIT.FINDINGS, EXIT.INCONCLUSIVE)


def worst(codes: Iterable[int]) -> int:
    """Return the one exit code of many files: 5 above all, then 2, 4, 1, 3."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), EXIT.OK)


def say(lines: str | Iterable[str]) -> None:
    """Write lines to stdout."""
    if isinstance(lines, str):
        lines = (lines,)
    if sys.stdout.isatty():
        _bar.pause()
    sys.stdout.writelines(f"{line}\n" for line in lines)


def say_written(out: str, words: str | Iterable[str]) -> None:
    """Print what was written to `out`: on stdout, or on stderr if stdout holds the file itself (`-`)."""
    if out != "-":
        show(words)
    elif not manner().quiet:
        tell(*(f"ttsa: {line}" for line in ((words,) if isinstance(words, str) else words)))


def tell(*lines: str) -> None:
    """Write lines to stderr, fitted to a terminal."""
    fitting: Iterable[str] = lines
    if sys.stderr.isatty():
        from ttsartifact.reporting.terminal import fitted_lines

        fitting = fitted_lines(lines, columns(sys.stderr), whole_digests=True)
    sys.stderr.writelines(f"{line}\n" for line in fitting)


_last: list[str] = []


def tell_last(line: str) -> None:
    """Keep a line for stderr until the command has ended, and its error, if there is one, is told."""
    _last.append(line)


def told() -> None:
    """Write the lines that were kept until the end."""
    tell(*_last)
    _last.clear()


def show(lines: str | Iterable[str]) -> None:
    """Write lines for eyes to stdout: fitted to a terminal, as they are into a pipe; `-v` keeps digests whole."""
    if isinstance(lines, str):
        lines = (lines,)
    if sys.stdout.isatty():
        from ttsartifact.reporting.terminal import fitted_lines

        lines = fitted_lines(lines, columns(), whole_digests=manner().verbose)
    say(lines)


def paint(stream: TextIO | None = None) -> Paint:
    """Return the colours for a stream: none unless it is a terminal, or the user wants them.

    `--color` decides, then NO_COLOR (https://no-color.org), then FORCE_COLOR, then the stream.
    """
    from ttsartifact.reporting.phrases import Paint

    stream = stream or sys.stdout
    if manner().color != "auto":
        return Paint(on=manner().color == "always")
    if os.environ.get("NO_COLOR"):
        return Paint(on=False)
    if os.environ.get("FORCE_COLOR"):
        return Paint(on=True)
    return Paint(on=os.environ.get("TERM") != "dumb" and stream.isatty())


def columns(stream: TextIO | None = None) -> int:
    """Return how many columns a stream shows: COLUMNS, else the terminal's, else 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size((stream or sys.stdout).fileno()).columns or 80
    except (AttributeError, ValueError, OSError):
        return 80


def error_line(error: TtsArtifactError) -> str:
    """Return `ttsa: message: found X, expected Y (at where)`, safe for a terminal."""
    from ttsartifact.reporting.terminal import safe

    if isinstance(error, OutputExists):
        error.message = "the output exists; use --force to replace it"
    return f"ttsa: {safe(str(error), longest=1000)}"


def usage_line(message: str, command: str = "ttsa") -> str:
    """Return the one line for a wrong call; it may echo what was typed, and that is a stranger's too."""
    from ttsartifact.reporting.terminal import safe

    return f"ttsa: usage: {safe(message.rstrip('.'), longest=1000)} (`{safe(command)} --help` for details)"


def exit_of(error: TtsArtifactError) -> int:
    """Return the exit code of an error that stopped the work: 2 of a wrong call, 3 of a missing tool, 4 of the rest."""
    # A fault in an option is a fault of the call.
    if isinstance(error, WrongCall) or error.where.startswith("--"):
        return EXIT.USAGE
    return EXIT.INCONCLUSIVE if isinstance(error, Unavailable) else EXIT.UNREADABLE


def place_of(error: BaseException) -> str:
    """Return the file and line of ours at which an error arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def progress(done: int, total: int, what: str = "files") -> None:
    """Show on a terminal's stderr how far a long job is, how fast and how long it still takes; nothing into a pipe.

    The bar goes when all is done, and for lines of `say`, `show` and `passing`.
    """
    if total <= 1 or manner().quiet or not sys.stderr.isatty():
        return
    _bar.update(done, total, what)


class _Bar:
    """A progress bar of rich, which is imported when a job has lasted for a second."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._drawn = 0.0
        self._shown: Progress | None = None

    def update(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` are done, once it is clear that this takes longer than a second."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if done >= total:
            self.end()
        elif now - max(self._since + _PATIENCE_S, self._drawn + _REDRAWN_EVERY_S) > 0:
            if self._shown is None:
                sys.stderr.write("\r\x1b[K")  # what `passing` left
                self._shown = _progress(total)
            rate = f"{done / (now - self._since):.1f}/s"
            self._shown.update(self._shown.task_ids[0], completed=done, rate=rate, description=what, refresh=True)
            self._drawn = now

    def end(self) -> None:
        """Take the bar away; the next update begins another job."""
        self.pause()
        self._since = None

    def pause(self) -> None:
        """Take the bar away, for lines that go to the same terminal; the next update shows it again."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None


def _progress(total: int) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns_of_it = (
        BarColumn(),
        MofNCompleteColumn(),
        "{task.description}, {task.fields[rate]},",
        TimeRemainingColumn(),
        "left",
    )
    shown = Progress(
        *columns_of_it,
        console=Console(stderr=True, no_color=not paint(sys.stderr).on),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    shown.add_task("", total=total, rate="")
    shown.start()
    return shown


_bar = _Bar()


def passing(words: str = "") -> None:
    """Show on a terminal's stderr what goes on, in place of what was shown before; nothing clears it."""
    if sys.stderr.isatty() and not manner().quiet:
        _bar.end()
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
