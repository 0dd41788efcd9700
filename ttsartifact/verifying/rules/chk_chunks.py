"""The chunk log (clause 6.3, family CHK)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ttsartifact.formulas.logs import least_stalls_ns, stalls
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []


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
