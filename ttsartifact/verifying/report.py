"""What a verification found: every rule accounted for exactly once, and one graded verdict over the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.terms.finding import Finding, Hint, Outcome, Recomputed, Severity, Verdict
from ttsartifact.verifying.catalogue import inconclusive

if TYPE_CHECKING:
    from ttsartifact.attesting.checking import Attested
    from ttsartifact.terms.level import Level


class Reason(NamedTuple):
    """Why nothing was verified: the path leads to nothing that can be read, or this verifier lacks something."""

    message: str
    where: str = ""
    found: Any = None
    expected: Any = None


class Report(NamedTuple):
    """The outcome of verifying one run: `findings` is what was seen, `unchecked` what could not be asked, and why."""

    where: str
    carrier: str | None
    artifact_id: str | None
    run_id: str | None
    verdict: Verdict
    level_claimed: str | None
    level_reached: Level | None
    findings: tuple[Finding, ...]
    unchecked: tuple[Finding, ...]
    passed: tuple[str, ...]
    unreadable: bool = False
    hints: tuple[Hint, ...] = ()
    """What heuristics say; it counts for nothing."""
    profiles: tuple[str, ...] = ()
    """The profiles that the run claims or the reader demands."""
    required: tuple[str, ...] = ()
    """Rules that a demanded profile wants answered, or that this machine lacks something for; one that is
    unverifiable leaves the report inconclusive."""
    reason: Reason | None = None
    """Why no rule was asked, where the artifact is not at fault."""
    crashed: bool = False
    """Whether an error of the verifier ended the verification of this file."""
    recomputed: Recomputed | None = None
    """What was hashed; None where nothing was."""
    adaptation: dict[str, Any] | None = None
    """What the run states of the adaptation of its voice; None where it states none."""
    attestations: tuple[Attested, ...] = ()
    """What each attestation is worth (clause 10.7)."""
    not_applicable_because: tuple[tuple[str, str], ...] = ()
    """Each rule that does not apply, and why."""
    incomplete: bool = False
    """Whether the run states that its recording did not come to its end (clause 7.4)."""

    @property
    def not_applicable(self) -> tuple[str, ...]:
        """Rules that do not concern this run."""
        return tuple(rule for rule, _ in self.not_applicable_because)

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


def exit_code(report: Report, *, strict: bool = False, fail_on: Severity = Severity.ERROR) -> int:
    """Return the exit code of one report (clause 10.3).

    `fail_on="warn"` counts warnings; `strict` does, and counts what could not be asked too.
    """
    if report.verdict == Verdict.NOT_VERIFIED:
        return 5 if report.crashed else 3
    if report.unreadable:
        return 4
    if report.failures or ((strict or fail_on == Severity.WARN) and report.warnings):
        return 1
    unanswered = {finding.rule for finding in report.unchecked if finding.outcome == Outcome.UNVERIFIABLE}
    return 3 if unanswered & {*inconclusive("always"), *report.required} or (strict and unanswered) else 0
