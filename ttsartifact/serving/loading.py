"""Puts a load on a server: closed, where each request waits for another's end, or open, where time alone decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ttsartifact.serving.client import speak
from ttsartifact.serving.exchange import Exchange, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from ttsartifact.serving.request import SpeechRequest
    from ttsartifact.serving.schedule import Load

__all__ = ["Sent", "run_load"]

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
