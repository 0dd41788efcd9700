"""The figures of latency and speed, each by the one formula of clause 7.7, and their quantiles (clause 7.9).

Cards, reports, columns, comparisons and statistics take values and names from here.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING, Any, TypeGuard

from ttsartifact import _spec
from ttsartifact._starting import NamedTuple
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

Figure = int | float | dict[str, Any]
"""Nanoseconds, frames or a count, a ratio rounded to six digits, or an absence with its reason."""

_NS = 10**9
_NO_LOG = absent("not_measured", "no chunk log")
_ONE_CHUNK = absent("not_applicable", "one chunk")


class Instants(NamedTuple):
    """The instants of /run/times that figures follow from, in ns after the origin; None where one is not known."""

    scheduled: int | None = None
    submit: int | None = None
    start: int | None = None
    first_byte: int | None = None
    first_token: int | None = None
    last_token: int | None = None
    encoded: int | None = None


class DeliveredChunk(NamedTuple):
    """A row of the chunk log."""

    t_ns: int
    frame_start: int
    frame_count: int


class Definition(NamedTuple):
    """What a figure is (registry/figures.toml)."""

    key: str
    name: str
    unit: str
    """ns, frames, count or ratio."""
    formula: str
    means: str
    column: bool
    """Whether Parquet has a flat column of it."""


@cache
def definitions() -> dict[str, Definition]:
    """Return the definitions of all figures by key, in the order in which they are shown."""
    entries = _spec.table("registry/figures")["figure"]
    return {entry["key"]: Definition(**entry) for entry in entries}


def name_of(key: str) -> str:
    """Return what people read for a figure."""
    return definitions()[key].name


def column_keys() -> tuple[str, ...]:
    """Return the figures that are flat columns of Parquet."""
    return tuple(key for key, definition in definitions().items() if definition.column)


def figures(
    instants: Instants,
    chunks: Sequence[DeliveredChunk],
    *,
    frames: int | None,
    rate_hz: int | None,
    first_chunk_frames: int | None = None,
    onset: int | dict[str, Any],
) -> dict[str, Figure]:
    """Return every figure of clause 7.7 by key.

    `chunks` is the chunk log, empty where there is none; `frames` and `rate_hz` are those of the audio; `onset` is the
    frame at which the voice begins, or the absence with its reason. `first_chunk_frames` stands in for a
    chunk log that is missing.

    >>> run = Instants(submit=0, first_token=200_000_000, last_token=500_000_000)
    >>> found = figures(run, (), frames=24_000, rate_hz=24_000, onset=2_400)
    >>> found["time_to_first_audio_ns"], found["rtf_e2e"]
    (300000000, 0.5)
    """
    log = [chunk for chunk in chunks if chunk.frame_count > 0]
    rate = rate_hz if _positive(rate_hz) else None
    duration = frames * _NS // rate if rate and _positive(frames) else None
    first = log[0].frame_count if log else first_chunk_frames
    behind = duration - first * _NS // rate if rate and duration and _positive(first) else None
    times = instants
    return {
        "duration_ns": absent("unknown") if duration is None else duration,
        "schedule_delay_ns": _between(times.scheduled, times.submit),
        "queue_wait_ns": _between(times.submit, times.start),
        "time_to_first_byte_ns": _between(times.submit, times.first_byte),
        "time_to_first_token_ns": _between(times.submit, times.first_token),
        "first_audible_frame": onset,
        "leading_silence_ns": onset * _NS // rate if isinstance(onset, int) and rate else onset,
        "time_to_first_audio_ns": _first_audio(times, log, onset, rate),
        "time_to_last_token_ns": _between(times.submit, times.last_token),
        "time_to_encoded_ns": _between(times.submit, times.encoded),
        "rtf_e2e": _ratio(times.submit, times.last_token, duration),
        "rtf_compute": _ratio(times.start, times.last_token, duration),
        "rtf_steady": _ratio(times.first_token, times.last_token, behind),
        "chunk_count": len(log) or _NO_LOG,
        "first_chunk_frames": first if _positive(first) else _NO_LOG,
        **_gaps(log),
        "underrun_margin_ns": _underrun_margin(log, rate),
    }


def _between(start: int | None, end: int | None) -> Figure:
    if start is None or end is None:
        return absent("unknown", "one of its times is not known")
    return end - start


def _ratio(start: int | None, end: int | None, duration: int | None) -> Figure:
    if start is None or end is None:
        return absent("unknown", "one of its times is not known")
    if duration is None or duration <= 0:
        return absent("not_applicable", "no audio beyond the first chunk")
    return round((end - start) / duration, 6)


def _first_audio(times: Instants, log: Sequence[DeliveredChunk], onset: Figure, rate: int | None) -> Figure:
    """Return when a player that starts with the first chunk makes the first audible sound, counted from t_submit."""
    if isinstance(onset, dict):
        return onset
    if rate is None or times.submit is None or times.first_token is None:
        return absent("unknown", "one of its times is not known")
    if not log:
        return times.first_token - times.submit + int(onset) * _NS // rate
    # In units of 1/rate ns, so that nothing is rounded before the end.
    played = log[0].t_ns * rate
    for chunk in log:
        played = max(played, chunk.t_ns * rate)
        if onset < chunk.frame_start + chunk.frame_count:
            return (played + (int(onset) - chunk.frame_start) * _NS) // rate - times.submit
        played += chunk.frame_count * _NS
    return absent("unknown", "the chunk log ends before the voice begins")


def _gaps(log: Sequence[DeliveredChunk]) -> dict[str, Figure]:
    keys = ("median_gap_ns", "p95_gap_ns", "longest_gap_ns")
    if len(log) < 2:
        return dict.fromkeys(keys, _ONE_CHUNK if log else _NO_LOG)
    gaps = sorted(after.t_ns - before.t_ns for before, after in pairwise(log))
    return dict(zip(keys, (gaps[(len(gaps) - 1) // 2], gaps[-(-95 * len(gaps) // 100) - 1], gaps[-1]), strict=True))


def _underrun_margin(log: Sequence[DeliveredChunk], rate: int | None) -> Figure:
    if not log or rate is None:
        return _NO_LOG
    if len(log) == 1:
        return _ONE_CHUNK
    first, *later = log
    return min(((first.t_ns - chunk.t_ns) * rate + chunk.frame_start * _NS) // rate for chunk in later)


def _positive(value: Any) -> TypeGuard[int]:
    return type(value) is int and value > 0


_TAIL = 0.025
"""On either side of an interval of 95 %."""


def quantile_cont(values: Sequence[float], probability: Fraction) -> float:
    """Return the quantile that SQL calls `quantile_cont`: linear between the neighbours of (n - 1) * p.

    Values are taken in order. Raises ValueError for none.

    >>> from fractions import Fraction
    >>> quantile_cont([10, 20, 30, 50], Fraction(1, 2))
    25.0
    """
    if not values:
        raise ValueError("no values have no quantile")
    held = sorted(values)
    place = (len(held) - 1) * probability
    low = place.numerator // place.denominator
    if place == low:
        return float(held[low])
    between = float(place - low)
    return held[low] + (held[low + 1] - held[low]) * between


def median_int(values: Sequence[int]) -> int:
    """Return the median of integers, of an even number of them the mean of the middle two, rounded down.

    Raises IndexError for none.

    >>> median_int([20, 10, 45, 31])
    25
    """
    held = sorted(values)
    return (held[(len(held) - 1) // 2] + held[len(held) // 2]) // 2


def interval_ranks(count: int, probability: Fraction) -> tuple[int, int] | None:
    """Return the ranks (from 1) of two ordered values between which the quantile lies with 95 % confidence.

    Nothing is assumed but that the values are independent and of one distribution: the number of values below the
    quantile is binomial, so that the interval from rank l to rank u covers it with P(l <= B < u) (Conover, Practical
    Nonparametric Statistics, section 3.2). Of all pairs that cover it with 95 % one is returned whose tails are at
    most 2.5 % each. None where so few values bound it on one side only: p99 needs 368 of them, p95
    needs 72.

    >>> from fractions import Fraction
    >>> interval_ranks(20, Fraction(1, 2))
    (6, 15)
    >>> interval_ranks(20, Fraction(99, 100)) is None
    True
    """
    p, low, below = float(probability), 0, 0.0
    for successes in range(count + 1):
        chance = exp(
            lgamma(count + 1)
            - lgamma(successes + 1)
            - lgamma(count - successes + 1)
            + successes * log(p)
            + (count - successes) * log1p(-p)
        )
        if below + chance > _TAIL and not low:
            if successes == 0:
                return None
            low = successes  # P(B < low) is at most the tail
        below += chance
        if low and 1 - below <= _TAIL:
            return (low, successes + 1) if successes < count else None  # P(B >= high) is at most the tail
    return None
