"""The act behind diff: two runs verified and compared, the likely cause said first."""

from typing import Annotated

from ttsartifact.cli.options import Argument, Option
from ttsartifact.cli.speak import paint, passing, progress, say, show

__all__ = ["diff"]


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
