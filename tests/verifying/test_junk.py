"""Whatever stands where in a descriptor or a trace, every rule is accounted for and nothing is raised."""

from __future__ import annotations

import copy
from typing import Any

import full_run
import kit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import build
from ttsartifact.reading.artifact import parse_descriptor
from ttsartifact.terms.descriptor import absent
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.engine import verify

JUNK = [absent("unknown"), absent("not_applicable"), 0, 2**53 - 1, -1, [], {}, [[]], "x", "", None, True]
VALUE = parse_descriptor(build(full_run.draft(), BytesSource(kit.wav())).parts["descriptor"])[0].value


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        found += places(entry, (*path, key))
    return found


PLACES = places(VALUE)


def assert_accounted(path):
    for report in verify(path):
        accounted = [*report.passed, *report.not_applicable, *(f.rule for f in report.unchecked), *kit.failed(report)]
        assert sorted(accounted) == sorted(catalogue())


def put(path, junk):
    def patch(value):
        place = value
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = copy.deepcopy(junk)

    return patch


@pytest.mark.property
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PLACES), junk=st.sampled_from(JUNK))
def test_junk_anywhere(tmp_path, path, junk):
    """10.1: a shape that does not hold leaves rules without a question, and never without an answer."""
    assert_accounted(full_run.artifact(tmp_path, patch=put(path, junk)))


@pytest.mark.parametrize(
    ("path", "junk"),
    [
        (("traces",), True),
        (("traces", 1, "name"), []),
        (("timebase", "snapshots"), 7),
        (("channels", 4, "rate_mhz"), 0),
        (("input", "refs", 1, "sample_rate_hz"), 0),
        (("env", "devices"), {}),
    ],
)
def test_junk_that_once_raised(tmp_path, path, junk):
    """What a search found stays found."""
    assert_accounted(full_run.artifact(tmp_path, patch=put(path, junk)))


@pytest.mark.parametrize("name", ["chunks", "telemetry", "queue", "channel/wall_power_mw"])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_short_traces(tmp_path, name, rows):
    """6.4: a trace may be cut to nothing; what cannot be asked of it is not asked."""

    def edit(values):
        for column in values[name]["columns"].values():
            del column[rows:]
        values[name]["rows"] = rows

    assert_accounted(full_run.artifact(tmp_path, traces=edit))
