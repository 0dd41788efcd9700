"""The instants of a run, its load and its chunk log (clauses 6.3 and 7, families TIM and CHK): whether they agree."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

from ttsartifact.formulas.logs import depth_at, least_stalls_ns, running_at, stalls
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

COARSE_NS = 1_000_000  # a clock of this step is one that somebody typed, or a timer tick
_COARSE_FROM_TIMES = 4  # fewer round numbers than this are chance

# In the order that clause 7.4 demands.
_TIMES = (
    "t_scheduled_ns",
    "t_submit_ns",
    "t_start_ns",
    "t_first_model_token_ns",
    "t_first_token_ns",
    "t_last_token_ns",
    "t_encoded_ns",
)


@rule("TIM01")
def ordered_times(evidence: Evidence) -> Answer:
    known = [(name, evidence.known(f"/run/times/{name}")) for name in _TIMES]
    stated = [(name, t_ns) for name, t_ns in known if t_ns is not None]
    pairs = list(pairwise(stated))
    byte = evidence.known("/run/times/t_first_byte_ns")
    if byte is not None:
        # It may be of a header, older than any work of the model: only submit and audio lie on its two sides.
        instants = dict(stated)
        around = (("t_submit_ns", instants["t_submit_ns"]), ("t_first_byte_ns", byte))
        pairs += pairwise((*around, ("t_first_token_ns", instants["t_first_token_ns"])))
    return [
        Mismatch(
            where=f"/run/times/{later}",
            found=t_later,
            expected=f"at least {earlier}, {t_earlier}",
            message=f"{later} is before {earlier}",
        )
        for (earlier, t_earlier), (later, t_later) in pairs
        if t_later < t_earlier
    ]


@rule("TIM02")
def logged_times(evidence: Evidence) -> Answer:
    log = evidence.chunks
    if log is None or not log.rows:
        return NotApplicable("no chunk log")
    logged = {
        "t_first_token_ns": log.columns["t_ns"][0],
        "t_last_token_ns": log.columns["t_ns"][-1],
        "first_chunk_frames": log.columns["frame_count"][0],
    }
    stated = {name: evidence.known(f"/run/times/{name}") for name in logged}
    return [
        Mismatch(
            where=f"/run/times/{name}",
            found=stated[name],
            expected=f"{value}, from the chunk log",
            message="the descriptor and the chunk log disagree",
        )
        for name, value in logged.items()
        if stated[name] is not None and stated[name] != value
    ]


@rule("TIM03")
def inside_the_window(evidence: Evidence) -> Answer:
    seen = [entry["t_ns"] for _, entry in evidence.entries("/timebase/snapshots")]
    if len(seen) < 2:
        return NotApplicable("fewer than two snapshots span no window")
    first, last = min(seen), max(seen)
    times = [(f"/run/times/{name}", evidence.known(f"/run/times/{name}")) for name in (*_TIMES, "t_first_byte_ns")]
    # A plan is older than the run that fulfils it.
    found = [(where, t_ns) for where, t_ns in times[1:] if t_ns is not None]
    for _, entry in evidence.entries("/traces"):
        name = entry["name"]
        trace = evidence.trace(name)
        for column in ("t_before_ns", "t_ns"):
            values = trace.columns.get(column) if trace is not None else None
            if values:
                found += [(f"trace/{name}/columns/{column}", t_ns) for t_ns in {min(values), max(values)}]
    return [
        Mismatch(
            where=where,
            found=t_ns,
            expected=f"{first} to {last}",
            message="a time outside the snapshots of the run",
        )
        for where, t_ns in found
        if not first <= t_ns <= last
    ]


@rule("TIM04")
def meant_first_token(evidence: Evidence) -> Answer:
    faults = evidence.breaches("TIM04")
    if faults:
        return faults
    if evidence.chunks is None:
        return NotApplicable("no chunk log")
    if evidence.known("/run/times/t_first_token_semantics") is not None:
        return []
    return [
        Mismatch(
            where="/run/times/t_first_token_semantics",
            found="absent",
            expected="host, device or socket",
            message="where the first token arrived is not stated, so its time is not a latency",
        )
    ]


@rule("TIM06")
def fine_times(evidence: Evidence) -> Answer:
    origin = evidence.known("/timebase/origin/clock")
    resolution = {clock["id"]: clock["resolution_ns"] for _, clock in evidence.entries("/timebase/clocks")}.get(origin)
    if resolution is None or resolution >= COARSE_NS:
        return NotApplicable("the clock resolves no more than a millisecond")
    times = {evidence.known(f"/run/times/{name}") for name in _TIMES}
    times |= set(evidence.chunks.columns["t_ns"]) if evidence.chunks is not None else set()
    distinct = times - {None, 0}
    if len(distinct) < _COARSE_FROM_TIMES:
        return NotApplicable(f"fewer than {_COARSE_FROM_TIMES} times are stated")
    import math

    step = math.gcd(*distinct)
    if step % COARSE_NS:
        return []
    return [
        Mismatch(
            where="/run/times",
            found=f"{len(distinct)} times, all multiples of {step} ns",
            expected=f"the clock's stated resolution of {resolution} ns",
            message="the times were typed in or come from a coarser clock than the one named",
        )
    ]


@rule("TIM08")
def counted_attempts(evidence: Evidence) -> Answer:
    attempt = evidence.known("/run/attempt")
    if attempt is None:
        return NotApplicable("no attempt is stated")
    if attempt["index"] > attempt["retries"]:
        return []
    return [
        Mismatch(
            where="/run/attempt/index",
            found=attempt["index"],
            expected=f"more than the {attempt['retries']} that went before",
            message="a retry is hidden",
        )
    ]


@rule("TIM09")
def load_at_submit(evidence: Evidence) -> Answer:
    load = {key: evidence.known(f"/run/load/{key}") for key in ("queue_depth_at_submit", "batch_size", "batch_index")}
    if all(value is None for value in load.values()):
        return NotApplicable("no load is stated")
    faults = []
    if load["batch_size"] is not None and load["batch_index"] is not None and load["batch_index"] >= load["batch_size"]:
        faults.append(
            Mismatch(
                where="/run/load/batch_index",
                found=load["batch_index"],
                expected=f"less than batch_size, {load['batch_size']}",
                message="the run's place is outside its batch",
            )
        )
    depth, traced = load["queue_depth_at_submit"], _depth_at_submit(evidence)
    if depth is not None and traced is not None and depth != traced:
        faults.append(
            Mismatch(
                where="/run/load/queue_depth_at_submit",
                found=depth,
                expected=f"{traced}, waiting and running in trace/queue at t_submit",
                message="the stated queue contradicts trace/queue",
            )
        )
    return faults


def _depth_at_submit(evidence: Evidence) -> int | None:
    queue, submit = evidence.trace("queue"), evidence.known("/run/times/t_submit_ns")
    if queue is None:
        return None
    return depth_at(submit, *(queue.columns[key] for key in ("t_ns", "waiting", "running")))


@rule("TIM10")
def agreeing_load(evidence: Evidence) -> Answer:
    return [*_running(evidence), *_counted(evidence), *_warm(evidence)]


def _running(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield a number of running requests that is not the one of the queue's trace."""
    stated, queue = evidence.known("/run/load/running_at_start"), evidence.trace("queue")
    if stated is None or queue is None:
        return
    started = evidence.known("/run/times/t_start_ns")
    started = evidence.known("/run/times/t_submit_ns") if started is None else started
    traced = running_at(started, queue.columns["t_ns"], queue.columns["running"])
    if traced is not None and traced != stated:
        yield Mismatch(
            where="/run/load/running_at_start",
            found=stated,
            expected=f"{traced}, running in trace/queue when the run started",
            message="the stated load contradicts trace/queue",
        )


def _counted(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield the first count of the queue's trace that is below nothing, and the first time that runs backwards."""
    queue = evidence.trace("queue")
    if queue is None:
        return
    columns = queue.columns
    below = chain.from_iterable(
        ((name, row, value) for row, value in enumerate(columns[name]) if value is not None and value < 0)
        for name in ("waiting", "running")
    )
    for name, row, value in list(below)[:1]:
        yield Mismatch(
            where=f"trace/queue/columns/{name}/{row}",
            found=value,
            expected="0 or more",
            message="a negative number of requests",
        )
    t_ns = columns["t_ns"]
    back = next((row for row in range(1, queue.rows) if t_ns[row] < t_ns[row - 1]), None)
    if back is not None:
        yield Mismatch(
            where=f"trace/queue/columns/t_ns/{back}",
            found=t_ns[back],
            expected=f"at least {t_ns[back - 1]}",
            message="the queue's steps are not in order",
        )


def _warm(evidence: Evidence) -> Iterator[Mismatch]:
    warmups = evidence.known("/run/times/warmup_runs")
    if evidence.known("/run/times/first_call") is True and warmups:
        yield Mismatch(
            where="/run/times/first_call",
            found=f"true, after {warmups} warm-up runs",
            expected="false, or no warm-up run",
            message="a run after warm-up runs cannot be the first call",
        )


@rule("TIM12")
def ordered_answer(evidence: Evidence) -> Answer:
    if evidence.known("/run/request") is None:
        return NotApplicable("no request to a server")
    places = (
        "/run/times/t_submit_ns",
        "/run/request/t_head_ns",
        "/run/times/t_first_byte_ns",
        "/run/times/t_first_token_ns",
    )
    stated = [(where, t_ns) for where in places if (t_ns := evidence.known(where)) is not None]
    return [
        Mismatch(
            where=later,
            found=t_later,
            expected=f"at least {earlier}, {t_earlier}",
            message="the answer's times are out of order",
        )
        for (earlier, t_earlier), (later, t_later) in pairwise(stated)
        if t_later < t_earlier
    ]


@rule("CHK01")
def contiguous_chunks(evidence: Evidence) -> Answer:
    log = evidence.chunks
    if log is None:
        return NotApplicable("no chunk log")
    end = 0
    for row, (start, count) in enumerate(zip(log.columns["frame_start"], log.columns["frame_count"], strict=True)):
        if start != end:
            return [
                Mismatch(
                    where=f"trace/chunks/columns/frame_start/{row}",
                    found=start,
                    expected=end,
                    message="chunks overlap" if start < end else "chunks leave a gap",
                )
            ]
        if count < 1:
            return [
                Mismatch(
                    where=f"trace/chunks/columns/frame_count/{row}",
                    found=count,
                    expected="at least 1",
                    message="a chunk holds no audio",
                )
            ]
        end += count
    return []


@rule("CHK02")
def chunks_add_up(evidence: Evidence) -> Answer:
    log, total = evidence.chunks, evidence.known("/audio/frames")
    if log is None or total is None:
        return NotApplicable("no chunk log" if log is None else "the number of frames is not known")
    logged = sum(log.columns["frame_count"])
    if logged == total:
        return []
    return [
        Mismatch(
            where="trace/chunks/columns/frame_count",
            found=f"{logged} frames in all",
            expected=total,
            message="the chunk log and the audio differ in length",
        )
    ]


@rule("CHK03")
def ordered_chunk_times(evidence: Evidence) -> Answer:
    log = evidence.chunks
    if log is None:
        return NotApplicable("no chunk log")
    return [
        Mismatch(
            where=f"trace/chunks/columns/t_ns/{row}",
            found=later,
            expected=f"at least {earlier}",
            message="a chunk arrived before the one it follows",
        )
        for row, (earlier, later) in enumerate(pairwise(log.columns["t_ns"]), 1)
        if later < earlier
    ][:1]


@rule("CHK04")
def live_log(evidence: Evidence) -> Answer:
    log = evidence.chunks
    if log is None or log.rows < 2 or not evidence.known("/run/times/streaming"):
        return NotApplicable("no log of several chunks that streamed")
    if len(set(log.columns["t_ns"])) > 1:
        return []
    return [
        Mismatch(
            where="trace/chunks/columns/t_ns",
            found=f"{log.rows} chunks at t = {log.columns['t_ns'][0]}",
            expected="the times at which they arrived",
            message="all chunks have one arrival time: the log was written afterwards, or nothing was streamed",
        )
    ]


@rule("CHK05")
def recomputed_stalls(evidence: Evidence) -> Answer:
    log, stated = evidence.chunks, evidence.known("/run/times/stalls")
    if log is None or stated is None:
        return NotApplicable("no chunk log" if log is None else "no stalls are stated")
    logged = (log.columns["t_ns"], log.columns["frame_start"], log.columns["frame_count"])
    count, total_ns = stalls(*logged, evidence.known("/audio/sample_rate_hz"))
    if stated["total_ns"] == least_stalls_ns(*logged, evidence.known("/audio/sample_rate_hz")):
        total_ns = stated["total_ns"]
    return [
        Mismatch(
            where=f"/run/times/stalls/{key}",
            found=stated[key],
            expected=f"{value}, from the chunk log",
            message="the stalls are not those of the log",
        )
        for key, value in (("count", count), ("total_ns", total_ns))
        if stated[key] != value
    ]


@rule("CHK07")
def chunks_of_a_stream(evidence: Evidence) -> Answer:
    log, streaming = evidence.chunks, evidence.known("/run/times/streaming")
    moments = len(set(log.columns["t_ns"])) if log is not None else 0
    if moments < 2:
        return NotApplicable("no log of chunks that arrived one after the other")
    if streaming:
        return []
    return [
        Mismatch(
            where="/run/times/streaming",
            found=f"false, with chunks at {moments} different times",
            expected="true, or one time",
            message="chunks arrived at different times, so the audio was streamed",
        )
    ]
