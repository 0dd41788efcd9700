"""Asks a speech server over HTTP and stamps what comes back as it is read from the socket.

One event loop and one pool of connections serve all requests of a load. Environment variables name no proxy here, and
no redirection is followed: only the server that was named is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from ttsartifact.serving.exchange import Exchange, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx

    from ttsartifact.serving.request import SpeechRequest

__all__ = ["connected", "speak"]

_OWN_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",  # a server that compresses all the same is read; nobody asks it to
    "content-type": "application/json",
    "user-agent": "ttsartifact",
}


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client with as many kept-alive connections as its requests need."""
    import httpx

    unbounded = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    # `speak` bounds each request as a whole; a time-out of single reads would end answers that are merely slow.
    forever = httpx.Timeout(None)
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=forever, limits=unbounded) as client:
        yield client


async def speak(
    client: httpx.AsyncClient, wanted: SpeechRequest, exchange: Exchange, now: Callable[[], int]
) -> Exchange:
    """Send one request and take its answer to the end; every way in which it can end is the exchange's status."""
    import httpx

    ready = client.build_request("POST", wanted.url, content=wanted.body, headers=_OWN_HEADERS | wanted.headers)
    exchange.t_submit_ns = now()
    try:
        async with asyncio.timeout(wanted.timeout_s):
            await _answered(client, ready, wanted, exchange, now)
    except TimeoutError:
        exchange.close(now(), Status.TIMEOUT, f"no end within {wanted.timeout_s:g} s")
    except httpx.HTTPError as error:
        exchange.close(now(), Status.BROKEN, f"{type(error).__name__}: {error}".removesuffix(": "))
    except asyncio.CancelledError:
        exchange.close(now(), Status.CANCELLED, "the load was ended")
        raise
    exchange.close(now(), Status.BROKEN, "the answer did not end")  # of no effect where a status is set
    return exchange


async def _answered(
    client: httpx.AsyncClient,
    ready: httpx.Request,
    wanted: SpeechRequest,
    exchange: Exchange,
    now: Callable[[], int],
) -> None:
    response = await client.send(ready, stream=True)
    try:
        exchange.head(now(), response.status_code, response.headers.multi_items())
        async with asyncio.timeout(None) as leaving:
            async for data in response.aiter_raw():
                exchange.data(now(), data)
                if wanted.leave_after_s is not None and leaving.when() is None:
                    leaving.reschedule(asyncio.get_running_loop().time() + wanted.leave_after_s)
        exchange.end(now())
    except TimeoutError:
        if not leaving.expired():
            raise
        exchange.close(now(), Status.CANCELLED, f"left {wanted.leave_after_s:g} s after the first byte")
    finally:
        await response.aclose()
