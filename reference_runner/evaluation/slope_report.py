"""Measures whether the prompt leads: the manner slope of one checkpoint or several, side by side.

Prompts are held-out sentences of the corpus of manners, from the slowest to the fastest; after each the same sentences
are said in the styles of two prior samples, without steps of the score decoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reference_runner.evaluation.corpus_reader import CorpusReader, prior_of
from reference_runner.evaluation.manner_slope import SLOPE_FIGURES, SpokenManner, measure_slopes
from reference_runner.evaluation.speaking import EvaluationVoice
from reference_runner.frontend.phones import PAUSE, PHONES
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.model.checkpoint import load_checkpoint, released_checkpoint_path
from reference_runner.model.features import FEATURE_SETTINGS, fundamental_hz

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from reference_runner.model.checkpoint import Checkpoint

__all__ = ["add_command", "manner_of", "slopes_of"]

SENTENCES = (
    "The harbor was quiet, and we waited for the second boat.",
    "A small dog ran across the wet field this morning.",
    "She found the old letter under a stone near the gate.",
)
_PRIORS = (0, 1)
_LEAST_PHONES = 22
_TEST_SPLIT = "test_manner"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `manner`."""
    parser = commands.add_parser("manner", help="whether the prompt leads: slopes of rate and pitch spread")
    parser.add_argument("--checkpoint", type=Path, action="append", help="may be given several times")
    parser.add_argument("--corpus", type=Path, default=Path(".build/manners"))
    parser.add_argument("--prompts", type=int, default=8)
    parser.set_defaults(act=_act)


def _act(arguments: argparse.Namespace) -> tuple[int, str]:
    """Return a line of JSON a checkpoint."""
    torch.set_num_threads(1)
    lines = []
    for path in arguments.checkpoint or [released_checkpoint_path()]:
        checkpoint = load_checkpoint(path)
        corpus = CorpusReader(arguments.corpus, checkpoint.model.config)
        lines.append(json.dumps({"checkpoint": path.name, **slopes_of(checkpoint, corpus, prompts=arguments.prompts)}))
    return 0, "\n".join(lines) + "\n"


def slopes_of(
    checkpoint: Checkpoint, corpus: CorpusReader, *, prompts: int, sentences: Sequence[str] = SENTENCES
) -> dict[str, Any]:
    """Return the slope of each figure with its interval, None where the prompts hardly differ."""
    model, config = checkpoint.model, checkpoint.model.config
    chosen = _prompts(corpus, prompts)
    front_end = TextFrontEnd()
    texts = [front_end.read(sentence).sentences[0].phones for sentence in sentences]
    groups: list[list[tuple[SpokenManner, SpokenManner]]] = []
    for number in _PRIORS:
        log_mel = (checkpoint.priors[number].log_mel - config.mel_mean) / config.mel_deviation
        reference = torch.tensor(log_mel, dtype=torch.float32)
        voices = [(EvaluationVoice(model, [reference], prior_of(model, corpus, place)), own) for place, own in chosen]
        for phones in texts:
            spoken = [(own, voice.speak(phones, steps=0)) for voice, own in voices]
            names = [phone.name for phone in phones.phones]
            groups.append(
                [(own, manner_of(speech.waveform, speech.durations.tolist(), names)) for own, speech in spoken]
            )
    slopes = measure_slopes(groups)
    return {name: (found := slopes[name]) and found.to_dict() for name in SLOPE_FIGURES}


def _prompts(corpus: CorpusReader, count: int) -> list[tuple[int, SpokenManner]]:
    """Return one long sentence of so many blocks with its manner, evenly from the slowest to the fastest."""
    of_block: dict[int | None, int] = {}
    for place in corpus.split(_TEST_SPLIT):
        if corpus.utterances[place].phone_count >= _LEAST_PHONES and corpus.utterances[place].has_samples:
            of_block.setdefault(corpus.utterances[place].block, place)
    if len(of_block) < count:
        raise ValueError(f"{len(of_block)} blocks of {_TEST_SPLIT} have a sentence to prompt with, expected {count}")
    found = [(place, _own(corpus, place)) for place in of_block.values()]
    found.sort(key=lambda each: each[1].rate_phones_per_s)
    return found[:: len(found) // count][:count]


def _own(corpus: CorpusReader, place: int) -> SpokenManner:
    names = [PHONES[number] for number in corpus.phone_values("phones", place)]
    return manner_of(corpus.samples(place).numpy(), corpus.phone_values("durations", place).tolist(), names)


def manner_of(waveform: NDArray[np.floating], durations: Sequence[int], phones: Sequence[str]) -> SpokenManner:
    """Return rate (phones/s without pauses), pitch spread (half of the 16th to 84th percentile) and level of speech.

    Raises ValueError where no pitch is heard.
    """
    spoken = np.array([phone != PAUSE for phone in phones])
    seconds = np.array(durations)[spoken].sum() * FEATURE_SETTINGS.hop_samples / FEATURE_SETTINGS.sample_rate_hz
    hertz = fundamental_hz(waveform.astype(np.float64))
    if not (hertz > 0).any():
        raise ValueError("no pitch is heard in the speech, so that its spread has no slope")
    low, high = np.percentile(12 * np.log2(hertz[hertz > 0]), (16, 84))
    return SpokenManner(
        rate_phones_per_s=float(spoken.sum() / seconds),
        pitch_spread_semitones=float((high - low) / 2),
        level_db=float(20 * np.log10(np.sqrt(np.mean(waveform.astype(np.float64) ** 2)))),
    )
