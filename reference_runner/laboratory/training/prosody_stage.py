"""Stage three: the prosody language model learns to continue a prompt of the same block; everything else rests.

Text encoder, prosody encoder and codebook are frozen, so text vectors and codes of every utterance are found once and
stay on the device; a step sends only which phones it reads.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from reference_runner.laboratory.training.acoustic_stage import Sequences, sequence_loss
from reference_runner.laboratory.training.resident import ResidentCorpus
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.model.model import StableTts

__all__ = ["MANNER_SPLITS", "BlockBatches", "CodedBlocks", "train_prosody"]

MANNER_SPLITS = ("manner", "manner_prosody")
"""What is learnt from; the second of a packed corpus, which has no more than their prosody."""
_UNPROMPTED_SHARE = 0.15
"""Of the steps: a request may have no prompt at all."""
_MISHEARD_SHARE = 0.1
"""Of the codes that are read: a model that trusts the last code alone never looks at the prompt."""
_AT_ONCE = 64
_HELD_OUT_BLOCKS = 24


class CodedBlocks:
    """Some splits of a corpus of manners as text vectors (N, C) and codes (N,), utterance after utterance."""

    def __init__(self, model: StableTts, corpus: CorpusReader, *, splits: Sequence[str], device: str = "cpu") -> None:
        places = [place for split in splits for place in corpus.split(split)]
        by_block: dict[int, list[int]] = {}
        for item, place in enumerate(places):
            block = corpus.utterances[place].block
            if block is None:
                raise ValueError(f"utterance {place} of the corpus belongs to no block; expected the corpus of manners")
            by_block.setdefault(block, []).append(item)
        self.blocks = list(by_block.values())
        self.lengths = [corpus.utterances[place].phone_count for place in places]
        self.starts = [0, *accumulate(self.lengths)][:-1]
        ops, resident = NativeOps(device=device), ResidentCorpus(corpus, device=device)
        parts = [
            _coded(model, ops, resident, places[start : start + _AT_ONCE]) for start in range(0, len(places), _AT_ONCE)
        ]
        self.text, self.codes = (torch.cat(column) for column in zip(*parts, strict=True))

    def sequences(self, items: Sequence[int], prompts: Sequence[int] | None) -> Sequences:
        """Return utterances to read, the i-th continuing the one at prompts[i] of them."""
        starts, lengths = ([column[item] for item in items] for column in (self.starts, self.lengths))
        return Sequences.of(starts, lengths, prompts)


@torch.no_grad()
def _coded(
    model: StableTts, ops: NativeOps, resident: ResidentCorpus, places: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return text vectors (N, C) and codes (N,) of some utterances, end to end."""
    batch = resident.batch(places)
    latents = model.prosody_encoder(ops, batch.prosody, batch.durations, batch.frame_mask)
    codes, _ = model.prosody_quantizer(ops, latents)
    text = model.text_encoder(ops, batch.phones, batch.stresses, batch.breaks, batch.phone_mask)
    return batch.phones_of(text), batch.phones_of(codes)


class BlockBatches:
    """An endless, seeded stream of whole blocks: which utterances, and which of them each continues."""

    def __init__(self, blocks: CodedBlocks, *, blocks_a_batch: int, seed: int) -> None:
        self.coded = blocks
        self._blocks_a_batch = min(blocks_a_batch, len(blocks.blocks))
        self._seed = seed

    def starting_at(self, step: int) -> Iterator[tuple[list[int], list[int]]]:
        """Yield the batch of this step and all that follow; a resumed run sees what an unbroken one would."""
        size, blocks = self._blocks_a_batch, self.coded.blocks
        steps_an_epoch = len(blocks) // size
        epoch, first = divmod(step, steps_an_epoch)
        while True:
            draws = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            order = draws.permutation(len(blocks))
            # Who continues whom is drawn for every epoch anew, before any step is skipped.
            turns = draws.integers(1, 1 << 30, len(order))
            for number in range(first, steps_an_epoch):
                chosen = slice(number * size, (number + 1) * size)
                yield _turned([blocks[block] for block in order[chosen]], turns[chosen].tolist())
            epoch, first = epoch + 1, 0


def _turned(blocks: Sequence[Sequence[int]], turns: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the items of some blocks, and for each the place of another of its block that it continues."""
    items: list[int] = []
    prompts: list[int] = []
    for block, turn in zip(blocks, turns, strict=True):
        size, start = len(block), len(items)
        step = 1 + turn % (size - 1) if size > 1 else 0
        prompts += [start + (item + step) % size for item in range(size)]
        items += block
    return items, prompts


def train_prosody(
    model: StableTts, batches: BlockBatches, settings: StageSettings, folder: Path, *, device: str = "cpu",
    held_out: CodedBlocks | None = None,
) -> StageState:  # fmt: skip
    """Train the prosody language model in place; the rest stays as it is."""
    ops = NativeOps(device=device)
    model.requires_grad_(requires_grad=False)
    model.prosody_language_model.requires_grad_(requires_grad=True)
    coded = batches.coded

    def losses(batch: tuple[list[int], list[int]], draws: torch.Generator) -> dict[str, torch.Tensor]:
        items, prompts = batch
        prompted = bool(torch.rand((), generator=draws) >= _UNPROMPTED_SHARE)
        sequences = coded.sequences(items, prompts if prompted else None)
        language = sequence_loss(model, ops, coded.text, coded.codes, sequences, heard=_misheard(coded.codes, draws))
        return {"total": language, "language_model": language}

    def judged() -> torch.Tensor:
        assert held_out is not None
        blocks = held_out.blocks[:_HELD_OUT_BLOCKS]
        items, prompts = _turned(blocks, [1] * len(blocks))
        return sequence_loss(model, ops, held_out.text, held_out.codes, held_out.sequences(items, prompts))

    parts = nn.ModuleDict({"prosody_language_model": model.prosody_language_model})
    return run_stage(
        settings, parts, batches.starting_at, losses, folder, held_out=None if held_out is None else judged
    )


def _misheard(codes: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
    """Return codes (N,) some of which are those of other phones."""
    chance = torch.Generator(codes.device).manual_seed(int(torch.randint(1 << 62, (), generator=draws)))
    replaced = torch.rand(codes.shape, generator=chance, device=codes.device) < _MISHEARD_SHARE
    others = torch.randint(len(codes), codes.shape, generator=chance, device=codes.device)
    return torch.where(replaced, codes[others], codes)
