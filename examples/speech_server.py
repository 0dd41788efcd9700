"""A speech server to measure: `POST /v1/audio/speech` before espeak-ng and hibari-tts, which counts its own queue.

    python examples/speech_server.py --port 8000 --workers 2
    ttsa bench http://127.0.0.1:8000 --concurrency 1,4,8 --requests 40 -o set.tts.parquet

It answers as servers in the field do: WAV of unknown length, raw PCM, MP3, Opus in Ogg, server-sent events with
base64, gzip. What may go wrong is injected by the request (`inject`) or for the whole server (`--pause-at`), so that a
measuring tool can be compared with the truth: `GET /requests` is the server's own log.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import re
import struct
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI, Request, Response  # FastAPI reads the annotations of its routes
from fastapi.responses import JSONResponse, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["Desk", "main", "make_app"]

PIECE_MS = 100
_TYPES = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
}
_FFMPEG = {
    "mp3": ("-f", "mp3", "-b:a", "64k"),
    "opus": ("-c:a", "libopus", "-f", "ogg"),
    "flac": ("-f", "flac"),
}


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request as the server saw it; times are nanoseconds of its own monotonic clock."""

    number: int
    request_id: str
    queue_depth: int
    running: int
    accepted_ns: int
    started_ns: int | None = None
    ended_ns: int | None = None
    outcome: str = "unfinished"


@dataclass(slots=True, kw_only=True)
class Desk:
    """The queue: who was accepted, who computes, and the one pause that stops them all."""

    workers: int = 1
    pause_at: int | None = None
    pause_ms: int = 0
    entries: list[Entry] = field(default_factory=list)
    unfinished: int = 0
    running: int = 0
    _free: asyncio.Semaphore | None = None
    _open: asyncio.Event | None = None

    def accept(self, request_id: str) -> Entry:
        """Take a request in, and note whom it met."""
        entry = Entry(
            number=len(self.entries),
            request_id=request_id,
            queue_depth=self.unfinished,
            running=self.running,
            accepted_ns=time.perf_counter_ns(),
        )
        self.entries.append(entry)
        self.unfinished += 1
        return entry

    @contextlib.asynccontextmanager
    async def computing(self, entry: Entry) -> AsyncIterator[None]:
        """Wait for a worker; the request that `pause_at` names stops all of them for a while."""
        self._free = self._free or asyncio.Semaphore(self.workers)
        if self._open is None:
            self._open = asyncio.Event()
            self._open.set()
        async with self._free:
            if entry.number == self.pause_at:
                self._open.clear()
                await asyncio.sleep(self.pause_ms / 1000)
                self._open.set()
            await self._open.wait()
            self.running += 1
            entry.started_ns = time.perf_counter_ns()
            try:
                yield
            finally:
                self.running -= 1

    def finish(self, entry: Entry, outcome: str) -> None:
        """Let a request go, once."""
        if entry.ended_ns is None:
            entry.ended_ns, entry.outcome = time.perf_counter_ns(), outcome
            self.unfinished -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """An engine: its name and version, its rate, and its samples a piece at a time."""

    tool: str
    rate: int
    speak: Callable[[str, dict[str, Any]], AsyncIterator[bytes]]


async def espeak(text: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    """Yield the samples of espeak-ng as it writes them; 16 bits, one channel."""
    voice = str(asked.get("voice") or "en")
    if not re.fullmatch(r"[a-z0-9+-]{1,32}", voice):
        voice = "en"
    program = await asyncio.create_subprocess_exec(
        "espeak-ng", "--stdin", "--stdout", "-v", voice, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        program.stdin.write(text.encode())
        program.stdin.write_eof()
        await program.stdout.readexactly(44)  # its own header, which states a length it does not know yet
        while samples := await program.stdout.read(4096):
            yield samples
    except BaseException:  # the client left
        with contextlib.suppress(ProcessLookupError):  # it may have ended meanwhile
            program.kill()
        raise
    finally:
        await program.wait()


def hibari_voice() -> Voice:
    """Return hibari-tts, loaded once; each piece of its own stream is computed in a thread."""
    from importlib.metadata import version

    import numpy as np
    from hibari import SAMPLE_RATE, Hibari

    engine = Hibari()

    async def speak(text: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
        pieces = iter(engine.stream(text, seed=int(asked.get("seed", 0))))
        while (audio := await asyncio.to_thread(next, pieces, None)) is not None:
            yield np.clip(np.rint(np.asarray(audio) * 32768), -32768, 32767).astype("<i2").tobytes()

    return Voice(tool=f"hibari-tts@{version('hibari-tts')}", rate=SAMPLE_RATE, speak=speak)


def espeak_voice() -> Voice:
    """Return espeak-ng with the version that it says it has."""
    import subprocess

    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"[0-9]+(\.[0-9]+)+", said)
    return Voice(tool=f"espeak-ng@{found[0] if found else 'unseen'}", rate=22_050, speak=espeak)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One request, and the faults to inject."""

    text: str
    asked: dict[str, Any]
    inject: dict[str, Any]
    wobble: int = 0
    """Added to each sample after the first piece, for an engine whose batch changes its samples."""

    @property
    def form(self) -> str:
        """The format of the audio."""
        return str(self.asked.get("response_format", "wav"))

    @property
    def as_events(self) -> bool:
        """Whether the audio goes into server-sent events."""
        return self.asked.get("stream_format") == "sse"


def header(rate: int, length: int) -> bytes:
    """Return the header of a WAV of one channel and 16 bits; a stream states the length that it does not know."""
    riff = min(0xFFFFFFFF, length + 36) if length else 0
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", length
    )


async def pieces(voice: Voice, order: Order) -> AsyncIterator[bytes]:
    """Yield samples in pieces of an even length, after the requested silence, slowed down if requested."""
    size = int(order.inject.get("piece_ms", PIECE_MS)) * voice.rate // 1000 * 2
    pace_s = int(order.inject.get("pace_ms", 0)) / 1000
    silence = bytes(int(order.inject.get("silence_ms", 0)) * voice.rate // 1000 * 2)
    if silence:
        yield silence
    held, sent = b"", 0
    async for samples in voice.speak(order.text, order.asked):
        held += samples
        while len(held) >= size:
            yield wobbled(held[:size], order.wobble * sent)
            held = held[size:]
            sent = 1
            await asyncio.sleep(pace_s)
    if held:
        yield wobbled(held, order.wobble * sent)


def wobbled(samples: bytes, by: int) -> bytes:
    """Return samples of 16 bits with `by` added to each, kept within full scale."""
    if not by:
        return samples
    values = struct.unpack(f"<{len(samples) // 2}h", samples)
    return struct.pack(f"<{len(values)}h", *(min(32767, value + by) for value in values))


async def encoded(voice: Voice, order: Order) -> AsyncIterator[bytes]:
    """Yield the answer's audio in the requested format."""
    if order.form == "pcm":
        async for samples in pieces(voice, order):
            yield samples
        return
    if order.form == "wav":
        if not order.inject.get("wav_pieces"):
            yield header(voice.rate, int(order.inject.get("wav_length", 0xFFFFFFFF)))
        await asyncio.sleep(int(order.inject.get("behind_header_ms", 0)) / 1000)
        async for samples in pieces(voice, order):
            yield header(voice.rate, len(samples)) + samples if order.inject.get("wav_pieces") else samples
        return
    whole = b"".join([samples async for samples in pieces(voice, order)])
    words = ("ffmpeg", "-v", "error", "-f", "s16le", "-ar", str(voice.rate), "-ac", "1", "-i", "-")
    program = await asyncio.create_subprocess_exec(
        *words, *_FFMPEG[order.form], "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    audio, _ = await program.communicate(whole)
    for start in range(0, len(audio), 4096):
        yield audio[start : start + 4096]


async def events(audio: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield server-sent events as OpenAI has them."""
    async for data in audio:
        event = {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}
        yield f"data: {json.dumps(event)}\n\n".encode()
    yield b'data: {"type": "speech.audio.done"}\n\n'


async def compressed(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the body as gzip, each piece flushed so that it can be played."""
    packer = zlib.compressobj(wbits=31)
    async for data in body:
        yield packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


async def answered(desk: Desk, entry: Entry, voice: Voice, order: Order) -> AsyncIterator[bytes]:
    """Yield the body of an answer, and let the request go however it ends."""
    outcome = "left by the client"
    try:
        async with desk.computing(entry):
            await asyncio.sleep(int(order.inject.get("pause_ms", 0)) / 1000)
            audio = encoded(voice, order)
            body = events(audio) if order.as_events else audio
            sent = 0
            async for data in compressed(body) if order.inject.get("gzip") else body:
                yield data
                sent += len(data)
                if sent > int(order.inject.get("cut_after", 1 << 62)):
                    outcome = "cut"
                    raise ConnectionResetError("the server cut the answer, as it was asked to")
        outcome = "whole"
    finally:
        desk.finish(entry, outcome)


def headers_of(entry: Entry, voice: Voice, order: Order) -> dict[str, str]:
    """Return what the server says of itself and of this request."""
    seed = {"x-ttsa-seed": str(order.asked["seed"])} if "seed" in order.asked and "hibari" in voice.tool else {}
    return seed | {
        "x-request-id": entry.request_id,
        "x-ttsa-queue-depth": str(entry.queue_depth),
        "x-ttsa-running": str(entry.running),
        "x-ttsa-engine": voice.tool,
        "x-ttsa-device": "cpu",
        "server-timing": f"accept;dur={(time.perf_counter_ns() - entry.accepted_ns) / 1e6:.3f}",
        **({"x-ttsa-pcm": f"s16le:{voice.rate}:1"} if order.form == "pcm" else {}),
        **({"content-encoding": "gzip"} if order.inject.get("gzip") else {}),
    }


def make_app(desk: Desk, *, with_hibari: bool = False) -> FastAPI:
    """Return the server around a desk."""
    app = FastAPI(title="A speech server to measure")
    voices = {"espeak-ng": espeak_voice()} | ({"hibari-tts": hibari_voice()} if with_hibari else {})
    numbers = itertools.count()

    async def speech(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        inject = asked.pop("inject", None) or {}
        text = asked.pop("input", "")
        met = desk.running if inject.get("batched") else len(desk.entries) if inject.get("restless") else 0
        order = Order(text=text, asked=asked, inject=inject, wobble=met)
        voice = voices.get(str(asked.get("model", "espeak-ng")))
        if voice is None or order.form not in _TYPES or not text:
            return JSONResponse({"error": {"message": "no such model, format or text"}}, status_code=400)
        if inject.get("status"):
            words = {"error": {"message": str(inject.get("message", "refused, as it was asked to"))}}
            return JSONResponse(words, status_code=int(inject["status"]))
        if inject.get("empty"):
            return Response(b"", media_type=_TYPES[order.form])
        entry = desk.accept(request.headers.get("x-request-id") or f"request-{next(numbers)}")
        body = answered(desk, entry, voice, order)
        kind = "text/event-stream" if order.as_events else _TYPES[order.form]
        return StreamingResponse(body, media_type=kind, headers=headers_of(entry, voice, order))

    async def log() -> Response:
        return JSONResponse([asdict(entry) for entry in desk.entries])

    app.add_api_route("/v1/audio/speech", speech, methods=["POST"], response_model=None)
    app.add_api_route("/requests", log, methods=["GET"], response_model=None)
    return app


def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="requests that are computed together")
    parser.add_argument("--pause-at", type=int, default=None, metavar="N", help="request N stops the whole engine")
    parser.add_argument("--pause-ms", type=int, default=2000)
    parser.add_argument("--hibari", action="store_true", help="serve model hibari-tts too")
    given = parser.parse_args()
    desk = Desk(workers=given.workers, pause_at=given.pause_at, pause_ms=given.pause_ms)
    uvicorn.run(make_app(desk, with_hibari=given.hibari), host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
