"""Exchanges of a proxy become artifacts in a folder and rows of an attempts table, while no request is in flight."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from ttsartifact.container.codecs import codec_opening
from ttsartifact.container.magic import HEAD_BYTES
from ttsartifact.container.source import FileSource
from ttsartifact.errors import TtsArtifactError, Unavailable
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.packing.pack import pack
from ttsartifact.recording.sampler import Sampler
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.recording.statements import spelled_out
from ttsartifact.serving.attempts import SUFFIX, Attempt, Law, attempt_of, write_attempts
from ttsartifact.serving.exchange import Status
from ttsartifact.serving.keeping import Keeper
from ttsartifact.serving.request import public_url
from ttsartifact.serving.summing import figures_of
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.recording.statements import Stated
    from ttsartifact.serving.proxying import SpeechExchange

_IDLE_S = 0.2
"""How long the proxy must be idle before a run is packed."""
_SWITCH_S = 0.0005
"""How long packing may hold up a request that comes meanwhile; Python's own 5 ms are more than a proxy may cost."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What a proxy wrote."""

    folder: str
    attempts_path: str
    attempts: list[Attempt] = field(default_factory=list)


async def gather(
    to: str,
    listen: tuple[str, int],
    folder: str,
    *,
    stated: Stated,
    pcm: str | None,
    say: Callable[[str], None],
    listening: Callable[[int], None] = lambda _port: None,
    until: asyncio.Event | None = None,
) -> Gathered:
    """Run a proxy before the server `to` until `until` is set or the process is told by a signal to end.

    Each answer becomes an artifact in `folder` as soon as no request is in flight, each request a line of a journal
    there, and in the end a row of `proxy.attempts.parquet`.
    """
    try:
        from ttsartifact.serving.proxying import Proxy
    except ImportError as error:
        raise Unavailable("a proxy needs h11", where="h11", expected='pip install "ttsartifact[http]"') from error
    stem = _free_stem(folder)
    keeping = _Keeping(to, folder, os.path.join(folder, f"{stem}.attempts.jsonl"), stated, pcm, say)
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    proxy = Proxy(to, folder, heard=keeping.take)
    ended = until or _end_requested()
    try:
        listening(await proxy.listen(*listen))
        while not ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _IDLE_S)
            while keeping.waiting and not proxy.in_flight:
                await asyncio.to_thread(keeping.pack_one)
    finally:
        await proxy.close()
        while keeping.waiting:
            keeping.pack_one()
        sys.setswitchinterval(before)
    path = os.path.join(folder, stem + SUFFIX)
    write_attempts(keeping.rows, path)
    keeping.forget()
    return Gathered(folder=folder, attempts_path=path, attempts=keeping.rows)


def _free_stem(folder: str) -> str:
    """Make the folder, and return the name of an attempts table that is not there yet."""
    os.makedirs(folder, exist_ok=True)
    stems = ("proxy" if number == 1 else f"proxy-{number}" for number in count(1))
    return next(
        stem
        for stem in stems
        if not any(os.path.lexists(os.path.join(folder, stem + end)) for end in (SUFFIX, ".attempts.jsonl"))
    )


def _end_requested() -> asyncio.Event:
    """Return an event that a signal to end sets, so that what was heard is written first."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):  # Windows has no such handlers
            loop.add_signal_handler(number, event.set)
    return event


class _Keeping:
    """Requests that ended, from their end to their artifact."""

    def __init__(
        self, to: str, folder: str, journal: str, stated: Stated, pcm: str | None, say: Callable[[str], None]
    ) -> None:
        self._to, self._folder, self._journal_path = to, folder, journal
        self._stated, self._pcm, self._say = stated, pcm, say
        self._journal = open(journal, "x", encoding="utf-8", buffering=1)  # noqa: SIM115 - lives as long as the proxy
        self.waiting: list[SpeechExchange] = []
        self.rows: list[Attempt] = []

    def take(self, heard: SpeechExchange) -> None:
        """Take a request that has ended; no artifact is packed while others wait for their answers."""
        self.waiting.append(heard)

    def pack_one(self) -> None:
        """Make an artifact of the first answer that waits, and a row of its request."""
        heard = self.waiting.pop(0)
        try:
            run_id, path = self._packed(heard) if heard.exchange.status is Status.OK else (None, None)
        except TtsArtifactError as error:
            heard.exchange.status, heard.exchange.reason = Status.NOT_AUDIO, str(error)[:1000]
            run_id, path = None, None
        row = self._row(heard, run_id, path)
        self.rows.append(row)
        self._journal.write(json.dumps(asdict(row)) + "\n")
        words = row.reason or (None if path is None else os.path.basename(path)) or ""
        held = heard.exchange.path
        self._say(f"{row.status}: {words}" + (f"; what came is kept in {held}" if os.path.lexists(held) else ""))

    def forget(self) -> None:
        """Delete the journal, once the table holds its contents."""
        self._journal.close()
        os.unlink(self._journal_path)

    def _packed(self, heard: SpeechExchange) -> tuple[str, str]:
        keeper = Keeper(
            url=self._to,
            timebase=heard.timebase,
            sampler=Sampler(Absent(), heard.timebase),
            stated=spelled_out(self._stated),
            pcm=self._pcm,
            say=self._say,
        )
        keeper.sampler.start()
        kept = keeper.keep(heard.exchange, heard.text, heard.body_digest, params=heard.params, attempt=1)
        with FileSource(kept.sound.path) as source:
            codec = codec_opening(source.read_at(0, min(HEAD_BYTES, source.size)))
            carrier = codec.name if codec is not None and codec.has_carrier else "parquet"
            path = os.path.join(self._folder, f"{heard.exchange.request_id}.tts.{carrier}")
            pack(kept.draft, source, path)
        kept.let_go(heard.exchange)
        return kept.run_id, path

    def _row(self, heard: SpeechExchange, run_id: str | None, path: str | None) -> Attempt:
        row = attempt_of(
            heard.exchange,
            source="proxy",
            url=public_url(self._to),
            origin_utc=from_utc(heard.timebase.to_value()["origin"]["utc"]),
            law=Law.OBSERVED,
            place=len(self.rows),
            text_digest=digest.of(heard.text),
            run_id=run_id,
        )
        return row if path is None or run_id is None else replace(row, **figures_of(path)[run_id])
