"""The acts behind diff and rerun: two runs compared, the likely cause first; a plan printed before it runs."""

import sys
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered
from ttsartifact.cli.making import given_text, numbers
from ttsartifact.cli.options import Argument, Force, Option, Params
from ttsartifact.cli.speak import EXIT, Usage, error_line, paint, passing, progress, say, show, tell
from ttsartifact.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.rerunning.plan import Plan
    from ttsartifact.rerunning.workplace import Rerun


def diff(
    a: Annotated[str, Argument("A", "A run; SET.tts.parquet#3 is a row of a data set.")],
    b: Annotated[str, Argument("B", "The run to compare it with.")],
    *,
    format: Annotated[
        str,
        Option(
            "Output format: lines, a document, a table, or a card for a forum.",
            choices=("text", "json", "tsv", "markdown"),
        ),
    ] = "text",
) -> int:
    """Compare two runs and return the exit code of clause 10.8."""
    from ttsartifact.comparing.diff import diff as compare

    passing("verifying both")
    try:
        found = compare(a, b, on_progress=_show_progress)
    finally:
        passing()
    from ttsartifact.reporting import diff as spoken

    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(spoken.diff_document(found)))
    elif format == "tsv":
        say(spoken.diff_rows(found))
    elif format == "markdown":
        say(spoken.diff_card(found))
    else:
        show(spoken.diff_lines(found, paint()))
    return found.exit_code


def _show_progress(done: int, total: int) -> None:
    progress(done, total, "frames compared")


def rerun(
    file: Annotated[str, Argument("FILE", "An artifact of one run.")],
    command: Annotated[
        Sequence[str], Argument("[-- CMD...]", "Your own command, with {text}, {out} and {ref} as for record.")
    ] = (),
    *,
    format: Annotated[str, Option("Output format.", choices=("text", "json"))] = "text",
    text: Annotated[str | None, Option("The text, if the file withholds it.")] = None,
    text_file: Annotated[str | None, Option("The same, from a file.", metavar="FILE")] = None,
    ref: Annotated[Sequence[str], Option("A reference clip of the run; may be repeated.", metavar="CLIP")] = (),
    runner: Annotated[str | None, Option("An installed runner.", metavar="NAME")] = None,
    weights: Annotated[
        str | None, Option("A folder of weight files; each must have the digest that the run pins.", metavar="DIR")
    ] = None,
    factory: Annotated[
        str | None, Option("Your own function, for a run that was recorded inside a process.", metavar="PKG:FUNCTION")
    ] = None,
    param: Params = (),
    readapt: Annotated[bool, Option("For an adapted voice: first make the delta again from its clips.")] = False,
    pcm: Annotated[str | None, Option("As for record.", metavar="FORMAT", needs="command")] = None,
    text_on_stdin: Annotated[bool, Option("As for record.", needs="command")] = False,
    repair_header: Annotated[bool, Option("As for record.", negatable=True, needs="command")] = True,
    unsafe_text: Annotated[bool, Option("As for record.", needs="command")] = False,
    timeout: Annotated[float, Option("End it after S seconds.", metavar="S", least=0, not_with="factory")] = 600,
    keep: Annotated[str | None, Option("Keep the new run as an artifact; - is stdout.", metavar="OUT")] = None,
    force: Force = False,
) -> int:
    """Make a run again and return the exit code of its verdict."""
    given: dict[str, Any] = {"references": ref, "replace": force}
    given["on_plan"] = _show_plan if format == "text" else None
    if text is not None or text_file is not None:
        given["text"] = given_text(text, text_file)
    if bool(command) + bool(factory) + bool(runner or weights or readapt) > 1:
        raise Usage("give only one of a command after `--`, --factory, and a runner or its weights")
    if command:
        from ttsartifact.rerunning.rerun import rerun_command

        if param:
            raise Usage("--param is for a runner or a factory; a command has its own options")
        typed: dict[str, Any] = {
            "pcm": pcm,
            "text_on_stdin": text_on_stdin,
            "repair_header": repair_header,
            "unsafe_text": unsafe_text,
            "wall_s": timeout,
        }
        again = partial(rerun_command, file, command, **typed, **given)
    elif factory:
        from ttsartifact.rerunning.factory import rerun_factory

        again = partial(rerun_factory, file, factory, parameters=numbers(param), **given)
    else:
        from ttsartifact.rerunning.rerun import rerun_runner
        from ttsartifact.running.child import ChildLimits

        bounds = ChildLimits(wall_s=timeout)
        parameters = numbers(param)
        chosen: dict[str, Any] = {"runner": runner, "weights": weights, "parameters": parameters, "readapt": readapt}
        again = partial(rerun_runner, file, limits=bounds, **chosen, **given)
    with _kept(file, keep) as path:
        return _printed(partial(again, keep=path), format)


@contextmanager
def _kept(file: str, keep: str | None) -> "Iterator[str | None]":
    """Yield the path for the new run; where that goes to standard output, the report goes to stderr."""
    if keep != STANDARD_OUTPUT:
        yield keep
        return
    from ttsartifact.reading.artifact import open_artifact

    is_wav = open_artifact(file).descriptor.known("/audio/codec") == "wav"
    with delivered(keep, ".tts.wav" if is_wav else ".tts.parquet") as path, redirect_stdout(sys.stderr):
        yield path


def _printed(again: "Callable[[], Rerun]", format: str) -> int:
    """Repeat the run, print the result, and return the exit code of its verdict."""
    try:
        result = again()
    except CommandFailed as error:
        # Nothing was compared, so nothing was found: the question is open.
        passing()
        tell(error_line(error))
        return EXIT.INCONCLUSIVE
    finally:
        passing()
    if format == "json":
        from ttsartifact.reporting.documents import as_json, rerun_document

        say(as_json(rerun_document(result)))
    else:
        from ttsartifact.reporting.rerun import rerun_lines

        show(rerun_lines(result, paint()))
    return result.exit_code


def _show_plan(plan: "Plan") -> None:
    from ttsartifact.reporting.rerun import plan_lines

    show(plan_lines(plan))
    sys.stdout.flush()
    passing("adapting again, then making it again" if plan.adapter else "making it again")
