"""Two libraries read one schema: they agree on every edit, and one mistake is one violation under one rule."""

from __future__ import annotations

import copy
import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import kit
import pytest

from ttsartifact import _spec
from ttsartifact.container.source import BytesSource
from ttsartifact.packing.pack import build
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.trace import TRACE_COLUMNS
from ttsartifact.verifying import explaining, schema
from ttsartifact.verifying.catalogue import catalogue
from ttsartifact.verifying.fitting import Violation, fits
from ttsartifact.verifying.schema import Unparsed, holds, trace_value, violations_of

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES: tuple[Any, ...] = (
    None,
    "",
    "N/A",
    "x",
    "x\n",
    " x",
    "\u0663",
    "sha256:" + "5af29b01" * 8 + "\n",
    0,
    -1,
    1.5,
    2**53,
    2**70,
    True,
    [],
    {},
    [{}],
    absent("unknown"),
    {"value": None},
    {"value": None, "reason": "not measured"},
    {"value": 0, "reason": "unknown"},
    ...,
)


SCHEMA = _spec.load_json("descriptor.schema.json")
MOVING = {"uri": "hf:a", "revision": "main", "files": absent("unknown")}
EMPTY = {"trace": "chunks", "rows": 1, "columns": {}}


def descriptor() -> dict[str, Any]:
    return json.loads(build(kit.draft(), BytesSource(kit.wav())).parts["descriptor"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def edited(path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    value: Any = descriptor()
    place = value
    for step in path[:-1]:
        place = place[step]
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(new)
    return value


PLACES = list(places(descriptor()))
# Every place, and every kind of wrong value at some of them: 1 in 13 of all pairs, in an order that mixes both.
PAIRS = [(path, new) for i, path in enumerate(PLACES) for j, new in enumerate(VALUES) if (i + 3 * j) % 13 == 0]


@pytest.mark.parametrize("part", range(2))
def test_the_libraries_agree(part: int):
    """What jsonschema-rs answers, jsonschema explains: never a no without a reason, never a reason without a no."""
    for path, new in PAIRS[part::2]:
        value = edited(path, new)
        answer = holds(value)
        assert explaining.accepts(value) == answer, (path, new)
        found = explaining.explain(value)
        assert bool(found) != answer, (path, new)
        assert {violation.rule for violation in found} <= set(catalogue()), (path, new)
        # What is looked at without a library: its yes is theirs, and it leaves only floats and line feeds open.
        sure = fits(value, SCHEMA, SCHEMA["$defs"])
        assert sure == answer or (not sure and (new == 1.5 or "\n" in str(new))), (path, new)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, {"const": True}),
        (True, {"enum": [1]}),
        ([1], {"const": [True]}),
        (1.0, {"type": "integer"}),
        (True, {"type": "integer"}),
        ("a\n", {"pattern": "^a$"}),
        ([1, True], {"uniqueItems": True}),
        ([{}, {}], {"uniqueItems": True}),
        ("1", {"not": {"pattern": "^1$"}}),
        (1, {"not": {"enum": [1]}}),
        (5, {"multipleOf": 5}),
        ({"a": 1}, {"patternProperties": {"^a": False}}),
        ({}, {"$ref": "#/$defs/absent"}),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}),
    ],
)
def test_a_first_look_is_never_sure_of_more_than_it_knows(value: Any, schema: dict[str, Any]):
    """An unknown keyword, and values that are equal to Python or to JSON alone, are left to the library."""
    assert not fits(value, schema, {})


def test_a_first_look_calls_for_no_library(monkeypatch):
    """The first descriptors of a process are judged without it, one that does not fit and the later ones with it."""
    monkeypatch.setattr(schema, "_looked_at", itertools.count(schema._FIRST - 2))
    asked: list[Any] = []
    monkeypatch.setattr(schema, "_answer", lambda value: asked.append(value) or True)
    whole, broken = descriptor(), edited(("level",), "L9")
    for value, canonical in [(whole, False), (whole, True), (broken, True), (whole, True)]:
        violations_of(value, {}, canonical=canonical)
    assert asked == [whole, broken, whole]


@pytest.mark.parametrize("part", range(2))
def test_one_mistake_is_one_violation(part: int):
    """A wrong scalar anywhere is reported once, at its place."""
    for path, new in PAIRS[part::2]:
        if new is ... or isinstance(new, dict | list):
            continue
        value = edited(path, new)
        pointer = "".join(f"/{step}" for step in path)
        assert [v.where for v in violations_of(value, {})] in ([], [pointer]), (path, new)


def test_the_libraries_disagreeing_is_a_violation(monkeypatch):
    """Where one refuses and the other finds nothing, neither is believed."""
    monkeypatch.setattr(explaining, "explain", lambda value: [])
    (violation,) = violations_of({}, {})
    assert violation.rule == "SCH02"
    assert "the two libraries disagree" in violation.message


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("channels",), [{}] * 10_000),
        (("channels",), [0] * 500_000),
        (("generation", "command"), {"argv": [0] * 500_000, "cwd": {}}),
        (("pins", "model", "files"), [{}] * 300_000),
        (("unknown",), {f"x{number}": 0 for number in range(60_000)}),
    ],
)
def test_a_descriptor_full_of_mistakes(path, new):
    """Not every mistake is told, the whole is then unsound, and the search takes no minute (it took one for 40 kB)."""
    value = edited(path, new) if path != ("unknown",) else descriptor() | new
    began = time.process_time()
    found = explaining.explain(value)
    assert time.process_time() - began < 5
    assert found[0] == Violation(rule="SCH02", where="", message="too many schema errors to list; the search stopped")
    assert len(found) <= 1_002


def test_one_mistake_among_nine_thousand_files():
    """The largest honest descriptors are explained to their end."""
    file = {"digest": "sha256:" + "1a" * 32, "path": "model/part.safetensors", "size": 23_500_000}
    model = {
        "uri": "https://example.org/voices/large",
        "revision": "1a" * 20,
        "files": [*[file] * 7_000, file | {"size": "x"}],
    }
    value = edited(("pins", "model"), model)
    (violation,) = explaining.explain(value)
    assert (violation.where, violation.expected) == ("/pins/model/files/7000/size", "an integer")


def test_patterns_end_where_they_say():
    """Python's `$` matches before a final newline; here it does not, in either library."""
    value = edited(("audio", "digest"), descriptor()["audio"]["digest"] + "\n")
    value["audio"]["digest"] = value["audio"]["digest"][:-2] + "\n"  # the right length, so that only the pattern speaks
    assert not holds(value)
    assert not explaining.accepts(value)


@pytest.mark.parametrize(
    ("path", "new", "rule", "where"),
    [
        (("pins", "vocoder"), {"integrated": True}, "SCH02", "/pins/vocoder/detail"),
        (
            ("pins", "vocoder"),
            {"uri": "hf:a", "revision": "main", "files": absent("unknown")},
            "PIN01",
            "/pins/vocoder/revision",
        ),
        (("run", "run_id"), "run 1", "SCH09", "/run/run_id"),
        (("timebase", "origin", "utc"), "2026-11-21 10:00", "CLK08", "/timebase/origin/utc"),
        (("input", "text", "form"), "latin1", "TXT01", "/input/text/form"),
        (("ext_critical",), ["a", "a"], "SCH02", "/ext_critical"),
        (("audio", "roles"), [], "SCH02", "/audio/roles"),
        (("spec_version",), 1, "SCH01", "/spec_version"),
    ],
)
def test_the_meant_branch_speaks(path, new, rule, where):
    """Of the choices at a place, the one that the value resembles is explained, under the nearest annotation."""
    assert [(v.rule, v.where) for v in violations_of(edited(path, new), {})] == [(rule, where)]


def test_a_lone_surrogate_is_no_crash():
    """A string that UTF-8 cannot carry is refused by neither library with an exception."""
    violations_of(edited(("run", "notes"), "\ud800"), {})


def test_trace_columns_are_spelled_once():
    """terms.trace and traces.schema.json name the same columns in the same order."""
    schemas = _spec.load_json("traces.schema.json")["$defs"]
    assert {name: tuple(s["properties"]["columns"]["properties"]) for name, s in schemas.items()} == TRACE_COLUMNS


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "CAN05"),
        (b"\xff", "CAN05"),
        (b"[1", "CAN05"),
        (b'{"a": 1}', "CAN05"),
        (b'{"a":1,"a":1}', "CAN05"),
        (b'{"a":NaN}', "CAN05"),
        (b"[" * 100_000, "CON15"),
        (b"1" * 5000, "CAN05"),
        (b'"\\ud800"', "CAN05"),
        (bytes((32 << 20) + 1), "CON15"),
    ],
)
def test_a_trace_that_is_no_canonical_json(data, rule):
    """Whatever bytes a trace part has, reading them ends in a value or in the rule that they break."""
    value = trace_value(data)
    assert isinstance(value, Unparsed)
    assert value.rule == rule


@pytest.mark.parametrize(
    "value", [None, 5, [], "x", {}, {"columns": None}, {"trace": "chunks", "rows": 1, "columns": {}}]
)
def test_a_trace_of_any_shape_is_judged(value):
    """No value of a trace raises."""
    assert violations_of(descriptor(), {"chunks": value}) != ()


def test_a_long_column_is_checked_in_passes():
    """A million honest entries cost a fraction of a second, and one wrong one is still named."""
    rows = 300_000
    columns = {
        "t_ns": list(range(rows)),
        "frame_start": [0] * rows,
        "frame_count": [0] * rows,
        "pcm_sha256": ["0" * 64] * rows,
    }
    trace = {"trace": "chunks", "rows": rows, "columns": columns}
    assert violations_of(descriptor(), {"chunks": trace}) == ()
    columns["t_ns"][-1] = 2**53
    (violation,) = violations_of(descriptor(), {"chunks": trace})
    assert violation.where == f"trace/chunks/columns/t_ns/{rows - 1}"
