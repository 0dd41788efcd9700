"""Adapts a checkpoint to a voice: hear, measure, align, find a style, learn with the prior samples, write the delta.

settings = AdaptationSettings(steps=200)
delta = adapt(load_checkpoint(), clips, settings, seed=1, out=Path("voice.safetensors"))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from reference_runner import __version__, conditions
from reference_runner.adapting.clips import hear_clips
from reference_runner.adapting.fine_tuning import FineTuned, fine_tune, learn_style, on_grid
from reference_runner.adapting.quality import measure_clip
from reference_runner.adapting.utterances import of_clip, of_prior
from reference_runner.errors import CheckpointError, DeviceUnavailable, ReferenceClipError, RequestError
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.adapted import load_delta
from reference_runner.model.config import MODEL_FAMILY
from reference_runner.model.delta import STYLE_GRID_BITS, Delta, DeltaFile, save_delta, transcript_digest
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics import kat
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.noise import SEED_LIMIT
from reference_runner.numerics.plain import PlainOps
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.transcription import Transcriber
from ttsartifact import Reference, absent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from reference_runner.adapting.clips import TargetClip
    from reference_runner.adapting.quality import ClipQuality
    from reference_runner.adapting.settings import AdaptationSettings
    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.integers import IntegerOps
    from reference_runner.numerics.ops import Activation
    from reference_runner.synthesis.references import HeardReference
    from reference_runner.synthesis.transcription import TranscribedClip

__all__ = ["Learnt", "adapt", "learn"]

ALIGNING_PASSES = 2
PRIOR_MEDIA_TYPE = "application/vnd.ttsartifact.stable-tts-prior"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Learnt:
    """A voice before it is written down."""

    heard: tuple[HeardReference, ...]
    quality: tuple[ClipQuality, ...]
    style: torch.Tensor
    """(S,), on its grid."""
    tuned: FineTuned


def adapt(
    checkpoint: Checkpoint,
    clips: Sequence[TargetClip],
    settings: AdaptationSettings,
    *,
    seed: int,
    out: Path,
    on_step: Callable[[int, int], None] | None = None,
) -> DeltaFile:
    """Write the delta that speaks in the clips' voice and return it; equal arguments give equal bytes."""
    learnt = learn(checkpoint, clips, settings, seed=seed, on_step=on_step)
    delta = Delta(
        base=f"sha256:{checkpoint.digest}",
        model_family=MODEL_FAMILY,
        clips=tuple(_clip(*facts) for facts in zip(clips, learnt.heard, learnt.quality, strict=True)),
        priors=tuple({"reference": _prior_reference(prior)} for prior in checkpoint.priors if settings.preserve),
        config=settings.to_json(voice_encoder=checkpoint.voice.digest if checkpoint.voice else None),
        seed=str(seed),
        steps=learnt.tuned.steps,
        stopped_early=learnt.tuned.stopped_early,
        curve=learnt.tuned.curve,
        code_version=__version__,
        style=learnt.style,
        change=learnt.tuned.change,
    )
    save_delta(out, delta)
    return load_delta(out, checkpoint)


def learn(
    checkpoint: Checkpoint,
    clips: Sequence[TargetClip],
    settings: AdaptationSettings,
    *,
    seed: int,
    on_step: Callable[[int, int], None] | None = None,
) -> Learnt:
    """Hear and measure the clips and learn their voice, without writing anything."""
    if checkpoint.adaptation is not None:
        raise CheckpointError("a checkpoint that is adapted already", where=checkpoint.name)
    if not 0 <= seed < SEED_LIMIT:
        raise RequestError(f"got {seed}, expected 0 to 2**64-1", where="adaptation.seed")
    if not checkpoint.priors:
        raise CheckpointError(
            "the checkpoint has no prior samples, which adaptation needs for monitoring", where=checkpoint.name
        )
    heard = hear_clips(clips)
    settle()
    model, priors = checkpoint.model, checkpoint.priors
    with torch.no_grad():
        encoder = checkpoint.voice.encoder if checkpoint.voice else None
        transcriber = Transcriber(model, _exact(model, encoder), TextFrontEnd(), voice_encoder=encoder)
        kept = [of_prior(prior, transcriber) for prior in priors]
        ops = transcriber.ops
        given = transcriber.voice_style(heard)
        transcribed = _transcribe(transcriber, heard, given)
        own = ops.to_float64(given)[0]
        plain = [of_clip(clip, own, transcriber) for clip in transcribed]
        style = torch.from_numpy(own.copy())
        pairs = zip(heard, transcribed, strict=True)
        quality = tuple(measure_clip(clip, found, transcriber, priors) for clip, found in pairs)
    # Words that may not be where they were found lend no style; the record says which clips they are.
    trusted = [clip for clip, found in zip(plain, quality, strict=True) if not found.outlier]
    style = on_grid(style + learn_style(model, trusted, style, steps=settings.style_steps), STYLE_GRID_BITS)
    with torch.no_grad():
        targets = [of_clip(clip, style.numpy(), transcriber) for clip in transcribed]
        # Clips that nothing is known against, or, where there are none, all of them and carefully.
        best = [clip for clip, found in zip(targets, quality, strict=True) if not found.outlier] or targets
    tuned = fine_tune(model, best, kept, settings, seed, on_step, carefully=not trusted)
    return Learnt(heard=heard, quality=quality, style=style, tuned=tuned)


def _transcribe(transcriber: Transcriber, heard: Sequence[HeardReference], style: Activation) -> list[TranscribedClip]:
    return [transcriber.transcribe(clip, passes=ALIGNING_PASSES, above_floor=True, style=style) for clip in heard]


def settle() -> None:
    """Set torch so that it repeats itself, and call each library function once before any number depends on it.

    The first calls of the vector library in some builds may race and answer with low accuracy (pytorch #188792).
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    one = torch.ones(1, dtype=torch.float64)
    for function in (torch.sqrt, torch.sin, torch.cos, torch.log, torch.rsqrt):
        function(one)


def _exact(model: StableTts, voice_encoder: nn.Module | None) -> IntegerOps:
    """Return integer arithmetic for the frozen parts: torch's where it gives the known answers, numpy's elsewhere."""
    weights = QuantisedWeights(model)
    if voice_encoder is not None:
        weights.lend("voice_encoder", voice_encoder)
    for make in (ExactOps, PlainOps):
        if kat.check(make).passed:
            ops: IntegerOps = make(weights)
            return ops
    raise DeviceUnavailable("neither torch nor numpy gives the known answers of exact numerics here")


def _clip(clip: TargetClip, heard: HeardReference, quality: ClipQuality) -> dict[str, Any]:
    """Return the delta's entry for one target clip."""
    fed = conditions.heard(heard)
    posted = Reference(
        path=clip.path,
        role="target",
        origin=clip.provenance,
        segment=fed.segment,
        fed=fed.fed,
        transcript=clip.transcript,
    )
    reference = posted.to_value(posted.read())
    if reference["digest"] != heard.posted_digest:
        raise ReferenceClipError("changed while it was read", where=f"reference {heard.name}")
    return {"reference": reference, "transcript": clip.transcript, "quality": quality.to_dict()}


def _prior_reference(prior: PriorSample) -> dict[str, Any]:
    """Return a prior sample as an entry of /input/refs; it is in the checkpoint, not in a file of its own."""
    return {
        "digest": f"sha256:{prior.digest}",
        "size": sum(array.nbytes for array in prior.arrays().values()),
        "media_type": PRIOR_MEDIA_TYPE,
        "role": "prior",
        "origin": {"kind": "synthetic", "name": "training corpus of the base", "item": prior.speaker},
        "sample_rate_hz": FEATURE_SETTINGS.sample_rate_hz,
        "frames": len(prior.log_mel) * FEATURE_SETTINGS.hop_samples,
        "segment": absent("not_applicable", "kept as log-mel, phones, durations and codes in the base"),
        "fed": absent("not_applicable", "kept as log-mel, phones, durations and codes in the base"),
        "transcript_digest": transcript_digest(prior.text),
        "embedded": False,
    }
