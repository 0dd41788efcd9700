"""The one throat for clocks: what time it is, on which clock, and how well that clock is tied to UTC (clause 7).

Nothing else in the package reads a clock. A run's times are nanoseconds after the origin of its `Timebase`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

from ttsartifact.formulas.timebase import to_utc
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

__all__ = ["MONOTONIC", "REALTIME", "Clock", "Snapshot", "SystemClock", "Timebase", "utc_string"]

MONOTONIC = "host.monotonic"
REALTIME = "host.utc"
SNAPSHOT_TRIES = 21  # the narrowest of 21 triples: 310 ns here, repeatable to 15 ns
SNAPSHOT_EVERY_NS = 30_000_000_000
_STA_UNSYNC = 0x0040  # linux/timex.h


class Clock(Protocol):
    """Two readings and what is known of the clocks behind them."""

    def now_ns(self) -> int:
        """Return the monotonic clock, whose zero means nothing."""
        ...

    def utc_ns(self) -> int:
        """Return nanoseconds after 1970 on the clock that claims to know UTC."""
        ...

    def clocks(self) -> list[dict[str, Any]]:
        """Return the entries of /timebase/clocks: MONOTONIC, then REALTIME."""
        ...


class SystemClock:
    """This machine's clocks."""

    def now_ns(self) -> int:
        """Return perf_counter, the finest monotonic clock on every platform."""
        return time.perf_counter_ns()

    def utc_ns(self) -> int:
        """Return the wall clock."""
        return time.time_ns()

    def clocks(self) -> list[dict[str, Any]]:
        """Return what the system knows of both clocks."""
        domain = _boot_domain()
        return [
            {
                "id": MONOTONIC,
                "kind": "monotonic",
                "domain": domain,
                "resolution_ns": _resolution_ns("perf_counter"),
                "counts_suspend": _monotonic_counts_suspend(),
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
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """UTC read between two monotonic readings; it belongs to their middle, give or take half the bracket."""

    monotonic_ns: int
    utc_ns: int
    bracket_ns: int

    @staticmethod
    def take(clock: Clock, tries: int = SNAPSHOT_TRIES) -> Snapshot:
        """Return the narrowest of `tries` triples."""
        triples = [(clock.now_ns(), clock.utc_ns(), clock.now_ns()) for _ in range(tries)]
        before, utc, after = min(triples, key=lambda triple: triple[2] - triple[0])
        return Snapshot(monotonic_ns=(before + after) // 2, utc_ns=utc, bracket_ns=after - before)


class Timebase:
    """The axis of one run. Its origin is its first snapshot, so t = 0 has a UTC of its own."""

    def __init__(self, clock: Clock, *, every_ns: int = SNAPSHOT_EVERY_NS) -> None:
        self.clock = clock
        self._every_ns = every_ns
        self._lock = threading.Lock()
        self._snapshots = [("start", Snapshot.take(clock))]
        self.origin_ns = self._snapshots[0][1].monotonic_ns
        self._due_ns = every_ns
        self._now_ns = clock.now_ns

    def now(self) -> int:
        """Return nanoseconds after the origin."""
        return self._now_ns() - self.origin_ns

    def keep(self, t_ns: int) -> None:
        """Take a snapshot when the last one is half a minute old at `t_ns`; a step or a suspend then shows."""
        if t_ns < self._due_ns:
            return
        with self._lock:
            if t_ns >= self._due_ns:
                self._snapshots.append(("during", Snapshot.take(self.clock)))
                self._due_ns = t_ns + self._every_ns

    def close(self) -> None:
        """Take the last snapshot."""
        self._snapshots.append(("end", Snapshot.take(self.clock)))

    def to_value(self) -> dict[str, Any]:
        """Return /timebase. The verifier computes the alignment bound; none is declared."""
        clocks = self.clock.clocks()
        resolution_ns = clocks[1]["resolution_ns"]
        return {
            "unit": "ns",
            "origin": {"clock": MONOTONIC, "utc": utc_string(self._snapshots[0][1].utc_ns, resolution_ns)},
            "clocks": clocks,
            "snapshots": [
                {
                    "at": at,
                    "t_ns": snapshot.monotonic_ns - self.origin_ns,
                    "clock": REALTIME,
                    "utc": utc_string(snapshot.utc_ns, resolution_ns),
                    "bracket_ns": snapshot.bracket_ns,
                }
                for at, snapshot in self._snapshots
            ],
            "uncertainty_ns": absent("not_measured", "the verifier computes the bound from the snapshots"),
        }


def utc_string(utc_ns: int, resolution_ns: int = 1) -> str:
    """Return RFC 3339 in UTC with no more fractional digits than a clock of that resolution fills (clause 7.3)."""
    digits = max(0, 10 - len(str(resolution_ns)))
    return to_utc(utc_ns)[: 20 + digits].rstrip(".Z") + "Z"


def _resolution_ns(name: str) -> int:
    resolution = time.get_clock_info(name).resolution  # type: ignore[arg-type]  # typeshed lists the names
    return max(1, round(resolution * 1_000_000_000))


def _boot_domain() -> str | dict[str, Any]:
    """Return the digest of the boot id, a random number of 122 bits that the kernel draws anew at each boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return digest.of(file.read().strip())
    except OSError:
        return absent("unknown", "this system names no boot")


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


def _kernel_sync() -> dict[str, Any]:
    """Return what the kernel knows of the wall clock's discipline; reading needs no privilege."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError, TypeError):
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
