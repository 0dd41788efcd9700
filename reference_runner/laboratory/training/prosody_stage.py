"""Stage three: the prosody language model learns to continue a prompt of the same block; everything else rests.

Text encoder, prosody encoder and codebook are frozen, so the codes of every utterance are found once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from reference_runner.laboratory.training.acoustic_stage import language_model_loss
from reference_runner.laboratory.training.stage_loop import StageSettings, StageState, run_stage
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.model.model import StableTts

__all__ = ["BlockBatches", "CodedBatch", "train_prosody"]

_COLUMNS = ("phones", "stresses", "breaks")
_UNPROMPTED_SHARE = 0.15
"""Of the steps: a request may have no prompt at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodedBatch:
    """The utterances of some blocks: B items, P phones."""

    columns: tuple[torch.Tensor, ...]
    """Phones, stresses and breaks (B, P), padded with 0."""
    codes: torch.Tensor
    """(B, P)."""
    lengths: torch.Tensor
    """(B,) phones."""
    prompts: tuple[int, ...]
    """For each item, which item of the batch it continues: another of its block."""


class BlockBatches:
    """An endless, seeded stream of whole blocks."""

    def __init__(
        self, model: StableTts, corpus: CorpusReader, *, split: str, blocks_a_batch: int, seed: int, device: str = "cpu"
    ) -> None:
        by_block: dict[int, list[int]] = {}
        for place in corpus.split(split):
            block = corpus.utterances[place].block
            if block is None:
                raise ValueError(f"utterance {place} of the corpus belongs to no block; expected the corpus of manners")
            by_block.setdefault(block, []).append(place)
        self._corpus = corpus
        self._blocks = list(by_block.values())
        self._codes = {place: _codes_of(model, corpus, place, device) for block in self._blocks for place in block}
        self._blocks_a_batch = blocks_a_batch
        self._seed = seed

    def starting_at(self, step: int) -> Iterator[CodedBatch]:
        """Yield the batch of this step and all that follow; a resumed run sees what an unbroken one would."""
        size = self._blocks_a_batch
        steps_an_epoch = max(1, len(self._blocks) // size)
        epoch, first = divmod(step, steps_an_epoch)
        while True:
            draws = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
            order = draws.permutation(len(self._blocks))
            # Who continues whom is drawn for every epoch anew, before any step is skipped.
            turns = draws.integers(1, 1 << 30, len(order))
            for number in range(first, steps_an_epoch):
                chosen = slice(number * size, (number + 1) * size)
                yield self._batch([self._blocks[block] for block in order[chosen]], turns[chosen])
            epoch, first = epoch + 1, 0

    def _batch(self, blocks: Sequence[Sequence[int]], turns: np.ndarray) -> CodedBatch:
        places: list[int] = []
        prompts: list[int] = []
        for block, turn in zip(blocks, turns.tolist(), strict=True):
            size, start = len(block), len(places)
            step = 1 + turn % (size - 1) if size > 1 else 0
            prompts += [start + (item + step) % size for item in range(size)]
            places += block
        pad = nn.utils.rnn.pad_sequence
        return CodedBatch(
            columns=tuple(
                pad([self._corpus.phone_values(name, place) for place in places], batch_first=True) for name in _COLUMNS
            ),
            codes=pad([self._codes[place] for place in places], batch_first=True),
            lengths=torch.tensor([len(self._codes[place]) for place in places]),
            prompts=tuple(prompts),
        )


@torch.no_grad()
def _codes_of(model: StableTts, corpus: CorpusReader, place: int, device: str) -> torch.Tensor:
    ops = NativeOps(device=device)
    features, durations = (
        values.to(ops.device)[None] for values in (corpus.prosody(place), corpus.phone_values("durations", place))
    )
    codes: torch.Tensor
    codes, _ = model.prosody_quantizer(ops, model.prosody_encoder(ops, features, durations))
    return codes[0].cpu()


def train_prosody(
    model: StableTts, batches: BlockBatches, settings: StageSettings, folder: Path, *, device: str = "cpu"
) -> StageState:
    """Train the prosody language model in place; the rest stays as it is."""
    ops = NativeOps(device=device)
    model.requires_grad_(requires_grad=False)
    model.prosody_language_model.requires_grad_(requires_grad=True)

    def losses(batch: CodedBatch, draws: torch.Generator) -> dict[str, torch.Tensor]:
        columns = [column.to(ops.device) for column in batch.columns]
        mask = torch.arange(batch.codes.shape[1])[None, :] < batch.lengths[:, None]
        with torch.no_grad():
            text = model.text_encoder(ops, *columns, mask.to(ops.device))
        prompted = bool(torch.rand((), generator=draws) >= _UNPROMPTED_SHARE)
        prompts = batch.prompts if prompted else None
        language = language_model_loss(
            model, ops, text, batch.codes.to(ops.device), batch.lengths.tolist(), prompts=prompts
        )
        return {"total": language, "language_model": language}

    parts = nn.ModuleDict({"prosody_language_model": model.prosody_language_model})
    return run_stage(settings, parts, batches.starting_at, losses, folder)
