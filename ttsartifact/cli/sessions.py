"""The act behind session: the runs of a session in a table, where they change, and a picture."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from typing import Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under
from ttsartifact.cli.options import Files, Force, Option
from ttsartifact.cli.speak import EXIT, passing, progress, say, show
from ttsartifact.reporting.safe import safe

__all__ = ["session"]


def session(
    files: Files,
    *,
    metric: Annotated[
        Sequence[str],
        Option("A metric of registry/claim_metrics.toml, or evaluated:NAME; may be repeated.", metavar="NAME"),
    ] = (),
    stretches: Annotated[bool, Option("Also tabulate each run second by second, in whole chunks.")] = False,
    measurements: Annotated[
        Sequence[str], Option("Measurements of other tools; may be repeated.", metavar="JSON")
    ] = (),
    plot: Annotated[
        str | None, Option("Write a picture; - is stdout, and the table then goes to stderr.", metavar="PNG")
    ] = None,
    format: Annotated[str, Option("Output format.", choices=("text", "json", "tsv"))] = "text",
    force: Force = False,
) -> int:
    """Measure a session and say where it changes."""
    from ttsartifact.claiming.session import DEFAULT_METRICS
    from ttsartifact.claiming.settle import session_over
    from ttsartifact.cli.making import note
    from ttsartifact.reporting import session as spoken

    passing("verifying the runs")
    try:
        found = session_over(
            files_under(files),
            tuple(metric) or DEFAULT_METRICS,
            stretches=stretches,
            measurements=measurements,
            on_progress=lambda done, total: progress(done, total, "runs measured"),
        )
    finally:
        passing()
    with nullcontext() if plot != STANDARD_OUTPUT else redirect_stdout(sys.stderr):
        if format == "json":
            from ttsartifact.reporting.documents import as_json

            say(as_json(spoken.session_document(found)))
        elif format == "tsv":
            say(spoken.session_rows(found))
        else:
            show(spoken.session_lines(found))
    if plot is not None:
        from ttsartifact.reporting.session_picture import draw

        with delivered(plot, ".png") as path:
            draw(found, path, replace=force)
        note(f"{safe(plot)}: the picture")
    return EXIT.OK
