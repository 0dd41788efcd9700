"""Loads of a bench: their words, their schedules and what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
import refusals

from ttsartifact.errors import Refused
from ttsartifact.serving.attempts import Law
from ttsartifact.serving.loading import Load, arrivals_ns, loads_of


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(law=Law.CLOSED, concurrency=4), "closed, 4 in flight"),
        (Load(law=Law.POISSON, concurrency=64, rate_mhz=2500), "poisson, 2.5 requests/s"),
        (Load(law=Law.CONSTANT, concurrency=64, rate_mhz=1000), "constant, 1 requests/s"),
    ],
)
def test_a_load_in_words(load: Load, words: str) -> None:
    """Of a closed one how many are in flight, of an open one how many come."""
    assert load.words == words


def test_a_constant_load_comes_at_equal_times() -> None:
    """3 requests a second, in whole nanoseconds."""
    load = Load(law=Law.CONSTANT, concurrency=1, rate_mhz=3000)
    assert arrivals_ns(load, 4) == [0, 333_333_333, 666_666_666, 999_999_999]
    assert arrivals_ns(load, 0) == []


def test_a_poisson_load_comes_at_the_times_of_its_seed() -> None:
    """The first at once; gaps of one seed are always the same, and 0.5 s in the mean."""
    load = Load(law=Law.POISSON, concurrency=1, rate_mhz=2000, seed="s")
    times = arrivals_ns(load, 2001)
    assert times[:4] == [0, 261_776_094, 1_105_111_635, 1_188_901_263]
    assert arrivals_ns(load, 1) == [0]
    assert arrivals_ns(load, 0) == []
    gaps = [b - a for a, b in pairwise(times)]
    assert min(gaps) >= 0
    assert sum(gaps) / len(gaps) == pytest.approx(5e8, rel=0.05)


def test_the_loads_of_a_bench_are_in_order() -> None:
    """Closed ones first; a constant one has no seed."""
    assert loads_of((1, 8), (0.001, 1_000_000), law=Law.POISSON, seed="s", most_in_flight=64) == (
        Load(law=Law.CLOSED, concurrency=1),
        Load(law=Law.CLOSED, concurrency=8),
        Load(law=Law.POISSON, concurrency=64, rate_mhz=1, seed="s"),
        Load(law=Law.POISSON, concurrency=64, rate_mhz=1_000_000_000, seed="s"),
    )
    (constant,) = loads_of((), (2.5,), law=Law.CONSTANT, seed="s", most_in_flight=9)
    assert constant == Load(law=Law.CONSTANT, concurrency=9, rate_mhz=2500)


@pytest.mark.parametrize("rate", [0, -1, 0.0009, 1_000_001])
def test_a_rate_has_its_range(rate: float) -> None:
    """Both ends are in it."""
    with refusals.raises(Refused) as refused:
        loads_of((1,), (rate,), law=Law.POISSON, seed="s", most_in_flight=1)
    assert str(refused.value) == (
        f"the rate is not a number of requests per second in range: found {rate}, expected 0.001 to 1,000,000 "
        "(at --rate)"
    )


def test_a_bench_has_a_load() -> None:
    """Both options that give one are named."""
    with refusals.raises(Refused) as refused:
        loads_of((), (), law=Law.POISSON, seed="s", most_in_flight=1)
    assert str(refused.value) == "no load is given: expected --concurrency 1,4,8 or --rate 2 (at --concurrency)"
