"""Family ENV: each rule fails alone on a run that is otherwise sound."""

from __future__ import annotations

from functools import partial

import full_run
import kit
import pytest
import refusals

from ttsartifact.container import parquet
from ttsartifact.container.source import BytesSource, Span, write_whole
from ttsartifact.packing.pack import build
from ttsartifact.terms.descriptor import Descriptor, absent
from ttsartifact.verifying.siblings import conditions_of

SECOND_ID = "01a1fd8c-697b-7c3a-9d1f-3a5b7c9d1e30"


def case(rule, slug, *, exit_code=1, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(full_run.artifact, patch=kit.put(**edits)), exit_code=exit_code)


CASES = [
    case("ENV01", "no-kernel", env__os__kernel=absent("unknown")),
    case("ENV01", "no-driver", env__devices__1__driver=absent("not_measured")),
    case("ENV01", "no-runtime", env__runtime=absent("unknown")),
    case("ENV02", "same-device-twice", env__devices__1__index=0),
    case("ENV02", "no-limit", env__devices__0__power_limit_mw=absent("unknown")),
    case("ENV02", "no-partition", env__devices__0__partition=absent("unknown")),
    case(
        "ENV03",
        "unknown-effective-seed",
        generation__seeds__0__effective=absent("unknown"),
        generation__seeds__0__requested=absent("unknown"),
    ),
    case("ENV03", "repeat-differed", generation__determinism__self_repeat="differs"),
    case("ENV05", "variable-twice", env__variables__1__name="CUDA_VISIBLE_DEVICES", env__variables__1__value="77"),
    case("ENV05", "unexplained-seed", env__variables__1__value="78"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize(
    "edits",
    [
        {"env__os__kernel": absent("unknown"), "level": "L2"},
        {"env__devices__0__power_limit_mw": absent("unknown"), "level": "L2"},
        {"env__devices__0__max_clock_mhz": absent("not_applicable")},
        {"generation__determinism__class": "statistical", "generation__determinism__self_repeat": "differs"},
        {"generation__seeds__1__requested": absent("not_applicable")},
        {"generation__seeds__0__effective": absent("not_applicable")},
        {"generation__seeds__0__effective": absent("unknown")},
        {"generation__seeds__1__effective": "1"},
    ],
)
def test_near_misses(edits, tmp_path):
    """What is absent for a reason that holds, or below the level that asks, is no fault."""
    (report,) = refusals.verify(full_run.artifact(tmp_path, patch=kit.put(**edits)))
    assert kit.failed(report) == set()


def test_promise_without_seeds(tmp_path):
    """6.6: a bitwise promise of unknown seeds is warned of, unless the producer tried it, or no seed is drawn."""

    def warned(**edits):
        patch = kit.put(generation__determinism__class="bitwise", **edits)
        return [(f.rule, f.severity) for f in refusals.verify(kit.artifact(tmp_path, patch=patch))[0].findings]

    assert warned() == [("ENV03", "warn")]
    assert warned(generation__determinism__self_repeat="equal") == []
    assert warned(generation__seeds=absent("not_applicable")) == []


def warmer(degrees, values):
    """Two runs with the same readings would be two copies of one (TEL15)."""
    values["telemetry"]["columns"]["temperature_c"][0] += degrees


def two_runs(folder, *, second_audio=None, **edits):
    """Write a data set of two runs whose second differs by its id, its audio, and `edits`."""
    rows = []
    for place, audio in enumerate((kit.wav(), second_audio or kit.wav())):
        run = build(full_run.draft(), BytesSource(audio))
        more = {"run__run_id": SECOND_ID} | edits if place else {}
        parts = kit.edited(run.parts, patch=kit.put(**more), traces=partial(warmer, place))
        rows.append((parts, [Span(run.audio, 0, run.audio.size)]))
    path = folder / "set.tts.parquet"
    with write_whole(path, replace=True) as file:
        parquet.write(rows, file)
    return refusals.verify(path)


OTHER = kit.wav(bytes(2) + kit.tone()[2:-2] + b"\x01\x00")


def test_seed_ignored(tmp_path):
    """6.6: two runs of equal conditions that promise equal samples and differ are both named."""
    reports = two_runs(tmp_path, second_audio=OTHER)
    assert [kit.failed(report) for report in reports] == [{"ENV04"}, {"ENV04"}]
    found = reports[0].findings[0]
    assert (found.where, found.severity) == ("/audio/pcm", "warn")
    assert f"as run {SECOND_ID}" in found.expected


@pytest.mark.parametrize(
    ("audio", "edits"),
    [
        (None, {}),
        (OTHER, {"generation__seeds__0__effective": "2", "generation__seeds__0__requested": "2"}),
        (OTHER, {"generation__determinism__class": "same_device"}),
        (OTHER, {"pins__engine__version": "0.9.3"}),
        (OTHER, {"generation__params": {"temperature": 0.7}}),
    ],
)
def test_runs_that_may_differ(audio, edits, tmp_path):
    """6.6: equal samples, other conditions and weaker promises are no contradiction."""
    assert [kit.failed(report) for report in two_runs(tmp_path, second_audio=audio, **edits)] == [set(), set()]


def test_one_run_alone(tmp_path):
    """6.6: a single run has nothing to be compared with."""
    for name in ("run.tts.wav", "run.tts.parquet"):
        (report,) = refusals.verify(full_run.artifact(tmp_path, name=name))
        assert "ENV04" in report.not_applicable


def test_times_are_no_conditions():
    """6.6: what follows from a run is not what it was made under."""
    value = full_run.draft().descriptor
    later = value | {"timebase": {}, "run": {}, "summary": {}, "env": {}}
    assert conditions_of(Descriptor(b"", value)) == conditions_of(Descriptor(b"", later))
