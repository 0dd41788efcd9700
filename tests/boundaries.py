"""Pairs at every threshold of the catalogue: the last value that holds and the first that does not."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import full_run
import judged
import kit

from ttsartifact.formulas.logs import energy_between, stalls, stat
from ttsartifact.formulas.timebase import from_utc, to_utc, utc_bound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PAIRS", "Pair"]

Make = "Callable[[Path], Path]"
LOG = full_run.telemetry_log().columns
T_NS = [t for t in LOG["t_ns"] if t is not None]
MEDIAN_NS = sorted(b - a for a, b in pairwise(T_NS))[len(T_NS) // 2]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two files that differ by the least that a threshold knows."""

    rule: str
    ok: Callable[[Path], Path]
    bad: Callable[[Path], Path]
    name: str = ""
    exit_code: int = 1
    ok_warns: bool = False
    """The better file is warned of: a second threshold of the same rule."""


def full(traces: Any = None, *, resum: bool = False, **edits: Any) -> Callable[[Path], Path]:
    return partial(full_run.artifact, patch=kit.put(**edits), traces=traces, resum=resum)


def plain(traces: Any = None, **edits: Any) -> Callable[[Path], Path]:
    return partial(kit.artifact, patch=kit.put(**edits), traces=traces)


def telemetry(**entries: dict[int, int]) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        for column, new in entries.items():
            for row, value in new.items():
                values["telemetry"]["columns"][column][row] = value

    return edit


def without_rows(first: int, last: int, **then: dict[int, int]) -> Callable[[dict[str, Any]], None]:
    def edit(values: dict[str, Any]) -> None:
        trace = values["telemetry"]
        for column in trace["columns"].values():
            del column[first:last]
        trace["rows"] -= last - first
        telemetry(**then)(values)

    return edit


def stepped(by_ns: int) -> dict[str, Any]:
    return {"timebase__snapshots__1__utc": to_utc(from_utc(full_run.ORIGIN) + full_run.END_NS + by_ns)}


def coarse(by_ms: int) -> dict[str, Any]:
    """Return readings of a clock of UTC that moves in steps of 1 ms; 2 ms of these and 500 ppm of 4.2 s are allowed."""
    first = full_run.ORIGIN[:-7] + "Z"
    last = to_utc(from_utc(first) + full_run.END_NS + by_ms * 1_000_000)
    return {
        "timebase__clocks__1__resolution_ns": 1_000_000,
        "timebase__origin__utc": first,
        "timebase__snapshots__0__utc": first,
        "timebase__snapshots__1__utc": last[:-7] + "Z",
    }


def coarse_origin(after_ms: int) -> dict[str, Any]:
    """Return an origin of three digits, apart from a clock of 1 ms: its grain, the origin's and the digits count."""
    return coarse(0) | {
        "timebase__origin__utc": to_utc(from_utc(full_run.ORIGIN[:-7] + "Z") + after_ms * 10**6)[:-7] + "Z"
    }


def later_end(by_ns: int) -> dict[str, Any]:
    """Return a second snapshot 1 ns later, so that 500 ppm of the time are no whole number of nanoseconds."""
    moved = to_utc(from_utc(full_run.ORIGIN) + full_run.END_NS + 1 + by_ns)
    return {"timebase__snapshots__1__t_ns": full_run.END_NS + 1, "timebase__snapshots__1__utc": moved}


def digits(count: int) -> dict[str, Any]:
    """Return readings of UTC with so many digits, of a clock that resolves 99 ns."""
    cut = count - 10
    return {
        "timebase__clocks__1__resolution_ns": 99,
        "timebase__origin__utc": full_run.ORIGIN[:cut] + "Z",
        "timebase__snapshots__0__utc": full_run.ORIGIN[:cut] + "Z",
        "timebase__snapshots__1__utc": to_utc(from_utc(full_run.ORIGIN) + full_run.END_NS)[:cut] + "Z",
    }


def counted(part_of: Callable[[int], int]) -> Callable[[dict[str, Any]], None]:
    """Return an edit after which the counter gained `part_of` the energy that the power over the run gives."""

    def edit(values: dict[str, Any]) -> None:
        columns = values["telemetry"]["columns"]
        window = full_run.SUBMIT_NS, full_run.LAST_NS
        mean = stat("power_mw", columns["t_ns"], columns["power_mw"], *window, milli=1)
        gained = energy_between(columns["t_ns"], columns["energy_mj"], *window)
        assert mean is not None
        assert gained is not None
        first, wanted = columns["energy_mj"][0], part_of(mean["mean_milli"] * (window[1] - window[0]) // 10**9)
        start = energy_between(columns["t_ns"], columns["energy_mj"], columns["t_ns"][0], window[0]) or 0
        columns["energy_mj"] = [first + (e - first - start) * wanted // gained + start for e in columns["energy_mj"]]

    return edit


def updated(first: int) -> Callable[[Path], Path]:
    """Return a recipe whose counter grows 20 times, first in row `first` of those within the run."""
    window = full_run.SUBMIT_NS, full_run.LAST_NS
    mean = stat("power_mw", T_NS, LOG["power_mw"], *window, milli=1)
    assert mean is not None
    step = mean["mean_milli"] * (window[1] - window[0]) // 10**9 // 20
    begin = first + sum(t < full_run.SUBMIT_NS for t in T_NS)

    def edit(values: dict[str, Any]) -> None:
        rows = range(full_run.READINGS)
        values["telemetry"]["columns"]["energy_mj"] = [9 * 10**6 + step * min(max(n - begin + 1, 0), 20) for n in rows]

    return full(edit, resum=True, summary__energy_mj=20 * step)


def measured(duration_ms: int, clipped: int) -> Callable[[Path], Path]:
    """Return a recipe of an adapted run in which so much was measured of its first target clip."""
    clips = full_run.draft().descriptor["input"]["refs"]
    quality = {"snr_millidb": 31_250, "clipped_samples": 3, "alignment_milli": -7_120, "outlier": False}
    rows = [
        quality | {"duration_ms": -(-c["frames"] * 1000 // c["sample_rate_hz"])} for c in clips if c["role"] == "target"
    ]
    rows[0] |= {"duration_ms": rows[0]["duration_ms"] + duration_ms, "clipped_samples": clipped}
    return full(pins__adaptation__quality=rows)


def unmeasured(highest_mw: int) -> Callable[[dict[str, Any]], None]:
    """Return an edit after which no utilisation was measured, and power rose from 100 W to `highest_mw`."""
    rows = range(full_run.READINGS)
    powers = {row: 100_000 + row % 2 for row in rows} | {40: highest_mw}
    return telemetry(util_gpu_pct=dict.fromkeys(rows, 0), power_mw=powers, energy_mj=dict.fromkeys(rows))


def ended(t_ns: int) -> dict[str, Any]:
    utc = to_utc(from_utc(full_run.ORIGIN) + t_ns)
    return {"timebase__snapshots__1__t_ns": t_ns, "timebase__snapshots__1__utc": utc}


def origin(after_ns: int) -> dict[str, Any]:
    return {"timebase__origin__utc": to_utc(from_utc(full_run.ORIGIN) + after_ns)}


def typed(submit_ns: int) -> Callable[[Path], Path]:
    """Return a recipe whose times are whole milliseconds but for `submit_ns`."""

    def chunks(values: dict[str, Any]) -> None:
        values["chunks"]["columns"]["t_ns"] = [21_000_000, 41_000_000]

    return plain(
        chunks,
        run__times__t_submit_ns=submit_ns,
        run__times__t_start_ns=2_000_000,
        run__times__t_first_token_ns=21_000_000,
        run__times__t_last_token_ns=41_000_000,
    )


def floats(first: float, clipped: int) -> Callable[[Path], Path]:
    audio = kit.wav(struct.pack("<800f", first, *[0.25] * 799), bits=32, tag=3)
    return partial(kit.artifact, audio=audio, patch=kit.put(audio__clipped_samples=clipped))


def nested(levels: int) -> Callable[[Path], Path]:
    held = b"[" * levels + b"]" * levels
    return partial(kit.artifact, raw=lambda raw: raw.replace(b'"params":{}', b'"params":{"a":' + held + b"}"))


def chunked(more: int) -> Callable[[Path], Path]:
    body = struct.pack("<4sI", b"note", 0) * more
    bare = kit.wav() + body
    return partial(kit.artifact, audio=bare[:4] + struct.pack("<I", len(bare) - 8) + bare[8:])


def one_chunk_more(folder: Path) -> Path:
    """Add the chunk that is one too many behind the capsule, for no writer of ours would."""
    path = chunked(252)(folder)
    data = path.read_bytes() + struct.pack("<4sI", b"note", 0)
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def stalled(by_ns: int) -> dict[str, Any]:
    log = full_run.chunk_log().columns
    count, total_ns = stalls(log["t_ns"], log["frame_start"], log["frame_count"], kit.RATE_HZ)
    return {"run__times__stalls": {"count": count, "total_ns": total_ns + by_ns}}


def at_22050(total_ns: int) -> Callable[[Path], Path]:
    """Return a recipe of a run whose one stall is 1,859,422.4 ns long."""
    patch = kit.put(run__times__stalls={"count": 1, "total_ns": total_ns})
    return partial(kit.artifact, audio=kit.wav(rate_hz=22_050), patch=patch)


def largest_bound_ns() -> int:
    value = full_run.draft().descriptor
    window = value["timebase"], full_run.SUBMIT_NS, full_run.LAST_NS
    return max(bound.ns for channel in value["channels"] if (bound := utc_bound(*window, channel)) is not None)


ALLOWED_NS = 600 + 2_100_000  # 310 + 290 ns of brackets, and 500 ppm of 4.2 s
FASTEST_MHZ = 1_200_000_000_000 // MEDIAN_NS  # a fifth above what was read
SLOWEST_MHZ = -(-800_000_000_000 // MEDIAN_NS)
BOUND_NS = largest_bound_ns()
JUST_OVER_1 = 1.0 + 2.0**-23  # one step of a 32-bit float

PAIRS = (
    Pair(rule="CON15", name="depth", ok=nested(29), bad=nested(30), exit_code=4),
    Pair(rule="CON15", name="chunks", ok=chunked(252), bad=one_chunk_more, exit_code=4),
    Pair(
        rule="CAN04",
        ok=plain(generation__params={"a": 2**53 - 1}),
        bad=partial(kit.artifact, raw=lambda raw: raw.replace(b'"params":{}', b'"params":{"a":9007199254740992}')),
    ),
    Pair(
        rule="CAN04",
        name="negative",
        ok=plain(generation__params={"a": 1 - 2**53}),
        bad=partial(kit.artifact, raw=lambda raw: raw.replace(b'"params":{}', b'"params":{"a":-9007199254740992}')),
    ),
    Pair(
        rule="REF04",
        ok=full(input__refs__0__segment={"start_frame": 16, "end_frame": 160}),
        bad=full(input__refs__0__segment={"start_frame": 16, "end_frame": 161}),
    ),
    Pair(
        rule="REF04",
        name="one-frame",
        ok=full(input__refs__0__segment={"start_frame": 16, "end_frame": 17}),
        bad=full(input__refs__0__segment={"start_frame": 16, "end_frame": 16}),
    ),
    Pair(rule="REF06", ok=full(input__target_speech_ms=20_002), bad=full(input__target_speech_ms=20_003)),
    Pair(rule="REF06", name="less", ok=full(input__target_speech_ms=19_999), bad=full(input__target_speech_ms=19_998)),
    Pair(rule="CLK01", ok=plain(**ended(41_000_029)), bad=plain(**ended(41_000_028))),
    Pair(
        rule="CLK02",
        ok=full(timebase__snapshots__1__bracket_ns=100_000),
        bad=full(timebase__snapshots__1__bracket_ns=100_001),
        exit_code=0,
    ),
    Pair(
        rule="CLK02",
        name="error",
        ok=full(timebase__snapshots__1__bracket_ns=1_000_000),
        bad=full(timebase__snapshots__1__bracket_ns=1_000_001),
        ok_warns=True,
    ),
    Pair(
        rule="CLK02",
        name="zero",
        ok=plain(timebase__snapshots__1__bracket_ns=0),
        bad=plain(timebase__snapshots__1__bracket_ns=-1),
    ),
    Pair(rule="CLK03", ok=full(**stepped(ALLOWED_NS)), bad=full(**stepped(ALLOWED_NS + 1))),
    Pair(rule="CLK03", name="back", ok=full(**stepped(-ALLOWED_NS)), bad=full(**stepped(-ALLOWED_NS - 1))),
    Pair(rule="CLK03", name="coarse", ok=full(**coarse(4)), bad=full(**coarse(5))),
    Pair(rule="CLK03", name="origin", ok=full(**origin(310)), bad=full(**origin(311))),
    Pair(rule="CLK03", name="origin-digits", ok=full(**coarse_origin(2)), bad=full(**coarse_origin(3))),
    Pair(
        rule="CLK03",
        name="rounded-up",
        ok=full(**later_end(ALLOWED_NS + 1)),
        bad=full(**later_end(ALLOWED_NS + 2)),
    ),
    Pair(rule="CLK08", name="digits", ok=full(**digits(8)), bad=full(**digits(7))),
    Pair(
        rule="CLK05",
        ok=full(timebase__uncertainty_ns=BOUND_NS),
        bad=full(timebase__uncertainty_ns=BOUND_NS - 1),
    ),
    Pair(
        rule="TIM01",
        ok=full(run__times__t_start_ns=full_run.SUBMIT_NS),
        bad=full(run__times__t_start_ns=full_run.SUBMIT_NS - 1),
    ),
    Pair(
        rule="TIM01",
        name="encoded",
        ok=full(run__times__t_encoded_ns=full_run.LAST_NS),
        bad=full(run__times__t_encoded_ns=full_run.LAST_NS - 1),
    ),
    Pair(
        rule="TIM03",
        ok=full(run__times__t_encoded_ns=full_run.END_NS),
        bad=full(run__times__t_encoded_ns=full_run.END_NS + 1),
    ),
    Pair(rule="TIM06", ok=typed(1_000_001), bad=typed(1_000_000), exit_code=0),
    Pair(
        rule="TIM08",
        ok=full(run__attempt={"index": 3, "retries": 2}),
        bad=full(run__attempt={"index": 2, "retries": 2}),
    ),
    Pair(rule="TIM09", ok=full(run__load__batch_index=1), bad=full(run__load__batch_index=2)),
    Pair(rule="AUD12", ok=floats(1.0, 0), bad=floats(JUST_OVER_1, 0)),
    Pair(rule="AUD12", name="counted", ok=floats(JUST_OVER_1, 1), bad=floats(-JUST_OVER_1, 0)),
    Pair(rule="CHK05", ok=full(**stalled(0)), bad=full(**stalled(1))),
    # 6.3: the total may be rounded up or down, and no further.
    Pair(rule="CHK05", name="rounded", ok=at_22050(1_859_422), bad=at_22050(1_859_421)),
    Pair(rule="CHK05", name="less", ok=full(**stalled(0)), bad=full(**stalled(-1))),
    Pair(
        rule="TEL02",
        ok=full(telemetry(t_ns={40: T_NS[39] + 1}, t_before_ns={40: T_NS[39]}), resum=True),
        bad=full(telemetry(t_ns={40: T_NS[39]}, t_before_ns={40: T_NS[39]}), resum=True),
    ),
    Pair(
        rule="TEL03",
        ok=full(without_rows(0, 3, t_ns={0: full_run.SUBMIT_NS}), resum=True),
        bad=full(without_rows(0, 3, t_ns={0: full_run.SUBMIT_NS + 1}), resum=True),
    ),
    Pair(
        rule="TEL04",
        ok=full(channels__2__rate_mhz=FASTEST_MHZ),
        bad=full(channels__2__rate_mhz=FASTEST_MHZ + 1),
    ),
    Pair(
        rule="TEL04",
        name="slower",
        ok=full(channels__2__rate_mhz=SLOWEST_MHZ),
        bad=full(channels__2__rate_mhz=SLOWEST_MHZ - 1),
    ),
    Pair(
        rule="TEL05",
        ok=full(without_rows(20, 24, t_ns={20: T_NS[19] + 5 * MEDIAN_NS}), resum=True),
        bad=full(without_rows(20, 24, t_ns={20: T_NS[19] + 5 * MEDIAN_NS + 1}), resum=True),
        exit_code=0,
    ),
    Pair(
        rule="TEL06",
        ok=full(telemetry(util_gpu_pct={9: 100}), resum=True),
        bad=full(telemetry(util_gpu_pct={9: 101}), resum=True),
    ),
    Pair(
        rule="TEL06",
        name="clock",
        ok=full(telemetry(clock_mhz={9: 1980}), resum=True),
        bad=full(telemetry(clock_mhz={9: 1981}), resum=True),
    ),
    Pair(
        rule="TEL06",
        name="power",
        ok=full(telemetry(power_mw={9: 840_000}), resum=True),
        bad=full(telemetry(power_mw={9: 840_001}), resum=True),
    ),
    Pair(
        rule="TEL06",
        name="zero",
        ok=full(telemetry(power_mw={9: 0}), resum=True),
        bad=full(telemetry(power_mw={9: -1}), resum=True),
    ),
    Pair(
        rule="TEL07",
        ok=full(
            telemetry(power_mw=dict.fromkeys(range(10, 60), 98_001), energy_mj=dict.fromkeys(range(full_run.READINGS))),
            resum=True,
            channels__2__update_period_ns=50_000_000,
        ),
        bad=full(
            telemetry(power_mw=dict.fromkeys(range(10, 61), 98_001), energy_mj=dict.fromkeys(range(full_run.READINGS))),
            resum=True,
            channels__2__update_period_ns=50_000_000,
        ),
        exit_code=0,
    ),
)
PAIRS += (
    Pair(
        rule="TEL25",
        name="less",
        ok=full(counted(lambda mj: -(-85 * mj // 100)), resum=True),
        bad=full(counted(lambda mj: -(-85 * mj // 100) - 1), resum=True),
        exit_code=0,
    ),
    Pair(
        rule="TEL25",
        name="more",
        ok=full(counted(lambda mj: 100 * mj // 85), resum=True),
        bad=full(counted(lambda mj: 100 * mj // 85 + 1), resum=True),
        exit_code=0,
    ),
    Pair(rule="TEL24", name="first-update", ok=updated(1), bad=updated(0)),
    Pair(rule="PIN20", ok=measured(1, 3), bad=measured(2, 3)),
    Pair(
        rule="TEL26",
        ok=full(unmeasured(149_999), resum=True),
        bad=full(unmeasured(150_000), resum=True),
        exit_code=0,
    ),
)
PAIRS += tuple(Pair(rule=rule, name=name, ok=ok, bad=bad, exit_code=code) for rule, name, ok, bad, code in judged.PAIRS)
