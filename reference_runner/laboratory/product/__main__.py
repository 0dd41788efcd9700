"""Speaks as a user does, with any checkpoint, measures every artifact, and holds the figures against a release's gates.

python -m reference_runner.laboratory.product --output .build/evaluation
python -m reference_runner.laboratory.product --sentences 8 --seeds 1 --weights new.safetensors \
    --against old/evaluation.json --output new

It goes on where it was stopped. `--artifacts` measures other engines' artifacts of the same sentences beside them;
OUTPUT/sentences.txt has a sentence a line.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import track

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.evaluation.measuring import EVALUATION_VERSION, Yardsticks, measure
from reference_runner.evaluation.naturalness import Naturalness
from reference_runner.evaluation.people_encoder import PeopleEncoder
from reference_runner.evaluation.recognizer import Recognizer
from reference_runner.evaluation.recordings import read_artifact, read_clip
from reference_runner.evaluation.sharing import shared
from reference_runner.evaluation.speaker_encoder import SpeakerEncoder
from reference_runner.laboratory.ablation.making import Plan, code_digest, file_sha256
from reference_runner.laboratory.product import systems
from reference_runner.laboratory.product.figures import changes, gates, slopes
from reference_runner.laboratory.product.material import Material
from reference_runner.laboratory.product.report import to_markdown
from reference_runner.laboratory.product.speed import Speed, speed_of
from reference_runner.laboratory.product.systems import Part
from reference_runner.laboratory.product.trials import Studio, Trial
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path
from reference_runner.model.config import DEFAULT_PRIOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.evaluation.recordings import Recording
    from reference_runner.laboratory.ablation.targets import Clip
    from reference_runner.laboratory.product.material import Asked

__all__ = ["Wanted", "evaluate", "main"]

_SENTENCES, _SEEDS = 50, 3
_USUAL = tuple(part for part in Part if part is not Part.ADAPTED)
_PROMPTS = "prompts"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is evaluated, and how thoroughly."""

    checkpoint: Path
    released: bool
    sentences: int
    seeds: int
    numerics: str
    parts: tuple[Part, ...]
    person: Path | None
    artifacts: tuple[Path, ...]
    output: Path
    material: Path
    jobs: int = 1
    """Processes that speak and measure."""

    def plan(self) -> Plan:
        """Return what one folder holds one of."""
        return Plan(
            weights_sha256=file_sha256(self.checkpoint), code=code_digest(), sentences=self.sentences,
            seeds=self.seeds, numerics=self.numerics, steps=None,
        )  # fmt: skip

    def weights(self) -> dict[str, str]:
        """Return the weights that a run is given: none for the released ones."""
        return {} if self.released else {self.checkpoint.name: str(self.checkpoint)}


@stopping_in_a_sentence("reference_runner.laboratory.product")
def main() -> None:
    """Speak, measure, judge, write."""
    parser = argparse.ArgumentParser(
        prog="python -m reference_runner.laboratory.product", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--weights", type=Path, help="a checkpoint instead of the released one")
    parser.add_argument("--sentences", type=int, default=_SENTENCES)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    parser.add_argument("--numerics", choices=("native", "exact"), default="native")
    parser.add_argument(
        "--parts", nargs="+", type=Part, choices=tuple(Part), default=_USUAL, metavar="PART",
        help=f"of {', '.join(Part)}; all but adapted, where none is named",
    )  # fmt: skip
    parser.add_argument("--person", type=Path, help="a folder of a person's clips: the voice that is asked for")
    parser.add_argument("--artifacts", nargs="+", type=Path, default=[], metavar="FILE", help="of other engines")
    parser.add_argument("--against", type=Path, metavar="JSON", help="an evaluation to compare with")
    parser.add_argument("--jobs", type=int, default=1, help="processes that speak and measure; the figures stay")
    parser.add_argument(
        "--material", type=Path, metavar="FOLDER",
        help="of sources, prompts and clips; one for evaluations that are compared, for flite never says a thing twice",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=Path(".build/evaluation"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wanted = Wanted(
        checkpoint=arguments.weights or released_checkpoint_path(), released=arguments.weights is None,
        sentences=arguments.sentences, seeds=arguments.seeds, numerics=arguments.numerics,
        parts=tuple(arguments.parts), person=arguments.person, artifacts=tuple(arguments.artifacts),
        output=arguments.output, material=arguments.material or arguments.output / "material", jobs=arguments.jobs,
    )  # fmt: skip
    old = json.loads(arguments.against.read_text(encoding="utf-8")) if arguments.against else None
    # First, for a missing package is better known before the work than after it.
    instruments = Yardsticks(
        recognizer=Recognizer(), encoder=SpeakerEncoder(), people=PeopleEncoder(), naturalness=Naturalness()
    )
    report = {"command": " ".join(sys.argv[1:]), **evaluate(wanted, instruments)}
    report["changes"] = changes(report, old) if old else []
    content = json.dumps(report, indent=1, sort_keys=True) + "\n"
    (wanted.output / "evaluation.json").write_text(content, encoding="utf-8")
    (wanted.output / "evaluation.md").write_text(to_markdown(report), encoding="utf-8")
    parser.exit(0, to_markdown(report))


def evaluate(wanted: Wanted, instruments: Yardsticks) -> dict[str, Any]:
    """Make every run that is not there yet, measure all, and return the report."""
    wanted.plan().keep_in(wanted.output)
    material = Material(wanted.material, sentences=wanted.sentences)
    (wanted.output / "sentences.txt").write_text("\n".join(material.sentences) + "\n", encoding="utf-8")
    asked = material.asked(wanted.person)
    studio = Studio(
        folder=wanted.output / "runs", weights=wanted.weights(), numerics=wanted.numerics, origin=asked.origin
    )
    return _Evaluation(wanted, instruments, material, asked, studio).report()


class _Evaluation:
    """One evaluation as it goes on."""

    def __init__(
        self, wanted: Wanted, instruments: Yardsticks, material: Material, asked: Asked, studio: Studio
    ) -> None:
        self._wanted, self._instruments, self._material = wanted, instruments, material
        self._asked, self._studio = asked, studio
        self._priors = [prior.speaker for prior in load_checkpoint(wanted.checkpoint).priors]
        self._texts = material.sentences
        self._console = Console(stderr=True)

    def report(self) -> dict[str, Any]:
        """Return everything that was found."""
        listened, speed = self._listened()
        rated = self._rated()
        plain, groups = self._plain()
        clips = [*listened["clips"], *rated["clips"], *plain["clips"]]
        found = {
            "evaluation": EVALUATION_VERSION,
            "instruments": self._instruments.identity(),
            "plan": json.loads((self._wanted.output / "plan.json").read_text(encoding="utf-8")),
            "parts": [str(part) for part in self._wanted.parts],
            "asked": {"name": self._asked.name, "description": self._asked.description},
            "priors": self._priors,
            "baselines": listened["baselines"],
            "strangers": self._strangers(),
            "speed": speed.to_dict() if speed else None,
            "systems": {**listened["systems"], **rated["systems"], **plain["systems"]},
            "clips": clips,
            "manner_slopes": {
                name: None if slope is None else slope.to_dict()
                for name, slope in (slopes(clips, groups, _PROMPTS) if groups else {}).items()
            },
        }
        return {**found, "gates": gates(found)}

    def _has(self, part: Part) -> bool:
        return part in self._wanted.parts

    def _few(self, share: int, least: int) -> list[str]:
        return self._texts[: systems.few(len(self._texts), share=share, least=least)]

    def _speak(self, trials: Sequence[Trial], what: str) -> list[Path]:
        with shared(self._studio.speak, self._wanted.jobs) as each_of:
            return list(track(each_of(trials), description=what, total=len(trials), console=self._console))

    def _measure(self, recordings: Sequence[Recording], yardsticks: Yardsticks, what: str) -> dict[str, Any]:
        progress = track(recordings, description=what, console=self._console)
        return measure(progress, yardsticks, jobs=self._wanted.jobs)

    def _listened(self) -> tuple[dict[str, Any], Speed | None]:
        """Return what is measured by every instrument, beside the source; and how fast the built-in voice was."""
        seeds, texts, asked = self._wanted.seeds, self._texts, self._asked
        trials: list[Trial] = []
        if self._has(Part.VOICE):
            trials += systems.voice_trials(systems.VOICE, texts, seeds)
        if self._has(Part.NOISE):
            trials += systems.voice_trials(systems.ZERO_SHOT, texts, seeds, timbre=asked.given)
            trials += systems.voice_trials(systems.ZERO_SHOT_NOISY, texts, seeds, timbre=asked.noisy)
        if self._has(Part.ADAPTED):
            for system, given in ((systems.ADAPTED, asked.given), (systems.ADAPTED_NOISY, asked.noisy)):
                trials += systems.voice_trials(system, texts, seeds, delta=self._studio.adapt(system, given))
        paths = self._speak(trials, "speaking")
        speed = speed_of(path for path in paths if path.parent.name == systems.VOICE)
        sources = self._material.sources(self._priors[DEFAULT_PRIOR], texts) or []
        yardsticks = self._with(target=asked.references, others=self._material.strangers(), sources=sources)
        recordings = [read_artifact(path) for path in (*paths, *self._wanted.artifacts)]
        return self._measure(recordings, yardsticks, "listening"), speed

    def _rated(self) -> dict[str, Any]:
        """Return how natural sources, priors and the given clips are."""
        recordings = [read_clip(clip.path, text=clip.text) for clip in self._asked.references]
        if self._has(Part.PRIORS):
            few = self._few(8, 1)
            for speaker in dict.fromkeys(self._priors):
                clips = self._material.sources(speaker, few) or []
                recordings += [read_clip(clip.path, text=clip.text) for clip in clips]
            paths = self._speak(systems.prior_trials(few, len(self._priors)), "speaking as each prior")
            recordings += [read_artifact(path) for path in paths]
        return self._measure(recordings, Yardsticks(naturalness=self._instruments.naturalness), "rating")

    def _plain(self) -> tuple[dict[str, Any], list[list[tuple[str, str]]]]:
        """Return the manners of prompts and outputs, and which outputs follow the prompts in order."""
        groups: list[list[Trial]] = []
        recordings, paths = [], []
        if self._has(Part.MANNER):
            prompts = self._material.prompts()
            recordings += [read_clip(clip.path, text=clip.text) for clip in prompts]
            groups = systems.manner_trials(self._few(8, 2), prompts)
            paths += self._speak([trial for group in groups for trial in group], "speaking after prompts")
        if self._has(Part.SESSIONS):
            trials = systems.session_trials(self._few(8, 3), self._material.session_clips())
            paths += self._speak(trials, "speaking over sessions")
        recordings += [read_artifact(path) for path in paths]
        plain = self._measure(recordings, Yardsticks(), "measuring")
        return plain, [[(trial.system, Path(trial.file).name) for trial in group] for group in groups]

    def _with(self, *, target: Sequence[Clip], others: Sequence[Clip], sources: Sequence[Clip]) -> Yardsticks:
        """Return all instruments with what recordings are held against."""
        have = self._instruments
        return Yardsticks(
            recognizer=have.recognizer, encoder=have.encoder, people=have.people, naturalness=have.naturalness,
            front_end=have.front_end,
            target=[read_clip(clip.path) for clip in target],
            others=[read_clip(clip.path) for clip in others],
            sources=[read_clip(clip.path, text=clip.text) for clip in sources],
        )  # fmt: skip

    def _strangers(self) -> list[dict[str, Any]]:
        """Return how near each of the other voices is to the one that is asked for."""
        instruments = self._instruments
        asked = instruments.voice([read_clip(clip.path) for clip in self._asked.references])
        return [
            {"name": clip.path.stem, **instruments.voice([read_clip(clip.path)]).similarity(asked)}
            for clip in self._material.strangers()
        ]


if __name__ == "__main__":
    main()
