"""One run while it happens: its timebase, journal, telemetry and logs.

It does not depend on the source of the audio (`Recorder` is handed chunks, `record_command` waits for a process), nor
of what becomes of it (`drafting`).
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import require_room
from ttsartifact.errors import Refused, cause_of
from ttsartifact.recording.clock import MONOTONIC, SystemClock, Timebase
from ttsartifact.recording.journal import Journal
from ttsartifact.recording.keyword_checks import path_of, require_parts, require_sections, whole_number
from ttsartifact.recording.sampler import PERIOD_NS, Sampler
from ttsartifact.recording.sensors import BESIDE_COLUMNS, TELEMETRY_COLUMNS
from ttsartifact.recording.sensors.choosing import Absent
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import SYNC_BURST

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.recording.bursting import SyncBurst
    from ttsartifact.recording.clock import Clock
    from ttsartifact.recording.sensors import Sensor

_MOST = (1 << 53) - 1  # the greatest integer of an artifact
_LONGEST_PERIOD_NS = 3_600_000_000_000  # an hour
_QUIET_NS = 10_000_000_000
CTRL_C = " (Ctrl-C ends it and keeps what came)"
JOURNAL_FORMAT = 1
"""Of the lines of a journal; `recovering` reads this one."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def say_by_logging(words: str) -> None:
    """Pass a message to the caller; Python prints it on stderr if no callback is set."""
    logging.getLogger("ttsartifact").warning("%s", words)


@dataclass(slots=True, kw_only=True)
class Moments:
    """The times of a run, in nanoseconds after its origin; None until they come."""

    scheduled: int | None = None
    submit: int | None = None
    start: int | None = None
    first_byte: int | None = None
    first_model_token: int | None = None
    encoded: int | None = None


class Channel:
    """A trace of the caller's own: integers at times of the run. `Recorder.channel` makes it.

    `name` is the trace's, `facts` are those of its entry in /channels, and `now` reads the run's clock.
    """

    def __init__(self, name: str, facts: dict[str, Any], now: Callable[[], int]) -> None:
        self.name, self.facts, self._now = name, facts, now
        self.t_ns: list[int] = []
        self.values: list[int | None] = []

    def sample(self, value: int | None, *, t_ns: int | None = None) -> None:
        """Log a `value` in the channel's unit; None is a reading that did not arrive.

        `t_ns` is its time in nanoseconds after the origin of the run, now by default. Raises Refused for a value that
        is not whole: choose a unit in which it is, such as mW for W.
        """
        moment = self._now() if t_ns is None else whole_number(t_ns, "t_ns", -_MOST, _MOST)
        self.values.append(None if value is None else whole_number(value, f"channel {self.name}", -_MOST, _MOST))
        self.t_ns.append(moment)


@dataclass(slots=True, kw_only=True)
class Logs:
    """What happened, in its order."""

    events: list[tuple[int, str, str]] = field(default_factory=list)
    queue: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    channels: dict[str, Channel] = field(default_factory=dict)
    batch: tuple[int, int] | None = None
    depth: int | None = None
    """The queue's depth at submit, for an engine that does not state how many of those are running."""
    running: int | None = None
    """How many were running then, for one that states nothing else."""


class Silence:
    """Says when no audio has come for ten seconds, then for twenty, forty and so on, so that a stall is seen."""

    def __init__(self, say: Callable[[str], None], heard_ns: Callable[[], int | None], advice: str = "") -> None:
        """Take what returns the time of the last audio, or of the request; None while nothing is awaited."""
        self._say, self._heard_ns, self._advice = say, heard_ns, advice
        self._last_ns: int | None = None
        self._next_ns = 0

    def __call__(self, t_ns: int) -> None:
        """Look whether there is a silence at `t_ns`."""
        heard_ns = self._heard_ns()
        if heard_ns is None:
            return
        if heard_ns != self._last_ns:
            self._last_ns, self._next_ns = heard_ns, _QUIET_NS
        quiet_ns = t_ns - heard_ns
        if quiet_ns >= self._next_ns:
            self._next_ns = 2 * quiet_ns
            self._say(f"no audio for {quiet_ns // 1_000_000_000} s; still waiting{self._advice}")


class Run:
    """A run from its first clock reading to its draft."""

    def __init__(
        self,
        out: str | os.PathLike[str],
        *,
        sensor: Sensor | None = None,
        clock: Clock | None = None,
        period_ns: int = PERIOD_NS,
        replace: bool = False,
        say: Callable[[str], None] = say_by_logging,
        beside: Run | None = None,
        sync_burst: SyncBurst | None = None,
    ) -> None:
        """Check before anything happens that the output can be written; nothing is read or opened yet.

        A run `beside` another is computed in the same batch: one timebase and one sampler serve both.
        """
        require_parts(sensor=sensor, clock=clock, sync_burst=sync_burst, say=say)
        self.out = path_of(out)
        self._say = say
        self.moments = Moments()
        self.chunks: list[tuple[int, int, int]] = []
        self._clock = clock or SystemClock()
        self._sensor = sensor or Absent()
        self._said_sensor = sensor is not None and not getattr(sensor, "optional", False)
        self._period_ns = whole_number(period_ns, "period_ns", 1, _LONGEST_PERIOD_NS)
        self._beside = beside
        self._burst = sync_burst
        self._bursts: Channel | None = None
        self._ended = False
        self.heard_ns: int | None = None
        """When audio came last, or was asked for; None while none is awaited."""
        self.timebase: Timebase
        self.sampler: Sampler
        self.logs = Logs()
        require_room(self.out, replace=replace)

    def say(self, words: str) -> None:
        """Call the caller's callback; an error in it does not affect the audio."""
        try:
            self._say(words)
        except Exception:
            logging.getLogger("ttsartifact").exception("the recorder's message callback failed on: %s", words)

    def begin(self, *, advice: str = "", **facts: Any) -> None:
        """Start the timebase, the sensor and the journal, whose file is there when this returns."""
        self.start(advice=advice, **facts)
        try:
            self.journal.create()
        except BaseException:
            self.sampler.abandon()
            raise
        self.journal.release()

    def start(self, *, advice: str = "", **facts: Any) -> None:
        """Start the timebase and the sensor, and a journal that holds its lines until somebody creates its file.

        `advice` is said behind a line about a silence.
        """
        self.timebase = Timebase(self._clock) if self._beside is None else self._beside.timebase
        self.now = self.timebase.now
        self.timebase.watchers.append(Silence(self.say, lambda: self.heard_ns, advice))
        self.journal = Journal(self.out, self.now)
        self.journal.write("begin", format=JOURNAL_FORMAT, out=os.path.basename(self.out), **facts)
        self.journal.write_later("timebase", self.timebase.to_value)
        if self._beside is not None:
            self.sampler = self._beside.sampler
            return
        self.sampler = Sampler(self._sensor, self.timebase, period_ns=self._period_ns)
        try:
            self.sampler.start()
            if self._burst is not None:
                self._bursts = self.channel(
                    SYNC_BURST, unit="count", semantics="step", source="os", call="Barker code of 13 chips"
                )
                self._burst.give(self._bursts.sample, self.now)
        except BaseException:
            self.sampler.abandon()
            raise
        self._note_absence()

    def end(self) -> None:
        """Stop the sampler and take the last snapshot; nothing of the run happens after it."""
        self.heard_ns = None
        if self._beside is not None:
            self._beside.end()
            return
        if self._ended:
            return
        self._ended = True
        self._burst_again()
        sound = self.sampler.absence is None
        self.sampler.stop()
        self.timebase.close()
        if sound:
            self._note_absence()

    def _burst_again(self) -> None:
        """Give the second burst; one that fails is a fault of ours, and the run is kept."""
        if self._burst is None or self._bursts is None:
            return
        try:
            self._burst.give(self._bursts.sample, self.now)
        except Exception as error:  # noqa: BLE001 - the load is the caller's own
            self.say(f"no load was made after the run: {cause_of(error)}")

    def _note_absence(self) -> None:
        """Say why there is no telemetry, when a sensor was requested."""
        if self.sampler.absence and self._said_sensor:
            self.say(f"no telemetry: {self.sampler.absence}")
            self.journal.write("no telemetry", why=self.sampler.absence)

    def abandon(self, why: str, **facts: Any) -> None:
        """Keep the journal, which states how far the run came and where the delivered audio is kept."""
        self.heard_ns = None
        if self._beside is None and not self._ended:
            self._ended = True
            self.sampler.abandon()
            self.timebase.close()
        self.journal.write("timebase", **self.timebase.to_value())
        self.journal.write("abandoned", why=why, **facts)
        self.journal.close()

    def submit(self) -> None:
        """Stamp the moment at which the request is handed to the engine."""
        if self.moments.submit is not None:
            raise Refused("the run was submitted before", where=f"t = {self.moments.submit} ns")
        self.mark("submit")
        self.heard_ns = self.moments.submit

    def mark(self, moment: str) -> None:
        """Stamp one of the run's `Moments` with the time that it is."""
        self.stamp(moment, self.now())

    def stamp(self, moment: str, t_ns: int, *, is_followed: bool = False) -> None:
        """Set one of the run's `Moments` to a time that was read before; its line may wait for one that follows."""
        setattr(self.moments, moment, t_ns)
        self.journal.write_moment(t_ns, moment, is_followed=is_followed)

    def arrived(self, t_ns: int, frame_start: int, frame_count: int) -> None:
        """Log the frames that were complete in host memory at `t_ns`, once they are in the file of this run."""
        self.heard_ns = t_ns
        self.chunks.append((t_ns, frame_start, frame_count))
        self.journal.write_chunk(t_ns, frame_start, frame_count)

    def was_read(self, t_ns: int, size: int) -> None:
        """Log that `size` bytes of a command's audio are in its file."""
        self.heard_ns = t_ns
        self.journal.write_at(t_ns, "read", bytes=size)

    def event(self, kind: str, detail: str = "") -> None:
        """Log that something happened. Raises Refused for a kind that is not a word."""
        if not isinstance(kind, str) or not kind:
            raise Refused(
                "an event without a kind", where="event", found=repr(kind)[:200], expected='event("barge_in")'
            )
        t_ns, detail = self.now(), "" if detail is None else str(detail)
        self.logs.events.append((t_ns, kind, detail[:4096]))
        self.journal.write_at(t_ns, "event", kind=kind, detail=detail[:4096])

    def queue_depth(self, waiting: int | None, running: int | None) -> None:
        """Log the load as a step: requests accepted and unfinished without this one, and those that compute.

        Raises Refused for a value that is not a number of requests.
        """
        waiting = None if waiting is None else whole_number(waiting, "waiting", 0, _MOST)
        running = None if running is None else whole_number(running, "running", 0, _MOST)
        t_ns = self.now()
        self.logs.queue.append((t_ns, waiting, running))
        self.journal.write_at(t_ns, "queue", waiting=waiting, running=running)

    def batch(self, size: int, index: int) -> None:
        """State the batch that this request computed in, and its place there. Raises Refused for a place beyond it."""
        size = whole_number(size, "size", 1, _MOST)
        index = whole_number(index, "index", 0, size - 1)
        self.logs.batch = (size, index)
        self.journal.write("batch", size=size, index=index)

    def channel(
        self,
        name: str,
        *,
        unit: str,
        semantics: str = "instant",
        source: str = "runner",
        call: str | None = None,
        rate_mhz: int | None = None,
        **facts: Any,
    ) -> Channel:
        """Return a trace of the caller's own; further facts are those of the schema's `channel`."""
        if not _NAME.fullmatch(name) or name in self.logs.channels or name in {**TELEMETRY_COLUMNS, **BESIDE_COLUMNS}:
            raise Refused("the channel's name is taken or not valid", found=name, expected="a new name in snake_case")
        described = {
            "name": name,
            "unit": unit,
            "clock": MONOTONIC,
            "semantics": semantics,
            "stamp": "window_end",
            "window_ns": 0 if semantics in {"instant", "step", "hold"} else absent("unknown", "not stated"),
            "latency_ns": absent("unknown", "not stated"),
            "rate_mhz": absent("unknown", "not stated") if rate_mhz is None else rate_mhz,
            "source": source,
            "call": absent("not_applicable", "the caller's own") if call is None else call,
            "scope": absent("unknown", "not stated"),
            "status": "ok",
            "device": absent("not_applicable", "no device of /env/devices"),
        } | facts
        require_sections({"/channels": [described]})
        self.logs.channels[name] = Channel(name, described, self.now)
        return self.logs.channels[name]
