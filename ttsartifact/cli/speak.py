"""How the command line speaks: results on stdout, everything else on stderr, and one exit code for all of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ttsartifact.errors import TtsArtifactError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from ttsartifact.reporting.phrases import Paint

__all__ = ["EXIT", "Usage", "error_line", "exit_of", "paint", "passing", "progress", "say", "usage_line", "worst"]


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
    """Return the colours for a stream: none unless it is a terminal that wants them."""
    from ttsartifact.reporting.phrases import Paint

    stream = stream or sys.stdout
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Paint(on=wanted and stream.isatty())


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
    if total > 1 and sys.stderr.isatty():
        end = "\r" if done < total else "\n"
        sys.stderr.write(f"{done}/{total} {what}{end}")
        sys.stderr.flush()


def passing(words: str = "") -> None:
    """Show on a terminal's stderr what goes on, in place of what was shown before; nothing clears it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()
