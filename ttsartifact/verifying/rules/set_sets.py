"""Sessions and data sets (clause 9.6): what the runs of one file share that they should not, and what drifts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ttsartifact.formulas.conditions import conditions
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.siblings import Siblings, differing

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

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
