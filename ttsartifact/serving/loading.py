"""Puts a load on a server by a schedule that can be recomputed (7.9), and tests whether samples depend on the load."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from ttsartifact.container.source import blocks_of
from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import DRAW_ONE, draw
from ttsartifact.reading.artifact import open_artifact, open_artifacts
from ttsartifact.serving.attempts import Law, read_attempts
from ttsartifact.serving.exchange import Exchange, Status, speak

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.serving.request import SpeechRequest

_NS_PER_KILOSECOND = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One law of a bench: so many requests, in flight or in time."""

    law: Law
    concurrency: int
    """Requests in flight: as many as that of `closed`, at most that many of an open law."""
    rate_mhz: int | None = None
    seed: str | None = None

    @property
    def words(self) -> str:
        """The load in a few words."""
        if self.rate_mhz is None:
            return f"{self.law}, {self.concurrency} in flight"
        return f"{self.law}, {self.rate_mhz / 1000:g} requests/s"


def arrivals_ns(load: Load, count: int) -> list[int]:
    """Return when each request of an open load is scheduled, counted from the load's beginning."""
    assert load.rate_mhz is not None
    step = _NS_PER_KILOSECOND / load.rate_mhz
    if load.law is Law.CONSTANT:
        return [number * (_NS_PER_KILOSECOND // load.rate_mhz) for number in range(count)]
    stream = f"arrival/{load.rate_mhz}"
    gaps = (
        math.floor(-math.log((draw(load.seed or "", stream, number) + 1) / DRAW_ONE) * step)
        for number in range(1, count)
    )
    return list(accumulate(gaps, initial=0))[:count]


def loads_of(
    concurrency: tuple[int, ...], rates: tuple[float, ...], *, law: Law, seed: str, most_in_flight: int
) -> tuple[Load, ...]:
    """Return the loads of a bench: a closed one for each number in flight, then an open one for each rate.

    Raises Refused for a rate that is not positive, and where no load is given at all.
    """
    for rate in rates:
        if not 0.001 <= rate <= 1_000_000:
            raise Refused(
                "the rate is not a number of requests per second in range",
                where="--rate",
                found=rate,
                expected="0.001 to 1,000,000",
            )
    closed = tuple(Load(law=Law.CLOSED, concurrency=number) for number in concurrency)
    opened = tuple(
        Load(
            law=law,
            concurrency=most_in_flight,
            rate_mhz=round(rate * 1000),
            seed=seed if law is Law.POISSON else None,
        )
        for rate in rates
    )
    if not closed + opened:
        raise Refused("no load is given", where="--concurrency", expected="--concurrency 1,4,8 or --rate 2")
    return closed + opened


_LEAD_NS = 20_000_000
"""Between the writing of a schedule and its first request."""

Sent = tuple["SpeechRequest", Exchange]
"""A request, and what comes of it."""


async def run_load(
    client: httpx.AsyncClient,
    load: Load,
    requests: Sequence[Sent],
    arrivals_ns: Sequence[int],
    now: Callable[[], int],
    progress: Callable[[], None],
) -> None:
    """Send every request as its load has it, and wait for all ends. An open load's schedule is set before any is sent.

    A request counts as in flight from before it is sent until its client has seen its end.
    """
    desk = _Desk(client, now, progress)
    if not load.law.is_open:
        waiting = iter(requests)
        async with asyncio.TaskGroup() as group:
            for _ in range(load.concurrency):
                group.create_task(desk.one_by_one(waiting))
        return
    start_ns = now() + _LEAD_NS
    for (_, exchange), offset in zip(requests, arrivals_ns, strict=True):
        exchange.t_scheduled_ns = start_ns + offset
    room = asyncio.Semaphore(load.concurrency)
    async with asyncio.TaskGroup() as group:
        for wanted, exchange in requests:
            await _until(exchange.t_scheduled_ns or 0, now)
            group.create_task(desk.when_there_is_room(room, wanted, exchange))


class _Desk:
    """One client's view of its own requests."""

    def __init__(self, client: httpx.AsyncClient, now: Callable[[], int], progress: Callable[[], None]) -> None:
        self._client, self._now, self._progress = client, now, progress
        self._in_flight = 0

    async def one_by_one(self, waiting: Iterator[Sent]) -> None:
        """Send one request after another until none is left; several of these share them."""
        for wanted, exchange in waiting:
            await self.send(wanted, exchange)

    async def when_there_is_room(self, room: asyncio.Semaphore, wanted: SpeechRequest, exchange: Exchange) -> None:
        """Send a request now, or as soon as fewer are in flight than the client can hold."""
        async with room:
            await self.send(wanted, exchange)

    async def send(self, wanted: SpeechRequest, exchange: Exchange) -> None:
        """Send a request, and count it."""
        exchange.in_flight = self._in_flight
        self._in_flight += 1
        try:
            await speak(self._client, wanted, exchange, self._now)
        except OSError as error:  # a full disk
            exchange.close(self._now(), Status.BROKEN, f"the answer could not be kept: {error}")
        finally:
            self._in_flight -= 1
            self._progress()


async def _until(t_ns: int, now: Callable[[], int]) -> None:
    while (left := t_ns - now()) > 0:  # noqa: ASYNC110 - a time is waited for, which sleep may miss by a little
        await asyncio.sleep(left / 1e9)


class BatchEffect(StrEnum):
    """What the runs of one text show."""

    SAME = "same"
    """All have the same samples."""
    DEPENDS_ON_LOAD = "depends_on_load"
    """Those alone have the same samples, and one in company has others."""
    NOT_REPEATABLE = "not_repeatable"
    """Those alone differ from each other, so that the load explains nothing."""
    NOT_COMPARED = "not_compared"
    """Fewer than two runs alone, or none in company, came back as audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCompared:
    """The runs of one text, and where the first one that differs does so."""

    text_digest: str
    alone: int
    in_company: int
    differing: int
    """Runs in company that have other samples than the first one alone."""
    outcome: BatchEffect
    run_id: str | None = None
    """The first run that differs."""
    frame: int | None = None
    """Its first frame that differs; where one is the beginning of the other, the first frame that the other lacks."""
    chunk: int | None = None
    """The chunk of that run, from 0, that holds this frame, or would."""


def compared(path: str | os.PathLike[str], attempts: str | os.PathLike[str]) -> list[TextCompared]:
    """Compare the runs of each text in a data set: those of loads with one request in flight, and all others."""
    flights = {row.run_id: row.concurrency for row in read_attempts(attempts) if row.run_id is not None}
    texts: dict[str, tuple[list[_Heard], list[_Heard]]] = {}
    for number, artifact in enumerate(open_artifacts(path)):
        heard = _heard(artifact, f"{path}#{number}" if artifact.row is not None else str(path))
        alone, company = texts.setdefault(str(artifact.descriptor.known("/input/text/digest")), ([], []))
        (alone if flights.get(heard.run_id) == 1 else company).append(heard)
    return [_compared(text, alone, company) for text, (alone, company) in texts.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """One run: where it lies, and the digest of what is compared."""

    run_id: str
    where: str
    digest: str


def _heard(artifact: Artifact, where: str) -> _Heard:
    known = artifact.descriptor.known
    return _Heard(
        run_id=str(known("/run/run_id")), where=where, digest=str(known("/audio/pcm") or known("/audio/digest"))
    )


def _compared(text: str, alone: Sequence[_Heard], company: Sequence[_Heard]) -> TextCompared:
    if len(alone) < 2 or not company:
        return TextCompared(
            text_digest=text, alone=len(alone), in_company=len(company), differing=0, outcome=BatchEffect.NOT_COMPARED
        )
    first = alone[0]
    restless = next((each for each in alone[1:] if each.digest != first.digest), None)
    others = [each for each in company if each.digest != first.digest]
    odd = restless or (others[0] if others else None)
    outcome = (
        BatchEffect.SAME
        if odd is None
        else BatchEffect.DEPENDS_ON_LOAD
        if restless is None
        else BatchEffect.NOT_REPEATABLE
    )
    frame, chunk = (None, None) if odd is None else _first_difference(first, odd)
    return TextCompared(
        text_digest=text,
        alone=len(alone),
        in_company=len(company),
        differing=len(others),
        outcome=outcome,
        run_id=None if odd is None else odd.run_id,
        frame=frame,
        chunk=chunk,
    )


def _first_difference(first: _Heard, other: _Heard) -> tuple[int | None, int | None]:
    """Return the first frame at which two runs differ, and the other's chunk around it; None of lossy audio."""
    one, two = open_artifact(first.where), open_artifact(other.where)
    if one.pcm is None or two.pcm is None or one.wave is None:
        return None, None
    sides = (itertools.chain.from_iterable(bytes(block) for block in blocks_of([pcm])) for pcm in (one.pcm, two.pcm))
    place = next((n for n, (a, b) in enumerate(itertools.zip_longest(*sides)) if a != b), None)
    if place is None:
        return None, None
    frame = place // one.wave.format.frame_bytes
    starts = [] if two.chunks is None else two.chunks["frame_start"]
    chunk = max((number for number, start in enumerate(starts) if start <= frame), default=None)
    return frame, chunk
