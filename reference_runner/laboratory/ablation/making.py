"""Makes what the ablation compares: deltas, then an artifact a cell, sentence and seed; nothing is made twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ttsartifact
from reference_runner.conditions import source_digest
from reference_runner.errors import EvaluationError
from reference_runner.laboratory.ablation.targets import NOISE_RECIPE, first_clips

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reference_runner.laboratory.ablation.cells import Cell
    from reference_runner.laboratory.ablation.targets import Clip, Target

__all__ = ["Plan", "Workshop", "code_digest", "file_sha256"]

RUNNER = "stable-tts"
_REFERENCES_MAXIMUM = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is made; one folder holds one plan."""

    weights_sha256: str
    code: str
    """A digest over the code that adapts and speaks: no delta or artifact of another code is taken for this one's."""
    sentences: int
    seeds: int
    numerics: str
    steps: int | None
    """Of every adaptation at most; None for the cells' own."""
    noise: str = NOISE_RECIPE

    def keep_in(self, folder: Path) -> None:
        """Write the plan into the folder; raises EvaluationError where another one lies there."""
        folder.mkdir(parents=True, exist_ok=True)
        path, content = folder / "plan.json", json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") != content:
            raise EvaluationError(f"{path} is another plan; give another --output, or remove that one")
        path.write_text(content, encoding="utf-8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Workshop:
    """A target's folder, and what is made in it."""

    target: Target
    folder: Path
    plan: Plan
    weights: dict[str, str]
    """Weight files by name; empty for the released checkpoint."""
    tell: Callable[[str], None]

    def clips(self, cell: Cell) -> list[Clip]:
        """Return the clips that a cell is given."""
        if cell.clips is None:
            return []
        return first_clips(self.target, self.folder / "clips", cell.clips)

    def delta(self, cell: Cell) -> Path | None:
        """Adapt, or return the delta that lies there."""
        if cell.delta is None:
            return None
        path = self.folder / "deltas" / f"{cell.delta}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.tell(f"{self.target.name}: adapting {cell.delta}")
            steps = min(each for each in (cell.steps, self.plan.steps) if each is not None)
            parameters: dict[str, Any] = {"preserve": cell.adaptation == "kept", "steps": steps}
            adapted = ttsartifact.adapt_voice(
                RUNNER,
                [
                    ttsartifact.AdaptationClip(
                        path=str(clip.path), transcript=clip.text, provenance=dict(self.target.provenance)
                    )
                    for clip in self.clips(cell)
                ],
                path,
                seed=1,
                parameters=parameters,
                weights=self.weights,
            )
            record = json.dumps(adapted.record, indent=1, sort_keys=True)
            path.with_suffix(".json").write_text(record + "\n", encoding="utf-8")
        return path

    def runs(self, cell: Cell, sentences: list[str]) -> list[Path]:
        """Speak every sentence with every seed, and let each file be verified; return them in order."""
        made = []
        delta = self.delta(cell)
        for number, sentence in enumerate(sentences):
            for seed in range(1, self.plan.seeds + 1):
                path = self.folder / "runs" / cell.name / f"{number:02d}-{seed}.tts.wav"
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self._speak(cell, sentence, seed, path, delta)
                    self._verify(path)
                made.append(path)
        return made

    def _speak(self, cell: Cell, sentence: str, seed: int, path: Path, delta: Path | None) -> None:
        clips = self.clips(cell)
        references = [] if delta else [self._reference(clip) for clip in clips[:_REFERENCES_MAXIMUM]]
        parameters: dict[str, Any] = {"numerics": self.plan.numerics, "repeat": False}
        if cell.prompt == "self":
            references.append(self._reference(clips[0], role="prosody"))
            parameters |= {"prompt": "clip", "prompt_text": clips[0].text}
        weights = self.weights | ({delta.name: str(delta)} if delta else {})
        unfinished = path.with_name(f".{path.name}")
        ttsartifact.run_runner(
            RUNNER,
            sentence,
            unfinished,
            ttsartifact.RunOptions(
                references=references,
                seed=seed,
                parameters=parameters,
                weights=weights,
                replace=True,
                say=lambda _: None,
            ),
            session=cell.name,
        )
        unfinished.replace(path)

    def _reference(self, clip: Clip, *, role: str = "timbre") -> ttsartifact.Reference:
        origin = dict(self.target.provenance)
        return ttsartifact.Reference(path=clip.path, role=role, origin=origin, transcript=clip.text)

    @staticmethod
    def _verify(path: Path) -> None:
        (report,) = ttsartifact.verify(path)
        if not report.conformant:
            found = ", ".join(finding.rule for finding in report.failures)
            raise EvaluationError(f"{path}: {report.verdict}, failed {found or 'nothing'}")


def code_digest() -> str:
    """Return the digest over every file that decides what a delta or a run holds."""
    return source_digest("adapting", "adapter.py")


def file_sha256(path: Path) -> str:
    """Return the digest of a file, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
