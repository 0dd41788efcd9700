"""Trains the speaker encoder of the evaluation on the corpus; a few minutes of one core, the same bytes each time.

    python -m reference_runner.laboratory.speaker_trainer --corpus .build/corpus

Each corpus speaker at three playing speeds is three speakers: other formants, other pitch.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize

from reference_runner import evaluation
from reference_runner.commands import stopping_in_a_sentence
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.frames import LOUDNESS_RMS, Frames
from reference_runner.evaluation.speaker_encoder import CROP_FRAMES, WEIGHTS_FILE, SpeakerEncoder, SpeakerNetwork
from reference_runner.evaluation.voice_distances import cepstral_voice, cosine
from reference_runner.laboratory.corpus.builder import read_harvard_type
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.virtual_speakers import Delivery, VirtualSpeaker, resample, speak
from reference_runner.model.config import StableTtsConfig
from reference_runner.model.features import log_mel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["equal_error_rate", "main"]

_SPEEDS = (93, 100, 107)
_CLIPS_A_SPEAKER = 40
_STEPS = 1500
_BATCH = 64
_SCALE, _MARGIN = 20.0, 0.2
_SEED = 20241220

_STRANGERS = tuple(
    VirtualSpeaker(
        name=f"stranger-{voice}-{formant}", flite_voice=voice, formant_percent=formant, f0_mean_hz=f0_hz,
        f0_deviation_hz=f0_hz * 0.16, duration_stretch=stretch,
    )
    for voice, formant, f0_hz, stretch in (
        ("slt", 95, 190.0, 1.0), ("slt", 104, 165.0, 1.05), ("slt", 110, 215.0, 0.95),
        ("rms", 93, 97.0, 1.0), ("rms", 102, 118.0, 1.05), ("rms", 107, 108.0, 0.95),
        ("awb", 92, 140.0, 1.0), ("awb", 105, 122.0, 1.0), ("kal16", 96, 92.0, 1.0), ("kal16", 104, 112.0, 1.0),
    )
)  # fmt: skip
"""None of these is in the corpus; they test how well the measures distinguish speakers."""


@stopping_in_a_sentence("reference_runner.laboratory.speaker_trainer")
def main() -> None:
    """Train, write, and print how well new speakers are distinguished."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--output", type=Path, default=Path(evaluation.__file__).with_name(WEIGHTS_FILE))
    arguments = parser.parse_args()
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    corpus = CorpusReader(arguments.corpus, StableTtsConfig())
    network = _trained(_clips(corpus))
    metadata = {"corpus_root_sha256": corpus.root_sha256, "steps": _STEPS, "seed": _SEED, "speeds_percent": _SPEEDS}
    save_file(network.state_dict(), arguments.output, metadata={"ttsartifact": json.dumps(metadata, sort_keys=True)})
    arguments.output.chmod(0o644)  # safetensors writes for its owner alone
    parser.exit(0, _separation())


def _clips(corpus: CorpusReader) -> list[list[torch.Tensor]]:
    """Return the log-mels of speech frames (L, M) of each class: a speaker at a speed."""
    by_speaker: dict[str, list[int]] = {}
    for place in corpus.split("train"):
        by_speaker.setdefault(corpus.utterances[place].speaker, []).append(place)
    classes = []
    for places in track(by_speaker.values(), description="analysing"):
        chosen = places[:: max(1, len(places) // _CLIPS_A_SPEAKER)][:_CLIPS_A_SPEAKER]
        classes += [[_speech(corpus.samples(place).numpy(), speed) for place in chosen] for speed in _SPEEDS]
    return classes


def _speech(samples: NDArray[np.float32], speed_percent: int) -> torch.Tensor:
    """Return log-mels of the speech frames, at LOUDNESS_RMS."""
    frames = Frames(pcm=resample(np.rint(samples * 32_768).astype(np.int16), 100, speed_percent))
    waveform = frames.pcm / 32_768.0 * LOUDNESS_RMS * 10.0 ** (-frames.speech_level_db / 20.0)
    # The float transform: ten times as fast, and a rounding apart from what the encoder will hear.
    return torch.from_numpy(log_mel(waveform)[frames.is_speech]).float()


def _trained(classes: list[list[torch.Tensor]]) -> SpeakerNetwork:
    """Separate classes by the angle to a centre of each, with a margin (additive-margin softmax)."""
    network = SpeakerNetwork()
    centres = torch.nn.Parameter(torch.randn(len(classes), network.embedding.out_features))
    parameters = [*network.parameters(), centres]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, _STEPS, pct_start=0.1)
    draws = np.random.Generator(np.random.Philox(key=_SEED))
    for _ in track(range(_STEPS), description="training"):
        who = draws.integers(len(classes), size=_BATCH)
        crops = torch.stack([_crop(classes[speaker], draws) for speaker in who])
        wanted = torch.from_numpy(who)
        angles = network(crops) @ normalize(centres, dim=1).T
        angles = angles - _MARGIN * torch.nn.functional.one_hot(wanted, len(classes))
        loss = cross_entropy(_SCALE * angles, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _crop(clips: list[torch.Tensor], draws: np.random.Generator) -> torch.Tensor:
    """Return CROP_FRAMES of a clip, every fourth with a noise floor under it."""
    clip = clips[int(draws.integers(len(clips)))]
    while len(clip) < CROP_FRAMES:
        clip = torch.cat([clip, clip])
    start = int(draws.integers(len(clip) - CROP_FRAMES + 1))
    crop = clip[start : start + CROP_FRAMES]
    if draws.random() < 0.25:
        noise = draws.normal(draws.uniform(-6.0, -2.0), 0.6, crop.shape)
        crop = torch.logaddexp(crop, torch.from_numpy(noise).float())
    return crop


def _separation() -> str:
    """Return the equal error rates of both measures on strangers, a pair of single sentences a trial."""
    flite = FliteLibrary()
    sentences = read_harvard_type()[:6]
    clips = [
        [Frames(pcm=speak(flite, stranger, text, Delivery())[0].samples) for text in sentences]
        for stranger in track(_STRANGERS, description="strangers")
    ]
    encoder = SpeakerEncoder()
    lines = []
    measures: dict[str, Callable[[Sequence[Frames]], NDArray[np.floating]]] = {
        "model-free": cepstral_voice, "encoder": encoder.voice,
    }  # fmt: skip
    for name, measure in measures.items():
        vectors = [(who, measure([clip])) for who, own in enumerate(clips) for clip in own]
        pairs = [(one[0] == other[0], cosine(one[1], other[1])) for one, other in combinations(vectors, 2)]
        same = [value for alike, value in pairs if alike]
        other = [value for alike, value in pairs if not alike]
        lines.append(
            f"{name}: same speaker {np.mean(same):.3f}, other speaker {np.mean(other):.3f}, "
            f"equal error rate {equal_error_rate(same, other):.3f} over {len(pairs)} pairs\n"
        )
    return "".join(lines)


def equal_error_rate(same: Sequence[float], other: Sequence[float]) -> float:
    """Return the rate at which as many same pairs fall below a threshold as other pairs rise above it."""
    thresholds = np.sort(np.concatenate([same, other]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1.0 - np.searchsorted(np.sort(other), thresholds) / len(other)
    place = int(np.abs(missed - accepted).argmin())
    return float((missed[place] + accepted[place]) / 2)


if __name__ == "__main__":
    main()
