"""Makes the ablation: voices, deltas, artifacts, measures, a table and a picture. It goes on where it was stopped.

python -m reference_runner.laboratory.ablation --output .build/ablation
python -m reference_runner.laboratory.ablation --targets virtual --cells "zero-shot-1-*" "kept-1-*-200-*"
python -m reference_runner.laboratory.ablation --person .build/person

A part of the matrix goes into the same folder, and the report says which cells it holds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import track

import ttsartifact
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.evaluation.measuring import EVALUATION_VERSION, Yardsticks, measure
from reference_runner.evaluation.naturalness import Naturalness
from reference_runner.evaluation.people_encoder import PeopleEncoder
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.recordings import read_artifact, read_clip
from reference_runner.evaluation.speaker_encoder import SpeakerEncoder
from reference_runner.laboratory.ablation.cells import CELLS, chosen
from reference_runner.laboratory.ablation.human import person_target
from reference_runner.laboratory.ablation.making import Plan, Workshop, code_digest, file_sha256
from reference_runner.laboratory.ablation.report import draw, summarise_target, to_markdown
from reference_runner.laboratory.ablation.targets import (
    make_targets,
    reference_clips,
    source_clips,
    stranger_clips,
    test_sentences,
)
from reference_runner.model.checkpoint import released_checkpoint_path
from reference_runner.optional import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reference_runner.laboratory.ablation.cells import Cell
    from reference_runner.laboratory.ablation.targets import Target

__all__ = ["ablate", "main"]

_SENTENCES, _SEEDS = 8, 1


@stopping_in_a_sentence("reference_runner.laboratory.ablation")
def main() -> None:
    """Make, measure, write."""
    parser = argparse.ArgumentParser(
        prog="python -m reference_runner.laboratory.ablation", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--output", type=Path, default=Path(".build/ablation"))
    parser.add_argument("--weights", type=Path, help="a checkpoint instead of the released one")
    parser.add_argument("--sentences", type=int, default=_SENTENCES)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    parser.add_argument("--numerics", choices=("native", "exact"), default="native")
    parser.add_argument("--steps", type=int, help="of every adaptation at most, instead of the cells' own numbers")
    parser.add_argument(
        "--cells", nargs="+", default=[], metavar="PATTERN", help="those of the matrix that are made now; * is anything"
    )
    parser.add_argument(
        "--targets", nargs="+", choices=("virtual", "espeak", "person"), metavar="TARGET",
        help="virtual, espeak or person; all that there are, if not given",
    )  # fmt: skip
    parser.add_argument("--person", type=Path, metavar="FOLDER", help="a person's clips, made by `make person`")
    parser.add_argument("--list", action="store_true", help="name every cell, and make none")
    arguments = parser.parse_args()
    cells = chosen(arguments.cells)
    if arguments.list:
        parser.exit(0, "".join(f"{cell.name}\n" for cell in cells))
    # First, for a missing package is better known before hours of work than after them.
    instruments = Yardsticks(recognizer=Recognizer(), encoder=SpeakerEncoder())
    load("matplotlib.figure", purpose="the picture")
    instruments = replace(instruments, people=PeopleEncoder(), naturalness=Naturalness())
    torch.set_num_threads(1)
    checkpoint = arguments.weights or released_checkpoint_path()
    plan = Plan(
        weights_sha256=file_sha256(checkpoint), code=code_digest(),
        sentences=arguments.sentences, seeds=arguments.seeds,
        numerics=arguments.numerics, steps=arguments.steps,
    )  # fmt: skip
    weights = {checkpoint.name: str(checkpoint)} if arguments.weights else {}
    voices = [*make_targets(), *([] if arguments.person is None else [person_target(arguments.person)])]
    wanted = arguments.targets or [voice.name for voice in voices]
    if missing := set(wanted) - {voice.name for voice in voices}:
        parser.error(f"--targets {' '.join(sorted(missing))} needs --person FOLDER; `make person` fetches the clips")
    targets = [voice for voice in voices if voice.name in wanted]
    report = ablate(plan, targets, weights, arguments.output, instruments, cells)
    parser.exit(0, to_markdown(report))


def ablate(
    plan: Plan,
    targets: Sequence[Target],
    weights: dict[str, str],
    output: Path,
    instruments: Yardsticks,
    cells: Sequence[Cell] = CELLS,
) -> dict[str, Any]:
    """Make everything that is not there yet, measure it, write ablation.json, .md and .png, and return the report."""
    plan.keep_in(output)
    console = Console(stderr=True)
    sentences = test_sentences(plan.sentences)
    found: dict[str, Any] = {}
    artifacts = 0
    for target in targets:
        workshop = Workshop(target=target, folder=output / target.name, plan=plan, weights=weights, tell=console.print)
        for cell in cells:
            workshop.delta(cell)
        speaking = track(cells, description=f"{target.name}: speaking", console=console)
        paths = [path for cell in speaking for path in workshop.runs(cell, sentences)]
        artifacts += len(paths)
        measured = _measured(workshop, paths, sentences, output / "strangers", instruments, console)
        found[target.name] = {
            "description": target.description,
            "deltas": {
                cell.delta: _record(path)
                for cell in cells
                if cell.delta is not None and (path := workshop.delta(cell)) is not None
            },
            **summarise_target(measured, cells),
        }
    report = {
        "command": _command(plan),
        "evaluation": EVALUATION_VERSION,
        "plan": json.loads((output / "plan.json").read_text(encoding="utf-8")),
        "artifacts": artifacts,
        "cells": [cell.name for cell in cells],
        "cells_not_run": [cell.name for cell in CELLS if cell not in cells],
        "targets": found,
    }
    (output / "ablation.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (output / "ablation.md").write_text(to_markdown(report), encoding="utf-8")
    draw(report, output / "ablation.png")
    return report


def _measured(
    workshop: Workshop,
    paths: Sequence[Path],
    sentences: list[str],
    strangers: Path,
    instruments: Yardsticks,
    console: Console,
) -> dict[str, Any]:
    """Measure a target's artifacts, or return what was measured of exactly these."""
    clips = workshop.folder / "clips"
    yardsticks = replace(
        instruments,
        target=[read_clip(clip.path) for clip in reference_clips(workshop.target, clips)],
        others=[read_clip(clip.path) for clip in stranger_clips(strangers)],
        sources=[read_clip(clip.path, text=clip.text) for clip in source_clips(workshop.target, clips, sentences)],
    )
    kept = workshop.folder / "evaluation.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        of = [one["artifact_id"] for one in found["clips"]]
        known = (found["evaluation"], found["instruments"]) == (EVALUATION_VERSION, yardsticks.identity())
        if known and of == [ttsartifact.open(path).artifact_id for path in paths]:
            return found
    report = measure(
        (read_artifact(path) for path in track(paths, f"{workshop.target.name}: measuring", console=console)),
        yardsticks,
    )
    kept.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return report


def _record(delta: Path) -> Mapping[str, Any]:
    record: dict[str, Any] = json.loads(delta.with_suffix(".json").read_text(encoding="utf-8"))
    return {
        key: record.get(key) for key in ("config_digest", "delta", "steps", "stopped_early", "loss_micro", "quality")
    }


def _command(plan: Plan) -> str:
    words = ["python -m reference_runner.laboratory.ablation", f"--sentences {plan.sentences}", f"--seeds {plan.seeds}"]
    words += [f"--numerics {plan.numerics}"] * (plan.numerics != "native")
    words += [f"--steps {plan.steps}"] * (plan.steps is not None)
    return " ".join(words)


if __name__ == "__main__":
    main()
