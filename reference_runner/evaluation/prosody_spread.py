"""How steady a voice is over sessions: with a prior prompt, with each session's own clip as prompt, or with neither.

A session is another reference clip of the same speaker, some of them noisy, and another seed. Steady means that pitch,
its spread and the rate stay the same from session to session.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from reference_runner.evaluation.corpus_reader import prior_of
from reference_runner.evaluation.speaking import EvaluationVoice
from reference_runner.model.features import FEATURE_SETTINGS, fundamental_hz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample

__all__ = ["SessionSpread", "measure_spread"]

_CONDITIONS = ("prior prompt", "self prompt", "no language model")


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionSpread:
    """Standard deviations over sessions, averaged over sentences."""

    median_pitch_semitones: float
    pitch_spread_semitones: float
    rate_phones_per_s: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def measure_spread(
    model: StableTts, corpus: CorpusReader, prior: PriorSample, sentences: Sequence[PhoneSequence], *,
    speaker: str, sessions: int = 6, steps: int = 10,
) -> dict[str, SessionSpread]:  # fmt: skip
    """Speak every sentence in every session under each condition."""
    clips = [place for place in corpus.split("train") if corpus.utterances[place].speaker == speaker]
    # Far apart in the speaker's range of manners, so that the sessions differ as real clips do.
    by_manner = sorted(clips, key=corpus.manner)
    chosen = [by_manner[int(place)] for place in np.linspace(0, len(by_manner) - 1, sessions)]
    usage = model.prosody_quantizer.usage / model.prosody_quantizer.usage.sum()
    spreads = {}
    for condition in _CONDITIONS:
        table = np.zeros((len(sentences), sessions, 3))
        for session, place in enumerate(chosen):
            prompt = prior if condition == "prior prompt" else prior_of(model, corpus, place)
            voice = EvaluationVoice(model, [corpus.mel(place)], prompt)
            draws = torch.Generator().manual_seed(session)
            for row, sentence in enumerate(sentences):
                codes = None
                if condition == "no language model":
                    codes = torch.multinomial(usage, len(sentence), replacement=True, generator=draws)[None]
                speech = voice.speak(sentence, steps=steps, seed=session, codes=codes)
                f0_hz = fundamental_hz(speech.waveform)
                semitones = 12 * np.log2(f0_hz[f0_hz > 0])
                seconds = len(speech.waveform) / FEATURE_SETTINGS.sample_rate_hz
                table[row, session] = np.median(semitones), semitones.std(), len(sentence) / seconds
        pitch, spread, rate = table.std(axis=1).mean(axis=0)
        spreads[condition] = SessionSpread(
            median_pitch_semitones=float(pitch),
            pitch_spread_semitones=float(spread),
            rate_phones_per_s=float(rate),
        )
    return spreads
