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
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.errors import DeviceUnavailable
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.laboratory.training.acoustic_stage import train_acoustic
from reference_runner.laboratory.training.assembling import choose_priors, exercise
from reference_runner.laboratory.training.balancing import balance
from reference_runner.laboratory.training.curves import draw_curves
from reference_runner.laboratory.training.dealing import UtteranceBatches, training_split
from reference_runner.laboratory.training.discriminators import PERIOD_CHANNELS, Discriminators
from reference_runner.laboratory.training.prosody_stage import MANNER_SPLITS, BlockBatches, CodedBlocks, train_prosody
from reference_runner.laboratory.training.recipes import RECIPES
from reference_runner.laboratory.training.refine_stage import train_refinement
from reference_runner.laboratory.training.vocoder_stage import WaveformCrops, model_mels, train_vocoder
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path, save_checkpoint
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.model import StableTts
from reference_runner.numerics.exact import find_device
from reference_runner.optional import load

if TYPE_CHECKING:
    from reference_runner.model.checkpoint import Checkpoint

_BATCH = 12
_BLOCK = 7
"""Utterances of a block."""
_CROP_FRAMES = 48
_RESTING = ("text_encoder",)
"""Parts of the first stage that stay as they are where a trained checkpoint goes on: their sentences were more."""


def load_stage(model: StableTts, path: Path) -> None:
    """Put the averaged weights of a finished stage into the model; the best averages, where a part was held out."""
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
    weights = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    averages = {name.removeprefix("average/"): value for name, value in tensors.items() if name.startswith("average/")}
    best = {name.removeprefix("best/"): value for name, value in tensors.items() if name.startswith("best/")}
    model.load_state_dict({**model.state_dict(), **weights, **averages, **best})


def write_averages(state: Path, output: Path) -> None:
    """Write of a stage's state what `assemble` needs, without the optimiser's moments: a quarter of the bytes."""
    with safe_open(state, framework="pt") as stored:
        names = set(stored.keys())
        kept = {
            name
            for name in names
            if name.startswith("best/")
            or (name.startswith("average/") and f"best/{name[8:]}" not in names)
            or (name.startswith("model/") and f"average/{name[6:]}" not in names)
        }
        save_file({name: stored.get_tensor(name) for name in sorted(kept)}, output, metadata=stored.metadata())


@stopping_in_a_sentence("reference_runner.laboratory.training")
def main() -> None:
    """Run one stage."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.stage == "assemble":
        load("matplotlib.figure", purpose="the picture of the losses")
    try:
        find_device(arguments.device)
    except DeviceUnavailable as error:
        parser.exit(3, f"{error}\n")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    # On a GPU some backward passes have no deterministic kernel, and others get a slow one: there it is not asked for.
    torch.use_deterministic_algorithms(mode=arguments.device == "cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    base = None if arguments.base is None else load_checkpoint(arguments.base)
    model = StableTts(StableTtsConfig()) if base is None else base.model
    corpus = CorpusReader(arguments.corpus, model.config)
    if arguments.stage == "assemble":
        parser.exit(0, f"{_assemble(model, corpus, arguments, base)}\n")
    _train(model.to(arguments.device), corpus, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=[*RECIPES, "assemble"])
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(".build/training"))
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--batch", type=int, default=_BATCH, help="items a step; the learning rate goes with its root")
    parser.add_argument("--limit-minutes", type=float, default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crop-frames", type=int, default=_CROP_FRAMES, help="of the vocoder's crops")
    parser.add_argument("--opposed", action="store_true", help="train the vocoder against discriminators")
    parser.add_argument("--period-channels", type=int, nargs="+", default=PERIOD_CHANNELS, help="of discriminators")
    parser.add_argument("--base", type=Path, default=None, help="a checkpoint to go on from")
    parser.add_argument("--checkpoint", type=Path, default=released_checkpoint_path(), help="what assemble writes")
    parser.add_argument("--metrics", type=Path, default=None, help="an evaluation report to put inside")
    parser.add_argument("--code-commit", default="unknown", help="commit of the code that trained it")
    return parser


def _train(model: StableTts, corpus: CorpusReader, arguments: argparse.Namespace) -> None:
    """Train the stage that was named, on what the base and the stages before it left."""
    stage, seed, device, folder = arguments.stage, arguments.seed, arguments.device, arguments.output
    recipe, batch, continued = RECIPES[stage], arguments.batch, arguments.base is not None
    model.requires_grad_(requires_grad=True)  # a checkpoint is loaded for speaking
    for name in recipe.after:
        path = folder / f"{name}.state.safetensors"
        if path.exists() or not continued:
            load_stage(model, path)
    limit_s = arguments.limit_minutes * 60 if arguments.limit_minutes else None
    settings = recipe.settings(batch=batch, seed=seed, continued=continued, steps=arguments.steps, limit_s=limit_s)
    split = training_split(corpus)
    if stage == "acoustic":
        batches = UtteranceBatches(corpus, split=split, batch_size=batch, seed=seed, device=device)
        train_acoustic(model, batches, settings, folder, device=device, resting=_RESTING if continued else ())
    elif stage == "refine":
        batches = UtteranceBatches(corpus, split=split, batch_size=batch, seed=seed, alike="manner", device=device)
        train_refinement(model, batches, settings, folder, device=device)
    elif stage == "prosody":
        coded = CodedBlocks(model, corpus, splits=MANNER_SPLITS, device=device)
        tests = "test_manner"
        held_out = CodedBlocks(model, corpus, splits=[tests], device=device) if corpus.split(tests) else None
        blocks = BlockBatches(coded, blocks_a_batch=max(1, round(batch / _BLOCK)), seed=seed)
        train_prosody(model, blocks, settings, folder, device=device, held_out=held_out)
    else:
        heard = model_mels(model, corpus, utterances=1_200, seed=seed, device=device) if "model" in stage else None
        crops = WaveformCrops(
            corpus, batch_size=batch, frames=arguments.crop_frames, seed=seed, device=device, mels=heard
        )
        opposed = Discriminators(period_channels=arguments.period_channels).to(device) if arguments.opposed else None
        train_vocoder(model.vocoder, crops, settings, folder, device=device, discriminators=opposed)


def _assemble(model: StableTts, corpus: CorpusReader, arguments: argparse.Namespace, base: Checkpoint | None) -> str:
    """Write the checkpoint and its curves, and return its digest and the stages that it was made from."""
    folder: Path = arguments.output
    stages = [name for name in RECIPES if (folder / f"{name}.state.safetensors").exists()]
    for name in stages:
        load_stage(model, folder / f"{name}.state.safetensors")
    balance(model, lambda: exercise(model, corpus))
    metrics = json.loads(arguments.metrics.read_text(encoding="utf-8")) if arguments.metrics else {}
    # The codes of a prior sample are the prosody encoder's; where that is the base's, so are they.
    kept = base is not None and "acoustic" not in stages
    sha256 = save_checkpoint(
        arguments.checkpoint,
        model,
        base.priors if base is not None and kept else choose_priors(model, corpus),
        corpus_root_sha256=corpus.root_sha256,
        code_commit=arguments.code_commit,
        metrics=metrics,
    )
    histories = [path for name in stages if (path := folder / f"{name}.history.json").exists()]
    if histories:
        draw_curves(histories, arguments.checkpoint.with_suffix(".curves.png"))
    origin = "" if base is None else f" on sha256:{base.digest}"
    return f"sha256:{sha256}, from {', '.join(stages) or 'no stage'}{origin}"


if __name__ == "__main__":
    main()
