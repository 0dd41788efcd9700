"""Clocks and times (clause 7): whether the instants of a run can be told apart, ordered, and tied to UTC."""

from __future__ import annotations

from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.terms.load import depth_at
from ttsartifact.terms.timebase import (
    MAX_DRIFT_PPM,
    drift_allowance_ns,
    drift_ns,
    fraction_digits,
    from_utc,
    snapshots_of,
    utc_bound,
)
from ttsartifact.verifying.asking import entries
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

MAX_BRACKET_NS = 1_000_000
WIDE_BRACKET_NS = 100_000
COARSE_NS = 1_000_000  # a clock of this step is one that somebody typed, or a timer tick
_COARSE_FROM_TIMES = 4  # fewer round numbers than this are chance

# In the order that clause 7.4 demands.
_TIMES = (
    "t_scheduled_ns",
    "t_submit_ns",
    "t_start_ns",
    "t_first_model_token_ns",
    "t_first_token_ns",
    "t_last_token_ns",
    "t_encoded_ns",
)


@rule("CLK01")
def ends_seen(evidence: Evidence) -> Answer:
    """A start snapshot of UTC is no later than t_submit, an end snapshot no earlier than t_last_token (clause 7.2).

    How many there must be is a matter of the level (clause 9).
    """
    submit, last = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    found = [(where, entry) for where, entry in entries(evidence, "/timebase/snapshots") if "utc" in entry]
    if not found:
        return NotApplicable("UTC was never read")
    late = [
        Mismatch(
            where=f"{where}/t_ns",
            found=entry["t_ns"],
            expected=f"at most t_submit_ns, {submit}",
            message="the start snapshot was taken after the run began",
        )
        for where, entry in found
        if entry["at"] == "start" and entry["t_ns"] > submit
    ]
    return late + [
        Mismatch(
            where=f"{where}/t_ns",
            found=entry["t_ns"],
            expected=f"at least t_last_token_ns, {last}",
            message="the end snapshot was taken before the run ended",
        )
        for where, entry in found
        if entry["at"] == "end" and entry["t_ns"] < last
    ]


@rule("CLK02")
def bracket_narrow(evidence: Evidence) -> Answer:
    """The bracket of a snapshot is not negative, and one of UTC is no wider than 1 ms (clause 7.2).

    One over 100 µs is worth a second look. A meter's bracket may be wider; it counts in the bound.
    """
    found = list(entries(evidence, "/timebase/snapshots"))
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
                message="the snapshot is wide" if sound else "the snapshot does not say when it was taken",
                severity=Severity.WARN if sound else None,
            )
        )
    return faults if found else NotApplicable("no snapshot")


@rule("CLK03")
def offsets_agree(evidence: Evidence) -> Answer:
    """Snapshots of one clock agree within their brackets and 500 ppm of the time between them (clause 7.2).

    So does the origin's UTC with the first snapshot of it: no clock was stepped.
    """
    timebase = evidence.known("/timebase")
    clocks = {entry["clock"] for entry in timebase["snapshots"]}
    faults, asked = [], False
    for clock in sorted(clocks):
        snapshots = snapshots_of(timebase, clock)
        for first, second in pairwise(snapshots):
            asked = True
            drift, allowed = drift_ns(first, second), drift_allowance_ns(first, second)
            if abs(drift) > allowed:
                faults.append(
                    Mismatch(
                        where="/timebase/snapshots",
                        found=f"{clock} gained {drift} ns between t = {first.t_ns} and {second.t_ns}",
                        expected=f"at most {allowed} ns",
                        message="the clock was stepped, slewed or stopped during the run",
                    )
                )
    origin, utc = evidence.known("/timebase/origin/utc"), snapshots_of(timebase)
    if origin is not None and utc:
        asked = True
        grain = 10 ** (9 - fraction_digits(origin))
        allowed = utc[0].bracket_ns + -(-MAX_DRIFT_PPM * utc[0].t_ns // 1_000_000) + grain - 1
        gap = from_utc(origin) - utc[0].offset_ns
        if abs(gap) > allowed:
            faults.append(
                Mismatch(
                    where="/timebase/origin/utc",
                    found=f"{gap} ns beside the snapshot at t = {utc[0].t_ns}",
                    expected=f"at most {allowed} ns",
                    message="the origin and the first snapshot tell two times",
                )
            )
    return faults if asked else NotApplicable("no two readings of one clock")


@rule("CLK04")
def synchronised_when_claimed(evidence: Evidence) -> Answer:
    """Whoever claims alignment with UTC has a clock of UTC that was synchronised (clause 7.2)."""
    if "utc_alignment" not in evidence.known("/claims"):
        return NotApplicable("no alignment with UTC is claimed")
    used = {entry["clock"] for _, entry in entries(evidence, "/timebase/snapshots") if "utc" in entry}
    return [
        Mismatch(
            where=f"{where}/sync/synced",
            found=evidence.known(f"{where}/sync/synced"),
            expected=True,
            message="alignment with UTC is claimed of a clock that nobody set",
        )
        for where, clock in entries(evidence, "/timebase/clocks")
        if clock["id"] in used and evidence.known(f"{where}/sync/synced") is not True
    ]


@rule("CLK05")
def uncertainty_not_smaller(evidence: Evidence) -> Answer:
    """A declared uncertainty is no smaller than the bound U of the timeline and of every channel (clause 7.6)."""
    declared = evidence.known("/timebase/uncertainty_ns")
    if declared is None:
        return NotApplicable("no uncertainty is declared")
    timebase = evidence.known("/timebase")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    timeline = utc_bound(timebase, start, end)
    if timeline is None:
        return Unverifiable("a snapshot of UTC")
    bounds = [("the timeline", timeline)]
    for _, channel in entries(evidence, "/channels"):
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
    return Unverifiable(f"{', '.join(timeline.lacks)} of the clock of UTC") if timeline.lacks else []


@rule("CLK06")
def clocks_defined(evidence: Evidence) -> Answer:
    """Origin, snapshots and channels name clocks that /timebase/clocks defines, each once (clause 7.1)."""
    faults = []
    defined: set[str] = set()
    for where, clock in entries(evidence, "/timebase/clocks"):
        if clock["id"] in defined:
            faults.append(Mismatch(where=f"{where}/id", found=clock["id"], message="a clock is defined twice"))
        defined.add(clock["id"])
    return faults + [
        Mismatch(
            where=where,
            found=name,
            expected=f"one of {', '.join(sorted(defined))}",
            message="nothing is known of this clock",
        )
        for where, name in _named_clocks(evidence)
        if name not in defined
    ]


@rule("CLK08")
def utc_spelled(evidence: Evidence) -> Answer:
    """UTC strings are instants with a final Z, and those of a clock show the digits that it resolves (clause 7.3)."""
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
    resolutions = {clock["id"]: clock["resolution_ns"] for _, clock in entries(evidence, "/timebase/clocks")}
    readings = [
        (f"{where}/utc", entry["utc"], resolutions.get(entry["clock"]))
        for where, entry in entries(evidence, "/timebase/snapshots")
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
    """A snapshot of an external clock carries the round trip that its reading took (clause 7.2)."""
    remote = {clock["id"] for _, clock in entries(evidence, "/timebase/clocks") if clock["kind"] == "external"}
    found = [(where, entry) for where, entry in entries(evidence, "/timebase/snapshots") if entry["clock"] in remote]
    if not found:
        return NotApplicable("no external clock was read")
    return [
        Mismatch(
            where=f"{where}/round_trip_ns",
            expected="the round trip in ns",
            message=f"when {entry['clock']} was read is not known",
        )
        for where, entry in found
        if "round_trip_ns" not in entry
    ]


@rule("TIM01")
def times_in_order(evidence: Evidence) -> Answer:
    """Scheduled, submit, start, first model token, first token, last token, encoded come in this order (clause 7.4)."""
    known = [(name, evidence.known(f"/run/times/{name}")) for name in _TIMES]
    stated = [(name, t_ns) for name, t_ns in known if t_ns is not None]
    return [
        Mismatch(
            where=f"/run/times/{later}",
            found=t_later,
            expected=f"at least {earlier}, {t_earlier}",
            message=f"{later} lies before {earlier}",
        )
        for (earlier, t_earlier), (later, t_later) in pairwise(stated)
        if t_later < t_earlier
    ]


@rule("TIM02")
def times_are_the_logs(evidence: Evidence) -> Answer:
    """First and last token and the first chunk's frames are those of the chunk log (clause 7.4)."""
    log = evidence.chunks
    if log is None or not log.rows:
        return NotApplicable("no chunk log")
    logged = {
        "t_first_token_ns": log.columns["t_ns"][0],
        "t_last_token_ns": log.columns["t_ns"][-1],
        "first_chunk_frames": log.columns["frame_count"][0],
    }
    stated = {name: evidence.known(f"/run/times/{name}") for name in logged}
    return [
        Mismatch(
            where=f"/run/times/{name}",
            found=stated[name],
            expected=f"{value}, from the chunk log",
            message="the descriptor and the chunk log tell two runs",
        )
        for name, value in logged.items()
        if stated[name] is not None and stated[name] != value
    ]


@rule("TIM03")
def inside_the_window(evidence: Evidence) -> Answer:
    """Every time of the run and of its traces lies between the first and the last snapshot (clause 7.4)."""
    seen = [entry["t_ns"] for _, entry in entries(evidence, "/timebase/snapshots")]
    if len(seen) < 2:
        return NotApplicable("fewer than two snapshots span no window")
    first, last = min(seen), max(seen)
    times = [(f"/run/times/{name}", evidence.known(f"/run/times/{name}")) for name in _TIMES]
    # A plan is older than the run that fulfils it.
    found = [(where, t_ns) for where, t_ns in times[1:] if t_ns is not None]
    for _, entry in entries(evidence, "/traces"):
        name = entry["name"]
        trace = evidence.trace(name)
        for column in ("t_before_ns", "t_ns"):
            values = trace.columns.get(column) if trace is not None else None
            if values:
                found += [(f"trace/{name}/columns/{column}", t_ns) for t_ns in {min(values), max(values)}]
    return [
        Mismatch(
            where=where,
            found=t_ns,
            expected=f"{first} to {last}",
            message="a time outside the snapshots of the run",
        )
        for where, t_ns in found
        if not first <= t_ns <= last
    ]


@rule("TIM04")
def first_token_meant(evidence: Evidence) -> Answer:
    """Whoever logs chunks says where the first of them had arrived: host, device or socket (clause 7.4)."""
    faults = evidence.breaches("TIM04")
    if faults:
        return faults
    if evidence.chunks is None:
        return NotApplicable("no chunk log")
    if evidence.known("/run/times/t_first_token_semantics") is not None:
        return []
    return [
        Mismatch(
            where="/run/times/t_first_token_semantics",
            found="absent",
            expected="host, device or socket",
            message="a first token that arrived nowhere is no latency",
        )
    ]


@rule("TIM06")
def no_typed_times(evidence: Evidence) -> Answer:
    """Times of a clock that resolves microseconds or better are not all whole milliseconds (clause 7.4)."""
    origin = evidence.known("/timebase/origin/clock")
    resolution = {clock["id"]: clock["resolution_ns"] for _, clock in entries(evidence, "/timebase/clocks")}.get(origin)
    if resolution is None or resolution >= COARSE_NS:
        return NotApplicable("the clock resolves no more than a millisecond")
    times = {evidence.known(f"/run/times/{name}") for name in _TIMES}
    times |= set(evidence.chunks.columns["t_ns"]) if evidence.chunks is not None else set()
    told = times - {None, 0}
    if len(told) < _COARSE_FROM_TIMES:
        return NotApplicable(f"fewer than {_COARSE_FROM_TIMES} times are told")
    step = gcd(*told)
    if step % COARSE_NS:
        return []
    return [
        Mismatch(
            where="/run/times",
            found=f"{len(told)} times, all multiples of {step} ns",
            expected=f"the {resolution} ns that the clock resolves",
            message="the times look typed, or come from a coarser clock than is named",
        )
    ]


@rule("TIM08")
def attempts_counted(evidence: Evidence) -> Answer:
    """The index of an attempt counts those that went before it unpublished (clause 7.5)."""
    attempt = evidence.known("/run/attempt")
    if attempt is None:
        return NotApplicable("no attempt is stated")
    if attempt["index"] > attempt["retries"]:
        return []
    return [
        Mismatch(
            where="/run/attempt/index",
            found=attempt["index"],
            expected=f"more than the {attempt['retries']} that went before",
            message="a retry is hidden",
        )
    ]


@rule("TIM09")
def load_at_submit(evidence: Evidence) -> Answer:
    """Queue depth at submit is what the queue's trace says then, and the batch has room for this run (clause 7.5)."""
    load = {key: evidence.known(f"/run/load/{key}") for key in ("queue_depth_at_submit", "batch_size", "batch_index")}
    if all(value is None for value in load.values()):
        return NotApplicable("no load is stated")
    faults = []
    if load["batch_size"] is not None and load["batch_index"] is not None and load["batch_index"] >= load["batch_size"]:
        faults.append(
            Mismatch(
                where="/run/load/batch_index",
                found=load["batch_index"],
                expected=f"less than batch_size, {load['batch_size']}",
                message="the run has a place outside its batch",
            )
        )
    depth, traced = load["queue_depth_at_submit"], _depth_at_submit(evidence)
    if depth is not None and traced is not None and depth != traced:
        faults.append(
            Mismatch(
                where="/run/load/queue_depth_at_submit",
                found=depth,
                expected=f"{traced}, waiting and running in trace/queue at t_submit",
                message="the queue is told twice, differently",
            )
        )
    return faults


def _depth_at_submit(evidence: Evidence) -> int | None:
    queue, submit = evidence.trace("queue"), evidence.known("/run/times/t_submit_ns")
    if queue is None:
        return None
    return depth_at(submit, *(queue.columns[key] for key in ("t_ns", "waiting", "running")))


def _named_clocks(evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield "/timebase/origin/clock", evidence.known("/timebase/origin/clock")
    for pointer in ("/timebase/snapshots", "/channels"):
        for where, entry in entries(evidence, pointer):
            yield f"{where}/clock", entry["clock"]


def _digits_of(resolution_ns: int) -> int:
    """Return how many digits after the seconds a clock of that resolution fills: nine for 1 ns, none for 1 s."""
    return max(0, 10 - len(str(resolution_ns)))
