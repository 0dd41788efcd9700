"""Whose timbre a run speaks in, and in whose manner: priors, references, an adaptation, a prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.errors import RequestError
from reference_runner.model.prompt_tempo import prompt_tempo
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.synthesis.references import HeardReference, hear
from reference_runner.synthesis.request import PromptKind, SynthesisRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.ops import Activation
    from reference_runner.synthesis.transcription import Transcriber

__all__ = ["Kept", "Voice", "find_voice", "hears_clips"]

Kept = dict[tuple[PromptKind, int], "Voice"]
"""Voices that are a prior sample's own, by kind of prompt and prior: constants of the checkpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """Whose timbre, in whose manner; both as the network holds them."""

    style: Activation
    """(1, S)."""
    prompt: ProsodyPrompt | None
    tempo: float
    """Logarithm of what the prompt's tempo makes of all durations; 0 without a prompt."""
    name: str
    prompt_record: Mapping[str, object]
    references: tuple[HeardReference, ...]


def find_voice(checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest, kept: Kept) -> Voice:
    """Return the voice of a request, heard by the model and the operations of `transcriber`.

    What no clip has part in is computed once and then taken from `kept`, as a server keeps a speaker's embedding.
    Raises RequestError for a prior sample or a prompt that is not there, ReferenceClipError for a clip that is refused.
    """
    if hears_clips(request):
        return _heard_voice(checkpoint, transcriber, request)
    key = request.prompt.kind, request.prompt.prior
    if key not in kept:
        kept[key] = _heard_voice(checkpoint, transcriber, request)
    return kept[key]


def hears_clips(request: SynthesisRequest) -> bool:
    """Return whether a clip has part in the voice or the manner of a request."""
    return bool(request.references) or request.prompt.kind not in {PromptKind.PRIOR, PromptKind.NONE}


def _heard_voice(checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest) -> Voice:
    heard = tuple(hear(reference) for reference in request.references)
    name, style = _timbre(checkpoint, transcriber, request, heard)
    record, prompt, tempo = _manner(checkpoint, transcriber, request, heard, style)
    return Voice(style=style, prompt=prompt, tempo=tempo, name=name, prompt_record=record, references=heard)


def _timbre(
    checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest, heard: tuple[HeardReference, ...]
) -> tuple[str, Activation]:
    """Return what lends its timbre, and its style (1, S)."""
    if checkpoint.adaptation is not None:
        # What references there are lend their manner alone: the voice is the one that was adapted to.
        return "adapted", transcriber.ops.activation(checkpoint.adaptation.style[None])
    if heard:
        styles = [transcriber.style(transcriber.normalised(clip.pcm)) for clip in heard]
        return "references", transcriber.mean_style(styles)
    prior = _prior(checkpoint, request)
    return f"prior {prior.name}", transcriber.style(transcriber.normalise(prior.log_mel))


def _manner(
    checkpoint: Checkpoint,
    transcriber: Transcriber,
    request: SynthesisRequest,
    heard: tuple[HeardReference, ...],
    style: Activation,
) -> tuple[dict[str, object], ProsodyPrompt | None, float]:
    """Return what the run says of its prompt, the prompt, and its tempo in a style."""
    record: dict[str, object] = {"kind": str(request.prompt.kind)}
    if request.prompt.kind is PromptKind.NONE:
        return record, None, 0.0
    if request.prompt.kind is PromptKind.PRIOR:
        prior = _prior(checkpoint, request)
        record |= {"prior": request.prompt.prior, "name": prior.name, "digest": f"sha256:{prior.digest}"}
        codes, durations = (
            transcriber.ops.integers(np.asarray(values)[None]) for values in (prior.codes, prior.durations)
        )
        prompt, phones = ProsodyPrompt(text=transcriber.text(prior.phones), codes=codes), prior.phones
    else:
        clip = _prompt_clip(request, heard)
        transcribed = transcriber.transcribe(clip)
        record |= clip.record()
        prompt, phones = ProsodyPrompt(text=transcribed.text, codes=transcribed.codes), transcribed.phones
        durations = transcribed.durations
    tempo = prompt_tempo(transcriber.model, transcriber.ops, prompt, phones, durations, style)
    past = transcriber.model.prosody_language_model.read_prompt(transcriber.ops, prompt)
    return record, replace(prompt, past=past), tempo


def _prior(checkpoint: Checkpoint, request: SynthesisRequest) -> PriorSample:
    priors = checkpoint.priors
    if not 0 <= request.prompt.prior < len(priors):
        raise RequestError(
            f"got prior sample {request.prompt.prior}, the checkpoint has {len(priors)}",
            where="request.prompt.prior",
        )
    return priors[request.prompt.prior]


def _prompt_clip(request: SynthesisRequest, heard: tuple[HeardReference, ...]) -> HeardReference:
    if request.prompt.clip is not None:
        clip = hear(request.prompt.clip)
    elif heard:
        clip = heard[0]
    else:
        raise RequestError("a self prompt needs a reference", where="request.prompt")
    if not clip.transcript:
        raise RequestError("a clip that lends its prosody needs its transcript", where=f"reference {clip.name}")
    return clip
