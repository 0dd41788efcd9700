"""Time stamps of foreign logs as integer nanoseconds. A zone is never guessed."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from ttsartifact.aligning.log import TimeBase
from ttsartifact.errors import Refused

__all__ = ["FORMATS", "WrittenTime", "stamp_of", "to_utc_ns", "zone_shift_ns"]

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
    "epoch-ns": 1,
    "seconds": NS_PER_S,
}
_FRACTION = re.compile(r"(?<=:[0-9]{2})[.,]([0-9]{1,9})")
_ZONE = re.compile(r"\s*(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2}))$")
_COUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class WrittenTime(NamedTuple):
    """One time: nanoseconds, what they count from, and the weight of the last digit that was written."""

    ns: int
    base: TimeBase
    resolution_ns: int


def stamp_of(text: str, form: str) -> WrittenTime:
    """Return the time that `text` is in the form `form` of `FORMATS`; raises ValueError where it is none."""
    step = FORMATS[form]
    text = text.strip()
    return _civil(text, step) if isinstance(step, str) else _counted(text, step, form)


def _counted(text: str, step_ns: int, form: str) -> WrittenTime:
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"no number: {text}")
    try:
        count = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"no number: {text}") from error
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
            "no such time zone", where="--zone", found=zone, expected="UTC, +02:00, or a name as Europe/Berlin"
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
