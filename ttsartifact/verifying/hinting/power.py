"""Readings that seldom go together (clauses 6.4 and 6.5)."""

from __future__ import annotations

from itertools import combinations, groupby, pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.logs import energy_between, stat
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Mismatch
from ttsartifact.verifying.hinting import hint
from ttsartifact.verifying.rules.tel_power import late_calibrations, powers_behind, weaker_walls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_FEW, _MANY = 5, 20
_MOVED_PERCENT = 10  # of what a meter reads; a power supply's own losses move with the load
_UPDATE_NS = 100_000_000  # how often NVML's counter and power are renewed where the file does not say
_WINDOW_NS = 1_000_000_000  # the longest that NVML averages over: what a mean of unknown window may be
_SECOND_NS = 1_000_000_000
_APART_PERCENT = 30
_SHORT_APART_PERCENT = 50
_MOST_CHANNELS = 8  # of a stranger's file each is compared with each
_NEAR_LIMIT_PERCENT = 70
_BUSY_PERCENT = 50
_IDLE, _HEAT = 0x1, 0x60  # nvmlClocksEventReasonGpuIdle; SwThermalSlowdown and HwThermalSlowdown
_COOL_C = 55
_POWER_CAP, _CAPPED_PERCENT = 0x4, 50  # nvmlClocksEventReasonSwPowerCap
_LEAP_C, _MEMORY_MHZ = 30, 40_000
_MOST_WALL_MW = 100_000_000  # of a rack
_FEW_CHANGES = 5
_STANDING_MJ, _SURE_MJ = 1_000, 20_000  # made beside a counter of known updates that stands; of unknown ones


@hint("TEL20")
def energy_of_power(evidence: Evidence) -> Iterator[Mismatch]:
    """An energy counter rises by what the power makes over the run, and never stands while power flows (6.5)."""
    telemetry = evidence.trace("telemetry")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    if telemetry is None:
        return
    columns = telemetry.columns
    stands = _stands(columns)
    standing = _standing_counter(evidence, columns, stands)
    if standing is not None:
        yield standing
        return
    is_short = end - start < _SECOND_NS
    if is_short:
        if len(stands) <= _FEW:
            return
        start, end = stands[1][0], stands[-1][0]
        if not _holds_its_level(columns, start, end):
            return
    power = stat("power_mw", columns["t_ns"], columns["power_mw"], start, end, milli=1000)
    counted = energy_between(columns["t_ns"], columns["energy_mj"], start, end)
    if power is None or counted is None:
        return
    made_mj = power["mean_milli"] * (end - start) // (1000 * _SECOND_NS)
    if made_mj and abs(counted - made_mj) * 100 > (_SHORT_APART_PERCENT if is_short else _APART_PERCENT) * made_mj:
        yield Mismatch(
            where="trace/telemetry/columns/energy_mj",
            found=f"{counted} mJ counted, {made_mj} mJ by the power",
            message="the energy counter and the power readings disagree",
        )


def _stands(columns: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the times from which and until which the counter was read with one value."""
    read = [each for each in zip(columns["t_ns"], columns["energy_mj"], strict=True) if each[1] is not None]
    same = [list(rows) for _, rows in groupby(read, lambda each: each[1])]
    return [(rows[0][0], rows[-1][0]) for rows in same]


def _holds_its_level(columns: dict[str, Any], start: int, end: int) -> bool:
    read = [each for each in zip(columns["t_ns"], columns["power_mw"], strict=True) if each[1] is not None]
    return _is_steady(read, start, end)


def _standing_counter(evidence: Evidence, columns: dict[str, Any], stands: list[tuple[int, int]]) -> Mismatch | None:
    """Return the hint on the longest time over which the counter stands, if its updates and the power speak against."""
    if not stands:
        return None
    start, end = max(stands, key=lambda each: each[1] - each[0])
    period = _counter_period_ns(evidence, stands)
    power = stat("power_mw", columns["t_ns"], columns["power_mw"], start, end, milli=1)
    if power is None or end - start < _FEW * (period or _UPDATE_NS):
        return None
    made_mj = power["mean_milli"] * (end - start) // _SECOND_NS
    if made_mj < (_STANDING_MJ if period else _SURE_MJ):
        return None
    return Mismatch(
        where="trace/telemetry/columns/energy_mj",
        found=f"no rise over {(end - start) // 1_000_000} ms, {made_mj} mJ by the power",
        message="the energy counter stands still while power flows",
    )


def _counter_period_ns(evidence: Evidence, stands: list[tuple[int, int]]) -> int | None:
    """Return the time between updates of the counter: as its channel states, else the median of what was seen."""
    stated = [each.get("update_period_ns") for _, each in evidence.entries("/channels") if each["name"] == "energy_mj"]
    if stated and type(stated[0]) is int:
        return stated[0]
    seen = sorted(later - sooner for (sooner, _), (later, _) in pairwise(stands[1:]))
    return seen[len(seen) // 2] if seen else None


@hint("TEL21")
def load_at_limit(evidence: Evidence) -> Iterator[Mismatch]:
    """A device that draws twice its idle power, or is near its limit, is in use and not at its idle clock (6.4)."""
    telemetry = evidence.trace("telemetry")
    devices = evidence.known("/env/devices") or []
    limit = devices[0]["power_limit_mw"] if devices else None
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    if telemetry is None or limit is None or is_absent(limit):
        return
    within = [start <= t <= end for t in telemetry.columns["t_ns"]]
    power, used, clock = (_held(telemetry.columns[key], within) for key in ("power_mw", "util_gpu_pct", "clock_mhz"))
    if evidence.known("/generation/device") == "cpu" and len(used) >= _FEW and sum(used) >= _BUSY_PERCENT * len(used):
        where, found = "/generation/device", f"cpu, while a device was in use for {sum(used) // len(used)} %"
        yield Mismatch(
            where=where,
            found=found,
            message="an accelerator was busy although the run states the CPU as its device",
        )
    lowest = min((reading for reading in telemetry.columns["power_mw"] if reading is not None), default=0)
    hot = len(power) >= _FEW and sum(power) >= len(power) * min(limit * _NEAR_LIMIT_PERCENT // 100, 2 * lowest)
    if hot and len(used) >= _FEW and not any(used):
        where, found = "trace/telemetry/columns/util_gpu_pct", "0 in all readings of the run"
        yield Mismatch(where=where, found=found, message="the power of a busy device, but it was not in use")
    most = devices[0]["max_clock_mhz"]
    if hot and len(clock) >= _FEW and not is_absent(most) and max(clock) * 4 < most:
        where, found = "trace/telemetry/columns/clock_mhz", f"at most {max(clock)} of {most} MHz"
        yield Mismatch(where=where, found=found, message="the device drew the power of a busy device at a low clock")
    reasons = _held(telemetry.columns["clock_event_reasons"], within)
    where = "trace/telemetry/columns/clock_event_reasons"
    if hot and len(reasons) >= _FEW and all(each & _IDLE for each in reasons):
        yield Mismatch(
            where=where,
            found="idle in all readings of the run",
            message="the device drew power while its clocks state that it was idle",
        )
    capped = [limit * _CAPPED_PERCENT // 100 > each for each in power]
    if len(reasons) >= _FEW and capped and all(capped) and all(each & _POWER_CAP for each in reasons):
        found = f"slowed by its power limit at {max(power) // 1000} of {limit // 1000} W"
        yield Mismatch(
            where=where,
            found=found,
            message="a power limit is the stated reason, but the power was far below it",
        )
    yield from _leaps(telemetry.columns)
    warmth = _held(telemetry.columns["temperature_c"], within)
    if warmth and max(warmth) < _COOL_C and any(each & _HEAT for each in reasons):
        found = f"slowed by heat at {max(warmth)} degC at most"
        yield Mismatch(
            where=where,
            found=found,
            message="heat is the stated reason, but no device slows down at this temperature",
        )


def _leaps(columns: dict[str, Any]) -> Iterator[Mismatch]:
    """Yield temperatures that no cooler can change so fast, and clocks of a memory that nobody makes."""
    read = [each for each in zip(columns["t_ns"], columns["temperature_c"], strict=True) if each[1] is not None]
    for (sooner, cold), (later, warm) in pairwise(read):
        if later - sooner <= _SECOND_NS and abs(warm - cold) > _LEAP_C:
            where, found = "trace/telemetry/columns/temperature_c", f"{cold} and {warm} degC within a second"
            yield Mismatch(where=where, found=found, message="no device warms up or cools down this fast")
            break
    clocks = [clock for clock in columns["mem_clock_mhz"] if clock is not None]
    if clocks and max(clocks) > _MEMORY_MHZ:
        where, found = "trace/telemetry/columns/mem_clock_mhz", f"{max(clocks)} MHz"
        yield Mismatch(where=where, found=found, message="no device has a memory clock this high")


@hint("TEL22")
def wall_and_device(evidence: Evidence) -> Iterator[Mismatch]:
    """A meter sees at least what the device sees, was calibrated before, and is read no faster than it measures."""
    if not {"power", "energy"} & set(evidence.profiles):  # of a claim TEL17 asks it
        yield from (*weaker_walls(evidence), *late_calibrations(evidence))
    yield from _standing_meters(evidence)
    for where, channel in evidence.entries("/channels"):
        rate = channel.get("rate_mhz")
        own = evidence.trace(f"channel/{channel['name']}") if "meter" in channel else None
        drawn = [] if own is None or channel["unit"] != "mW" else [each for each in own.columns["value"] if each]
        if drawn and sum(drawn) > len(drawn) * _MOST_WALL_MW:
            found = f"{sum(drawn) // len(drawn) // 1000} W in the mean"
            yield Mismatch(where=where, found=found, message="no machine draws so much")
        if "meter" in channel and type(rate) is int and rate > 2 * channel["meter"]["rate_mhz"]:
            found = f"{rate} mHz of a meter of {channel['meter']['rate_mhz']} mHz"
            yield Mismatch(
                where=f"{where}/rate_mhz",
                found=found,
                message="the channel was read faster than it measures",
            )


def _standing_meters(evidence: Evidence) -> Iterator[Mismatch]:
    """Yield each meter that hardly moved while the power of the device behind it did, each averaged as it measures."""
    read = list(powers_behind(evidence))
    own = [powers for _, channel, powers in read if channel["source"] == "nvml"]
    for where, channel, powers in read:
        if "meter" not in channel or not own:
            continue
        start, end = powers[0][0], powers[-1][0]
        measured = (end - start) * channel["meter"]["rate_mhz"] // 1_000_000_000_000
        windows = min(measured, len(powers) - 1)
        if windows < _FEW:
            continue
        level, moved = _levels(powers, start, end, windows)
        caused = max(_levels(each, start, end, windows)[1] for each in own)
        if caused * 100 > level * _MOVED_PERCENT and moved * 100 < caused * _MOVED_PERCENT:
            found = f"{moved // 1_000} mW, beside the device's {caused // 1_000} mW"
            yield Mismatch(
                where=where,
                found=found,
                message="the power of the meter stands still while that of the device changes",
            )


@hint("TEL23")
def readings_as_stated(evidence: Evidence) -> Iterator[Mismatch]:
    """A channel that could be read has readings, in steps of its resolution (clause 6.4)."""
    made, log = evidence.known("/run/sampling/readings"), evidence.trace("telemetry")
    if made is not None and log is not None and log.rows > made:
        where = "/run/sampling/readings"
        yield Mismatch(where=where, found=made, message=f"the trace holds {log.rows}")
    for where, channel in evidence.entries("/channels"):
        name = channel["name"]
        own = evidence.trace(f"channel/{name}")
        telemetry = evidence.trace("telemetry")
        held: list[Any] | None = own.columns["value"] if own is not None else None
        if own is None and telemetry is not None:
            held = telemetry.columns.get(name)
        if held is None or channel["status"] != "ok":
            continue
        values = [value for value in held if value is not None]
        if held and not values:
            yield Mismatch(
                where=f"{where}/status",
                found="no reading",
                message=f"{name} is stated as read, but has no value",
            )
        yield from _too_often(where, channel, telemetry if own is None else own, held)
        step = channel.get("resolution")
        if type(step) is int and any((later - sooner) % step for sooner, later in pairwise(values)):
            yield Mismatch(
                where=f"{where}/resolution",
                found=step,
                message=f"{name} changes by less than its stated resolution",
            )


def _too_often(where: str, channel: dict[str, Any], trace: Any, held: list[Any]) -> Iterator[Mismatch]:
    """Yield a hint where a channel changes again and again within half the time in which it is said to be renewed."""
    period = channel.get("update_period_ns")
    read = [each for each in zip(trace.columns["t_ns"], held, strict=True) if each[1] is not None]
    if type(period) is not int or len(read) < _FEW:
        return
    changes = [rows[0] for rows in (list(group) for _, group in groupby(read, lambda each: each[1]))]
    gaps = [later[0] - sooner[0] for sooner, later in pairwise(changes)]
    if sum(2 * gap < period for gap in gaps) > max(_FEW_CHANGES, len(gaps) // 2):
        found = f"{len(gaps)} changes in {(read[-1][0] - read[0][0]) // 1_000_000} ms"
        message = f"{channel['name']} is renewed more often than that"
        yield Mismatch(where=f"{where}/update_period_ns", found=found, message=message)


@hint("TEL29")
def channels_agree(evidence: Evidence) -> Iterator[Mismatch]:
    """Two channels of the power of one device agree over the time that both cover (clause 6.4)."""
    own = [each for each in powers_behind(evidence) if type(each[1]["device"]) is int and len(each[2]) > 1]
    for (where, one, powers), (_, other, others) in combinations(own[:_MOST_CHANNELS], 2):
        if (one["device"], one.get("scope")) != (other["device"], other.get("scope")):
            continue
        start, end = max(powers[0][0], others[0][0]), min(powers[-1][0], others[-1][0])
        if end <= start or not comparable(((one, powers), (other, others)), start, end):
            continue
        means = [_mean_power(each, start, end) for each in (powers, others)]
        if 2 * max(means) > 3 * min(means):
            first, second = (mean // 1_000 for mean in means)
            yield Mismatch(
                where=where,
                found=f"{first} mW, beside {second} mW of {other['name']}",
                message="two channels state different powers of one device",
            )


def _held(values: list[Any], within: list[bool]) -> list[int]:
    return [value for value, inside in zip(values, within, strict=True) if inside and value is not None]


def _levels(powers: list[tuple[int, int]], start: int, end: int, windows: int) -> tuple[int, int]:
    """Return the least mean power of the windows from start to end, and how much more the greatest is."""
    held: dict[int, list[int]] = {}
    for t_ns, power in powers:
        if start <= t_ns < end:
            held.setdefault((t_ns - start) * windows // (end - start), []).append(power)
    means = [sum(window) // len(window) for window in held.values()]
    return min(means, default=0), max(means, default=0) - min(means, default=0)


def _is_steady(powers: list[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether the mean powers of the quarters of the time are within a tenth of each other."""
    level, moved = _levels(powers, start, end, 4)
    return moved * 100 <= level * _MOVED_PERCENT


def comparable(both: tuple[tuple[dict[str, Any], list[tuple[int, int]]], ...], start: int, end: int) -> bool:
    """Return whether the time is long enough for means of both channels to be equal.

    The mean of a window holds what was before, and few readings of a power that moves hit its peaks by chance: steady
    powers are compared over half a window and a few updates, others over ten windows and many updates.
    """
    window_ns = max(_window_ns(channel) for channel, _ in both)
    updates = min((end - start) // _period_ns(channel, powers) for channel, powers in both)
    if all(_is_steady(powers, start, end) for _, powers in both):
        return updates >= _FEW and 2 * (end - start) >= window_ns
    return updates >= _MANY and end - start >= 10 * window_ns


def _window_ns(channel: dict[str, Any]) -> int:
    if channel["semantics"] != "window_mean":
        return 0
    window = channel["window_ns"]
    return window if type(window) is int else _WINDOW_NS


def _period_ns(channel: dict[str, Any], powers: list[tuple[int, int]]) -> int:
    """Return the time between updates as stated, else NVML's, but no less than those between readings."""
    stated = channel.get("update_period_ns")
    spacing = (powers[-1][0] - powers[0][0]) // (len(powers) - 1)
    return max(spacing, stated if type(stated) is int else _UPDATE_NS, 1)


def _mean_power(powers: list[tuple[int, int]], start: int, end: int) -> int:
    """Return the mean of the powers from start to end, each weighed by the time that it held."""
    t_ns, values = zip(*powers, strict=True)
    found = stat("", t_ns, values, start, end, milli=1)
    return found["mean_milli"] if found is not None else 0
