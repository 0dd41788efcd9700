"""The way in and the only way out: a quick parser for the common calls, typer for the rest, one line for any error."""

from __future__ import annotations

import errno
import gc
import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from ttsartifact._starting import look_seldom_for_cycles
from ttsartifact.cli import calls
from ttsartifact.cli.manner import set_manner
from ttsartifact.cli.speak import EXIT, Usage, error_line, exit_of, place_of, tell, told, usage_line
from ttsartifact.cli.table import COMMANDS
from ttsartifact.errors import TtsArtifactError, cause_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no exception caused by an untrusted file passes this point.

    TTSARTIFACT_TRACEBACK=1 shows where an error of ours came from.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called us: `ttsa verify FILE >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is spelled out; it must not stop the verdict.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if argv is None:
        look_seldom_for_cycles()
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away. Python would complain once more at exit unless stdout leads somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        sys.stderr.write("\nttsa: interrupted\n")
        return EXIT.INTERRUPTED
    finally:
        told()
        set_manner()  # whoever calls twice in one process begins again
    if argv is None:
        _end(code)
    return code


def _end(code: int) -> None:
    """End the process where nothing is left to be done: taking the interpreter apart is a tenth of a cold verify.

    It returns where something may want to be asked at the end, or waits for it.
    """
    gc.freeze()
    asks = {"atexit", "threading"} & sys.modules.keys() or sys.flags.interactive or sys.getprofile() or sys.gettrace()
    if not asks:
        sys.stderr.flush()
        os._exit(code)


def _run(argv: list[str]) -> int:
    try:
        call = calls.recognise(argv)
        return call() if call is not None else _typer(calls.for_typer(argv))
    except Usage as error:
        command = " ".join(["ttsa", *(word for word in argv[:1] if word in COMMANDS)])
        return _complain(usage_line(str(error), command), EXIT.USAGE)
    except TtsArtifactError as error:
        return _complain(error_line(error), exit_of(error))
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except OSError as error:
        # The system names no file where it refuses to write more; it is the output.
        out = next((word for option, word in pairwise(argv) if option in {"-o", "--out"}), "")
        full = error.errno in {errno.ENOSPC, errno.EFBIG}
        named = TtsArtifactError(error.strerror or str(error), where=str(error.filename or (out if full else "")))
        return _complain(error_line(named), EXIT.UNREADABLE)
    except ImportError as error:
        return _crashed(error) if _of_ours(error.name) else _complain(_missing(error), EXIT.INCONCLUSIVE)
    except Exception as error:  # noqa: BLE001 - a crash is never a verdict, nor a traceback over a stranger's bytes
        return _crashed(error)


def _crashed(error: Exception) -> int:
    from ttsartifact.reporting.terminal import safe

    if os.environ.get("TTSARTIFACT_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    where = safe(place_of(error))
    line = f"ttsa: internal error: {safe(cause_of(error))} (at {where})"
    return _complain(f"{line}; this is a bug of ours: please report it with the file and this line", EXIT.INTERNAL)


def _of_ours(module: str | None) -> bool:
    """Say whether an import failed for a reason inside this package, and not for a library that it needs."""
    return module is None or module.partition(".")[0] == __name__.partition(".")[0]


def _missing(error: ImportError) -> str:
    from ttsartifact.reporting.terminal import safe

    why = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be loaded: {safe(error)}"
    return f"ttsa: this command needs the Python module {safe(error.name)}, which {why}; run: pip install ttsartifact"


def _typer(argv: list[str]) -> int:
    import typer

    from ttsartifact.cli.app import UsageError, app, usage_words

    try:
        code = app(argv, prog_name="ttsa", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except UsageError as error:
        path = (
            error.ctx.command_path
            if error.ctx is not None
            else " ".join(["ttsa", *(word for word in argv[:1] if word in COMMANDS)])
        )
        return _complain(usage_line(usage_words(error, argv), path), EXIT.USAGE)
    if code == EXIT.INTERRUPTED:  # typer's own word for an interrupt
        raise KeyboardInterrupt
    return code if isinstance(code, int) else EXIT.OK


def _complain(line: str, code: int) -> int:
    tell(line)
    return code
