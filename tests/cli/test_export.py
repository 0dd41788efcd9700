"""Runs as a trace for ui.perfetto.dev: what the form asks of each event, and the numbers of the run."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import full_run
import kit

from ttsartifact.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NEEDED = {"X": {"ts", "dur", "tid"}, "C": {"ts", "args"}, "i": {"ts", "s", "tid"}, "M": {"args"}}


def exported(folder: Path, *paths: Path) -> dict[str, Any]:
    out = folder / "trace.json"
    assert main(["export", *map(str, paths), "--perfetto", "-o", str(out)]) == 0
    document: dict[str, Any] = json.loads(out.read_text())
    return document


def test_every_event_is_of_the_documented_form(tmp_path: Path) -> None:
    """Name, phase and process of each, and what its phase needs; a slice never lasts less than nothing."""
    events = exported(tmp_path, full_run.artifact(tmp_path))["traceEvents"]
    for event in events:
        assert {"name", "ph", "pid"} | NEEDED[event["ph"]] <= set(event)
        assert event.get("dur", 0) >= 0
    assert {event["ph"] for event in events} == set(NEEDED)


def test_the_numbers_are_those_of_the_run(tmp_path: Path) -> None:
    """Microseconds from ns, watts from mW, a slice for each chunk, and the stall where the player waited."""
    path = full_run.artifact(tmp_path)
    by_name = defaultdict(list)
    for event in exported(tmp_path, path)["traceEvents"]:
        by_name[event["name"]].append(event)
    (request,) = by_name["request"]
    assert (request["ts"], request["dur"]) == (
        full_run.SUBMIT_NS / 1000,
        (full_run.LAST_NS - full_run.SUBMIT_NS) / 1000,
    )
    log = full_run.telemetry_log().columns
    powers = [event["args"]["value"] for event in by_name["power (W)"]]
    assert powers == [value / 1000 for value in log["power_mw"]]
    assert [event["name"] for events in by_name.values() for event in events if event.get("tid") == 2][1:] == [
        f"chunk {n}" for n in range(4)
    ]
    assert by_name["stall"]
    assert by_name["wall_power_mw (W)"]


def test_a_set_stands_on_one_axis(tmp_path: Path) -> None:
    """Two runs that read UTC are as far apart as their clocks say; each is a process of its own."""
    later = kit.put(
        timebase__origin__utc="2026-11-21T10:00:10.123456789Z",
        timebase__snapshots__0__utc="2026-11-21T10:00:10.123456789Z",
        timebase__snapshots__1__utc="2026-11-21T10:00:10.173456801Z",
    )
    paths = kit.artifact(tmp_path, name="a.tts.wav"), kit.artifact(tmp_path, name="b.tts.wav", patch=later)
    starts = {e["pid"]: e["ts"] for e in exported(tmp_path, *paths)["traceEvents"] if e["name"] == "request"}
    assert starts[2] - starts[1] == 10_000_000


def test_a_form_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one nothing is written."""
    assert main(["export", str(kit.artifact(tmp_path)), "-o", str(tmp_path / "x.json")]) == 2
    assert "name the format: --perfetto is the only one" in capsys.readouterr().err
