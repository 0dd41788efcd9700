"""Runs as a trace that ui.perfetto.dev opens: the JSON of Chrome's trace events, which Perfetto documents and reads.

Slices have phase X, counters C, instants i, names M; `ts` and `dur` are microseconds. Runs that read UTC stand on one
axis, each on tracks of its own; a run without UTC begins at 0 and says so in its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.figures import chunks_of
from ttsartifact.formulas.timebase import snapshots_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.formulas.latency import DeliveredChunk
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.trace import Trace

__all__ = ["perfetto_trace"]

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
