"""Reports of verify for other machines: JUnit XML, annotations of GitHub's log, and SARIF 2.1.0.

Clause numbers are those of the OASIS standard.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr  # they write, and parse nothing

from ttsartifact import _spec
from ttsartifact.reporting import phrases as words
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.phrases import broken_part, finding_line, reason_line, spoken
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.finding import Outcome, Severity, Verdict
from ttsartifact.verifying.catalogue import Rule, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Report

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
    head = f"    <testcase{attributes({'classname': rule.rstrip('0123456789'), 'name': f'{rule} {name}'})}"
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
        yield _command("notice", report.where, title, f"{report.verdict}, level {words.level_words(report)}")


def _command(command: str, file: str, title: str, message: str) -> str:
    # What is said has gone through safe(); the escapes are the runner's own.
    return f"::{command} file={_property(safe(file))},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    # The runner looks for its older `##[command]` anywhere in a line.
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace("##[", "##\\[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.FATAL: "error", Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "note"}
_OFFSET = re.compile(r"(?:^|\s)offset ([0-9]{1,15})$")
_LIVE = str.maketrans({"[": r"\[", "]": r"\]", "{": "{{", "}": "}}"})


def sarif_document(judged: Sequence[tuple[Report, Sequence[ReceiptMismatch]]]) -> dict[str, Any]:
    """Return the log of all reports, each with the parts in which its run is not the one of a receipt."""
    results = [result for report, differences in judged for result in _results(report, differences)]
    driver = tool() | {"rules": [_rule(rule) for rule in catalogue().values()]}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {"specVersion": _spec.FORMAT_VERSION, "verdicts": [_verdict(r) for r, _ in judged]},
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": _text(rule.requires)},
        "fullDescription": {"text": _text(rule.why or rule.requires)},
        "help": {"text": _text(rule.mend or rule.requires)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "clause": rule.clause,
            "severity": rule.severity,
            "binds": rule.level,
            "evidence": rule.grade,
            "blockedBy": list(rule.blocked_by),
        },
    }


def _verdict(report: Report) -> dict[str, Any]:
    return {
        "uri": _uri(report.where),
        "artifactId": report.artifact_id,
        "verdict": report.verdict,
        "conformant": report.conformant,
        "level": report.level_reached,
    }


def _results(report: Report, differences: Sequence[ReceiptMismatch]) -> Iterator[dict[str, Any]]:
    if report.reason is not None:
        judged = report.verdict != Verdict.NOT_VERIFIED
        yield {
            "kind": "fail" if judged else "open",
            "level": "error" if judged else "none",
            "message": {"text": _text(reason_line(report.reason))},
            "locations": [_location(report.where, "")],
        }
    for finding in report.findings:
        yield _result(report, finding)
    for finding in report.unchecked:
        if finding.outcome == Outcome.UNVERIFIABLE:
            # 3.27.9: `open` is a question that the tool could not answer; 3.27.10: its level is then `none`.
            yield _result(report, finding) | {"kind": "open", "level": "none"}
    for part in differences:
        yield {
            "kind": "fail",
            "level": "error",
            "message": {"text": broken_part(part).translate(_LIVE)},
            "locations": [_location(report.where, "")],
        }


def _result(report: Report, finding: Finding) -> dict[str, Any]:
    informs = finding.severity == Severity.INFO
    found = {"found": spoken(finding.found)} if finding.found is not None else {}
    expected = {"expected": spoken(finding.expected)} if finding.expected is not None else {}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": list(catalogue()).index(finding.rule),
        "kind": "informational" if informs else "fail",
        "level": "none" if informs else _LEVELS[finding.severity],
        "message": {"text": _text(finding.message)},
        "locations": [_location(report.where, finding.where)],
        "properties": found | expected,
    }
    if finding.outcome == Outcome.SUPPRESSED:
        result["suppressions"] = [{"kind": "external", "justification": _text(finding.message)}]
    return result


def _location(file: str, where: str) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    offset = _OFFSET.search(where)
    if offset:
        physical["region"] = {"byteOffset": int(offset[1]), "byteLength": 1}
    logical = {"logicalLocations": [{"fullyQualifiedName": safe(where)}]} if where else {}
    return {"physicalLocation": physical} | logical


def _uri(file: str) -> str:
    import os
    from urllib.parse import quote

    try:
        return quote(os.fsencode(file.replace(os.sep, "/")))
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return quote(safe(file))


def _text(words: str) -> str:
    """Return a message without live links (3.11.6) and placeholders (3.11.5)."""
    return safe(words).translate(_LIVE)
