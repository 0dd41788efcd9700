"""Makes the page: one run, two to compare, or a set, each verified while it is read."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.comparing.diff import diff
from ttsartifact.errors import NotAnArtifact, TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.reporting.page import parts
from ttsartifact.reporting.page.many import page_of_many, row_of
from ttsartifact.reporting.page.markup import document, element, footer, section
from ttsartifact.reporting.page.two import page_of_two
from ttsartifact.reporting.phrases import spoken
from ttsartifact.verifying.engine import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.verifying.report import Report

_KEYS = "Space plays and pauses, left and right arrows move by one second; click a picture to listen from there."


class HtmlPage(NamedTuple):
    """The page, and the files of a set that could not be read, which it names."""

    html: str
    unread: tuple[TtsArtifactError, ...] = ()


def page_of(paths: Sequence[str], *, beside: str, on_progress: Callable[[int, int], None] | None = None) -> HtmlPage:
    """Return the page of all runs of the files, which is to be at `beside`.

    One run is shown whole; two files of one run each are compared; anything else is a set.
    Raises NotAnArtifact, Damaged, InvalidDescriptor, TooLarge or Refused for one or two files that cannot be read, and
    for a set of which none can.
    """
    if len(paths) <= 2 and all(map(_is_one, paths)):
        with ExitStack() as held:
            if len(paths) == 1:
                (found,) = _runs(paths[0])
                return HtmlPage(_page_of_one(parts.seen(*found, key="run", beside=beside, held=held)))
            first, second = (
                parts.seen(*next(_runs(path)), key=key, beside=beside, held=held)
                for key, path in zip("ab", paths, strict=True)
            )
            return HtmlPage(page_of_two(first, second, diff(*paths)))
    rows, unread = [], []
    for done, path in enumerate(paths, 1):
        try:
            rows += [row_of(*found) for found in _runs(path)]
        except TtsArtifactError as error:
            unread.append(error)
        if on_progress is not None:
            on_progress(done, len(paths))
    if not rows:
        raise unread[0]
    return HtmlPage(page_of_many(rows, [str(error) for error in unread]), tuple(unread))


def _page_of_one(run: parts.Seen) -> str:
    """Return the page of one run."""
    events = parts.events_of(run)
    cut = parts.cut_of(run.verify)
    return document(
        f"{run.verify['verdict']}: {parts.name_of(run)}{cut}",
        element(
            "header",
            element("h1", "A run of ", parts.name_of(run), cut),
            element("p", element("code", spoken(run.artifact.where)), class_="quiet"),
            parts.verdict_of(run),
        ),
        element(
            "main",
            section(
                "Listen",
                parts.audio_of(run),
                element(
                    "p",
                    element("output", "", id="now", aria_live="off"),
                    " ",
                    _KEYS,
                    " In the page: ",
                    run.playable.words,
                    ".",
                    class_="quiet",
                ),
                parts.pictures_of(run, run.axis),
            ),
            section("Imperfection events", events) if events else None,
            section("Times", parts.times_of(run)),
            section("Conditions", parts.conditions_of(run)),
            section("Receipt", parts.receipt_of(run)),
        ),
        footer(),
        data={"players": [parts.player_of(run, run.axis)]},
        linked=run.playable.is_linked,
    )


def _is_one(path: str) -> bool:
    """Return whether a file holds one run alone."""
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
