"""Whose timbre a run speaks in, and in whose manner: priors, references, an adaptation, a prompt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.errors import RequestError
from reference_runner.model.config import DEFAULT_PRIOR
from reference_runner.model.prompt_tempo import prompt_tempo
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.synthesis.references import HeardReference, hear
from reference_runner.synthesis.request import PromptKind, SynthesisRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.prior import PriorSample
    from reference_runner.numerics.ops import Activation
    from reference_runner.synthesis.transcription import Transcriber

__all__ = ["Kept", "Voice", "find_voice", "hears_clips", "keep_prior_styles", "nearest_prior", "seeks_prior"]


@dataclass(kw_only=True, slots=True)
class Kept:
    """What no clip has part in: constants of the checkpoint, computed once."""

    voices: dict[tuple[PromptKind, int | None], Voice] = field(default_factory=dict)
    """By kind of prompt and prior."""
    prior_styles: list[Activation] = field(default_factory=list)
    """(1, S) of each prior sample; empty until a voice is compared with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """Whose timbre, in whose manner; both as the network holds them."""

    style: Activation
    """(1, S)."""
    prompt: ProsodyPrompt | None
    tempo: float
    """Logarithm of what the prompt's tempo makes of all durations; 0 without a prompt."""
    contour_cents: int | None
    """How wide the contour of a clip is that lends its manner; None where the checkpoint's own encoder speaks."""
    name: str
    prompt_record: Mapping[str, object]
    references: tuple[HeardReference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Manner:
    """What is continued, and what the run says of it."""

    record: Mapping[str, object]
    prompt: ProsodyPrompt | None = None
    tempo: float = 0.0
    contour_cents: int | None = None
    """Of a clip, where enough of it has a pitch."""


def find_voice(checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest, kept: Kept) -> Voice:
    """Return the voice of a request, heard by the model and the operations of `transcriber`.

    What no clip has part in is computed once and then taken from `kept`, as a server keeps a speaker's embedding.
    Raises RequestError for a prior sample or a prompt that is not there, ReferenceClipError for a clip that is refused.
    """
    if hears_clips(request):
        return _heard_voice(checkpoint, transcriber, request, kept)
    key = request.prompt.kind, request.prompt.prior
    if key not in kept.voices:
        kept.voices[key] = _heard_voice(checkpoint, transcriber, request, kept)
    return kept.voices[key]


def hears_clips(request: SynthesisRequest) -> bool:
    """Return whether a clip has part in the voice or the manner of a request."""
    return bool(request.references) or request.prompt.kind not in {PromptKind.PRIOR, PromptKind.NONE}


def seeks_prior(checkpoint: Checkpoint, request: SynthesisRequest) -> bool:
    """Return whether the prior sample of a request is the one whose voice is nearest to its own."""
    unnamed = request.prompt.kind is PromptKind.PRIOR and request.prompt.prior is None
    return unnamed and (bool(request.references) or checkpoint.adaptation is not None)


def keep_prior_styles(checkpoint: Checkpoint, transcriber: Transcriber, kept: Kept) -> list[Activation]:
    """Return the style (1, S) of each prior sample, heard now or before."""
    if not kept.prior_styles:
        kept.prior_styles = [transcriber.style(transcriber.normalise(prior.log_mel)) for prior in checkpoint.priors]
    return kept.prior_styles


def nearest_prior(transcriber: Transcriber, styles: Sequence[Activation], style: Activation) -> int:
    """Return which of the styles (1, S) has the greatest cosine to a style (1, S); of equals the first.

    Those that it is compared with have one length, so the greatest sum of products decides: of integers, the same
    everywhere.
    """
    own, *others = (transcriber.grid_units(each) for each in (style, *styles))
    return int(np.argmax([int((own * other).sum()) for other in others]))


def _heard_voice(checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest, kept: Kept) -> Voice:
    heard = tuple(hear(reference) for reference in request.references)
    name, style = _timbre(checkpoint, transcriber, request, heard)
    number = request.prompt.prior
    if seeks_prior(checkpoint, request):
        # Codes are not free of the voice that they were heard in: in a far style their durations and pitch go astray.
        number = nearest_prior(transcriber, keep_prior_styles(checkpoint, transcriber, kept), style)
    manner = _manner(transcriber, request, heard, style, lambda: _prior(checkpoint, number))
    cents = None if checkpoint.contour is None else manner.contour_cents
    record = manner.record if cents is None else {**manner.record, "contour_cents": cents}
    return Voice(
        style=style, prompt=manner.prompt, tempo=manner.tempo, contour_cents=cents, name=name, prompt_record=record,
        references=heard,
    )  # fmt: skip


def _timbre(
    checkpoint: Checkpoint, transcriber: Transcriber, request: SynthesisRequest, heard: tuple[HeardReference, ...]
) -> tuple[str, Activation]:
    """Return what lends its timbre, and its style (1, S)."""
    if checkpoint.adaptation is not None:
        # What references there are lend their manner alone: the voice is the one that was adapted to.
        return "adapted", transcriber.ops.activation(checkpoint.adaptation.style[None])
    if heard:
        return "references", transcriber.voice_style(heard)
    prior = _prior(checkpoint, request.prompt.prior)
    return f"prior {prior.name}", transcriber.style(transcriber.normalise(prior.log_mel))


def _manner(
    transcriber: Transcriber,
    request: SynthesisRequest,
    heard: tuple[HeardReference, ...],
    style: Activation,
    find_prior: Callable[[], PriorSample],
) -> _Manner:
    """Return the manner of a request, its tempo as it is in a style."""
    record: dict[str, object] = {"kind": str(request.prompt.kind)}
    if request.prompt.kind is PromptKind.NONE:
        return _Manner(record=record)
    cents = None
    if request.prompt.kind is PromptKind.PRIOR:
        prior = find_prior()
        record |= {"name": prior.name, "digest": f"sha256:{prior.digest}"}
        if request.prompt.prior is not None:
            record["prior"] = request.prompt.prior
        codes, durations = (
            transcriber.ops.integers(np.asarray(values)[None]) for values in (prior.codes, prior.durations)
        )
        prompt, phones = ProsodyPrompt(text=transcriber.text(prior.phones), codes=codes), prior.phones
    else:
        clip = _prompt_clip(request, heard)
        transcribed = transcriber.transcribe(clip)
        record |= clip.record()
        prompt, phones = ProsodyPrompt(text=transcribed.text, codes=transcribed.codes), transcribed.phones
        durations, cents = transcribed.durations, transcribed.contour_cents
    tempo = prompt_tempo(transcriber.model, transcriber.ops, prompt, phones, durations, style)
    past = transcriber.model.prosody_language_model.read_prompt(transcriber.ops, prompt)
    return _Manner(record=record, prompt=replace(prompt, past=past), tempo=tempo, contour_cents=cents)


def _prior(checkpoint: Checkpoint, number: int | None) -> PriorSample:
    """Return a prior sample, or for None the one of the built-in voice."""
    priors = checkpoint.priors
    if number is None:
        number = DEFAULT_PRIOR
    if not 0 <= number < len(priors):
        raise RequestError(f"got prior sample {number}, the checkpoint has {len(priors)}", where="request.prompt.prior")
    return priors[number]


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
