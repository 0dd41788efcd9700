"""Where the load of a run lies in a log: log(t) = a + b * mean(load over the reading's window), by least squares.

A run with a coded load before and after it recorded that as well; a meter that sees it is aligned by it.

The bound comes from the likelihood of the offset: all offsets whose residual is not worse than the best one's by more
than noise explains. What the fit cannot see is added by the caller: lag, the side of the window that is stamped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ttsartifact.errors import Refused
from ttsartifact.terms.trace import SYNC_BURST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ttsartifact.reading.artifact import Artifact

_COLUMNS = ("power_mw", "util_gpu_pct")


class StepFunction(NamedTuple):
    """A step function on the run's timebase: `level[i]` holds from `t_ns[i]` to `t_ns[i + 1]`.

    It says nothing before the first time, after the last one, and within a gap (begin, end).
    """

    name: str
    t_ns: tuple[int, ...]
    level: tuple[float, ...]
    gaps_ns: tuple[tuple[int, int], ...] = ()


def window_of(artifact: Artifact) -> tuple[int, int]:
    """Return t_submit and t_last_token; raises Refused for a run that does not state both."""
    times = artifact.descriptor.known("/run/times") or {}
    submit, last = times.get("t_submit_ns"), times.get("t_last_token_ns")
    if type(submit) is not int or type(last) is not int or last <= submit:
        raise Refused("the run does not state when it computed", where="/run/times", expected="t_submit < t_last_token")
    return submit, last


def load_of(artifact: Artifact) -> StepFunction:
    """Return the best that the run recorded of its own load."""
    telemetry = artifact.trace("telemetry")
    for column in _COLUMNS if telemetry is not None else ():
        assert telemetry is not None
        found = _read(column, telemetry.columns.get("t_ns", ()), telemetry.columns.get(column, ()))
        if found is not None:
            return found
    return _computed(*window_of(artifact))


def burst_of(artifact: Artifact) -> StepFunction | None:
    """Return the coded load before and after the run, or None where there is none; between the two nothing is known."""
    trace = artifact.trace(f"channel/{SYNC_BURST}")
    if trace is None or trace.rows < FEWEST_READINGS:
        return None
    t_ns, values = tuple(trace.columns["t_ns"]), trace.columns["value"][:-1]
    gaps = tuple((t_ns[n], t_ns[n + 1]) for n, value in enumerate(values) if value is None)
    return StepFunction(SYNC_BURST, t_ns, tuple(float(value or 0) for value in values), gaps)


def _read(name: str, t_ns: Sequence[int], values: Sequence[int | None]) -> StepFunction | None:
    """Return the readings as steps, or None where too few arrived or none differs."""
    arrived = [(t, value) for t, value in zip(t_ns, values, strict=False) if value is not None]
    if len(arrived) < FEWEST_READINGS or len({value for _, value in arrived}) < 2:
        return None
    times = tuple(t for t, _ in arrived)
    # A reading speaks of the time before it: both a mean and a poll that comes after the change.
    return StepFunction(name, times, tuple(float(value) for _, value in arrived[1:]))


def _computed(submit: int, last: int) -> StepFunction:
    """Return the run as one block of load, with idle time on both sides as long as the run itself."""
    width = last - submit
    return StepFunction("t_submit to t_last_token", (submit - width, submit, last, last + width), (0.0, 1.0, 0.0))


FEWEST_READINGS = 8
MOST_AMBIGUOUS = 0.9
LEAST_EXPLAINED = 0.3
_LIKELY = 9.0  # three standard deviations of a parabola
_APART = 16.0  # what the second place must be worse by, in the same measure
_MOST_READINGS = 3000
_MOST_OFFSETS = 6000
_AT_ONCE = 200_000  # readings times offsets: a few megabytes
_LEAST_COVER = 0.8
_MAX_DRIFT = 500e-6


class Sampled(NamedTuple):
    """Readings in seconds and watts, each the mean of the `window_s` around its time."""

    t_s: NDArray[np.float64]
    value: NDArray[np.float64]
    window_s: float
    period_s: float


class Fit(NamedTuple):
    """The best offset and drift, the half widths of those that are as likely, and how good they are."""

    offset_s: float
    half_s: float
    drift: float
    drift_half: float
    ambiguity: float
    residual: float
    readings: int


class _Scene(NamedTuple):
    """A load as its integral, so that its mean over any window is a difference."""

    t_s: NDArray[np.float64]
    integral: NDArray[np.float64]
    gaps_s: tuple[tuple[float, float], ...] = ()

    def means(self, at_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
        """Return the mean of the load over the window around each time."""
        half = max(window_s, 1e-6) / 2
        edges = [np.interp(at_s + side, self.t_s, self.integral) for side in (-half, half)]
        found: NDArray[np.float64] = (edges[1] - edges[0]) / (2 * half)
        return found

    def is_known(self, at_s: NDArray[np.float64], window_s: float) -> NDArray[np.bool_]:
        """Return for each time whether the load is known throughout the window around it."""
        half = window_s / 2
        known: NDArray[np.bool_] = (at_s - half >= self.t_s[0]) & (at_s + half <= self.t_s[-1])
        for begin, end in self.gaps_s:
            known &= (at_s + half <= begin) | (at_s - half >= end)
        return known


def fit(load: StepFunction, log: Sampled, *, drift: bool = False) -> Fit:
    """Return where the log lies on the load's time axis.

    Raises Refused for too few readings, a log that does not follow the load, and one that follows it in several places.
    """
    scene, log = _scene(load), _thinned(log)
    step = max(min(log.period_s, _shortest(load)) / 4, 1e-3)
    low, high = _reach(scene, log)
    count = min(max(int((high - low) / step) + 1, 2), _MOST_OFFSETS)
    offsets = np.linspace(low, high, count)
    pace, pace_half = _best_drift(scene, log, offsets) if drift else (0.0, 0.0)
    costs = _costs(scene, log, offsets, pace)
    if not np.isfinite(costs).any():
        if (_explained(scene, log, offsets[:: count // 64 or 1], pace)[2] >= FEWEST_READINGS).any():
            found = "readings that never rise with it"
            raise Refused("the log does not follow the load of the run", found=found, expected="readings that do")
        raise Refused("the log and the run have too little time in common for a fit", expected="8 readings of the run")
    best = int(np.argmin(costs))
    width = 2 * max(step, (high - low) / (count - 1))
    fine = np.linspace(offsets[best] - width, offsets[best] + width, 401)
    near = _costs(scene, log, fine, pace)
    top = int(np.argmin(near))
    left, explained, readings = (float(one[0]) for one in _explained(scene, log, fine[top : top + 1], pace))
    _require_likeness(explained, int(readings))
    ambiguity = _ambiguity(
        offsets, costs, float(near[top]), float(fine[top]), max(log.period_s, log.window_s), explained
    )
    half = _half_width(
        np.concatenate([offsets, fine]), np.concatenate([costs, near]), float(fine[top]), float(near[top])
    )
    return Fit(float(fine[top]), half + float(fine[1] - fine[0]), pace, pace_half, ambiguity, left, int(readings))


def _scene(load: StepFunction) -> _Scene:
    t = np.array(load.t_ns, dtype=np.float64) / 1e9
    gaps = tuple((begin / 1e9, end / 1e9) for begin, end in load.gaps_ns)
    return _Scene(t, np.concatenate([[0.0], np.cumsum(np.diff(t) * np.array(load.level))]), gaps)


def _shortest(load: StepFunction) -> float:
    """Return the time between two readings of the load: the resolution of the fit."""
    return float(np.median(np.diff(np.array(load.t_ns, dtype=np.float64)))) / 1e9


def _thinned(log: Sampled) -> Sampled:
    """Return a log of at most a few thousand readings: neighbours are averaged."""
    by = math.ceil(len(log.t_s) / _MOST_READINGS)
    if by == 1:
        return log
    whole = len(log.t_s) // by * by
    t, value = (column[:whole].reshape(-1, by).mean(axis=1) for column in (log.t_s, log.value))
    return Sampled(t, value, max(log.window_s, log.period_s * by), log.period_s * by)


def _reach(scene: _Scene, log: Sampled) -> tuple[float, float]:
    """Return the offsets at which the log covers enough of the load, or the load enough of the log."""
    start, stop = float(scene.t_s[0]), float(scene.t_s[-1])
    first, last = float(log.t_s[0]), float(log.t_s[-1])
    spare = (1 - _LEAST_COVER) * min(stop - start, last - first)
    ends = (start - first, stop - last)
    return min(ends) - spare, max(ends) + spare


def _costs(scene: _Scene, log: Sampled, offsets: NDArray[np.float64], drift: float) -> NDArray[np.float64]:
    """Return n * ln(what is left of the variance) for each offset; infinite where nothing can be said."""
    by = max(1, _AT_ONCE // len(log.t_s))
    blocks = [offsets[start : start + by] for start in range(0, len(offsets), by)]
    found = []
    for block in blocks:
        _, explained, readings = _explained(scene, log, block, drift)
        sound = (readings >= FEWEST_READINGS) & (explained > 0)
        found.append(np.where(sound, readings * np.log(np.maximum(1 - explained, 1e-9)), np.inf))
    return np.concatenate(found)


def _explained(
    scene: _Scene, log: Sampled, offsets: NDArray[np.float64], drift: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return for each offset the residual (RMS), the share of the variance that the load explains, and the readings.

    The share is 0 where the log falls as the load rises.
    """
    middle = float(log.t_s[len(log.t_s) // 2])
    at = (log.t_s + drift * (log.t_s - middle))[None, :] + offsets[:, None]
    inside = scene.is_known(at, log.window_s)
    readings = inside.sum(axis=1)
    count = np.maximum(readings, 1)
    x, y = (np.where(inside, column, 0.0) for column in (scene.means(at, log.window_s), log.value[None, :]))
    x, y = (np.where(inside, column - (column.sum(axis=1) / count)[:, None], 0.0) for column in (x, y))
    xx, xy, yy = (np.einsum("ij,ij->i", one, other) for one, other in ((x, x), (x, y), (y, y)))
    sound = (readings >= FEWEST_READINGS) & (xx > 0) & (yy > 0) & (xy > 0)
    explained = np.where(sound, xy * xy / np.where(sound, xx * yy, 1.0), 0.0)
    residual = np.sqrt(np.maximum(yy * (1 - explained), 0) / count)
    return residual, explained, readings


def _best_drift(scene: _Scene, log: Sampled, offsets: NDArray[np.float64]) -> tuple[float, float]:
    """Return the drift whose best offset leaves least, coarse, then fine, and how far those as likely lie from it."""
    start = float(offsets[int(np.argmin(_costs(scene, log, offsets, 0.0)))])
    near = start + np.linspace(-log.period_s, log.period_s, 41)
    pace, width, step = 0.0, _MAX_DRIFT, 0.0
    costs: dict[float, float] = {}
    for _ in range(3):
        tried = pace + np.linspace(-width, width, 21)
        costs |= {float(one): float(_costs(scene, log, near, float(one)).min()) for one in tried}
        pace, step = min(costs, key=lambda one: costs[one]), width / 10
        width /= 8
    likely = [one for one, cost in costs.items() if cost - costs[pace] <= _LIKELY]
    return pace, max(abs(one - pace) for one in likely) + step


def _require_likeness(explained: float, readings: int) -> None:
    if explained < LEAST_EXPLAINED:
        raise Refused(
            "the log does not follow the load of the run",
            found=f"{explained:.0%} of its variance explained by {readings} readings",
            expected=f"at least {LEAST_EXPLAINED:.0%}",
        )


def _ambiguity(
    offsets: NDArray[np.float64], costs: NDArray[np.float64], best: float, at: float, near: float, explained: float
) -> float:
    """Return the second place's share of the variance over the first one's; raises Refused where noise separates them.

    A second place is a hollow of the cost that lies more than a reading away from the best one.
    """
    inner = (costs[1:-1] <= costs[:-2]) & (costs[1:-1] <= costs[2:]) & np.isfinite(costs[1:-1])
    hollow = np.flatnonzero(inner) + 1
    others = hollow[np.abs(offsets[hollow] - at) > 1.5 * near]
    if not len(others):
        return 0.0
    second = int(others[int(np.argmin(costs[others]))])
    counted = max(best / math.log(max(1 - explained, 1e-9)), 1.0)
    ambiguity = (1 - math.exp(float(costs[second]) / counted)) / explained
    if ambiguity > MOST_AMBIGUOUS or float(costs[second]) - best < _APART:
        raise Refused(
            "the log matches the load of the run in several places",
            found=f"a second place {offsets[second] - at:+.3f} s away matches {ambiguity:.0%} as well as the best",
            expected=f"at most {MOST_AMBIGUOUS:.0%}, and more apart than noise explains",
        )
    return max(ambiguity, 0.0)


def _half_width(offsets: NDArray[np.float64], costs: NDArray[np.float64], at: float, best: float) -> float:
    """Return the distance of the farthest offset that noise does not distinguish from the best one."""
    likely = offsets[costs - best <= _LIKELY]
    return float(np.abs(likely - at).max())
