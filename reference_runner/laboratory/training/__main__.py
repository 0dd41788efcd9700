"""Trains the model, a stage a call, and assembles the checkpoint.

    python -m reference_runner.laboratory.training vocoder
    python -m reference_runner.laboratory.training acoustic
    python -m reference_runner.laboratory.training refine
    python -m reference_runner.laboratory.training prosody --corpus .build/manners
    python -m reference_runner.laboratory.training vocoder-on-model
    python -m reference_runner.laboratory.training assemble

Each stage may be stopped at any time and called again: it goes on where it was. `.build/training` holds the states.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.errors import DeviceUnavailable
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.laboratory.training.acoustic_stage import train_acoustic
from reference_runner.laboratory.training.assembling import choose_priors, exercise
from reference_runner.laboratory.training.balancing import balance
from reference_runner.laboratory.training.batches import UtteranceBatches
from reference_runner.laboratory.training.curves import draw_curves
from reference_runner.laboratory.training.prosody_stage import BlockBatches, train_prosody
from reference_runner.laboratory.training.refine_stage import train_refinement
from reference_runner.laboratory.training.stage_loop import StageSettings
from reference_runner.laboratory.training.vocoder_stage import WaveformCrops, model_mels, train_vocoder
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path, save_checkpoint
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.model import StableTts
from reference_runner.numerics.exact import find_device
from reference_runner.optional import load

_STAGES = ("vocoder", "acoustic", "refine", "prosody", "vocoder-on-model")
"""In the order in which later ones replace what earlier ones left."""

_BEGINS_WITH: dict[str, tuple[str, ...]] = {
    "vocoder": (),
    "acoustic": (),
    "refine": ("acoustic",),
    "prosody": ("acoustic", "refine"),
    "vocoder-on-model": ("acoustic", "refine", "vocoder"),
}
_BATCH = 12
_BLOCKS_A_BATCH = 2
_RECIPES = {
    settings.name: settings
    for settings in (
        StageSettings(name="vocoder", steps=12_000, learning_rate=1.5e-3, betas=(0.8, 0.99)),
        StageSettings(name="acoustic", steps=8_000, learning_rate=2e-3),
        StageSettings(name="refine", steps=6_000, learning_rate=1.5e-3),
        StageSettings(name="prosody", steps=6_000, learning_rate=1e-3),
        StageSettings(name="vocoder-on-model", steps=4_000, learning_rate=5e-4, betas=(0.8, 0.99)),
    )
}


def load_stage(model: StableTts, path: Path) -> None:
    """Put the averaged weights of a finished stage into the model."""
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    weights = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    averages = {name.removeprefix("average/"): value for name, value in tensors.items() if name.startswith("average/")}
    model.load_state_dict({**model.state_dict(), **weights, **averages})


def write_averages(state: Path, output: Path) -> None:
    """Write of a stage's state what `assemble` needs, without the optimiser's moments: a quarter of the bytes."""
    with safe_open(state, framework="pt") as stored:
        names = set(stored.keys())
        kept = {
            name
            for name in names
            if name.startswith("average/") or (name.startswith("model/") and f"average/{name[6:]}" not in names)
        }
        save_file({name: stored.get_tensor(name) for name in sorted(kept)}, output, metadata=stored.metadata())


@stopping_in_a_sentence("reference_runner.laboratory.training")
def main() -> None:
    """Run one stage."""
    parser = _parser()
    arguments = parser.parse_args()
    load("matplotlib.figure", purpose="the picture of the losses")
    try:
        find_device(arguments.device)
    except DeviceUnavailable as error:
        parser.exit(3, f"{error}\n")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    # On a GPU some backward passes have no deterministic kernel, and others get a slow one: there it is not asked for.
    torch.use_deterministic_algorithms(mode=arguments.device == "cpu")
    config = StableTtsConfig()
    corpus = CorpusReader(arguments.corpus, config)
    model = StableTts(config).to(arguments.device)
    if arguments.stage == "assemble":
        parser.exit(0, f"{_assemble(model, corpus, arguments)}\n")
    _train(model, corpus, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=[*_STAGES, "assemble"])
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(".build/training"))
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--batch", type=int, default=_BATCH, help="items a step; the learning rate goes with its root")
    parser.add_argument("--limit-minutes", type=float, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base", type=Path, default=None, help="a checkpoint to begin with instead of earlier stages")
    parser.add_argument("--checkpoint", type=Path, default=released_checkpoint_path(), help="what assemble writes")
    parser.add_argument("--metrics", type=Path, default=None, help="an evaluation report to put inside")
    parser.add_argument("--code-commit", default="unknown", help="commit of the code that trained it")
    return parser


def _train(model: StableTts, corpus: CorpusReader, arguments: argparse.Namespace) -> None:
    """Train the stage that was named, on what the stages before it left."""
    stage, seed, device, folder = arguments.stage, arguments.seed, arguments.device, arguments.output
    if arguments.base is None:
        for name in _BEGINS_WITH[stage]:
            load_stage(model, folder / f"{name}.state.safetensors")
    else:
        model.load_state_dict(load_checkpoint(arguments.base).model.state_dict())
    limit_s = arguments.limit_minutes * 60 if arguments.limit_minutes else None
    recipe = _RECIPES[stage]
    rate = recipe.learning_rate * (arguments.batch / _BATCH) ** 0.5
    settings = replace(recipe, steps=arguments.steps or recipe.steps, learning_rate=rate, seed=seed, limit_s=limit_s)
    if stage == "acoustic":
        batches = UtteranceBatches(corpus, split="train", batch_size=arguments.batch, seed=seed)
        train_acoustic(model, batches, settings, folder, device=device)
    elif stage == "refine":
        batches = UtteranceBatches(corpus, split="train", batch_size=arguments.batch, seed=seed, alike="manner")
        train_refinement(model, batches, settings, folder, device=device)
    elif stage == "prosody":
        blocks = BlockBatches(model, corpus, split="manner", blocks_a_batch=_BLOCKS_A_BATCH, seed=seed, device=device)
        train_prosody(model, blocks, settings, folder, device=device)
    else:
        heard = {}
        if stage == "vocoder-on-model":
            heard["mels"] = model_mels(model, corpus, utterances=1_200, seed=seed, device=device)
        crops = WaveformCrops(corpus, batch_size=arguments.batch, frames=48, seed=seed, **heard)
        train_vocoder(model.vocoder, crops, settings, folder, device=device)


def _assemble(model: StableTts, corpus: CorpusReader, arguments: argparse.Namespace) -> str:
    """Write the checkpoint and its curves, and return its digest and the stages that it was made from."""
    folder: Path = arguments.output
    stages = [name for name in _STAGES if (folder / f"{name}.state.safetensors").exists()]
    for name in stages:
        load_stage(model, folder / f"{name}.state.safetensors")
    balance(model, lambda: exercise(model, corpus))
    metrics = json.loads(arguments.metrics.read_text(encoding="utf-8")) if arguments.metrics else {}
    sha256 = save_checkpoint(
        arguments.checkpoint,
        model,
        choose_priors(model, corpus),
        corpus_root_sha256=corpus.root_sha256,
        code_commit=arguments.code_commit,
        metrics=metrics,
    )
    histories = [path for name in stages if (path := folder / f"{name}.history.json").exists()]
    draw_curves(histories, arguments.checkpoint.with_suffix(".curves.png"))
    return f"sha256:{sha256}, from {', '.join(stages)}"


if __name__ == "__main__":
    main()
