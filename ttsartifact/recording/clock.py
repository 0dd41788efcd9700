"""The one throat for clocks: what time it is, on which clock, and how well that clock is tied to UTC (clause 7).

Nothing else in the package reads a clock. A run's times are nanoseconds after the origin of its `Timebase`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from ttsartifact.formulas.timebase import to_utc
from ttsartifact.recording.meanwhile import Worker, in_each_child
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Callable

MONOTONIC = "host.monotonic"
REALTIME = "host.utc"
BOOTTIME = "host.boottime"
SNAPSHOT_TRIES = 21  # the narrowest of 21 triples: 310 ns here, repeatable to 15 ns
_AWAKE_TRIES = 5  # it tells suspends, which last longer than any bracket
SNAPSHOT_EVERY_NS = 30_000_000_000
_DENSE_SNAPSHOTS = 1000  # of a run of many hours they become rarer, so that a descriptor never holds too many
_STA_UNSYNC = 0x0040  # linux/timex.h
_BOOTTIME_ID: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Two readings and what is known of the clocks behind them."""

    def now_ns(self) -> int:
        """Return the monotonic clock, whose zero means nothing."""
        ...

    def utc_ns(self) -> int:
        """Return nanoseconds after 1970 on the clock that claims to know UTC."""
        ...

    def clocks(self) -> list[dict[str, Any]]:
        """Return the entries of /timebase/clocks: MONOTONIC, then REALTIME, then others that are read."""
        ...


def _no_reading() -> None:
    """Read a clock that this system does not have."""


class SystemClock:
    """This machine's clocks."""

    # The functions themselves: a snapshot reads them 126 times while an engine waits for its request.
    now_ns = staticmethod(time.perf_counter_ns)  # the finest monotonic clock on every platform
    utc_ns = staticmethod(time.time_ns)
    awake_ns: Callable[[], int | None] = staticmethod(
        _no_reading if _BOOTTIME_ID is None else partial(time.clock_gettime_ns, _BOOTTIME_ID)
    )
    """A clock that goes on while the machine is suspended and is never set; None where there is none."""

    def clocks(self) -> list[dict[str, Any]]:
        """Return what the system knows of its clocks."""
        domain = _boot_domain()
        counts = _monotonic_counts_suspend()
        boottime = {
            "id": BOOTTIME,
            "kind": "monotonic",
            "domain": domain,
            "resolution_ns": 1,
            "counts_suspend": True,
            "sync": absent("not_applicable", "a monotonic clock is not set"),
        }
        return [
            {
                "id": MONOTONIC,
                "kind": "monotonic",
                "domain": domain,
                "resolution_ns": _resolution_ns("perf_counter"),
                "counts_suspend": counts,
                "sync": absent("not_applicable", "a monotonic clock is not set"),
            },
            {
                "id": REALTIME,
                "kind": "realtime",
                "domain": domain,
                "resolution_ns": _resolution_ns("time"),
                "counts_suspend": True,
                "sync": _kernel_sync(),
            },
            *([] if _BOOTTIME_ID is None else [boottime]),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """Another clock read between two monotonic readings; it belongs to their middle, give or take half the bracket."""

    monotonic_ns: int
    value_ns: int
    bracket_ns: int

    @staticmethod
    def take(now: Callable[[], int], other: Callable[[], int], tries: int = SNAPSHOT_TRIES) -> ClockReading:
        """Return the narrowest of `tries` triples."""
        triples = [(now(), other(), now()) for _ in range(tries)]
        before, value, after = min(triples, key=lambda triple: triple[2] - triple[0])
        return ClockReading(monotonic_ns=(before + after) // 2, value_ns=value, bracket_ns=after - before)


class Timebase:
    """The axis of one run. Its origin is its first snapshot, so t = 0 has a UTC of its own.

    UTC is read at the start, at the end, and about every half minute between: a step, a drift and a suspend then show,
    and no instant of the run lies far from a reading. The clock that counts suspends is read beside it.
    """

    def __init__(self, clock: Clock, *, every_ns: int = SNAPSHOT_EVERY_NS) -> None:
        self.clock = clock
        self._every_ns = every_ns
        self._lock = threading.Lock()
        self._snapshots = [("start", ClockReading.take(clock.now_ns, clock.utc_ns))]
        self._awake: list[tuple[str, ClockReading]] = []
        self._awake_ns: Callable[[], int | None] = getattr(clock, "awake_ns", lambda: None)
        self.origin_ns = self._snapshots[0][1].monotonic_ns
        self._due_ns = every_ns
        self._now_ns = clock.now_ns
        self.watchers: list[Callable[[int], None]] = []
        """Each is called with the time every few seconds, on a thread of its own, until the timebase is closed."""
        self._read_awake("start")
        _KEEPER.add(self)

    @cached_property
    def _clocks_at_start(self) -> list[dict[str, Any]]:
        """What is known of the clocks; asked by the first line that states it, while the engine has begun its work."""
        return self.clock.clocks()

    def at_utc(self, utc_ns: int) -> int:
        """Return where a time of UTC lies on this axis, by the first snapshot of UTC: its t is 0."""
        return utc_ns - self._snapshots[0][1].value_ns

    @property
    def every_s(self) -> float:
        """After how long it is to be reminded."""
        return min(_WATCH_S, self._every_ns / 1e9)

    def now(self) -> int:
        """Return nanoseconds after the origin."""
        return self._now_ns() - self.origin_ns

    def keep(self, t_ns: int) -> None:
        """Take a snapshot when the last one is half a minute old at `t_ns`; a step or a suspend then shows."""
        if t_ns < self._due_ns:
            return
        with self._lock:
            if t_ns >= self._due_ns:
                self._read("during")
                self._due_ns = t_ns + self._every_ns * (1 + len(self._snapshots) // _DENSE_SNAPSHOTS)

    def remind(self) -> None:
        """Take a snapshot that is due, and call those who watch."""
        t_ns = self.now()
        self.keep(t_ns)
        for watcher in self.watchers:
            watcher(t_ns)

    def close(self) -> None:
        """Take the last snapshot."""
        _KEEPER.discard(self)
        with self._lock:
            self._read("end")

    def to_value(self) -> dict[str, Any]:
        """Return /timebase. The verifier computes the alignment bound; none is declared."""
        clocks = self.clock.clocks() if self._snapshots[1:] else [dict(each) for each in self._clocks_at_start]
        clocks[1]["sync"] = worse_sync(self._clocks_at_start[1]["sync"], clocks[1]["sync"])
        resolution_ns = clocks[1]["resolution_ns"]
        snapshots = [
            self._entry(at, taken) | {"clock": REALTIME, "utc": utc_string(taken.value_ns, resolution_ns)}
            for at, taken in self._snapshots
        ]
        # Counted from the origin: how long a machine has been up is nobody's business.
        zero_ns = self._awake[0][1].value_ns - self._entry("start", self._awake[0][1])["t_ns"] if self._awake else 0
        snapshots += [
            self._entry(at, taken) | {"clock": BOOTTIME, "value_ns": taken.value_ns - zero_ns}
            for at, taken in self._awake
        ]
        return {
            "unit": "ns",
            "origin": {"clock": MONOTONIC, "utc": utc_string(self._snapshots[0][1].value_ns, resolution_ns)},
            "clocks": clocks if self._awake else clocks[:2],
            "snapshots": snapshots,
            "uncertainty_ns": absent("not_measured", "the verifier computes the bound from the snapshots"),
        }

    def _read(self, at: str) -> None:
        self._snapshots.append((at, ClockReading.take(self.clock.now_ns, self.clock.utc_ns)))
        self._read_awake(at)

    def _read_awake(self, at: str) -> None:
        if self._awake_ns() is not None:
            awake_ns = cast("Callable[[], int]", self._awake_ns)
            self._awake.append((at, ClockReading.take(self.clock.now_ns, awake_ns, _AWAKE_TRIES)))

    def _entry(self, at: str, taken: ClockReading) -> dict[str, Any]:
        return {"at": at, "t_ns": taken.monotonic_ns - self.origin_ns, "bracket_ns": taken.bracket_ns}


_WATCH_S = 5.0


class _Keeper:
    """Reminds every open timebase of its snapshots, on a thread of its own, whatever the engine does meanwhile."""

    def __init__(self) -> None:
        self._thread = Worker()
        self._begin()
        in_each_child(self._begin)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._open: weakref.WeakSet[Timebase] = weakref.WeakSet()
        self._reminds = False
        self._waits_s = 0.0

    def add(self, timebase: Timebase) -> None:
        """Remind a timebase until it is closed or forgotten."""
        with self._changed:
            self._open.add(timebase)
            if not self._reminds:
                self._reminds = True
                self._thread.take(self._remind)
            elif timebase.every_s < self._waits_s:
                self._changed.notify_all()

    def discard(self, timebase: Timebase) -> None:
        """Remind it no more."""
        with self._changed:
            self._open.discard(timebase)

    def _remind(self) -> None:
        while True:
            with self._changed:
                every_s = [timebase.every_s for timebase in self._open]
                if not every_s:
                    self._reminds = False
                    return
                self._waits_s = min(every_s)
                self._changed.wait(timeout=self._waits_s)
                waiting = list(self._open)
            for timebase in waiting:
                try:
                    timebase.remind()
                except Exception:  # a clock of the caller's broke: other runs are reminded all the same
                    logging.getLogger("ttsartifact").exception("cannot read a clock; no snapshot was taken")
                    self.discard(timebase)
            del waiting  # a timebase that was forgotten is not kept alive


_KEEPER = _Keeper()


def worse_sync(start: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
    """Return the state of synchronisation that held throughout: the worse of what was read at start and end."""
    if "synced" not in start or "synced" not in end:
        return start if "synced" not in start else end
    synced = start["synced"] and end["synced"]
    return {
        "source": "kernel" if synced else "none",
        "synced": synced,
        "est_error_ns": max(start["est_error_ns"], end["est_error_ns"]),
        "max_error_ns": max(start["max_error_ns"], end["max_error_ns"]),
        "smear": end["smear"],
    }


def utc_string(utc_ns: int, resolution_ns: int = 1) -> str:
    """Return RFC 3339 in UTC with no more fractional digits than a clock of that resolution fills (clause 7.3)."""
    digits = max(0, 10 - len(str(resolution_ns)))
    return to_utc(utc_ns)[: 20 + digits].rstrip(".Z") + "Z"


@cache
def _resolution_ns(name: str) -> int:
    resolution = time.get_clock_info(name).resolution  # type: ignore[arg-type]  # typeshed lists the names
    return max(1, round(resolution * 1_000_000_000))


def _boot_domain() -> str | dict[str, Any]:
    """Return the digest of the boot id, a random number of 122 bits that the kernel draws again at each boot."""
    return _boot_digest() or absent("unknown", "this system states no boot id")


@cache
def _boot_digest() -> str | None:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return digest.of(file.read().strip())
    except OSError:
        return None


def _monotonic_counts_suspend() -> bool | dict[str, Any]:
    if sys.platform in {"linux", "darwin"}:  # CLOCK_MONOTONIC and mach_absolute_time stand still
        return False
    return absent("unknown", f"not documented for {sys.platform}")


class _Timex(ctypes.Structure):
    """struct timex of linux/timex.h; the kernel's longs are ctypes' longs on every Linux that runs Python 3.11."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


@cache
def _adjtimex() -> Callable[[Any], int] | None:
    try:
        found: Callable[[Any], int] = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError, TypeError):
        return None
    return found


def _kernel_sync() -> dict[str, Any]:
    """Return what the kernel knows of the wall clock's discipline; reading needs no privilege."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return absent("not_measured", f"adjtimex is not there on {sys.platform}")
    state = _Timex(modes=0)
    if adjtimex(ctypes.byref(state)) < 0:
        return absent("not_measured", f"adjtimex: {os.strerror(ctypes.get_errno())}")
    synced = not state.status & _STA_UNSYNC
    return {
        "source": "kernel" if synced else "none",
        "synced": synced,
        "est_error_ns": max(0, state.esterror) * 1000,
        "max_error_ns": max(0, state.maxerror) * 1000,
        "smear": "unknown",
    }
