"""A bench: loads on one server, an artifact for each answer, and a row for each request.

While a load runs nothing is packed: bytes go to files, times to memory. When all loads have ended the clock is closed
and the data set and the attempts table are written.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from dataclasses import dataclass, field
from dataclasses import replace as changed
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from ttsartifact.container import parquet
from ttsartifact.container.source import FileSource, Span, require_room, write_whole
from ttsartifact.errors import TtsArtifactError
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.packing.pack import build
from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.sampler import PERIOD_NS, Sampler
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.recording.statements import spelled_out
from ttsartifact.serving.attempts import SUFFIX, Attempt, attempt_of, attempts_beside, write_attempts
from ttsartifact.serving.exchange import Exchange, Status, connected, speak
from ttsartifact.serving.keeping import Keeper
from ttsartifact.serving.loading import arrivals_ns, run_load
from ttsartifact.serving.request import public_url, require_library, stated_params
from ttsartifact.serving.summing import figures_of
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ttsartifact.container.source import Piece
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated
    from ttsartifact.serving.keeping import Kept
    from ttsartifact.serving.loading import Load
    from ttsartifact.serving.request import SpeechRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The requests of a bench: what, how often, and how."""

    requests: tuple[SpeechRequest, ...]
    """Asked in turn, round and round."""
    loads: tuple[Load, ...]
    count: int
    """Requests of each load."""
    warmup: int = 0
    """Requests before each load, one after another; they are excluded from statistics."""
    stated: Stated = field(default_factory=dict)  # type: ignore[assignment]
    pcm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Benched:
    """What was written."""

    path: str | None
    """The data set; None where no request came back as audio."""
    attempts_path: str
    attempts: tuple[Attempt, ...]
    kept: str | None
    """A folder with what was delivered and became no artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One request of a bench, and where it stands in it."""

    wanted: SpeechRequest
    exchange: Exchange
    load: Load
    place: int
    warmup: bool


def bench(
    plan: Bench,
    out: str | os.PathLike[str],
    *,
    sensor: Sensor | None = None,
    clock: Clock | None = None,
    period_ns: int = PERIOD_NS,
    replace: bool = False,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Benched:
    """Run every load of `plan`, and write the data set `out` and its attempts beside it.

    An interrupt ends the load; what had come is written, then KeyboardInterrupt goes on. Raises Refused where an
    output exists, and for a condition that no artifact could hold, before the first request.
    """
    require_library()
    path, beside = os.fspath(out), attempts_beside(out)
    for each in (path, beside):
        require_room(each, replace=replace)
    timebase = Timebase(clock or SystemClock())
    keeper = Keeper(
        url=plan.requests[0].url,
        timebase=timebase,
        sampler=Sampler(sensor or Absent(), timebase, period_ns=period_ns),
        stated=spelled_out(plan.stated),
        pcm=plan.pcm,
        say=say,
    )
    for wanted in plan.requests:
        keeper.check(wanted.text)
    folder = tempfile.mkdtemp(prefix=".ttsa-", dir=os.path.dirname(os.path.abspath(path)))
    jobs = list(_jobs(plan, folder))
    aside = f"{beside.removesuffix(SUFFIX)}.kept"
    try:
        interrupted = _measured(plan, jobs, keeper, progress)
        found = _written(plan, jobs, keeper, path, replace=replace)
        write_attempts(found, beside, replace=replace)
    except BaseException:
        if (where := _left(folder, aside)) is not None:
            say(f"what the server sent is kept in {os.path.basename(where)}")
        raise
    kept = _left(folder, aside)
    if interrupted:
        raise KeyboardInterrupt
    has_runs = any(attempt.run_id for attempt in found)
    return Benched(path=path if has_runs else None, attempts_path=beside, attempts=tuple(found), kept=kept)


def _jobs(plan: Bench, folder: str) -> Iterator[_Job]:
    number = 0
    for load in plan.loads:
        for place in range(-plan.warmup, plan.count):
            wanted = plan.requests[place % len(plan.requests)]
            exchange = Exchange(request_id=str(uuid.uuid4()), path=os.path.join(folder, f"{number:06}"))
            yield _Job(wanted=wanted, exchange=exchange, load=load, place=place, warmup=place < 0)
            number += 1


def _measured(plan: Bench, jobs: Sequence[_Job], keeper: Keeper, progress: Callable[[int, int], None]) -> bool:
    """Run the loads, one after another, and return whether they were interrupted."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, len(jobs))

    keeper.sampler.start()
    try:
        asyncio.run(_loads(plan, jobs, keeper.timebase, step))
    except KeyboardInterrupt:
        return True
    finally:
        for job in jobs:
            if job.exchange.status is None:
                job.exchange.close(keeper.timebase.now(), Status.CANCELLED, "the load was ended before it was sent")
        keeper.sampler.stop()
        keeper.timebase.close()
    return False


async def _loads(plan: Bench, jobs: Sequence[_Job], timebase: Timebase, step: Callable[[], None]) -> None:
    async with connected() as client:
        keeping = asyncio.create_task(_keep_time(timebase))
        for load in plan.loads:
            own = [job for job in jobs if job.load is load]
            for job in own:
                if job.warmup:
                    job.exchange.in_flight = 0
                    await speak(client, job.wanted, job.exchange, timebase.now)
                    step()
            sent = [(job.wanted, job.exchange) for job in own if not job.warmup]
            arrivals = arrivals_ns(load, len(sent)) if load.law.is_open else ()
            await run_load(client, load, sent, arrivals, timebase.now, step)
        keeping.cancel()


async def _keep_time(timebase: Timebase) -> None:
    """Take a snapshot of UTC now and then, so that a step of the clock shows."""
    while True:
        timebase.keep(timebase.now())
        await asyncio.sleep(1)


def _written(plan: Bench, jobs: Sequence[_Job], keeper: Keeper, path: str, *, replace: bool) -> list[Attempt]:
    """Write the data set and return the rows of the attempts table."""
    kept: dict[str, Kept] = {}
    rows = _rows(plan, jobs, keeper, kept)
    if (first := next(rows, None)) is not None:
        with write_whole(path, replace=replace) as file:
            parquet.write(chain([first], rows), file)
    figures = figures_of(path) if kept else {}
    for job in jobs:
        own = kept.get(job.exchange.request_id)
        if own is not None:
            own.let_go(job.exchange)
        elif job.warmup:
            job.exchange.discard()
    return [_attempt(plan, job, keeper, kept.get(job.exchange.request_id), figures) for job in jobs]


def _rows(
    plan: Bench, jobs: Sequence[_Job], keeper: Keeper, kept: dict[str, Kept]
) -> Iterator[tuple[dict[str, bytes], Sequence[Piece]]]:
    """Yield the runs of the data set; an answer that turns out not to be audio gets that as its status."""
    for job in jobs:
        if job.exchange.status is not Status.OK or job.warmup:
            continue
        try:
            own = keeper.keep(job.exchange, job.wanted.text, job.wanted.body_digest, **_conditions(plan, job))
            with FileSource(own.sound.path) as source:
                built = build(own.draft, source)
                kept[job.exchange.request_id] = own
                yield built.parts, [Span(source, 0, source.size)]
        except TtsArtifactError as error:
            job.exchange.status, job.exchange.reason = Status.NOT_AUDIO, str(error)[:1000]


def _conditions(plan: Bench, job: _Job) -> dict[str, Any]:
    """Return what holds of one request: its attempt, its parameters, and the load that it was part of."""
    in_flight = (job.exchange.in_flight or 0) + 1
    return {
        "attempt": 1,
        "params": stated_params(job.wanted.params),
        "warmup_runs": plan.warmup,
        "first_call": False if plan.warmup or job.place else None,
        "concurrency": in_flight if job.load.law.is_open else job.load.concurrency,
    }


def _attempt(plan: Bench, job: _Job, keeper: Keeper, kept: Kept | None, figures: dict[str, dict[str, Any]]) -> Attempt:
    row = attempt_of(
        job.exchange,
        source="bench",
        url=public_url(job.wanted.url),
        origin_utc=from_utc(keeper.timebase.to_value()["origin"]["utc"]),
        law=job.load.law,
        concurrency=job.load.concurrency,
        rate_mhz=job.load.rate_mhz,
        seed=job.load.seed,
        place=job.place + plan.warmup if job.warmup else job.place,
        warmup=job.warmup,
        text_digest=digest.of(job.wanted.text.encode()),
        run_id=None if kept is None else kept.run_id,
    )
    return row if kept is None else changed(row, **figures.get(kept.run_id, {}))


def _left(folder: str, target: str) -> str | None:
    """Keep what was delivered and became no artifact, and remove the folder where there is nothing."""
    left = [name for name in os.listdir(folder) if os.path.getsize(os.path.join(folder, name))]
    if left:
        names = (target if number == 1 else f"{target}.{number}" for number in count(1))
        free = next(name for name in names if not os.path.lexists(name))
        os.replace(folder, free)
        return free
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    return None
