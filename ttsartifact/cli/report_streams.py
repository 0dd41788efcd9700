"""Print reports as they come in: one by one if the format allows it, at the end if it is one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.cli.manner import manner
from ttsartifact.cli.speak import EXIT, paint, say, show, tell

if TYPE_CHECKING:
    from ttsartifact.cli.settings import Settings
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.verifying.report import Report

    Differences = tuple[ReceiptMismatch, ...] | None


class TextStream:
    """Lines for eyes: each report as it comes, then the sum."""

    takes_words = True
    """Whether a sentence may stand between the reports; where the form is a machine's it goes to stderr."""

    def __init__(self, *, strict: bool, settings: Settings | None) -> None:
        self.strict = strict
        self.settings = settings
        self.many = False
        """Whether more than one report is going to come."""
        self.judged: list[tuple[Report, tuple[ReceiptMismatch, ...]]] = []

    def disclose(self, settings: Settings) -> None:
        """Say which settings file the reports are made with, and what of it counts."""
        if self.takes_words:
            show(f"settings of {settings.words()}")
        else:
            tell(f"ttsa: settings of {settings.words()}")

    def tell(self, report: Report, differences: Differences, code: int) -> None:
        """Say one report, or keep it for the end. Of many, a good one is one line; `-q` leaves good ones out."""
        from ttsartifact.reporting import text

        self.judged.append((report, differences or ()))
        if code == EXIT.OK and manner().quiet:
            return
        if code == EXIT.OK and self.many and not manner().verbose:
            show(text.short_line(report, paint()))
            return
        whole = manner().verbose
        show(text.report_lines(report, paint(), strict=self.strict, whole=whole, differences=differences or ()))
        if differences is not None:
            show(text.receipt_lines(differences, paint()))

    def end(self) -> None:
        """Print what needs all reports."""
        from ttsartifact.reporting import text

        if len(self.judged) > 1:
            show(text.sum_line([report for report, _ in self.judged]))


class _Tsv(TextStream):
    takes_words = False

    def __init__(self, *, strict: bool, settings: Settings | None) -> None:
        super().__init__(strict=strict, settings=settings)
        from ttsartifact.reporting import tables

        say(tables.row(tables.REPORT_COLUMNS))

    def tell(self, report: Report, differences: Differences, code: int) -> None:  # noqa: ARG002
        from ttsartifact.reporting import tables

        say(tables.report_rows(report, differences or ()))

    def end(self) -> None:
        pass


class _Json(TextStream):
    def __init__(self, *, strict: bool, settings: Settings | None) -> None:
        super().__init__(strict=strict, settings=settings)
        self.documents: list[dict[str, Any]] = []

    def disclose(self, settings: Settings) -> None:
        """Leave it to each document."""

    def tell(self, report: Report, differences: Differences, code: int) -> None:
        from ttsartifact.reporting import documents

        document = documents.report_document(report, exit_code=code, differences=differences)
        if self.settings is not None:
            document["settings"] = self.settings.to_value()
        self.documents.append(document)

    def end(self) -> None:
        from ttsartifact.reporting.documents import as_json

        say(as_json(self.documents))


class _JsonLines(_Json):
    def tell(self, report: Report, differences: Differences, code: int) -> None:
        from ttsartifact.reporting.documents import as_json_line

        super().tell(report, differences, code)
        say(as_json_line(self.documents.pop()))

    def end(self) -> None:
        pass


class _Kept(TextStream):
    takes_words = False

    def tell(self, report: Report, differences: Differences, code: int) -> None:  # noqa: ARG002
        self.judged.append((report, differences or ()))


class _Sarif(_Kept):
    def end(self) -> None:
        from ttsartifact.reporting.documents import as_json
        from ttsartifact.reporting.machines import sarif_document

        say(as_json(sarif_document(self.judged)))


class _Junit(_Kept):
    def end(self) -> None:
        from ttsartifact.reporting.machines import junit_lines

        say(junit_lines(self.judged, strict=self.strict))


class _Github(TextStream):
    takes_words = False

    def tell(self, report: Report, differences: Differences, code: int) -> None:  # noqa: ARG002
        from ttsartifact.reporting.machines import annotation_lines

        say(annotation_lines(report, differences or ()))

    def end(self) -> None:
        pass


class _Markdown(TextStream):
    def tell(self, report: Report, differences: Differences, code: int) -> None:  # noqa: ARG002
        from ttsartifact.reporting.markdown import report_card

        if self.judged:
            say("")
        say(report_card(report, _artifact_of(report), differences or ()))
        self.judged.append((report, ()))

    def end(self) -> None:
        pass


VOICES: dict[str, type[TextStream]] = {
    "text": TextStream,
    "tsv": _Tsv,
    "json": _Json,
    "jsonl": _JsonLines,
    "sarif": _Sarif,
    "junit": _Junit,
    "github": _Github,
    "markdown": _Markdown,
}


def voice(format: str, *, strict: bool, settings: Settings | None = None) -> TextStream:
    """Return the printer of reports in one format. A settings file that is used is named first, or in the documents."""
    stream = VOICES[format](strict=strict, settings=settings)
    if settings is not None:
        stream.disclose(settings)
    return stream


def _artifact_of(report: Report) -> Artifact | None:
    """Return the run that was just verified, for its conditions; None where it cannot be read."""
    from ttsartifact.errors import TtsArtifactError
    from ttsartifact.reading.artifact import open_artifacts

    if report.artifact_id is None:
        return None
    path, _, row = report.where.rpartition("#")
    for place in (report.where, path if row.isdigit() else ""):
        try:
            return next((a for a in open_artifacts(place) if a.artifact_id == report.artifact_id), None)
        except (TtsArtifactError, OSError):
            continue
    return None
