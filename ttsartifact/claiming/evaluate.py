"""A claim settled: conditions first, then missing runs, then the test, then one of three answers (clause 10.9)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.claiming.claim import Aspect, Effect, RunGroup
from ttsartifact.claiming.matching import match
from ttsartifact.claiming.obstacles import Obstacle, ObstacleKind, counted_as, in_order
from ttsartifact.claiming.testing import Comparison, put_to_test
from ttsartifact.measuring.metrics import MetricKind, mean_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttsartifact.claiming.claim import Claim, ClaimTest
    from ttsartifact.claiming.matching import Matched
    from ttsartifact.claiming.obstacles import ClaimedRun
    from ttsartifact.claiming.testing import Tested
    from ttsartifact.measuring.metrics import Measured

_PHONE_DIGITS = 2
"""More decimals of what is a mean over phones."""
_MICRO = 1_000_000


class Answer(StrEnum):
    """The test of a claim on its runs."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    NOT_DECIDABLE = "not decidable"


class Registered(StrEnum):
    """What shows that the claim was written before its runs."""

    PROVEN = "proven"
    """A run log under a time-stamp, for every run."""
    STATED = "stated"
    """Every run states the claim's digest."""
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One expectation and the result of its test; the means of groups a and b are in the metric's unit."""

    expected: ClaimTest
    n_a: int
    n_b: int
    repeats: int
    """Runs that were left out: their sound was counted already."""
    mean_a: float | None
    mean_b: float | None
    tested: Tested

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        e, t = self.expected, self.tested
        return {
            "metric": e.metric.name,
            "unit": e.metric.unit,
            "of": str(e.of),
            "effect": str(e.effect),
            "direction": str(e.direction),
            "margin": shown(e.margin_micro, 6),
            "test": str(e.test),
            "alpha": shown(e.alpha_ppm, 6),
            "draws": e.draws,
            "n_a": self.n_a,
            "n_b": self.n_b,
            "repeats": self.repeats,
            "mean_a": self.mean_a,
            "mean_b": self.mean_b,
            "estimate": shown(t.estimate_micro, 6),
            "interval": [shown(end, 6) for end in t.interval_micro],
            "p": t.p,
            "holds": t.holds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A claim and the results of its tests."""

    claim: Claim
    answer: Answer
    registered: Registered
    matched: Matched
    reasons: tuple[Obstacle, ...]
    """Why it cannot be decided; empty where it is."""
    decided: tuple[Decided, ...]
    values: tuple[dict[str, Any], ...]
    """Of each run its identity, group and values."""
    instruments: tuple[Mapping[str, Any], ...]

    @property
    def exit_code(self) -> int:
        """0 supported, 1 not supported, 3 not decidable."""
        return {Answer.SUPPORTED: 0, Answer.NOT_SUPPORTED: 1, Answer.NOT_DECIDABLE: 3}[self.answer]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, which a report puts its schema and tool before. It holds no clock and no path."""
        groups = self.matched.groups
        return {
            "claim": self.claim.digest,
            "title": self.claim.title,
            "answer": str(self.answer),
            "exit_code": self.exit_code,
            "registered": str(self.registered),
            "reasons": [each.to_value() for each in self.reasons],
            "runs": {str(group): groups.count(group) for group in RunGroup},
            "conditions": {
                "match": None if set(groups) <= {RunGroup.NONE} else not self.matched.confounders,
                "confounders": [each.to_value() for each in self.matched.confounders],
                "free": [each.to_value() for each in self.matched.free],
                "unstated": list(self.matched.unstated),
            },
            "expectations": [each.to_value() for each in self.decided],
            "instruments": [dict(each) for each in self.instruments],
            "values": list(self.values),
        }


def evaluate(
    claim: Claim,
    runs: Sequence[ClaimedRun],
    measure: Callable[[ClaimedRun, Sequence[str]], Measured],
    *,
    exploratory: bool = False,
    logged: Sequence[str] = (),
) -> Evaluation:
    """Settle a claim on runs, in whatever order they come.

    `measure` returns the values of a run for the names of metrics; it is asked only where the conditions match and no
    run is missing. The answer is `not decidable` where one reason stands against deciding; else `supported` where
    every expectation holds.
    """
    ordered = in_order(runs)
    matched = match(claim, ordered, exploratory=exploratory, logged=logged)
    placed = [run for run, group in zip(ordered, matched.groups, strict=True) if group is not RunGroup.NONE]
    registered = _registered(claim, placed)
    names = tuple(dict.fromkeys(each.metric.name for each in claim.expectations))
    measured = {run.artifact_id: measure(run, names) for run in placed} if not matched.reasons else {}
    reasons = matched.reasons or (*_unmeasured(placed, measured, names), *_without_factor(claim, placed, measured))
    decided = (
        () if reasons else tuple(_decide(claim, number, matched, measured) for number in range(len(claim.expectations)))
    )
    answer = Answer.NOT_DECIDABLE
    if not reasons:
        answer = Answer.SUPPORTED if all(each.tested.holds for each in decided) else Answer.NOT_SUPPORTED
    pins = {str(pin): pin for one in measured.values() for pin in one.instruments}
    return Evaluation(
        claim=claim,
        answer=answer,
        registered=registered,
        matched=matched,
        reasons=reasons,
        decided=decided,
        values=tuple(_row(run, group, measured) for run, group in zip(ordered, matched.groups, strict=True)),
        instruments=tuple(pins[key] for key in sorted(pins)),
    )


def _registered(claim: Claim, runs: Sequence[ClaimedRun]) -> Registered:
    if not runs or not all(run.states(claim.digest) for run in runs):
        return Registered.NO
    return Registered.PROVEN if all(run.proven for run in runs) else Registered.STATED


def _row(run: ClaimedRun, group: RunGroup, measured: Mapping[str, Measured]) -> dict[str, Any]:
    found = measured.get(run.artifact_id)
    return {
        "artifact_id": run.artifact_id,
        "group": str(group),
        "values": {} if found is None else found.to_value(),
    }


def _unmeasured(runs: Sequence[ClaimedRun], measured: Mapping[str, Measured], names: Sequence[str]) -> list[Obstacle]:
    found = []
    for name in names:
        lacking = [run for run in runs if measured[run.artifact_id].values.get(name) is None]
        if lacking:
            why = measured[lacking[0].artifact_id].lacks.get(name, "not measured")
            found.append(_not_known(name, lacking, why))
    return found


def _not_known(name: str, lacking: Sequence[ClaimedRun], why: str) -> Obstacle:
    runs = counted_as(len(lacking), "run", "runs")
    message = f"{name} of {runs} is not known, {lacking[0].artifact_id[:19]} the first: {why}"
    return Obstacle(why=ObstacleKind.NO_VALUE, message=message, count=len(lacking))


def _without_factor(claim: Claim, runs: Sequence[ClaimedRun], measured: Mapping[str, Measured]) -> list[Obstacle]:
    """Name the runs in which what a slope is over is not a number."""
    for each in claim.expectations:
        if each.effect is not Effect.SLOPE:
            continue
        key = each.metric.name if claim.by == "reference" else claim.by
        lacking = [run for run in runs if key not in measured[run.artifact_id].factor]
        if lacking:
            why = measured[lacking[0].artifact_id].lacks.get("reference", "it is not a number")
            return [_not_known(claim.by, lacking, why)]
    return []


def _decide(claim: Claim, place: int, matched: Matched, measured: Mapping[str, Measured]) -> Decided:
    expected = claim.expectations[place]
    counted, repeats = _counted(expected, matched)
    more = _PHONE_DIGITS if expected.metric.of is MetricKind.PHONES else 0
    decimals = expected.metric.decimals + more
    values = _values(claim, expected, counted, measured, 10**more)
    blocks = _blocks(claim, expected, counted, values, measured)
    tested = put_to_test(expected, blocks, decimals, f"{claim.digest} {place}")
    a, b = ([v for block in blocks for v in getattr(block, side)] for side in "ab")
    is_slope = expected.effect is Effect.SLOPE
    return Decided(
        expected=expected,
        n_a=0 if is_slope else len(a),
        n_b=len(b),
        repeats=repeats,
        mean_a=None if is_slope or not a else mean_of(a, decimals),
        mean_b=mean_of(b, decimals),
        tested=tested,
    )


def _counted(expected: ClaimTest, matched: Matched) -> tuple[list[tuple[ClaimedRun, RunGroup]], int]:
    """Return the runs that are observations of their own, and how many are not."""
    found: list[tuple[ClaimedRun, RunGroup]] = []
    seen: set[tuple[RunGroup, str, str]] = set()
    repeats = 0
    for run, group in zip(matched.runs, matched.groups, strict=True):
        if group is RunGroup.NONE:
            continue
        key = (group, run.text, run.sound)
        if expected.metric.of is not MetricKind.TIME and expected.of is Aspect.LEVEL and key in seen:
            repeats += 1
            continue
        seen.add(key)
        found.append((run, group))
    return found, repeats


def _values(
    claim: Claim,
    expected: ClaimTest,
    counted: Sequence[tuple[ClaimedRun, RunGroup]],
    measured: Mapping[str, Measured],
    finer: int,
) -> list[int]:
    """Return one integer per run: its value, or how far it lies from the median of the repeats in its group."""
    rows = [_row_of(measured[run.artifact_id], expected.metric.name, finer) for run, _ in counted]
    if expected.of is Aspect.LEVEL:
        return [_rounded_mean(row) for row in rows]
    repeats: dict[tuple[RunGroup, str], list[tuple[int, ...]]] = {}
    keys = [
        (group, run.text if expected.metric.of is MetricKind.PHONES or claim.blocked else "") for run, group in counted
    ]
    for key, row in zip(keys, rows, strict=True):
        repeats.setdefault(key, []).append(row)
    middles = {key: _medians(found) for key, found in repeats.items()}
    return [
        _rounded_mean(tuple(abs(v - m) for v, m in zip(row, middles[key], strict=False)))
        for key, row in zip(keys, rows, strict=True)
    ]


def _row_of(measured: Measured, name: str, finer: int) -> tuple[int, ...]:
    value = measured.values[name]
    assert value is not None
    return tuple(one * finer for one in (value if isinstance(value, tuple) else (value,)))


def _medians(rows: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the lower median of each column; rows of other lengths than the first are of other phones."""
    width = min(len(row) for row in rows)
    return tuple(sorted(row[place] for row in rows)[(len(rows) - 1) // 2] for place in range(width))


def _rounded_mean(row: Sequence[int]) -> int:
    return round(sum(row) / len(row)) if row else 0


def _blocks(
    claim: Claim,
    expected: ClaimTest,
    counted: Sequence[tuple[ClaimedRun, RunGroup]],
    values: Sequence[int],
    measured: Mapping[str, Measured],
) -> list[Comparison]:
    if expected.effect is Effect.SLOPE:
        key = expected.metric.name if claim.by == "reference" else claim.by
        factor = [measured[run.artifact_id].factor[key] for run, _ in counted]
        return [Comparison(a=tuple(factor), b=tuple(values))]
    found: dict[str, tuple[list[int], list[int]]] = {}
    for (run, group), value in zip(counted, values, strict=True):
        sides = found.setdefault(run.text if claim.blocked else "", ([], []))
        sides[0 if group is RunGroup.A and claim.has_groups else 1].append(value)
    return [Comparison(a=tuple(a), b=tuple(b)) for a, b in found.values()]
