"""Every run of the evaluation: its text, its voice and its manner, made as a user makes one, and never twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ttsartifact
from reference_runner.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reference_runner.laboratory.ablation.targets import Clip

__all__ = ["Studio", "Trial"]

RUNNER = "stable-tts"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One run."""

    system: str
    """What it is compared under, and the folder that its artifact is in."""
    number: int
    """Of its text, and of its prompt where the texts are fewer."""
    text: str
    seed: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timbre: tuple[Clip, ...] = ()
    """Clips of the voice that is asked for; none is the checkpoint's own."""
    manner: Clip | None = None
    """The clip whose manner is continued."""
    delta: Path | None = None
    session: str = "evaluation"

    @property
    def file(self) -> str:
        """Its path under the folder of runs."""
        return f"{self.system}/{self.number:03d}-{self.seed}.tts.wav"


@dataclass(frozen=True, kw_only=True, slots=True)
class Studio:
    """Where runs are made, with which weights and numerics."""

    folder: Path
    weights: Mapping[str, str]
    """Weight files by name; empty for the released checkpoint."""
    numerics: str
    origin: Mapping[str, str]
    """Of the clips that are lent."""

    def speak(self, trial: Trial) -> Path:
        """Return the artifact of a trial, made and verified where it is not there yet."""
        path = self.folder / trial.file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}")
            options = self._options(trial)
            ttsartifact.run_runner(RUNNER, trial.text, unfinished, options, session=trial.session)
            _verify(unfinished)
            unfinished.replace(path)
        return path

    def adapt(self, name: str, clips: Sequence[Clip]) -> Path:
        """Return the delta of clips, learnt where it is not there yet."""
        path = self.folder.parent / "deltas" / f"{name}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            given = [
                ttsartifact.AdaptationClip(path=str(clip.path), transcript=clip.text, provenance=dict(self.origin))
                for clip in clips
            ]
            ttsartifact.adapt_voice(RUNNER, given, path, seed=1, weights=dict(self.weights))
        return path

    def _options(self, trial: Trial) -> ttsartifact.RunOptions:
        references = [self._reference(clip, "timbre") for clip in trial.timbre]
        parameters = {"numerics": self.numerics, "repeat": False, **trial.parameters}
        if trial.manner is not None:
            references.append(self._reference(trial.manner, "prosody"))
            parameters |= {"prompt": "clip", "prompt_text": trial.manner.text}
        return ttsartifact.RunOptions(
            references=references,
            seed=trial.seed,
            parameters=parameters,
            weights=dict(self.weights) | ({trial.delta.name: str(trial.delta)} if trial.delta else {}),
            replace=True,
            say=lambda _: None,
        )

    def _reference(self, clip: Clip, role: str) -> ttsartifact.Reference:
        return ttsartifact.Reference(path=clip.path, role=role, origin=dict(self.origin), transcript=clip.text)


def _verify(path: Path) -> None:
    """Raise EvaluationError for an artifact that does not hold what it says."""
    (report,) = ttsartifact.verify(path)
    if not report.conformant:
        found = ", ".join(finding.rule for finding in report.failures)
        raise EvaluationError(f"{path}: {report.verdict}, failed {found or 'nothing'}")
