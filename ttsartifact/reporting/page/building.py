"""Makes the page: one run, two to compare, or a set, each verified while it is read."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from ttsartifact.comparing.diff import diff
from ttsartifact.errors import NotAnArtifact
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.reporting.page.many import page_of_many, row_of
from ttsartifact.reporting.page.one import page_of_one
from ttsartifact.reporting.page.parts import seen
from ttsartifact.reporting.page.two import page_of_two
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.verifying.report import Report

__all__ = ["page_of"]


def page_of(paths: Sequence[str], *, beside: str, on_progress: Callable[[int, int], None] | None = None) -> str:
    """Return the page of all runs of the files, which is to lie at `beside`.

    One run is shown whole; two files of one run each are compared; anything else is a set.
    Raises NotAnArtifact, Damaged, InvalidDescriptor, TooLarge or Refused for a file that cannot be read.
    """
    shown = [1 if _is_one(path) else 2 for path in paths]
    if shown == [1]:
        with ExitStack() as held:
            (found,) = _runs(paths[0])
            return page_of_one(seen(*found, key="run", beside=beside, held=held))
    if shown == [1, 1]:
        with ExitStack() as held:
            first, second = (
                seen(*next(_runs(path)), key=key, beside=beside, held=held)
                for key, path in zip("ab", paths, strict=True)
            )
            return page_of_two(first, second, diff(*paths))
    rows = []
    for done, path in enumerate(paths, 1):
        rows += [row_of(*found) for found in _runs(path)]
        if on_progress is not None:
            on_progress(done, len(paths))
    return page_of_many(rows)


def _is_one(path: str) -> bool:
    """Tell whether a file holds one run alone."""
    found = open_artifacts(path)
    if next(found, None) is None:
        raise NotAnArtifact("the data set holds no run", where=path)
    return next(found, None) is None


def _runs(path: str) -> Iterator[tuple[Artifact, Report]]:
    """Yield each run with its report."""
    reports = verify(path)
    for artifact, report in zip(open_artifacts(path), reports, strict=False):
        if report.artifact_id != artifact.artifact_id:
            raise NotAnArtifact("the file changed while it was read", where=path)
        yield artifact, report
