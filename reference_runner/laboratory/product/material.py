"""What the evaluation speaks about: sentences, sources, the voice that is asked for, prompts of many manners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from reference_runner.laboratory.ablation.human import PERSON_ORIGIN, read_person
from reference_runner.laboratory.ablation.targets import (
    Clip,
    add_noise,
    clips_of,
    grammar_sentences,
    make_targets,
    reference_clips,
    say_as,
    spoken,
    stranger_clips,
    test_sentences,
)
from reference_runner.laboratory.ablation.targets import write_clip as write
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS, HibariTeacher, say_as_taught
from reference_runner.laboratory.corpus.virtual_speakers import TARGET_SPEAKERS, TRAINING_SPEAKERS, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["PROMPT_DELIVERIES", "SESSION_DELIVERIES", "Asked", "Material"]

_VOICE_S = 22.0
"""So much of the voice that is asked for is given."""
_REFERENCES = 6
PROMPT_DELIVERIES = (
    (0.75, 0.5, -6.0), (1.0, 0.5, 6.0), (1.4, 0.5, 0.0), (0.75, 1.8, 6.0), (1.0, 1.8, -6.0), (1.4, 1.8, 0.0),
)  # fmt: skip
"""Factors of the durations and of the pitch contour's width, and decibels: no two of the three go together."""
SESSION_DELIVERIES = ((0.8, 0.6), (1.0, 1.0), (1.3, 1.8))
"""What differs between the clips that a voice lends from session to session."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A voice that the training never heard."""

    name: str
    description: str
    given: tuple[Clip, ...]
    noisy: tuple[Clip, ...]
    """The same clips in white noise, 10 dB under them."""
    references: tuple[Clip, ...]
    """Other clips of the voice: what it is measured by."""
    origin: dict[str, str]


class Material:
    """Everything that is written once into a folder, by flite and from a person's clips."""

    def __init__(self, folder: Path, *, sentences: int) -> None:
        self._folder = folder
        self._flite = FliteLibrary()
        self.sentences = test_sentences(sentences)

    def sources(self, speaker: str, sentences: list[str]) -> list[Clip] | None:
        """Return a training speaker's own sound of the sentences; None for one that neither teacher has.

        Raises PackageMissing for a speaker of the neural teacher where hibari-tts is not installed.
        """
        say = self._own_sound(speaker)
        if say is None:
            return None
        places = {text: number for number, text in enumerate(self.sentences)}
        return [spoken(say, self._folder / f"source-{speaker}" / f"{places[text]:03d}.wav", text) for text in sentences]

    def _own_sound(self, speaker: str) -> Callable[[str], NDArray[np.int16]] | None:
        taught = [one for one in HEART_SPEAKERS if one.name == speaker]
        if taught:
            return say_as_taught(self._teacher, taught[0])
        found = [one for one in TRAINING_SPEAKERS if one.name == speaker]
        return say_as(self._flite, found[0]) if found else None

    @cached_property
    def _teacher(self) -> HibariTeacher:
        """The network, loaded once for all of its speakers."""
        return HibariTeacher()

    def asked(self, person: Path | None) -> Asked:
        """Return the voice that is asked for: a person's where there are clips, else a virtual speaker's."""
        clips = self._folder / "asked"
        if person is not None:
            all_clips = read_person(person)
            given = _lasting(all_clips[_REFERENCES:], _VOICE_S)
            return Asked(
                name="person", description=f"a person ({person.name}), {len(given)} clips", given=given,
                noisy=self._noisy(given), references=tuple(all_clips[:_REFERENCES]),
                origin=dict(PERSON_ORIGIN),
            )  # fmt: skip
        target = next(one for one in make_targets() if one.name == "virtual")
        given = tuple(clips_of(target, clips, at_least_s=_VOICE_S))
        return Asked(
            name=target.name, description=target.description, given=given, noisy=self._noisy(given),
            references=tuple(reference_clips(target, clips)), origin=dict(target.provenance),
        )  # fmt: skip

    def strangers(self) -> list[Clip]:
        """Return a clip of each of a few other voices."""
        return stranger_clips(self._folder / "strangers")

    def prompts(self, speaker: str = "rms-100") -> list[Clip]:
        """Return one sentence in every delivery of PROMPT_DELIVERIES."""
        text = grammar_sentences(1)[0]
        voice = next(one for one in TRAINING_SPEAKERS if one.name == speaker)
        made = []
        for number, (stretch, contour, gain_db) in enumerate(PROMPT_DELIVERIES):
            say = say_as(self._flite, voice, Delivery(stretch_factor=stretch, contour_factor=contour))
            path = self._folder / "prompts" / f"{number}.wav"
            if not path.exists():
                write(path, _louder(say(text), gain_db))
            made.append(Clip(path=path, text=text))
        return made

    def session_clips(self) -> list[Clip]:
        """Return a clip of the virtual speaker for each session, every one in a delivery of its own."""
        voice = next(one for one in TARGET_SPEAKERS if one.name == "target-slt")
        made = []
        for number, (text, (stretch, contour)) in enumerate(zip(grammar_sentences(3), SESSION_DELIVERIES, strict=True)):
            say = say_as(self._flite, voice, Delivery(stretch_factor=stretch, contour_factor=contour))
            made.append(spoken(say, self._folder / "sessions" / f"{number}.wav", text))
        return made

    def _noisy(self, clips: tuple[Clip, ...]) -> tuple[Clip, ...]:
        made = []
        for clip in clips:
            path = self._folder / "noisy" / clip.path.name
            if not path.exists():
                pcm, _ = soundfile.read(clip.path, dtype="int16")
                write(path, add_noise(pcm, name=clip.path.stem))
            made.append(Clip(path=path, text=clip.text))
        return tuple(made)


def _louder(pcm: NDArray[np.int16], gain_db: float) -> NDArray[np.int16]:
    """Return samples at a gain; what would clip is brought to full scale, and the prompt's level is measured anyway."""
    scaled = pcm.astype(np.float64) * 10.0 ** (gain_db / 20.0)
    scaled *= min(1.0, 32_767.0 / max(1.0, float(np.abs(scaled).max())))
    louder: NDArray[np.int16] = np.rint(scaled).astype(np.int16)
    return louder


def _lasting(clips: list[Clip], seconds: float) -> tuple[Clip, ...]:
    """Return the first clips that last so long together, or all."""
    total = 0.0
    for count, clip in enumerate(clips, start=1):
        total += soundfile.info(clip.path).duration
        if total >= seconds:
            return tuple(clips[:count])
    return tuple(clips)
