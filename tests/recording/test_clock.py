"""Clocks (clause 7): one throat, brackets measured, the state of synchronisation said."""

from __future__ import annotations

import time

import fakes
import pytest

from ttsartifact.formulas.timebase import from_utc
from ttsartifact.recording import clock
from ttsartifact.recording.clock import (
    BOOTTIME,
    MONOTONIC,
    SNAPSHOT_TRIES,
    ClockReading,
    SystemClock,
    Timebase,
    utc_string,
    worse_sync,
)
from ttsartifact.terms.descriptor import absent


def test_a_snapshot_is_the_narrowest_of_its_triples() -> None:
    """7.2: the origin's clock, another clock, the origin's clock again; the bracket is the width that was measured."""
    clock = fakes.FakeClock(1, 900, 1, 30, 1, 500)  # widths 900, 30 and 500, round and round

    found = ClockReading.take(clock.now_ns, clock.utc_ns, tries=6)

    assert found.bracket_ns == 30


def test_the_other_clock_belongs_to_the_middle_of_its_bracket() -> None:
    """7.2: 30 ns apart, so the reading is placed 15 ns after the first of the two, and 15 ns before the second."""
    readings = iter([1_000, 1_030])

    found = ClockReading.take(lambda: next(readings), lambda: 77, tries=1)

    assert found == ClockReading(monotonic_ns=1_015, value_ns=77, bracket_ns=30)


def test_the_origin_is_the_first_snapshot() -> None:
    """7.1: t = 0 is on the origin's clock, and its UTC is the first snapshot's."""
    timebase = Timebase(fakes.FakeClock())
    timebase.close()

    value = timebase.to_value()

    first, last = value["snapshots"]
    assert (first["at"], first["t_ns"], first["utc"]) == ("start", 0, value["origin"]["utc"])
    assert (last["at"], last["t_ns"] > 0) == ("end", True)
    assert from_utc(last["utc"]) - from_utc(first["utc"]) == pytest.approx(last["t_ns"], abs=last["bracket_ns"])
    assert value["origin"]["clock"] == MONOTONIC


def test_a_long_run_is_tied_to_utc_every_half_minute() -> None:
    """7.2: a clock that is stepped in the middle shows between two snapshots."""
    clock = fakes.FakeClock()
    timebase = Timebase(clock)
    timebase.keep(timebase.now())
    clock.t_ns += 30_000_000_000
    clock.jump_ns = 5_000_000_000
    timebase.keep(timebase.now())
    timebase.keep(timebase.now())
    timebase.close()

    found = timebase.to_value()["snapshots"]

    assert [snapshot["at"] for snapshot in found] == ["start", "during", "end"]
    offsets = [from_utc(snapshot["utc"]) - snapshot["t_ns"] for snapshot in found]
    assert offsets[1] - offsets[0] == pytest.approx(5_000_000_000, abs=100)


def test_an_engine_that_says_nothing_for_long_is_tied_to_utc_all_the_same() -> None:
    """7.2: snapshots need no chunk: a thread of the process reminds every open timebase."""
    timebase = Timebase(SystemClock(), every_ns=1_000_000)
    while len(timebase.to_value()["snapshots"]) < 8:
        time.sleep(0.002)
    timebase.close()
    assert {snapshot["at"] for snapshot in timebase.to_value()["snapshots"]} == {"start", "during", "end"}


def test_a_clock_that_breaks_ends_no_reminders_of_other_runs() -> None:
    """7.2: it is logged, and the thread goes on for the others."""

    class Broken(SystemClock):
        calls = 0

        def utc_ns(self) -> int:
            self.calls += 1
            if self.calls > SNAPSHOT_TRIES:
                raise OSError
            return super().utc_ns()

    broken = Timebase(Broken(), every_ns=1_000_000)
    while broken in clock._KEEPER._open:
        time.sleep(0.002)
    with pytest.raises(OSError):
        broken.close()

    timebase = Timebase(SystemClock(), every_ns=1_000_000)
    while len(timebase.to_value()["snapshots"]) < 8:
        time.sleep(0.002)
    timebase.close()


def test_a_suspended_machine_is_told_from_a_clock_that_was_set() -> None:
    """7.2: the clock that counts suspends gains as much as the machine slept; it counts from the origin."""
    clock = fakes.SleepyClock()
    timebase = Timebase(clock)
    clock.slept_ns = 5_000_000_000
    timebase.close()
    slept = [snapshot for snapshot in timebase.to_value()["snapshots"] if snapshot["clock"] == BOOTTIME]
    assert [snapshot["value_ns"] - snapshot["t_ns"] for snapshot in slept] == [0, pytest.approx(5_000_000_000, abs=99)]


def test_synchronisation_is_what_held_throughout() -> None:
    """7.1: a daemon that lost its server during the run leaves the clock unsynchronised, whatever it said before."""
    good = {"source": "kernel", "synced": True, "est_error_ns": 1, "max_error_ns": 9, "smear": "unknown"}
    lost = {"source": "none", "synced": False, "est_error_ns": 5, "max_error_ns": 16_000_000_000, "smear": "unknown"}
    assert worse_sync(good, lost) == worse_sync(lost, good) == lost
    unread = absent("not_measured", "adjtimex is not there")
    assert worse_sync(good, unread) == worse_sync(unread, good) == unread


def test_this_machine_says_what_it_knows_of_its_clocks() -> None:
    """7.1: kind, domain, resolution, and the kernel's own word on synchronisation or why there is none."""
    monotonic, realtime, *rest = SystemClock().clocks()

    assert monotonic["domain"] == realtime["domain"]
    assert monotonic["resolution_ns"] >= 1
    assert monotonic["sync"]["reason"] == "not_applicable"
    assert all(clock["counts_suspend"] is True for clock in rest)
    assert {"synced", "max_error_ns"} <= set(realtime["sync"]) or realtime["sync"]["reason"] == "not_measured"


@pytest.mark.parametrize(
    ("resolution_ns", "expected"),
    [
        (1, "2026-11-18T21:33:20.123456789Z"),
        (100, "2026-11-18T21:33:20.1234567Z"),
        (1_000_000, "2026-11-18T21:33:20.123Z"),
        (1_000_000_000, "2026-11-18T21:33:20Z"),
    ],
)
def test_a_utc_string_has_no_more_digits_than_the_clock_resolves(resolution_ns: int, expected: str) -> None:
    """7.3: no digit is invented."""
    assert utc_string(1_795_037_600_123_456_789, resolution_ns) == expected
