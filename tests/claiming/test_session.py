"""A session says where it changes, and what else changed there (clause 10.11)."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest
from claim_kit import drift_claim, measured, session

from ttsartifact import _spec
from ttsartifact.claiming.session import change_points, session_of
from ttsartifact.reporting.claiming import session_document, session_lines, session_rows
from ttsartifact.reporting.plot import draw

SCHEMA = jsonschema.Draft202012Validator(_spec.load_json("session.schema.json"))
CLAIM = drift_claim()
NAMES = ("pitch", "pause_time")


def drifted(count=24, at=13):
    noise = random.Random(3)
    return {
        "pitch": [noise.gauss(8, 0.1) + (0.5 if n >= at else 0) for n in range(1, count + 1)],
        "pause_time": [noise.gauss(300, 20) for _ in range(count)],
    }


def revised(n, value):
    revision = ("a" if n < 13 else "b") * 40
    value["pins"]["model"] = {"uri": "hf:a/b", "revision": revision, "files": [], "license": "mit"}


def test_a_change_and_what_fell_together_with_it() -> None:
    """The pitch rises at run 13, where the revision changed; the pauses do not change."""
    runs = session(CLAIM, 24, revised)
    found = session_of(runs, measured(runs, drifted()), NAMES)
    SCHEMA.validate(json.loads(json.dumps(session_document(found))))
    pitch, pauses = found.courses
    assert [(each.run, each.with_it) for each in pitch.change_points] == [(13, ("model",))]
    assert pitch.change_points[0].p == 0.001
    assert pauses.change_points == ()
    assert [(each.label, each.run) for each in found.changed] == [("model", 13)]
    lines = list(session_lines(found))
    assert lines[0] == "24 runs, in the order of t_submit"
    assert "; there changed: model" in next(line for line in lines if "changes at run 13" in line)
    assert f"condition   model changed at run 13: hf:a/b@{'a' * 40} -> hf:a/b@{'b' * 40}" in lines


def test_a_steady_series_has_no_change_point() -> None:
    """At 1 %, of 200 series of noise hardly any has one; a step of five deviations always has."""
    noise = random.Random(5)
    series = [[round(noise.gauss(0, 100)) for _ in range(24)] for _ in range(200)]
    assert sum(bool(change_points(each, str(n))) for n, each in enumerate(series)) <= 8
    stepped = [[value + (500 if place >= 15 else 0) for place, value in enumerate(each)] for each in series[:20]]
    assert all(any(abs(place - 15) <= 1 for place, _ in change_points(each, "x")) for each in stepped)


@pytest.mark.parametrize(("before", "place"), [(2, None), (3, 3), (9, 9), (17, 17), (18, None)])
def test_a_change_needs_three_runs_on_each_side(before: int, place: int | None) -> None:
    """A step of ten deviations in twenty runs; where two runs are all there is on a side, it is not told of them."""
    noise = random.Random(2)
    values = [round(noise.gauss(0, 100)) + (0 if n < before else 9_000) for n in range(20)]
    found = [at for at, _ in change_points(values, "x")]
    assert (place in found) if place is not None else (before not in found)


def test_what_varies_from_run_to_run_marks_none() -> None:
    """Another command line each time is said once."""

    def typed(n, value):
        value["generation"]["command"]["argv"] = ["espeak-ng", "-p", str(n)]

    runs = session(CLAIM, 12, typed)
    found = session_of(runs, measured(runs, drifted(12, 99)), NAMES)
    assert (found.changed, found.varying) == ((), ("command line",))


def test_rows_are_a_table_of_the_grid() -> None:
    """A header, then a line for each run."""
    runs = session(CLAIM, 2)
    found = session_of(runs, measured(runs, {"pitch": [1.234, 5], "pause_time": [7, 8]}), NAMES)
    assert list(session_rows(found)) == [
        "run\tartifact_id\tstart_ms\tpitch\tpause_time",
        f"1\t{runs[0].artifact_id}\t\\N\t1.23\t7.0",
        f"2\t{runs[1].artifact_id}\t\\N\t5.0\t8.0",
    ]


def test_the_picture_is_1200_pixels_wide(tmp_path) -> None:
    """And the same bytes for the same session."""
    runs = session(CLAIM, 24, revised)
    found = session_of(runs, measured(runs, drifted()), NAMES)
    for name in ("a.png", "b.png"):
        draw(found, tmp_path / name)
    data = (tmp_path / "a.png").read_bytes()
    assert int.from_bytes(data[16:20], "big") == 1200
    assert data == (tmp_path / "b.png").read_bytes()
