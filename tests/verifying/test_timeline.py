"""Families CLK and TIM: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from functools import partial

import full_run
import kit
import pytest
import refusals

from ttsartifact.formulas.timebase import Bound, from_utc, mutual_bound, to_utc, utc_bound
from ttsartifact.terms.descriptor import absent

START_UTC = full_run.ORIGIN


def case(rule, slug, *, also=(), exit_code=1, traces=None, **edits):
    make = partial(full_run.artifact, patch=kit.put(**edits), traces=traces)
    return kit.Case(rule=rule, slug=slug, make=make, also=frozenset(also), exit_code=exit_code)


def utc(after_ns):
    return to_utc(from_utc(START_UTC) + after_ns)


def stepped(by_ns):
    """Return edits that move the end snapshot's UTC by a step."""
    return {"timebase__snapshots__1__utc": utc(full_run.END_NS + by_ns)}


# 310 + 290 ns of brackets and 500 ppm of 4.2 s
ALLOWED_NS = 600 + 2_100_000


def whole_milliseconds(folder):
    """Write a run on a CPU whose times were typed."""

    def patch(value):
        value["run"]["times"] |= {
            "t_submit_ns": 1_000_000,
            "t_start_ns": 2_000_000,
            "t_first_token_ns": 21_000_000,
            "t_last_token_ns": 41_000_000,
        }

    def traces(values):
        values["chunks"]["columns"]["t_ns"] = [21_000_000, 41_000_000]

    return kit.artifact(folder, patch=patch, traces=traces)


def queue(**columns):
    def edit(values):
        values["queue"]["columns"] |= columns

    return edit


def suspended(value, slept_ns):
    """Return a timebase of a machine that slept: UTC and the clock that counts suspends gain alike."""
    value["timebase"]["snapshots"][1]["utc"] = utc(full_run.END_NS + slept_ns)
    value["timebase"]["clocks"].append(value["timebase"]["clocks"][0] | {"id": "host.boottime", "counts_suspend": True})
    value["timebase"]["snapshots"] += [
        {"at": at, "t_ns": t_ns, "clock": "host.boottime", "value_ns": t_ns + gained, "bracket_ns": 300}
        for at, t_ns, gained in (("start", 900, 0), ("end", full_run.END_NS, slept_ns))
    ]


CASES = [
    case(
        "CLK01",
        "start-too-late",
        timebase__snapshots__0__t_ns=300_000_000,
        timebase__snapshots__0__utc=utc(300_000_000),
    ),
    case(
        "CLK01",
        "end-too-early",
        timebase__snapshots__1__t_ns=3_000_000_000,
        timebase__snapshots__1__utc=utc(3_000_000_000),
    ),
    case("CLK02", "negative", timebase__snapshots__0__bracket_ns=-1),
    case("CLK02", "over-1-ms", timebase__snapshots__1__bracket_ns=1_000_001),
    case("CLK02", "meter-negative", timebase__snapshots__2__bracket_ns=-1),
    case("CLK03", "stepped-forward", **stepped(ALLOWED_NS + 1)),
    case("CLK03", "stepped-back", **stepped(-ALLOWED_NS - 1)),
    case("CLK03", "origin-elsewhere", timebase__origin__utc=utc(1_000)),
    # A warning of CLK02 keeps nothing from being asked.
    case(
        "CLK03",
        "stepped-behind-a-warning",
        also=("CLK02",),
        timebase__snapshots__1__bracket_ns=100_001,
        **stepped(ALLOWED_NS + 100_000),
    ),
    case("CLK04", "not-synchronised", exit_code=0, timebase__clocks__1__sync__synced=False),
    case("CLK04", "nobody-knows", exit_code=0, timebase__clocks__1__sync__synced=absent("unknown")),
    case("CLK05", "too-small", timebase__uncertainty_ns=1),
    case("CLK06", "channel", channels__0__clock="host.cuda"),
    case("CLK06", "origin", timebase__origin__clock="host.raw"),
    case(
        "CLK06",
        "twice",
        timebase__clocks__2__id="host.utc",
        timebase__clocks__2__resolution_ns=1,
        timebase__snapshots__2__clock="host.utc",
        channels__8__clock="host.utc",
    ),
    case("CLK08", "leap-second", timebase__snapshots__1__utc="2026-12-31T23:59:60.000000000Z"),
    case("CLK08", "no-such-day", input__refs__1__origin__retrieved="2026-02-30T00:00:00Z"),
    case("CLK08", "no-zone", timebase__origin__utc="2026-11-21T10:00:00.123456789"),
    case("CLK08", "offset", timebase__origin__utc="2026-11-21T10:00:00.123456789+00:00"),
    case("CLK08", "whole-seconds-of-a-fine-clock", timebase__origin__utc="2026-11-21T10:00:00Z"),
    case("CLK08", "more-digits-than-it-resolves", timebase__clocks__1__resolution_ns=1_000),
    case("CLK09", "no-round-trip", timebase__snapshots__2__round_trip_ns=...),
    case("TIM01", "first-token-before-submit", run__times__t_first_token_ns=full_run.SUBMIT_NS - 1),
    case("TIM01", "encoded-before-last", run__times__t_encoded_ns=full_run.LAST_NS - 1),
    case("TIM01", "first-byte-before-submit", run__times__t_first_byte_ns=full_run.SUBMIT_NS - 1),
    case("TIM01", "first-byte-after-first-token", run__times__t_first_byte_ns=full_run.FIRST_NS + 1),
    case("TIM01", "started-before-submit", run__times__t_start_ns=full_run.SUBMIT_NS - 1),
    case("TIM02", "first", run__times__t_first_token_ns=full_run.FIRST_NS + 1),
    case("TIM02", "last", run__times__t_last_token_ns=full_run.LAST_NS - 1),
    case("TIM02", "first-frames", run__times__first_chunk_frames=199),
    case("TIM03", "encoded-after-the-end", run__times__t_encoded_ns=full_run.END_NS + 1),
    case("TIM03", "queue-of-another-epoch", traces=queue(t_ns=[0, 180_000_001, 1_735_837_452_835_000_000 >> 8])),
    case("TIM04", "arrived-nowhere", level="L1", run__times__t_first_token_semantics=absent("unknown")),
    case("TIM04", "no-such-place", run__times__t_first_token_semantics="browser"),
    kit.Case(rule="TIM06", slug="typed", make=whole_milliseconds, exit_code=0),
    case("TIM08", "hidden-retry", run__attempt={"index": 1, "retries": 2}),
    case("TIM08", "as-many", run__attempt={"index": 2, "retries": 2}),
    case("TIM09", "too-few", run__load__queue_depth_at_submit=0),
    case("TIM09", "too-many", run__load__queue_depth_at_submit=4),
    case("TIM09", "outside-the-batch", run__load__batch_index=2),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    "edits",
    [
        {"timebase__snapshots__1__bracket_ns": 100_000},
        {"timebase__snapshots__2__bracket_ns": 30_000_000},
        stepped(ALLOWED_NS),
        stepped(-ALLOWED_NS),
        {"timebase__origin__utc": utc(310)},
        {"timebase__origin__utc": absent("unknown")},
        {
            "timebase__snapshots__0__t_ns": full_run.SUBMIT_NS - 1_007,
            "timebase__snapshots__0__utc": utc(full_run.SUBMIT_NS - 1_007),
            "timebase__origin__utc": absent("unknown"),
            "run__times__t_scheduled_ns": 5,
        },
        {"run__times__t_start_ns": full_run.SUBMIT_NS},
        {"run__times__t_encoded_ns": full_run.LAST_NS},
        {"run__times__t_encoded_ns": full_run.END_NS},
        {"run__attempt": {"index": 3, "retries": 2}},
        {"run__load__queue_depth_at_submit": absent("unknown"), "level": "L1"},
        {"claims": [], "timebase__clocks__1__sync__synced": False},
        {"timebase__uncertainty_ns": absent("not_measured")},
    ],
)
def test_near_misses(edits, tmp_path):
    """What lies on the border holds."""
    path = full_run.artifact(tmp_path, patch=kit.put(**edits))
    if edits.get("timebase__snapshots__0__t_ns"):
        # The queue and the telemetry began before that snapshot, and only they are wrong.
        assert kit.failed(refusals.verify(path)[0]) == {"TIM03"}
    else:
        assert kit.failed(refusals.verify(path)[0]) == set()


@pytest.mark.parametrize(
    ("bracket_ns", "severity"), [(100_000, None), (100_001, "warn"), (1_000_000, "warn"), (1_000_001, "error")]
)
def test_brackets_by_width(bracket_ns, severity, tmp_path):
    """7.2: up to 100 µs a bracket passes, up to 1 ms it is warned of, beyond it fails."""
    (report,) = refusals.verify(
        full_run.artifact(tmp_path, patch=kit.put(timebase__snapshots__1__bracket_ns=bracket_ns))
    )
    assert [(f.rule, f.severity) for f in report.findings] == ([("CLK02", severity)] if severity else [])


def test_uncertainty_is_held_to_the_largest_bound(tmp_path):
    """7.6: one nanosecond decides, and the finding names the channel whose bound it is."""
    value = full_run.draft().descriptor
    util = next(channel for channel in value["channels"] if channel["name"] == "util_gpu_pct")
    bound = utc_bound(value["timebase"], full_run.SUBMIT_NS, full_run.LAST_NS, util)
    assert bound is not None
    assert bound.lacks == ()

    def declared(ns):
        return refusals.verify(full_run.artifact(tmp_path, patch=kit.put(timebase__uncertainty_ns=ns)))[0]

    assert declared(bound.ns).findings == ()
    (finding,) = declared(bound.ns - 1).findings
    assert (finding.rule, finding.found) == ("CLK05", bound.ns - 1)
    assert finding.expected == f"at least {bound.ns}, the bound of channel util_gpu_pct"


def test_uncertainty_of_an_unknown_clock(tmp_path):
    """7.6: a bound that lacks the clock's error can refute a declaration and not confirm it."""
    path = full_run.artifact(tmp_path, patch=kit.put(timebase__clocks__1__sync=absent("unknown"), claims=[]))
    (report,) = refusals.verify(path)
    assert [(f.rule, f.outcome, f.message) for f in report.unchecked] == [
        ("CLK05", "unverifiable", "needs max_error_ns of the clock of UTC")
    ]


def test_one_round_time_is_chance(tmp_path):
    """7.4: a single nanosecond off the millisecond is proof of a clock."""

    def traces(values):
        values["chunks"]["columns"]["t_ns"] = [21_000_000, 41_000_000]

    def patch(value):
        value["run"]["times"] |= {
            "t_submit_ns": 1_000_001,
            "t_first_token_ns": 21_000_000,
            "t_last_token_ns": 41_000_000,
        }

    (report,) = refusals.verify(kit.artifact(tmp_path, patch=patch, traces=traces))
    assert report.findings == ()


def test_blocked_by_disorder(tmp_path):
    """Where the times are out of order, what is measured between them is not asked."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(run__times__t_first_token_ns=1)))
    assert {f.rule: f.blocked_by for f in report.unchecked} == dict.fromkeys(
        ("CLK05", "TIM02", "TIM03", "TIM06", "TIM12", "TEL03", "TEL11", "TEL24", "TEL25", "TEL27"), "TIM01"
    )


NO_STEP = 0
SET = "the clock was set during the run, as one that is never set shows"
SUSPENDED = "the machine was suspended during the run, for 5000000"


@pytest.mark.parametrize(
    ("slept_ns", "set_ns", "said", "severities"),
    [
        (5_000_000_000, NO_STEP, {SUSPENDED}, {"info"}),
        (NO_STEP, 5_000_000_000, {SET}, {"info"}),
        (NO_STEP, -3_600_000_000_000, {SET}, {"info"}),
        (5_000_000_000, -60_000_000_000, {SUSPENDED, SET}, {"info"}),
        (-5_000_000_000, NO_STEP, {"the clock was stepped, slewed or stopped during the run"}, {"error"}),
    ],
)
def test_what_a_clock_that_is_never_set_shows_is_no_accusation(tmp_path, slept_ns, set_ns, said, severities):
    """7.2: a machine that slept, or whose clock NTP set, made an honest run, and its file shows which it was."""

    def patch(value):
        value["timebase"]["uncertainty_ns"] = absent("not_measured")  # as our recorder states it
        suspended(value, slept_ns)
        value["timebase"]["snapshots"][1]["utc"] = utc(full_run.END_NS + slept_ns + set_ns)

    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=patch))
    found = [f for f in report.findings if f.rule == "CLK03"]
    assert {next(words for words in said if f.message.startswith(words)) for f in found} == said
    assert {f.severity for f in found} == severities
    assert report.conformant is (severities == {"info"})


def test_a_step_is_part_of_the_bound():
    """7.6, step 9: an instant beside a step of 5 s may lie 5 s away, however near the next snapshot is."""
    snapshots = [
        {"at": "start", "t_ns": t_ns, "clock": "host.realtime", "utc": utc(t_ns + gained), "bracket_ns": 2}
        for t_ns, gained in ((0, 0), (1_000_000_000, 5_000_000_000), (2_000_000_000, 0))
    ]
    clocks = [{"id": "host.realtime", "resolution_ns": 1, "sync": {"max_error_ns": 0}}]
    timebase = {"origin": {"clock": "host.monotonic"}, "clocks": clocks, "snapshots": snapshots}
    assert utc_bound(timebase, 0, 2_000_000_000) == Bound(1 + 5_000_000_000)
    assert mutual_bound(timebase, (0, 2), timebase, (0, 2)) == Bound(2 + 2 * 5_000_000_000)
