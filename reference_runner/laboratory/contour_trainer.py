"""Trains the contour encoder on sentences that were said with contours of several widths; half an hour of one core.

    make contours
    python -m reference_runner.laboratory.contour_trainer --corpus .build/contours

It begins as the checkpoint's own style-adaptive encoder. The codes that it is given of a sentence are heard in any of
its widths, so that only the number says how wide the contour shall be. It may be stopped and called again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.laboratory.companion_training import Learning, train_companion
from reference_runner.laboratory.corpus.manners import CONTOUR_WIDTHS
from reference_runner.laboratory.training.batches import masked_mean
from reference_runner.laboratory.training.resident import ResidentCorpus
from reference_runner.model.contour_encoder import CONTOUR, ContourEncoder
from reference_runner.model.prompt_contour import MIDDLING_CENTS, contour_width, spread_cents
from reference_runner.numerics.native import NativeOps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.laboratory.training.batches import AcousticBatch
    from reference_runner.model.model import StableTts

__all__ = ["ContourBatch", "ContourBatches", "Said", "contour_losses", "main"]

_BATCH = 6
_STEPS = 14_000
_SEED = 20261128
_REFERENCE_FRAMES = 128


class Said:
    """What the frozen parts of the checkpoint make of a corpus of contours, a row an utterance."""

    def __init__(self, model: StableTts, corpus: CorpusReader, split: str) -> None:
        self.corpus, self.places, self.model = corpus, corpus.split(split), model
        self.resident = ResidentCorpus(corpus)
        ops = NativeOps()
        self.codes: dict[int, torch.Tensor] = {}
        for place in self.places:
            batch = self.resident.batch([place])
            latents = model.prosody_encoder(ops, batch.prosody, batch.durations)
            self.codes[place], _ = model.prosody_quantizer(ops, latents)
        self.widths = {place: _width(corpus, place) for place in self.places}
        self.by_speaker: dict[str, list[int]] = {}
        for place in self.places:
            self.by_speaker.setdefault(corpus.utterances[place].speaker, []).append(place)

    def first(self, place: int) -> int:
        """Return the utterance of the same sentence that was said first."""
        return place - place % len(CONTOUR_WIDTHS)


def _width(corpus: CorpusReader, place: int) -> float:
    """Return the width of an utterance's contour, as it will be measured of a prompt."""
    utterance = corpus.utterances[place]
    rows = slice(utterance.frame_start, utterance.frame_start + utterance.frame_count)
    cents = spread_cents(corpus.tensors()["prosody"][rows].double().numpy())
    return contour_width(MIDDLING_CENTS if cents is None else cents)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContourBatch:
    """Utterances with what the encoder is given of each; B items, P phones."""

    utterances: AcousticBatch
    codes: torch.Tensor
    """(B, P): heard in any width of the sentence."""
    styles: torch.Tensor
    """(B, S)."""
    widths: torch.Tensor
    """(B, 1, 1)."""


class ContourBatches:
    """An endless, seeded stream of batches, each of utterances that are alike in length."""

    def __init__(self, said: Said, *, batch_size: int, seed: int) -> None:
        self._said, self._seed, self._size = said, seed, batch_size
        utterances = said.corpus.utterances
        self._places = sorted(said.places, key=lambda place: utterances[place].frame_count)

    def starting_at(self, step: int) -> Iterator[ContourBatch]:
        """Yield the batch of this step and all that follow; each is drawn by its own number."""
        while True:
            draws = np.random.Generator(np.random.Philox(key=[self._seed, step]))
            start = int(draws.integers(max(1, len(self._places) - self._size)))
            yield self._batch(self._places[start : start + self._size], draws)
            step += 1

    @torch.no_grad()
    def _batch(self, places: list[int], draws: np.random.Generator) -> ContourBatch:
        said, ops = self._said, NativeOps()
        # What a language model draws is wide or narrow by chance, so codes are heard in any width of the sentence.
        heard = [said.first(place) + int(draws.integers(len(CONTOUR_WIDTHS))) for place in places]
        codes = nn.utils.rnn.pad_sequence([said.codes[place][0] for place in heard], batch_first=True)
        styles = [self._style(place, ops, draws) for place in places]
        widths = torch.tensor([said.widths[place] for place in places])[:, None, None]
        return ContourBatch(
            utterances=said.resident.batch(places), codes=codes, styles=torch.cat(styles), widths=widths
        )

    def _style(self, place: int, ops: NativeOps, draws: np.random.Generator) -> torch.Tensor:
        """Return the style of a stretch of another utterance of the speaker."""
        siblings = self._said.by_speaker[self._said.corpus.utterances[place].speaker]
        mel = self._said.corpus.mel(siblings[int(draws.integers(len(siblings)))])
        start = int(draws.integers(max(1, len(mel) - _REFERENCE_FRAMES)))
        style: torch.Tensor = self._said.model.timbre_encoder(ops, mel[None, start : start + _REFERENCE_FRAMES])
        return style


def contour_losses(model: StableTts, encoder: ContourEncoder, batch: ContourBatch) -> dict[str, torch.Tensor]:
    """Return the distance of the encoder's mean from the mel of each utterance."""
    ops, said = NativeOps(), batch.utterances
    with torch.no_grad():
        text = model.text_encoder(ops, said.phones, said.stresses, said.breaks, said.phone_mask)
        content = model.content(ops, text, batch.codes)
    frames = encoder(ops, content, said.durations, batch.styles, batch.widths, said.frame_mask)
    return {"total": masked_mean((frames.mean - said.mel).abs(), said.frame_mask)}


def begin(model: StableTts, corpus: CorpusReader) -> Learning:
    """Return what the encoder learns, begun as the checkpoint's own style-adaptive encoder."""
    encoder = ContourEncoder(model.config)
    encoder.encoder.load_state_dict(model.style_adaptive_encoder.state_dict())
    with torch.no_grad():
        batches = ContourBatches(Said(model, corpus, "contour"), batch_size=_BATCH, seed=_SEED)
    return Learning(
        encoder=encoder, learnt=encoder, batches=batches.starting_at,
        losses=lambda batch: contour_losses(model, encoder, batch),
    )  # fmt: skip


@stopping_in_a_sentence("reference_runner.laboratory.contour_trainer")
def main() -> None:
    """Train, and write the file beside the checkpoint."""
    words = __doc__.splitlines()[0]
    train_companion(CONTOUR, begin, name="contour", words=words, steps=_STEPS, learning_rate=7e-4, seed=_SEED)


if __name__ == "__main__":
    main()
