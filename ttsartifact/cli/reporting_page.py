"""The act behind `report`: one HTML file that shows a run, two, or a set."""

import sys
from collections.abc import Sequence
from typing import Annotated

from ttsartifact.cli.files import STANDARD_OUTPUT, delivered, files_under
from ttsartifact.cli.options import Files, Force, Option
from ttsartifact.cli.speak import error_line, exit_of, passing, progress, say_written, worst

__all__ = ["report", "write_page"]


def report(
    files: Files,
    *,
    out: Annotated[str, Option("The page to write atomically; - is stdout.", short="-o", metavar="PAGE.html")],
    force: Force = False,
) -> int:
    """Write the page and return the exit code."""
    return write_page(files_under(files), out, force=force)


def write_page(paths: Sequence[str], out: str, *, force: bool) -> int:
    """Write the page of some files, say what was written, and return the exit code."""
    from ttsartifact.container.source import require_room, write_whole
    from ttsartifact.reporting.page.building import page_of
    from ttsartifact.reporting.safe import safe

    if out != STANDARD_OUTPUT:
        require_room(out, replace=force)
    passing("verifying and drawing")
    try:
        page = page_of(paths, beside=out, on_progress=_show_progress)
    finally:
        passing()
    with delivered(out) as path, write_whole(path, replace=force) as file:
        size = file.write(page.html.encode("ascii", "xmlcharrefreplace"))
    say_written(out, f"{safe(out)}: one file of {size} bytes; open it in any browser")
    for error in page.unread:
        sys.stderr.write(error_line(error) + "\n")
    return worst(map(exit_of, page.unread))


def _show_progress(done: int, total: int) -> None:
    progress(done, total, "files")
