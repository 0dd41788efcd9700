"""Where the readings of a log lie on the run's timebase, and its figures there, each with its error.

A reading of power holds from the middle between it and the one before to the middle between it and the one after:
which side of its window a meter stamps is rarely known, and half a window is in the bound. The error is how far the
figure moves when the log is moved by its bound. There is no figure where the bound is as long as the run, where the log
moved by it does not cover the run, and where the error is as great as the figure: the readings may be of another time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from ttsartifact.aligning.log import ReadingKind
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.aligning.log import SensorLog

ASSUMED_SYNC_NS = 400_000_000
"""How far the clock of a log may be from UTC where it is not stated: the difference that MLPerf Power allows."""
ASSUMED_LAG_NS = 200_000_000
"""How late a meter may show what it measures where it is not stated; no fit can see that."""
_PPB = 1_000_000_000


class Method(StrEnum):
    """How a log is put on the run's timebase."""

    CLOCK = "clock"
    """Both state UTC."""
    LOAD_FIT = "load-fit"
    """The log's power follows the load that the run recorded about itself."""
    MARKERS = "markers"
    """Begin and end of the run are marked in the log."""
    MANUAL = "manual"
    """The user states the offset and its bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What no file states: how late the meter shows, and how far the log's clock is from UTC. None where not stated."""

    lag_ns: int | None = None
    sync_ns: int | None = None

    @property
    def lag(self) -> int:
        """The lag that counts."""
        return ASSUMED_LAG_NS if self.lag_ns is None else self.lag_ns

    @property
    def sync(self) -> int:
        """The distance from UTC that counts."""
        return ASSUMED_SYNC_NS if self.sync_ns is None else self.sync_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """t_run = t_log + offset + drift * (t_log - anchor), within `bound_ns` for every reading within the run.

    `drift_error_ppb` is how far the drift may be off: one that is not greater is not resolved. None where no drift was
    measured. `ambiguity` is the second-best place of a fit as a share of the best one: 0 where there is no other, 1
    where they are equal. `residual_mw` is the root mean square of what the fit leaves. `terms` names what the bound is
    the sum of, and `lacks` the terms that were not measured: with any of them the true bound is larger.
    """

    method: Method
    offset_ns: int
    anchor_ns: int
    bound_ns: int
    drift_ppb: int = 0
    drift_error_ppb: int | None = None
    ambiguity: float | None = None
    residual_mw: int | None = None
    against: str = ""
    terms: tuple[tuple[str, int], ...] = ()
    lacks: tuple[str, ...] = ()

    def to_run_ns(self, t_ns: int) -> int:
        """Return where a time of the log lies on the run's timebase."""
        return t_ns + self.offset_ns + self.drift_ppb * (t_ns - self.anchor_ns) // _PPB


LEAST_UPDATES = 20
"""Fewer updates of a counter within a run do not give its energy (determinism of counters, clause 9.5)."""
_SHIFTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Power and energy within the run. None if the log does not give it; `why` states the reason."""

    readings: int
    covered: bool
    naive_mean_mw: int
    """The mean of every reading of the file: what it gives who does not align."""
    mean_mw: int | None = None
    mean_error_mw: int | None = None
    peak_mw: int | None = None
    peak_error_mw: int | None = None
    energy_mj: int | None = None
    energy_error_mj: int | None = None
    why: str = ""


def as_power(log: SensorLog) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return times and readings in mW; of a counter the power between two of its updates, at the middle of them."""
    if log.kind is ReadingKind.POWER:
        return log.t_ns, log.values
    kept = updates_of(log)
    pairs = [(kept[n - 1], kept[n]) for n in range(1, len(kept))]
    if len(pairs) < 2:
        raise Refused("the counter was renewed too rarely to show power", found=f"{len(kept)} values", expected="3")
    if any(b[1] < a[1] for a, b in pairs):
        raise Refused("the counter of the log was reset", expected="one that never falls")
    times = tuple((a[0] + b[0]) // 2 for a, b in pairs)
    return times, tuple(round((b[1] - a[1]) * 1_000_000_000 / (b[0] - a[0])) for a, b in pairs)


def updates_of(log: SensorLog) -> list[tuple[int, int]]:
    """Return the readings of a counter that differ from the one before."""
    rows = list(zip(log.t_ns, log.values, strict=True))
    return [row for n, row in enumerate(rows) if n == 0 or row[1] != rows[n - 1][1]]


def figures_of(log: SensorLog, mapping: Mapping, submit: int, last: int) -> Figures:
    """Return mean, peak and energy of the run by the log, or why it does not give them."""
    times, values = as_power(log)
    at = [mapping.to_run_ns(t) for t in times]
    figures = Figures(
        readings=bisect_right(at, last) - bisect_left(at, submit),
        covered=at[0] <= submit and at[-1] >= last,
        naive_mean_mw=round(sum(values) / len(values)),
    )
    why = _refusal(log, mapping, at, submit=submit, last=last)
    if why:
        return replace(figures, why=why)
    steps = _Steps(at, values)
    shifts = [mapping.bound_ns * n // _SHIFTS for n in range(-_SHIFTS, _SHIFTS + 1)]
    mean, error = _moved(lambda shift: steps.mean(submit + shift, last + shift), shifts)
    if error >= mean:
        return replace(figures, why=f"within the bound the mean of {_w(mean)} moves by {_w(error)}")
    peak, peak_error = _moved(lambda shift: steps.peak(submit + shift, last + shift), shifts)
    seconds = (last - submit) / 1e9
    return replace(
        figures,
        mean_mw=round(mean),
        mean_error_mw=round(error),
        peak_mw=round(peak),
        peak_error_mw=round(peak_error),
        energy_mj=round(mean * seconds),
        energy_error_mj=round(error * seconds),
    )


def _moved(figure: Callable[[int], float], shifts: Sequence[int]) -> tuple[float, float]:
    """Return a figure of the run, and by how much it moves at most with the log."""
    here = figure(0)
    return here, max(abs(figure(shift) - here) for shift in shifts)


def _refusal(log: SensorLog, mapping: Mapping, at: Sequence[int], *, submit: int, last: int) -> str:
    """Say why the log gives no figure of the run, or nothing."""
    bound, length = mapping.bound_ns, last - submit
    if at[0] > submit or at[-1] < last:
        return "the log does not cover the run"
    if bound >= length:
        return f"the log may lie {_s(bound)} from here, and the run took {_s(length)}: it may be of another time"
    if at[0] > submit - bound or at[-1] < last + bound:
        before, behind = submit - at[0], at[-1] - last
        spare = f"begins only {_s(before)} before" if before <= behind else f"ends only {_s(behind)} after"
        return f"the log may lie {_s(bound)} from here, and {spare} the run: it may not cover it"
    if log.kind is ReadingKind.COUNTER:
        renewed = sum(submit <= mapping.to_run_ns(t) <= last for t, _ in updates_of(log))
        if renewed < LEAST_UPDATES:
            return f"the counter was renewed {renewed} times within the run, fewer than {LEAST_UPDATES}"
    return ""


def _s(ns: int) -> str:
    return f"{ns / 1e9:.3f} s"


def _w(mw: float) -> str:
    return f"{mw / 1000:.3f} W"


class _Steps:
    """Readings as a step function that changes in the middle between two of them, and as its integral.

    Asked of no time before the first reading.
    """

    def __init__(self, at: Sequence[int], values: Sequence[int]) -> None:
        middles = [(a + b) // 2 for a, b in pairwise(at)]
        self._edges = [at[0], *middles]
        self._values = values
        self._sums = [0]
        for n in range(1, len(self._edges)):
            self._sums.append(self._sums[-1] + values[n - 1] * (self._edges[n] - self._edges[n - 1]))

    def _integral(self, moment: int) -> int:
        place = bisect_right(self._edges, moment) - 1
        return self._sums[place] + self._values[place] * (moment - self._edges[place])

    def peak(self, start: int, stop: int) -> float:
        """Return the highest reading that holds somewhere within a time."""
        return max(self._values[bisect_right(self._edges, start) - 1 : bisect_left(self._edges, stop)])

    def mean(self, start: int, stop: int) -> float:
        """Return the mean over a time."""
        return (self._integral(stop) - self._integral(start)) / (stop - start)
