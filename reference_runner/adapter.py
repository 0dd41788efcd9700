"""The adapter of `stable_tts`: clips of a voice become a delta that the runner takes beside its weights.

Nothing here imports torch before an adaptation begins, so that its parameters can be listed cheaply.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reference_runner.adapting.settings import RANGES, AdaptationSettings
from reference_runner.refusals import as_refusals, require_packages
from ttsartifact import (
    AdaptationRecipe,
    AdaptationRequest,
    Adapted,
    Parameter,
    RecordedClip,
    Refused,
    RunnerInfo,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_runner.model.checkpoint import Checkpoint

__all__ = ["PARAMETERS", "StableTtsAdapter"]

_USUAL = AdaptationSettings().parameters()


def _whole(name: str, words: str) -> Parameter:
    lowest, highest = RANGES[name]
    return Parameter(name=name, kind=int, default=_USUAL[name], minimum=lowest, maximum=highest, help=words)


PARAMETERS = (
    _whole("steps", "of the noise estimator, at most"),
    _whole("learning_rate_micro", "the highest learning rate, in millionths"),
    Parameter(
        name="preserve",
        kind=bool,
        default=_USUAL["preserve"],
        help="whether the prior samples are learnt together with the target",
    ),
    _whole("preserve_milli", "the weight of their loss, in thousandths of the target's"),
    _whole("style_steps", "of the residual of the style"),
    _whole("rank", "of the change of each of its matrices"),
    Parameter(
        name="threads",
        kind=int,
        default=1,
        minimum=1,
        maximum=64,
        help="of the CPU; they change the time it takes and not the delta",
    ),
)
_PLACES = {f"adaptation.{parameter.name}": f"/generation/params/{parameter.name}" for parameter in PARAMETERS} | {
    "adaptation.clips": "/input/refs",
    "adaptation.seed": "/pins/adaptation/seed",
}
_CLIPS_MAXIMUM = 20


class StableTtsAdapter:
    """A checkpoint that learns a voice."""

    def describe(self) -> RunnerInfo:
        """Name the engine and every parameter of its training."""
        return RunnerInfo(
            name="stable-tts",
            version="1.0.0",
            parameters=PARAMETERS,
            seed_stages=("adaptation",),
            references=(1, _CLIPS_MAXIMUM),
        )

    def adapt(self, request: AdaptationRequest, on_step: Callable[[int, int], None] | None = None) -> Adapted:
        """Write the delta; equal requests give equal bytes, whatever threads and kernels compute them."""
        require_packages("stable-tts", ("torch", "safetensors"))
        from reference_runner import conditions
        from reference_runner.adapting.adapt import adapt
        from reference_runner.adapting.clips import TargetClip

        parameters = dict(request.parameters)
        conditions.set_threads(parameters.pop("threads", 1))
        clips = [
            TargetClip(path=os.fspath(clip.path), transcript=clip.transcript, provenance=clip.provenance)
            for clip in request.clips
        ]
        with as_refusals(_PLACES):
            settings = AdaptationSettings(**parameters)
            checkpoint = _base(request)
            delta = adapt(checkpoint, clips, settings, seed=request.seed, out=Path(request.out), on_step=on_step)
        return Adapted(delta=delta.digest, record=delta.record(), references=delta.references)

    def recipe(self, delta: str) -> AdaptationRecipe:
        """Return the settings that a delta states; its chain is recomputed first."""
        require_packages("stable-tts", ("torch", "safetensors"))
        from reference_runner.model.delta import read_delta

        with as_refusals(_PLACES):
            found = read_delta(Path(delta))
        try:
            parameters = AdaptationSettings.from_json(found.config).parameters()
        except (ValueError, TypeError) as error:
            raise Refused(f"made with a different recipe: {error}", where="/pins/adaptation/config_digest") from error
        return AdaptationRecipe(
            base=found.base,
            clips=tuple(
                RecordedClip(
                    digest=clip["reference"]["digest"],
                    transcript=clip["transcript"],
                    provenance=clip["reference"]["origin"],
                )
                for clip in found.clips
            ),
            seed=int(found.seed),
            parameters=parameters,
        )


def _base(request: AdaptationRequest) -> Checkpoint:
    """Read the checkpoint to start from: the one that was given, or the released one."""
    from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path

    if len(request.weights) > 1:
        raise Refused("stable-tts adapts one weight file", where="/pins/model/files", found=len(request.weights))
    if request.weights:
        return load_checkpoint(Path(next(iter(request.weights.values()))))
    if not released_checkpoint_path().is_file():
        raise Unavailable("the released checkpoint is not installed", found=f"no {released_checkpoint_path().name}")
    return load_checkpoint()
