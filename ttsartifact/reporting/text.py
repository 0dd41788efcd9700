"""What `verify` and `validate` say to a person: the verdict, each finding with its address, then the sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.formulas.conditions import and_more
from ttsartifact.reporting.phrases import (
    INCOMPLETE,
    VERDICTS,
    Paint,
    counted,
    level_words,
    meaning,
    reason_line,
    rule_sums,
    spoken,
)
from ttsartifact.reporting.statements import NOT_ATTESTED, adaptation_words, attestation_words
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.finding import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Report

_MOST_FINDINGS = 100
_MOST_HINTS = 5
_NO_ARTIFACT = frozenset(
    {
        Verdict.NOT_FOUND,
        Verdict.UNREADABLE,
        Verdict.NOT_AN_ARTIFACT,
        Verdict.CAPSULE_LOST,
        Verdict.NOT_VERIFIED,
    }
)  # of which it would say nothing to list the rules that were not asked


def short_line(report: Report, paint: Paint = Paint()) -> str:  # noqa: B008 - frozen
    """Return the one line of a good report among many."""
    level = level_words(report) + INCOMPLETE * report.incomplete
    return f"{safe(report.where)}: {paint.verdict(report.verdict)}, level {level}; {report.artifact_id}"


def report_lines(
    report: Report,
    paint: Paint = Paint(),  # noqa: B008 - frozen
    *,
    strict: bool = False,
    whole: bool = False,
    differences: tuple[ReceiptMismatch, ...] = (),
) -> Iterator[str]:
    """Yield the lines of one report; a `whole` one lists the rules that passed and those that did not apply.

    `differences` from a receipt are in its first line; `receipt_lines` names them.
    """
    broken = len({finding.rule for finding in report.failures})
    is_artifact = report.verdict not in _NO_ARTIFACT
    but = f"; {paint('bad', counted(broken, 'rule') + ' failed')}" if broken and is_artifact else ""
    if differences and not _is_same_sound(differences):
        but += f"; {paint('bad', 'it is not what the receipt names')}"
    yield f"{safe(report.where)}: {paint.verdict(report.verdict)} - {meaning(report)}{but}"
    if report.artifact_id is not None:
        yield f"  artifact  {report.artifact_id}"
    if report.run_id is not None:
        yield f"  run       {safe(report.run_id)}"
    if report.level_reached is not None:
        yield f"  level     {level_words(report)}"
    if report.adaptation is not None and report.adaptation.get("target_refs"):
        yield f"  voice     adapted: {adaptation_words(report.adaptation)}"
    for given in report.attestations:
        yield f"  attested  {attestation_words(given, paint)}"
    if whole and is_artifact and not report.attestations and report.verdict != Verdict.NOT_HASHED:
        yield f"  attested  {NOT_ATTESTED}"
    if report.reason is not None:
        yield f"  {reason_line(report.reason)}"
    for finding in report.findings[:_MOST_FINDINGS]:
        yield from _finding_lines(finding, paint)
    if more := and_more(report.findings, _MOST_FINDINGS):
        yield f"  ...{more} findings; --format json lists all"
    if not is_artifact:
        return
    yield from _unchecked_lines(report, paint)
    for hint in report.hints[:_MOST_HINTS]:
        found = "" if hint.found is None else f": {spoken(hint.found)}"
        yield f"  {paint('quiet', 'hint')}      {hint.id}  {safe(hint.message)}{found}  (at {safe(hint.where)})"
    if more := and_more(report.hints, _MOST_HINTS):
        yield f"  ...{more} hints; --format json lists all"
    if whole:
        yield f"  passed    {', '.join(report.passed) or 'no rule'}"
        yield from _not_applicable_lines(report)
    yield f"  rules     {rule_sums(report)}"
    if failed := [*report.failures, *report.warnings]:
        yield f"  `ttsa explain {failed[0].rule}` explains the rule and how to fix it"
    if strict and not report.failures and report.warnings:
        yield "  --strict fails on warnings too"


_MATCHES = "matches: the file is the run that the receipt names, as is each copy with the same bytes"


def receipt_lines(differences: tuple[ReceiptMismatch, ...], paint: Paint = Paint()) -> Iterator[str]:  # noqa: B008 - frozen
    """Yield the lines of the comparison of a file with its receipt."""
    if not differences:
        yield f"  receipt   {paint('good', _MATCHES)}"
    elif _is_same_sound(differences):
        yield f"  receipt   {paint('warn', 'the samples match the receipt; no other part could be compared')}"
    for difference in differences:
        yield f"  {paint('bad', 'receipt')}   {difference.part}: {_found_words(difference)}"
        yield f"            the receipt says {spoken(difference.expected)}"


def _is_same_sound(differences: tuple[ReceiptMismatch, ...]) -> bool:
    """Return whether a file without a capsule has the samples that the receipt names."""
    named = {each.part for each in differences}
    return differences[0].part == "id" and differences[0].found is None and not {"pcm", "file"} & named


_NOT_FOUND = {
    "id": "without a capsule the file has none",
    "pcm": "the file has no samples that can be compared: it is lossy, or cannot be decoded",
}


def _found_words(difference: ReceiptMismatch) -> str:
    if difference.found is None:
        return _NOT_FOUND.get(difference.part, "the file states none")
    return f"the file has {spoken(difference.found)}"


def sum_line(reports: list[Report]) -> str:
    """Return one line over many reports."""
    verdicts: dict[str, int] = {}
    for report in reports:
        verdicts[report.verdict] = verdicts.get(report.verdict, 0) + 1
    worst_first = [name for name in reversed(VERDICTS) if name in verdicts]
    sums = ", ".join(f"{verdicts[name]} {name}" for name in worst_first)
    conformant = sum(report.conformant for report in reports)
    return f"{counted(len(reports), 'run')}: {sums}; {conformant} conformant"


def _finding_lines(finding: Finding, paint: Paint) -> Iterator[str]:
    where = f"  (at {safe(finding.where)})" if finding.where else ""
    word = "suppressed" if finding.outcome == Outcome.SUPPRESSED else "fail"
    gap = " " * max(2, 10 - len(word))
    yield f"  {paint.outcome(finding.outcome, finding.severity)}{gap}{finding.rule}  {safe(finding.message)}{where}"
    if finding.found is not None:
        yield f"            found     {spoken(finding.found)}"
    if finding.expected is not None:
        yield f"            expected  {spoken(finding.expected)}"


def _unchecked_lines(report: Report, paint: Paint) -> Iterator[str]:
    blocked: dict[str, list[str]] = {}
    for finding in report.unchecked:
        if finding.outcome == Outcome.UNVERIFIABLE:
            yield f"  {paint('warn', 'unverifiable')}  {finding.rule}  {safe(finding.message)}"
        else:
            blocked.setdefault(finding.blocked_by or "another rule", []).append(finding.rule)
    for blocker, rules in blocked.items():
        shown = ", ".join(rules[:8]) + and_more(rules, 8)
        yield f"  {paint('quiet', 'not run')}   {shown}: blocked by {safe(blocker)}"


def _not_applicable_lines(report: Report) -> Iterator[str]:
    rules_by_reason: dict[str, list[str]] = {}
    for rule, why in report.not_applicable_because:
        rules_by_reason.setdefault(why, []).append(rule)
    for place, (why, rules) in enumerate(rules_by_reason.items()):
        yield f"  {'' if place else 'skipped':10}{', '.join(rules)}: {safe(why)}"
