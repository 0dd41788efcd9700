"""JUnit XML for test dashboards: one suite per run, one case per rule. Equal reports give equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr  # they write, and parse nothing

from ttsartifact.reporting import phrases as words
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.finding import Outcome, Severity, Verdict
from ttsartifact.verifying.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Report

__all__ = ["attributes", "junit_lines"]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def junit_lines(judged: Sequence[tuple[Report, Sequence[ReceiptMismatch]]], *, strict: bool = False) -> Iterator[str]:
    """Yield the document over all reports; `strict` makes a warning and an open question a failure."""
    suites = [_suite(report, differences, strict=strict) for report, differences in judged]
    sums = {key: sum(counts[key] for _, counts, _ in suites) for key in ("tests", "failures", "errors", "skipped")}
    yield _HEAD
    yield f"<testsuites{attributes({'name': 'ttsa verify', **sums})}>"
    for name, counts, cases in suites:
        yield f"  <testsuite{attributes({'name': name, **counts})}>"
        yield from cases
        yield "  </testsuite>"
    yield "</testsuites>"


def attributes(values: Mapping[str, object]) -> str:
    """Return XML attributes in ASCII; the values have gone through safe()."""
    written = "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items())
    return written.encode("ascii", "xmlcharrefreplace").decode()


def _suite(
    report: Report, differences: Sequence[ReceiptMismatch], *, strict: bool
) -> tuple[str, dict[str, int], list[str]]:
    seen: dict[str, list[Finding]] = {}
    for finding in (*report.findings, *report.unchecked):
        seen.setdefault(finding.rule, []).append(finding)
    cases: list[str] = []
    failures = skipped = 0
    for rule in catalogue().values():
        findings = seen.get(rule.id, [])
        if not findings and rule.id not in report.passed and rule.id not in report.not_applicable:
            continue  # `validate` asks a part of the catalogue
        outcomes = [(_kind(finding, strict=strict), words.finding_line(finding)) for finding in findings]
        if rule.id in report.not_applicable:
            outcomes.append(("skipped", "does not apply"))
        failures += any(kind == "failure" for kind, _ in outcomes)
        skipped += bool(outcomes) and all(kind == "skipped" for kind, _ in outcomes)
        cases += _case(rule.id, rule.name, outcomes)
    errors = 0
    if report.reason is not None:
        kind = "error" if report.verdict == Verdict.NOT_VERIFIED else "failure"
        errors, failures = errors + (kind == "error"), failures + (kind == "failure")
        cases += _case("file", "Readable", [(kind, words.reason_line(report.reason))])
    if differences:
        failures += 1
        cases += _case(
            "receipt",
            "SameRun",
            [("failure", words.broken_part(each)) for each in differences],
        )
    ran = sum(case.startswith("    <testcase") for case in cases)
    counts = {"tests": ran, "failures": failures, "errors": errors, "skipped": skipped}
    return safe(report.where), counts, cases


def _kind(finding: Finding, *, strict: bool) -> str:
    if finding.outcome == Outcome.FAIL:
        return "system-out" if finding.severity == Severity.WARN and not strict else "failure"
    if finding.outcome == Outcome.UNVERIFIABLE and strict:
        return "failure"
    return "system-out" if finding.outcome == Outcome.PASS else "skipped"


def _case(rule: str, name: str, outcomes: list[tuple[str, str]]) -> list[str]:
    head = f"    <testcase{attributes({'classname': rule[:3], 'name': f'{rule} {name}'})}"
    if not outcomes:
        return [f"{head}/>"]
    lines = [f"{head}>"]
    # A case has one result; what was only noted follows it.
    result = next((kind for kind in ("error", "failure") if any(each == kind for each, _ in outcomes)), "skipped")
    kinds = (result, "system-out")
    for kind in kinds:
        messages = [line for each, line in outcomes if each == kind]
        if messages:
            message = "" if kind == "system-out" else attributes({"message": messages[0]})
            lines.append(f"      <{kind}{message}>{_escaped(messages)}</{kind}>")
    return [*lines, "    </testcase>"]


def _escaped(messages: list[str]) -> str:
    return escape("\n".join(messages)).encode("ascii", "xmlcharrefreplace").decode()
