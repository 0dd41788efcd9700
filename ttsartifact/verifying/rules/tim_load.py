"""Load and deliveries that are stated twice, and the answer of a server (clauses 4.10, 6.3, 7.5 and 7.8)."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

from ttsartifact.formulas.logs import running_at
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence


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
