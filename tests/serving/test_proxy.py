"""The proxy: bytes go on as they come, none is lost, and what was heard becomes artifacts."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.server
import json
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import kit
import pytest
from serving_kit import TEXT, example, serving

from ttsartifact import verify
from ttsartifact.cli import main
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.serving.attempts import Law, read_attempts
from ttsartifact.serving.gathering import Gathered, gather
from ttsartifact.serving.proxying import Proxy, SpeechExchange

if TYPE_CHECKING:
    from collections.abc import Iterator


class proxied:  # noqa: N801 - reads as an act
    """A proxy before a server, in a thread of its own."""

    def __init__(self, to: str, folder: Path, **stated: Any) -> None:
        self._to, self._folder, self._stated = to, str(folder), stated
        self.gathered: Gathered | None = None
        self.told: list[str] = []

    def __enter__(self) -> str:
        ready: threading.Event = threading.Event()
        ports: list[int] = []

        async def run() -> None:
            self._loop, self._until = asyncio.get_running_loop(), asyncio.Event()

            def listening(port: int) -> None:
                ports.append(port)
                ready.set()

            self.gathered = await gather(
                self._to,
                ("127.0.0.1", 0),
                self._folder,
                stated=self._stated,  # type: ignore[arg-type]
                pcm=None,
                say=self.told.append,
                listening=listening,
                until=self._until,
            )

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self._thread.start()
        assert ready.wait(20)
        return f"http://127.0.0.1:{ports[0]}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._until.set)
        self._thread.join(60)
        assert self.gathered is not None


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    module = example()
    with serving(module.make_app(module.Desk(workers=2))) as address:
        yield address


def post(url: str, **params: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/audio/speech", json={"input": TEXT, **params}, timeout=60, trust_env=False)


def test_what_clients_ask_for_becomes_artifacts(url: str, tmp_path: Path) -> None:
    """A client that knows nothing of us gets its answer; the run and its conditions are kept, others are passed on."""
    proxy = proxied(url, tmp_path)
    with proxy as address:
        direct, through = post(url, voice="en", seed=3), post(address, voice="en", seed=3)
        assert through.content == direct.content
        assert post(address, response_format="mp3").headers["content-type"] == "audio/mpeg"
        assert post(address, response_format="opus").headers["content-type"] == "audio/ogg"
        assert post(address, stream_format="sse").status_code == 200
        assert post(address, inject={"status": 429}).status_code == 429
        assert httpx.get(f"{address}/requests", trust_env=False).status_code == 200
    assert proxy.gathered is not None
    rows = read_attempts(proxy.gathered.attempts_path)
    assert [row.status for row in rows] == ["ok", "ok", "ok", "ok", "refused"]
    assert {row.law for row in rows} == {Law.OBSERVED}
    first = open_artifact(tmp_path / f"{rows[0].request_id}.tts.wav")
    assert first.descriptor.known("/generation/params") == {"voice": "en", "seed": 3}
    assert first.descriptor.known("/input/text/value") == TEXT
    assert (tmp_path / f"{rows[1].request_id}.tts.mp3").exists()
    assert (tmp_path / f"{rows[2].request_id}.tts.parquet").exists(), "Ogg has no carrier of its own"
    reports = [report for path in sorted(tmp_path.glob("*.tts.*")) for report in verify(path)]
    assert [(report.verdict, report.failures) for report in reports] == [("INTACT", ())] * 4
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".mp3", ".parquet", ".parquet", ".wav", ".wav"]


CLIP = "sha256:" + hashlib.sha256(b"A" * 1_400_000).hexdigest() + " of 1400000 bytes"


class _Speaks(http.server.BaseHTTPRequestHandler):
    """A server that says the same whatever it is asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "audio/wav")
        self.end_headers()
        self.wfile.write(kit.wav())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Unread(_Speaks):
    """A server whose JSON holds its audio where nobody looks."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"speech": "AAAA"}')


def test_an_answer_without_known_audio_is_kept_and_named(tmp_path: Path) -> None:
    """A proxy sees each answer once."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Unread)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = proxied(f"http://127.0.0.1:{server.server_port}", tmp_path)
    with proxy as address:
        httpx.post(f"{address}/v1/audio/speech", json={"input": "Hello."}, timeout=60, trust_env=False)
    server.shutdown()
    server.server_close()
    (line,) = proxy.told
    words, _, path = line.partition("; what came is kept in ")
    assert words == "not_audio: JSON without audio in a known field: speech"
    assert Path(path).read_bytes() == b'{"speech": "AAAA"}'


def test_whatever_a_client_writes_is_a_run(tmp_path: Path) -> None:
    """Emoji cut in two, seeds of 64 bits, numbers that JSON does not have, clips in base64: the answer is kept."""
    bodies = {
        r'{"input": "Hello there \ud83d"}': {},
        '{"input": "Hello there.", "seed": 12345678901234567890}': {"seed": "12345678901234567890"},
        '{"input": "Hello there.", "topP": NaN, "maxLength": 1e999}': {"topP": "nan", "maxLength": "inf"},
        '{"input": "Hello there.", "ref_audio": "' + "A" * 1_400_000 + '"}': {"ref_audio": CLIP},
        r'{"input": "Hello there.", "style": "a\ud83d", "a b\u0000": 1}': {"style": "a\\ud83d", "a_b_": 1},
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Speaks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = proxied(f"http://127.0.0.1:{server.server_port}", tmp_path)
    with proxy as address:
        headers = {"content-type": "application/json"}
        for body in bodies:
            answer = httpx.post(
                f"{address}/v1/audio/speech", content=body, headers=headers, timeout=60, trust_env=False
            )
            assert answer.content == kit.wav()
    server.shutdown()
    server.server_close()
    assert proxy.gathered is not None
    rows = read_attempts(proxy.gathered.attempts_path)
    paths = [tmp_path / f"{row.request_id}.tts.wav" for row in rows]
    assert [open_artifact(path).descriptor.known("/generation/params") for path in paths] == list(bodies.values())
    assert [(report.verdict, report.failures) for path in paths for report in verify(path)] == [("INTACT", ())] * 5
    assert open_artifact(paths[0]).descriptor.at("/input/text/value")["detail"] == "the text is not UTF-8"


def test_a_client_that_leaves_is_a_result(url: str, tmp_path: Path) -> None:
    """Barge-in: the server is left at once, and the row says who left."""
    proxy = proxied(url, tmp_path)
    with (
        proxy as address,
        httpx.stream(
            "POST",
            f"{address}/v1/audio/speech",
            json={"input": TEXT, "response_format": "pcm", "inject": {"pace_ms": 300}},
            trust_env=False,
        ) as answer,
    ):
        next(answer.iter_raw())
    assert proxy.gathered is not None
    (row,) = proxy.gathered.attempts
    assert (row.status, row.reason, row.run_id) == ("cancelled", "the client left", None)
    assert (tmp_path / row.request_id).stat().st_size > 0


def test_a_server_that_is_not_there_is_a_result(tmp_path: Path) -> None:
    """The client is answered 502, and the request has its row."""
    proxy = proxied("http://127.0.0.1:9", tmp_path)
    with proxy as address:
        answer = post(address)
    assert answer.status_code == 502
    assert answer.json()["error"]["message"].startswith("ttsartifact proxy: the server does not answer")
    assert proxy.gathered is not None
    assert [row.status for row in proxy.gathered.attempts] == ["broken"]


REQUESTS, AT_ONCE = 1_000, 24


class _Rough:
    """A server of random answers: lengths, framings and pieces, some cut in the middle."""

    def __init__(self) -> None:
        self.sent: dict[int, bytes] = {}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await self.answer(json.loads(await reader.readexactly(length))["number"], writer)
        writer.close()

    async def answer(self, number: int, writer: asyncio.StreamWriter) -> None:
        draws = random.Random(number)
        body = draws.randbytes(draws.choice([2, 900, 30_000, 200_000]))
        framing = draws.choice([f"content-length: {len(body)}", "transfer-encoding: chunked", "connection: close"])
        pieces = [f"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\n{framing}\r\n\r\n".encode()]
        while body:
            size = draws.randrange(1, 1 + draws.choice([7, 1_000, 60_000]) + len(body) // 20)
            piece, body = body[:size], body[size:]
            pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece) if "chunked" in framing else piece)
        if "chunked" in framing:
            pieces.append(b"0\r\n\r\n")
        if draws.random() < 0.15:
            pieces = pieces[: 1 + draws.randrange(len(pieces))]
        self.sent[number] = b"".join(pieces)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if draws.random() < 0.05:
                await asyncio.sleep(0)


def leaves(number: int) -> bool:
    """Tell whether a client leaves before the end."""
    return number % 10 == 7


async def ask(port: int, number: int) -> bytes:
    """Return every byte of one answer, read as slowly as by a client that is busy; some leave after the first."""
    draws = random.Random(-number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    body = json.dumps({"input": "Hello.", "number": number}).encode()
    whole = f"POST /v1/audio/speech HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    cut = draws.randrange(1, len(whole))
    for piece in (whole[:cut], whole[cut:]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    got = b""
    while data := await reader.read(draws.choice([100, 4_096, 65_536])):
        got += data
        if leaves(number):
            break
        if draws.random() < 0.02:
            await asyncio.sleep(0.002)
    writer.close()
    return got


def test_no_byte_is_lost(tmp_path: Path) -> None:
    """Under 1,000 requests of random framing, cut connections, slow readers and clients that leave no byte is lost.

    What the server sent is what the client read, in order, and every request is heard to its end.
    """
    heard: list[SpeechExchange] = []
    rough, found = _Rough(), {}

    async def run() -> None:
        server = await asyncio.start_server(rough.talk, "127.0.0.1", 0)
        proxy = Proxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", str(tmp_path), heard=heard.append)
        port = await proxy.listen("127.0.0.1", 0)
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with room:
                found[number] = await asyncio.wait_for(ask(port, number), 60)

        await asyncio.gather(*(one(number) for number in range(REQUESTS)))
        await proxy.close()
        server.close()

    asyncio.run(run())
    whole = [number for number in range(REQUESTS) if not leaves(number)]
    assert {number for number in whole if found[number] != rough.sent[number]} == set()
    assert all(rough.sent[number].startswith(found[number]) for number in range(REQUESTS))
    assert sorted(each.asked["number"] for each in heard) == list(range(REQUESTS))
    for each in heard:
        if each.exchange.status == "ok":
            kept = tmp_path / each.exchange.request_id
            assert kept.read_bytes() == body_of(rough.sent[each.asked["number"]])
    ends = {str(each.exchange.status) for each in heard}
    assert {"ok", "broken", "cancelled"} <= ends <= {"ok", "broken", "cancelled", "empty"}


def body_of(raw: bytes) -> bytes:
    """Return the body of an answer, without the framing of its chunks."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]
    return body


def test_two_requests_of_one_connection(url: str, tmp_path: Path) -> None:
    """Keep-alive: both answers come through one connection, and both are kept."""
    proxy = proxied(url, tmp_path)
    with proxy as address, httpx.Client(trust_env=False, timeout=60) as client:
        for _ in range(2):
            answer = client.post(f"{address}/v1/audio/speech", json={"input": TEXT, "response_format": "pcm"})
            assert answer.status_code == 200
    assert proxy.gathered is not None
    assert [row.status for row in proxy.gathered.attempts] == ["ok", "ok"]


def test_the_command_listens_to_this_machine_alone() -> None:
    """Other machines ask, and texts leave this one, only where the user says so."""
    assert main(["proxy", "--to", "http://127.0.0.1:9", "-o", "x", "--listen", "0.0.0.0:0"]) == 2
    assert main(["proxy", "--to", "http://127.0.0.1:9", "-o", "x", "--listen", "8000"]) == 2
    assert main(["proxy", "--to", "http://example.org", "-o", "x"]) == 2
