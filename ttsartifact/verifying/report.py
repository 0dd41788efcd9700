"""What a verification found: every rule accounted for exactly once, and one graded verdict over the bytes."""

from __future__ import annotations

from typing import NamedTuple

from ttsartifact.terms.finding import Finding, Outcome, Severity, Verdict

__all__ = ["Report", "exit_code"]


class Report(NamedTuple):
    """The outcome of verifying one run: `findings` is what was seen, `unchecked` what could not be asked, and why."""

    where: str
    carrier: str | None
    artifact_id: str | None
    run_id: str | None
    verdict: str
    level_claimed: str | None
    level_reached: str | None
    findings: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]
    passed: tuple[str, ...]
    not_applicable: tuple[str, ...]
    unreadable: bool = False

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Findings that make the file non-conformant."""
        return tuple(
            finding
            for finding in self.findings
            if finding.outcome == Outcome.FAIL and finding.severity in {Severity.FATAL, Severity.ERROR}
        )

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Failed rules that only warn."""
        return tuple(f for f in self.findings if f.outcome == Outcome.FAIL and f.severity == Severity.WARN)

    @property
    def conformant(self) -> bool:
        """Whether every rule that was asked holds and the bytes are as they were sealed."""
        return not self.failures and self.verdict == Verdict.INTACT


def exit_code(report: Report, *, strict: bool = False) -> int:
    """Return the exit code of one report (clause 10.3); `strict` also counts warnings and what could not be asked."""
    if report.unreadable:
        return 4
    if report.failures or (strict and report.warnings):
        return 1
    unanswered = any(finding.outcome == Outcome.UNVERIFIABLE for finding in report.unchecked)
    critical = any(f.outcome == Outcome.UNVERIFIABLE and f.rule == "SCH05" for f in report.unchecked)
    return 3 if critical or (strict and unanswered) else 0
