"""Records one answer of a speech server as one artifact."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING, Unpack

from ttsartifact.container.source import FileSource, require_room
from ttsartifact.errors import CommandFailed
from ttsartifact.packing.pack import pack
from ttsartifact.recording.clock import SystemClock, Timebase
from ttsartifact.recording.run import say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS, Sampler
from ttsartifact.recording.sensors.absent import Absent
from ttsartifact.recording.statements import spelled_out
from ttsartifact.serving.client import connected, speak
from ttsartifact.serving.exchange import Exchange, Status
from ttsartifact.serving.keeping import Keeper
from ttsartifact.serving.request import public_url, require_library

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated
    from ttsartifact.serving.request import SpeechRequest

__all__ = ["record_http"]


def record_http(
    wanted: SpeechRequest,
    out: str | os.PathLike[str],
    *,
    pcm: str | None = None,
    in_flight: int | None = None,
    sensor: Sensor | None = None,
    clock: Clock | None = None,
    period_ns: int = PERIOD_NS,
    replace: bool = False,
    say: Callable[[str], None] = say_by_logging,
    **stated: Unpack[Stated],
) -> Packed:
    """Send one request to a speech server, record the answer as it comes and write the artifact.

    The caller has checked with `require_allowed` that the address may be spoken to.

    Args:
        wanted: Address, model, voice and text.
        out: The artifact to write.
        pcm: Format of raw samples, where the server does not state it.
        in_flight: How many other requests of the caller are unfinished.
        sensor: What is sampled; the GPU's by default.
        clock: The clocks; the system's by default.
        period_ns: Nanoseconds between two samples.
        replace: Whether a file `out` may be written over.
        say: Called with each warning.
        **stated: What only the caller can know; it goes before what the server states about itself.

    Raises:
        CommandFailed: No audio came; the error holds the status and the server's words, and what came is kept beside
            `out`.
    """
    require_library()
    require_room(out, replace=replace)
    timebase = Timebase(clock or SystemClock())
    keeper = Keeper(
        url=wanted.url,
        timebase=timebase,
        sampler=Sampler(sensor or Absent(), timebase, period_ns=period_ns),
        stated=spelled_out({"params": public_params(wanted)} | stated),
        pcm=pcm,
        say=say,
    )
    keeper.check(wanted.text)
    folder = tempfile.mkdtemp(prefix=".ttsa-", dir=os.path.dirname(os.path.abspath(out)))
    exchange = Exchange(request_id="single", path=os.path.join(folder, "answer"), in_flight=in_flight)
    try:
        keeper.sampler.start()
        try:
            asyncio.run(_exchanged(wanted, exchange, timebase.now))
        finally:
            keeper.sampler.stop()
            timebase.close()
        return _packed(keeper, exchange, wanted, out, replace=replace)
    finally:
        _leave(folder, exchange, os.fspath(out), say)


def public_params(wanted: SpeechRequest) -> dict[str, object]:
    """Return the fields of a request that condition the sound, for /generation/params."""
    return {key: value for key, value in wanted.params.items() if isinstance(value, (str, int, float, bool))}


async def _exchanged(wanted: SpeechRequest, exchange: Exchange, now: Callable[[], int]) -> None:
    async with connected() as client:
        await speak(client, wanted, exchange, now)


def _packed(
    keeper: Keeper, exchange: Exchange, wanted: SpeechRequest, out: str | os.PathLike[str], *, replace: bool
) -> Packed:
    if exchange.status is not Status.OK:
        answered = "" if exchange.http_status is None else f", HTTP {exchange.http_status}"
        raise CommandFailed(
            f"the server delivered no audio: {exchange.reason}",
            where=public_url(wanted.url),
            found=f"{exchange.status}{answered}",
            expected="audio",
        )
    kept = keeper.keep(exchange, wanted.text, wanted.body_digest)
    with FileSource(kept.sound.path) as source:
        packed = pack(kept.draft, source, os.fspath(out), replace=replace)
    kept.let_go(exchange)
    return packed


def _leave(folder: str, exchange: Exchange, out: str, say: Callable[[str], None]) -> None:
    """Remove the folder; what was delivered and became no artifact is put beside the output, and said."""
    if os.path.lexists(exchange.path):
        kept = f"{out}.answer"
        os.replace(exchange.path, kept)
        say(f"what the server sent is kept in {os.path.basename(kept)}")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
