"""What a driver sampled by itself is taken at most a twentieth of the time, and never later than it is lost."""

from __future__ import annotations

import pytest

from ttsartifact.recording import sensors
from ttsartifact.recording.sensors import Drain


class Driver:
    """A sensor whose samples take some time to be read."""

    def __init__(self, cost_ns: int) -> None:
        self.cost_ns, self.now_ns = cost_ns, 7_000

    def drain(self) -> list[str]:
        """Return one sample."""
        self.now_ns += self.cost_ns
        return ["a sample"]


@pytest.mark.parametrize(
    ("cost_ns", "next_ns"),
    [
        (0, 40_000_000),
        (2_000_000, 40_000_000),
        (2_000_001, 40_000_020),
        (49_999_999, 999_999_980),
        (50_000_001, 1_000_000_000),
    ],
)
def test_samples_are_taken_again_after_twenty_times_their_cost(
    cost_ns: int, next_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before 40 ms, and not after a second."""
    driver = Driver(cost_ns)
    monkeypatch.setattr(sensors.time, "perf_counter_ns", lambda: driver.now_ns)
    drain = Drain(driver)  # type: ignore[arg-type]
    assert drain.due(100) == ["a sample"]
    assert drain.due(100 + next_ns - 1) == []
    assert drain.due(100 + next_ns - 1, at_once=True) == ["a sample"]
    again = 100 + next_ns - 1 + next_ns
    assert drain.due(again - 1) == []
    assert drain.due(again) == ["a sample"]


def test_a_sensor_without_samples_of_its_own_has_none() -> None:
    """Even at once."""
    assert Drain(object()).due(0, at_once=True) == []  # type: ignore[arg-type]
