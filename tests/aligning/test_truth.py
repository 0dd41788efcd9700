"""The bound that align prints holds: 60 trials of the benchmark that prints the table of 1,000."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from align_truth import measured


@pytest.mark.parametrize("seed", [2])
def test_the_true_place_lies_within_the_bound(seed: int) -> None:
    """For each method the Wilson interval of the share within the bound reaches 0.95."""
    for row in measured(20, seed):
        assert row.trials - row.refused >= 15, row
        assert row.interval[1] >= 0.95, row
