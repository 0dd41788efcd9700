"""Whether the runs of a claim were made under matching conditions, which were not, and which runs are missing.

Only what can change the metric confounds it: a queue depth does not change a pitch, and it changes a latency. What is
a condition, and which can change samples, is in registry/conditions.toml.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.claiming.claim import RunGroup
from ttsartifact.claiming.obstacles import Obstacle, ObstacleKind, of_attempts, of_counts, of_files, of_log
from ttsartifact.comparing.changes import changes_between, stated_by_neither
from ttsartifact.comparing.conditions import condition_diff
from ttsartifact.container.canonical import canonical_bytes
from ttsartifact.formulas.conditions import condition_words, conditions, instances, subjects
from ttsartifact.measuring.metrics import MetricKind
from ttsartifact.terms.level import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.claiming.claim import Claim
    from ttsartifact.claiming.obstacles import ClaimedRun
    from ttsartifact.comparing.changes import Change

_REFERENCES = ("reference_clip", "reference_clip_as_fed", "reference_clips", "reference_order")
_MEASURED_AS = ("observer", "t_first_token_semantics", "streaming", "includes", "warmup_runs", "first_call")
"""Places below /run/times that say how times were taken; for a metric of time they are conditions too."""
_SAME_ON_EVERY_MACHINE = frozenset({Cause.PROVIDERS, Cause.CPU})


@dataclass(frozen=True, slots=True, kw_only=True)
class Confounder:
    """A condition that differs between the runs and is neither the factor nor free."""

    subject: str
    label: str
    run: int
    """The first run, counted from 1 in the order of t_submit, that differs in it from the first run."""
    runs: int
    """How many runs do."""
    a: Any
    b: Any
    known: bool
    """Whether both runs state it; else it may be the same."""

    def __str__(self) -> str:
        """One line for people."""
        if not self.known:
            return f"{self.label}: run 1 and run {self.run} do not both state it"
        return f"{self.label} changed at run {self.run}: {_short(self.a)} -> {_short(self.b)}"

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "subject": self.subject,
            "label": self.label,
            "run": self.run,
            "runs": self.runs,
            "a": self.a,
            "b": self.b,
            "known": self.known,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The runs of a claim in their groups, and what keeps them from deciding it."""

    runs: tuple[ClaimedRun, ...]
    """In the order of t_submit."""
    groups: tuple[RunGroup, ...]
    confounders: tuple[Confounder, ...]
    free: tuple[Confounder, ...]
    """Conditions that differ and that the claim lets free."""
    unstated: tuple[str, ...]
    """Conditions that a rerun would need and that no run states."""
    reasons: tuple[Obstacle, ...]

    def of(self, *wanted: RunGroup) -> tuple[ClaimedRun, ...]:
        """Return the runs of the groups `wanted`, in the order of t_submit."""
        return tuple(run for run, group in zip(self.runs, self.groups, strict=True) if group in wanted)


def match(
    claim: Claim, runs: Sequence[ClaimedRun], *, exploratory: bool = False, logged: Sequence[str] = ()
) -> Matched:
    """Put runs, which are in the order of t_submit, into the groups of a claim, and compare their conditions.

    `exploratory` lets runs count that do not state the claim. `logged` are the artifact ids of a run log behind the
    claim's entry: each must be shown.
    """
    groups = tuple(_groups(claim, runs))
    placed = [run for run, group in zip(runs, groups, strict=True) if group is not RunGroup.NONE]
    found = _confounders(claim, runs, groups)
    free = tuple(each for each in found if _is_free(claim, each.subject))
    confounders = tuple(each for each in found if each not in free) + tuple(_parted(claim, runs, groups))
    reasons = (
        *of_files(claim, placed, exploratory=exploratory),
        *(
            Obstacle(why=ObstacleKind.CONFOUNDER if c.known else ObstacleKind.NOT_KNOWN, message=str(c), count=c.runs)
            for c in confounders
        ),
        *of_attempts(placed),
        *of_counts(claim, runs, groups),
        *of_log(runs, logged),
    )
    unstated = stated_by_neither(placed[0].descriptor, placed[-1].descriptor) if placed else ()
    return Matched(
        runs=tuple(runs),
        groups=groups,
        confounders=confounders,
        free=free,
        unstated=tuple(each.label for each in unstated),
        reasons=reasons,
    )


def differing(runs: Sequence[ClaimedRun], kinds: frozenset[MetricKind]) -> list[tuple[Confounder, Change | None]]:
    """Return what differs of the conditions of runs and can change a metric of these kinds, by its first run."""
    first: dict[str, tuple[Confounder, Change | None]] = {}
    count: Counter[str] = Counter()
    for number, run in enumerate(runs[1:], 2):
        for change in _changes(runs[0], run, kinds):
            count[change.subject] += 1
            made = _made(change, number)
            kept = first.setdefault(change.subject, (made, change))
            if made.known and not kept[0].known:
                first[change.subject] = (made, change)
        for name in _times_taken_otherwise(runs[0], run) if MetricKind.TIME in kinds else ():
            count[name] += 1
            values = [side.descriptor.at(f"/run/times/{name}") for side in (runs[0], run)]
            made = Confounder(
                subject=name, label=name.replace("_", " "), run=number, runs=1, a=values[0], b=values[1], known=True
            )
            first.setdefault(name, (made, None))
    return [(_counted(each, count[subject]), change) for subject, (each, change) in first.items()]


def changes_at(runs: Sequence[ClaimedRun], kinds: frozenset[MetricKind]) -> list[Confounder]:
    """Return what changes from each run to the next and can change a metric of these kinds, in their order."""
    return [
        _made(change, number)
        for number, (before, after) in enumerate(pairwise(runs), 2)
        for change in _changes(before, after, kinds)
    ]


def _made(change: Change, number: int) -> Confounder:
    return Confounder(
        subject=change.subject, label=change.label, run=number, runs=1, a=change.a, b=change.b, known=change.known
    )


def _counted(each: Confounder, runs: int) -> Confounder:
    from dataclasses import replace

    return replace(each, runs=runs)


def _changes(a: ClaimedRun, b: ClaimedRun, kinds: frozenset[MetricKind]) -> Iterator[Change]:
    differences = condition_diff(a.descriptor, b.descriptor)
    exact = a.exact and b.exact
    for change in changes_between(a.descriptor, b.descriptor, differences):
        if MetricKind.TIME not in kinds:
            if change.cause is Cause.OTHER:
                continue
            spared = subjects()[change.subject.partition(":")[0]].exempt_when_exact
            if exact and (change.cause in _SAME_ON_EVERY_MACHINE or spared):
                continue
        yield change


def _times_taken_otherwise(a: ClaimedRun, b: ClaimedRun) -> Iterator[str]:
    for name in _MEASURED_AS:
        pointer = f"/run/times/{name}"
        if a.descriptor.at(pointer) != b.descriptor.at(pointer):
            yield name


def _groups(claim: Claim, runs: Sequence[ClaimedRun]) -> Iterator[RunGroup]:
    factor = claim.value["factor"]
    for number, run in enumerate(runs, 1):
        if claim.by == "order":
            yield RunGroup.A if number <= factor["after"] else RunGroup.B
        elif "a" in factor:
            value = run.descriptor.known(claim.by)
            yield (
                RunGroup.A if _same(value, factor["a"]) else RunGroup.B if _same(value, factor["b"]) else RunGroup.NONE
            )
        else:
            yield RunGroup.ALL


def _same(value: Any, level: Any) -> bool:
    """Compare as JSON does: 1 is 1.0, and true is not a number."""
    return isinstance(value, bool) == isinstance(level, bool) and bool(value == level)


def _confounders(claim: Claim, runs: Sequence[ClaimedRun], groups: Sequence[RunGroup]) -> list[Confounder]:
    numbers = [number for number, group in enumerate(groups, 1) if group is not RunGroup.NONE]
    kinds = frozenset(each.metric.of for each in claim.expectations)
    found = differing([runs[number - 1] for number in numbers], kinds)
    return [_renumbered(each, numbers) for each, change in found if change is None or not _is_factor(claim, change)]


def _renumbered(each: Confounder, numbers: Sequence[int]) -> Confounder:
    from dataclasses import replace

    return replace(each, run=numbers[each.run - 1])


def _is_factor(claim: Claim, change: Change) -> bool:
    if claim.by == "reference":
        return change.subject.partition(":")[0] in _REFERENCES
    pointers = [part.pointer for part in change.parts]
    return any(
        pointer == claim.by or pointer.startswith(claim.by + "/") or claim.by.startswith(pointer + "/")
        for pointer in pointers
    )


def _is_free(claim: Claim, subject: str) -> bool:
    """Return whether a claim lets a subject free: itself, or all of its kind; `seed` is all seeds."""
    names = {subject, subject.partition(":")[0]}
    names |= {"seed"} if "seeds" in names else {"seeds"} if "seed" in names else set()
    blocked = {"text", "phonemes"} if claim.blocked else set()
    return bool(names & {*claim.free, *blocked})


def _parted(claim: Claim, runs: Sequence[ClaimedRun], groups: Sequence[RunGroup]) -> Iterator[Confounder]:
    """Yield what is free and yet parts the groups: all of a have one value of it and all of b another."""
    if not claim.has_groups or claim.blocked:
        return
    for name in claim.free:
        kind = name.partition(":")[0]
        sides = [
            [_value_of(kind, run) for run, group in zip(runs, groups, strict=True) if group is side]
            for side in (RunGroup.A, RunGroup.B)
        ]
        shared = set(sides[0]) & set(sides[1])
        repeated = any(len(set(side)) < len(side) for side in sides)
        unequal_texts = kind == "text" and set(sides[0]) != set(sides[1])
        if all(sides) and ((not shared and repeated) or unequal_texts):
            first = next(number for number, group in enumerate(groups, 1) if group is RunGroup.B)
            label = (
                "text (the groups were given different texts)"
                if unequal_texts
                else f"{kind} (free, but differs between the groups)"
            )
            yield Confounder(
                subject=kind,
                label=label,
                run=first,
                runs=len(sides[1]),
                a=_shown(sides[0]),
                b=_shown(sides[1]),
                known=True,
            )


def _value_of(kind: str, run: ClaimedRun) -> str:
    """Return a run's statements about a subject, in one string."""
    if kind == "text":
        return run.text
    rows = [row for row in conditions().values() if row.subject is not None and row.subject in {kind, f"{kind}s"}]
    return canonical_bytes([[*instances(run.descriptor, row)] for row in rows]).decode()


def _shown(values: Sequence[str]) -> str:
    distinct = sorted(set(values))
    return distinct[0] if len(distinct) == 1 else f"{len(distinct)} values"


def _short(value: Any) -> str:
    text = "not stated" if value is None else condition_words(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
