"""The corpus of the neural teacher: blocks of sentences of one delivery by twelve virtual speakers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS
from reference_runner.laboratory.corpus.manners import plan_blocks, splits_of
from reference_runner.laboratory.corpus.splitmix import SplitMix64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.laboratory.corpus.manners import PlannedUtterance

__all__ = ["OWN_VOICE", "TeacherPlan", "plan_teacher"]

OWN_VOICE = "heart-100"
"""The teacher's voice as it is: it says the most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherPlan:
    """How many blocks of how many sentences; the same plan gives the same sentences."""

    seed: int = 20261203
    blocks_a_speaker: int = 34
    own_voice_share: int = 4
    """The teacher's own voice says so many times as many blocks as each other speaker."""
    test_blocks_a_speaker: int = 2
    sentences_a_block: int = 7
    coverage_share: float = 0.3


def plan_teacher(plan: TeacherPlan) -> Iterator[PlannedUtterance]:
    """Yield the utterances, block after block; the last blocks of each speaker are the tests."""
    first = 0
    for place, speaker in enumerate(HEART_SPEAKERS):
        training = plan.blocks_a_speaker * (plan.own_voice_share if speaker.name == OWN_VOICE else 1)
        splits = splits_of(training, plan.test_blocks_a_speaker)
        yield from plan_blocks(
            speaker, splits, SplitMix64(plan.seed + place), first=first, sentences=plan.sentences_a_block,
            coverage_share=plan.coverage_share,
        )  # fmt: skip
        first += len(splits)
