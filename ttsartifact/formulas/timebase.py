"""UTC strings and nanoseconds, clock snapshots, and how far an instant may lie from where it is put (clause 7).

All arithmetic is on integers. A bound rounds up, term by term, so that it never promises more than was measured.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple, late_pattern
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.terms.descriptor import integer, is_absent, mapping, mappings, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NS_PER_S = 1_000_000_000
MAX_DRIFT_PPM = 500
"""What is assumed of an oscillator that was read once; real ones stay under 100."""

_UTC = late_pattern(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z")
_EPOCH_DAY = 719_468  # days from 0000-03-01 to 1970-01-01
_CYCLE_DAYS = 146_097  # the calendar repeats every 400 years
_DAY_S = 86_400


@lru_cache(maxsize=256)  # several rules read the same few instants
def from_utc(text: str) -> int:
    """Return nanoseconds since 1970-01-01T00:00:00Z; `from_utc(to_utc(ns)) == ns`.

    Raises InvalidDescriptor for anything but RFC 3339 in UTC with a final Z and up to nine fractional digits.
    """
    found = _UTC.fullmatch(text)
    if found is None:
        raise _no_utc("not an RFC 3339 instant in UTC", text, "YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ")
    year, month, day, hour, minute, second = (int(digits) for digits in found.groups()[:6])
    if second == 60:
        # POSIX gives a leap second the same count as the second after it; two instants must not become one.
        raise _no_utc("a leap second has no count of its own", text, "seconds 00 to 59")
    if hour > 23 or minute > 59 or second > 59:
        raise _no_utc("not a time of day", text, "00:00:00 to 23:59:59")
    days = _days(year, month, day)
    # A day that does not exist comes back as the one that its number means.
    if not year or not 1 <= month <= 12 or _civil(days) != (year, month, day):
        raise _no_utc("not a day of the calendar", text, "a day that exists, from year 0001")
    seconds = days * _DAY_S + hour * 3600 + minute * 60 + second
    return seconds * NS_PER_S + int((found[7] or "").ljust(9, "0"))


def to_utc(ns: int) -> str:
    """Return the instant `ns` after 1970-01-01T00:00:00Z with all nine fractional digits."""
    seconds, fraction = divmod(ns, NS_PER_S)
    days, second = divmod(seconds, _DAY_S)
    year, month, day = _civil(days)
    if not 1 <= year <= 9999:
        raise InvalidDescriptor("not an instant of the years 0001 to 9999", found=f"{ns} ns after 1970", rule="CLK08")
    hour, minute = second // 3600, second // 60 % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second % 60:02}.{fraction:09}Z"


def fraction_digits(text: str) -> int:
    """Return how many digits follow the seconds of an RFC 3339 string."""
    return len(text.rstrip("Z").partition(".")[2])


def _days(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 in the proleptic Gregorian calendar.

    Years begin in March, so that the leap day is the last one (H. Hinnant, "chrono-Compatible Low-Level Date
    Algorithms"). Python's datetime, which knows no nanoseconds, costs a millisecond at import.
    """
    year -= month <= 2
    cycle, year = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return cycle * _CYCLE_DAYS + year * 365 + year // 4 - year // 100 + day_of_year - _EPOCH_DAY


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a number of days since 1970-01-01; the way back from `_days`."""
    cycle, day = divmod(days + _EPOCH_DAY, _CYCLE_DAYS)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= year * 365 + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month = (month + 2) % 12 + 1
    return cycle * 400 + year + (month <= 2), month, day


def _no_utc(message: str, text: str, expected: str) -> InvalidDescriptor:
    return InvalidDescriptor(message, found=text, expected=expected, rule="CLK08")


class Snapshot(NamedTuple):
    """Two clocks read together: `t_ns` on the origin's clock, `value_ns` on `clock`, inside a bracket (clause 7.2)."""

    at: str
    t_ns: int
    clock: str
    value_ns: int
    """Nanoseconds since 1970 for a clock of UTC, the clock's own count for another."""
    utc: bool
    bracket_ns: int

    @property
    def offset_ns(self) -> int:
        """What must be added to the origin's clock to get this one."""
        return self.value_ns - self.t_ns

    @staticmethod
    def from_value(value: dict[str, Any]) -> Snapshot:
        """Return the snapshot of a descriptor's entry; raises InvalidDescriptor where it breaks the schema."""
        utc = "utc" in value
        return Snapshot(
            at=text(value, "at"),
            t_ns=integer(value, "t_ns"),
            clock=text(value, "clock"),
            value_ns=from_utc(text(value, "utc")) if utc else integer(value, "value_ns"),
            utc=utc,
            bracket_ns=integer(value, "bracket_ns"),
        )

    def to_value(self) -> dict[str, Any]:
        """Return the entry of /timebase/snapshots."""
        reading = {"utc": to_utc(self.value_ns)} if self.utc else {"value_ns": self.value_ns}
        return {"at": self.at, "t_ns": self.t_ns, "clock": self.clock, "bracket_ns": self.bracket_ns} | reading


def snapshots_of(timebase: dict[str, Any], clock: str | None = None) -> tuple[Snapshot, ...]:
    """Return the snapshots of one clock, or all of UTC when none is named, in the order of their times.

    Raises InvalidDescriptor for entries that break the schema.
    """
    found = [
        Snapshot.from_value(value)
        for value in mappings(timebase, "snapshots")
        if (value.get("clock") == clock if clock is not None else "utc" in value)
        and ("utc" in value or "value_ns" in value)
    ]
    return tuple(sorted(found, key=lambda snapshot: snapshot.t_ns))


def drift_ns(first: Snapshot, second: Snapshot) -> int:
    """Return by how much the clock of two snapshots gained on the origin's clock between them."""
    return second.offset_ns - first.offset_ns


def utc_drift_ppb(timebase: dict[str, Any]) -> tuple[int, int] | None:
    """Return by how many parts in 10^9 UTC gained on the origin's clock, and how far that may be off.

    Each of the two outer snapshots lies within half its bracket, and has the steps of its clock. A drift that is not
    greater than what it may be off is not resolved. None where UTC was read at one instant, or never. Raises
    InvalidDescriptor for a timebase that breaks its schema.
    """
    places = snapshots_of(timebase)
    over = places[-1].t_ns - places[0].t_ns if places else 0
    if not over:
        return None
    first, last = places[0], places[-1]
    steps = [each.get("resolution_ns") for each in mappings(timebase, "clocks") if each.get("id") == first.clock]
    error_ns = rounded_up(first.bracket_ns + last.bracket_ns, 2) + sum(step for step in steps if type(step) is int)
    return round(drift_ns(first, last) * 10**9 / over), rounded_up(error_ns * 10**9, over)


def drift_allowance_ns(first: Snapshot, second: Snapshot, grain_ns: int = 0) -> int:
    """Return the drift that two sound snapshots may show: both brackets and 500 ppm of the time between them.

    A bracket counts as `grain_ns` at least, the resolutions of both clocks together.
    """
    brackets = max(first.bracket_ns, grain_ns) + max(second.bracket_ns, grain_ns)
    return brackets + rounded_up(MAX_DRIFT_PPM * abs(second.t_ns - first.t_ns), 1_000_000)


def grain_ns(timebase: dict[str, Any], clock: str) -> int:
    """Return the resolutions of a clock and of the origin's: readings of a coarse clock jump by a step of it."""
    steps = {entry.get("id"): entry.get("resolution_ns") for entry in mappings(timebase, "clocks")}
    both = (steps.get(clock), steps.get(text(mapping(timebase, "origin"), "clock")))
    return sum(step for step in both if type(step) is int)


class Bound(NamedTuple):
    """An alignment bound U, and the terms that were not measured: with any of those the true bound is larger."""

    ns: int
    lacks: tuple[str, ...] = ()


def alignment_bound_ns(
    *,
    bracket_ns: int,
    max_error_ns: int,
    other_bracket_ns: int = 0,
    other_max_error_ns: int = 0,
    same_domain: bool = False,
    drift: tuple[int, int] | None = None,
    distance_ns: int = 0,
    window_ns: int = 0,
    latency_ns: int = 0,
    resolution_ns: int = 0,
) -> int:
    """Return U, the bound of clause 7.6 for putting a channel of one artifact beside a trace on another clock.

    `drift` is a measured drift and the time it was measured over, both in ns; without it 500 ppm stand. `distance_ns`
    is how far the instant lies from the snapshot that places it. In one domain (the same boot) both sides were
    compared with the same clock, so its distance from UTC does not count.
    """
    halves = rounded_up(bracket_ns + other_bracket_ns + window_ns, 2)
    errors = 0 if same_domain else max_error_ns + other_max_error_ns
    if drift is None:
        wander = rounded_up(MAX_DRIFT_PPM * distance_ns, 1_000_000)
    else:
        gained, over = drift
        wander = rounded_up(abs(gained) * distance_ns, over)
    return halves + errors + wander + latency_ns + resolution_ns


def utc_bound(
    timebase: dict[str, Any], t_from_ns: int, t_to_ns: int, channel: dict[str, Any] | None = None
) -> Bound | None:
    """Return U for placing any instant of [t_from_ns, t_to_ns] in UTC, or None when UTC was never read.

    With a `channel` (an entry of /channels) its window, latency and clock's resolution count too. Raises
    InvalidDescriptor for a timebase or a channel that breaks the schema.
    """
    terms = _terms_of(timebase, t_from_ns, t_to_ns, channel)
    if terms is None:
        return None
    return _bound_of(terms, None)


def mutual_bound(
    timebase: dict[str, Any],
    window: tuple[int, int],
    other: dict[str, Any],
    other_window: tuple[int, int],
    channel: dict[str, Any] | None = None,
) -> Bound | None:
    """Return U for placing instants of one run on the clock of another (clause 7.6, step 8).

    Each window is `t_submit` and `t_last_token` of its run; `channel` is one of the first run. None when one of them
    never read UTC. Raises InvalidDescriptor as `utc_bound` does.
    """
    terms, others = _terms_of(timebase, *window, channel), _terms_of(other, *other_window, None)
    return None if terms is None or others is None else _bound_of(terms, others)


class _Terms(NamedTuple):
    """What one timebase gives to a bound."""

    bracket_ns: int
    max_error_ns: int
    domain: Any
    rate: tuple[int, int]
    distance_ns: int
    window_ns: int
    latency_ns: int
    resolution_ns: int
    step_ns: int
    lacks: tuple[str, ...]


def _terms_of(timebase: dict[str, Any], start: int, end: int, channel: dict[str, Any] | None) -> _Terms | None:
    snapshots = snapshots_of(timebase)
    if not snapshots:
        return None
    clocks = {text(clock, "id"): clock for clock in mappings(timebase, "clocks")}
    realtime = clocks.get(snapshots[0].clock, {})
    sync = realtime.get("sync")
    lacks: list[str] = []

    def measured(holder: dict[str, Any], term: str) -> int:
        if holder.get(term) is None or is_absent(holder[term]):
            lacks.append(term)
            return 0
        return integer(holder, term)

    max_error = measured({} if sync is None or is_absent(sync) else mapping(realtime, "sync"), "max_error_ns")
    first, last = snapshots[0], snapshots[-1]
    over = last.t_ns - first.t_ns
    grain = grain_ns(timebase, first.clock)
    gaps = [(abs(drift_ns(a, b)), drift_allowance_ns(a, b, grain)) for a, b in pairwise(snapshots)]
    clock = text(mapping(timebase, "origin") if channel is None else channel, "clock")
    source = clocks.get(clock, {})
    # What stamped a meter's readings was read within a bracket of its own.
    foreign = () if clock in {each.clock for each in snapshots} else snapshots_of(timebase, clock)
    return _Terms(
        bracket_ns=max(each.bracket_ns for each in snapshots) + max((each.bracket_ns for each in foreign), default=0),
        max_error_ns=max_error,
        domain=realtime.get("domain"),
        rate=(abs(drift_ns(first, last)), over) if over > 0 else (MAX_DRIFT_PPM, 1_000_000),
        distance_ns=_farthest([snapshot.t_ns for snapshot in snapshots], start, end),
        # A reading at an instant has no window and a counter's is its update; only a mean's must be known.
        window_ns=measured(channel, "window_ns")
        if channel is not None and channel.get("semantics") == "window_mean"
        else 0,
        latency_ns=measured(channel, "latency_ns") if channel is not None else 0,
        resolution_ns=integer(source, "resolution_ns") if "resolution_ns" in source else 0,
        step_ns=max((gap for gap, allowed in gaps if gap > allowed), default=0),
        lacks=tuple(lacks),
    )


def _bound_of(terms: _Terms, other: _Terms | None) -> Bound:
    """Return U; without another run the other clock is UTC itself."""
    ns = alignment_bound_ns(
        bracket_ns=terms.bracket_ns,
        max_error_ns=terms.max_error_ns,
        other_bracket_ns=0 if other is None else other.bracket_ns,
        other_max_error_ns=0 if other is None else other.max_error_ns,
        same_domain=other is not None and isinstance(terms.domain, str) and terms.domain == other.domain,
        drift=terms.rate if other is None else _faster(terms.rate, other.rate),
        distance_ns=max(terms.distance_ns, 0 if other is None else other.distance_ns),
        window_ns=terms.window_ns,
        latency_ns=terms.latency_ns,
        resolution_ns=terms.resolution_ns,
    )
    ns += terms.step_ns + (0 if other is None else other.step_ns)
    return Bound(ns=ns, lacks=tuple(dict.fromkeys((*terms.lacks, *(other.lacks if other is not None else ())))))


def _faster(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the larger of two rates, each a gain over a time."""
    return one if one[0] * other[1] >= other[0] * one[1] else other


def _farthest(places: Sequence[int], start: int, end: int) -> int:
    """Return the largest distance that an instant of [start, end] has from the nearest of the sorted `places`."""
    middles = ((a + b) // 2 for a, b in pairwise(places))
    instants: Iterable[int] = (start, end, *(middle for middle in middles if start <= middle <= end))
    return max(min(abs(instant - place) for place in places) for instant in instants)


def rounded_up(numerator: int, denominator: int) -> int:
    """Return a quotient, rounded up."""
    return -(-numerator // denominator)
