"""Runs for other programs: lines for spreadsheets and databases, and a trace that ui.perfetto.dev opens.

Slices have phase X, counters C, instants i, names M; `ts` and `dur` are microseconds. Runs that read UTC stand on one
axis, each on tracks of its own; a run without UTC begins at 0 and says so in its name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ttsartifact.container.figures import chunks_of
from ttsartifact.formulas.timebase import snapshots_of
from ttsartifact.reporting.terminal import safe_tsv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.formulas.latency import DeliveredChunk
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.report import Report

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


_REQUEST, _CHUNKS, _PLAYER, _EVENTS = 1, 2, 3, 4
_TRACKS = {_REQUEST: "request", _CHUNKS: "chunks", _PLAYER: "player", _EVENTS: "events"}
_COUNTERS = {
    "power_mw": ("power (W)", 1000),
    "clock_mhz": ("SM clock (MHz)", 1),
    "mem_clock_mhz": ("memory clock (MHz)", 1),
    "util_gpu_pct": ("utilisation (%)", 1),
    "energy_mj": ("energy (J)", 1000),
    "temperature_c": ("temperature (degC)", 1),
    "mem_used_mib": ("memory (MiB)", 1),
}
_MILLI_UNITS = {"mW": ("W", 1000), "mJ": ("J", 1000)}


def perfetto_trace(runs: Sequence[Artifact]) -> dict[str, Any]:
    """Return the document of one run or several; a value that is absent makes no event."""
    zeros = [_zero_ns(run) for run in runs]
    earliest = min((zero for zero in zeros if zero is not None), default=0)
    events: list[dict[str, Any]] = []
    for process, (run, zero) in enumerate(zip(runs, zeros, strict=True), 1):
        shift = 0 if zero is None else zero - earliest
        for event in _events(run, utc=zero is not None):
            stamped = {"ts": (event["ts"] + shift) / 1000} if "ts" in event else {}
            lasting = {"dur": event["dur"] / 1000} if "dur" in event else {}
            events.append(event | stamped | lasting | {"pid": process})
    return {
        "displayTimeUnit": "ns",
        "otherData": {"artifacts": [run.artifact_id for run in runs]},
        "traceEvents": events,
    }


def _zero_ns(run: Artifact) -> int | None:
    """Return UTC at the origin of a run, or None where UTC was never read."""
    places = snapshots_of(run.descriptor.at("/timebase"))
    return places[0].offset_ns if places else None


def _events(run: Artifact, *, utc: bool) -> Iterator[dict[str, Any]]:
    known = run.descriptor.known
    name = str(known("/run/run_id")) + ("" if utc else " (its own time: UTC was not read)")
    yield {"name": "process_name", "ph": "M", "args": {"name": name}}
    for track, label in _TRACKS.items():
        yield {"name": "thread_name", "ph": "M", "tid": track, "args": {"name": label}}
    yield from _request(run)
    rate = known("/audio/sample_rate_hz")
    trace = run.trace("chunks")
    yield from _chunks(chunks_of(None if trace is None else trace.columns), known("/run/times/t_submit_ns"), rate)
    yield from _counters(run)
    yield from _instants(run)


def _request(run: Artifact) -> Iterator[dict[str, Any]]:
    times = {
        name: run.descriptor.known(f"/run/times/t_{name}_ns") for name in ("submit", "start", "last_token", "encoded")
    }
    submit, start, last = times["submit"], times["start"], times["last_token"]
    yield _slice("request", _REQUEST, submit, last, {"artifact_id": run.artifact_id})
    if start is not None:
        yield _slice("wait", _REQUEST, submit, start, {})
        yield _slice("compute", _REQUEST, start, last, {})
    if times["encoded"] is not None:
        yield _slice("encode", _REQUEST, last, times["encoded"], {})


def _chunks(log: Sequence[DeliveredChunk], submit: int, rate_hz: int) -> Iterator[dict[str, Any]]:
    """Yield when each chunk was made, and when a player that starts with the first one plays it."""
    before, played = submit, None
    for place, chunk in enumerate(log):
        facts = {"frame_start": chunk.frame_start, "frame_count": chunk.frame_count}
        yield _slice(f"chunk {place}", _CHUNKS, before, chunk.t_ns, facts)
        began = chunk.t_ns if played is None else max(played, chunk.t_ns)
        if played is not None and began > played:
            yield _slice("stall", _PLAYER, played, began, {})
        played = began + chunk.frame_count * 1_000_000_000 // rate_hz
        yield _slice(f"plays chunk {place}", _PLAYER, began, played, facts)
        before = chunk.t_ns


def _counters(run: Artifact) -> Iterator[dict[str, Any]]:
    telemetry = run.trace("telemetry")
    for column, (label, divisor) in _COUNTERS.items():
        if telemetry is not None and column in telemetry.columns:
            yield from _counter(telemetry, column, label, divisor)
    queue = run.trace("queue")
    for column in ("waiting", "running"):
        if queue is not None:
            yield from _counter(queue, column, f"requests {column}", 1)
    for channel in run.descriptor.known("/channels") or ():
        trace = run.trace(f"channel/{channel['name']}")
        if trace is not None:
            unit, divisor = _MILLI_UNITS.get(channel["unit"], (channel["unit"], 1))
            yield from _counter(trace, "value", f"{channel['name']} ({unit})", divisor)


def _counter(trace: Trace, column: str, label: str, divisor: int) -> Iterator[dict[str, Any]]:
    for t_ns, value in zip(trace.columns["t_ns"], trace.columns[column], strict=True):
        if value is not None:
            yield {"name": label, "ph": "C", "ts": t_ns, "args": {"value": value / divisor if divisor > 1 else value}}


def _instants(run: Artifact) -> Iterator[dict[str, Any]]:
    found = run.trace("events")
    rows = zip(*(found.columns[key] for key in ("t_ns", "kind", "detail")), strict=True) if found is not None else ()
    for t_ns, kind, detail in rows:
        yield {"name": kind, "ph": "i", "s": "t", "ts": t_ns, "tid": _EVENTS, "args": {"detail": detail}}
    for snapshot in snapshots_of(run.descriptor.at("/timebase")):
        facts = {"at": snapshot.at, "bracket_ns": snapshot.bracket_ns}
        yield {"name": "UTC was read", "ph": "i", "s": "t", "ts": snapshot.t_ns, "tid": _EVENTS, "args": facts}


def _slice(name: str, track: int, start: int, end: int, facts: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "X", "ts": start, "dur": max(0, end - start), "tid": track, "args": facts}
