"""Annotations for GitHub's log: one workflow command a finding, in which no text can begin a command of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.reporting.phrases import broken_part, finding_line, reason_line
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.finding import Outcome, Severity
from ttsartifact.verifying.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.verifying.report import Report

__all__ = ["annotation_lines"]

_COMMANDS = {Severity.FATAL: "error", Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "notice"}


def annotation_lines(report: Report, differences: Sequence[ReceiptMismatch] = ()) -> Iterator[str]:
    """Yield one line per finding, and one for the verdict if no rule failed."""
    if report.reason is not None:
        yield _command("error", report.where, report.verdict, reason_line(report.reason))
        return
    for finding in report.findings:
        command = "notice" if finding.outcome == Outcome.SUPPRESSED else _COMMANDS[finding.severity]
        title = f"{finding.rule} {catalogue()[finding.rule].name}"
        yield _command(command, report.where, title, finding_line(finding))
    for finding in report.unchecked:
        if finding.outcome == Outcome.UNVERIFIABLE:
            yield _command("notice", report.where, f"{finding.rule} open", safe(finding.message))
    for part in differences:
        yield _command("error", report.where, "receipt", broken_part(part))
    if not report.failures and not differences:
        title = "conformant" if report.conformant else "no rule is broken"
        yield _command("notice", report.where, title, f"{report.verdict}, level {report.level_reached}")


def _command(command: str, file: str, title: str, message: str) -> str:
    # What is said has gone through safe(); the escapes are the runner's own.
    return f"::{command} file={_property(safe(file))},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    # The runner looks for its older `##[command]` anywhere in a line.
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "##\\[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
