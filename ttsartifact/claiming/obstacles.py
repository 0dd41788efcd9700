"""A run as it is shown for a claim, and what keeps a claim from being decided before anything is measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ttsartifact.claiming.claim import RunGroup
from ttsartifact.comparing.conditions import is_exact
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import from_utc
from ttsartifact.measuring.metrics import MetricKind
from ttsartifact.reading.artifact import shaped
from ttsartifact.terms.finding import Verdict
from ttsartifact.verifying.engine import judge
from ttsartifact.verifying.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttsartifact.claiming.claim import Claim
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

_AS_RECORDED = frozenset({Verdict.INTACT, Verdict.REWRAPPED, Verdict.RETAGGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRun:
    """One run of a claim's or a session's set."""

    descriptor: Descriptor
    verdict: str
    as_recorded: bool = True
    """Whether the samples are those that the run recorded."""
    proven: bool = False
    """Whether a run log proves that what it states as preregistered was there before it (LOG01)."""

    @property
    def artifact_id(self) -> str:
        """The identity of the run."""
        return self.descriptor.artifact_id

    @property
    def submitted_ns(self) -> int | None:
        """When it was submitted, in nanoseconds since 1970; None where the run does not say."""
        origin = self.descriptor.known("/timebase/origin/utc")
        submit = self.descriptor.known("/run/times/t_submit_ns")
        if not isinstance(origin, str) or type(submit) is not int:
            return None
        try:
            return from_utc(origin) + submit
        except InvalidDescriptor:
            return None

    @property
    def text(self) -> str:
        """The digest of its text."""
        return str(self.descriptor.known("/input/text/digest"))

    @property
    def sound(self) -> str:
        """What two runs of one sound share."""
        return str(self.descriptor.known("/audio/pcm") or self.descriptor.known("/audio/digest"))

    @property
    def exact(self) -> bool:
        """Whether it claims exact numerics whose known answers held."""
        return is_exact(self.descriptor)

    def states(self, claim: str) -> bool:
        """Return whether the run names `claim`, a digest, among what was written before it."""
        stated = self.descriptor.known("/run/preregistered")
        return isinstance(stated, list) and claim in stated

    def known(self, pointer: str) -> Any:
        """Return what stands at the JSON `pointer`, or None."""
        return self.descriptor.known(pointer)


def shown_of(artifact: Artifact) -> ClaimedRun:
    """Verify a run and return the parts that count; raises Refused for a descriptor that breaks its schema."""
    report = judge(Evidence(shaped(artifact)))
    return ClaimedRun(
        descriptor=artifact.descriptor,
        verdict=str(report.verdict),
        as_recorded=report.verdict in _AS_RECORDED,
        proven="LOG01" in report.passed,
    )


def in_order(runs: Iterable[ClaimedRun]) -> tuple[ClaimedRun, ...]:
    """Return runs in the order of t_submit, whatever the order of their files; equal times by their identity."""
    return tuple(sorted(runs, key=lambda run: (run.submitted_ns or 0, run.artifact_id)))


class ObstacleKind(StrEnum):
    """Why a claim cannot be decided."""

    CHANGED_FILE = "changed_file"
    NOT_MADE_FOR_IT = "not_made_for_it"
    TWICE = "twice"
    CONFOUNDER = "confounder"
    NOT_KNOWN = "not_known"
    MISSING_RUNS = "missing_runs"
    MISSING_ATTEMPTS = "missing_attempts"
    NOT_SHOWN = "not_shown"
    NO_TIME = "no_time"
    NO_VALUE = "no_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that keeps a claim from being decided."""

    why: ObstacleKind
    message: str
    count: int = 1

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"why": str(self.why), "message": self.message, "count": self.count}


def of_files(claim: Claim, runs: Sequence[ClaimedRun], *, exploratory: bool) -> Iterator[Obstacle]:
    """Name files that are not as recorded, shown twice, not made for the claim, or without a time."""
    changed = [run for run in runs if not run.as_recorded]
    for run in changed:
        yield Obstacle(
            why=ObstacleKind.CHANGED_FILE, message=f"{run.artifact_id[:19]}: {run.verdict}, not what was recorded"
        )
    for what in ("artifact_id", "run_id"):
        ids = Counter(run.artifact_id if what == "artifact_id" else str(run.known("/run/run_id")) for run in runs)
        twice = [name for name, count in ids.items() if count > 1]
        if twice:
            yield Obstacle(
                why=ObstacleKind.TWICE, message=f"{what} {twice[0][:36]} is shown more than once", count=len(twice)
            )
            break
    unmade = [run for run in runs if not run.states(claim.digest)]
    if unmade and not exploratory:
        yield Obstacle(
            why=ObstacleKind.NOT_MADE_FOR_IT,
            message=f"only {len(runs) - len(unmade)} of {counted_as(len(runs), 'run states', 'runs state')} this claim "
            f"({claim.digest[:19]})",
            count=len(unmade),
        )
    if claim.by == "order" and any(run.submitted_ns is None for run in runs):
        yield Obstacle(
            why=ObstacleKind.NO_TIME, message="a run does not state when it was submitted, so there is no order"
        )


def of_attempts(runs: Sequence[ClaimedRun]) -> Iterator[Obstacle]:
    """Name attempts that were made and are not shown: of a selection the best is not a sample."""
    seen: dict[tuple[Any, str], set[int]] = {}
    for run in runs:
        attempt = run.known("/run/attempt")
        if isinstance(attempt, dict) and type(attempt.get("index")) is int:
            seen.setdefault((run.known("/run/session_id"), run.text), set()).add(attempt["index"])
    missing = sum(max(indices) - len(indices) for indices in seen.values())
    if missing:
        message = f"{counted_as(missing, 'attempt was', 'attempts were')} made but not shown"
        yield Obstacle(why=ObstacleKind.MISSING_ATTEMPTS, message=message, count=missing)


def of_log(runs: Sequence[ClaimedRun], logged: Sequence[str]) -> Iterator[Obstacle]:
    """Name runs that a run log holds behind the claim and that are not shown."""
    shown = {run.artifact_id for run in runs}
    absent = [one for one in logged if one not in shown]
    if absent:
        held = counted_as(len(absent), "run of the log is", "runs of the log are")
        message = f"{held} not shown, {absent[0][:19]} the first"
        yield Obstacle(why=ObstacleKind.NOT_SHOWN, message=message, count=len(absent))


def of_counts(claim: Claim, runs: Sequence[ClaimedRun], groups: Sequence[RunGroup]) -> Iterator[Obstacle]:
    """List how many runs each group lacks; equal sounds of a repeating engine are one observation."""
    for group in (RunGroup.A, RunGroup.B) if claim.has_groups else (RunGroup.ALL,):
        own = [run for run, place in zip(runs, groups, strict=True) if place is group]
        count = len({run.sound for run in own}) if _counts_sounds(claim) else len(own)
        if count < claim.minimum_runs:
            of = "" if group is RunGroup.ALL else f" of group {group}"
            held = counted_as(len(own), "run", "runs")
            if count != len(own):
                held = f"{counted_as(count, 'different sound', 'different sounds')} in {held}"
            missing = claim.minimum_runs - count
            message = f"{held}{of}, expected at least {claim.minimum_runs}: {missing} missing"
            yield Obstacle(why=ObstacleKind.MISSING_RUNS, message=message, count=missing)
    if claim.blocked and claim.has_groups:
        texts = [
            {run.text for run, place in zip(runs, groups, strict=True) if place is g} for g in (RunGroup.A, RunGroup.B)
        ]
        alone = texts[0] ^ texts[1]
        if alone:
            message = f"{counted_as(len(alone), 'text was', 'texts were')} spoken in one group only"
            yield Obstacle(why=ObstacleKind.MISSING_RUNS, message=message, count=len(alone))


def counted_as(number: int, one: str, many: str) -> str:
    """Return `1 text was`, `2 texts were`."""
    return f"{number} {one if number == 1 else many}"


def _counts_sounds(claim: Claim) -> bool:
    """Return whether equal sounds are one observation: of what is heard, but not of how far repeats lie apart."""
    return any(each.metric.of is not MetricKind.TIME and each.of == "level" for each in claim.expectations)
