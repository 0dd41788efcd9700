"""Projections (clauses 3.4 and 4.7): the columns that spare a reader the descriptor say what the descriptor says."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact.container.columns import TRACE_TABLES, audio_path, flat_columns, flat_names
from ttsartifact.reading.derived import figures_of_artifact
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_NO_COLUMNS = NotApplicable("the carrier has no columns")


@rule("PRJ01")
def columns_follow(evidence: Evidence) -> Answer:
    if evidence.artifact.columns is None:
        return _NO_COLUMNS
    expected = flat_columns(evidence.descriptor, figures_of_artifact(evidence.artifact), _names(in_utc=False))
    return _compared(evidence.artifact.columns, expected | {"audio.path": audio_path(evidence.descriptor)})


@rule("PRJ02")
def utc_columns_follow(evidence: Evidence) -> Answer:
    if evidence.artifact.columns is None:
        return _NO_COLUMNS
    return _compared(evidence.artifact.columns, flat_columns(evidence.descriptor, names=_names(in_utc=True)))


@cache
def _names(*, in_utc: bool) -> tuple[str, ...]:
    """Return the names of the flat columns that one of the two rules is about; artifact_id is HSH05's."""
    return tuple(name for name in flat_names() if name.endswith("_utc") == in_utc and name != "artifact_id")


@rule("PRJ03")
def nested_columns_follow(evidence: Evidence) -> Answer:
    tables = evidence.artifact.tables
    if tables is None:
        return _NO_COLUMNS
    found = []
    for name in TRACE_TABLES:
        if name in tables:
            found += _compared_traces(name, tables[name], evidence.trace(name))
    return found


def _compared(columns: dict[str, Any], expected: dict[str, Any]) -> Answer:
    """Compare the columns of a row with what the descriptor and the figures of clause 7.7 make of them."""
    return [
        Mismatch(where=f"column {name}", found=columns[name], expected=value)
        for name, value in expected.items()
        if name in columns and not _same(columns[name], value)
    ]


def _same(found: Any, expected: Any) -> bool:
    """Compare values; a UTC that a rewriter cut to microseconds is held to the digits that it kept."""
    if isinstance(found, str) and isinstance(expected, str) and found[:4].isdigit() and found.endswith("Z"):
        return expected.startswith(found[:-1]) and expected.endswith("Z")
    return bool(found == expected) and (found is None) == (expected is None)


def _compared_traces(name: str, table: Trace | None, trace: Trace | None) -> list[Mismatch]:
    if table is None or trace is None:
        if table is None and trace is None:
            return []
        sides = ["null" if side is None else f"{side.rows} rows" for side in (table, trace)]
        return [Mismatch(where=f"column {name}", found=sides[0], expected=sides[1])]
    if table.rows != trace.rows:
        return [Mismatch(where=f"column {name}", found=f"{table.rows} rows", expected=f"{trace.rows} rows")]
    return [
        Mismatch(where=f"column {name}.{key} row {row}", found=here, expected=there)
        for key, values in trace.columns.items()
        for row, here, there in _first_difference(table.columns.get(key, []), values)
    ]


def _first_difference(here: list[Any], there: list[Any]) -> list[tuple[int, Any, Any]]:
    if here == there:
        return []
    return [next((row, a, b) for row, (a, b) in enumerate(zip(here, there, strict=True)) if a != b)]
