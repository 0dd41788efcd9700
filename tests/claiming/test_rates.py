"""Simulated sets: how often a claim is supported with a drift and without one (benchmarks/claims.py, in small)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def claims():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "claims.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_claims", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_the_rate_of_false_supported_is_alpha(claims) -> None:
    """Of 200 sets without a drift: not shown to be more frequent than alpha, nor far below it."""
    low, high = claims.bounds(claims.supported(200, 0.0, 0), 200)
    assert low <= 0.05 <= high


def test_a_drift_of_half_a_semitone_is_mostly_found(claims) -> None:
    """More than two in three of 100 sets."""
    assert claims.supported(100, 0.5, 7_000) > 67


def test_confounders_and_missing_runs_are_named_every_time(claims) -> None:
    """Ten sets each."""
    assert claims.named(10) == (10, 10)
