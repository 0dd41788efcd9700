"""How often the true place of a log lies within the bound that `ttsa align` prints, over synthetic runs and meters.

    python benchmarks/align_truth.py [TRIALS]

Each trial draws a run (natural utterances, its own power at 10 Hz), and a meter: 1, 2 or 10 Hz, means over its period
stamped at the start, the middle or the end, up to 200 ms late, a clock up to 400 ms from UTC that drifts by up to
50 ppm and is stepped by up to 100 ms, and noise of 1 to 20 W on a swing of 250 W. The runs of the row `sync-burst` take
the same power all the time, and lie between two coded loads of 20 to 100 W more, in chips of a second. The truth is
asked for twice, the instant of the stamp and the middle of what the reading averages; the worse of both, over all
readings within the run, must lie within the bound.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.aligning.align import Wanted, align
from ttsartifact.aligning.log import Marker, ReadingKind, SensorLog, TimeBase
from ttsartifact.aligning.power import Method
from ttsartifact.errors import Refused
from ttsartifact.formulas.timebase import to_utc
from ttsartifact.reading.artifact import Artifact
from ttsartifact.recording.bursting import BARKER
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

S = 1_000_000_000
ORIGIN_NS = 1_795_255_200 * S
SUBMIT_S = 15.0


class Parts(NamedTuple):
    """Parts in memory."""

    held: dict[str, bytes]

    def names(self) -> tuple[str, ...]:
        """Return their names."""
        return tuple(self.held)

    def part(self, name: str) -> bytes:
        """Return one."""
        return self.held[name]


class Meter(NamedTuple):
    """A log, and for each reading the worst of what its true place may be, in ns of the run."""

    log: SensorLog
    truths: tuple[tuple[int, int], ...]


class Row(NamedTuple):
    """What one method did over all trials."""

    method: str
    trials: int
    refused: int
    within: int
    median_bound_s: float

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson interval of the share within the bound, of those that were not refused (95 %)."""
        n, z = self.trials - self.refused, 1.959964
        if not n:
            return 0.0, 1.0
        p = self.within / n
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def measured(trials: int, seed: int = 1) -> Iterator[Row]:
    """Yield a row for each method; the same seed gives the same rows."""
    for name in (*(str(each) for each in (Method.CLOCK, Method.LOAD_FIT, Method.MARKERS)), "sync-burst"):
        drawn = random.Random(f"{name} {seed}")
        method, made = (Method.LOAD_FIT, a_marked_run) if name == "sync-burst" else (Method(name), a_run)
        bounds, within, refused = [], 0, 0
        for _ in range(trials):
            run, length_s, watts = made(drawn)
            meter = a_meter(drawn, method, length_s, watts)
            try:
                found = align(run, meter.log, Wanted(method=method)).mapping
            except Refused:
                refused += 1
                continue
            places = [found.to_run_ns(t) for t in meter.log.t_ns]
            pairs = zip(places, meter.truths, strict=True)
            inside = [(place, truth) for place, truth in pairs if SUBMIT_S * S <= truth[0] <= (SUBMIT_S + length_s) * S]
            worst = max(abs(place - one) for place, truth in inside for one in truth)
            within += worst <= found.bound_ns
            bounds.append(found.bound_ns / S)
        yield Row(name, trials, refused, within, statistics.median(bounds) if bounds else math.nan)


def a_run(drawn: random.Random) -> tuple[Artifact, float, list[float]]:
    """Return a run, how long it took, and its power in watts every 10 ms."""
    length_s = drawn.uniform(20, 60)
    end_s = SUBMIT_S * 2 + length_s
    level, until, watts = 60.0, SUBMIT_S, []
    for n in range(round(end_s * 100)):
        t = n / 100
        if t >= SUBMIT_S + length_s:
            level = 60.0
        elif t >= until:
            level, until = (310.0 if level == 60.0 else 60.0), t + drawn.uniform(0.3, 5)
        watts.append(level)
    own = {"t_ns": [n * S // 10 for n in range(round(end_s * 10))], "power_mw": [int(w * 1000) for w in watts[::10]]}
    return _artifact("telemetry", own, _descriptor(drawn, length_s, end_s)), length_s, watts


def a_marked_run(drawn: random.Random) -> tuple[Artifact, float, list[float]]:
    """Return a run of steady power between two coded loads, how long it took, and its power in watts every 10 ms."""
    length_s, more, steady = drawn.uniform(5, 60), drawn.uniform(20, 100), drawn.uniform(60, 310)
    chips = (0, *BARKER, 0)
    begins = (0.0, SUBMIT_S + length_s)
    rows = [(round((begin + n) * S), chip) for begin in begins for n, chip in enumerate((*chips, None))]
    watts = [steady if SUBMIT_S <= n / 100 < begins[1] else 60.0 for n in range(round((begins[1] + SUBMIT_S) * 100))]
    for begin in begins:
        first = round(begin * 100)
        for n in range(first, min(first + 100 * len(chips), len(watts))):
            watts[n] = 60.0 + more * chips[(n - first) // 100]
    code = {"t_ns": [t for t, _ in rows], "value": [chip for _, chip in rows]}
    run = _artifact("channel/sync_burst", code, _descriptor(drawn, length_s, 2 * SUBMIT_S + length_s))
    return run, length_s, watts


def _artifact(trace: str, columns: dict[str, list[Any]], descriptor: dict[str, Any]) -> Artifact:
    """Return what align asks of an artifact, with one trace."""
    part = json.dumps({"trace": trace, "rows": len(columns["t_ns"]), "columns": columns}).encode()
    parts = Parts({f"trace/{trace}": part})
    return Artifact("a run", "wav", Descriptor(b"", descriptor), (), parts, (), None, None, None)  # type: ignore[arg-type]


def _descriptor(drawn: random.Random, length_s: float, end_s: float) -> dict[str, Any]:
    """Return what align asks of a descriptor; the host's UTC is wrong by up to its max_error."""
    max_error = 5_000_000
    wrong = drawn.randint(-max_error, max_error)
    snapshots = [
        {"at": at, "t_ns": t, "clock": "host.utc", "utc": to_utc(ORIGIN_NS + t + wrong), "bracket_ns": 300}
        for at, t in (("start", 0), ("end", round(end_s * S)))
    ]
    sync = {"max_error_ns": max_error}
    return {
        "run": {"times": {"t_submit_ns": round(SUBMIT_S * S), "t_last_token_ns": round((SUBMIT_S + length_s) * S)}},
        "timebase": {
            "origin": {"clock": "host.monotonic"},
            "clocks": [{"id": "host.monotonic", "resolution_ns": 1}, {"id": "host.utc", "sync": sync}],
            "snapshots": snapshots,
        },
    }


def a_meter(drawn: random.Random, method: Method, length_s: float, watts: list[float]) -> Meter:
    """Return the log of a meter that watched the run."""
    period = drawn.choice((0.1, 0.5, 1.0))
    lag, side = drawn.uniform(0, 0.2), drawn.choice((-0.5, 0.0, 0.5)) * period
    clock, pace, noise = drawn.uniform(-0.3, 0.3), drawn.uniform(-50e-6, 50e-6), drawn.uniform(1, 20)
    stepped_at, step = drawn.uniform(0, len(watts) / 100), drawn.choice((0.0, drawn.uniform(-0.1, 0.1)))
    zero = ORIGIN_NS / S if method is Method.CLOCK else drawn.uniform(-1e6, 1e6)
    base = TimeBase.UTC if method is Method.CLOCK else TimeBase.START
    sums = [0.0]
    for one in watts:
        sums.append(sums[-1] + one)

    def stamp(shown: float) -> int:
        return round((shown + clock + pace * shown + (step if shown > stepped_at else 0.0)) * 1000) * 1_000_000

    shift = round(zero) * S
    t_ns, values, truths = [], [], []
    shown = 1.0 + drawn.random()
    while shown < len(watts) / 100 - 1:
        middle = shown - side - lag
        first, last = (round((middle + half * period / 2) * 100) for half in (-1, 1))
        if first >= 0 and last < len(sums):
            mean = (sums[last] - sums[first]) / (last - first)
            t_ns.append(stamp(shown) + shift)
            values.append(round((mean + 90 + drawn.gauss(0, noise)) * 1000))
            truths.append((round(shown * S), round(middle * S)))
        shown += period
    ends = (SUBMIT_S + drawn.uniform(0, 0.05), SUBMIT_S + length_s + drawn.uniform(0, 0.05))
    markers = tuple(Marker(_sampled(stamp(end) + shift, t_ns), name) for end, name in zip(ends, "BE", strict=True))
    log = SensorLog(
        dialect="synthetic", base=base, kind=ReadingKind.POWER, t_ns=tuple(t_ns), values=tuple(values), column="p",
        scope="wall", resolution_ns=1_000_000, digest="", size=0, markers=markers,
    )  # fmt: skip
    return Meter(log, tuple(truths))


def _sampled(marked: int, t_ns: list[int]) -> int:
    """Return the time of the sample before a marker: what a dump shows of it."""
    return max(t for t in t_ns if t <= marked)


def main() -> None:
    """Print the table."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{'method':10} {'trials':>6} {'refused':>7} {'within':>6} {'share':>7}  {'Wilson 95 %':17} median bound")
    for row in measured(trials):
        low, high = row.interval
        share = row.within / max(row.trials - row.refused, 1)
        print(
            f"{row.method:10} {row.trials:6} {row.refused:7} {row.within:6} {share:7.4f}  "
            f"[{low:.4f}, {high:.4f}]  {row.median_bound_s:.3f} s"
        )


if __name__ == "__main__":
    main()
