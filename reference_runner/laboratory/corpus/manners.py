"""The corpus of manners: blocks of sentences that one speaker says in one delivery.

A language model of prosody learns to continue a prompt only where there is something to continue. Here tempo and width
of the pitch contour are drawn once a block, so that any sentence of a block is a prompt for every other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.virtual_speakers import TRAINING_SPEAKERS, Delivery
from reference_runner.laboratory.corpus.vocabulary import lexicon_words, read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reference_runner.laboratory.corpus.hibari import HeartSpeaker
    from reference_runner.laboratory.corpus.virtual_speakers import VirtualSpeaker

__all__ = [
    "CONTOUR_WIDTHS", "ContoursPlan", "MannersPlan", "PlannedUtterance", "draw_delivery", "plan_blocks",
    "plan_contours", "plan_manners", "splits_of",
]  # fmt: skip

_SLOWEST, _FASTEST = 1.45, 0.7
"""Factors of the durations."""
_NARROWEST, _WIDEST = 0.4, 2.0
"""Factors of the pitch contour's width."""
CONTOUR_WIDTHS = (1.0, 0.4, 0.63, 1.5, 2.0)
"""Factors with which every sentence of the corpus of contours is said, in the order of its block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedUtterance:
    """One sentence for one speaker."""

    split: str
    """train, test_grammar, test_harvard or target; manner and test_manner in the corpora of blocks."""
    speaker: VirtualSpeaker | HeartSpeaker
    text: str
    delivery: Delivery
    block: int | None = None
    """Utterances of one block are of one speaker and one delivery, or in the corpus of contours of one sentence; None
    in a corpus without blocks."""
    number: int = 0
    """Its place in the plan: what is random in the neural teacher's sound is drawn from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MannersPlan:
    """How many blocks of how many sentences; the same plan gives the same corpus."""

    seed: int = 20261126
    blocks_a_speaker: int = 10
    sentences_a_block: int = 7
    test_blocks_a_speaker: int = 1
    coverage_share: float = 0.25
    more_seed: int = 20261127
    more_blocks_a_speaker: int = 25
    """For training alone, after the others: few sentences a language model learns by heart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContoursPlan:
    """How many sentences; the same plan gives the same corpus."""

    seed: int = 20261128
    sentences_a_speaker: int = 40
    test_sentences_a_speaker: int = 2


def plan_contours(plan: ContoursPlan) -> Iterator[PlannedUtterance]:
    """Yield every sentence once with each of CONTOUR_WIDTHS: the same phones at the same times, and another melody."""
    splits = ["contour"] * plan.sentences_a_speaker + ["test_contour"] * plan.test_sentences_a_speaker
    for number, speaker in enumerate(TRAINING_SPEAKERS):
        draws = SplitMix64(plan.seed + number)
        grammar = SentenceGrammar(read_vocabulary(), draws, lexicon_words())
        for block, split in enumerate(splits, start=number * len(splits)):
            text, stretch = grammar.sentence(), round(draws.between(0.8, 1.3), 3)
            for width in CONTOUR_WIDTHS:
                delivery = Delivery(stretch_factor=stretch, contour_factor=width)
                yield PlannedUtterance(split=split, speaker=speaker, text=text, delivery=delivery, block=block)


def plan_manners(plan: MannersPlan) -> Iterator[PlannedUtterance]:
    """Yield the utterances, block after block; the last of each speaker's first blocks are the tests."""
    first = 0
    parts = (
        (plan.seed, plan.blocks_a_speaker, plan.test_blocks_a_speaker),
        (plan.more_seed, plan.more_blocks_a_speaker, 0),
    )
    for seed, blocks, test_blocks in parts:
        splits = splits_of(blocks - test_blocks, test_blocks)
        for number, speaker in enumerate(TRAINING_SPEAKERS):
            yield from plan_blocks(
                speaker, splits, SplitMix64(seed + number), first=first, sentences=plan.sentences_a_block,
                coverage_share=plan.coverage_share,
            )  # fmt: skip
            first += blocks


def splits_of(training: int, tests: int) -> list[str]:
    """Return the split of each block of a speaker: those to learn from, then the tests."""
    return ["manner"] * training + ["test_manner"] * tests


def plan_blocks(
    speaker: VirtualSpeaker | HeartSpeaker, splits: Sequence[str], draws: SplitMix64, *, first: int, sentences: int,
    coverage_share: float,
) -> Iterator[PlannedUtterance]:  # fmt: skip
    """Yield a block of one delivery for each of the splits, numbered from `first`, each of so many sentences."""
    grammar = SentenceGrammar(read_vocabulary(), draws, lexicon_words())
    for block, split in enumerate(splits, start=first):
        delivery = draw_delivery(draws)
        for place in range(sentences):
            covers = draws.chance(coverage_share)
            text = grammar.coverage_phrase() if covers else grammar.sentence()
            yield PlannedUtterance(
                split=split,
                speaker=speaker,
                text=text,
                delivery=delivery,
                block=block,
                number=block * sentences + place,
            )


def draw_delivery(draws: SplitMix64) -> Delivery:
    """Return a delivery whose tempo and width are spread evenly on a logarithmic axis."""
    tempo = draws.between(math.log(_FASTEST), math.log(_SLOWEST))
    width = draws.between(math.log(_NARROWEST), math.log(_WIDEST))
    return Delivery(stretch_factor=round(math.exp(tempo), 3), contour_factor=round(math.exp(width), 3))
