"""Voices that are not in the corpus, made on the spot: the same samples on every machine with the same synthesisers.

Two of them: a virtual speaker between two of the training speakers (flite's slt in another shape), and another
synthesiser. A person who has said a list of sentences is a third (`laboratory.ablation.human`).
"""

from __future__ import annotations

import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

import ttsartifact
from reference_runner.laboratory.ablation.cells import Condition
from reference_runner.laboratory.corpus.builder import read_harvard_type
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.virtual_speakers import TARGET_SPEAKERS, TRAINING_SPEAKERS, Delivery, speak
from reference_runner.laboratory.corpus.vocabulary import read_vocabulary
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.numerics.noise import FRACTION_BITS, Stream
from reference_runner.synthesis.references import to_fed_pcm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from reference_runner.laboratory.ablation.cells import ClipSet
    from reference_runner.laboratory.corpus.virtual_speakers import VirtualSpeaker

__all__ = [
    "NOISE_RECIPE", "NOISE_SNR_DB", "Clip", "Target", "add_noise", "clips_of", "first_clips", "grammar_sentences",
    "make_targets", "reference_clips", "say_as", "source_clips", "spoil", "spoken", "stranger_clips", "test_sentences",
    "write_clip",
]  # fmt: skip

NOISE_SNR_DB = 10
NOISE_RECIPE = (
    "white Irwin-Hall noise of the counter generator (reference_runner.numerics.noise), stage 'ablation <clip>', "
    "20 or 10 dB under the mean power of the clip"
)
CLIPPED_SHARE = 0.2
"""Of its peak, where a clipped clip is limited."""
_SEED = 7
_CLIP_SENTENCES = 20
_REFERENCE_SENTENCES = 6
_ESPEAK = {"voice": "en-us", "rate": 160, "pitch": 45}
_STRANGERS = ("slt-100", "rms-100", "awb-100", "rms-090", "slt-112", "awb-109")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A sentence and the file that says it."""

    path: Path
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A voice and how to let it speak."""

    name: str
    description: str
    say: Callable[[str], NDArray[np.int16]]
    """16 kHz mono (S,)."""
    provenance: dict[str, str]
    texts: tuple[str, ...] = ()
    """All that it can say; empty for a voice that says anything."""

    @property
    def clip_texts(self) -> Sequence[str]:
        """What its clips say: `_CLIP_SENTENCES` to adapt to, then those that its voice is measured by."""
        return self.texts or grammar_sentences(_CLIP_SENTENCES + _REFERENCE_SENTENCES)


def make_targets() -> list[Target]:
    """Return both voices."""
    flite = FliteLibrary()
    speaker = next(one for one in TARGET_SPEAKERS if one.name == "target-slt")
    return [
        Target(
            name="virtual",
            description=(
                f"flite's {speaker.flite_voice}, formants {speaker.formant_percent} %, F0 {speaker.f0_mean_hz:g} Hz: "
                "outside the training grid"
            ),
            say=lambda text: speak(flite, speaker, text, Delivery())[0].samples,
            provenance={"kind": "synthetic", "name": f"flite {speaker.flite_voice} as {speaker.name}"},
        ),
        Target(
            name="espeak",
            description=f"espeak-ng, voice {_ESPEAK['voice']}: a synthesiser that the model has never heard",
            say=_say_by_espeak,
            provenance={"kind": "synthetic", "name": f"espeak-ng {_ESPEAK['voice']}"},
        ),
    ]


def _say_by_espeak(text: str) -> NDArray[np.int16]:
    with tempfile.TemporaryDirectory() as folder:
        artifact, bare = Path(folder) / "said.tts.wav", Path(folder) / "said.wav"
        ttsartifact.run_runner(
            "espeak-ng", text, artifact, ttsartifact.RunOptions(parameters=_ESPEAK, say=lambda _: None)
        )
        ttsartifact.strip(artifact, bare)
        samples, rate_hz = soundfile.read(bare, dtype="float64", always_2d=True)
    return to_fed_pcm(samples, rate_hz)


def test_sentences(count: int) -> list[str]:
    """Return held-out sentences, evenly from the list that no training part holds."""
    sentences = read_harvard_type()
    return sentences[:: max(1, len(sentences) // count)][:count]


test_sentences.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for its own


def clips_of(target: Target, folder: Path, *, at_least_s: float) -> list[Clip]:
    """Write clips of the target until they last that long, and return them; existing ones are kept."""
    found: list[Clip] = []
    samples = 0
    for number, text in enumerate(target.clip_texts[:_CLIP_SENTENCES]):
        clip = spoken(target.say, folder / f"{target.name}-{Condition.CLEAN}-{number:02d}.wav", text)
        found.append(clip)
        with wave.open(str(clip.path), "rb") as stream:
            samples += stream.getnframes()
        if samples >= at_least_s * FEATURE_SETTINGS.sample_rate_hz:
            return found
    return found


def first_clips(target: Target, folder: Path, clips: ClipSet) -> list[Clip]:
    """Write so many clips of the target, in their condition, and return them; existing ones are kept."""
    found = []
    for number, text in enumerate(target.clip_texts[: clips.count]):
        name = f"{target.name} {number}"
        path = folder / f"{target.name}-{clips.condition}-{number:02d}.wav"
        if not path.exists():
            write_clip(path, spoil(target.say(text), clips.condition, name=name))
        found.append(Clip(path=path, text=text))
    return found


def spoil(pcm: NDArray[np.int16], condition: Condition, *, name: str) -> NDArray[np.int16]:
    """Return samples (S,) in a condition; the noise follows from the name of the clip."""
    if condition.snr_db is not None:
        return add_noise(pcm, name=name, snr_db=condition.snr_db)
    if condition is Condition.CLIPPED:
        limit = int(np.abs(pcm.astype(np.int64)).max() * CLIPPED_SHARE)
        return np.clip(pcm, -limit, limit)
    return pcm


def reference_clips(target: Target, folder: Path) -> list[Clip]:
    """Write clean clips of the target that are not used for adaptation: the reference for its voice."""
    sentences = target.clip_texts[_CLIP_SENTENCES : _CLIP_SENTENCES + _REFERENCE_SENTENCES]
    return [spoken(target.say, folder / f"{target.name}-reference-{n}.wav", text) for n, text in enumerate(sentences)]


def source_clips(target: Target, folder: Path, sentences: Sequence[str]) -> list[Clip]:
    """Write the target's own recordings of the test sentences; a person has none."""
    if target.texts:
        return []
    return [spoken(target.say, folder / f"{target.name}-source-{n:02d}.wav", text) for n, text in enumerate(sentences)]


def stranger_clips(folder: Path) -> list[Clip]:
    """Write a clip of each of a few voices of the training corpus: other speakers, to measure by."""
    flite = FliteLibrary()
    text = grammar_sentences(1)[0]
    return [
        spoken(say_as(flite, speaker), folder / f"{name}.wav", text)
        for name in _STRANGERS
        for speaker in TRAINING_SPEAKERS
        if speaker.name == name
    ]


def say_as(
    flite: FliteLibrary, speaker: VirtualSpeaker, delivery: Delivery | None = None
) -> Callable[[str], NDArray[np.int16]]:
    """Return what lets a virtual speaker say something, in a delivery other than its habit where one is given."""
    return lambda words: speak(flite, speaker, words, delivery or Delivery())[0].samples


def spoken(say: Callable[[str], NDArray[np.int16]], path: Path, text: str) -> Clip:
    """Write what a voice says, if the file is not there yet."""
    if not path.exists():
        write_clip(path, say(text))
    return Clip(path=path, text=text)


def grammar_sentences(count: int) -> list[str]:
    """Return the first sentences of more than six words of a grammar that the training saw with other words."""
    grammar = SentenceGrammar(read_vocabulary(), SplitMix64(_SEED))
    found: list[str] = []
    while len(found) < count:
        sentence = grammar.sentence()
        if len(sentence.split()) > 6 and sentence not in found:
            found.append(sentence)
    return found


def add_noise(pcm: NDArray[np.int16], *, name: str, snr_db: int = NOISE_SNR_DB) -> NDArray[np.int16]:
    """Add NOISE_RECIPE to samples (S,)."""
    values = Stream(seed=_SEED, stage=f"ablation {name}").values(0, len(pcm), 1)[:, 0] * 2.0**-FRACTION_BITS
    power = float((pcm.astype(np.int64) ** 2).sum()) / len(pcm)
    noise = values * np.sqrt(power * 10.0 ** (-snr_db / 10.0))
    noisy: NDArray[np.int16] = np.clip(np.rint(pcm + noise), -32_768, 32_767).astype(np.int16)
    return noisy


def write_clip(path: Path, pcm: NDArray[np.int16]) -> None:
    """Write 16-bit mono, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with wave.open(str(unfinished), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(FEATURE_SETTINGS.sample_rate_hz)
        stream.writeframes(pcm.astype("<i2").tobytes())
    unfinished.replace(path)
