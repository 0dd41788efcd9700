"""The corpus of the neural teacher: blocks of sentences of one delivery by twelve virtual speakers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from reference_runner.frontend.lexicon import read_base
from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS
from reference_runner.laboratory.corpus.manners import PlannedUtterance, draw_delivery
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    vocabulary = read_vocabulary()
    lexicon_words = sorted(word for word in read_base().entries if word.isalpha() and len(word) > 1)
    blocks, numbers = count(), count()
    for place, speaker in enumerate(HEART_SPEAKERS):
        draws = SplitMix64(plan.seed + place)
        grammar = SentenceGrammar(vocabulary, draws, lexicon_words)
        training = plan.blocks_a_speaker * (plan.own_voice_share if speaker.name == OWN_VOICE else 1)
        for split in ["manner"] * training + ["test_manner"] * plan.test_blocks_a_speaker:
            delivery, block = draw_delivery(draws), next(blocks)
            for _ in range(plan.sentences_a_block):
                covers = draws.chance(plan.coverage_share)
                text = grammar.coverage_phrase() if covers else grammar.sentence()
                yield PlannedUtterance(
                    split=split, speaker=speaker, text=text, delivery=delivery, block=block, number=next(numbers)
                )
