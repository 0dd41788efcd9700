"""What stands beside the descriptor: its projection and its set (families PRJ and SET)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact.container.columns import TRACE_TABLES, audio_path, flat_columns, flat_names
from ttsartifact.formulas.conditions import conditions
from ttsartifact.reading.derived import figures_of_artifact
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.siblings import Siblings, differing

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


_ALONE = NotApplicable("one run alone")


@rule("SET01")
def unique_ids(evidence: Evidence) -> Answer:
    siblings = evidence.siblings
    if siblings is None:
        return _ALONE
    faults = []
    for field, where, value in (
        ("artifact_id", "", evidence.artifact_id),
        ("run_id", "/run/run_id", evidence.known("/run/run_id")),
    ):
        others = siblings.sharing(field, value, but=evidence.place)
        if others:
            faults.append(
                Mismatch(
                    where=where,
                    found=value,
                    expected=f"a different {field} from that of {others[0].name}",
                    message="two files or rows hold the same run"
                    if field == "artifact_id"
                    else "two runs share one id",
                )
            )
            break
    return faults


@rule("SET02")
def steady_session(evidence: Evidence) -> Answer:
    siblings, session = evidence.siblings, evidence.known("/run/session_id")
    if siblings is None or session is None:
        return NotApplicable("no session")
    # A session that does not claim to be consistent is warned of what drifts.
    severity = None if "session" in evidence.profiles else Severity.WARN
    return [mismatch._replace(severity=severity) for mismatch in _drifted(evidence, siblings, session)]


@rule("SET04")
def own_words(evidence: Evidence) -> Answer:
    siblings, pcm, text = evidence.siblings, evidence.known("/audio/pcm"), evidence.known("/input/text/digest")
    if siblings is None or pcm is None:
        return _ALONE
    other = next((run for run in siblings.sharing("pcm", pcm) if run.text != text), None)
    if other is None:
        return []
    return [
        Mismatch(
            where="/input/text/digest",
            found=text,
            expected=f"{other.text}, as {other.name} with the same samples",
            message="the same samples cannot speak two texts",
        )
    ]


def _drifted(evidence: Evidence, siblings: Siblings, session: str) -> list[Mismatch]:
    """Return what differs from the run before this one in its session and is not listed as changed."""
    row = evidence.place
    before = None if row is None else siblings.before(row, session)
    if before is None or row is None:
        return []
    mine, theirs = siblings.conditions[row], siblings.conditions[before.row]
    changed = evidence.known("/run/changes") or []
    found = [pointer for pointer in differing(mine, theirs, changed) if pointer in _constant()]
    if siblings.runs[row].policy != before.policy and "/gate/policy/digest" not in changed:
        found.append("/gate/policy/digest")
    return [
        Mismatch(
            where=pointer,
            found="changed here",
            expected=f"as in {before.name}, or listed in /run/changes",
            message="a condition drifts within the session",
        )
        for pointer in found
    ]


@cache
def _constant() -> frozenset[str]:
    """Return the conditions that stay the same within a session."""
    return frozenset(condition.at for condition in conditions().values() if condition.session)
