"""What recorder and verifier compute with one function: stalls of a chunk log, means of a telemetry column."""

from __future__ import annotations

import pytest

from ttsartifact.formulas.logs import energy_between, stalls, stat


@pytest.mark.parametrize(
    ("t_ms", "frames", "expected_ms"),
    [
        ([10, 15, 20], [100, 100, 100], (0, 0)),  # faster than it plays
        ([10, 110, 210], [100, 100, 100], (0, 0)),  # just in time
        ([10, 130, 210], [100, 100, 100], (1, 20)),  # late once; the player then waits for nobody
        ([10, 130, 260], [100, 100, 100], (2, 50)),  # what was waited moves what is due
        ([10], [100], (0, 0)),
        ([], [], (0, 0)),
        ([5, 10, 130], [0, 100, 100], (1, 20)),  # a chunk without frames starts no player
    ],
)
def test_stalls(t_ms: list[int], frames: list[int], expected_ms: tuple[int, int]) -> None:
    """6.3: a player that starts at the first chunk and runs dry stalls until the next one, and plays on from there."""
    starts = [sum(frames[:place]) for place in range(len(frames))]
    count, total_ns = stalls([t * 1_000_000 for t in t_ms], starts, frames, 1000)

    assert (count, total_ns) == (expected_ms[0], expected_ms[1] * 1_000_000)


def test_a_reading_holds_until_the_next_one_that_arrived() -> None:
    """6.5: sample and hold over [submit, last], weighted by time; what did not arrive ends nothing."""
    found = stat("power_mw", [0, 10, 20, 30, 40], [100, 200, None, 400, 999], 5, 35, milli=1)

    # 100 for 5, 200 for 20, 400 for 5
    assert found == {"channel": "power_mw", "mean_milli": 217, "min_milli": 100, "max_milli": 400, "samples": 3}


def test_a_mean_is_rounded_half_up() -> None:
    """6.5: to thousandths, half up."""
    found = stat("power_mw", [0, 1], [1, 2], 0, 2, milli=1)

    assert found is not None
    assert found["mean_milli"] == 2


def test_nothing_is_extrapolated_backwards() -> None:
    """6.5: the window begins no earlier than the first reading, and without one there is no number."""
    late = stat("clock_mhz", [20], [7], 0, 40, milli=1000)

    assert late is not None
    assert late["mean_milli"] == 7000
    assert stat("clock_mhz", [50], [7], 0, 40, milli=1000) is None
    assert stat("clock_mhz", [0, 10], [None, None], 0, 40, milli=1000) is None


def test_a_window_of_no_length_is_answered_by_the_reading_that_holds_there() -> None:
    """6.5: a run that arrived at once still has a power."""
    found = stat("power_mw", [0, 10], [5, 6], 7, 7, milli=1)

    assert found is not None
    assert (found["mean_milli"], found["samples"]) == (5, 1)


def test_energy_is_a_difference_of_a_counter() -> None:
    """6.5: a counter that ran backwards was reset and says nothing."""
    assert energy_between([0, 10, 20], [100, 150, 190], 5, 25) == 90
    assert energy_between([0, 10, 20], [100, 150, 3], 5, 25) is None
    assert energy_between([10], [100], 5, 25) is None
