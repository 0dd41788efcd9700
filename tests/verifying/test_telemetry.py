"""Family TEL: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import full_run
import kit
import pytest
import refusals

from ttsartifact.formulas.logs import energy_between
from ttsartifact.terms.descriptor import absent

LAST_ROW = full_run.READINGS - 1


def case(rule, slug, *, also=(), exit_code=1, traces=None, resum=False, **edits):
    make = partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=resum)
    return kit.Case(rule=rule, slug=slug, make=make, also=frozenset(also), exit_code=exit_code)


def telemetry(**edits):
    """Return an edit of telemetry: by column a whole new one, or one entry by its row."""

    def edit(values):
        for column, new in edits.items():
            held = values["telemetry"]["columns"][column]
            if isinstance(new, dict):
                for row, value in new.items():
                    held[row] = value
            else:
                held[:] = new

    return edit


def without_rows(first, last):
    """Return an edit that drops the rows [first, last) of telemetry."""

    def edit(values):
        trace = values["telemetry"]
        for column in trace["columns"].values():
            del column[first:last]
        trace["rows"] -= last - first

    return edit


def longer_column(values):
    values["telemetry"]["columns"]["power_mw"].append(1)


def meter(value):
    def edit(values):
        trace = values["channel/wall_power_mw"]["columns"]
        trace["value"] = [value] * len(trace["value"])

    return edit


def late_meter(values):
    trace = values["channel/wall_power_mw"]
    for column in trace["columns"].values():
        del column[:2]
    trace["rows"] -= 2


def stuck(rows, value=98_001):
    return telemetry(power_mw=dict.fromkeys(range(10, 10 + rows), value), energy_mj=[None] * full_run.READINGS)


LOG = full_run.telemetry_log().columns
FEW = [9_000_000 + max(0, row // 11 - 1) * 100 for row in range(full_run.READINGS)]
FEW_MJ = energy_between(LOG["t_ns"], FEW, full_run.SUBMIT_NS, full_run.LAST_NS)
HALF = [9_000_000 + (value - 9_000_000) // 2 for value in LOG["energy_mj"]]
CASES = [
    case("TEL01", "column-too-long", traces=longer_column),
    case("TEL01", "rows-miscounted", traces__1__rows=79),
    case("TEL01", "nobody-describes", channels__6__name="temperature_k"),
    case("TEL02", "twice-at-once", traces=telemetry(t_ns={40: LOG["t_ns"][39], 39: LOG["t_ns"][39]})),
    case("TEL02", "ended-before-it-began", traces=telemetry(t_before_ns={7: LOG["t_ns"][7] + 1})),
    case("TEL03", "began-late", traces=without_rows(0, 5), resum=True),
    case("TEL03", "ended-early", traces=without_rows(50, full_run.READINGS), resum=True),
    case("TEL03", "meter-began-late", traces=late_meter),
    case("TEL04", "half-as-often", channels__2__rate_mhz=40_000),
    case("TEL04", "meter-twice-as-often", channels__8__rate_mhz=5_000),
    case("TEL05", "gap", traces=without_rows(20, 26), resum=True, exit_code=0),
    case("TEL06", "util-101", traces=telemetry(util_gpu_pct={9: 101}), resum=True),
    case("TEL06", "util-negative", traces=telemetry(util_gpu_pct={9: -1}), resum=True),
    case("TEL06", "faster-than-it-can", traces=telemetry(clock_mhz={9: 1981}), resum=True),
    case("TEL06", "over-1.2-times-the-limit", traces=telemetry(power_mw={9: 840_001}), resum=True),
    case("TEL06", "negative-power", traces=telemetry(power_mw={9: -1}), resum=True),
    case("TEL06", "power-always-0", traces=telemetry(power_mw=[0] * full_run.READINGS), resum=True),
    case("TEL06", "clock-always-0", traces=telemetry(clock_mhz=[0] * full_run.READINGS), resum=True),
    case("TEL06", "energy-always-0", traces=telemetry(energy_mj=[0] * full_run.READINGS), resum=True),
    case("TEL06", "meter-always-0", traces=meter(0)),
    case(
        "TEL07",
        "power-stuck",
        traces=stuck(51),
        resum=True,
        exit_code=0,
        channels__2__update_period_ns=50_000_000,
    ),
    case("TEL09", "no-call", channels__0__call=absent("unknown")),
    case("TEL09", "no-device", channels__0__device=absent("unknown")),
    case("TEL09", "unlisted-device", channels__0__device=2),
    case("TEL09", "mean-without-window", channels__4__window_ns=absent("not_applicable")),
    case("TEL09", "not-supported-and-read", channels__2__status="not_supported"),
    case("TEL10", "neighbour", channels__2__device=1),
    case("TEL10", "all-of-the-neighbour", **{f"channels__{n}__device": 1 for n in range(8)}),
    case("TEL11", "mean", summary__power_w__mean_milli=1),
    case("TEL11", "maximum", summary__clock_mhz__max_milli=1_980_001),
    case("TEL11", "samples", summary__util_gpu__samples=1),
    case("TEL11", "energy", summary__energy_mj=1),
    case("TEL11", "unbacked", summary__power_w__channel="gpu_power"),
    case("TEL24", "five-updates", traces=telemetry(energy_mj=FEW), resum=True, summary__energy_mj=FEW_MJ),
    case("TEL25", "half-the-energy", traces=telemetry(energy_mj=HALF), resum=True, exit_code=0),
    case("TEL26", "always-0", traces=telemetry(util_gpu_pct=[0] * full_run.READINGS), resum=True, exit_code=0),
    kit.Case(rule="TEL28", slug="another-log", make=partial(full_run.carried, log=full_run.LOG[:-1])),
    case("TEL27", "moved", channels__8__mapping=full_run.mapping(anchor={"log_ns": "0", "t_ns": 0})),
    case("TEL27", "drift", channels__8__mapping=full_run.mapping(drift_ppb=0)),
    case("TEL27", "bound-is-no-sum", channels__8__mapping=full_run.mapping(bound_ns=199_999_999)),
    case("TEL12", "which-meter", channels__8__meter=...),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    "traces",
    [
        telemetry(util_gpu_pct={9: 100, 10: 0}),
        telemetry(clock_mhz={9: 1980}),
        telemetry(power_mw={9: 840_000}),
        telemetry(util_gpu_pct=[0] * LAST_ROW + [1]),
        telemetry(clock_event_reasons=[0] * full_run.READINGS),
        telemetry(power_mw=[None] * full_run.READINGS),
        telemetry(power_mw={9: 0}),
        telemetry(clock_mhz=[1980] * full_run.READINGS),
        without_rows(20, 24),
        without_rows(0, 3),
        without_rows(61, full_run.READINGS),
    ],
)
def test_near_misses(traces, tmp_path):
    """What lies on the border holds: limits are met, idle is 0, a busy clock stands still, four rows may be lost."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, traces=traces, resum=True))
    assert report.findings == ()


@pytest.mark.parametrize(("rate_mhz", "fails"), [(23_900, False), (24_100, True), (16_000, False), (15_900, True)])
def test_rate_within_a_fifth(rate_mhz, fails, tmp_path):
    """6.4: the median interval may be a fifth off the declared one, either way."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(channels__2__rate_mhz=rate_mhz)))
    assert kit.failed(report) == ({"TEL04"} if fails else set())


def test_stuck_clock_without_power(tmp_path):
    """6.4: where power is not read, a clock that never moves is all there is to see."""
    run = full_run.draft()
    unmetered = replace(
        run,
        descriptor=run.descriptor | {"channels": [c for c in run.descriptor["channels"] if c["source"] == "nvml"]},
        traces=run.traces[:-1],
    )
    still = telemetry(clock_mhz=[1980] * full_run.READINGS, power_mw=[None] * full_run.READINGS)
    fast = kit.put(channels__0__update_period_ns=50_000_000)
    (report,) = refusals.verify(full_run.artifact(tmp_path, run=unmetered, traces=still, resum=True, patch=fast))
    assert [(f.rule, f.where) for f in report.findings] == [("TEL07", "trace/telemetry/columns/clock_mhz")]


@pytest.mark.parametrize(("rows", "update_ns"), [(50, 50_000_000), (51, 100_000_000)])
def test_not_stuck(rows, update_ns, tmp_path):
    """6.4: fifty equal readings may be, and a sensor that is read faster than it is renewed repeats itself."""
    slow = kit.put(channels__2__update_period_ns=update_ns)
    (report,) = refusals.verify(full_run.artifact(tmp_path, traces=stuck(rows), resum=True, patch=slow))
    assert report.findings == ()


def test_silent_sensor(tmp_path):
    """4.4: a column that no reading arrived in is null, and is neither 0 nor wrong."""
    (report,) = refusals.verify(
        full_run.artifact(
            tmp_path,
            traces=telemetry(energy_mj=[None] * full_run.READINGS),
            resum=True,
        )
    )
    assert report.findings == ()


def test_zero_as_a_summary(tmp_path):
    """4.4: a 0 where a summary or its absence belongs is a sentinel."""
    kit.assert_breaks(
        kit.Case(rule="SCH07", slug="0-w", make=partial(kit.artifact, patch=kit.put(summary__power_w=0))), tmp_path
    )


def test_nothing_sampled_nothing_asked(tmp_path):
    """6.4: a run on a CPU without a meter has no telemetry to ask about."""
    (report,) = refusals.verify(kit.artifact(tmp_path))
    assert {f"TEL{n:02}" for n in (2, 3, 4, 5, 6, 7, 9, 10, 11, 12)} <= set(report.not_applicable)


def test_finding_names_the_reading(tmp_path):
    """A finding says which reading, and what the device can do."""
    path = full_run.artifact(tmp_path, traces=telemetry(power_mw={9: 840_001}), resum=True)
    (finding,) = refusals.verify(path)[0].findings
    assert (finding.where, finding.found, finding.expected) == (
        "trace/telemetry/columns/power_mw",
        f"840001 at t = {LOG['t_ns'][9]}",
        "at most 840000",
    )
