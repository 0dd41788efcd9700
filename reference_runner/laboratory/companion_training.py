"""What the trainers of encoders that stand beside a checkpoint share: the call, the loop, and the file they write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.laboratory.training.stage_loop import StageSettings, run_stage
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.companions import CompanionKind, released_path, save_companion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reference_runner.model.model import StableTts

__all__ = ["Learning", "train_companion"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Learning:
    """What one encoder learns, and from what."""

    encoder: nn.Module
    """What the file holds."""
    learnt: nn.Module
    """The part of it that is trained."""
    batches: Callable[[int], Iterator[Any]]
    losses: Callable[[Any], dict[str, torch.Tensor]]
    facts: dict[str, Any] = field(default_factory=dict)
    """What the file says beside corpus, steps and seed."""


def train_companion(
    kind: CompanionKind, begin: Callable[[StableTts, CorpusReader], Learning], *, name: str, words: str, steps: int,
    learning_rate: float, seed: int,
) -> None:  # fmt: skip
    """Read the call of a trainer, train what `begin` makes of a checkpoint and a corpus, and write the file."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--corpus", type=Path, default=Path(".build/contours"))
    parser.add_argument("--base", type=Path, default=None, help="the checkpoint; the released one if none is given")
    parser.add_argument("--state", type=Path, default=Path(".build/training"))
    parser.add_argument("--output", type=Path, default=released_path(kind))
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--limit-minutes", type=float, default=None)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=True)
    base = load_checkpoint(arguments.base)
    corpus = CorpusReader(arguments.corpus, base.config)
    learning = begin(base.model, corpus)
    settings = StageSettings(
        name=name, steps=arguments.steps, learning_rate=learning_rate, seed=seed, weight_decay=0.0,
        limit_s=arguments.limit_minutes * 60 if arguments.limit_minutes else None,
    )  # fmt: skip
    arguments.state.mkdir(parents=True, exist_ok=True)
    state = run_stage(
        settings, nn.ModuleDict({f"{name}_encoder": learning.learnt}), learning.batches,
        lambda batch, _: learning.losses(batch), arguments.state,
    )  # fmt: skip
    facts = {"corpus_root_sha256": corpus.root_sha256, "steps": state.step, "seed": seed, **learning.facts}
    digest = save_companion(kind, arguments.output, learning.encoder, base=f"sha256:{base.digest}", facts=facts)
    parser.exit(0, f"{digest}, after {state.step} steps\n")
