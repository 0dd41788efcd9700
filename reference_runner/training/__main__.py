"""Trains the model, a stage a call, and assembles the checkpoint.

    python -m reference_runner.training vocoder --corpus .build/corpus --output .build/training
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from reference_runner.model.config import StableTtsConfig
from reference_runner.model.vocoder import Vocoder
from reference_runner.training.corpus_reader import CorpusReader
from reference_runner.training.stage_loop import StageSettings
from reference_runner.training.vocoder_stage import WaveformCrops, train_vocoder


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=["vocoder"])
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(".build/training"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--limit-minutes", type=float, default=None)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = StableTtsConfig()
    corpus = CorpusReader(arguments.corpus, config)
    torch.manual_seed(1)
    settings = StageSettings(
        name="vocoder", steps=arguments.steps, learning_rate=1.5e-3, betas=(0.8, 0.99),
        limit_s=arguments.limit_minutes * 60 if arguments.limit_minutes else None,
    )  # fmt: skip
    crops = WaveformCrops(corpus, batch_size=12, frames=48, seed=1)
    train_vocoder(Vocoder(config), crops, settings, arguments.output)


if __name__ == "__main__":
    main()
