"""Clocks (clause 7, family CLK): whether the instants of a run are well defined and tied to UTC."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import (
    MAX_DRIFT_PPM,
    Snapshot,
    drift_allowance_ns,
    drift_ns,
    fraction_digits,
    from_utc,
    grain_ns,
    rounded_up,
    snapshots_of,
    utc_bound,
)
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

MAX_BRACKET_NS = 1_000_000


WIDE_BRACKET_NS = 100_000


@rule("CLK01")
def enclosed_run(evidence: Evidence) -> Answer:
    submit, last = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    found = list(evidence.entries("/timebase/snapshots"))
    if not found:
        return NotApplicable("no clock was read")
    late = [
        Mismatch(
            where=f"{where}/t_ns",
            found=entry["t_ns"],
            expected=f"at most t_submit_ns, {submit}",
            message="the start snapshot was taken after the run began",
        )
        for where, entry in found
        if entry["at"] == "start" and entry["t_ns"] > (submit if "utc" in entry else last)
    ]
    return late + [
        Mismatch(
            where=f"{where}/t_ns",
            found=entry["t_ns"],
            expected=f"at least t_last_token_ns, {last}",
            message="the end snapshot was taken before the run ended",
        )
        for where, entry in found
        if entry["at"] == "end" and entry["t_ns"] < (last if "utc" in entry else submit)
    ]


@rule("CLK02")
def narrow_bracket(evidence: Evidence) -> Answer:
    found = list(evidence.entries("/timebase/snapshots"))
    faults = []
    for where, entry in found:
        bracket = entry["bracket_ns"]
        if 0 <= bracket <= WIDE_BRACKET_NS or (bracket > 0 and "utc" not in entry):
            continue
        sound = WIDE_BRACKET_NS < bracket <= MAX_BRACKET_NS
        faults.append(
            Mismatch(
                where=f"{where}/bracket_ns",
                found=bracket,
                expected=f"0 to {WIDE_BRACKET_NS if sound else MAX_BRACKET_NS}",
                message="the bracket of the snapshot is wide, so its time is uncertain"
                if sound
                else "the bracket is negative, or too wide to say when the snapshot was taken",
                severity=Severity.WARN if sound else None,
            )
        )
    return faults if found else NotApplicable("no snapshot")


@rule("CLK03")
def agreeing_offsets(evidence: Evidence) -> Answer:
    timebase = evidence.known("/timebase")
    clocks = {entry["clock"] for entry in timebase["snapshots"]}
    faults, asked = [], False
    for clock in sorted(clocks):
        snapshots = snapshots_of(timebase, clock)
        for first, second in pairwise(snapshots):
            asked = True
            drift, allowed = drift_ns(first, second), drift_allowance_ns(first, second, grain_ns(timebase, clock))
            if abs(drift) > allowed:
                found = f"{clock} gained {drift} ns between t = {first.t_ns} and {second.t_ns}"
                words = _gain_words(timebase, first, second, allowed)
                faults.append(Mismatch("/timebase/snapshots", found, f"at most {allowed} ns", *words))
    origin, utc = evidence.known("/timebase/origin/utc"), snapshots_of(timebase)
    if origin is not None and utc:
        asked = True
        grain = 10 ** (9 - fraction_digits(origin))
        bracket = max(utc[0].bracket_ns, grain_ns(timebase, utc[0].clock))
        allowed = bracket + rounded_up(MAX_DRIFT_PPM * utc[0].t_ns, 1_000_000) + grain - 1
        gap = from_utc(origin) - utc[0].offset_ns
        if abs(gap) > allowed:
            faults.append(
                Mismatch(
                    where="/timebase/origin/utc",
                    found=f"{gap} ns from the snapshot at t = {utc[0].t_ns}",
                    expected=f"at most {allowed} ns",
                    message="the origin and the first snapshot disagree on UTC",
                )
            )
    return faults if asked else NotApplicable("no two readings of one clock")


@rule("CLK04")
def synchronised_clock(evidence: Evidence) -> Answer:
    if "utc_alignment" not in evidence.known("/claims"):
        return NotApplicable("no alignment with UTC is claimed")
    used = {entry["clock"] for _, entry in evidence.entries("/timebase/snapshots") if "utc" in entry}
    return [
        Mismatch(
            where=f"{where}/sync/synced",
            found=evidence.known(f"{where}/sync/synced"),
            expected=True,
            message="alignment with UTC is claimed, but the clock is not synchronised",
        )
        for where, clock in evidence.entries("/timebase/clocks")
        if clock["id"] in used and evidence.known(f"{where}/sync/synced") is not True
    ]


@rule("CLK05")
def honest_uncertainty(evidence: Evidence) -> Answer:
    declared = evidence.known("/timebase/uncertainty_ns")
    if declared is None:
        return NotApplicable("no uncertainty is declared")
    timebase = evidence.known("/timebase")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    timeline = utc_bound(timebase, start, end)
    if timeline is None:
        return Unverifiable("needs a snapshot of UTC")
    bounds = [("the timeline", timeline)]
    for _, channel in evidence.entries("/channels"):
        bound = utc_bound(timebase, start, end, channel)
        assert bound is not None  # the timeline has one
        bounds.append((f"channel {channel['name']}", bound))
    name, largest = max(bounds, key=lambda named: named[1].ns)
    if declared < largest.ns:
        return [
            Mismatch(
                where="/timebase/uncertainty_ns",
                found=declared,
                expected=f"at least {largest.ns}, the bound of {name}",
                message="the declared uncertainty promises more than was measured",
            )
        ]
    # A bound that lacks a term is still a lower bound: it can refute a declaration and not confirm it.
    return Unverifiable(f"needs {', '.join(timeline.lacks)} of the clock of UTC") if timeline.lacks else []


@rule("CLK06")
def defined_clocks(evidence: Evidence) -> Answer:
    faults = []
    defined: set[str] = set()
    for where, clock in evidence.entries("/timebase/clocks"):
        if clock["id"] in defined:
            faults.append(Mismatch(where=f"{where}/id", found=clock["id"], message="a clock is defined twice"))
        defined.add(clock["id"])
    return faults + [
        Mismatch(
            where=where,
            found=name,
            expected=f"one of {', '.join(sorted(defined))}",
            message="this clock is not defined in /timebase/clocks",
        )
        for where, name in _named_clocks(evidence)
        if name not in defined
    ]


@rule("CLK08")
def spelled_utc(evidence: Evidence) -> Answer:
    faults = evidence.breaches("CLK08")
    if faults:
        return faults
    for where, text in evidence.strings("utc", "retrieved", "calibrated"):
        try:
            from_utc(text)
        except InvalidDescriptor as error:
            faults.append(Mismatch(where=where, found=text, expected=error.expected, message=error.message))
    if faults:
        return faults
    resolutions = {clock["id"]: clock["resolution_ns"] for _, clock in evidence.entries("/timebase/clocks")}
    readings = [
        (f"{where}/utc", entry["utc"], resolutions.get(entry["clock"]))
        for where, entry in evidence.entries("/timebase/snapshots")
        if "utc" in entry
    ]
    origin = evidence.known("/timebase/origin/utc")
    if origin is not None and readings:
        readings.append(("/timebase/origin/utc", origin, readings[0][2]))
    return [
        Mismatch(
            where=where,
            found=text,
            expected=f"{_digits_of(resolution)} digits after the seconds",
            message=f"the clock resolves {resolution} ns",
        )
        for where, text, resolution in readings
        if resolution is not None and fraction_digits(text) != _digits_of(resolution)
    ]


@rule("CLK09")
def remote_round_trip(evidence: Evidence) -> Answer:
    remote = {clock["id"] for _, clock in evidence.entries("/timebase/clocks") if clock["kind"] == "external"}
    found = [(where, entry) for where, entry in evidence.entries("/timebase/snapshots") if entry["clock"] in remote]
    if not found:
        return NotApplicable("no external clock was read")
    return [
        Mismatch(
            where=f"{where}/round_trip_ns",
            expected="the round trip in ns",
            message=f"the round trip of reading clock {entry['clock']} is not stated",
        )
        for where, entry in found
        if "round_trip_ns" not in entry
    ]


def _named_clocks(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield "/timebase/origin/clock", evidence.known("/timebase/origin/clock")
    for pointer in ("/timebase/snapshots", "/channels"):
        for where, entry in evidence.entries(pointer):
            yield f"{where}/clock", entry["clock"]


def _gain_words(
    timebase: dict[str, Any], first: Snapshot, second: Snapshot, allowed_ns: int
) -> tuple[str, Severity | None]:
    """Say what happened to a clock that gained too much between two snapshots; it is information if the file shows it.

    A monotonic clock that counts suspends is never set: what it gains, the machine slept, and UTC moved meanwhile. UTC
    gains as much, or was set.
    """
    kinds = {clock["id"]: clock["kind"] for clock in timebase["clocks"]}
    awake = {c["id"] for c in timebase["clocks"] if c["kind"] == "monotonic" and c["counts_suspend"] is True}
    counts = first.clock in awake
    others = {name for name in kinds if kinds[name] == "realtime"} if counts else awake - {timebase["origin"]["clock"]}
    gains = [
        drift_ns(a, b)
        for name in others
        for a, b in pairwise(snapshots_of(timebase, name))
        if a.t_ns < second.t_ns and b.t_ns > first.t_ns
    ]
    gained = drift_ns(first, second)
    slept = gained if counts else max(gains, default=0)
    is_seen = any(abs(gain) > allowed_ns for gain in gains) if counts else abs(gained - slept) <= allowed_ns
    if slept > 0 and is_seen:
        return f"the machine was suspended during the run, for {slept} ns", Severity.INFO
    if kinds[first.clock] == "realtime" and gains and min(gains) >= -allowed_ns:
        return "the clock was set during the run, as one that is never set shows", Severity.INFO
    return "the clock was stepped, slewed or stopped during the run", None


def _digits_of(resolution_ns: int) -> int:
    """Return how many digits after the seconds a clock of that resolution fills: nine for 1 ns, none for 1 s."""
    return max(0, 10 - len(str(resolution_ns)))
