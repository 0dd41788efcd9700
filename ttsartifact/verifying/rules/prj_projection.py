"""Projections (clauses 3.4 and 4.7): the columns that spare a reader the descriptor say what the descriptor says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.columns import TRACE_TABLES, audio_path, flat_columns
from ttsartifact.reading.derived import figures_of_artifact
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_NO_COLUMNS = NotApplicable("the carrier has no columns")


@rule("PRJ01")
def columns_follow(evidence: Evidence) -> Answer:
    # artifact_id is HSH05's, times in UTC are PRJ02's.
    figures = figures_of_artifact(evidence.artifact) if evidence.artifact.columns is not None else None
    return _projected(evidence, lambda name: name != "artifact_id" and not name.endswith("_utc"), figures)


@rule("PRJ02")
def utc_columns_follow(evidence: Evidence) -> Answer:
    return _projected(evidence, lambda name: name.endswith("_utc"))


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


def _projected(evidence: Evidence, concerns: Callable[[str], bool], figures: dict[str, Any] | None = None) -> Answer:
    """Compare the columns of these names with what the descriptor and the figures of clause 7.7 make of them."""
    columns = evidence.artifact.columns
    if columns is None:
        return _NO_COLUMNS
    expected = flat_columns(evidence.descriptor, figures) | {"audio.path": audio_path(evidence.descriptor)}
    return [
        Mismatch(where=f"column {name}", found=columns[name], expected=value)
        for name, value in expected.items()
        if concerns(name) and name in columns and not _same(columns[name], value)
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
