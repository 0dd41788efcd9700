"""An answer that came back as audio becomes a run: its draft, its timebase, and the sensor of a whole load."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from ttsartifact.container.source import FileSource
from ttsartifact.errors import CommandFailed, TtsArtifactError, cause_of
from ttsartifact.packing.pack import pack
from ttsartifact.recording import pins
from ttsartifact.recording.drafting import Delivery, draft_of, statement_sections
from ttsartifact.recording.ordering import StatedPcmFormat
from ttsartifact.recording.process import raise_end, signals_held
from ttsartifact.recording.recovering import tell_kept
from ttsartifact.recording.run import CTRL_C, Run, say_by_logging
from ttsartifact.recording.sampler import PERIOD_NS, Sampler
from ttsartifact.recording.statements import require_sound, run_facts, spelled_out
from ttsartifact.serving.exchange import Exchange, Status, connected, speak
from ttsartifact.serving.request import is_loopback, public_url, require_library, stated_params
from ttsartifact.serving.sound import delivered, pcm_of
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.packing.pack import Packed
    from ttsartifact.recording.clock import Clock, Timebase
    from ttsartifact.recording.references import Reference
    from ttsartifact.recording.sensors import Sensor
    from ttsartifact.recording.statements import Stated
    from ttsartifact.serving.request import SpeechRequest
    from ttsartifact.serving.sound import Delivered
    from ttsartifact.terms.draft import Draft


class Window(Sampler):
    """The readings of a load's sampler around one request: from the last before it to the first behind it."""

    def __init__(self, whole: Sampler, timebase: Timebase, start_ns: int, end_ns: int) -> None:
        super().__init__(whole._sensor, timebase)  # noqa: SLF001 - its own class
        self.absence, self.devices = whole.absence, whole.devices
        self.runtime, self.channels = whole.runtime, whole.channels
        self._whole, self._start_ns, self._end_ns = whole, start_ns, end_ns

    def trace(self) -> Trace | None:
        """Return the readings that cover the request, or None where there was no sensor."""
        found = self._whole.trace()
        if found is None:
            return None
        t_ns = found.columns["t_ns"]
        first = max((row for row, t in enumerate(t_ns) if t <= self._start_ns), default=0)
        last = min((row for row, t in enumerate(t_ns) if t >= self._end_ns), default=len(t_ns) - 1)
        return Trace("telemetry", {name: column[first : last + 1] for name, column in found.columns.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The draft of a run, and its audio in a file."""

    draft: Draft
    sound: Delivered

    @property
    def run_id(self) -> str:
        """The id that joins the run to its row in the attempts table."""
        return str(self.draft.descriptor["run"]["run_id"])

    def let_go(self, exchange: Exchange) -> None:
        """Delete the files of the run once an artifact holds them."""
        exchange.discard()
        self.drop_copy(exchange)

    def drop_copy(self, exchange: Exchange) -> None:
        """Delete what was made of the answer, where that is a file of its own."""
        if self.sound.path != exchange.path:
            with suppress(OSError):
                os.unlink(self.sound.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """What all runs of one server share: who asks, what is stated, the timebase and the sensor."""

    url: str
    timebase: Timebase
    sampler: Sampler
    stated: Stated
    pcm: str | None
    say: Callable[[str], None]
    clips: tuple[tuple[Reference, bytes], ...] = ()
    method: str = "POST"

    def __post_init__(self) -> None:
        """Raise Refused for a format of PCM that is none, before the first request."""
        if self.pcm is not None:
            StatedPcmFormat.parse(self.pcm)

    def check(self, text: str) -> None:
        """Raise Refused for a condition that no artifact could hold, before the first request."""
        require_sound(self.stated, text, self.clips)

    def keep(self, exchange: Exchange, text: str | bytes, body_digest: str, **stated: Any) -> Kept:
        """Return the draft of the run that an exchange became; `stated` is what holds of this request alone.

        Raises Refused for bytes that are not audio. Delivered bytes are never deleted.
        """
        sound = delivered(exchange, self.pcm)
        statements = self._statements(exchange, sound.note, stated)
        run = self._run(exchange, sound)
        return Kept(draft=self._draft(run, exchange, sound, statements, text, body_digest), sound=sound)

    def journal(self, run: Run, exchange: Exchange, wanted: SpeechRequest) -> None:
        """Write down what a recovery needs of an answer that has begun; later lines stand for earlier ones."""
        wave = None
        with suppress(TtsArtifactError):
            words = pcm_of(exchange, self.pcm)
            wave = None if words is None else StatedPcmFormat.parse(words)._asdict()
        run.journal.write("audio", file=os.path.basename(exchange.path), pcm=wave, header_bytes=0)
        with suppress(TtsArtifactError):
            stated = self._statements(exchange, None, {})
            delivery = self._delivery(exchange, wanted.body_digest, is_raw=wave is not None)
            sections = statement_sections(
                stated, text=wanted.text, clips=self.clips, delivery=delivery, lock=absent("not_measured")
            )
            kept = ("observer", "semantics", "includes", "request", "elsewhere")
            facts = {name: getattr(delivery, name) for name in kept}
            run.journal.write("conditions", sections=sections, run=run_facts(stated), **facts)

    def _statements(self, exchange: Exchange, note: str | None, own: dict[str, Any]) -> Stated:
        """Return what the server states about itself, and over it what the caller does."""
        server = exchange.stated
        statements: dict[str, Any] = {}
        if server.engine:
            statements["engine"] = pins.tool(server.engine)
        if server.device:
            statements["device"] = server.device
        if server.seed:
            asked = self._requested_seed()
            generator = absent("unknown", "the server does not say")
            statements["seeds"] = [
                {"stage": "engine", "requested": asked, "effective": server.seed, "generator": generator}
            ]
        statements |= dict(self.stated) | own
        if server.seed and "seeds" in self.stated:
            statements["seeds"] = [dict(statements["seeds"][0]) | {"effective": server.seed}, *statements["seeds"][1:]]
        notes = [words for words in (statements.get("notes"), note) if words]
        return spelled_out(statements | ({"notes": "\n".join(notes)} if notes else {}))  # type: ignore[arg-type]

    def _requested_seed(self) -> Any:
        """Return the seed that was sent, in the JSON or as the caller states it."""
        sent = self.stated.get("params", {}).get("seed")
        return absent("unknown", "none was sent") if sent is None else str(sent)

    def _run(self, exchange: Exchange, sound: Delivered) -> Run:
        run = Run(exchange.path, say=self.say, replace=True)
        run.timebase, run.now = self.timebase, self.timebase.now
        end_ns = exchange.t_end_ns or 0
        run.sampler = Window(self.sampler, self.timebase, exchange.t_submit_ns, end_ns)
        run.chunks[:] = sound.chunks
        run.moments.scheduled, run.moments.submit = exchange.t_scheduled_ns, exchange.t_submit_ns
        run.moments.first_byte = exchange.t_first_byte_ns
        server = exchange.stated
        if server.queue_depth is not None and server.running is not None:
            waiting = max(0, server.queue_depth - server.running)
            run.logs.queue.append((exchange.t_submit_ns, waiting, min(server.running, server.queue_depth)))
        else:
            depth = exchange.in_flight if server.queue_depth is None else server.queue_depth
            run.logs.running = server.running  # perhaps of others too, whom this client does not see
            run.logs.depth = None if depth is None else max(depth, server.running or 0)
        if server.batch_size is not None and (server.batch_index or 0) < server.batch_size:
            run.logs.batch = (server.batch_size, server.batch_index or 0)
        return run

    def _draft(
        self, run: Run, exchange: Exchange, sound: Delivered, statements: Stated, text: str | bytes, body_digest: str
    ) -> Draft:
        delivery = replaced(
            self._delivery(exchange, body_digest, is_raw=sound.is_raw),
            t_last_ns=sound.chunks[-1][0] if sound.chunks else exchange.reads[-1][0],
            sample_rate_hz=sound.sample_rate_hz,
        )
        return draft_of(run, statements, text=text, clips=self.clips, delivery=delivery)

    def _delivery(self, exchange: Exchange, body_digest: str, *, is_raw: bool) -> Delivery:
        return Delivery(
            t_last_ns=0,
            sample_rate_hz=None,
            audio={},
            observer="client",
            semantics="socket",
            includes=["network"] if is_raw else ["network", "container_encode"],
            in_process=False,
            request=self._request(exchange, body_digest),
            elsewhere=not is_loopback(self.url),
        )

    def _request(self, exchange: Exchange, body_digest: str) -> dict[str, Any]:
        seen = "server" if exchange.stated.states_load else "client" if exchange.in_flight is not None else "nobody"
        return {
            "method": self.method,
            "url": public_url(self.url),
            "body_digest": body_digest,
            "status": exchange.http_status,
            "content_type": exchange.content_type or absent("unknown", "the server does not say"),
            "content_encoding": exchange.encoding,
            "carried": exchange.carried,
            "t_head_ns": exchange.t_head_ns,
            "body_bytes": exchange.body_bytes,
            "load_seen_by": seen,
            "stated": exchange.stated.to_value(),
        }


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

    Example:
        `record_http(SpeechRequest(url="http://localhost:8880/v1/audio/speech", text="Hello."), "run.tts.wav")`
    """
    require_library()
    stated = spelled_out({"params": stated_params(wanted.params)} | stated)
    require_sound(stated, wanted.text, ())
    if pcm is not None:
        StatedPcmFormat.parse(pcm)
    run = Run(out, sensor=sensor, clock=clock, period_ns=period_ns, replace=replace, say=say)
    run.begin(advice=CTRL_C, recorder="http")
    keeper = Keeper(url=wanted.url, timebase=run.timebase, sampler=run.sampler, stated=stated, pcm=pcm, say=say)
    exchange = Exchange(request_id="single", path=run.journal.part(".answer"), in_flight=in_flight)
    exchange.follow = partial(_follow, run, keeper, exchange, wanted)
    try:
        with signals_held(raise_end):
            asyncio.run(_exchanged(wanted, exchange, run.now))
        run.end()
        packed = _packed(keeper, exchange, wanted, out, replace=replace)
    except BaseException as error:
        _keep(run, keeper, exchange, wanted)
        run.abandon(cause_of(error))
        raise
    run.journal.remove()
    return packed


def _follow(run: Run, keeper: Keeper, exchange: Exchange, wanted: SpeechRequest) -> None:
    """Write down the moment of the request, and each read."""
    if not exchange.reads:
        run.heard_ns = exchange.t_submit_ns
        run.stamp("submit", exchange.t_submit_ns)
        return
    if len(exchange.reads) == 1:
        keeper.journal(run, exchange, wanted)
    run.was_read(*exchange.reads[-1])


def _keep(run: Run, keeper: Keeper, exchange: Exchange, wanted: SpeechRequest) -> None:
    """Say where what the server delivered is kept, beside the output; an empty file is not."""
    if exchange.audio_bytes:
        keeper.journal(run, exchange, wanted)
        tell_kept(run, exchange.path, "what the server sent")
        return
    if os.path.lexists(exchange.path):
        run.say(f"the answer is kept in {exchange.path}")
    run.journal.remove()


async def _exchanged(wanted: SpeechRequest, exchange: Exchange, now: Callable[[], int]) -> None:
    async with connected() as client:
        await speak(client, wanted, exchange, now)


def _packed(
    keeper: Keeper, exchange: Exchange, wanted: SpeechRequest, out: str | os.PathLike[str], *, replace: bool
) -> Packed:
    if exchange.status is not Status.OK:
        came = "only a part of its answer" if exchange.audio_bytes else "no audio"
        raise CommandFailed(
            f"the server delivered {came}: {exchange.reason}",
            where=public_url(wanted.url),
            found="no answer" if exchange.http_status is None else f"HTTP {exchange.http_status}",
            expected="the whole answer" if exchange.audio_bytes else "audio",
        )
    kept = keeper.keep(exchange, wanted.text, wanted.body_digest)
    for line in (kept.sound.note or "").splitlines():
        keeper.say(line)
    try:
        with FileSource(kept.sound.path) as source:
            packed = pack(kept.draft, source, os.fspath(out), replace=replace)
    finally:
        kept.drop_copy(exchange)
    exchange.discard()
    return packed
