"""All measures of evaluation/2 over a set of recordings; every number keeps what the instrument gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from reference_runner.errors import RunnerError
from reference_runner.evaluation.distances import measure_distances
from reference_runner.evaluation.intervals import mean_interval
from reference_runner.evaluation.naturalness import NATURALNESS
from reference_runner.evaluation.prosody_transfer import measure_transfer
from reference_runner.evaluation.sessions import FIGURES, Manner, measure_consistency, measure_manner
from reference_runner.evaluation.sharing import shared
from reference_runner.evaluation.voice_distances import cepstral_voice, cosine, pitch_gap, read_statistics
from reference_runner.evaluation.word_errors import (
    SentenceErrors,
    count_character_errors,
    count_errors,
    paired_bootstrap,
    word_error_rate,
)
from reference_runner.frontend.normalization import normalize
from reference_runner.frontend.phones import PAUSE
from reference_runner.frontend.text_frontend import TextFrontEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from reference_runner.evaluation.frames import Frames
    from reference_runner.evaluation.naturalness import Naturalness
    from reference_runner.evaluation.people_encoder import PeopleEncoder
    from reference_runner.evaluation.recognizer import Recognizer
    from reference_runner.evaluation.recordings import Recording
    from reference_runner.evaluation.speaker_encoder import SpeakerEncoder

__all__ = ["EVALUATION_VERSION", "Measured", "Voice", "Yardsticks", "measure", "spoken_words", "summarise"]

EVALUATION_VERSION = "evaluation/2"
"""Rises with every change of a definition or of pinned data, so that numbers under one word can be compared."""


def spoken_words(text: str) -> str:
    """Return the words of a text as they are spoken, numbers and abbreviations read out."""
    try:
        return " ".join(sentence.text for sentence in normalize(text))
    except RunnerError:
        return text


class Voice:
    """A voice as its clips show it, in every measure."""

    def __init__(
        self, clips: Sequence[Frames], encoder: SpeakerEncoder | None, people: PeopleEncoder | None = None
    ) -> None:
        self.clips = list(clips)
        self._cepstral = cepstral_voice(self.clips)
        self._embedded: NDArray[np.float32] | None = None if encoder is None else encoder.voice(self.clips)
        self._among_people: NDArray[np.float32] | None = None if people is None else people.voice(self.clips)

    def similarity(self, other: Voice) -> dict[str, float | None]:
        """Return the similarities and the pitch gap, positive where this one is higher."""
        gap = pitch_gap(self.clips, other.clips)
        return {
            "similarity": cosine(self._cepstral, other._cepstral),
            "encoder_similarity": _likeness(self._embedded, other._embedded),
            "people_similarity": _likeness(self._among_people, other._among_people),
            "pitch_gap_semitones": None if np.isnan(gap) else gap,
        }


def _likeness(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> float | None:
    return None if one is None or other is None else cosine(one, other)


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What recordings are held against; each may be missing."""

    recognizer: Recognizer | None = None
    encoder: SpeakerEncoder | None = None
    people: PeopleEncoder | None = None
    naturalness: Naturalness | None = None
    target: Sequence[Recording] = ()
    """Clips of the voice that was requested."""
    others: Sequence[Recording] = ()
    """Clips of other voices."""
    sources: Sequence[Recording] = ()
    """The same sentences from a recording."""
    front_end: TextFrontEnd = field(default_factory=TextFrontEnd)

    def voice(self, clips: Sequence[Recording]) -> Voice:
        """Return the voice of clips as these instruments hear it."""
        return Voice([each.frames for each in clips], self.encoder, self.people)

    def identity(self) -> dict[str, str | None]:
        """Return what the instruments are, by version or digest."""
        front_end = self.front_end.identity()
        return {
            "recognizer": None if self.recognizer is None else self.recognizer.identity,
            "voice_statistics_sha256": read_statistics().sha256,
            "speaker_encoder_sha256": None if self.encoder is None else self.encoder.sha256,
            "people_encoder": None if self.people is None else self.people.identity,
            "naturalness": None if self.naturalness is None else self.naturalness.identity,
            "phones": f"{front_end['name']} {front_end['version']}, lexicon {front_end['lexicon_sha256']}",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One recording and all that was measured of it."""

    recording: Recording
    sentence: str | None
    """The spoken words: what the same sentence is told by."""
    heard: str | None
    words: SentenceErrors | None
    characters: SentenceErrors | None
    naturalness: Mapping[str, float] | None
    voice: Mapping[str, float | None] | None
    distances: Mapping[str, float | None] | None
    manner: Manner

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name."""
        return {
            "name": self.recording.name,
            "system": self.recording.system,
            "artifact_id": self.recording.artifact_id,
            "pcm_digest": self.recording.pcm_digest,
            "session": self.recording.session,
            "prompt": self.recording.prompt,
            "text": self.recording.text,
            "heard": self.heard,
            "word_errors": _errors(self.words),
            "character_errors": _errors(self.characters),
            "naturalness": self.naturalness,
            "voice": self.voice,
            "against_source": self.distances,
            "manner": self.manner.to_dict(),
        }


def measure(
    recordings: Iterable[Recording],
    yardsticks: Yardsticks,
    *,
    progress: Callable[[Any], Any] = iter,
    jobs: int = 1,
) -> dict[str, Any]:
    """Return the whole report as one dictionary; the same inputs give the same one, by however many processes."""
    target = yardsticks.voice(yardsticks.target) if yardsticks.target else None
    sources = {_sentence(each): each for each in yardsticks.sources if each.text is not None}
    told = [name for name in sources if name is not None]
    with shared(lambda name: _listen(sources[name], name, yardsticks.recognizer), jobs) as each_of:
        heard_sources = dict(zip(told, each_of(told), strict=True))
    with shared(lambda one: _measure_one(one, yardsticks, target, sources), jobs) as each_of:
        measured = list(each_of(progress(recordings)))
    systems = list(dict.fromkeys(one.recording.system for one in measured))
    by_system = {name: [one for one in measured if one.recording.system == name] for name in systems}
    return {
        "evaluation": EVALUATION_VERSION,
        "instruments": yardsticks.identity(),
        "inputs": {
            name: [{"name": each.name, "pcm_digest": each.pcm_digest} for each in clips]
            for name, clips in (
                ("target", yardsticks.target), ("others", yardsticks.others), ("sources", yardsticks.sources),
            )
        },
        "baselines": baselines(yardsticks),
        "sources": [
            {
                "name": sources[name].name, "text": sources[name].text, "heard": heard,
                "word_errors": _errors(words), "character_errors": _errors(characters),
            }
            for name, (heard, words, characters) in heard_sources.items()
        ],
        "systems": {
            name: summarise(own, {key: words for key, (_, words, _) in heard_sources.items() if words is not None})
            for name, own in by_system.items()
        },
        "clips": [one.to_dict() for one in measured],
    }  # fmt: skip


def baselines(yardsticks: Yardsticks) -> dict[str, Any]:
    """Return reference values of the similarities: each target clip against the rest, each other clip against it."""
    target, voice = list(yardsticks.target), yardsticks.voice
    found: dict[str, Any] = {"same_speaker": None, "other_speakers": None}
    if len(target) > 1:
        rest = [voice([clip for clip in target if clip is not one]) for one in target]
        found["same_speaker"] = _means(
            [voice([one]).similarity(other) for one, other in zip(target, rest, strict=True)]
        )
    if target and yardsticks.others:
        asked = voice(target)
        found["other_speakers"] = _means([voice([each]).similarity(asked) for each in yardsticks.others])
    return found


def summarise(measured: Sequence[Measured], sources: Mapping[str, SentenceErrors]) -> dict[str, Any]:
    """Return one system's figures with 95 % intervals over sentences."""
    return {
        "clips": len(measured),
        "sentences": len({one.sentence for one in measured}),
        "word_errors": _word_error_summary(measured, sources),
        "naturalness": {name: _interval(by_sentence(measured, "naturalness", name)) for name in NATURALNESS},
        "voice": {
            name: _interval(by_sentence(measured, "voice", name))
            for name in ("similarity", "encoder_similarity", "people_similarity", "pitch_gap_semitones")
        },
        "against_source": {
            name: _interval(by_sentence(measured, "distances", name))
            for name in (
                "mcd_db", "f0_rmse_semitones", "f0_contour_rmse_semitones", "voicing_error", "duration_error_s",
                "duration_ratio",
            )
        },
        "manner": {name: _interval(by_sentence(measured, "manner", name)) for name in FIGURES},
        "sessions": _sessions(measured),
        "prosody_transfer": measure_transfer([one.recording for one in measured]),
        "reruns": _reruns(measured),
    }  # fmt: skip


def by_sentence(measured: Sequence[Measured], group: str, name: str) -> dict[str, float]:
    """Return the mean of a figure by sentence, of the clips that have it."""
    found: dict[str, list[float]] = {}
    for one in measured:
        values = getattr(one, group)
        value = None if values is None else (values[name] if group != "manner" else getattr(values, name))
        if value is not None:
            found.setdefault(one.sentence or one.recording.name, []).append(value)
    return {sentence: float(np.mean(values)) for sentence, values in found.items()}


def _measure_one(
    recording: Recording, yardsticks: Yardsticks, target: Voice | None, sources: Mapping[str | None, Recording]
) -> Measured:
    sentence = _sentence(recording)
    heard, words, characters = _listen(recording, sentence, yardsticks.recognizer)
    source = sources.get(sentence) if sentence is not None else None
    return Measured(
        recording=recording,
        sentence=sentence,
        heard=heard,
        words=words,
        characters=characters,
        naturalness=None if yardsticks.naturalness is None else yardsticks.naturalness.rate(recording.frames.pcm),
        voice=None if target is None else yardsticks.voice([recording]).similarity(target),
        distances=None if source is None else measure_distances(recording.frames, source.frames).to_dict(),
        manner=measure_manner(recording.frames, _phones(recording.text, yardsticks.front_end)),
    )


def _sentence(recording: Recording) -> str | None:
    return None if recording.text is None else spoken_words(recording.text)


def _listen(
    recording: Recording, sentence: str | None, recognizer: Recognizer | None
) -> tuple[str | None, SentenceErrors | None, SentenceErrors | None]:
    if recognizer is None or sentence is None:
        return None, None, None
    heard = recognizer.hear_pcm(recording.frames.pcm)
    words = count_errors(sentence, heard)
    if not words.words:  # A text in another script has none that this listener could hear.
        return heard, None, None
    return heard, words, count_character_errors(sentence, heard)


def _phones(text: str | None, front_end: TextFrontEnd) -> int | None:
    if text is None:
        return None
    try:
        sentences = front_end.read(text).sentences
    except RunnerError:
        return None
    return sum(phone.name != PAUSE for sentence in sentences for phone in sentence.phones.phones)


def _errors(found: SentenceErrors | None) -> dict[str, int] | None:
    return None if found is None else {"errors": found.errors, "of": found.words}


def _means(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in rows[0]:
        values = [value for row in rows if (value := row[name]) is not None]
        # A gap's sign is of no interest where clips come from many voices.
        values = [abs(value) for value in values] if name.startswith("pitch_gap") else values
        found[name] = float(np.mean(values)) if values else None
    return found


def _interval(values: Mapping[str, float]) -> dict[str, float] | None:
    return mean_interval(values).to_dict() if values else None


def _word_error_summary(measured: Sequence[Measured], sources: Mapping[str, SentenceErrors]) -> dict[str, Any] | None:
    """Sum the errors of a sentence over its clips, so that sentences and not clips are drawn."""
    mine = _summed(measured, "words")
    if not mine:
        return None
    summary: dict[str, Any] = {
        "wer": word_error_rate(list(mine.values())),
        "cer": word_error_rate(list(_summed(measured, "characters").values())),
        "source_wer": None,
        "minus_source": None,
    }
    shared = sorted(set(mine) & set(sources))
    if shared:
        times = {name: sum(one.sentence == name for one in measured) for name in shared}
        theirs = [
            SentenceErrors(errors=sources[name].errors * times[name], words=sources[name].words * times[name])
            for name in shared
        ]
        summary["source_wer"] = word_error_rate(theirs)
        summary["minus_source"] = paired_bootstrap([mine[name] for name in shared], theirs).to_dict()
    return summary


def _summed(measured: Sequence[Measured], kind: str) -> dict[str, SentenceErrors]:
    found: dict[str, SentenceErrors] = {}
    for one in measured:
        errors: SentenceErrors | None = getattr(one, kind)
        if errors is not None and one.sentence is not None:
            before = found.get(one.sentence, SentenceErrors(errors=0, words=0))
            found[one.sentence] = SentenceErrors(
                errors=before.errors + errors.errors, words=before.words + errors.words
            )
    return found


def _sessions(measured: Sequence[Measured]) -> dict[str, Any]:
    """Take the first run of each sentence in each session."""
    sessions = list(dict.fromkeys(one.recording.session for one in measured if one.recording.session is not None))
    manners: dict[tuple[str, str], Manner] = {}
    for one in measured:
        if one.recording.session is not None and one.sentence is not None:
            manners.setdefault((one.sentence, one.recording.session), one.manner)
    found = measure_consistency(manners, sessions)
    return {"sessions": sessions, "figures": {name: one.to_dict() for name, one in found.items()}}


def _reruns(measured: Sequence[Measured]) -> dict[str, Any]:
    """Compare runs of equal conditions: their differences are not due to the request."""
    groups: dict[str, list[Recording]] = {}
    for one in measured:
        if one.recording.conditions is not None:
            groups.setdefault(one.recording.conditions, []).append(one.recording)
    pairs = [(group[0], other) for group in groups.values() for other in group[1:]]
    return {
        "pairs": len(pairs),
        "equal": sum(one.pcm_digest == other.pcm_digest for one, other in pairs),
        "greatest_difference": max((_difference(one, other) for one, other in pairs), default=None),
    }


def _difference(one: Recording, other: Recording) -> int:
    """Return the greatest difference of two samples at one place, in 1 / 32768; a missing sample counts as zero."""
    longest = max(len(one.frames.pcm), len(other.frames.pcm))
    mine, theirs = (
        np.pad(each.frames.pcm.astype(np.int64), (0, longest - len(each.frames.pcm))) for each in (one, other)
    )
    return int(np.abs(mine - theirs).max())
