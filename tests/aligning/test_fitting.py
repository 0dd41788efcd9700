"""Where a log lies on a load, for loads and logs of a few steps."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ttsartifact.aligning.fitting import Sampled, StepFunction, burst_of, fit
from ttsartifact.errors import Refused
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

S = 1_000_000_000
WORK = (0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0)
TWICE = (0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0)
CYCLES = (0, 1, 1, 0) * 10


def load(levels: Sequence[int]) -> StepFunction:
    """Return a load that has each level for a second."""
    return StepFunction("load", tuple(n * S for n in range(len(levels) + 1)), tuple(map(float, levels)))


def meter(
    levels: Sequence[int], *, until_s: float = 26.0, noise_w: float = 2.0, late_s: float = 2.3, pace: float = 1.0
) -> Sampled:
    """Return what a meter shows of a load: means of 0.5 s from 2 s on, 50 W for a level of 1, noise of two values."""
    at = np.arange(2.0, until_s, 0.5)
    integral = np.concatenate([[0.0], np.cumsum(levels)])
    edges = np.arange(len(levels) + 1.0)
    before, after = (np.interp((at + side - late_s) * pace, edges, integral) for side in (-0.25, 0.25))
    noise = np.where(np.arange(len(at)) % 2, noise_w, -noise_w)
    return Sampled(at, 100 + 50 * (after - before) / 0.5 + noise, 0.5, 0.5)


@pytest.mark.parametrize(
    ("levels", "made", "expected"),
    [
        (WORK, {}, {"offset_s": -2.300139, "half_s": 0.022557, "residual": 2.000009, "readings": 46}),
        (WORK, {"noise_w": 20.0}, {"offset_s": -2.300139, "half_s": 0.238101, "residual": 20.0, "readings": 46}),
        (TWICE, {}, {"offset_s": -2.3, "half_s": 0.02875, "ambiguity": 0.063982, "readings": 39}),
        (TWICE, {"noise_w": 20.0}, {"offset_s": -2.30375, "half_s": 0.29, "ambiguity": 0.069376, "readings": 39}),
    ],
)
def test_an_offset_has_the_width_that_noise_gives_it(
    levels: Sequence[int], made: dict[str, Any], expected: dict[str, float]
) -> None:
    """The log is 2.3 s late; ten times the noise leaves more offsets as likely. The figures are those of this scene."""
    found = fit(load(levels), meter(levels, **made))
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-4)
    assert abs(found.offset_s + 2.3) < found.half_s
    assert (found.drift, found.drift_half) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("ppm", "expected"),
    [
        (0, {"drift": 1.25e-5, "drift_half": 1.953125e-5, "offset_s": -2.300458}),
        (300, {"drift": 2.9375e-4, "drift_half": 1.953125e-5, "offset_s": -2.257911}),
    ],
)
def test_a_drift_is_found_with_its_width(ppm: int, expected: dict[str, float]) -> None:
    """A long log by a clock that is slow by so much; the offset is that at the middle of the log."""
    drawn = random.Random(4)
    levels = [drawn.randrange(2) for _ in range(280)]
    found = fit(load(levels), meter(levels, until_s=280.0, noise_w=0.5, pace=1 + ppm / 1e6), drift=True)
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-4)
    assert abs(found.drift - ppm / 1e6) < found.drift_half


@pytest.mark.parametrize(
    ("log", "levels", "words"),
    [
        (
            meter(WORK, until_s=5.5),
            WORK,
            "the log and the run have too little time in common for a fit: expected 8 readings of the run",
        ),
        (
            Sampled(np.arange(0, 40, 0.6), np.full(67, 42.0), 0.6, 0.6),
            WORK,
            (
                "the log does not follow the load of the run: found readings that never rise with it, expected "
                "readings that do"
            ),
        ),
        (
            Sampled(np.arange(0, 40, 0.6), np.arange(67) * 7.0 % 5, 0.6, 0.6),
            WORK,
            (
                "the log does not follow the load of the run: found 9% of its variance explained by 36 readings, "
                "expected at least 30%"
            ),
        ),
        (
            meter(CYCLES),
            CYCLES,
            (
                "the log matches the load of the run in several places: found a second place -4.009 s away matches "
                "100% as well as the best, expected at most 90%, and more apart than noise explains"
            ),
        ),
    ],
)
def test_a_log_that_lies_nowhere_or_everywhere_is_refused(log: Sampled, levels: Sequence[int], words: str) -> None:
    """What was found and what would have been enough."""
    with pytest.raises(Refused) as refused:
        fit(load(levels), log)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("written", "fitted", "residual"),
    [(2999, 2999, 2.0), (3000, 3000, 2.0), (3001, 1500, 0.02), (6003, 2001, 0.67)],
)
def test_of_a_long_log_neighbours_are_averaged(written: int, fitted: int, residual: float) -> None:
    """At most 3000 readings are fitted; of noise of two values a mean of two has none, and one of three a third."""
    drawn = random.Random(4)
    levels = [drawn.randrange(2) for _ in range(written // 2 + 20)]
    found = fit(load(levels), meter(levels, until_s=2 + written / 2, late_s=-4.0))
    assert (found.readings, round(found.residual, 2)) == (fitted, residual)
    assert abs(found.offset_s - 4) < found.half_s < 0.006


@pytest.mark.parametrize(("rows", "known"), [(0, False), (7, False), (8, True), (9, True)])
def test_a_burst_of_eight_readings_is_a_load(rows: int, known: bool) -> None:
    """Fewer say too little of when it was; the last one only ends the step before it."""
    columns = {"t_ns": [n * S for n in range(rows)], "value": [n % 2 for n in range(rows)]}
    artifact: Any = SimpleNamespace(trace=lambda name: Trace(name, columns) if rows else None)
    found = burst_of(artifact)
    assert (found is not None) is known
    if found is not None:
        assert found.t_ns == tuple(columns["t_ns"])
        assert found.level == tuple(map(float, columns["value"][:-1]))
