"""6.3: a trace that is none says where and why, and a rule that is not asked says what is not there."""

from __future__ import annotations

from typing import Any

import full_run
import kit
import pytest
import refusals

from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.packing.carriers import convert
from ttsartifact.verifying import schema
from ttsartifact.verifying.engine import verify
from ttsartifact.verifying.schema import trace_value, trace_values

DIGEST = "ab" * 32
CHUNKS = {
    "trace": "chunks",
    "rows": 1,
    "columns": {"t_ns": [1], "frame_start": [0], "frame_count": [800], "pcm_sha256": [DIGEST]},
}


def columns(**edits: Any) -> dict[str, Any]:
    held = {key: value for key, value in (CHUNKS["columns"] | edits).items() if value is not ...}  # type: ignore[operator]
    return CHUNKS | {"columns": held}


MOST = 2**53 - 1
FAULTS: dict[str, tuple[str, Any]] = {
    "sound": ("chunks", CHUNKS),
    "of no known name": ("chunk", CHUNKS),
    "a list": ("chunks", [CHUNKS]),
    "of another name": ("chunks", CHUNKS | {"trace": "events"}),
    "a field more": ("chunks", CHUNKS | {"more": 1}),
    "no rows": ("chunks", {key: CHUNKS[key] for key in ("trace", "columns")}),
    "rows in words": ("chunks", CHUNKS | {"rows": "1"}),
    "rows of a truth": ("chunks", CHUNKS | {"rows": True}),
    "no columns": ("chunks", {key: CHUNKS[key] for key in ("trace", "rows")}),
    "columns of a list": ("chunks", CHUNKS | {"columns": []}),
    "a column more": ("chunks", columns(more=[1])),
    "a column less": ("chunks", columns(t_ns=...)),
    "a column that is a number": ("chunks", columns(t_ns=1)),
    "a column of two rows": ("chunks", columns(t_ns=[1, 2])),
    "a column of words": ("chunks", columns(t_ns=["1"])),
    "a column of nothing": ("chunks", columns(t_ns=[None])),
    "a column of a truth": ("chunks", columns(t_ns=[True])),
    "a count below 0": ("chunks", columns(frame_count=[-1])),
    "the largest integer": ("chunks", columns(t_ns=[MOST])),
    "a larger integer": ("chunks", columns(t_ns=[MOST + 1])),
    "a smaller integer": ("chunks", columns(t_ns=[-MOST - 1])),
    "a digest in capitals": ("chunks", columns(pcm_sha256=[DIGEST.upper()])),
    "a digest and a line": ("chunks", columns(pcm_sha256=[DIGEST + "\n"])),
    "a word that is too long": (
        "events",
        {"trace": "events", "rows": 1, "columns": {"t_ns": [1], "kind": ["k" * 65], "detail": ["d" * 10_000]}},
    ),
    "a channel of its name": (
        "channel/wall",
        {"trace": "channel/wall", "rows": 2, "columns": {"t_ns": [1, 2], "value": [None, -5]}},
    ),
    "a channel of another name": (
        "channel/wall",
        {"trace": "channel/x", "rows": 1, "columns": {"t_ns": [1], "value": [1.5]}},
    ),
}
SOUND = {"sound", "the largest integer", "a channel of its name"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_trace_that_is_none_says_where(name: str) -> None:
    """Each place under its rule, with both sides."""
    key, value = FAULTS[name]
    found = schema._trace_faults(key, value)
    assert (found == []) is (name in SOUND)
    refusals.require_same(f"{each.rule} {each.where}: {each.message}; {each.found}, {each.expected}" for each in found)


def test_a_column_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: it is said before its entries are looked at."""
    held = {"type": "integer", "minimum": 0, "maximum": 9}
    assert schema._column_faults("x", [10] * 3, {"maxItems": 2, "items": held})[0][:4] == ("CON15", "x", 3, "at most 2")
    assert schema._column_faults("x", [1] * 2, {"maxItems": 2, "items": held}) == []
    for value, is_within in ((0, True), (9, True), (-1, False), (10, False)):
        assert (schema._column_faults("x", [5, value], {"maxItems": 2, "items": held}) == []) is is_within


PARTS: dict[str, bytes] = {
    "no JSON": b"{",
    "no UTF-8": b'"\xff"',
    "a key twice": b'{"a":1,"a":1}',
    "a space": b'{"a": 1}',
    "a fraction of more digits": b'{"a":1.50}',
    "too deep": b"[" * 40 + b"]" * 40,
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_no_trace_says_why(name: str) -> None:
    """4.1, 3.8: by what it is in place of canonical JSON."""
    found = trace_value(PARTS[name])
    refusals.require_same([f"{found.rule}: {found.message}; {found.found}, {found.expected}"])


def test_traces_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """3.8: by their bytes each, and by what they hold in all."""
    part = canonical_bytes({"a": [1, 2, 3]})
    monkeypatch.setattr(schema, "MAX_TRACE_BYTES", len(part))
    assert trace_value(part) == {"a": [1, 2, 3]}
    monkeypatch.setattr(schema, "MAX_TRACE_BYTES", len(part) - 1)
    found = trace_value(part)
    refusals.require_same([f"{found.rule}: {found.message}; {found.found}, {found.expected}"], of="bytes")
    monkeypatch.undo()
    # two commas, two quotes, a bracket and a brace
    monkeypatch.setattr(schema, "MAX_TRACE_MARKS", 6)
    assert trace_values({"a": part}) == {"a": {"a": [1, 2, 3]}}
    monkeypatch.setattr(schema, "MAX_TRACE_MARKS", 11)
    found = trace_values({"a": part, "b": part})["b"]
    refusals.require_same([f"{found.rule}: {found.message}; {found.found}, {found.expected}"], of="marks")


@pytest.mark.parametrize("carrier", ["wav", "parquet"])
@pytest.mark.parametrize("kind", ["plain", "full"])
def test_a_rule_that_is_not_asked_says_what_is_not_there(kind: str, carrier: str, tmp_path: Any) -> None:
    """10.1: of each rule that does not apply the reason, as `verify --verbose` prints it."""
    path = (kit.artifact if kind == "plain" else full_run.artifact)(tmp_path)
    if carrier == "parquet":
        convert([path], tmp_path / "run.tts.parquet")
        path = tmp_path / "run.tts.parquet"
    (report,) = verify(path)
    refusals.require_same(f"{rule}: {why}" for rule, why in report.not_applicable_because)
