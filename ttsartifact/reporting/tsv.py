r"""Lines for spreadsheets, databases and `cut`: UTF-8, tab and line feed, a header line, null as \N."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.terminal import safe_tsv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.verifying.report import Report

__all__ = ["REPORT_COLUMNS", "SEED_COLUMNS", "report_rows", "row", "show_row"]

SEED_COLUMNS = (
    "run_id",
    "t_submit",
    "t_first_token",
    "t_last_token",
    "model_repo",
    "vocoder_repo",
    "engine",
    "gpu_model",
    "clock_mhz",
    "power_w",
    "util_gpu",
    "sample_rate_hz",
    "bit_depth",
    "codec",
    "input_text_hash",
    "ref_audio_hashes",
    "output_audio_hash",
    "failed_promotion",
    "notes",
)
"""The columns that a run must state, in the order of the post (clause 4.7)."""

REPORT_COLUMNS = (
    "file",
    "artifact_id",
    "verdict",
    "conformant",
    "level_claimed",
    "level_reached",
    "rule",
    "outcome",
    "severity",
    "where",
    "found",
    "expected",
    "message",
)


def row(cells: Sequence[object]) -> str:
    """Return one line without its end."""
    return "\t".join(safe_tsv(cell) for cell in cells)


def show_row(columns: Mapping[str, Any], artifact_id: str) -> str:
    """Return the line of one run: the seed columns, artifact_id last."""
    return row([*(_cell(columns.get(name)) for name in SEED_COLUMNS), artifact_id])


def report_rows(report: Report, differences: Sequence[ReceiptMismatch] = ()) -> Iterator[str]:
    """Yield one line per finding, or a single one for a run without any."""
    head = (
        report.where,
        report.artifact_id,
        report.verdict,
        report.conformant,
        report.level_claimed,
        report.level_reached,
    )
    for finding in report.findings:
        yield row(
            [
                *head,
                finding.rule,
                finding.outcome,
                finding.severity,
                finding.where,
                _cell(finding.found),
                _cell(finding.expected),
                finding.message,
            ]
        )
    for part in differences:
        yield row([*head, "receipt", "fail", "error", part.part, _cell(part.found), part.expected, "differs"])
    if (reason := report.reason) is not None:
        why = (reason.where, _cell(reason.found), _cell(reason.expected), reason.message)
        yield row([*head, None, None, None, *why])
    elif not report.findings and not differences:
        yield row([*head, *[None] * 7])


def _cell(value: Any) -> object:
    """Return a value as a cell takes it; a list of plain strings is joined by commas, other structures are JSON."""
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return value
