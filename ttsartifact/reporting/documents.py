"""The JSON documents: each names its schema, tool and specification, comes in one order, and holds no clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact._version import __version__
from ttsartifact.reporting.terminal import unicode_json
from ttsartifact.terms.finding import Outcome
from ttsartifact.verifying.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.rerunning.workplace import Rerun
    from ttsartifact.running.adapt import Adapted
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Reason, Report

_LONGEST_VALUE = 4096


def tool() -> dict[str, str]:
    """Return the name and version of this program."""
    return {"name": "ttsartifact", "version": __version__}


def report_document(
    report: Report, *, exit_code: int, differences: Sequence[ReceiptMismatch] | None = None
) -> dict[str, Any]:
    """Return the document of `verify --format json` for one run (report.schema.json)."""
    return {
        "schema": "urn:ttsartifact:1.0:report",
        "spec_version": _spec.FORMAT_VERSION,
        "tool": tool(),
        "file": report.where,
        "carrier": report.carrier,
        "artifact_id": report.artifact_id,
        "run_id": _plain(report.run_id),
        "verdict": report.verdict,
        "reason": None if report.reason is None else _reason(report.reason),
        "conformant": report.conformant,
        "exit_code": exit_code,
        "level": {"claimed": _plain(report.level_claimed), "reached": report.level_reached},
        **({"incomplete": True} if report.incomplete else {}),
        "counts": _counts(report),
        "findings": [_finding(finding) for finding in report.findings],
        "unchecked": [
            {
                "rule": finding.rule,
                "outcome": finding.outcome,
                "blocked_by": finding.blocked_by,
                "message": finding.message,
            }
            for finding in report.unchecked
        ],
        "passed": list(report.passed),
        "grades": {key: catalogue()[key].grade for key in report.passed},
        "not_applicable": list(report.not_applicable),
        "profiles": list(report.profiles),
        "hints": [
            {"hint": hint.id, "where": hint.where, "found": _plain(hint.found), "message": hint.message}
            for hint in report.hints
        ],
        "attestations": [
            {
                "part": given.part,
                "type": given.kind,
                "standing": given.standing,
                "problem": given.problem or None,
                "signer": _plain(given.signer),
                "trusted_as": _plain(given.trusted),
                "time": None if given.time is None else f"{given.time:%Y-%m-%dT%H:%M:%SZ}",
                "time_trusted": given.time_trusted,
                "rerun": _plain(given.rerun),
            }
            for given in report.attestations
        ],
        "receipt": None if differences is None else _receipt(differences),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "message": reason.message,
        "where": reason.where,
        "found": _plain(reason.found),
        "expected": _plain(reason.expected),
    }


def show_document(artifact: Artifact) -> dict[str, Any]:
    """Return the document of `show --format json` for one run (show.schema.json). Only the descriptor is hashed."""
    return {
        "schema": "urn:ttsartifact:1.0:show",
        "spec_version": _spec.FORMAT_VERSION,
        "tool": tool(),
        "file": artifact.where,
        "carrier": artifact.carrier,
        "artifact_id": artifact.artifact_id,
        "columns": columns_of(artifact),
        "derived": derived_of(artifact),
        "descriptor": artifact.descriptor.value,
    }


def adaptation_document(adapted: Adapted, path: str) -> dict[str, Any]:
    """Return what `adapt --format json` says (adapt.schema.json): what every run with the delta is going to state."""
    return {
        "schema": "urn:ttsartifact:1.0:adapt",
        "spec_version": _spec.FORMAT_VERSION,
        "tool": tool(),
        "file": path,
        "delta": adapted.delta,
        "adaptation": adapted.record,
        "references": list(adapted.references),
    }


def rerun_document(result: Rerun) -> dict[str, Any]:
    """Return what `rerun --format json` says (rerun.schema.json)."""
    head = {"schema": "urn:ttsartifact:1.0:rerun", "spec_version": _spec.FORMAT_VERSION, "tool": tool()}
    return head | result.to_value()


def columns_of(artifact: Artifact) -> dict[str, Any]:
    """Return the flat columns of a run."""
    from ttsartifact.container.columns import flat_columns
    from ttsartifact.reading.derived import figures_of_artifact

    flat = flat_columns(artifact.descriptor, figures_of_artifact(artifact))
    return {key: _plain(value) for key, value in flat.items()}


def derived_of(artifact: Artifact) -> dict[str, Any]:
    """Return the values recomputed from the file."""
    from ttsartifact.reading.derived import derive

    return derive(artifact)


def as_json(document: object) -> str:
    """Return a document as indented ASCII JSON; no byte of it can move a cursor."""
    return _dumped(document, indent=2)


def as_json_line(document: object) -> str:
    """Return a document as one line of ASCII JSON."""
    return _dumped(document, separators=(",", ":"))


def _dumped(document: object, **spelling: Any) -> str:
    try:
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, **spelling)
    except ValueError:  # 1e400 in a stranger's descriptor is an infinity once it is parsed
        document = json.loads(json.dumps(document), parse_constant=str)
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, **spelling)
    if "\\ud" in text:  # half a surrogate pair may be among them, for which strict parsers refuse the whole document
        text = json.dumps(unicode_json(document), ensure_ascii=True, allow_nan=False, **spelling)
    # DEL is the one control character that JSON lets stand, and it can only stand inside a string.
    return text.replace("\x7f", "\\u007f")


def _counts(report: Report) -> dict[str, int]:
    return {
        "pass": len(report.passed),
        "fail": len({finding.rule for finding in report.failures}),
        "warn": len({finding.rule for finding in report.warnings}),
        "suppressed": len({f.rule for f in report.findings if f.outcome == Outcome.SUPPRESSED}),
        "not_applicable": len(report.not_applicable),
        "not_evaluated": sum(finding.outcome == Outcome.NOT_EVALUATED for finding in report.unchecked),
        "unverifiable": sum(finding.outcome == Outcome.UNVERIFIABLE for finding in report.unchecked),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "outcome": finding.outcome,
        "severity": finding.severity,
        "where": finding.where,
        "found": _plain(finding.found),
        "expected": _plain(finding.expected),
        "message": finding.message,
    }


def _receipt(differences: Sequence[ReceiptMismatch]) -> dict[str, Any]:
    return {
        "matches": not differences,
        "differences": [{"part": d.part, "found": _plain(d.found), "expected": d.expected} for d in differences],
    }


def _plain(value: Any) -> Any:
    """Return `value` as JSON can hold it, and never more of it than a reader can use."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 - 1 else str(value)[:_LONGEST_VALUE]
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, (dict, list, tuple)):
        text = json.dumps(value, default=str)
        if len(text) <= _LONGEST_VALUE:
            return json.loads(text, parse_constant=str)
        value = text
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text) - _LONGEST_VALUE} more)"
