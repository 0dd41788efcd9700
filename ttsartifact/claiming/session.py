"""A session over its runs: what each sounds like, where it changes, and what else changed there (clause 10.11)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from ttsartifact.claiming.claim import Aspect, ClaimProcedure, ClaimTest, Direction, Effect
from ttsartifact.claiming.matching import changes_at
from ttsartifact.claiming.obstacles import in_order
from ttsartifact.claiming.testing import Comparison, put_to_test
from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import keys, seed_of
from ttsartifact.measuring.metrics import mean_of, metric_named, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.claiming.matching import Confounder
    from ttsartifact.claiming.obstacles import ClaimedRun
    from ttsartifact.measuring.metrics import Measured, Metric

DEFAULT_METRICS = ("pitch", "pitch_range", "loudness", "syllable_rate", "spectral_centroid")
_DRAWS = 999
_ALPHA = 0.01
_SHORTEST = 3
"""Runs on each side of a change point."""
_OFTEN = 3
"""A condition that changes at more than one run in three varies from run to run, and marks none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One run, or one stretch of a run."""

    run: int
    """Counted from 1 in the order of t_submit."""
    artifact_id: str
    start_ms: int | None
    """Where the stretch begins in its audio; None of a whole run."""
    values: Mapping[str, int | None]
    """By metric, counted in the last decimal place of its unit."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        found = {
            name: None if value is None else shown(value, metric_named(name).decimals)
            for name, value in self.values.items()
        }
        return {"run": self.run, "artifact_id": self.artifact_id, "start_ms": self.start_ms, "values": found}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A run from which on the mean of a metric is another: `before` and `after` in its unit, by a p-value."""

    run: int
    before: float
    after: float
    p: float
    with_it: tuple[str, ...]
    """The conditions that changed at that very run."""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "run": self.run,
            "before": self.before,
            "after": self.after,
            "p": self.p,
            "with_it": list(self.with_it),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One metric over the runs of a session, in the metric's unit."""

    metric: Metric
    count: int
    mean: float | None
    deviation: float | None
    halves: float | None
    """Mean of the second half of the runs less that of the first."""
    halves_interval: tuple[float, float] | None
    """95 % of the bootstrap's estimates of it."""
    change_points: tuple[ChangePoint, ...]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "count": self.count,
            "mean": self.mean,
            "deviation": self.deviation,
            "halves": self.halves,
            "halves_interval": None if self.halves_interval is None else list(self.halves_interval),
            "change_points": [each.to_value() for each in self.change_points],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The runs of a session as rows, the course of each metric, and the conditions that changed."""

    names: tuple[str, ...]
    runs: tuple[SessionRow, ...]
    stretches: tuple[SessionRow, ...]
    courses: tuple[Course, ...]
    changed: tuple[Confounder, ...]
    """Conditions that changed from one run to the next, at which run."""
    varying: tuple[str, ...]
    """Conditions that change from run to run, such as text and seed."""
    sessions: tuple[str, ...]
    """The session ids that the runs state."""
    not_recorded: tuple[str, ...]
    """Runs whose samples are not the recorded ones; they are in no row."""
    instruments: tuple[Mapping[str, Any], ...]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, which a report puts its schema and tool before. It holds no path."""
        return {
            "sessions": list(self.sessions),
            "not_recorded": list(self.not_recorded),
            "courses": [each.to_value() for each in self.courses],
            "changed": [each.to_value() for each in self.changed],
            "varying": list(self.varying),
            "runs": [each.to_value() for each in self.runs],
            "stretches": [each.to_value() for each in self.stretches],
            "instruments": [dict(each) for each in self.instruments],
        }


def session_of(
    runs: Sequence[ClaimedRun],
    measure: Callable[[ClaimedRun, Sequence[str]], Measured],
    names: Sequence[str] = DEFAULT_METRICS,
    *,
    stretches: Callable[[ClaimedRun, Sequence[str]], Sequence[tuple[int, Measured]]] | None = None,
) -> Session:
    """Measure the runs of a session, in the order of t_submit, and say where they change.

    `stretches` measures the stretches of one run: begin in ms, and values. Raises Refused for no run at all.
    """
    ordered = in_order(runs)
    kept = [run for run in ordered if run.as_recorded]
    if not kept:
        raise Refused("the session has no run whose file is as recorded", found=len(runs))
    measured = [measure(run, names) for run in kept]
    changed, varying = _conditions(kept, names)
    rows = tuple(_row(n, run, None, one) for n, (run, one) in enumerate(zip(kept, measured, strict=True), 1))
    parts = tuple(
        _row(n, run, start, one)
        for n, run in enumerate(kept, 1)
        for start, one in (stretches(run, names) if stretches is not None else ())
    )
    pins = {str(pin): pin for one in measured for pin in one.instruments}
    return Session(
        names=tuple(names),
        runs=rows,
        stretches=parts,
        courses=tuple(_course(name, rows, changed) for name in names),
        changed=changed,
        varying=varying,
        sessions=tuple(sorted({str(each) for run in kept if (each := run.known("/run/session_id")) is not None})),
        not_recorded=tuple(f"{run.artifact_id} {run.verdict}" for run in ordered if not run.as_recorded),
        instruments=tuple(pins[key] for key in sorted(pins)),
    )


def change_points(values: Sequence[int], seed: str) -> list[tuple[int, float]]:
    """Return where a series changes its mean, as (index, p), by binary segmentation.

    Of a stretch the split is taken at which the means lie farthest apart for their standard error; it counts when at
    most 1 % of 999 drawn orders of the same values have one at least as far (Hinkley 1971; Pettitt 1979 for the idea
    of drawing orders). Both sides are then searched in turn.
    """
    found: list[tuple[int, float]] = []
    left = [(0, len(values))]
    while left:
        start, end = left.pop()
        if end - start < 2 * _SHORTEST:
            continue
        split, p = _split(values[start:end], f"{seed} {start} {end}")
        if p <= _ALPHA:
            found.append((start + split, p))
            left += [(start, start + split), (start + split, end)]
    return sorted(found)


def _split(values: Sequence[int], seed: str) -> tuple[int, float]:
    import numpy as np

    row = np.array([values], np.int64)
    order = np.argsort(keys(seed_of(seed, "change point"), _DRAWS, len(values)), axis=1, kind="stable")
    observed = _gaps(row)[0]
    farthest = _gaps(row[0][order]).max(axis=1)
    place = int(observed.argmax())
    hits = int((farthest >= observed[place] * (1 - 1e-12)).sum())
    return place + _SHORTEST, round((1 + hits) / (1 + _DRAWS), 9)


def _gaps(rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for every split of every row how far the means of both sides lie apart, in units of their error."""
    import numpy as np

    count = rows.shape[1]
    splits = np.arange(_SHORTEST, count - _SHORTEST + 1)
    sums = rows.cumsum(axis=1)
    before = sums[:, splits - 1]
    total = sums[:, -1:]
    found: NDArray[np.float64] = np.abs(before * count - total * splits) / np.sqrt(splits * (count - splits))
    return found


def _conditions(runs: Sequence[ClaimedRun], names: Sequence[str]) -> tuple[tuple[Confounder, ...], tuple[str, ...]]:
    found = changes_at(runs, frozenset(metric_named(name).of for name in names))
    counts: dict[str, int] = {}
    for each in found:
        counts[each.subject] = counts.get(each.subject, 0) + 1
    often = {subject for subject, count in counts.items() if count > 1 and count * _OFTEN > len(runs)}
    varying = dict.fromkeys(each.label for each in found if each.subject in often)
    return tuple(each for each in found if each.subject not in often), tuple(varying)


def _row(number: int, run: ClaimedRun, start_ms: int | None, measured: Measured) -> SessionRow:
    values = {name: value if isinstance(value, int) else None for name, value in measured.values.items()}
    return SessionRow(run=number, artifact_id=run.artifact_id, start_ms=start_ms, values=values)


def _course(name: str, rows: Sequence[SessionRow], changed: Sequence[Confounder]) -> Course:
    metric = metric_named(name)
    known = [(row.run, value) for row in rows if (value := row.values.get(name)) is not None]
    values = [value for _, value in known]
    half = len(values) // 2
    compared = _halves(metric, values[:half], values[half:]) if half >= 2 else None
    return Course(
        metric=metric,
        count=len(values),
        mean=mean_of(values, metric.decimals) if values else None,
        deviation=_deviation(values, metric.decimals) if len(values) > 1 else None,
        halves=None if compared is None else compared[0],
        halves_interval=None if compared is None else compared[1],
        change_points=tuple(_points(name, known, metric.decimals, changed)),
    )


def _points(
    name: str, known: Sequence[tuple[int, int]], decimals: int, changed: Sequence[Confounder]
) -> list[ChangePoint]:
    values = [value for _, value in known]
    places = change_points(values, name)
    edges = [0, *(place for place, _ in places), len(values)]
    return [
        ChangePoint(
            run=known[place][0],
            before=mean_of(values[edges[n] : place], decimals),
            after=mean_of(values[place : edges[n + 2]], decimals),
            p=p,
            with_it=tuple(each.label for each in changed if each.run == known[place][0]),
        )
        for n, (place, p) in enumerate(places)
    ]


def _halves(metric: Metric, a: Sequence[int], b: Sequence[int]) -> tuple[float, tuple[float, float]]:
    compared = ClaimTest(
        metric=metric,
        tool=None,
        of=Aspect.LEVEL,
        effect=Effect.DIFFERENCE,
        direction=Direction.GREATER,
        margin_micro=0,
        test=ClaimProcedure.BOOTSTRAP,
        alpha_ppm=50_000,
        draws=_DRAWS,
    )
    tested = put_to_test(compared, [Comparison(a=tuple(a), b=tuple(b))], metric.decimals, f"halves {metric.name}")
    low, high = tested.interval_micro
    return shown(tested.estimate_micro, 6), (shown(low, 6), shown(high, 6))


def _deviation(values: Sequence[int], decimals: int) -> float:
    count, total = len(values), sum(values)
    square = (count * sum(value * value for value in values) - total * total) / (count * (count - 1))
    return shown(round(sqrt(square) * 10 ** (6 - decimals)), 6)
