"""Claims and profiles (clause 9.5): a claim beyond the level needs evidence beyond the level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.formulas.conditions import conditions
from ttsartifact.formulas.levels import profiles, with_options
from ttsartifact.formulas.logs import LEAST_UPDATES, updates_within
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Outcome, Severity, Unverifiable
from ttsartifact.verifying.catalogue import catalogue, rule
from ttsartifact.verifying.rules.tel_power import is_of_this_run
from ttsartifact.verifying.siblings import differing

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence
    from ttsartifact.verifying.siblings import Sibling

MIN_COUNTER_UPDATES = LEAST_UPDATES
_ONE_RUN = "needs the other runs of the data set; this run was verified alone: --as-set takes all"


@rule("CLM01")
def backed_claims(evidence: Evidence) -> Answer:
    if not evidence.profiles:
        return NotApplicable("no profile is claimed")
    faults = []
    for name in evidence.profiles:
        profile = profiles()[name]
        faults += [
            Mismatch(
                where=pointer,
                found="absent",
                expected="a value",
                message=f"the profile {name} needs {with_options([pointer])}",
            )
            for pointer in profile.known
            if evidence.known(pointer) is None or evidence.known(pointer) == "none"
        ]
        faults += [
            Mismatch(where="/traces", found="absent", message=f"the profile {name} needs the trace {trace}")
            for trace in profile.traces
            if evidence.trace(trace) is None
        ]
        faults += [
            Mismatch(
                where="/claims",
                found=f"{key} does not apply: {evidence.idle[key]}",
                expected="that it applies and passes",
                message=f"the profile {name} depends on {key}",
            )
            for key in profile.rules
            if evidence.outcomes.get(key) == Outcome.NOT_APPLICABLE and key not in _not_run(evidence)
        ]
    if "signed" in evidence.profiles:
        if not any(given.is_signature for given in evidence.attestations):
            faults.append(
                Mismatch(
                    where="attestations",
                    found="no signature",
                    message="the profile signed needs a signature that holds",
                )
            )
        elif (
            not any(given.is_signature and given.standing == "holds" for given in evidence.attestations) and not faults
        ):
            return Unverifiable("it is not known whether its signature holds (SIG02)")
    rests = {key for name in evidence.profiles for key in profiles()[name].rules}
    faults += _failed_where_they_apply(evidence)
    return faults or (Unverifiable(_ONE_RUN) if rests & _not_run(evidence) else [])


def _failed_where_they_apply(evidence: Evidence) -> list[Mismatch]:
    """Return what is a warning without the claim and none under it."""
    return [
        Mismatch(
            where="/claims",
            found=f"{key} failed",
            expected="that it holds where it applies",
            message=f"the profile {name} rests on {key}",
        )
        for name in evidence.profiles
        for key in profiles()[name].where
        if catalogue()[key].severity != Severity.ERROR and evidence.outcomes.get(key) == Outcome.FAIL
    ]


@rule("CLM02")
def metered_power(evidence: Evidence) -> Answer:
    asked = [name for name in ("power", "energy") if name in evidence.profiles]
    if not asked:
        return NotApplicable("neither power nor energy is claimed")
    if any(_metered(evidence)):
        return []
    updates = _counter_updates(evidence)
    if asked == ["energy"] and updates >= MIN_COUNTER_UPDATES:
        return []
    counter = f", or {MIN_COUNTER_UPDATES} updates of an energy counter" if asked == ["energy"] else ""
    return [
        Mismatch(
            where="/channels",
            found=f"no external meter with readings, {updates} updates of an energy counter within the run",
            expected=f"an external meter{counter}",
            message=f"{asked[0]} is claimed without an independent measurement of energy",
        )
    ]


@rule("CLM03")
def repeated_latency(evidence: Evidence) -> Answer:
    if "latency" not in evidence.profiles:
        return NotApplicable("latency is not claimed")
    siblings, row = evidence.siblings, evidence.place
    if siblings is None or row is None:
        return Unverifiable(_ONE_RUN)
    needed = profiles()["latency"].runs
    # The words, what follows from them, and the draws: takes of one measurement may differ in these.
    alike = siblings.takes(row, [condition.at for condition in conditions().values() if condition.takes])
    if alike >= needed:
        return []
    return [
        Mismatch(
            where="/claims",
            found=f"{alike} runs of these conditions",
            expected=f"at least {needed}",
            message="too few runs to show a distribution",
        )
    ]


@rule("CLM04")
def traced_prosody(evidence: Evidence) -> Answer:
    if "prosody" not in evidence.profiles:
        return NotApplicable("prosody transfer is not claimed")
    clips = [(where, entry) for where, entry in evidence.entries("/input/refs") if entry["role"] == "prosody"]
    if not clips:
        return [
            Mismatch(
                where="/input/refs", found="no clip of role prosody", message="the run names no source of its prosody"
            )
        ]
    return [
        Mismatch(
            where=f"{where}/{key}",
            found="absent",
            expected="a value",
            message="the origin of the prosody clip is not stated",
        )
        for where, entry in clips
        for key in ("segment", "fed", "alignment")
        if key not in entry or is_absent(entry[key])
    ]


@rule("CLM05")
def consistent_session(evidence: Evidence) -> Answer:
    if "session" not in evidence.profiles:
        return NotApplicable("consistency within a session is not claimed")
    siblings, session = evidence.siblings, evidence.known("/run/session_id")
    if siblings is None or session is None:
        return Unverifiable(_ONE_RUN)
    runs, needed = len(siblings.sharing("session", session)), profiles()["session"].runs
    if runs >= needed:
        return []
    return [
        Mismatch(
            where="/run/session_id",
            found=f"{runs} run of session {session}",
            expected=f"at least {needed}",
            message="one run alone shows no consistency",
        )
    ]


@rule("CLM06")
def equal_but_for_factors(evidence: Evidence) -> Answer:
    if "comparison" not in evidence.profiles:
        return NotApplicable("no comparison is claimed")
    siblings, row, name = evidence.siblings, evidence.place, evidence.known("/run/comparison/id")
    if siblings is None or row is None or name is None:
        return Unverifiable(_ONE_RUN)
    sides: list[Sibling] = siblings.sharing("comparison", name)
    needed = profiles()["comparison"].runs
    if len(sides) < needed:
        return [
            Mismatch(
                where="/run/comparison/id",
                found=f"{len(sides)} run of comparison {name}",
                expected=f"at least {needed}",
                message="the comparison has too few runs",
            )
        ]
    first = siblings.conditions[sides[0].row]
    factors = evidence.known("/run/comparison/factors")
    return [
        Mismatch(
            where=pointer,
            found=f"a value different from that of {sides[0].name}",
            expected="the same, or a factor of the comparison",
            message="a condition that confounds the comparison",
        )
        for pointer in differing(siblings.conditions[row], first, factors)
    ]


def _not_run(evidence: Evidence) -> frozenset[str]:
    """Return the rules of a data set that a run alone leaves open (clause 9.6)."""
    if evidence.siblings is not None:
        return frozenset()
    return frozenset(
        key
        for key, rule in catalogue().items()
        if rule.klass == "D" and evidence.outcomes.get(key) == Outcome.NOT_APPLICABLE
    )


def _metered(evidence: Evidence) -> list[str]:
    """Return the external meters that read something which can be told from other times."""
    found = []
    for _, channel in evidence.entries("/channels"):
        if channel["source"] == "external_meter" and channel["status"] == "ok" and is_of_this_run(evidence, channel):
            trace = evidence.trace(f"channel/{channel['name']}")
            if trace is not None and any(value is not None for value in trace.columns["value"]):
                found.append(channel["name"])
    return found


def _counter_updates(evidence: Evidence) -> int:
    telemetry = evidence.trace("telemetry")
    if telemetry is None:
        return 0
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    return updates_within(telemetry.columns["t_ns"], telemetry.columns["energy_mj"], start, end)
