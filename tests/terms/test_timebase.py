"""UTC strings, snapshots and the bound U (clause 7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil

import pytest
import refusals
from hypothesis import given
from hypothesis import strategies as st

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import (
    Snapshot,
    alignment_bound_ns,
    drift_allowance_ns,
    drift_ns,
    fraction_digits,
    from_utc,
    snapshots_of,
    to_utc,
    utc_bound,
)
from ttsartifact.terms.descriptor import absent

SECOND = 1_000_000_000
YEAR_1, YEAR_10000 = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2000-02-29T12:00:00.5Z", 951_825_600_500_000_000),
        ("2016-12-31T23:59:59Z", 1_483_228_799_000_000_000),
        ("2017-01-01T00:00:00Z", 1_483_228_800_000_000_000),
        ("2026-11-21T10:00:00.123456789Z", 1_795_255_200_123_456_789),
        ("0001-01-01T00:00:00Z", YEAR_1),
        ("9999-12-31T23:59:59.999999999Z", YEAR_10000 - 1),
    ],
)
def test_vectors(text, ns):
    """7.3: strings and integers name the same instants."""
    assert from_utc(text) == ns
    assert from_utc(to_utc(ns)) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2016-12-31T23:59:60Z", "a leap second has no count of its own"),
        ("2026-11-21T10:00:60Z", "a leap second has no count of its own"),
        ("2026-02-29T00:00:00Z", "not a day of the calendar"),
        ("1900-02-29T00:00:00Z", "not a day of the calendar"),
        ("2026-13-01T00:00:00Z", "not a day of the calendar"),
        ("0000-01-01T00:00:00Z", "not a day of the calendar"),
        ("2026-11-21T24:00:00Z", "not a time of day"),
        ("2026-11-21T10:60:00Z", "not a time of day"),
        ("2026-11-21T10:00:61Z", "not a time of day"),
        ("2026-11-21T10:00:00+00:00", "not an RFC 3339 instant in UTC"),
        ("2026-11-21 10:00:00Z", "not an RFC 3339 instant in UTC"),
        ("2026-11-21T10:00:00z", "not an RFC 3339 instant in UTC"),
        ("2026-11-21T10:00:00.Z", "not an RFC 3339 instant in UTC"),
        ("2026-11-21T10:00:00.1234567891Z", "not an RFC 3339 instant in UTC"),
        ("2026-11-21T10:00:00Z\n", "not an RFC 3339 instant in UTC"),
        ("\u0662026-11-21T10:00:00Z", "not an RFC 3339 instant in UTC"),  # an Arabic digit
        ("", "not an RFC 3339 instant in UTC"),
    ],
)
def test_refused(text, message):
    """7.3: what is no instant is refused, and the refusal says which rule it breaks and what was found."""
    with refusals.raises(InvalidDescriptor) as caught:
        from_utc(text)
    assert (caught.value.message, caught.value.found, caught.value.rule) == (message, text, "CLK08")


@pytest.mark.parametrize("ns", [YEAR_1 - 1, YEAR_10000, 10**30])
def test_no_year_0_or_10000(ns):
    """7.3: years have four digits."""
    with refusals.raises(InvalidDescriptor, match="not an instant of the years 0001 to 9999"):
        to_utc(ns)


@pytest.mark.property
@given(st.integers(YEAR_1, YEAR_10000 - 1))
def test_there_and_back(ns):
    """7.3: the string of an instant names that instant, and always has nine digits."""
    text = to_utc(ns)
    assert from_utc(text) == ns
    assert fraction_digits(text) == 9


@pytest.mark.property
@given(st.integers(YEAR_1 // 1000, (YEAR_10000 - 1) // 1000))
def test_agrees_with_datetime(us):
    """7.3: the standard library, which knows microseconds, names the same instants."""
    expected = EPOCH + timedelta(microseconds=us)
    assert to_utc(us * 1000) == expected.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "000Z"


@pytest.mark.property
@given(st.lists(st.integers(YEAR_1, YEAR_10000 - 1), min_size=2))
def test_strings_sort_as_instants(instants):
    """7.3: with nine digits each, text order is time order."""
    assert sorted(map(to_utc, instants)) == [to_utc(ns) for ns in sorted(instants)]


def at(t_ns, offset_ns=1_795_255_200_000_000_000, bracket_ns=300, **more):
    return Snapshot(
        at="during", t_ns=t_ns, clock="host.utc", value_ns=t_ns + offset_ns, utc=True, bracket_ns=bracket_ns, **more
    )


def test_snapshot_there_and_back():
    """7.2: an entry of the descriptor and its value say the same."""
    for snapshot in (at(5), Snapshot(at="start", t_ns=7, clock="meter", value_ns=-3, utc=False, bracket_ns=1)):
        assert Snapshot.from_value(snapshot.to_value()) == snapshot


def test_drift():
    """7.2: drift is what one clock gained on the other; brackets and 500 ppm are allowed, rounded up."""
    first, second = at(0), at(2_000_001, offset_ns=1_795_255_200_000_001_600)
    assert drift_ns(first, second) == 1_600
    assert drift_ns(second, first) == -1_600
    assert drift_allowance_ns(first, second) == 300 + 300 + 1001
    assert drift_allowance_ns(second, first) == drift_allowance_ns(first, second)


def test_bound_by_hand():
    """7.6: U is half the brackets and the window, the errors, the drift, latency and resolution."""
    assert alignment_bound_ns(bracket_ns=311, max_error_ns=900_000) == 156 + 900_000
    assert alignment_bound_ns(bracket_ns=0, max_error_ns=0, distance_ns=1) == 1
    assert alignment_bound_ns(bracket_ns=0, max_error_ns=0, distance_ns=2_000_000) == 1_000
    assert alignment_bound_ns(bracket_ns=0, max_error_ns=0, distance_ns=10, drift=(-3, 7)) == 5
    assert (
        alignment_bound_ns(
            bracket_ns=310,
            other_bracket_ns=290,
            max_error_ns=40_000,
            other_max_error_ns=60_000,
            drift=(2_000, 4_000_000_000),
            distance_ns=2_000_000_000,
            window_ns=100_000_000,
            latency_ns=3_000,
            resolution_ns=1,
        )
        == 300 + 100_000 + 1_000 + 50_000_000 + 3_000 + 1
    )


def test_same_domain_drops_the_errors():
    """7.6: two runs of one boot were compared with one clock, whose distance from UTC does not part them."""
    both = {"bracket_ns": 310, "max_error_ns": 16_000_000_000, "other_bracket_ns": 290, "other_max_error_ns": 7}
    assert alignment_bound_ns(**both, same_domain=True) == 300
    assert alignment_bound_ns(**both) == 300 + 16_000_000_007


NS = st.integers(0, 10**15)


@pytest.mark.property
@given(NS, NS, NS, NS, st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**15)) | st.none(), NS, NS, NS, NS)
def test_bound_is_never_too_small(bracket, other, error, other_error, drift, distance, window, latency, resolution):
    """7.6: rounding goes up, by less than two nanoseconds in all."""
    rate = Fraction(500, 1_000_000) if drift is None else Fraction(abs(drift[0]), drift[1])
    exact = Fraction(bracket + other + window, 2) + error + other_error + rate * distance + latency + resolution
    bound = alignment_bound_ns(
        bracket_ns=bracket,
        other_bracket_ns=other,
        max_error_ns=error,
        other_max_error_ns=other_error,
        drift=drift,
        distance_ns=distance,
        window_ns=window,
        latency_ns=latency,
        resolution_ns=resolution,
    )
    assert ceil(exact) <= bound < exact + 2


def timebase(*snapshots, sync=None):
    return {
        "origin": {"clock": "host.monotonic"},
        "clocks": [
            {"id": "host.monotonic", "resolution_ns": 1},
            {"id": "host.utc", "sync": sync or {"max_error_ns": 900_000}},
        ],
        "snapshots": [snapshot.to_value() for snapshot in snapshots],
    }


def channel(**more):
    return {"clock": "host.monotonic", "semantics": "window_mean", "window_ns": 1_000, "latency_ns": 20} | more


def test_utc_bound_of_a_run():
    """7.6: with two snapshots the worst instant is the one farthest from both, and the drift is the measured one."""
    base = timebase(at(0), at(4_000_000, offset_ns=1_795_255_200_000_000_400, bracket_ns=500))
    bound = utc_bound(base, 1_000, 3_900_000)
    assert bound is not None
    assert (bound.ns, bound.lacks) == (250 + 900_000 + 200 + 1, ())
    near = utc_bound(base, 0, 10_000)
    assert near is not None
    assert near.ns == 250 + 900_000 + 1 + 1


def test_utc_bound_of_a_channel():
    """7.6: half of a window and the latency of a channel count; what nobody measured is named."""
    base = timebase(at(0))
    whole = utc_bound(base, 0, 2_000_000, channel())
    assert whole is not None
    assert (whole.ns, whole.lacks) == ((300 + 1_000) // 2 + 900_000 + 1_000 + 20 + 1, ())
    partial = utc_bound(base, 0, 2_000_000, channel(window_ns=absent("unknown"), latency_ns=absent("unknown")))
    assert partial is not None
    assert (partial.ns, partial.lacks) == (150 + 900_000 + 1_000 + 1, ("window_ns", "latency_ns"))
    instant = utc_bound(base, 0, 2_000_000, channel(semantics="instant", window_ns=absent("unknown")))
    assert instant is not None
    assert instant.lacks == ()


def test_utc_bound_without_a_clock_of_utc():
    """7.6: without a snapshot of UTC there is no bound; without a sync state there is one that lacks its main term."""
    assert utc_bound(timebase(), 0, 1) is None
    bound = utc_bound(timebase(at(0), sync=absent("unknown")), 0, 0)
    assert bound is not None
    assert bound.lacks == ("max_error_ns",)


def test_snapshots_in_order():
    """7.2: snapshots come by their times, of one clock or all of UTC."""
    meter = Snapshot(at="start", t_ns=1, clock="meter", value_ns=9, utc=False, bracket_ns=1)
    base = timebase(at(7), meter, at(3))
    assert [snapshot.t_ns for snapshot in snapshots_of(base)] == [3, 7]
    assert snapshots_of(base, "meter") == (meter,)
