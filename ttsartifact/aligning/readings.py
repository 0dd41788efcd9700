"""Single readings become a log: in the order of their times, of one device, on one time base."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ttsartifact.aligning.log import Marker, ReadingKind, SensorLog
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.aligning.dialects import Dialect
    from ttsartifact.aligning.stamps import WrittenTime

__all__ = ["Reading", "gathered"]


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
        why = left_out[0] if left_out else "no row"
        raise Refused("the log holds too few readings", found=f"{len(found)} ({why})", expected="at least 2")
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
