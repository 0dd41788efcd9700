"""Speech for measuring: the whole road in one call, in float32, without streaming or records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from reference_runner.model.noise_schedule import DEFAULT_TEMPERATURE
from reference_runner.model.prompt_tempo import prompt_tempo
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample

__all__ = ["EvaluationVoice", "Speech"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speech:
    """One spoken sentence."""

    waveform: NDArray[np.float32]
    mel: NDArray[np.float32]
    """(L, M), normalised."""


class EvaluationVoice:
    """A model with a voice (reference mels) and a manner (prior sample)."""

    def __init__(self, model: StableTts, references: list[torch.Tensor], prior: PriorSample | None) -> None:
        self._model = model
        self._ops = NativeOps()
        with torch.no_grad():
            styles = [model.timbre_encoder(self._ops, reference[None]) for reference in references]
            self._style = torch.stack(styles).mean(0)
            self._prompt = None if prior is None else self._make_prompt(prior)
            self._tempo = 0.0 if prior is None or self._prompt is None else self._tempo_of(prior, self._prompt)

    def _text(self, sequence: PhoneSequence) -> torch.Tensor:
        ids = (sequence.phone_ids(), sequence.stress_ids(), sequence.break_ids())
        vectors: torch.Tensor = self._model.text_encoder(self._ops, *(torch.tensor([column]) for column in ids))
        return vectors

    def _make_prompt(self, prior: PriorSample) -> ProsodyPrompt:
        codes = torch.tensor([prior.codes.tolist()])
        return ProsodyPrompt(text=self._text(prior.phones), codes=codes)

    def _tempo_of(self, prior: PriorSample, prompt: ProsodyPrompt) -> float:
        durations = torch.tensor([prior.durations.tolist()])
        return prompt_tempo(self._model, self._ops, prompt, prior.phones, durations, self._style)

    @torch.no_grad()
    def speak(
        self, sequence: PhoneSequence, *, steps: int, seed: int = 1, codes: torch.Tensor | None = None,
        temperature: float = DEFAULT_TEMPERATURE,
    ) -> Speech:  # fmt: skip
        """Speak phones; given codes (1, P) replace the language model's."""
        model, ops = self._model, self._ops
        text = self._text(sequence)
        if codes is None:
            codes = model.prosody_language_model.decode(ops, text, self._prompt).codes
        margins = torch.zeros(codes.shape)
        plan = model.plan(ops, text, codes, margins, self._style, tempo=self._tempo)
        frames = model.style_adaptive_encoder(ops, plan.content, plan.durations, self._style)
        noise = torch.randn(frames.mean.shape, generator=torch.Generator().manual_seed(seed)) / temperature
        mel = model.refine(ops, noise, frames, self._style, steps=steps)
        return Speech(
            waveform=model.vocoder(ops, mel)[0].numpy(),
            mel=mel[0].numpy(),
        )
