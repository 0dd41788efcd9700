"""One request and its result, with its times and bytes; and the client that asks a speech server over HTTP.

One event loop and one pool of connections serve all requests of a load. Environment variables name no proxy here, and
no redirection is followed: only the server that was named is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, TYPE_CHECKING

from ttsartifact.errors import TtsArtifactError
from ttsartifact.serving.body import BodyReader, ServerMessage, error_words, state
from ttsartifact.serving.request import StatedByServer, public_url, stated_by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    import httpx

    from ttsartifact.serving.request import SpeechRequest

_LONGEST_REASON = 1000
_LEAST_ERROR, _LEAST_REDIRECT = 400, 300
_MOST_WORDS = 1 << 16


class Status(StrEnum):
    """How a request ended (clause 7.9)."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    EMPTY = "empty"
    NOT_AUDIO = "not_audio"
    BROKEN = "broken"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request; what it delivered is in the file `path`, which is not deleted before an artifact holds it.

    Times are nanoseconds on the timebase of its creator.
    """

    request_id: str
    path: str
    t_scheduled_ns: int | None = None
    t_submit_ns: int = 0
    t_head_ns: int | None = None
    t_first_byte_ns: int | None = None
    t_end_ns: int | None = None
    status: Status | None = None
    reason: str | None = None
    http_status: int | None = None
    content_type: str | None = None
    body_bytes: int = 0
    in_flight: int | None = None
    stated: StatedByServer = field(default_factory=StatedByServer)
    reads: list[tuple[int, int]] = field(default_factory=list)
    """When a read completed audio, and how many bytes of audio were there then."""
    follow: Callable[[], None] | None = None
    """Called when the request was handed over, and after each read."""
    encoding: str = "identity"
    carried: str = "body"
    said: dict[str, list[str]] = field(default_factory=dict)
    """What the server states about raw samples, in its headers and beside them; see `BodyReader`."""
    _reader: BodyReader | None = None
    _file: IO[bytes] | None = None
    _words: bytes = b""
    _leads_to: str = ""

    def submitted(self, t_ns: int) -> None:
        """Take the moment at which the request is handed over."""
        self.t_submit_ns = t_ns
        if self.follow is not None:
            self.follow()

    def head(self, t_ns: int, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take the head of the response."""
        held = [(name.lower(), value) for name, value in headers]
        self.t_head_ns, self.http_status, self.stated = t_ns, status, stated_by(held)
        by_name = dict(held)
        self.content_type = by_name.get("content-type")
        if status >= _LEAST_ERROR:
            return
        if status >= _LEAST_REDIRECT and "location" in by_name:  # never followed: the caller chooses who is asked
            self._leads_to = f"it redirects to {public_url(by_name['location'])}; request that address"
            return
        try:
            self._reader = BodyReader(self.content_type, by_name.get("content-encoding"))
            self.encoding, self.carried, self.said = self._reader.encoding, self._reader.carried, self._reader.said
            encoding, rate, channels = (self.stated.pcm or f":{self.stated.sample_rate_hz or ''}:").split(":")
            state(self.said, {"encoding": encoding, "rate": rate, "channels": channels})
        except TtsArtifactError as error:
            self.close(t_ns, Status.NOT_AUDIO, str(error))

    def data(self, t_ns: int, data: bytes) -> None:
        """Take bytes of the body as they were read."""
        if not data:
            return
        if self.t_first_byte_ns is None:
            self.t_first_byte_ns = t_ns
        self.body_bytes += len(data)
        if self._reader is None:
            self._words = (self._words + data)[:_MOST_WORDS]
            return
        try:
            self._keep(t_ns, self._reader.take(data))
        except (ServerMessage, TtsArtifactError) as error:
            self._fail(t_ns, error)

    def end(self, t_ns: int) -> None:
        """Take the end of the answer as the server gave it."""
        if self.http_status is not None and self.http_status >= _LEAST_ERROR:
            self.close(t_ns, Status.REFUSED, error_words(self._words) or f"HTTP {self.http_status}")
            return
        if self._leads_to:
            self.close(t_ns, Status.NOT_AUDIO if self.body_bytes else Status.EMPTY, self._leads_to)
            return
        if self._reader is not None:
            try:
                self._keep(t_ns, self._reader.end())
            except (ServerMessage, TtsArtifactError) as error:
                if self.body_bytes:
                    self._fail(t_ns, error)
        if not self.reads:
            words = "no body" if self.body_bytes == 0 else f"{self.body_bytes} bytes without audio"
            self.close(t_ns, Status.EMPTY, words)
            return
        self.close(t_ns, Status.OK, None)

    def close(self, t_ns: int, status: Status, reason: str | None) -> None:
        """Set how the request ended; the first answer to that stays."""
        if self.status is None:
            self.status, self.t_end_ns = status, t_ns
            self.reason = None if reason is None else reason[:_LONGEST_REASON]
        if self._reader is not None and self._reader.held:  # no audio was found in it: it is kept as it came
            with open(self.path, "xb") as out:
                out.write(self._reader.held)
        self._reader = None
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def audio_bytes(self) -> int:
        """Bytes of audio that were delivered."""
        return self.reads[-1][1] if self.reads else 0

    def discard(self) -> None:
        """Delete the file, once an artifact holds what was in it or nothing was."""
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def _keep(self, t_ns: int, audio: bytes) -> None:
        if not audio:
            return
        if self._file is None:
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 - lives as long as the answer
        left = memoryview(audio)
        while left:  # a file without a buffer may take less than it is given
            left = left[self._file.write(left) :]
        self.reads.append((t_ns, self.audio_bytes + len(audio)))
        if self.follow is not None:
            self.follow()

    def _fail(self, t_ns: int, error: Exception) -> None:
        if isinstance(error, ServerMessage) and error.is_whole:
            self._reader = None
        self.close(t_ns, Status.NOT_AUDIO, str(error))


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
    exchange.submitted(now())
    try:
        async with asyncio.timeout(wanted.timeout_s), asyncio.timeout(wanted.idle_timeout_s) as silence:
            await _answered(client, ready, wanted, exchange, now, silence)
    except TimeoutError:
        idle = f"nothing came for {wanted.idle_timeout_s:g} s"
        words = idle if silence.expired() else f"no end within {wanted.timeout_s:g} s"
        exchange.close(now(), Status.TIMEOUT, words)
    except httpx.HTTPError as error:
        exchange.close(now(), Status.BROKEN, _broken(error))
    except asyncio.CancelledError:
        exchange.close(now(), Status.CANCELLED, "the load was ended")
        raise
    exchange.close(now(), Status.BROKEN, "the answer did not end")  # of no effect where a status is set
    return exchange


def _broken(error: httpx.HTTPError) -> str:
    """Return why there was no answer, or no end of it."""
    import httpx

    words = type(error).__name__
    if isinstance(error, httpx.ConnectError):
        nobody = "All connection attempts failed" in str(error)
        return f"cannot connect: {'nothing answers there' if nobody else error}".removesuffix(": ")
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        words = "the connection was lost"
    return f"{words}: {error}".removesuffix(": ")


async def _answered(
    client: httpx.AsyncClient,
    ready: httpx.Request,
    wanted: SpeechRequest,
    exchange: Exchange,
    now: Callable[[], int],
    silence: asyncio.Timeout,
) -> None:
    def wait_again() -> None:
        if wanted.idle_timeout_s is not None:
            silence.reschedule(asyncio.get_running_loop().time() + wanted.idle_timeout_s)

    response = await client.send(ready, stream=True)
    wait_again()
    try:
        exchange.head(now(), response.status_code, response.headers.multi_items())
        async with asyncio.timeout(None) as leaving:
            async for data in response.aiter_raw():
                exchange.data(now(), data)
                wait_again()
                if wanted.leave_after_s is not None and leaving.when() is None:
                    leaving.reschedule(asyncio.get_running_loop().time() + wanted.leave_after_s)
        exchange.end(now())
    except TimeoutError:
        if not leaving.expired():
            raise
        exchange.close(now(), Status.CANCELLED, f"left {wanted.leave_after_s:g} s after the first byte")
    finally:
        await response.aclose()
