"""Stable-TTS: the parts put together, in the order of the road from phones to samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from torch import nn

from reference_runner.model.duration_predictor import DurationPredictor
from reference_runner.model.noise_schedule import NoiseSchedule
from reference_runner.model.prosody_encoder import ProsodyEncoder, ProsodyQuantizer
from reference_runner.model.prosody_language_model import ProsodyLanguageModel
from reference_runner.model.score_decoder import TIME_FREQUENCIES, ScoreDecoder
from reference_runner.model.style_adaptive_encoder import EncodedFrames, StyleAdaptiveEncoder
from reference_runner.model.text_encoder import TextEncoder
from reference_runner.model.timbre_encoder import TimbreEncoder
from reference_runner.model.vocoder import Vocoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

__all__ = ["Parts", "PlannedSpeech", "StableTts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSpeech:
    """What is decided before any sound: codes and durations with how clear each decision was."""

    content: Activation
    """(1, P, C): text plus prosody."""
    codes: Integers
    code_margins: Activation
    durations: Integers
    duration_margins: Activation


class Parts:
    """What the parts do together, whoever computes each of them; a part is called with the ops and its inputs."""

    config: StableTtsConfig
    text_encoder: Any
    timbre_encoder: Any
    prosody_encoder: Any
    prosody_quantizer: Any
    prosody_language_model: Any
    duration_predictor: Any
    style_adaptive_encoder: Any
    score_decoder: Any
    vocoder: Any

    @property
    def schedule(self) -> NoiseSchedule:
        """The diffusion's constants."""
        config = self.config
        return NoiseSchedule(
            beta_start=config.beta_start,
            beta_end=config.beta_end,
            residual_deviation=config.residual_deviation,
        )

    def content(self, ops: Ops, text: Activation, codes: Integers) -> Activation:
        """Add the prosody of codes (B, P) to text vectors (B, P, C)."""
        return ops.add(text, self.prosody_quantizer.embed(ops, codes))

    def plan(
        self,
        ops: Ops,
        text: Activation,
        codes: Integers,
        code_margins: Activation,
        style: Activation,
        *,
        tempo: float = 0.0,
    ) -> PlannedSpeech:
        """Decide the durations of text vectors (1, P, C) spoken with codes (1, P) in a style (1, S) at a tempo."""
        content = self.content(ops, text, codes)
        durations, duration_margins = self.durations(ops, content, style, tempo=tempo)
        return PlannedSpeech(
            content=content,
            codes=codes,
            code_margins=code_margins,
            durations=durations,
            duration_margins=duration_margins,
        )

    def durations(
        self, ops: Ops, content: Activation, style: Activation, *, tempo: float = 0.0
    ) -> tuple[Integers, Activation]:
        """Text plus prosody (1, P, C) and style (1, S) to frames (1, P) and how clear each was (1, P).

        `tempo` is the natural logarithm of a factor of all durations; see `prompt_tempo`.
        """
        length = content.shape[1]
        mask = ops.mask_from_lengths(ops.integers([length]), length)
        log_frames = self.duration_predictor(ops, content, style)
        if tempo:
            log_frames = ops.affine(log_frames, 1.0, tempo)
        return ops.durations_with_margin(log_frames, mask)

    def estimate_residual(
        self,
        ops: Ops,
        noisy: Activation,
        frames: EncodedFrames,
        style: Activation,
        times: Sequence[float],
        mask: Mask | None = None,
    ) -> Activation:
        """Estimate (mel - mean) from X_t (B, L, M) at times (B,); see `noise_schedule`."""
        balances = [self.schedule.balance(t) for t in times]
        angles = ops.activation([[t * frequency for frequency in TIME_FREQUENCIES] for t in times])
        feed, keep, answer = (
            ops.activation([[[getattr(balance, name)]] for balance in balances]) for name in ("feed", "keep", "answer")
        )
        network = self.score_decoder(ops, ops.mul(noisy, feed), frames, style, angles, mask)
        return ops.add(ops.mul(noisy, keep), ops.mul(network, answer))

    def refine(
        self,
        ops: Ops,
        noise: Activation,
        frames: EncodedFrames,
        style: Activation,
        *,
        steps: int,
        mask: Mask | None = None,
    ) -> Activation:
        """Walk from noise (B, L, M) around the mean to the mel (B, L, M), normalised; no steps gives the mean."""
        if steps == 0:
            return frames.mean
        times = self.schedule.times(steps)
        x = noise
        for t, earlier in pairwise(times):
            estimate = self.estimate_residual(ops, x, frames, style, [t] * x.shape[0], mask)
            from_x, from_estimate = self.schedule.step(t, earlier)
            x = ops.add(ops.affine(x, from_x), ops.affine(estimate, from_estimate))
        return ops.add(frames.mean, x)


class StableTts(Parts, nn.Module):
    """The eight parts; each may be used alone, as training and streaming do."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = TextEncoder(config)
        self.timbre_encoder = TimbreEncoder(config)
        self.prosody_encoder = ProsodyEncoder(config)
        self.prosody_quantizer = ProsodyQuantizer(config)
        self.prosody_language_model = ProsodyLanguageModel(config)
        self.duration_predictor = DurationPredictor(config)
        self.style_adaptive_encoder = StyleAdaptiveEncoder(config)
        self.score_decoder = ScoreDecoder(config)
        self.vocoder = Vocoder(config)
