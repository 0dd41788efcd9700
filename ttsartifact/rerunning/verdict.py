"""What a rerun amounts to (clause 10.4): how near it came, and whether that was to be expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ttsartifact.comparing.conditions import compare_stages, is_exact
from ttsartifact.formulas.conditions import stages, subjects
from ttsartifact.terms.level import CAUSES, Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.comparing.audio import AudioComparison
    from ttsartifact.comparing.conditions import Difference
    from ttsartifact.terms.descriptor import Descriptor


class Nearness(StrEnum):
    """How near a rerun came, best first (clause 10.4)."""

    FILE_EXACT = "FILE-EXACT"
    PCM_EXACT = "PCM-EXACT"
    STAGE_EXACT = "STAGE-EXACT"
    WITHIN_TOLERANCE = "WITHIN-TOLERANCE"
    DIVERGED = "DIVERGED"
    DIFFERENT = "DIFFERENT"
    NOT_COMPARABLE = "NOT-COMPARABLE"


LADDER: tuple[Nearness, ...] = tuple(Nearness)

_SHORT = re.compile(r"(?i)bfloat16|bf16|float16|fp16|half|float8|fp8")
_LOSSLESS = frozenset({"wav", "flac"})

# Which classes of conditions can have brought about what was seen: no other text stays under two bits.
_CAN_CAUSE = {
    Nearness.FILE_EXACT: frozenset[Cause](),
    Nearness.PCM_EXACT: frozenset[Cause](),
    Nearness.STAGE_EXACT: frozenset({Cause.WEIGHTS, Cause.CODE, Cause.NUMERICS, Cause.PROVIDERS, Cause.CPU}),
    Nearness.WITHIN_TOLERANCE: frozenset({Cause.CODE, Cause.NUMERICS, Cause.PROVIDERS, Cause.CPU}),
    Nearness.DIVERGED: frozenset(CAUSES) - {Cause.OTHER},
    Nearness.DIFFERENT: frozenset(CAUSES) - {Cause.OTHER},
    Nearness.NOT_COMPARABLE: frozenset({Cause.INPUTS, Cause.WEIGHTS, Cause.CODE}),
}
# What a promise of equal samples presupposes to be equal.
_OF_THE_BATCH = frozenset({"batch_size", "batch_index", "running_at_start"})
_PRESUPPOSED = frozenset({Cause.INPUTS, Cause.WEIGHTS, Cause.CODE, Cause.NUMERICS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The least that the first run's claims promise of a rerun under these conditions; None promises nothing."""

    least: Nearness | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict, and how it stands to what was promised."""

    verdict: Nearness
    stage: str | None = None
    """The first stage that differs, for STAGE-EXACT and DIVERGED."""
    after: str | None = None
    """The last stage that is equal."""
    stages_equal: int = 0
    encoded_equal: bool = False
    """Whether the audio files are equal byte for byte, too."""
    within: bool = True
    """Whether the samples are within tolerance; equal stages do not determine the later ones."""
    expectation: Expectation
    expected: bool | None
    """None where nothing was promised."""

    @property
    def words(self) -> str:
        """The verdict as people read it, `STAGE-EXACT(3)`, `DIVERGED(duration)`."""
        if self.verdict == Nearness.STAGE_EXACT:
            return f"{self.verdict}({self.stages_equal})"
        return f"{self.verdict}({self.stage})" if self.verdict == Nearness.DIVERGED else self.verdict

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 contradiction or different, 3 not comparable (clause 10.3)."""
        if self.verdict == Nearness.NOT_COMPARABLE:
            return 3
        if self.expected is not None:
            return 0 if self.expected and self.verdict != Nearness.DIFFERENT else 1
        return 0 if self.within and LADDER.index(self.verdict) <= LADDER.index(Nearness.WITHIN_TOLERANCE) else 1


def judge(a: Descriptor, b: Descriptor, audio: AudioComparison, differences: Sequence[Difference]) -> Judgement:
    """Return the best verdict that holds between a run and its rerun."""
    word, stage, equal = _grade(a, b, audio)
    same = compare_stages(a, b).equal
    expectation = expectation_of(a, b, differences)
    return Judgement(
        verdict=word,
        stage=stage,
        after=same[-1] if same else None,
        stages_equal=equal,
        encoded_equal=audio.encoded_equal,
        within=audio.pcm_equal or audio.within(),
        expectation=expectation,
        expected=_meets(word, expectation, audio),
    )


def _grade(a: Descriptor, b: Descriptor, audio: AudioComparison) -> tuple[Nearness, str | None, int]:
    """Return the word, the first stage that differs, and how many stages before it are equal."""
    compared = compare_stages(a, b)
    first, equal = compared.first, len(compared.equal)
    if audio.pcm_equal:
        lossless = a.known("/audio/codec") in _LOSSLESS
        return Nearness.PCM_EXACT if lossless or not audio.encoded_equal else Nearness.FILE_EXACT, None, equal
    if first is not None and _is_choice(first):
        return Nearness.DIVERGED, first, equal
    if equal:
        return Nearness.STAGE_EXACT, first, equal
    return (Nearness.WITHIN_TOLERANCE if audio.within() else Nearness.DIFFERENT), first, equal


def _is_choice(stage: str) -> bool:
    """Return whether the output of a stage is a choice: another token or duration changes all that follows."""
    known = stages().get(stage)
    return known is not None and known.choice


def _is_drawn(stage: object) -> bool:
    """Return whether the choices of a stage are drawn, so that one rounding can draw another."""
    known = stages().get(str(stage))
    return known is not None and known.drawn


def expectation_of(a: Descriptor, b: Descriptor, differences: Sequence[Difference]) -> Expectation:
    """Return what `a` promises of `b`: by the numerics profile, and by the determinism class where there is none."""
    clean = a.known("/imperfection/clean_pcm")
    if clean is not None and clean == b.known("/audio/pcm"):
        because = "the first samples were made imperfect after the synthesis; before that they equalled these"
        return Expectation(least=None, because=because)
    changed = next((each for each in differences if _presupposed(a, b, each)), None)
    if changed is not None:
        size = a.known("/run/load/batch_size")
        if changed.subject in _OF_THE_BATCH and isinstance(size, int) and size > 1:
            of = f"one of {size} in its batch, and the samples follow from all of them; make the same batch again"
            return Expectation(least=None, because=f"the run was {of}")
        return Expectation(least=None, because=f"no guarantee covers a different {changed.label}")
    profile = a.known("/generation/numerics/profile")
    if profile is not None:
        return _by_profile(a, b, str(profile))
    return _by_class(a, differences)


def _presupposed(a: Descriptor, b: Descriptor, difference: Difference) -> bool:
    """Return whether a promise of equal samples presupposes that this was equal."""
    # What is computed in integers does not depend on what is computed beside it, nor on where.
    exempt = subjects()[difference.subject.partition(":")[0]].exempt_when_exact
    if exempt and all(is_exact(side) for side in (a, b)):
        return False
    return difference.cause in _PRESUPPOSED and difference.known


def _is_short(side: Descriptor) -> bool:
    """Return whether products of fewer bits than float32's were used, which two stacks round apart by far more."""
    precision = side.known("/generation/precision") or {}
    return precision.get("tf32") is True or _SHORT.search(str(precision.get("dtype"))) is not None


def _by_profile(a: Descriptor, b: Descriptor, profile: str) -> Expectation:
    passed = all(side.known("/generation/numerics/kat_passed") is True for side in (a, b))
    mine, theirs = (side.known("/generation/numerics/fingerprint") for side in (a, b))
    repeat = a.known("/generation/determinism/self_repeat")
    if profile == "exact":
        if passed and b.known("/generation/numerics/profile") == "exact":
            return Expectation(
                least=Nearness.PCM_EXACT, because="exact numerics give the same samples on every machine"
            )
        return Expectation(least=None, because="the known-answer test of exact numerics does not hold on both sides")
    if profile == "f64g" and repeat == "equal":
        return Expectation(least=Nearness.PCM_EXACT, because="float64 on a grid rounds the same everywhere")
    if mine is not None and mine == theirs and repeat == "equal":
        return Expectation(least=Nearness.PCM_EXACT, because="the same numerics, and the run repeated itself")
    if _is_short(a) or _is_short(b):
        return Expectation(
            least=Nearness.DIVERGED, because="low-precision products round differently on a different stack"
        )
    if any(_is_drawn(stage.get("stage")) for stage in a.known("/generation/stages") or []):
        return Expectation(
            least=Nearness.DIVERGED, because="tokens are sampled, and one rounding difference can change the choice"
        )
    if mine is not None and mine == theirs and repeat == "differs":
        return Expectation(least=Nearness.WITHIN_TOLERANCE, because="the run did not repeat itself when it was made")
    if mine is not None and mine == theirs:
        return Expectation(least=Nearness.WITHIN_TOLERANCE, because="the same numerics, but no repeat was recorded")
    return Expectation(least=Nearness.WITHIN_TOLERANCE, because="different numerics round differently")


def _by_class(a: Descriptor, differences: Sequence[Difference]) -> Expectation:
    claimed = a.at("/generation/determinism/class")
    if claimed == "bitwise":
        return Expectation(least=Nearness.PCM_EXACT, because="determinism is claimed to be bitwise")
    if claimed == "same_device":
        other = next((each for each in differences if each.cause in {Cause.PROVIDERS, Cause.CPU} and each.known), None)
        if other is None:
            return Expectation(
                least=Nearness.PCM_EXACT, because="determinism is claimed on the same device, which this is"
            )
        return Expectation(
            least=Nearness.WITHIN_TOLERANCE,
            because=f"determinism is claimed on the same device; {other.label} differs",
        )
    if a.known("/generation/determinism/self_repeat") == "differs":
        return Expectation(least=Nearness.DIFFERENT, because="the run did not repeat itself when it was made")
    if claimed in {"statistical", "none"}:
        return Expectation(least=Nearness.DIFFERENT, because=f"determinism is {claimed}: a repeat may differ")
    return Expectation(least=None, because="determinism is unclaimed")


def _meets(word: Nearness, expectation: Expectation, audio: AudioComparison) -> bool | None:
    if expectation.least is None:
        return None
    # Equal stages say nothing of the samples behind them; where those are promised, they are what counts.
    if expectation.least == Nearness.WITHIN_TOLERANCE:
        return audio.within()
    return LADDER.index(word) <= LADDER.index(expectation.least)


def can_cause(verdict: Nearness, difference: Difference) -> bool:
    """Return whether a condition of that class can have brought about such a verdict."""
    return difference.cause in _CAN_CAUSE[verdict]


def not_comparable(because: str) -> Judgement:
    """Return the verdict of a rerun that was not begun, and why."""
    return Judgement(
        verdict=Nearness.NOT_COMPARABLE, expectation=Expectation(least=None, because=because), expected=None
    )
