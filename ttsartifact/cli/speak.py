"""How the command line speaks: results on stdout, everything else on stderr, and one exit code for all of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ttsartifact.cli.manner import manner
from ttsartifact.errors import TtsArtifactError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from ttsartifact.reporting.phrases import Paint

__all__ = [
    "EXIT",
    "Usage",
    "columns",
    "error_line",
    "exit_of",
    "paint",
    "passing",
    "progress",
    "say",
    "usage_line",
    "worst",
]


class EXIT:
    """Exit codes (clause 10.3)."""

    OK, FINDINGS, USAGE, INCONCLUSIVE, UNREADABLE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Usage(Exception):  # noqa: N818 - it is what the asker did, not what went wrong here
    """The command was called in a way that has no sound meaning."""


_WORST_FIRST = (EXIT.INTERNAL, EXIT.USAGE, EXIT.UNREADABLE, EXIT.FINDINGS, EXIT.INCONCLUSIVE)


def worst(codes: Iterable[int]) -> int:
    """Return the one exit code of many files: 5 above all, then 2, 4, 1, 3."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), EXIT.OK)


def say(lines: str | Iterable[str]) -> None:
    """Write lines to stdout."""
    if isinstance(lines, str):
        lines = (lines,)
    sys.stdout.writelines(f"{line}\n" for line in lines)


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
    from ttsartifact.reporting.safe import safe

    return f"ttsa: {safe(str(error), longest=1000)}"


def usage_line(message: str, command: str = "ttsa") -> str:
    """Return the one line for a wrong call; it may echo what was typed, and that is a stranger's too."""
    from ttsartifact.reporting.safe import safe

    return f"ttsa: usage: {safe(message.rstrip('.'), longest=1000)} (`{safe(command)} --help` tells more)"


def exit_of(error: TtsArtifactError) -> int:
    """Return the exit code of an error that stopped the work: 3 for a missing tool, 4 for the rest."""
    if error.where.startswith("--"):  # it lies in an option, so it is the call that has no sound meaning
        return EXIT.USAGE
    return EXIT.INCONCLUSIVE if isinstance(error, Unavailable) else EXIT.UNREADABLE


def progress(done: int, total: int, what: str) -> None:
    """Tell on a terminal's stderr how far a long job is; say nothing into a pipe."""
    if total > 1 and sys.stderr.isatty() and not manner().quiet:
        end = "\r" if done < total else "\n"
        sys.stderr.write(f"{done}/{total} {what}{end}")
        sys.stderr.flush()


def passing(words: str = "") -> None:
    """Show on a terminal's stderr what goes on, in place of what was shown before; nothing clears it."""
    if sys.stderr.isatty() and not manner().quiet:
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
