"""SARIF 2.1.0 for code scanners: the whole catalogue as rules, one result a finding, one log over all files.

Clause numbers are those of the OASIS standard.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.phrases import broken_part, reason_line, spoken
from ttsartifact.reporting.safe import safe
from ttsartifact.terms.finding import Outcome, Severity, Verdict
from ttsartifact.verifying.catalogue import Rule, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Report

__all__ = ["SCHEMA", "sarif_document"]

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

    return quote(os.fsencode(file.replace(os.sep, "/")) if _encodes(file) else safe(file))


def _encodes(file: str) -> bool:
    import os

    try:
        os.fsencode(file)
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return False
    return True


def _text(words: str) -> str:
    """Return a message without live links (3.11.6) and placeholders (3.11.5)."""
    return safe(words).translate(_LIVE)
