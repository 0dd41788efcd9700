"""Asks every rule of the catalogue once, cheap questions before dear ones, and grades what the bytes went through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import stamp_of
from ttsartifact.errors import CapsuleLost, NotAnArtifact, NotFound, NotReadable, TtsArtifactError, Unavailable
from ttsartifact.reading.artifact import open_artifacts
from ttsartifact.terms.finding import Finding, Mismatch, NotApplicable, Outcome, Severity, Unverifiable, Verdict
from ttsartifact.verifying.catalogue import Rule, agenda, catalogue, grading, inconclusive, question_of
from ttsartifact.verifying.evidence import Evidence, Unsound
from ttsartifact.verifying.hints import hints_of
from ttsartifact.verifying.report import Reason, Report

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ttsartifact.attesting.runlog import RunLog
    from ttsartifact.attesting.trust import Trust
    from ttsartifact.container.parquet_rows import RunTable
    from ttsartifact.terms.finding import Answer
    from ttsartifact.verifying.siblings import Siblings

_STRUCTURE = frozenset({"CON", "CAN", "SCH"})  # what `validate` asks: no hashing, no decoding
_STATEMENTS = frozenset({"CAN", "SCH", "PIN", "ENV"})  # what reads the descriptor alone, whose values people type
_PASS, _NOT_APPLICABLE = Outcome.PASS, Outcome.NOT_APPLICABLE  # Python 3.11 is slow to find a member
_FAILED, _SHOWN = {Outcome.FAIL, Outcome.SUPPRESSED}, {_PASS, _NOT_APPLICABLE}
_MOST_LISTED = 1_000  # findings of one rule: a trace of a million rows may break it in each


def verify(
    path: str | os.PathLike[str],
    *,
    text: bytes | None = None,
    references: Mapping[str, bytes] | None = None,
    level: str | None = None,
    profiles: Collection[str] = (),
    ignore: Mapping[str, str] | None = None,
    quick: bool = False,
    trust: Trust | None = None,
    log: RunLog | None = None,
    among: Collection[str] = (),
    rows: tuple[int, int] | None = None,
) -> tuple[Report, ...]:
    """Verify every run of a file against all rules. A bad artifact never raises; it gets findings.

    Args:
        path: The file; `set.tts.parquet#3` is row 3 of a data set.
        text: The text that the caller holds.
        references: Reference clips that the caller holds, by id.
        level: A level that is demanded, whatever the run claims.
        profiles: Profiles that are demanded likewise.
        ignore: Why a finding of a rule is not counted, by rule id.
        quick: Check sizes and structure only, and hash nothing.
        trust: Whose attestations count (clause 10.7).
        log: The run log that the caller holds (clause 10.7).
        among: Files of the data set that the runs are part of, where it is more than this file.
        rows: First row and the one after the last, where not all rows of a data set are wanted.

    Returns:
        One report per run.

    Raises:
        Refused: An argument makes no sense, such as an unknown level.

    Example:
        `[report.verdict for report in verify("run.tts.wav")]`
    """
    return tuple(
        _reports(
            path,
            families=_quick() if quick else None,
            text=text,
            references=references,
            level=level,
            profiles=profiles,
            ignore=ignore,
            trust=trust,
            log=log,
            among=among,
            rows=rows,
        )
    )


def _quick() -> frozenset[str]:
    """Return what a quick check asks: structure, and sizes."""
    return _STRUCTURE | {rule.id for rule in catalogue().values() if rule.quick}


def validate(path: str | os.PathLike[str], *, rows: tuple[int, int] | None = None) -> tuple[Report, ...]:
    """Check structure and schema of every run of a file; no digest is computed and the verdict stays open.

    Args:
        path: The file.
        rows: First row and the one after the last, of a data set.

    Returns:
        One report per run.

    Example:
        `[report.findings for report in validate("run.tts.wav")]`
    """
    return tuple(_reports(path, families=_STRUCTURE, rows=rows))


def faults_of_statements(path: str | os.PathLike[str]) -> tuple[Finding, ...]:
    """Return what `verify` will find wrong with the statements of a run that was just written; nothing is hashed."""
    return tuple(finding for report in _reports(path, families=_STATEMENTS) for finding in report.failures)


def _reports(path: str | os.PathLike[str], *, families: frozenset[str] | None, **asked: Any) -> Iterator[Report]:
    """Yield a report per run, or one that the file was written meanwhile: what was read is then no file that exists."""
    before = stamp_of(path)
    for report in _judged(path, families=families, **asked):
        if _is_written(before, stamp_of(path)):
            changed = NotReadable("the file changed while it was read", expected="a file that nothing writes")
            yield _unreadable(str(path), changed, families)
            return
        yield report


def _is_written(before: tuple[int, int, int] | None, after: tuple[int, int, int] | None) -> bool:
    """Return whether one file has two stamps; another file in its place does not change the one that was opened."""
    return before is not None and after is not None and before[0] == after[0] and before != after


def _judged(
    path: str | os.PathLike[str],
    *,
    families: frozenset[str] | None,
    text: bytes | None = None,
    references: Mapping[str, bytes] | None = None,
    level: str | None = None,
    profiles: Collection[str] = (),
    ignore: Mapping[str, str] | None = None,
    trust: Trust | None = None,
    log: RunLog | None = None,
    among: Collection[str] = (),
    rows: tuple[int, int] | None = None,
) -> Iterator[Report]:
    try:
        siblings = whole = _set_of(among)
        for artifact in open_artifacts(path, rows=rows, held=True):
            if siblings is None and artifact.file is not None and artifact.file.rows > 1:
                siblings = _rows_of(artifact.file)
            evidence = Evidence(
                artifact,
                text=text,
                references=references,
                hashing=families is None,
                siblings=siblings,
                place=None if whole is None else whole.place_of(artifact),
                profiles=profiles,
                trust=trust,
                log=log,
                level=level,
            )
            yield judge(evidence, families=families, ignore=ignore)
    except TtsArtifactError as error:
        yield _unreadable(str(path), error, families)


def _set_of(among: Collection[str]) -> Siblings | None:
    if not among:
        return None
    from ttsartifact.verifying.siblings import set_of  # most files are verified alone

    return set_of(tuple(among))


def _rows_of(file: RunTable) -> Siblings:
    from ttsartifact.verifying.siblings import Siblings

    return Siblings(file)


def judge(
    evidence: Evidence,
    *,
    families: frozenset[str] | None = None,
    ignore: Mapping[str, str] | None = None,
) -> Report:
    """Ask every rule (of `families`, or all) about one artifact."""
    places, asked = agenda(families)
    session = _Session(evidence, ignore or {})
    evidence.outcomes, evidence.idle = session.outcomes, session.idle
    session.run(asked)
    if families is None:
        session.hold_to_profiles()
    is_read = families is None and session.stopped_by is None
    descriptor, outcomes = evidence.descriptor, session.outcomes
    idle = tuple([(key, session.idle[key]) for key in places if outcomes[key] is _NOT_APPLICABLE])
    return Report(
        where=evidence.artifact.where,
        carrier=evidence.artifact.carrier,
        artifact_id=evidence.artifact_id,
        run_id=_word(descriptor.known("/run/run_id")),
        verdict=_verdict(outcomes, stopped=session.stopped_by) if families is None else Verdict.NOT_HASHED,
        level_claimed=_word(descriptor.known("/level")),
        level_reached=evidence.level_reached,
        findings=tuple(sorted(session.findings, key=lambda finding: (places[finding.rule], finding.where))),
        unchecked=tuple(sorted(session.unchecked, key=lambda finding: places[finding.rule])),
        passed=tuple([key for key in places if outcomes[key] is _PASS]),
        unreadable=session.stopped_by is not None,
        hints=hints_of(evidence) if is_read else (),
        profiles=session.profiles,
        required=(*session.required, *session.lacking),
        recomputed=evidence.recomputed if is_read else None,
        adaptation=adapted if isinstance(adapted := descriptor.known("/pins/adaptation"), dict) else None,
        attestations=evidence.attestations if is_read else (),
        not_applicable_because=idle,
        incomplete=descriptor.at("/run/incomplete") is True,
    )


_WITHOUT = {
    "attestation": "the run has no attestation",
    "columns": "the carrier is not Parquet",
    "credential": "no C2PA credential is in the bare file",
    "log": "no log was given",
    "profile": "no profile is claimed or demanded",
    "set": "the run was verified alone",
    "trace/chunks": "the run has no chunk log",
    "trace/imperfection": "the run has no log of imperfections",
    "trace/telemetry": "the run has no telemetry",
    "trust": "no trust file was given",
}
"""Why a rule does not apply, by what `applies_if` names; of a pointer it is said that it is not stated."""


class _Session:
    """The rules asked about one artifact so far: each once, its blockers before it."""

    def __init__(self, evidence: Evidence, ignore: Mapping[str, str]) -> None:
        self.evidence, self.ignore = evidence, ignore
        self.outcomes: dict[str, Outcome] = {}
        self.findings: list[Finding] = []
        self.unchecked: list[Finding] = []
        self.idle: dict[str, str] = {}
        """Rules that do not apply, and why."""
        self.stopped_by: str | None = None
        """The fatal rule that failed; nothing after it has a sound question."""
        self._blocking: dict[str, str] = {}
        """Rules whose question or answer is missing, and the failure at the root of each."""
        self.profiles: tuple[str, ...] = ()
        self.required: tuple[str, ...] = ()
        self.lacking: list[str] = []
        """Rules that could not be answered for want of something on this machine."""

    def run(self, asked: Iterable[Rule]) -> None:
        """Ask each rule whose subject is there, unless what failed before leaves its question open."""
        evidence, blocking = self.evidence, self._blocking
        for rule in asked:
            is_doubtful = blocking or (rule.needs_schema and evidence.misshapen_by is not None)
            if is_doubtful and (blocker := self._blocker_of(rule)) is not None:
                self._leave_open(rule, Outcome.NOT_EVALUATED, f"blocked by {blocker}", blocker)
                continue
            try:
                lacking = rule.applies_if and evidence.first_lacking(rule.applies_if)
                if lacking:
                    self._leave_idle(rule, _WITHOUT.get(lacking) or f"{lacking} is not stated, or empty")
                else:
                    self._take(rule, question_of(rule.id)(evidence))
            except (Unsound, TtsArtifactError) as error:
                self._take_error(rule, error)

    def _take(self, rule: Rule, answer: Answer) -> None:
        if not answer:
            self.outcomes[rule.id] = _PASS
        elif isinstance(answer, NotApplicable):
            self._leave_idle(rule, answer.why)
        elif isinstance(answer, Unverifiable):
            self._leave_open(rule, Outcome.UNVERIFIABLE, answer.needs)
        else:
            self._file(rule, answer)

    def _take_error(self, rule: Rule, error: Unsound | TtsArtifactError) -> None:
        if isinstance(error, Unsound):
            # A rule that trips over a shape that is its own to judge has its answer in it.
            if error.rule == rule.id:
                self._take(rule, self.evidence.breaches(rule.id))
            else:
                self._leave_open(rule, Outcome.NOT_EVALUATED, f"blocked by {error.rule}", error.rule)
        elif isinstance(error, Unavailable):
            # What is missing here is not the fault of the file; the report stays inconclusive.
            self.lacking.append(rule.id)
            self._leave_open(rule, Outcome.UNVERIFIABLE, str(error))
        else:
            fault = Mismatch(where=error.where, found=error.found, expected=error.expected, message=error.message)
            self._take(rule, [fault])

    def _blocker_of(self, rule: Rule) -> str | None:
        if self.stopped_by is not None:
            return self.stopped_by
        if rule.needs_schema and self.evidence.misshapen_by is not None:
            return self.evidence.misshapen_by
        if not self._blocking:
            return None
        return next((self._blocking[other] for other in rule.blocked_by if other in self._blocking), None)

    def hold_to_profiles(self) -> None:
        """Note the profiles, and which rules the demanded ones leave open when they cannot be answered (clause 9.5)."""
        try:
            self.profiles = self.evidence.profiles
        except Unsound:
            return
        if self.evidence.demanded:
            from ttsartifact.formulas.levels import profiles

            demanded = [profiles()[name] for name in self.evidence.demanded]
            self.required = (
                *inconclusive("profile"),
                *dict.fromkeys(key for profile in demanded for key in (*profile.rules, *profile.where)),
            )

    def _file(self, rule: Rule, mismatches: list[Mismatch]) -> None:
        failed = any((mismatch.severity or rule.severity) != Severity.INFO for mismatch in mismatches)
        outcome = Outcome.PASS
        if failed:
            outcome = Outcome.SUPPRESSED if rule.id in self.ignore else Outcome.FAIL
        self.outcomes[rule.id] = outcome
        listed = mismatches[:_MOST_LISTED]
        if len(mismatches) > _MOST_LISTED:
            more = f"{len(mismatches) - _MOST_LISTED} more findings of this rule are not listed"
            listed.append(Mismatch(where="", message=more, severity=mismatches[-1].severity))
        self.findings += [_finding(rule, outcome, mismatch, self.ignore.get(rule.id)) for mismatch in listed]
        # A reason not to count a failure does not make the ground under the next question sound.
        if any((mismatch.severity or rule.severity) == rule.severity for mismatch in mismatches) and failed:
            self._blocking[rule.id] = rule.id
            if rule.severity == Severity.FATAL:
                self.stopped_by = self.stopped_by or rule.id

    def _leave_idle(self, rule: Rule, why: str) -> None:
        self.outcomes[rule.id] = _NOT_APPLICABLE
        self.idle[rule.id] = why

    def _leave_open(self, rule: Rule, outcome: Outcome, message: str, blocked_by: str | None = None) -> None:
        self.outcomes[rule.id] = outcome
        self.unchecked.append(
            Finding(rule=rule.id, outcome=outcome, severity=rule.severity, message=message, blocked_by=blocked_by)
        )
        if blocked_by is not None:
            self._blocking[rule.id] = blocked_by


def _finding(rule: Rule, outcome: Outcome, mismatch: Mismatch, reason: str | None) -> Finding:
    severity = mismatch.severity or rule.severity
    message = mismatch.message or rule.fails or f"this does not hold: {rule.requires}"
    return Finding(
        rule=rule.id,
        outcome=Outcome.PASS if severity == Severity.INFO else outcome,
        severity=severity,
        where=mismatch.where,
        found=mismatch.found,
        expected=mismatch.expected,
        message=f"{message} (suppressed: {reason})" if outcome == Outcome.SUPPRESSED else message,
    )


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _verdict(outcomes: Mapping[str, Outcome], *, stopped: str | None) -> Verdict:
    """Grade the bytes (clause 10.2) by the rules that recompute them; suppressing a finding has no effect."""

    def failed(what: str) -> bool:
        return any(outcomes.get(key) in _FAILED for key in grading(what))

    def shown(what: str) -> bool:
        return all(outcomes.get(key) in _SHOWN for key in grading(what))

    if stopped is not None or failed("parts"):
        return Verdict.BROKEN
    sealed = all(outcomes.get(key) is _PASS for key in grading("seal")) and not failed("seal_place")
    # Where a stated digest has no sound form, only the seal can still show that the bytes are the recorded ones.
    if failed("file") or not (sealed or shown("file")):
        # Only a digest of the sound that was really recomputed can vouch for it.
        heard = any(outcomes.get(key) is _PASS for key in grading("samples"))
        return Verdict.RETAGGED if heard else Verdict.AUDIO_CHANGED
    if not (sealed or shown("parts")):
        return Verdict.BROKEN
    return Verdict.INTACT if sealed else Verdict.REWRAPPED


_VERDICT_OF_ERROR: tuple[tuple[type[TtsArtifactError], Verdict], ...] = (
    (NotFound, Verdict.NOT_FOUND),
    (NotReadable, Verdict.UNREADABLE),
    (CapsuleLost, Verdict.CAPSULE_LOST),
    (NotAnArtifact, Verdict.NOT_AN_ARTIFACT),
    (Unavailable, Verdict.NOT_VERIFIED),
)


def not_verified(path: str, reason: Reason, *, crashed: bool = False, asked: bool = True) -> Report:
    """Report a file that this verifier could not judge, for a reason of its own; `crashed` says that it is a bug.

    `asked` is False where nothing was to be hashed.
    """
    return _without_rules(path, Verdict.NOT_VERIFIED, None, reason, None if asked else _STRUCTURE, crashed=crashed)


def _unreadable(path: str, error: TtsArtifactError, families: frozenset[str] | None) -> Report:
    """Report a file that no artifact could be read from: with a finding if a rule covers it, else a reason."""
    verdict = next((word for kind, word in _VERDICT_OF_ERROR if isinstance(error, kind)), Verdict.BROKEN)
    rule = error.rule if error.rule in catalogue() else None
    if rule is None:
        if verdict != Verdict.BROKEN:
            reason = Reason(error.message, error.where, error.found, error.expected)
            return _without_rules(path, verdict, None, reason, families)
        rule = next(iter(catalogue()))  # the first asks whether this is a carrier
    finding = Finding(
        rule=rule,
        outcome=Outcome.FAIL,
        severity=catalogue()[rule].severity,
        where=error.where,
        found=error.found,
        expected=error.expected,
        message=error.message,
    )
    return _without_rules(path, verdict, finding, None, families)


def _without_rules(
    path: str,
    verdict: Verdict,
    finding: Finding | None,
    reason: Reason | None,
    families: frozenset[str] | None,
    *,
    crashed: bool = False,
) -> Report:
    """Return a report in which only the rule of `finding` was run."""
    broken = None if finding is None else finding.rule
    blocked = "nothing was read" if broken is None else f"blocked by {broken}"
    return Report(
        where=path,
        carrier=None,
        artifact_id=None,
        run_id=None,
        verdict=verdict,
        level_claimed=None,
        level_reached=None,
        findings=() if finding is None else (finding,),
        unchecked=tuple(
            Finding(
                rule=key,
                outcome=Outcome.NOT_EVALUATED,
                severity=catalogue()[key].severity,
                message=blocked,
                blocked_by=broken,
            )
            for key in agenda(families).places
            if key != broken
        ),
        passed=(),
        unreadable=True,
        reason=reason,
        crashed=crashed,
    )
