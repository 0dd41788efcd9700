"""Trains the voice encoder on clips whose channel was changed and that were disturbed; twelve minutes of one core.

    make contours
    python -m reference_runner.laboratory.voice_trainer --corpus .build/contours

It begins as the checkpoint's own timbre encoder and learns to find, of a clip without its mean spectrum, the style that
this finds of the clean clip. It may be stopped and called again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.laboratory.companion_training import Learning, train_companion
from reference_runner.laboratory.training.disturbing import disturb, log_mel_on_device, through_channels
from reference_runner.laboratory.training.resident import MARGIN, ResidentCorpus
from reference_runner.model.voice_encoder import VOICE, VoiceEncoder
from reference_runner.numerics.native import NativeOps
from reference_runner.synthesis.channel import QUIET_FIFTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_runner.evaluation.corpus_reader import CorpusReader
    from reference_runner.model.model import StableTts
    from reference_runner.model.timbre_encoder import TimbreEncoder

__all__ = ["VoiceBatch", "VoiceBatches", "main", "middle_style", "voice_losses"]

_BATCH = 16
_STEPS = 2_000
_SEED = 20261129
_FRAMES = 160
_OTHERS = 4
_DISTURBED = 0.5
QUIET_SHARE = QUIET_FIFTHS / 5
MIDDLE = 0.5
"""How far a style is drawn towards the middle of all: 0 not at all, 1 all the way (EVALUATION.md)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VoiceBatch:
    """Stretches of clips; B items, L frames."""

    heard: torch.Tensor
    """(B, L, M): through a channel, perhaps disturbed, less the mean of each band, in deviations."""
    styles: torch.Tensor
    """(B, S): what the checkpoint's own encoder hears in each as it was."""


class VoiceBatches:
    """An endless, seeded stream of batches."""

    def __init__(self, model: StableTts, corpus: CorpusReader, split: str) -> None:
        self._model, self._resident = model, ResidentCorpus(corpus)
        self._places = corpus.split(split)

    def starting_at(self, step: int) -> Iterator[VoiceBatch]:
        """Yield the batch of this step and all that follow; each is drawn by its own number."""
        while True:
            yield self._batch(np.random.Generator(np.random.Philox(key=[_SEED, step])), step)
            step += 1

    @torch.no_grad()
    def _batch(self, draws: np.random.Generator, step: int) -> VoiceBatch:
        generator = torch.Generator().manual_seed(_SEED + step)
        clean, others = self._stretches(draws, _BATCH), self._stretches(draws, _BATCH * _OTHERS)
        changed = disturb(through_channels(clean, draws), others, draws, generator, _DISTURBED)
        config = self._model.config
        plain = (log_mel_on_device(clean) - config.mel_mean) / config.mel_deviation
        heard = without_speech_mean(log_mel_on_device(changed)) / config.mel_deviation
        return VoiceBatch(heard=heard, styles=self._model.timbre_encoder(NativeOps(), plain))

    def _stretches(self, draws: np.random.Generator, count: int) -> torch.Tensor:
        chosen = [self._places[int(each)] for each in draws.integers(len(self._places), size=count)]
        spare = [int(self._resident.frame_counts[place]) - _FRAMES for place in chosen]
        starts = [int(draws.integers(max(1, frames))) for frames in spare]
        return self._resident.samples_at(torch.tensor(chosen), torch.tensor(starts), _FRAMES, MARGIN)


def without_speech_mean(log_mel: torch.Tensor) -> torch.Tensor:
    """Return log-mels (B, L, M), each band less its mean over the item's louder frames."""
    loudness = log_mel.mean(2)
    speech = (loudness >= loudness.quantile(QUIET_SHARE, dim=1, keepdim=True))[:, :, None]
    return log_mel - (log_mel * speech).sum(1, keepdim=True) / speech.sum(1, keepdim=True)


@torch.no_grad()
def begin_as(encoder: TimbreEncoder, corpus: CorpusReader, split: str) -> None:
    """Let an encoder answer to clips without a mean as it did to those that had the mean of the corpus."""
    mels = (corpus.mel(place)[None] for place in corpus.split(split))
    mean = torch.stack([(mel - without_speech_mean(mel))[0, 0] for mel in mels]).mean(0)
    encoder.input.bias.add_(encoder.input.weight @ mean)


@torch.no_grad()
def middle_style(model: StableTts, corpus: CorpusReader, split: str) -> torch.Tensor:
    """Return the mean (S,) over the speakers of a split of the style of their clips, as long as a style is."""
    ops, by_speaker = NativeOps(), dict[str, list[torch.Tensor]]()
    for place in corpus.split(split):
        style = model.timbre_encoder(ops, corpus.mel(place)[None])[0]
        by_speaker.setdefault(corpus.utterances[place].speaker, []).append(style)
    speakers = torch.stack([torch.stack(styles).mean(0) for styles in by_speaker.values()])
    return ops.layer_norm(speakers.mean(0))


def voice_losses(encoder: nn.Module, batch: VoiceBatch) -> dict[str, torch.Tensor]:
    """Return the distance of the styles that an encoder finds from those that were heard in the clean clips."""
    return {"total": functional.mse_loss(encoder(NativeOps(), batch.heard), batch.styles)}


def begin(model: StableTts, corpus: CorpusReader) -> Learning:
    """Return what the encoder learns, begun as the checkpoint's own timbre encoder."""
    encoder = VoiceEncoder(model.config)
    encoder.encoder.load_state_dict(model.timbre_encoder.state_dict())
    begin_as(encoder.encoder, corpus, "contour")
    with torch.no_grad():
        encoder.middle.copy_(middle_style(model, corpus, "contour") * (MIDDLE / (1.0 - MIDDLE)))
    return Learning(
        encoder=encoder, learnt=encoder.encoder, batches=VoiceBatches(model, corpus, "contour").starting_at,
        losses=lambda batch: voice_losses(encoder.encoder, batch), facts={"middle": MIDDLE},
    )  # fmt: skip


@stopping_in_a_sentence("reference_runner.laboratory.voice_trainer")
def main() -> None:
    """Train, and write the file beside the checkpoint."""
    words = __doc__.splitlines()[0]
    train_companion(VOICE, begin, name="voice", words=words, steps=_STEPS, learning_rate=1e-3, seed=_SEED)


if __name__ == "__main__":
    main()
