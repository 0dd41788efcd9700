"""Runs that a log is aligned with: a minute of work between idle time, in two ways of knowing it."""

from __future__ import annotations

import random
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kit

from ttsartifact.formulas.timebase import from_utc, to_utc
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.recording.bursting import BARKER
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from ttsartifact.reading.artifact import Artifact

LOGS = Path(__file__).parent / "logs"
S = 1_000_000_000
ORIGIN_UTC_NS = from_utc("2026-11-21T10:00:00.123456789Z")
SUBMIT_NS, LAST_NS, END_NS = 20 * S, 80 * S, 100 * S
_READING_NS = 100_000_000


def minute(folder: Path, *, telemetry: bool = False, more: tuple[Trace, ...] = ()) -> Artifact:
    """Return a run that works from 20 s to 80 s; with `telemetry` it recorded its own power at 10 Hz."""

    def patch(value: dict[str, Any]) -> None:
        value["run"]["times"] |= {"t_submit_ns": SUBMIT_NS, "t_first_token_ns": 21 * S, "t_last_token_ns": LAST_NS}
        end = value["timebase"]["snapshots"][1]
        end |= {"t_ns": END_NS, "utc": to_utc(ORIGIN_UTC_NS + END_NS)}

    own = (own_power(),) if telemetry else ()
    draft = kit.draft(traces=(kit.chunk_log(), *own, *more)) if telemetry or more else kit.draft()
    return open_artifact(kit.artifact(folder, run=draft, patch=patch))


def between_bursts(folder: Path, chip_s: float, *, telemetry: bool = False) -> Artifact:
    """Return the run of `minute` between two coded loads, of which one ends at 18 s and the other begins at 82 s."""
    chip_ns = round(chip_s * S)
    rows: list[tuple[int, int | None]] = []
    for begin in (18 * S - 15 * chip_ns, 82 * S):
        rows += [(begin + place * chip_ns, chip) for place, chip in enumerate((0, *BARKER, 0, None))]
    t_ns, values = zip(*rows, strict=True)
    code = Trace("channel/sync_burst", {"t_ns": list(t_ns), "value": list(values)})
    return minute(folder, telemetry=telemetry, more=(code,))


def wall_meter(folder: Path, artifact: Artifact, *, late_s: float, every_s: float) -> Path:
    """Write the log of a meter that began `late_s` before the origin: 40 W, 8 W more while the code loads, noise."""
    code = artifact.trace("channel/sync_burst")
    assert code is not None
    at, loaded = [t / S for t in code.columns["t_ns"]], code.columns["value"]
    drawn, lines, t = random.Random(11), ["time,i,v,p"], 0.35 * every_s
    while t < 105 + late_s:
        inside = [t - late_s + every_s * (n / 20 - 0.475) for n in range(20)]
        load = sum(bool(loaded[place - 1]) for moment in inside if (place := bisect_right(at, moment))) / 20
        run = 25 * (SUBMIT_NS / S <= t - late_s <= LAST_NS / S)  # what the run takes, the same all the time
        lines.append(f"{t:.4f},0,12,{40 + 8 * load + run + drawn.gauss(0, 0.5):.4f}")
        t += every_s
    path = folder / "wall.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


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
