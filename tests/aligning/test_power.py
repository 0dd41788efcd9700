"""Power and energy of a run by a log of a few readings, against figures that one can add up by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ttsartifact.aligning.log import ReadingKind, SensorLog, TimeBase
from ttsartifact.aligning.power import Assumed, Mapping, Method, as_power, figures_of, updates_of
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

S = 1_000_000_000


def log(t_s: Sequence[float], values: Sequence[int], kind: ReadingKind = ReadingKind.POWER) -> SensorLog:
    """Return a log with these readings."""
    return SensorLog(
        dialect="form",
        base=TimeBase.START,
        kind=kind,
        t_ns=tuple(round(t * S) for t in t_s),
        values=tuple(values),
        column="power",
        scope="rail",
        resolution_ns=1,
        digest="",
        size=0,
    )


def mapping(bound_s: float = 0.0, offset_s: float = 0.0, drift_ppb: int = 0) -> Mapping:
    """Return where a log lies, with its drift counted from its time 0."""
    return Mapping(
        method=Method.MANUAL,
        offset_ns=round(offset_s * S),
        anchor_ns=0,
        bound_ns=round(bound_s * S),
        drift_ppb=drift_ppb,
    )


def test_what_no_file_states_is_assumed_and_what_was_stated_counts() -> None:
    """0.2 s of lag, 0.4 s from UTC; a stated 0 is 0."""
    assert (Assumed().lag, Assumed().sync) == (200_000_000, 400_000_000)
    assert (Assumed(lag_ns=0, sync_ns=0).lag, Assumed(lag_ns=3, sync_ns=5).sync) == (0, 5)


def test_a_drift_moves_a_reading_by_its_distance_from_the_anchor() -> None:
    """1000 ppm of 2 s are 2 ms."""
    assert mapping(offset_s=1, drift_ppb=1_000_000).to_run_ns(2 * S) == 3_002_000_000


POWERS = (100, 200, 400, 300, 100)
"""At 0, 2, 4, 6 and 8 s; the steps are at 1, 3, 5 and 7 s."""


@pytest.mark.parametrize(
    ("window_s", "bound_s", "readings", "mean", "peak"),
    [
        ((2, 6), 0, 3, (325, 0), (400, 0)),  # 200 + 400 * 2 + 300, over 4 s
        ((3, 5), 0, 1, (400, 0), (400, 0)),
        ((0.5, 1.5), 0, 0, (150, 0), (200, 0)),
        ((0, 1), 0, 1, (100, 0), (100, 0)),
        ((7, 8), 0, 1, (100, 0), (100, 0)),
        ((2, 6), 1, 3, (325, 25), (400, 0)),  # 300 from 1 to 5 s, 350 from 3 to 7 s
        ((2, 6), 2, 3, (325, 100), (400, 0)),
        ((1, 3), 1, 1, (200, 100), (200, 200)),
    ],
)
def test_a_reading_holds_to_the_middle_between_it_and_the_next(
    window_s: tuple[float, float], bound_s: float, readings: int, mean: tuple[int, int], peak: tuple[int, int]
) -> None:
    """Mean and peak of a window, and how far each moves at most when the log is moved by its bound."""
    submit, last = (round(t * S) for t in window_s)
    found = figures_of(log((0, 2, 4, 6, 8), POWERS), mapping(bound_s), submit, last)
    seconds = (last - submit) / S
    assert (found.why, found.readings, found.covered, found.naive_mean_mw) == ("", readings, True, 220)
    assert (found.mean_mw, found.mean_error_mw) == mean
    assert (found.peak_mw, found.peak_error_mw) == peak
    assert (found.energy_mj, found.energy_error_mj) == (mean[0] * seconds, mean[1] * seconds)


@pytest.mark.parametrize(
    ("window_s", "bound_s", "why"),
    [
        ((-0.5, 4), 0, "the log does not cover the run"),
        ((4, 8.5), 0, "the log does not cover the run"),
        ((3, 5), 2, "the log may lie 2.000 s from here, and the run took 2.000 s: it may be of another time"),
        ((1, 5), 1.5, "the log may lie 1.500 s from here, and begins only 1.000 s before the run: it may not cover it"),
        ((3, 7.5), 1, "the log may lie 1.000 s from here, and ends only 0.500 s after the run: it may not cover it"),
    ],
)
def test_a_log_that_may_not_cover_the_run_gives_no_figure(
    window_s: tuple[float, float], bound_s: float, why: str
) -> None:
    """The reason is what stands beside the missing figures."""
    submit, last = (round(t * S) for t in window_s)
    found = figures_of(log((0, 2, 4, 6, 8), POWERS), mapping(bound_s), submit, last)
    assert (found.why, found.mean_mw, found.naive_mean_mw) == (why, None, 220)


@pytest.mark.parametrize(
    ("before_mw", "why"), [(205, ""), (206, "within the bound the mean of 0.100 W moves by 0.101 W")]
)
def test_an_error_of_less_than_the_figure_leaves_it(before_mw: int, why: str) -> None:
    """Moved by its bound, the window holds 19 parts of the reading before and one of its own."""
    found = figures_of(log((0, 2, 4, 6, 8), (100, before_mw, 100, 100, 100)), mapping(1.9), 3 * S, 5 * S)
    assert found.why == why


def test_a_counter_shows_power_at_the_middle_of_two_updates() -> None:
    """6 J in 2 s are 3 W; a value that repeats is no update."""
    counted = log((0, 1, 2, 4, 8), (0, 0, 6_000, 8_000, 10_000), ReadingKind.COUNTER)
    assert updates_of(counted) == [(0, 0), (2 * S, 6_000), (4 * S, 8_000), (8 * S, 10_000)]
    assert as_power(counted) == ((1 * S, 3 * S, 6 * S), (3_000, 1_000, 500))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((1, 1, 2, 2), "the counter was renewed too rarely to show power: found 2 values, expected 3"),
        ((1, 5, 4, 6), "the counter of the log was reset: expected one that never falls"),
    ],
)
def test_a_counter_that_shows_no_power_is_refused(values: tuple[int, ...], words: str) -> None:
    """One power needs two updates, and two powers three."""
    with pytest.raises(Refused) as refused:
        as_power(log((0, 1, 2, 3), values, ReadingKind.COUNTER))
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("renewed", "why"),
    [(20, ""), (19, "the counter was renewed 19 times within the run, fewer than 20")],
)
def test_energy_needs_twenty_updates_of_a_counter(renewed: int, why: str) -> None:
    """2 mJ a second, and the run from one update to another."""
    counted = log(range(30), range(0, 60, 2), ReadingKind.COUNTER)
    found = figures_of(counted, mapping(), 4 * S, (3 + renewed) * S)
    assert (found.why, found.energy_mj) == (why, None if why else 38)
