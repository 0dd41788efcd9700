"""A run as events on one axis, number by number: microseconds, and units that people read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import full_run
import kit
import pytest

from ttsartifact.reading.artifact import open_artifact
from ttsartifact.reporting.tables import perfetto_trace
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path


def shown(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return name, phase, track, begin, length and values of each event, in JSON's spelling of them."""
    keys = ("name", "ph", "tid", "ts", "dur", "args")
    return [tuple(json.dumps(event[key]) if key == "args" else event.get(key) for key in keys) for event in events]


def test_the_events_of_the_small_run(tmp_path: Path) -> None:
    """Process and tracks, request, chunks, what a player plays, and when UTC was read."""
    run = open_artifact(kit.artifact(tmp_path))
    found = perfetto_trace([run])
    assert (found["displayTimeUnit"], found["otherData"]) == ("ns", {"artifacts": [run.artifact_id]})
    assert {event["pid"] for event in found["traceEvents"]} == {1}
    assert {event.get("s") for event in found["traceEvents"] if event["ph"] == "i"} == {"t"}
    first, second = '{"frame_start": 0, "frame_count": 400}', '{"frame_start": 400, "frame_count": 400}'
    tracks = enumerate(("request", "chunks", "player", "events"), 1)
    assert shown(found["traceEvents"]) == [
        ("process_name", "M", None, None, None, json.dumps({"name": kit.RUN_ID})),
        *(("thread_name", "M", tid, None, None, json.dumps({"name": name})) for tid, name in tracks),
        ("request", "X", 1, 1000.003, 40000.026, json.dumps({"artifact_id": run.artifact_id})),
        ("chunk 0", "X", 2, 1000.003, 20000.014, first),
        ("plays chunk 0", "X", 3, 21000.017, 25000.0, first),
        ("chunk 1", "X", 2, 21000.017, 20000.012, second),
        ("plays chunk 1", "X", 3, 46000.017, 25000.0, second),
        ("UTC was read", "i", 4, 0.0, None, '{"at": "start", "bracket_ns": 310}'),
        ("UTC was read", "i", 4, 50000.0, None, '{"at": "end", "bracket_ns": 290}'),
    ]


def test_the_counters_and_slices_of_a_full_run(tmp_path: Path) -> None:
    """The first of each name; milliwatts and millijoules are divided, whole numbers stay whole."""
    first: dict[str, tuple[Any, ...]] = {}
    for event in shown(perfetto_trace([open_artifact(full_run.artifact(tmp_path))])["traceEvents"]):
        first.setdefault(event[0], event[1:])
    at = 50000.013
    assert {name: first[name] for name in ("wait", "compute", "encode", "stall")} == {
        "wait": ("X", 1, 203000.011, 90.001, "{}"),
        "compute": ("X", 1, 203090.012, 2797910.017, "{}"),
        "encode": ("X", 1, 3001000.029, 5000.001, "{}"),
        "stall": ("X", 3, 437300.017, 2462699.986, "{}"),
    }
    assert {name: facts for name, facts in first.items() if facts[0] == "C"} == {
        "power (W)": ("C", None, at, None, '{"value": 98.0}'),
        "SM clock (MHz)": ("C", None, at, None, '{"value": 345}'),
        "memory clock (MHz)": ("C", None, at, None, '{"value": 3201}'),
        "utilisation (%)": ("C", None, at, None, '{"value": 0}'),
        "energy (J)": ("C", None, at, None, '{"value": 9004.9}'),
        "temperature (degC)": ("C", None, at, None, '{"value": 41}'),
        "memory (MiB)": ("C", None, at, None, '{"value": 18204}'),
        "requests waiting": ("C", None, 0.0, None, '{"value": 0}'),
        "requests running": ("C", None, 0.0, None, '{"value": 1}'),
        "wall_power_mw (W)": ("C", None, 100000.009, None, '{"value": 221.0}'),
    }


def test_events_of_a_run_that_never_read_utc(tmp_path: Path) -> None:
    """It says so, and begins where the earliest other one does; what happened has its detail."""
    log = Trace("events", {"t_ns": [7_000], "kind": ["thermal"], "detail": ["hot"]})
    path = kit.artifact(
        tmp_path,
        run=kit.draft(traces=(kit.chunk_log(), log)),
        patch=lambda value: value["timebase"].update(snapshots=[]),
    )
    other = kit.artifact(tmp_path, name="b.tts.wav")
    events = perfetto_trace([open_artifact(path), open_artifact(other)])["traceEvents"]
    own = [event for event in events if event["pid"] == 1]
    assert own[0]["args"]["name"] == f"{kit.RUN_ID} (its own time: UTC was not read)"
    assert shown(own)[-1] == ("thermal", "i", 4, 7.0, None, '{"detail": "hot"}')
    assert [event["ts"] for event in events if event["name"] == "request"] == [1000.003, 1000.003]


@pytest.mark.parametrize("name", ["start", "encoded"])
def test_a_time_that_is_not_known_makes_no_slice(tmp_path: Path, name: str) -> None:
    """Without t_start there is neither a wait nor a computation, without t_encoded no encoding."""
    path = full_run.artifact(tmp_path, patch=kit.put(**{f"run__times__t_{name}_ns": absent("unknown")}))
    names = {event["name"] for event in perfetto_trace([open_artifact(path)])["traceEvents"]}
    assert ({"wait", "compute"} & names == set()) is (name == "start")
    assert ("encode" not in names) is (name == "encoded")
