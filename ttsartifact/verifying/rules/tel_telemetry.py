"""Channels and telemetry (clauses 6.4 and 6.5): whether the numbers were measured, on the device that computed."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.latency import median_int
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.tel_summary import Column, columns, measured, sampled_traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

GAP_INTERVALS = 5
STUCK_SAMPLES = 50
_RATE_FROM_READINGS = 4  # a median of fewer intervals is one of them
_MILLIHERTZ_NS = 1_000_000_000_000  # the period of 1 mHz
# Zero for a whole run is what a driver says that reads nothing. Utilisation, memory and event bits may be 0 in earnest.
_NEVER_ALL_ZERO = frozenset({"MHz", "mW", "W", "mJ", "degC"})
_OWN_ZERO = frozenset({"mW", "W"})  # of a channel that is the caller's own, only this much is known
_COLDEST_C, _HOTTEST_C = -60, 150  # beyond what any silicon is specified for


@rule("TEL01")
def described_columns(evidence: Evidence) -> Answer:
    faults = evidence.breaches("TEL01")
    listed = list(evidence.entries("/traces"))
    if faults or not listed:
        return faults or NotApplicable("no trace")
    described = {channel["name"] for _, channel in evidence.entries("/channels")}
    for where, entry in listed:
        name = entry["name"]
        trace = evidence.trace(name)
        if trace is None:
            continue
        if entry["rows"] != trace.rows:
            faults.append(
                Mismatch(
                    where=f"{where}/rows",
                    found=entry["rows"],
                    expected=trace.rows,
                    message=f"trace/{name} has a different number of rows",
                )
            )
        faults += [
            Mismatch(
                where=f"trace/{name}/columns/{column}",
                found="readings",
                expected=f"an entry {called} in /channels",
                message="the quantity, unit and method of these readings are not stated",
            )
            for column, called, values in measured(name, trace)
            if called not in described and any(value is not None for value in values)
        ]
    return faults


@rule("TEL02")
def increasing_times(evidence: Evidence) -> Answer:
    sampled = list(sampled_traces(evidence))
    paced = {name for name, _ in _paced_traces(evidence)}
    faults = []
    for name, trace in sampled:
        t_ns = trace.columns["t_ns"]
        least = 1 if name in paced else 0
        row = next((row for row, (a, b) in enumerate(pairwise(t_ns), 1) if b - a < least), None)
        if row is not None:
            faults.append(
                Mismatch(
                    where=f"trace/{name}/columns/t_ns/{row}",
                    found=t_ns[row],
                    expected=f"at least {t_ns[row - 1] + least}",
                    message="the times of the readings do not increase",
                )
            )
        before = trace.columns.get("t_before_ns", t_ns)
        row = next((row for row, (a, b) in enumerate(zip(before, t_ns, strict=True)) if b < a), None)
        if row is not None:
            faults.append(
                Mismatch(
                    where=f"trace/{name}/columns/t_before_ns/{row}",
                    found=before[row],
                    expected=f"at most t_ns, {t_ns[row]}",
                    message="a reading ended before it began",
                )
            )
    return faults if sampled else NotApplicable("no channel was sampled")


@rule("TEL03")
def covered_run(evidence: Evidence) -> Answer:
    submit, last = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    sampled = list(_paced_traces(evidence))
    faults = []
    for name, trace in sampled:
        first_ns, last_ns = trace.columns["t_ns"][0], trace.columns["t_ns"][-1]
        if first_ns > submit:
            faults.append(
                Mismatch(
                    where=f"trace/{name}/columns/t_ns/0",
                    found=first_ns,
                    expected=f"at most t_submit_ns, {submit}",
                    message="the readings begin after the run began",
                )
            )
        if last_ns < last:
            faults.append(
                Mismatch(
                    where=f"trace/{name}/columns/t_ns/{trace.rows - 1}",
                    found=last_ns,
                    expected=f"at least t_last_token_ns, {last}",
                    message="the readings end before the run ended",
                )
            )
    return faults if sampled else NotApplicable("no channel was sampled")


@rule("TEL04")
def declared_rate(evidence: Evidence) -> Answer:
    faults, asked = [], False
    for column in columns(evidence):
        rate = column.channel.get("rate_mhz")
        if rate is None or is_absent(rate) or len(column.t_ns) < _RATE_FROM_READINGS:
            continue
        asked = True
        median_ns = median_int([b - a for a, b in pairwise(column.t_ns)])
        # |median - period| <= period / 5 without a division, in units of ns * mHz.
        if 5 * abs(median_ns * rate - _MILLIHERTZ_NS) > _MILLIHERTZ_NS:
            faults.append(
                Mismatch(
                    where=f"{column.pointer}/rate_mhz",
                    found=f"a median interval of {median_ns} ns",
                    expected=f"{_MILLIHERTZ_NS // rate} ns within 20 %",
                    message=f"{column.where} was not read at the declared rate",
                )
            )
    return faults if asked else NotApplicable("no rate is declared of enough readings")


@rule("TEL05")
def no_gaps(evidence: Evidence) -> Answer:
    faults, asked = [], False
    for name, trace in _paced_traces(evidence):
        t_ns = trace.columns["t_ns"]
        if len(t_ns) < _RATE_FROM_READINGS:
            continue
        asked = True
        intervals = [b - a for a, b in pairwise(t_ns)]
        limit_ns = GAP_INTERVALS * median_int(intervals)
        faults += [
            Mismatch(
                where=f"trace/{name}/columns/t_ns/{row}",
                found=f"{interval} ns after the reading before it",
                expected=f"at most {limit_ns} ns",
                message="a gap in the readings",
            )
            for row, interval in enumerate(intervals, 1)
            if interval > limit_ns
        ]
    return faults if asked else NotApplicable("too few readings to have a gap")


@rule("TEL06")
def possible_readings(evidence: Evidence) -> Answer:
    faults, asked = [], False
    devices = evidence.known("/env/devices") or []
    for column in columns(evidence):
        asked = True
        name = column.channel["name"]
        device = column.channel["device"]
        known = devices[device] if isinstance(device, int) and device < len(devices) else {}
        lowest, highest = min(column.values), max(column.values)
        limit = _highest_possible(name, known)
        unit, driver = column.channel["unit"], column.where.startswith("trace/telemetry/")
        if lowest < 0 and (unit != "degC" if driver else unit in _OWN_ZERO):
            faults.append(_beyond(column, lowest, "at least 0"))
        elif driver and unit == "degC" and lowest < _COLDEST_C:
            faults.append(_beyond(column, lowest, f"at least {_COLDEST_C}"))
        if limit is not None and highest > limit:
            faults.append(_beyond(column, highest, f"at most {limit}"))
        if unit in (_NEVER_ALL_ZERO if driver else _OWN_ZERO) and lowest == highest == 0:
            faults.append(
                Mismatch(
                    where=column.where,
                    found=f"0 in all {len(column.values)} readings",
                    expected="a measurement, or null",
                    message="a constant 0 is not a measurement",
                )
            )
    return faults if asked else NotApplicable("no channel was sampled")


@rule("TEL07")
def living_sensors(evidence: Evidence) -> Answer:
    found = {column.channel["name"]: column for column in columns(evidence)}
    asked = [column for name, column in found.items() if name.endswith(("power_mw", "power_w"))]
    asked = asked or [found[name] for name in ("clock_mhz",) if name in found]
    faults = []
    for column in asked:
        update_ns = column.channel.get("update_period_ns")
        step_ns = update_ns if isinstance(update_ns, int) else 0
        row = 0
        for value, run in groupby(column.values):
            length = len(list(run))
            spans_ns = column.t_ns[row + length - 1] - column.t_ns[row]
            if length > STUCK_SAMPLES and spans_ns >= STUCK_SAMPLES * step_ns:
                faults.append(
                    Mismatch(
                        where=column.where,
                        found=f"{value} in {length} readings from t = {column.t_ns[row]}",
                        expected=f"at most {STUCK_SAMPLES} equal readings in a row",
                        message="the sensor is stuck, or the numbers were made up",
                    )
                )
            row += length
    return faults if asked else NotApplicable("neither power nor clock was sampled")


@rule("TEL09")
def stated_way_of_reading(evidence: Evidence) -> Answer:
    channels = list(evidence.entries("/channels"))
    devices = evidence.known("/env/devices") or []
    read = {column.channel["name"] for column in columns(evidence)}
    faults = []
    for where, channel in channels:
        name, device = channel["name"], channel["device"]
        if channel["status"] != "ok":
            if name in read:
                faults.append(
                    Mismatch(
                        where=f"{where}/status",
                        found=channel["status"],
                        expected="ok, or no readings",
                        message=f"{name} could not be read and has readings",
                    )
                )
            continue
        if channel["source"] in {"nvml", "amdsmi", "rapl"} and is_absent(channel["call"]):
            faults.append(
                Mismatch(
                    where=f"{where}/call",
                    found=channel["call"]["reason"],
                    expected="the API call or the register",
                    message=f"the call that read {name} is not stated",
                )
            )
        window = channel["window_ns"]
        if channel["semantics"] == "window_mean" and is_absent(window) and window["reason"] == "not_applicable":
            faults.append(
                Mismatch(
                    where=f"{where}/window_ns",
                    found="not_applicable",
                    expected="the window in ns, or unknown",
                    message=f"{name} is a mean over a window",
                )
            )
        if isinstance(device, int) and device >= len(devices):
            faults.append(
                Mismatch(
                    where=f"{where}/device",
                    found=device,
                    expected=f"a place in /env/devices, which lists {len(devices)}",
                    message=f"{name} was read from a device that is not listed",
                )
            )
        elif channel["source"] in {"nvml", "amdsmi"} and not isinstance(device, int):
            faults.append(
                Mismatch(
                    where=f"{where}/device",
                    found=device["reason"],
                    expected="a place in /env/devices",
                    message=f"the device of {name} is not stated",
                )
            )
    return faults if channels else NotApplicable("no channel")


@rule("TEL10")
def one_device(evidence: Evidence) -> Answer:
    if evidence.known("/generation/device") in {None, "cpu"}:
        return NotApplicable("no accelerator computed")
    placed = [
        column
        for column in columns(evidence)
        if column.where.startswith("trace/telemetry/") and isinstance(column.channel["device"], int)
    ]
    if not placed:
        return NotApplicable("no telemetry of a device")
    computed = _visible_device(evidence)
    computed = placed[0].channel["device"] if computed is None else computed
    return [
        Mismatch(
            where=f"{column.pointer}/device",
            found=column.channel["device"],
            expected=computed,
            message=f"{column.channel['name']} was read from a device other than the one that computed",
        )
        for column in placed
        if column.channel["device"] != computed
    ]


@rule("TEL12")
def named_meter(evidence: Evidence) -> Answer:
    metered = [
        (where, channel) for where, channel in evidence.entries("/channels") if channel["source"] == "external_meter"
    ]
    if not metered:
        return NotApplicable("no external meter")
    return [
        Mismatch(
            where=f"{where}/meter",
            expected="model, serial_digest, calibrated, measurement_point, rate_mhz",
            message=f"the meter of {channel['name']} is not identified",
        )
        for where, channel in metered
        if "meter" not in channel
    ]


@rule("TEL15")
def own_telemetry(evidence: Evidence) -> Answer:
    siblings = evidence.siblings
    trace = evidence.trace("telemetry") if siblings is not None else None
    if siblings is None or trace is None or not trace.rows:
        return NotApplicable("no telemetry to compare with that of another run")
    stated = next(entry["digest"] for entry in evidence.known("/traces") if entry["name"] == "telemetry")
    others = siblings.sharing("telemetry", stated, but=evidence.place)
    if not others:
        return []
    return [
        Mismatch(
            where="trace/telemetry",
            found=stated,
            expected=f"other readings than those of {others[0].name}",
            message="two runs have the same readings, to the nanosecond",
        )
    ]


def _paced_traces(evidence: Evidence) -> Iterator[tuple[str, Trace]]:
    """Yield telemetry, and the channel traces whose channel declares a rate."""
    paced = {
        channel["name"] for _, channel in evidence.entries("/channels") if isinstance(channel.get("rate_mhz"), int)
    }
    for name, trace in sampled_traces(evidence):
        if name == "telemetry" or name.removeprefix("channel/") in paced:
            yield name, trace


def _visible_device(evidence: Evidence) -> int | None:
    """Return the place of the one device that the engine was shown by its identifier, or None where nothing says so."""
    shown = {entry["name"]: entry["value"] for _, entry in evidence.entries("/env/variables")}
    wanted = shown.get("CUDA_VISIBLE_DEVICES")
    listed = [device["uuid_digest"] for _, device in evidence.entries("/env/devices")]
    return listed.index(wanted) if wanted in listed else None


def _highest_possible(name: str, device: dict[str, Any]) -> int | None:
    if name == "util_gpu_pct":
        return 100
    if name == "clock_mhz":
        limit = device.get("max_clock_mhz")
        return limit if isinstance(limit, int) else None
    if name == "power_mw":
        limit = device.get("power_limit_mw")
        return limit * 12 // 10 if isinstance(limit, int) else None
    if name == "mem_used_mib":
        limit = device.get("memory_mib")
        return limit if isinstance(limit, int) else None
    return _HOTTEST_C if name == "temperature_c" else None


def _beyond(column: Column, value: int, expected: str) -> Mismatch:
    row = column.values.index(value)
    return Mismatch(
        where=column.where,
        found=f"{value} at t = {column.t_ns[row]}",
        expected=expected,
        message="a reading that the device cannot give",
    )
