"""What a residual of the style does to an adapted voice: a person's clips, adapted to without one and with one.

    python benchmarks/adapted_style.py --person .build/person --output benchmarks/results/adapted-style.md

`make person` fetches the clips. Each delta says held-out sentences in native numerics; WER and similarity by the
encoder of people are those of `evaluation/2`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # finds a checkout that is not installed

import torch
from given_voices import CLIPS, cells, header, listed
from voice_hearing import Hearing, given_clips, measure_ways

from reference_runner.adapting.adapt import adapt
from reference_runner.adapting.clips import TargetClip
from reference_runner.adapting.settings import AdaptationSettings
from reference_runner.evaluation.measuring import EVALUATION_VERSION
from reference_runner.evaluation.people_encoder import PeopleEncoder
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.laboratory.ablation.human import PERSON_ORIGIN, person_target
from reference_runner.laboratory.ablation.making import code_digest
from reference_runner.laboratory.ablation.targets import test_sentences
from reference_runner.model.adapted import apply_delta
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.synthesizer import Synthesizer

STYLE_STEPS = (0, 120)


def main() -> None:
    """Adapt, speak, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--person", type=Path, default=Path(".build/person"), help="the folder of `make person`")
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--output", type=Path, default=None, help="the Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint, voice = load_checkpoint(), person_target(arguments.person)
    with tempfile.TemporaryDirectory(prefix="adapted-style-") as name:
        folder, ways = Path(name), []
        clips = [
            TargetClip(path=str(clip.path), transcript=clip.text, provenance=PERSON_ORIGIN)
            for clip in given_clips(voice, folder)
        ]
        for steps in STYLE_STEPS:
            settings = AdaptationSettings(style_steps=steps)
            delta = adapt(checkpoint, clips, settings, seed=1, out=folder / f"{steps}.safetensors")
            ways.append(Hearing(name=str(steps), synthesizer=Synthesizer(apply_delta(checkpoint, delta))))
        yardsticks = {"recognizer": Recognizer(), "people": PeopleEncoder()}
        found = measure_ways(ways, voice, folder, test_sentences(arguments.sentences), yardsticks)
    rows = [cells(steps, listed(figures)) for steps, figures in found.items()]
    page = "\n".join(
        [
            "# A residual of the style in an adaptation",
            "",
            f"`{' '.join(['python benchmarks/adapted_style.py', *sys.argv[1:]])}`",
            "",
            f"Weights `sha256:{checkpoint.digest}`,",
            f"code `{code_digest()}`, {EVALUATION_VERSION}, native numerics.",
            f"A person's {CLIPS} clips, {arguments.sentences} held-out sentences, {AdaptationSettings().steps} steps.",
            "",
            *header("`style_steps`", "WER", "similarity, people's encoder"),
            *rows,
            "",
        ]
    )
    if arguments.output:
        arguments.output.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
