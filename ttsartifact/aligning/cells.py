"""Cells of foreign tables: numbers in mW and mJ, times in nanoseconds, and the readings that become one log."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import re
import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.aligning.log import Marker, ReadingKind, SensorLog, TimeBase
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttsartifact.aligning.log import Dialect

UNITS: dict[str, tuple[ReadingKind, Decimal]] = {
    "uW": (ReadingKind.POWER, Decimal("0.001")),
    "mW": (ReadingKind.POWER, Decimal(1)),
    "W": (ReadingKind.POWER, Decimal(1000)),
    "Watts": (ReadingKind.POWER, Decimal(1000)),
    "kW": (ReadingKind.POWER, Decimal(1_000_000)),
    "mJ": (ReadingKind.COUNTER, Decimal(1)),
    "J": (ReadingKind.COUNTER, Decimal(1000)),
    "mWh": (ReadingKind.COUNTER, Decimal(3600)),
    "Wh": (ReadingKind.COUNTER, Decimal(3_600_000)),
    "kWh": (ReadingKind.COUNTER, Decimal(3_600_000_000)),
}
"""A unit -> what it measures, and how many mW or mJ one of it is."""

_NUMBER = re.compile(r"\s*([-+]?[0-9]{1,15}(?:\.[0-9]{1,12})?(?:[eE][-+]?[0-9]{1,2})?)\s*([A-Za-z]*)\s*")
_UNIT_IN_NAME = re.compile(r"[\[(]\s*([A-Za-z]+)\s*[\])]\s*$")


def milli(cell: str, unit: str | None) -> int:
    """Return a cell in mW or mJ, with the unit it states or else `unit`; raises ValueError for anything else."""
    found = _NUMBER.fullmatch(cell)
    if found is None:
        raise ValueError(f"no reading: {cell.strip() or 'an empty cell'}")
    stated = found[2] or unit
    if stated not in UNITS:
        raise ValueError(f"not a unit of power or energy: {stated or 'none'}")
    if found[2] and unit is not None and UNITS[found[2]][0] is not UNITS[unit][0]:
        raise ValueError(f"the unit {found[2]} is not the column's unit {unit}")
    return round(Decimal(found[1]) * UNITS[stated][1])


def unit_in(name: str) -> str | None:
    """Return the unit that the name of a column ends with, in brackets."""
    found = _UNIT_IN_NAME.search(name)
    return found[1] if found and found[1] in UNITS else None


def rows_of(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the cells of each line, without the spaces around them; a list in a cell stays in its cell.

    A table without commas is split at white space. A trailing comma adds no cell.
    """
    for line in lines:
        if "," not in line:
            yield line.split()
            continue
        try:
            cells = list(_joined(cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))))
        except csv.Error:  # a cell of more than 128 KiB
            cells = [line[:80]]
        yield cells[:-1] if cells and not cells[-1] else cells


def _joined(cells: Iterable[str]) -> Iterator[str]:
    """Put a list that was written without quotes, as in amd-smi, together again."""
    held: list[str] = []
    opened = 0
    for cell in cells:
        held.append(cell)
        opened += cell.count("[") - cell.count("]")
        if held[0].startswith("[") and opened > 0:
            continue
        yield ", ".join(held)
        held, opened = [], 0
    yield from held


NS_PER_S = 1_000_000_000

FORMATS: dict[str, str | int] = {
    # Forms of civil time, as `strptime` without the fraction, and counts, as nanoseconds of one step.
    "nvidia-smi": "%Y/%m/%d %H:%M:%S",
    "ptdaemon": "%m-%d-%Y %H:%M:%S",
    "compact": "%Y%m%dT%H:%M:%S",
    "date-time": "%Y-%m-%d %H:%M:%S",
    "ctime": "%a %b %d %H:%M:%S %Y",
    "iso": "%Y-%m-%dT%H:%M:%S",
    "epoch-s": NS_PER_S,
    "epoch-ms": 1_000_000,
    "epoch-us": 1000,
    "epoch-ns": 1,
    "seconds": NS_PER_S,
}
_FIRST_EPOCH_NS = NS_PER_S * NS_PER_S
_FRACTION = re.compile(r"(?<=:[0-9]{2})[.,]([0-9]{1,9})")
_ZONE = re.compile(r"\s*(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2}))$")
_DAY_AND_MONTH = re.compile(r"\s*[0-9]{1,2}([-/.])[0-9]{1,2}\1(?:[0-9]{4}|[0-9]{2})\b[^,;\t]*")
_OF_TWELVE_HOURS = re.compile(r"[^,;\t]*[0-9]:[0-9]{2}[0-9:.]*\s*[AaPp]\.?[Mm]\b\.?")
_COUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")


class WrittenTime(NamedTuple):
    """One time: nanoseconds, what they count from, and the weight of the last digit that was written."""

    ns: int
    base: TimeBase
    resolution_ns: int


def stamp_of(text: str, form: str) -> WrittenTime:
    """Return the time that `text` is in the form `form` of `FORMATS`; raises ValueError where it is none."""
    step = FORMATS[form]
    text = text.strip()
    if not isinstance(step, str):
        return _counted(text, step, form)
    try:
        return _civil(text, step)
    except ValueError as error:
        raise ValueError(f"not a time of form {form}: {text or 'an empty cell'}") from error


def require_plain_time(text: str, where: str) -> None:
    """Raise Refused for a text that begins with day, month and year, or month, day and year: it is not guessed.

    And for a time of a 12-hour clock, which no form of `FORMATS` has.
    """
    found = _DAY_AND_MONTH.match(text)
    if found is not None:
        stated = "--time COL --time-form ptdaemon --value COL --unit W"
        more = f", or state {stated} if the month is first" if found[1] == "-" else ""
        raise Refused(
            "a time may have its day or its month first, and the order is never guessed",
            where=where,
            found=found[0].strip(),
            expected="times in ISO 8601 (2026-04-03 10:00:00), or since 1970 in s, ms, us or ns: "
            f"write them so in a copy of the log{more}",
        )
    found = _OF_TWELVE_HOURS.match(text)
    if found is not None:
        raise Refused(
            "times of a 12-hour clock (AM, PM) are not read",
            where=where,
            found=found[0].strip(),
            expected="hours from 0 to 23 (2026-04-03 22:00:00): write them so in a copy of the log",
        )


def form_of(text: str, usual: str) -> str | None:
    """Return the form of `FORMATS` that a time has, `usual` before the others, or None.

    A number is an epoch between 2001 and 2262; a smaller one is seconds since a start, where those are usual. That the
    month is before the day, as PTDaemon has it, is not taken to be where it is not usual.
    """
    for form in dict.fromkeys((usual, *(form for form in FORMATS if form != "ptdaemon"))):
        with contextlib.suppress(ValueError):
            stamp = stamp_of(text, form)
            if isinstance(FORMATS[form], str) or (stamp.ns < _FIRST_EPOCH_NS) == (form == usual == "seconds"):
                return form
    return None


def _counted(text: str, step_ns: int, form: str) -> WrittenTime:
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"no number: {text}")
    count = Decimal(text)
    digits = len((found[1] or ".")[1:])
    if abs(count) * step_ns > 2**63:
        raise ValueError(f"out of range: {text}")
    base = TimeBase.START if form == "seconds" else TimeBase.UTC
    return WrittenTime(int(count * step_ns), base, max(1, step_ns // 10**digits))


def _civil(text: str, form: str) -> WrittenTime:
    zone = _ZONE.search(text)
    bare = text[: zone.start()] if zone else text
    fraction = _FRACTION.search(bare)
    whole = _FRACTION.sub("", bare)
    moment = dt.datetime.strptime(whole, form).replace(tzinfo=dt.UTC)
    digits = fraction[1] if fraction else ""
    ns = int((moment - _EPOCH) / dt.timedelta(seconds=1)) * NS_PER_S + int(digits.ljust(9, "0") or 0)
    resolution = NS_PER_S // 10 ** len(digits)
    if zone is None:
        return WrittenTime(ns, TimeBase.LOCAL, resolution)
    sign, hours, minutes = zone[2] or "+", int(zone[3] or 0), int(zone[4] or 0)
    shift = (hours * 60 + minutes) * 60 * NS_PER_S
    return WrittenTime(ns + (shift if sign == "-" else -shift), TimeBase.UTC, resolution)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_utc_ns(local_ns: int, zone: str) -> int:
    """Return the instant in UTC of a civil time in `zone`.

    Raises Refused for a zone that is not known, and for a time that the zone's clock showed twice or never.
    """
    return local_ns - zone_shift_ns(local_ns, zone)


def zone_shift_ns(local_ns: int, zone: str) -> int:
    """Return by how much the civil time of `zone` is ahead of UTC: `UTC`, `+02:00`, or a name as `Europe/Berlin`."""
    found = _ZONE.fullmatch(zone)
    if found:
        shift = (int(found[3] or 0) * 60 + int(found[4] or 0)) * 60 * NS_PER_S
        return -shift if found[2] == "-" else shift
    try:
        named = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(
            "unknown time zone", where="--zone", found=zone, expected="UTC, +02:00, or a name as Europe/Berlin"
        ) from error
    civil = (_EPOCH + dt.timedelta(seconds=local_ns // NS_PER_S)).replace(tzinfo=None)
    shifts = {civil.replace(tzinfo=named, fold=fold).utcoffset() for fold in (0, 1)}
    if len(shifts) > 1:
        raise Refused(
            "the clock of this zone showed this time twice or never",
            where="--zone",
            found=f"{civil} {zone}",
            expected="the zone as an offset, such as +02:00",
        )
    ahead = shifts.pop() or dt.timedelta()
    return int(ahead.total_seconds()) * NS_PER_S


class Reading(NamedTuple):
    """One reading: when, and how much in mW or mJ."""

    stamp: WrittenTime
    value: int


def gathered(
    dialect: Dialect,
    found: Sequence[Reading],
    left_out: Sequence[str],
    *,
    column: str,
    kind: ReadingKind = ReadingKind.POWER,
    window_ns: int | None = None,
    skew_ns: int = 0,
    markers: Sequence[Marker] = (),
) -> SensorLog:
    """Return the log of single readings; raises Refused for fewer than two, and for times that run backwards."""
    if len(found) < 2:
        why = f" ({left_out[0]})" if left_out else ""
        raise Refused("the log holds too few readings", found=f"{len(found)}{why}", expected="at least 2")
    bases = {reading.stamp.base for reading in found}
    if len(bases) > 1:
        raise Refused("some times name a zone and some do not", expected="all, or none")
    times = [reading.stamp.ns for reading in found]
    back = next((n for n in range(1, len(times)) if times[n] < times[n - 1]), None)
    if back is not None:
        raise Refused(
            "the times of the log run backwards: its clock was set, or it holds several devices",
            where=f"reading {back + 1}",
            found=f"{times[back - 1] - times[back]} ns back",
            expected="a log of one device; --only COLUMN=VALUE keeps one",
        )
    # A stamp that repeats is a polling loop that was faster than the meter; the first reading at it stands.
    kept = [n for n in range(len(times)) if n == 0 or times[n] > times[n - 1]]
    if len(kept) < 2 or len(kept) * 4 < len(times) * 3:
        raise Refused(
            "several readings share one time: the log holds several devices",
            found=f"{len(times)} readings at {len(kept)} times",
            expected="a log of one device; --only COLUMN=VALUE keeps one",
        )
    return SensorLog(
        dialect=dialect.name,
        base=found[0].stamp.base,
        kind=kind,
        t_ns=tuple(times[n] for n in kept),
        values=tuple(found[n].value for n in kept),
        column=column,
        scope=dialect.scope,
        # A whole second among hundredths is a coincidence: the finest digit that was written counts.
        resolution_ns=min(reading.stamp.resolution_ns for reading in found),
        digest="",
        size=0,
        window_ns=window_ns,
        skew_ns=skew_ns,
        markers=tuple(markers),
        left_out=tuple(left_out),
    )
