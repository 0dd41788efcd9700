"""Builds the corpus: sentences, speech, alignments and features, with a manifest whose root hash is committed.

    python -m reference_runner.laboratory.corpus.builder --output .build/corpus
    python -m reference_runner.laboratory.corpus.builder --plan manners --output .build/manners

Every array is one `.npy` file with the items end to end; `index.json` says where each item lies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import track

from reference_runner.commands import stopping_in_a_sentence
from reference_runner.frontend.lexicon import read_base
from reference_runner.frontend.phones import PAUSE, Phone, PhoneSequence, is_vowel
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.manners import MannersPlan, PlannedUtterance, plan_manners
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.virtual_speakers import TARGET_SPEAKERS, TRAINING_SPEAKERS, Delivery, speak
from reference_runner.laboratory.corpus.vocabulary import read_vocabulary
from reference_runner.model.features import FEATURE_SETTINGS, frame_count, log_mel, pad_to_frames, prosody

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from reference_runner.laboratory.corpus.flite import SpokenSegment

__all__ = [
    "LOCK_FILES", "CorpusItem", "CorpusPlan", "PlannedUtterance", "align", "main", "phones_of", "plan_corpus",
]  # fmt: skip

LOCK_FILES = {"corpus": "corpus_lock.txt", "manners": "manners_lock.txt"}
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
    flite_sha256: str

    def manifest_line(self) -> str:
        """Return what the manifest says of this item, one canonical line of JSON."""
        planned = self.planned
        record = {
            "delivery": {name: value for name, value in asdict(planned.delivery).items() if value is not None},
            "durations": self.durations.tolist(),
            "flite_pcm_sha256": self.flite_sha256,
            "pcm_sha256": hashlib.sha256(self.samples.tobytes()).hexdigest(),
            "phones": [phone.name for phone in self.phones.phones],
            "speaker": planned.speaker.name,
            "split": planned.split,
            "text": planned.text,
        }
        return json.dumps(record, sort_keys=True, separators=(",", ":"))


def plan_corpus(plan: CorpusPlan) -> Iterator[PlannedUtterance]:
    """Yield the utterances in the order of the manifest; no sentence of the tests is in the training part."""
    vocabulary = read_vocabulary()
    lexicon_words = sorted(word for word in read_base().entries if word.isalpha() and len(word) > 1)
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
        grammar = SentenceGrammar(vocabulary, draws, lexicon_words)
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
    """Speak one utterance and analyse it."""
    spoken, before_resampling = speak(flite, planned.speaker, planned.text, planned.delivery)
    loudness = np.sqrt(np.mean((spoken.samples / 32768.0) ** 2))
    scaled = pad_to_frames(spoken.samples * (LOUDNESS_RMS / loudness))
    samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
    waveform = samples / 32768.0
    return CorpusItem(
        planned=planned,
        phones=phones_of(spoken.segments, planned.text),
        durations=align([segment.end_s for segment in spoken.segments], frame_count(len(samples))),
        samples=samples,
        log_mel=log_mel(waveform).astype(np.float16),
        prosody=prosody(waveform).astype(np.float32),
        flite_sha256=hashlib.sha256(before_resampling.tobytes()).hexdigest(),
    )


def build_items(planned: Sequence[PlannedUtterance], jobs: int) -> Iterator[CorpusItem]:
    """Yield the items in the order of the plan, spoken by so many processes.

    More than one is for utterances whose contour is scaled: their excitation is seeded. The others' follows from the
    utterances before them.
    """
    if jobs == 1:
        flite = FliteLibrary()
        yield from (build_item(flite, one) for one in planned)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_build_alone, planned, chunksize=7)


def _build_alone(planned: PlannedUtterance) -> CorpusItem:
    return build_item(_own_flite(), planned)


@cache
def _own_flite() -> FliteLibrary:
    """Return this process's flite."""
    return FliteLibrary()


def compare_with_lock(lines: Sequence[str], lock: str) -> str:
    """Return "" when the manifest is the locked one, else a sentence naming the first item that differs."""
    expected = lock.split()
    for place, line in enumerate(lines):
        found = short_hash(line)
        if place >= len(expected) - 1:
            return f"item {place} is not in the lock, which ends after {len(expected) - 1} items"
        if found != expected[place + 1]:
            return f"item {place} differs: got {found}, expected {expected[place + 1]}; it is {line[:200]}"
    if len(lines) != len(expected) - 1:
        return f"the manifest ends after {len(lines)} items, the lock has {len(expected) - 1}"
    return ""


def short_hash(line: str) -> str:
    """Return the first ten hex digits of a line's sha256: enough to name an item, the root hash is the proof."""
    return hashlib.sha256(line.encode("utf-8")).hexdigest()[:10]


def root_hash(lines: Sequence[str]) -> str:
    """Return the sha256 over the manifest's bytes."""
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("utf-8")).hexdigest()


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
    parser.add_argument("--jobs", type=int, default=1, help="processes that speak the manners; the corpus needs one")
    parser.add_argument("--sentences-a-speaker", type=int, default=CorpusPlan().sentences_a_speaker)
    arguments = parser.parse_args()
    corpus = CorpusPlan(sentences_a_speaker=arguments.sentences_a_speaker)
    planned = list(plan_corpus(corpus) if arguments.plan == "corpus" else plan_manners(MannersPlan()))
    items = build_items(planned, 1 if arguments.plan == "corpus" else arguments.jobs)
    lines = write_corpus(track(items, description="speaking", total=len(planned)), arguments.output)
    lock_path = Path(__file__).resolve().parent / LOCK_FILES[arguments.plan]
    if arguments.write_lock:
        words = [root_hash(lines), *(short_hash(line) for line in lines)]
        lock_path.write_text("\n".join(words) + "\n", encoding="ascii")
    difference = compare_with_lock(lines, lock_path.read_text(encoding="ascii"))
    if difference:
        parser.exit(1, f"the corpus is not the committed one: {difference}\n")
    parser.exit(0, f"corpus root sha256 {root_hash(lines)}, {len(lines)} utterances\n")


if __name__ == "__main__":
    main()
