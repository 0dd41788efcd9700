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

import numpy as np
import torch
from given_voices import NATIVE, cells, header, listed, numbered

from reference_runner.adapting.adapt import adapt
from reference_runner.adapting.clips import TargetClip
from reference_runner.adapting.settings import AdaptationSettings
from reference_runner.evaluation.measuring import EVALUATION_VERSION, Yardsticks, measure
from reference_runner.evaluation.people_encoder import PeopleEncoder
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.recordings import read_clip
from reference_runner.laboratory.ablation.cells import ClipSet, Condition
from reference_runner.laboratory.ablation.human import PERSON_ORIGIN, person_target
from reference_runner.laboratory.ablation.making import code_digest
from reference_runner.laboratory.ablation.targets import first_clips, reference_clips, spoken, test_sentences
from reference_runner.model.adapted import apply_delta
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.synthesis.request import SynthesisRequest
from reference_runner.synthesis.synthesizer import Synthesizer

CLIPS = 7
STYLE_STEPS = (0, 120)


def main() -> None:
    """Adapt, speak, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--person", type=Path, default=Path(".build/person"), help="the folder of `make person`")
    parser.add_argument("--sentences", type=int, default=12)
    parser.add_argument("--output", type=Path, default=None, help="the Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint, voice, recordings = load_checkpoint(), person_target(arguments.person), []
    texts = test_sentences(arguments.sentences)
    with tempfile.TemporaryDirectory(prefix="adapted-style-") as name:
        folder = Path(name)
        given = first_clips(voice, folder / "given", ClipSet(count=CLIPS, condition=Condition.CLEAN))
        wanted = [read_clip(clip.path) for clip in reference_clips(voice, folder / "references")]
        clips = [TargetClip(path=str(clip.path), transcript=clip.text, provenance=PERSON_ORIGIN) for clip in given]
        for steps in STYLE_STEPS:
            settings = AdaptationSettings(style_steps=steps)
            delta = adapt(checkpoint, clips, settings, seed=1, out=folder / f"{steps}.safetensors")
            synthesizer = Synthesizer(apply_delta(checkpoint, delta))

            def say(words: str, synthesizer: Synthesizer = synthesizer) -> np.ndarray:
                asked = SynthesisRequest(text=words, **NATIVE)
                return np.concatenate([chunk.pcm for chunk in synthesizer.speak(asked)])

            said = [spoken(say, path, text) for path, text in numbered(folder / str(steps), texts)]
            recordings += [read_clip(clip.path, text=clip.text) for clip in said]
        yardsticks = Yardsticks(target=wanted, recognizer=Recognizer(), people=PeopleEncoder())
        systems = measure(recordings, yardsticks)["systems"]
    rows = [
        cells(
            str(steps),
            listed([system["word_errors"]["wer"], system["voice"]["people_similarity"]["mean"]]),
        )
        for steps, system in ((steps, systems[str(steps)]) for steps in STYLE_STEPS)
    ]
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
