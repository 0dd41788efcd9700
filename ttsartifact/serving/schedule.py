"""When requests are to be sent: schedules that can be recomputed from the file (clause 7.9)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import DRAW_ONE, draw
from ttsartifact.serving.attempts import Law

__all__ = ["Load", "arrivals_ns", "loads_of"]

_NS_PER_KILOSECOND = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One law of a bench: so many requests, in flight or in time."""

    law: Law
    concurrency: int
    """Requests in flight: as many as that of `closed`, at most that many of an open law."""
    rate_mhz: int | None = None
    seed: str | None = None

    @property
    def words(self) -> str:
        """The load in a few words."""
        if self.rate_mhz is None:
            return f"{self.law}, {self.concurrency} in flight"
        return f"{self.law}, {self.rate_mhz / 1000:g} requests/s"


def arrivals_ns(load: Load, count: int) -> list[int]:
    """Return when each request of an open load is scheduled, counted from the load's beginning."""
    assert load.rate_mhz is not None
    step = _NS_PER_KILOSECOND / load.rate_mhz
    if load.law is Law.CONSTANT:
        return [number * (_NS_PER_KILOSECOND // load.rate_mhz) for number in range(count)]
    stream = f"arrival/{load.rate_mhz}"
    gaps = (
        math.floor(-math.log((draw(load.seed or "", stream, number) + 1) / DRAW_ONE) * step)
        for number in range(1, count)
    )
    return list(accumulate(gaps, initial=0))[:count]


def loads_of(
    concurrency: tuple[int, ...], rates: tuple[float, ...], *, law: Law, seed: str, most_in_flight: int
) -> tuple[Load, ...]:
    """Return the loads of a bench: a closed one for each number in flight, then an open one for each rate.

    Raises Refused for a rate that is not positive, and where no load is given at all.
    """
    for rate in rates:
        if not 0.001 <= rate <= 1_000_000:
            raise Refused("a rate is requests in a second", where="--rate", found=rate, expected="0.001 to 1,000,000")
    closed = tuple(Load(law=Law.CLOSED, concurrency=number) for number in concurrency)
    opened = tuple(
        Load(
            law=law,
            concurrency=most_in_flight,
            rate_mhz=round(rate * 1000),
            seed=seed if law is Law.POISSON else None,
        )
        for rate in rates
    )
    if not closed + opened:
        raise Refused("no load is given", where="--concurrency", expected="--concurrency 1,4,8 or --rate 2")
    return closed + opened
