"""Puts a load on a server by a schedule that can be recomputed: closed, or open, where time alone decides (7.9)."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import DRAW_ONE, draw
from ttsartifact.serving.attempts import Law
from ttsartifact.serving.exchange import Exchange, Status, speak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from ttsartifact.serving.request import SpeechRequest

__all__ = ["Load", "Sent", "arrivals_ns", "loads_of", "run_load"]

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
            raise Refused("a rate is requests in a second", where="--rate", found=rate, expected="0.001 to 1,000,000")
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
