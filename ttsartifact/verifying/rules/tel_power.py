"""Repeated statements about power, energy and units, and mappings of other instruments' logs (4.10, 6.4 and 9.5)."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.logs import LEAST_UPDATES, energy_between, stat, updates_within
from ttsartifact.formulas.timebase import drift_ns, from_utc, snapshots_of, utc_bound
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.terms.trace import SYNC_BURST
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_BEHIND_THE_DEVICE = frozenset({"wall", "psu"})  # where the device's own power is a part of what a meter reads
_SENSOR_ERROR_PERCENT = 5  # what NVIDIA documents of boards up to Kepler; of newer ones it documents nothing
_COUNTER_ERROR_PERCENT = 15  # beyond what a window of 25 ms in 100 ms explains over 20 updates
_MICRO_OF_UNIT = {"mW": 1_000, "W": 1_000_000}
# 4.3: the unit is part of the name of a telemetry column.
_UNIT_OF = {
    "clock_mhz": "MHz",
    "mem_clock_mhz": "MHz",
    "power_mw": "mW",
    "energy_mj": "mJ",
    "util_gpu_pct": "%",
    "mem_used_mib": "MiB",
    "temperature_c": "degC",
    "clock_event_reasons": "bitmask",
}
_UNIT_ENDINGS = {"_mw": "mW", "_mj": "mJ", "_mhz": "MHz", "_mib": "MiB"}
_PPB = 1_000_000_000


@rule("TEL17")
def sound_witness(evidence: Evidence) -> Answer:
    if not {"power", "energy"} & set(evidence.profiles):
        return NotApplicable("neither power nor energy is claimed")
    if not any(True for _ in _meters(evidence)):
        return NotApplicable("no external meter")
    return [*weaker_walls(evidence), *late_calibrations(evidence)]


@rule("TEL18")
def rising_counters(evidence: Evidence) -> Answer:
    faults, asked = [], False
    for where, channel, t_ns, values in _readings(evidence):
        # RAPL counts in 32 bits and begins again.
        if channel["semantics"] != "counter" or channel["source"] == "rapl":
            continue
        asked = True
        fall = next(((t, a, b) for t, (a, b) in zip(t_ns[1:], pairwise(values), strict=True) if b < a), None)
        if fall is not None:
            faults.append(
                Mismatch(
                    where=where,
                    found=f"{fall[2]} at t = {fall[0]}",
                    expected=f"at least {fall[1]}, the reading before it",
                    message=f"the counter {channel['name']} falls",
                )
            )
    return faults if asked else NotApplicable("no counter was read")


@rule("TEL19")
def one_description(evidence: Evidence) -> Answer:
    listed = list(evidence.entries("/channels"))
    seen: set[str] = set()
    faults = []
    for where, channel in listed:
        name, unit, window = channel["name"], channel["unit"], channel["window_ns"]
        wanted = _UNIT_OF.get(name) or next((u for end, u in _UNIT_ENDINGS.items() if name.endswith(end)), unit)
        if name in seen:
            faults.append(Mismatch(where=f"{where}/name", found=name, message="a channel is described twice"))
        seen.add(name)
        if unit != wanted:
            faults.append(_otherwise(f"{where}/unit", unit, wanted, f"the name {name} says its unit"))
        if channel["semantics"] == "instant" and not is_absent(window) and window > 0:
            faults.append(_otherwise(f"{where}/window_ns", window, 0, f"{name} is an instantaneous reading"))
        if channel["semantics"] == "window_mean" and window == 0:
            faults.append(
                _otherwise(f"{where}/window_ns", 0, "a window, or unknown", f"{name} is a mean over a window")
            )
    return faults if listed else NotApplicable("no channel")


@rule("TEL24")
def counted_energy(evidence: Evidence) -> Answer:
    stated = evidence.known("/summary/energy_mj")
    if stated is None:
        return NotApplicable("no energy is stated")
    telemetry = evidence.trace("telemetry")
    if telemetry is None or not any(value is not None for value in telemetry.columns["energy_mj"]):
        return NotApplicable("no counter was read; TEL11 says so")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    updates = updates_within(telemetry.columns["t_ns"], telemetry.columns["energy_mj"], start, end)
    if updates >= LEAST_UPDATES:
        return []
    return [
        Mismatch(
            where="/summary/energy_mj",
            found=f"{updates} updates of the counter within the run",
            expected=f"at least {LEAST_UPDATES}, or no energy",
            message="the run is too short for its counter to measure its energy",
        )
    ]


@rule("TEL25")
def agreeing_counter(evidence: Evidence) -> Answer:
    found = {channel["name"]: (t_ns, values) for _, channel, t_ns, values in _readings(evidence)}
    if not {"power_mw", "energy_mj"} <= set(found):
        return NotApplicable("power and an energy counter were not both read")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    (t_ns, counter), power = found["energy_mj"], found["power_mw"]
    counted = energy_between(t_ns, counter, start, end)
    mean = stat("power_mw", *power, start, end, milli=1)
    if counted is None or mean is None or updates_within(t_ns, counter, start, end) < LEAST_UPDATES:
        return NotApplicable(f"the counter was renewed fewer than {LEAST_UPDATES} times within the run")
    integral = mean["mean_milli"] * (end - start) // 1_000_000_000
    if abs(counted - integral) * 100 <= _COUNTER_ERROR_PERCENT * max(counted, integral):
        return []
    return [
        Mismatch(
            where="trace/telemetry/columns/energy_mj",
            found=f"{counted} mJ over the run",
            expected=f"{integral} mJ, the power over the run, within {_COUNTER_ERROR_PERCENT} %",
            message="the energy counter and the power of one device contradict each other",
        )
    ]


@rule("TEL26")
def living_utilisation(evidence: Evidence) -> Answer:
    found = {channel["name"]: values for _, channel, _, values in _readings(evidence)}
    if evidence.known("/generation/device") == "cpu" or not {"power_mw", "util_gpu_pct"} <= set(found):
        return NotApplicable("utilisation and power of an accelerator were not both read")
    used, power = found["util_gpu_pct"], found["power_mw"]
    if len(used) <= LEAST_UPDATES or any(used) or 2 * max(power) < 3 * min(power):
        return []
    return [
        Mismatch(
            where="trace/telemetry/columns/util_gpu_pct",
            found=f"0 in all {len(used)} readings while power went from {min(power)} to {max(power)} mW",
            expected="a utilisation above 0, or null",
            message="the driver answers 0 for a utilisation that it does not measure",
        )
    ]


def weaker_walls(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each meter behind the device that saw less power over the run than the device's own sensor did."""
    means = {where: (channel, mean) for where, channel, mean in _mean_powers(evidence)}
    own = [mean for channel, mean in means.values() if channel["source"] == "nvml"]
    if not own:
        return
    for where, (channel, mean) in means.items():
        behind = channel.get("meter", {}).get("measurement_point") in _BEHIND_THE_DEVICE
        if behind and mean * 100 < max(own) * (100 - _SENSOR_ERROR_PERCENT):
            yield Mismatch(
                where=where,
                found=f"{mean // 1_000} mW over the run",
                expected=f"at least the device's own {max(own) // 1_000} mW",
                message=f"{channel['name']} saw less power than the device that it feeds",
            )


def powers_behind(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any], list[tuple[int, int]]]]:
    """Yield the readings in microwatts, with their times, of the device's own sensor and of each meter behind it."""
    for where, channel, t_ns, values in _readings(evidence):
        factor = _MICRO_OF_UNIT.get(channel["unit"])
        point = channel.get("meter", {}).get("measurement_point")
        if factor is None or not is_of_this_run(evidence, channel):
            continue
        if channel["source"] == "nvml" or point in _BEHIND_THE_DEVICE:
            yield where, channel, [(t, value * factor) for t, value in zip(t_ns, values, strict=True)]


def is_of_this_run(evidence: Evidence, channel: dict[str, Any]) -> bool:
    """Return whether the readings of a channel can be told from those of other times, by the bound of their mapping."""
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    return "mapping" not in channel or None in (start, end) or channel["mapping"]["bound_ns"] < end - start


def late_calibrations(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each meter that was calibrated after the run began."""
    began = evidence.known("/timebase/origin/utc")
    for where, channel in _meters(evidence):
        calibrated = channel["meter"]["calibrated"]
        if began is not None and from_utc(calibrated) > from_utc(began):
            yield Mismatch(
                where=f"{where}/meter/calibrated",
                found=calibrated,
                expected=f"before {began}",
                message=f"the meter of {channel['name']} was calibrated after the run",
            )


def _meters(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, channel in evidence.entries("/channels"):
        if channel["source"] == "external_meter" and channel["status"] == "ok" and "meter" in channel:
            yield where, channel


def _mean_powers(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield the mean power in microwatts of each channel that read power, over the run."""
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    for where, channel, t_ns, values in _readings(evidence):
        factor = _MICRO_OF_UNIT.get(channel["unit"])
        if factor is None or not is_of_this_run(evidence, channel):
            continue
        found = stat(channel["name"], t_ns, values, start, end, milli=factor)
        if found is not None:
            yield where, channel, found["mean_milli"]


def _readings(evidence: Evidence) -> Iterator[tuple[str, dict[str, Any], list[int], list[int]]]:
    """Yield place, channel, times and values of each described column with readings."""
    for _, channel in evidence.entries("/channels"):
        name = channel["name"]
        own = evidence.trace(f"channel/{name}")
        trace = own or evidence.trace("telemetry")
        column = "value" if own is not None else name
        if trace is not None and column in trace.columns and channel["status"] == "ok":
            t_ns, values = evidence.readings(trace, column)
            if values:
                yield f"trace/{trace.name}/columns/{column}", channel, t_ns, values


def _otherwise(where: str, found: Any, expected: Any, message: str) -> Mismatch:
    return Mismatch(where=where, found=found, expected=expected, message=message)


@rule("TEL27")
def recomputed_mapping(evidence: Evidence) -> Answer:
    mapped = [
        (f"{where}/mapping", each["mapping"]) for where, each in evidence.entries("/channels") if "mapping" in each
    ]
    faults = []
    for where, mapping in mapped:
        total = sum(term["ns"] for term in mapping["terms"])
        if mapping["bound_ns"] != total:
            faults.append(_other_mapping(f"{where}/bound_ns", mapping["bound_ns"], f"{total}, the sum of its terms"))
        if mapping["against"] == SYNC_BURST and all(
            each["name"] != SYNC_BURST for _, each in evidence.entries("/channels")
        ):
            faults.append(_other_mapping(f"{where}/against", SYNC_BURST, "a channel of this name"))
        if mapping["method"] == "clock":
            faults += _by_clock(evidence, where, mapping)
    return faults if mapped else NotApplicable("no foreign log")


@rule("TEL28")
def carried_log(evidence: Evidence) -> Answer:
    held = [each["name"] for _, each in evidence.entries("/traces") if each["name"].startswith("log/")]
    mapped = {each["name"]: each["mapping"]["log"] for _, each in evidence.entries("/channels") if "mapping" in each}
    faults = []
    for name in held:
        trace, stated = evidence.trace(name), mapped.get(name.removeprefix("log/"))
        if trace is None:
            continue
        try:
            data = b"".join(base64.b64decode(each, validate=True) for each in trace.columns["bytes"])
        except ValueError as error:
            faults.append(Mismatch(where=f"trace/{name}", found=str(error), message="the log is not base64"))
            continue
        found = {"digest": digest.of(data), "size": len(data)}
        expected = None if stated is None else {key: stated[key] for key in found}
        if found != expected:
            message = "the mapping belongs to a different log"
            faults.append(Mismatch(where=f"trace/{name}", found=found, expected=expected, message=message))
    return faults if held else NotApplicable("no log travels in the artifact")


def _by_clock(evidence: Evidence, where: str, mapping: dict[str, Any]) -> Iterator[Mismatch]:
    """Yield what a mapping by UTC says otherwise than the run's snapshots of UTC do."""
    timebase = evidence.known("/timebase")
    places = snapshots_of(timebase)
    if not places:
        yield _other_mapping(f"{where}/method", "clock", "a snapshot of UTC, or a different method")
        return
    expected = int(mapping["anchor"]["log_ns"]) - places[0].offset_ns
    if mapping["anchor"]["t_ns"] != expected:
        yield _other_mapping(
            f"{where}/anchor/t_ns", mapping["anchor"]["t_ns"], f"{expected}, from the first snapshot of UTC"
        )
    gained, over = drift_ns(places[0], places[-1]), places[-1].t_ns - places[0].t_ns
    drift = -gained * _PPB // over if over else 0
    if mapping["drift_ppb"] != drift:
        yield _other_mapping(f"{where}/drift_ppb", mapping["drift_ppb"], f"{drift}, from the snapshots of UTC")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    bound = utc_bound(timebase, start, end)
    if bound is not None and mapping["bound_ns"] < bound.ns:
        yield _other_mapping(
            f"{where}/bound_ns", mapping["bound_ns"], f"at least {bound.ns}, the run's own distance from UTC"
        )


def _other_mapping(where: str, found: Any, expected: str) -> Mismatch:
    return _otherwise(where, found, expected, "the mapping is not the one that the run's clocks give")
