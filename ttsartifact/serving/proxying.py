"""A proxy before a speech server: what clients ask for is passed on, and becomes artifacts on the way.

Bytes of an answer are written to the client before they are examined, in the pieces in which they arrived. A parser
reads along; where it does not understand, the bytes go on and that answer is recorded as broken. A request is passed on
as its client wrote it but for the host that it names. One connection of a client is one connection to the server, and
who leaves the one is known to the other at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11

from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.serving.exchange import Exchange, Status
from ttsartifact.serving.request import stated_params
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.recording.clock import Clock

_READ_BYTES = 1 << 16
_UNSENT_BYTES = 1 << 20
"""How far a slow client may lag behind before the server is read no further."""
_LONGEST_HEAD = 64 << 10
_PATIENCE_S = 5.0
_ENDED = "the connection ended before the answer did"
_LONGEST_REQUEST = 64 << 20
"""Of a body that is looked at; a longer one is passed on all the same."""


class SpeechExchange:
    """One request that asked for speech, and its answer."""

    def __init__(self, exchange: Exchange, timebase: Timebase, body: bytes, asked: dict[str, Any]) -> None:
        self.exchange, self.timebase, self.asked = exchange, timebase, asked
        self.body_digest = digest.of(body)

    @property
    def text(self) -> bytes:
        """What was to be spoken. Half of a surrogate pair, as clients write that cut a text, leaves no UTF-8."""
        return str(self.asked["input"]).encode("utf-8", "surrogatepass")

    @property
    def params(self) -> dict[str, Any]:
        """The other fields of the request that condition the sound."""
        return stated_params({key: value for key, value in self.asked.items() if key != "input"})


class Proxy:
    """Listens, passes on, and hands over what it heard."""

    def __init__(
        self, to: str, folder: str, *, heard: Callable[[SpeechExchange], None], clock: Clock | None = None
    ) -> None:
        """Take the server's address, a folder for what it delivers, and a callback for each request that ended."""
        parts = urlsplit(to)
        self._host, self._port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._named = parts.netloc.rpartition("@")[2].encode()
        self._folder, self._heard, self._clock = folder, heard, clock or SystemClock()
        self.in_flight = 0
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Begin to listen, and return the port: the one that was free where 0 was requested."""
        self._server = await asyncio.start_server(self._accept, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no longer, end the connections, and hand over what had come of them."""
        if self._server is not None:
            self._server.close()
        for talk in tuple(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client until either side ends it."""
        try:
            up = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        except OSError as error:
            await self._answer_for_nobody(reader, writer, f"the server does not answer: {error.strerror or error}")
            return
        for each in (writer, up[1]):
            each.transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        talk = _Talk(self, reader, writer, *up)
        try:
            await talk.until_ended()
        finally:
            talk.broken_off()
            for each in (up[1], writer):
                each.close()

    async def _answer_for_nobody(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: str) -> None:
        """Answer for a server that is not there: that is a result of each request, too."""
        with contextlib.suppress(OSError, TimeoutError, h11.RemoteProtocolError):
            method, body = await asyncio.wait_for(_whole_request(reader), _PATIENCE_S)
            if (heard := self.begin(body, method)) is not None:
                heard.exchange.close(heard.timebase.now(), Status.BROKEN, words)
                self.end(heard)
            answer = json.dumps({"error": {"message": f"ttsartifact proxy: {words}"}}).encode()
            head = f"HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode() + answer)
            await writer.drain()
        writer.close()

    def begin(self, body: bytes, method: bytes) -> SpeechExchange | None:
        """Return a request to be recorded, where it asks for speech; any other is passed on and not recorded."""
        try:
            asked = json.loads(body) if method == b"POST" else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(asked, dict) or not isinstance(asked.get("input"), str) or not asked["input"]:
            return None
        request_id = str(uuid.uuid4())
        exchange = Exchange(request_id=request_id, path=os.path.join(self._folder, request_id))
        exchange.in_flight = self.in_flight
        self.in_flight += 1
        timebase = Timebase(self._clock)
        exchange.t_submit_ns = timebase.now()
        return SpeechExchange(exchange, timebase, body, asked)

    def end(self, heard: SpeechExchange) -> None:
        """Hand over a request that has ended."""
        self.in_flight -= 1
        heard.timebase.close()
        self._heard(heard)

    @property
    def named(self) -> bytes:
        """The host as the server knows itself."""
        return self._named


class _Talk:
    """One connection of a client, and its twin to the server."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._up_reader, self._up_writer = up_reader, up_writer
        self._answers = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._heard: SpeechExchange | None = None
        self._blind = False
        """Whether bytes are passed on and no longer understood: another protocol, or a fault of either side."""
        self._answered = asyncio.Event()
        self._next: asyncio.Future[bytes] | None = None

    async def until_ended(self) -> None:
        """Pass on in both directions until one side has ended."""
        both: set[asyncio.Future[None]] = {
            asyncio.ensure_future(self._requests()),
            asyncio.ensure_future(self._responses()),
        }
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended: list[asyncio.Future[Any]] = [*both, *([] if self._next is None else [self._next])]
            for each in ended:
                each.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
        for each in done:
            with contextlib.suppress(OSError, h11.ProtocolError):  # a side broke off; what of it is in the exchange
                each.result()

    def broken_off(self) -> None:
        """Close the unfinished answer."""
        if self._heard is not None:
            exchange, heard = self._heard.exchange, self._heard
            exchange.close(heard.timebase.now(), Status.BROKEN, _ENDED)
            self._finish()

    async def _requests(self) -> None:
        rest: bytes | None = b""
        while rest is not None and not self._blind:
            rest = await self._request(rest)
        if self._blind:
            while data := await self._from_client():
                await self._to_server(data)
        self._client_left()

    async def _request(self, held: bytes) -> bytes | None:
        """Pass one request on and wait for its answer; return what the client sent behind it, None where it left."""
        asks = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        if held:
            asks.receive_data(held)
        head: bytes | None = held
        body, method = bytearray(), b""
        while True:
            try:
                event = asks.next_event()
            except h11.RemoteProtocolError:
                event = None
            if event is h11.NEED_DATA:
                data = await self._from_client()
                if not data:
                    return None
                head = None if head is None else head + data
                asks.receive_data(data)
                continue
            if event is None or (isinstance(event, h11.Request) and event.http_version != b"1.1"):
                # What would be sent on is HTTP/1.1, whose answer an older client may not read.
                self._blind = True
                if head is not None:
                    await self._to_server(head)
                return None
            if isinstance(event, h11.Request):
                head, method = None, event.method
                self._answered.clear()
            elif isinstance(event, h11.Data) and len(body) <= _LONGEST_REQUEST:
                body += event.data
            passed_on = self._answers.send(self._renamed(event)) or b""
            if isinstance(event, h11.EndOfMessage):
                self._heard = self._proxy.begin(bytes(body), method) if len(body) <= _LONGEST_REQUEST else None
                await self._to_server(passed_on)
                return await self._behind(asks.trailing_data[0])
            await self._to_server(passed_on)

    async def _behind(self, rest: bytes) -> bytes | None:
        """Wait for the answer, and see meanwhile whether the client leaves."""
        answered = asyncio.ensure_future(self._answered.wait())
        try:
            while not answered.done():
                self._next = self._next or asyncio.ensure_future(self._reader.read(_READ_BYTES))
                both: set[asyncio.Future[Any]] = {answered, self._next}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if self._next.done() and not answered.done():
                    data = await self._from_client()
                    if not data:
                        return None
                    rest += data
        finally:
            answered.cancel()
        return rest

    async def _from_client(self) -> bytes:
        """Return what the client sends next, which may have been waited for before; nothing where it has left."""
        waited, self._next = self._next, None
        try:
            return await (self._reader.read(_READ_BYTES) if waited is None else waited)
        except ConnectionError:
            return b""

    async def _to_server(self, data: bytes) -> None:
        if data:
            self._up_writer.write(data)
            await self._up_writer.drain()

    def _renamed(self, event: Any) -> Any:
        """Return an event of a request with the server's own name in place of the proxy's."""
        if not isinstance(event, h11.Request):
            return event
        named = self._proxy.named
        headers = [(name, named if name.lower() == b"host" else value) for name, value in event.headers.raw_items()]
        return h11.Request(method=event.method, target=event.target, headers=headers)

    async def _responses(self) -> None:
        while data := await self._up_reader.read(_READ_BYTES):
            t_ns = 0 if self._heard is None else self._heard.timebase.now()
            self._writer.write(data)
            if not self._blind:
                self._observe(t_ns, data)
            try:
                await self._writer.drain()
            except ConnectionError:
                self._client_left()
                return
        if not self._blind:
            self._observe(0 if self._heard is None else self._heard.timebase.now(), b"")

    def _client_left(self) -> None:
        if self._heard is not None:
            self._heard.exchange.close(self._heard.timebase.now(), Status.CANCELLED, "the client left")

    def _observe(self, t_ns: int, data: bytes) -> None:
        """Read along in an answer."""
        try:
            self._answers.receive_data(data)
            while True:
                event = self._answers.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    break
                self._take(t_ns, event)
            if self._answers.their_state is h11.SWITCHED_PROTOCOL:
                self._blind = True
        except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            self._blind = True
            if self._heard is not None:
                words = f"the answer is not HTTP/1.1: {error}" if data else _ENDED
                self._heard.exchange.close(t_ns, Status.BROKEN, words)
                self._finish()

    def _take(self, t_ns: int, event: Any) -> None:
        heard = self._heard
        if isinstance(event, h11.Response) and heard is not None:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
            heard.exchange.head(t_ns, event.status_code, headers)
        elif isinstance(event, h11.Data) and heard is not None:
            heard.exchange.data(t_ns, bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            if heard is not None:
                heard.exchange.end(t_ns)
                self._finish()
            if self._answers.our_state is h11.DONE and self._answers.their_state is h11.DONE:
                self._answers.start_next_cycle()
            self._answered.set()

    def _finish(self) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            self._proxy.end(heard)


async def _whole_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one request, and return its method and its body."""
    asks, body, method = h11.Connection(h11.SERVER), b"", b""
    while True:
        event = asks.next_event()
        if event is h11.NEED_DATA:
            asks.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Request):
            method = event.method
        elif isinstance(event, h11.Data) and len(body) <= _LONGEST_REQUEST:
            body += bytes(event.data)
        elif not isinstance(event, h11.Data):
            return method, body
