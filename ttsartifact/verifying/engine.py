"""Asks every rule of the catalogue once, cheap questions before dear ones, and grades what the bytes went through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.errors import TtsArtifactError
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.terms.finding import Finding, Mismatch, NotApplicable, Outcome, Severity, Unverifiable, Verdict
from ttsartifact.terms.levels import LEVELS, level_reached
from ttsartifact.verifying.catalogue import Rule, catalogue, questions
from ttsartifact.verifying.evidence import Evidence
from ttsartifact.verifying.report import Report

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping

    from ttsartifact.verifying.catalogue import Question

__all__ = ["judge", "validate", "verify"]

_STRUCTURE = frozenset({"CON", "CAN", "SCH"})  # what `validate` asks: no hashing, no decoding
_SHAPE_ERRORS = (TypeError, KeyError, AttributeError, ValueError, IndexError)


def verify(
    path: str | os.PathLike[str],
    *,
    text: bytes | None = None,
    references: Mapping[str, bytes] | None = None,
    receipt: str | None = None,
    level: str | None = None,
    ignore: Mapping[str, str] | None = None,
) -> tuple[Report, ...]:
    """Verify every run of `path` against all rules; never raises for a bad artifact, only for misuse.

    `text` and `references` are what the asker holds; `level` demands a conformance level; `ignore` maps rule ids to
    the reason why they are not counted.
    """
    return tuple(
        _reports(path, families=None, text=text, references=references, receipt=receipt, level=level, ignore=ignore)
    )


def validate(path: str | os.PathLike[str]) -> tuple[Report, ...]:
    """Check structure and schema of every run of `path`, hashing nothing. The verdict is left open."""
    return tuple(_reports(path, families=_STRUCTURE))


def _reports(
    path: str | os.PathLike[str],
    *,
    families: Collection[str] | None,
    text: bytes | None = None,
    references: Mapping[str, bytes] | None = None,
    receipt: str | None = None,
    level: str | None = None,
    ignore: Mapping[str, str] | None = None,
) -> Iterator[Report]:
    try:
        for artifact in open_artifacts(path):
            evidence = Evidence(artifact, text=text, references=references, receipt=receipt)
            yield judge(evidence, families=families, level=level, ignore=ignore)
    except TtsArtifactError as error:
        yield _unreadable(str(path), error, families)


def judge(
    evidence: Evidence,
    *,
    families: Collection[str] | None = None,
    level: str | None = None,
    ignore: Mapping[str, str] | None = None,
) -> Report:
    """Ask every rule (of `families`, or all) about one artifact."""
    rules = {key: rule for key, rule in catalogue().items() if families is None or key[:3] in families}
    bound = questions()
    outcomes: dict[str, str] = {}
    findings: list[Finding] = []
    unchecked: list[Finding] = []

    def ask(rule: Rule) -> str:
        if rule.id not in outcomes:
            blocker = next((other for other in rule.blocked_by if other in rules and _fails(ask(rules[other]))), None)
            outcomes[rule.id] = _record(rule, blocker, bound[rule.id], evidence, findings, unchecked, ignore or {})
        return outcomes[rule.id]

    for rule in rules.values():
        ask(rule)
    reached = level_reached(evidence.descriptor)
    if level is not None and LEVELS.index(level) > LEVELS.index(reached):
        findings.append(
            Finding(
                rule="SCH10",
                outcome=Outcome.FAIL,
                severity=Severity.ERROR,
                where="/level",
                found=reached,
                expected=f"{level}, as asked",
                message="the run reaches a lower level than was asked for",
            )
        )
    order = {key: place for place, key in enumerate(rules)}
    return Report(
        where=evidence.artifact.where,
        carrier=evidence.artifact.carrier,
        artifact_id=evidence.artifact.artifact_id,
        run_id=evidence.known("/run/run_id"),
        verdict=_verdict(outcomes) if families is None else "NOT_HASHED",
        level_claimed=evidence.known("/level"),
        level_reached=reached,
        findings=tuple(sorted(findings, key=lambda finding: (order[finding.rule], finding.where))),
        unchecked=tuple(sorted(unchecked, key=lambda finding: order[finding.rule])),
        passed=tuple(key for key in rules if outcomes[key] == Outcome.PASS),
        not_applicable=tuple(key for key in rules if outcomes[key] == Outcome.NOT_APPLICABLE),
    )


def _record(
    rule: Rule,
    blocker: str | None,
    question: Question,
    evidence: Evidence,
    findings: list[Finding],
    unchecked: list[Finding],
    ignore: Mapping[str, str],
) -> str:
    """Ask one rule, file what it said, and return its outcome."""

    def left_open(outcome: str, message: str, blocked_by: str | None = None) -> str:
        unchecked.append(
            Finding(rule=rule.id, outcome=outcome, severity=rule.severity, message=message, blocked_by=blocked_by)
        )
        return outcome

    if blocker is not None:
        return left_open(Outcome.NOT_EVALUATED, f"blocked by {blocker}", blocker)
    try:
        answer = question(evidence)
    except _SHAPE_ERRORS:
        # A rule may take the schema for granted. Where the schema does not hold the question has no sound form;
        # where it does, this is our own error and goes up.
        if not evidence.violations:
            raise
        first = evidence.violations[0].rule
        return left_open(Outcome.NOT_EVALUATED, f"the descriptor's shape does not hold ({first})", first)
    except TtsArtifactError as error:
        answer = [Mismatch(where=error.where, found=error.found, expected=error.expected, message=error.message)]
    if isinstance(answer, NotApplicable):
        return Outcome.NOT_APPLICABLE
    if isinstance(answer, Unverifiable):
        return left_open(Outcome.UNVERIFIABLE, answer.needs)
    outcome = Outcome.SUPPRESSED if answer and rule.id in ignore else Outcome.FAIL
    findings.extend(_finding(rule, outcome, mismatch, ignore.get(rule.id)) for mismatch in answer)
    return outcome if answer else Outcome.PASS


def _finding(rule: Rule, outcome: str, mismatch: Mismatch, reason: str | None) -> Finding:
    message = mismatch.message or rule.requires
    return Finding(
        rule=rule.id,
        outcome=outcome,
        severity=rule.severity,
        where=mismatch.where,
        found=mismatch.found,
        expected=mismatch.expected,
        message=f"{message} (suppressed: {reason})" if outcome == Outcome.SUPPRESSED else message,
    )


def _fails(outcome: str) -> bool:
    return outcome in {Outcome.FAIL, Outcome.NOT_EVALUATED}


def _verdict(outcomes: Mapping[str, str]) -> str:
    """Grade the bytes (clause 10.2) by the rules that recompute them; suppressing a finding does not mend a byte."""

    def broken(*rules: str) -> bool:
        return any(outcomes.get(key) in {Outcome.FAIL, Outcome.NOT_EVALUATED, Outcome.SUPPRESSED} for key in rules)

    if broken("CAN01", "CAN02", "HSH05", "HSH06"):
        return Verdict.BROKEN
    if broken("HSH02"):
        # Only a PCM digest that was really recomputed can vouch for the samples.
        return Verdict.RETAGGED if outcomes.get("HSH03") == Outcome.PASS else Verdict.AUDIO_CHANGED
    sealed = outcomes.get("SEA02") == Outcome.PASS and not broken("CON07", "SEA04")
    return Verdict.INTACT if sealed else Verdict.REWRAPPED


def _unreadable(path: str, error: TtsArtifactError, families: Collection[str] | None) -> Report:
    """Report a file that no artifact could be read from: one finding, and every other rule blocked by it."""
    rules = [rule for key, rule in catalogue().items() if families is None or key[:3] in families]
    broken = error.rule if error.rule in catalogue() else "CON01"
    finding = Finding(
        rule=broken,
        outcome=Outcome.FAIL,
        severity=catalogue()[broken].severity,
        where=error.where,
        found=error.found,
        expected=error.expected,
        message=error.message,
    )
    return Report(
        where=path,
        carrier=None,
        artifact_id=None,
        run_id=None,
        verdict=Verdict.BROKEN,
        level_claimed=None,
        level_reached=None,
        findings=(finding,),
        unchecked=tuple(
            Finding(
                rule=rule.id,
                outcome=Outcome.NOT_EVALUATED,
                severity=rule.severity,
                message=f"blocked by {broken}",
                blocked_by=broken,
            )
            for rule in rules
            if rule.id != broken
        ),
        passed=(),
        not_applicable=(),
        unreadable=True,
    )
