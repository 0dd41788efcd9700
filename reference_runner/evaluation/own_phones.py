"""The phones of a run of this runner as the run itself made them: its phoneme and duration stages, made again.

An aligner estimates where a phone lies; the runner decided it. The stages before the mel are repeated under the run's
own conditions and must have the digests that the artifact states (/generation/stages), so that what is returned is
what was spoken, and not what would be spoken today.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from reference_runner import __version__
from reference_runner.errors import EvaluationError
from reference_runner.frontend.phones import PAUSE
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.stable_tts import StableTtsRunner
from reference_runner.synthesis.stations import Station
from reference_runner.synthesis.synthesizer import Synthesizer
from ttsartifact import Request
from ttsartifact import open as open_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.synthesis.stations import Hook, Passing
    from ttsartifact import Artifact

__all__ = ["TOOL", "own_phones", "own_phones_document"]

TOOL = {"name": "reference_runner.stages", "version": __version__, "on": "phoneme and duration of /generation/stages"}
"""What pins a document of such phones; which weights spoke, each run states itself."""
_FIRST_STAGES = ("text", "phoneme", "prosody_tokens", "duration")
_UNHEARD = {"steps": 0, "repeat": False, "warmup": 0, "compile": "none"}
"""Parameters that change nothing before the mel, at their cheapest."""


class _Watched(StableTtsRunner):
    """The runner, with a look at what passes its phoneme and duration stations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.durations: list[int] = []

    def _synthesizer_of(self, checkpoint: Checkpoint, request: Request) -> Synthesizer:
        del request
        hooks: dict[Station, Hook] = {Station.PHONEME: self._phones, Station.DURATION: self._durations}
        return Synthesizer(checkpoint, hooks=hooks)

    def _phones(self, _: Passing, value: Any) -> Any:
        self.names += [phone.name for phone in value.phones]
        return value

    def _durations(self, _: Passing, value: Any) -> Any:
        self.durations += [int(frames) for frames in value]
        return value


def own_phones(path: Path) -> list[tuple[str, int, int]]:
    """Return (phone, first frame, frames) of a run of stable-tts, at the rate of its audio; pauses are left out.

    Raises:
        EvaluationError: The run is of another engine, does not hold what it was made of, was changed on purpose, or
            its stages do not come out again.
    """
    artifact = open_artifact(path)
    known = artifact.descriptor.known
    stated = {each["stage"]: each["digest"] for each in known("/generation/stages") or []}
    _refuse(path, artifact, stated)
    with tempfile.TemporaryDirectory() as folder:
        runner = _Watched()
        runner.prepare(_request(path, artifact, folder, runner))
        for _ in runner.stream():
            pass
        found = {each["stage"]: each["digest"] for each in runner.finish().stages}
    differs = next((stage for stage in _FIRST_STAGES if found[stage] != stated[stage]), None)
    if differs is not None:
        raise EvaluationError(f"stage {differs} does not come out again: other weights, or another machine's numerics",
                              where=os.fspath(path))  # fmt: skip
    hop = FEATURE_SETTINGS.hop_samples
    ends = [0]
    for frames in runner.durations:
        ends.append(ends[-1] + frames * hop)
    if ends[-1] != known("/audio/frames"):
        raise EvaluationError(
            f"the sound has {known('/audio/frames')} frames, its phones {ends[-1]}", where=os.fspath(path)
        )
    placed = zip(runner.names, ends[:-1], ends[1:], strict=True)
    return [(name, start, end - start) for name, start, end in placed if name != PAUSE and end > start]


def _refuse(path: Path, artifact: Artifact, stated: dict[str, str]) -> None:
    known = artifact.descriptor.known
    why = None
    if known("/generation/runner/name") != StableTtsRunner.name or any(stage not in stated for stage in _FIRST_STAGES):
        why = "is not a run of stable-tts: its phones are found by the aligner alone"
    elif isinstance(known("/imperfection"), dict):
        why = "was made imperfect on purpose: its sound is not the one of its stages"
    elif not isinstance(known("/input/text/value"), str):
        why = "does not hold its text"
    elif known("/pins/adaptation") is not None:
        why = "speaks with an adapted voice, whose delta is not in it"
    if why is not None:
        raise EvaluationError(f"{os.path.basename(path)} {why}", where=os.fspath(path))


def _request(path: Path, artifact: Artifact, folder: str, runner: StableTtsRunner) -> Request:
    known = artifact.descriptor.known
    clips, roles = [], []
    for place, entry in enumerate(known("/input/refs") or []):
        if not entry["embedded"]:
            raise EvaluationError(f"{os.path.basename(path)} does not hold its reference clip {place}",
                                  where=os.fspath(path))  # fmt: skip
        clips.append(os.path.join(folder, f"clip-{place}"))
        roles.append(entry["role"])
        with open(clips[-1], "wb") as file:
            file.write(artifact.parts.part(f"ref/{place}"))
    return Request(
        text=known("/input/text/value"),
        parameters=runner.describe().checked(known("/generation/params") | _UNHEARD, again=True),
        seeds={
            each["stage"]: int(each["effective"])
            for each in known("/generation/seeds") or []
            if isinstance(each["effective"], str)  # an absence otherwise
        },
        references=tuple(clips),
        roles=tuple(roles),
    )


def own_phones_document(files: Sequence[Path]) -> dict[str, Any]:
    """Return the document of measurements of the runs of this runner."""
    from rich.progress import track

    runs = {
        open_artifact(path).artifact_id: {"phones": own_phones(path)}
        for path in track(files, description="repeating stages")
    }
    return {"schema": "urn:ttsartifact:1.0:measurements", "tool": TOOL, "runs": runs}
