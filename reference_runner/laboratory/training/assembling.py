"""Puts the finished stages together into one checkpoint, with prior samples chosen from the corpus."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import torch

from reference_runner.evaluation.corpus_reader import prior_of
from reference_runner.frontend.phones import PAUSE, PHONES
from reference_runner.laboratory.training.batches import pad_batch
from reference_runner.laboratory.training.dealing import training_split
from reference_runner.laboratory.training.refine_stage import encode_truth
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.model.model import StableTts
    from reference_runner.model.prior import PriorSample

__all__ = ["choose_priors", "exercise"]

PRIOR_SAMPLES = 16
_FEWEST_PHONES = 28
_SHORTEST_FRAMES = 110
_LONGEST_FRAMES = 250
"""Under four seconds, long enough to have a manner."""

_PAUSE_ID = PHONES.index(PAUSE)
_PLAIN_SPEAKERS = ("slt-100", "heart-100", "rms-100", "awb-100")
"""Unaltered voices, first in the list; `config.DEFAULT_PRIOR` says which of them is the built-in voice."""


def choose_priors(model: StableTts, corpus: CorpusReader) -> list[PriorSample]:
    """Return the prior samples: utterances of sentences in a middling manner, speakers in turn."""
    by_speaker: dict[str, list[int]] = {}
    for place in corpus.split(training_split(corpus)):
        utterance = corpus.utterances[place]
        lasting = _SHORTEST_FRAMES <= utterance.frame_count <= _LONGEST_FRAMES
        if (
            lasting
            and utterance.phone_count >= _FEWEST_PHONES
            and utterance.has_samples
            and utterance.text.endswith(".")
        ):
            by_speaker.setdefault(utterance.speaker, []).append(place)
    others = sorted(set(by_speaker) - set(_PLAIN_SPEAKERS))
    speakers = [*_PLAIN_SPEAKERS, *others[:: max(1, len(others) // PRIOR_SAMPLES)]]
    queues = [_middle_first(corpus, by_speaker.get(speaker, [])) for speaker in speakers]
    in_turn = [place for row in zip_longest(*queues) for place in row if place is not None]
    return [prior_of(model, corpus, place) for place in in_turn[:PRIOR_SAMPLES]]


def _middle_first(corpus: CorpusReader, places: list[int]) -> list[int]:
    """Sort by how far an utterance ranks from the middle of its speaker's, in tempo and in liveliness together."""

    def rate(place: int) -> float:
        spoken = corpus.phone_values("phones", place) != _PAUSE_ID
        return float(spoken.sum() / corpus.phone_values("durations", place)[spoken].sum())

    away = dict.fromkeys(places, 0.0)
    for key in (rate, corpus.manner):
        for rank, place in enumerate(sorted(places, key=key)):
            away[place] += abs(rank - (len(places) - 1) / 2)
    return sorted(places, key=lambda place: (away[place], place))


@torch.no_grad()
def exercise(model: StableTts, corpus: CorpusReader, *, utterances: int = 24, steps: int = 4) -> None:
    """Send training utterances of all speakers through every part, as speaking and adapting will."""
    ops = NativeOps()
    draws = torch.Generator().manual_seed(1)
    places = corpus.split(training_split(corpus))
    for place in places[:: max(1, len(places) // utterances)]:
        batch = pad_batch(corpus, [place], [corpus.mel(place)])
        encoded = encode_truth(model, ops, batch)
        prompt = ProsodyPrompt(text=encoded.text, codes=encoded.codes)
        decoded = model.prosody_language_model.decode(ops, encoded.text, prompt)
        plan = model.plan(ops, encoded.text, decoded.codes, decoded.margins, encoded.style)
        frames = model.style_adaptive_encoder(ops, plan.content, plan.durations, encoded.style)
        noise = torch.randn(frames.mean.shape, generator=draws)
        model.vocoder(ops, model.refine(ops, noise, frames, encoded.style, steps=steps))
