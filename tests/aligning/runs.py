"""Runs that a log is aligned with: a minute of work between idle time, in two ways of knowing it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.formulas.timebase import from_utc, to_utc
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact

LOGS = Path(__file__).parent / "logs"
S = 1_000_000_000
ORIGIN_UTC_NS = from_utc("2026-11-21T10:00:00.123456789Z")
SUBMIT_NS, LAST_NS, END_NS = 20 * S, 80 * S, 100 * S
_READING_NS = 100_000_000


def minute(folder: Path, *, telemetry: bool = False) -> Artifact:
    """Return a run that works from 20 s to 80 s; with `telemetry` it recorded its own power at 10 Hz."""

    def patch(value: dict[str, Any]) -> None:
        value["run"]["times"] |= {"t_submit_ns": SUBMIT_NS, "t_first_token_ns": 21 * S, "t_last_token_ns": LAST_NS}
        end = value["timebase"]["snapshots"][1]
        end |= {"t_ns": END_NS, "utc": to_utc(ORIGIN_UTC_NS + END_NS)}

    draft = kit.draft(traces=(kit.chunk_log(), own_power())) if telemetry else kit.draft()
    return open_artifact(kit.artifact(folder, run=draft, patch=patch))


def own_power(seed: int = 1) -> Trace:
    """Return a trace of utterances of different lengths between 20 s and 80 s, 0 to 100 s at 10 Hz."""
    drawn = random.Random(seed)
    level, until, power = 60_000, 20.0, []
    for n in range(1001):
        t = n / 10
        if t >= 80:
            level = 60_000
        elif t >= until:
            level = 310_000 if level == 60_000 else 60_000
            until = t + drawn.uniform(0.4, 5.0)
        power.append(level)
    nothing = [None] * len(power)
    columns: dict[str, list[Any]] = {
        name: list(nothing)
        for name in ("clock_mhz", "mem_clock_mhz", "energy_mj", "util_gpu_pct", "mem_used_mib", "temperature_c")
    }
    t_ns = [n * _READING_NS for n in range(len(power))]
    return Trace(
        "telemetry",
        columns | {"t_before_ns": t_ns, "t_ns": t_ns, "power_mw": power, "clock_event_reasons": list(nothing)},
    )
