"""The act behind rerun: the plan is told first, then what came of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ttsartifact.cli.make import given_text, numbers
from ttsartifact.cli.speak import EXIT, Usage, error_line, paint, passing, say
from ttsartifact.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.rerunning.plan import Plan

__all__ = ["rerun"]


def rerun(
    file: str,
    argv: Sequence[str],
    *,
    format: str,
    text: str | None,
    text_file: str | None,
    references: Sequence[str],
    runner: str | None,
    weights: str | None,
    parameters: Sequence[str],
    readapt: bool,
    timeout: float,
    keep: str | None,
    replace: bool,
    recorded: dict[str, Any],
) -> int:
    """Make a run again and return the exit code of its verdict."""
    from ttsartifact.rerunning.rerun import rerun_command, rerun_runner

    told: dict[str, Any] = {"references": references, "keep": keep, "replace": replace}
    told["on_plan"] = _tell if format == "text" else None
    if text is not None or text_file is not None:
        told["text"] = given_text(text, text_file)
    try:
        if argv:
            if runner or weights or parameters or readapt:
                raise Usage("a command behind `--` and a runner are two ways; take one")
            result = rerun_command(file, argv, wall_s=timeout, **recorded, **told)
        else:
            from ttsartifact.running.child import ChildLimits

            result = rerun_runner(
                file,
                runner=runner,
                weights=weights,
                parameters=numbers(parameters),
                readapt=readapt,
                limits=ChildLimits(wall_s=timeout),
                **told,
            )
    except CommandFailed as error:
        # Nothing was compared, so nothing was found: the question is open.
        passing()
        sys.stderr.write(error_line(error) + "\n")
        return EXIT.INCONCLUSIVE
    finally:
        passing()
    if format == "json":
        from ttsartifact.reporting.documents import as_json

        say(as_json(result.to_value()))
    else:
        from ttsartifact.reporting.rerun import rerun_lines

        say(rerun_lines(result, paint()))
    return result.exit_code


def _tell(plan: Plan) -> None:
    from ttsartifact.reporting.rerun import plan_lines

    say(plan_lines(plan))
    sys.stdout.flush()
    passing("adapting again, then making it again" if plan.adapter else "making it again")
