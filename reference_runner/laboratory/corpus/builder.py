"""Builds the corpus: sentences, speech, alignments and features, with a manifest whose root hash is committed.

    python -m reference_runner.laboratory.corpus.builder --output .build/corpus
    python -m reference_runner.laboratory.corpus.builder --plan manners --output .build/manners
    python -m reference_runner.laboratory.corpus.builder --plan contours --output .build/contours
    python -m reference_runner.laboratory.corpus.builder --plan teacher --jobs 2 --output .build/teacher

Every array is one `.npy` file with the items end to end; `index.json` says where each item lies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.frontend.phones import PAUSE, Phone, PhoneSequence, is_vowel
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.hibari import HeartSpeaker, HibariTeacher
from reference_runner.laboratory.corpus.locks import (
    LOCK_FILES,
    built,
    coarse_sound,
    hold_against_lock,
    root_hash,
    write_lock,
)
from reference_runner.laboratory.corpus.manners import (
    ContoursPlan,
    MannersPlan,
    PlannedUtterance,
    plan_contours,
    plan_manners,
)
from reference_runner.laboratory.corpus.processes import in_processes, with_progress
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.teaching import TeacherPlan, plan_teacher
from reference_runner.laboratory.corpus.virtual_speakers import (
    TARGET_SPEAKERS,
    TRAINING_SPEAKERS,
    Delivery,
    VirtualSpeaker,
    speak,
)
from reference_runner.laboratory.corpus.vocabulary import lexicon_words, read_vocabulary
from reference_runner.model.features import FEATURE_SETTINGS, frame_count, log_mel, pad_to_frames, prosody

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from reference_runner.laboratory.corpus.flite import SpokenSegment

__all__ = ["CorpusItem", "CorpusPlan", "PlannedUtterance", "align", "main", "phones_of", "plan_corpus"]

LOUDNESS_RMS = 0.1
"""Every utterance is scaled to this root mean square, full scale being 1."""

_TEST_SPEAKERS = ("slt-100", "rms-100")


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusPlan:
    """How much of what; the same plan and seed give the same corpus."""

    seed: int = 20241220
    sentences_a_speaker: int = 250
    coverage_share: float = 0.3
    held_out_grammar_sentences: int = 200
    target_sentences: int = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusItem:
    """One utterance, spoken, aligned and analysed."""

    planned: PlannedUtterance
    phones: PhoneSequence
    durations: NDArray[np.int16]
    """Frames a phone (P,); they sum to the number of frames."""
    samples: NDArray[np.int16]
    """A whole number of hops."""
    log_mel: NDArray[np.float16]
    prosody: NDArray[np.float32]
    source: str
    """Who spoke: flite or hibari."""
    source_sha256: str
    """Of its own samples, before resampling."""

    def manifest_line(self) -> str:
        """Return what the manifest says of this item, one canonical line of JSON."""
        planned = self.planned
        record = {
            "delivery": {name: value for name, value in asdict(planned.delivery).items() if value is not None},
            "durations": self.durations.tolist(),
            f"{self.source}_pcm_sha256": self.source_sha256,
            "pcm_sha256": hashlib.sha256(self.samples.tobytes()).hexdigest(),
            "phones": [phone.name for phone in self.phones.phones],
            "speaker": planned.speaker.name,
            "split": planned.split,
            "text": planned.text,
        }
        if isinstance(planned.speaker, HeartSpeaker):
            record["coarse_sound"] = coarse_sound(self.log_mel)
        return json.dumps(record, sort_keys=True, separators=(",", ":"))


def plan_corpus(plan: CorpusPlan) -> Iterator[PlannedUtterance]:
    """Yield the utterances in the order of the manifest; no sentence of the tests is in the training part."""
    vocabulary = read_vocabulary()
    held_out = SentenceGrammar(vocabulary, SplitMix64(plan.seed))
    test_sentences: list[str] = []
    while len(test_sentences) < plan.held_out_grammar_sentences:
        sentence = held_out.sentence()
        if len(sentence.split()) > 5 and sentence not in test_sentences:
            test_sentences.append(sentence)
    speakers = {speaker.name: speaker for speaker in TRAINING_SPEAKERS}
    for name in _TEST_SPEAKERS:
        for split, sentences in (("test_grammar", test_sentences), ("test_harvard", read_harvard_type())):
            for text in sentences:
                yield PlannedUtterance(split=split, speaker=speakers[name], text=text, delivery=Delivery())
    forbidden = set(test_sentences)
    for number, speaker in enumerate((*TRAINING_SPEAKERS, *TARGET_SPEAKERS)):
        draws = SplitMix64(plan.seed + 1 + number)
        grammar = SentenceGrammar(vocabulary, draws, lexicon_words())
        split = "train" if number < len(TRAINING_SPEAKERS) else "target"
        wanted = plan.sentences_a_speaker if split == "train" else plan.target_sentences
        while wanted:
            covers = draws.chance(plan.coverage_share)
            text = grammar.coverage_phrase() if covers else grammar.sentence()
            delivery = Delivery(
                f0_deviation_factor=round(draws.between(0.6, 1.6), 3),
                stretch_factor=round(draws.between(0.85, 1.2), 3),
            )
            if text not in forbidden:
                wanted -= 1
                yield PlannedUtterance(split=split, speaker=speaker, text=text, delivery=delivery)


def read_harvard_type() -> list[str]:
    """Return the held-out sentences that stand beside this module."""
    text = files("reference_runner.laboratory.corpus").joinpath("harvard_type.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def phones_of(segments: Sequence[SpokenSegment], text: str) -> PhoneSequence:
    """Return flite's phones with our marks: stress on vowels, word ends, and the kind of each pause."""
    marks = [character for character in text if character in ",.?;:!"]
    inner_pauses = sum(segment.phone == PAUSE for segment in segments[1:])
    phones: list[Phone] = []
    pauses = 0
    for place, segment in enumerate(segments):
        if segment.phone != PAUSE:
            following = segments[place + 1]
            ends_word = following.word_index != segment.word_index and not following.word.startswith("'")
            phones.append(
                Phone(
                    name=segment.phone,
                    stress=segment.stress if is_vowel(segment.phone) else 0,
                    boundary="word_end" if ends_word else "within_word",
                )
            )
        elif place == 0:
            phones.append(Phone(name=PAUSE, boundary="phrase_start"))
        else:
            pauses += 1
            last = pauses == inner_pauses
            boundary = ("question" if marks and marks[-1] == "?" else "statement") if last else "comma"
            phones.append(Phone(name=PAUSE, boundary=boundary))
    return PhoneSequence(phones=tuple(phones))


def align(end_s: Sequence[float], frames: int) -> NDArray[np.int16]:
    """Return frames a phone, at least one each, from the times at which the phones end."""
    frames_per_second = FEATURE_SETTINGS.sample_rate_hz / FEATURE_SETTINGS.hop_samples
    ends: list[int] = []
    for place, end in enumerate(end_s):
        earliest = ends[-1] + 1 if ends else 1
        latest = frames - (len(end_s) - 1 - place)
        ends.append(min(max(round(end * frames_per_second), earliest), latest))
    ends[-1] = frames
    return np.diff(np.array([0, *ends])).astype(np.int16)


def build_item(flite: FliteLibrary, planned: PlannedUtterance) -> CorpusItem:
    """Have flite speak one utterance and analyse it."""
    assert isinstance(planned.speaker, VirtualSpeaker)
    spoken, before_resampling = speak(flite, planned.speaker, planned.text, planned.delivery)
    return _analysed(
        planned,
        spoken.samples,
        phones=phones_of(spoken.segments, planned.text),
        end_s=[segment.end_s for segment in spoken.segments],
        source="flite",
        source_sha256=hashlib.sha256(before_resampling.tobytes()).hexdigest(),
    )


def build_taught_item(teacher: HibariTeacher, front_end: TextFrontEnd, planned: PlannedUtterance) -> CorpusItem:
    """Have the neural teacher speak one utterance, as our front end reads it, and analyse it."""
    assert isinstance(planned.speaker, HeartSpeaker)
    (read,) = front_end.read(planned.text).sentences
    said = teacher.say(read, planned.speaker, planned.delivery, seed=planned.number)
    return _analysed(
        planned,
        said.waveform * 32768.0,
        phones=said.phones,
        end_s=said.end_s,
        source="hibari",
        source_sha256=said.source_sha256,
    )


def _analysed(
    planned: PlannedUtterance,
    spoken: NDArray[np.integer | np.floating],
    *,
    phones: PhoneSequence,
    end_s: Sequence[float],
    source: str,
    source_sha256: str,
) -> CorpusItem:
    """Return the item of what was spoken (S,), full scale being 32768."""
    loudness = np.sqrt(np.mean((spoken / 32768.0) ** 2))
    scaled = pad_to_frames(spoken * (LOUDNESS_RMS / loudness))
    samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    waveform = samples / 32768.0
    return CorpusItem(
        planned=planned,
        phones=phones,
        durations=align(end_s, frame_count(len(samples))),
        samples=samples,
        log_mel=log_mel(waveform).astype(np.float16),
        prosody=prosody(waveform).astype(np.float32),
        source=source,
        source_sha256=source_sha256,
    )


def build_items(planned: Sequence[PlannedUtterance], jobs: int) -> Iterator[CorpusItem]:
    """Yield the items in the order of the plan, spoken by so many processes.

    More than one is for the teacher, and for utterances of flite whose contour is scaled: their excitation is seeded.
    The others' follows from the utterances before them.
    """
    return map(_build_alone, planned) if jobs == 1 else in_processes(_build_alone, planned, jobs=jobs)


def _build_alone(planned: PlannedUtterance) -> CorpusItem:
    if isinstance(planned.speaker, HeartSpeaker):
        return build_taught_item(*_own_teacher(), planned)
    return build_item(_own_flite(), planned)


@cache
def _own_flite() -> FliteLibrary:
    """Return this process's flite."""
    return FliteLibrary()


@cache
def _own_teacher() -> tuple[HibariTeacher, TextFrontEnd]:
    """Return this process's neural teacher and what reads for it."""
    return HibariTeacher(), TextFrontEnd()


def write_corpus(items: Iterable[CorpusItem], output: Path) -> list[str]:
    """Write arrays, index and manifest; return the manifest's lines."""
    output.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    index: list[dict[str, object]] = []
    arrays: dict[str, list[NDArray[np.generic]]] = {
        name: [] for name in ("phones", "stresses", "breaks", "durations", "samples", "log_mel", "prosody")
    }
    for item in items:
        lines.append(item.manifest_line())
        index.append(
            {
                "split": item.planned.split,
                "speaker": item.planned.speaker.name,
                "text": item.planned.text,
                "phones": len(item.phones),
                "frames": len(item.log_mel),
                "block": item.planned.block,
            }
        )
        arrays["phones"].append(np.array(item.phones.phone_ids(), dtype=np.uint8))
        arrays["stresses"].append(np.array(item.phones.stress_ids(), dtype=np.uint8))
        arrays["breaks"].append(np.array(item.phones.break_ids(), dtype=np.uint8))
        arrays["durations"].append(item.durations)
        arrays["samples"].append(item.samples)
        arrays["log_mel"].append(item.log_mel)
        arrays["prosody"].append(item.prosody)
    for name, parts in arrays.items():
        np.save(output / f"{name}.npy", np.concatenate(parts))
    root = root_hash(lines)
    (output / "manifest.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (output / "index.json").write_text(json.dumps({"root_sha256": root, "items": index}), encoding="utf-8")
    return lines


@stopping_in_a_sentence("reference_runner.laboratory.corpus.builder")
def main() -> None:
    """Build the corpus and hold it against the lock."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(".build/corpus"))
    parser.add_argument("--write-lock", action="store_true", help="accept this corpus as the expected one")
    parser.add_argument("--plan", choices=tuple(LOCK_FILES), default="corpus")
    parser.add_argument("--jobs", type=int, default=1, help="processes that speak in blocks; the corpus needs one")
    parser.add_argument("--sentences-a-speaker", type=int, default=CorpusPlan().sentences_a_speaker)
    parser.add_argument(
        "--blocks", type=int, default=TeacherPlan().blocks_a_speaker,
        help="plan teacher: blocks for each speaker to train on, four times as many for the teacher's own voice",
    )  # fmt: skip
    arguments = parser.parse_args()
    planned = _planned(arguments)
    items = build_items(planned, 1 if arguments.plan == "corpus" else arguments.jobs)
    lines = write_corpus(with_progress(items, total=len(planned)), arguments.output)
    if arguments.write_lock:
        write_lock(arguments.plan, lines)
    if arguments.plan == "teacher" and arguments.blocks != TeacherPlan().blocks_a_speaker:
        parser.exit(0, f"{built(lines)}; not compared, the lock has --blocks {TeacherPlan().blocks_a_speaker}\n")
    parser.exit(*hold_against_lock(arguments.plan, lines))


def _planned(arguments: argparse.Namespace) -> list[PlannedUtterance]:
    if arguments.plan == "teacher":
        return list(plan_teacher(TeacherPlan(blocks_a_speaker=arguments.blocks)))
    if arguments.plan == "manners":
        return list(plan_manners(MannersPlan()))
    if arguments.plan == "contours":
        return list(plan_contours(ContoursPlan()))
    return list(plan_corpus(CorpusPlan(sentences_a_speaker=arguments.sentences_a_speaker)))


if __name__ == "__main__":
    main()
