"""The corpus: the same everywhere, aligned, and held against its lock."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from reference_runner.errors import PackageMissing
from reference_runner.laboratory.corpus.builder import (
    CorpusPlan,
    align,
    phones_of,
    plan_corpus,
    read_harvard_type,
)  # fmt: skip
from reference_runner.laboratory.corpus.flite import SpokenSegment
from reference_runner.laboratory.corpus.grammar import SentenceGrammar
from reference_runner.laboratory.corpus.locks import compare_with_lock, root_hash, short_hash
from reference_runner.laboratory.corpus.manners import MannersPlan, PlannedUtterance, plan_manners
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.virtual_speakers import (
    TARGET_SPEAKERS,
    TRAINING_SPEAKERS,
    Delivery,
    VirtualSpeaker,
    resample,
    speak,
)
from reference_runner.laboratory.corpus.vocabulary import gerund, past, plural, read_vocabulary


def test_splitmix_is_the_published_generator():
    """The first words of seed 1234567, as every implementation gives them."""
    draws = SplitMix64(1234567)
    assert [draws.next_word() for _ in range(3)] == [
        6457827717110365317, 3203168211198807973, 9817491932198370423,
    ]  # fmt: skip


def test_draws_stay_in_their_range():
    """below, between and shuffled keep what they promise."""
    draws = SplitMix64(1)
    assert {draws.below(3) for _ in range(100)} == {0, 1, 2}
    assert all(0.5 <= draws.between(0.5, 0.6) < 0.6 for _ in range(100))
    assert sorted(draws.shuffled(range(10))) == list(range(10))


def test_inflections():
    """Regular English, with the doubled consonant of short verbs."""
    assert [plural(word) for word in ("box", "city", "boy", "dish")] == ["boxes", "cities", "boys", "dishes"]
    assert [past(word) for word in ("stop", "carry", "move", "join")] == ["stopped", "carried", "moved", "joined"]
    assert [gerund(word) for word in ("tie", "make", "cut", "wax")] == ["tying", "making", "cutting", "waxing"]


def test_the_grammar_is_a_function_of_its_seed():
    """The same seed says the same; the vocabulary is wide."""
    vocabulary = read_vocabulary()
    first, second = (SentenceGrammar(vocabulary, SplitMix64(5)) for _ in range(2))
    assert [first.sentence() for _ in range(50)] == [second.sentence() for _ in range(50)]
    assert len(vocabulary.spellings()) > 3000


def test_the_plan_keeps_tests_and_training_apart():
    """No held-out sentence is spoken in training; 24 speakers train."""
    planned = list(plan_corpus(CorpusPlan(sentences_a_speaker=5, held_out_grammar_sentences=20)))
    by_split: dict[str, set[str]] = {}
    for one in planned:
        by_split.setdefault(one.split, set()).add(one.text)
    assert not by_split["train"] & (by_split["test_grammar"] | by_split["test_harvard"])
    assert len({one.speaker.name for one in planned if one.split == "train"}) == len(TRAINING_SPEAKERS) == 24
    assert len(read_harvard_type()) == 72


def test_the_plan_is_the_one_that_was_locked():
    """Every sentence, speaker and delivery of the locked corpus, without speaking: a redrawn word is seen at once."""
    digest = hashlib.sha256()
    for one in plan_corpus(CorpusPlan()):
        delivery = one.delivery
        line = f"{one.split}|{one.speaker.name}|{one.text}|{delivery.f0_deviation_factor}|{delivery.stretch_factor}\n"
        digest.update(line.encode())
    assert digest.hexdigest() == "9088c6085d466c12eaea378fabeb085e066006a23bc9411956ab4d9e90a93db8"


def test_a_block_is_one_speaker_in_one_delivery():
    """Seven sentences each; between blocks tempo and width of the contour differ by factors."""
    planned = list(plan_manners(MannersPlan(blocks_a_speaker=2, more_blocks_a_speaker=1)))
    blocks: dict[int | None, list[PlannedUtterance]] = {}
    for one in planned:
        blocks.setdefault(one.block, []).append(one)
    assert len(blocks) == 72
    assert {len(block) for block in blocks.values()} == {7}
    assert all(len({(one.speaker, one.delivery, one.split) for one in block}) == 1 for block in blocks.values())
    for name, least in (("stretch_factor", 1.8), ("contour_factor", 3.5)):
        drawn = [getattr(block[0].delivery, name) for block in blocks.values()]
        assert max(drawn) / min(drawn) > least
    assert [block[0].split for block in blocks.values()][:3] == ["manner", "test_manner", "manner"]


def test_alignment_gives_every_phone_a_frame():
    """Durations are at least one frame and sum to all frames, even where phones crowd."""
    durations = align([0.001, 0.002, 0.003, 0.5], 31)
    assert durations.sum() == 31
    assert durations.min() >= 1


def segment(phone: str, word: str = "", word_index: int = -1, stress: int = 0) -> SpokenSegment:
    return SpokenSegment(phone=phone, end_s=0.0, stress=stress, word=word, word_index=word_index)


def test_a_virtual_speaker_is_asked_for_what_resampling_then_shifts():
    """Flite speaks lower and longer by the tract's factor, by the speaker's habit times the delivery's."""
    asked = {}

    class Asked:
        @staticmethod
        def speak(text, **how):
            asked.update(how, text=text)
            raise LookupError

    speaker = VirtualSpeaker(
        name="one", flite_voice="slt", formant_percent=80, f0_mean_hz=120.0, f0_deviation_hz=12.0, duration_stretch=1.5
    )
    delivery = Delivery(f0_deviation_factor=0.5, stretch_factor=1.25, contour_factor=1.75)
    with pytest.raises(LookupError):
        speak(Asked(), speaker, "Hm.", delivery)
    assert asked == {
        "text": "Hm.", "voice": "slt", "f0_mean_hz": pytest.approx(150.0), "f0_deviation_hz": pytest.approx(7.5),
        "duration_stretch": pytest.approx(1.5), "contour_factor": 1.75,
    }  # fmt: skip


def test_marks_of_phones():
    """Stress stays on vowels, word ends are marked, a possessive belongs to its word, the last pause knows why."""
    segments = [
        segment("pau"), segment("jh", "john", 0, 1), segment("aa", "john", 0, 1), segment("n", "john", 0, 1),
        segment("z", "'s", 1), segment("pau"), segment("hh", "here", 2, 1), segment("iy", "here", 2, 1), segment("pau"),
    ]  # fmt: skip
    sequence = phones_of(segments, "John's, here?")
    assert [phone.boundary for phone in sequence.phones] == [
        "phrase_start", "within_word", "within_word", "within_word", "word_end", "comma", "within_word", "word_end",
        "question",
    ]  # fmt: skip
    assert sequence.stress_ids() == [0, 0, 1, 0, 0, 0, 0, 1, 0]


def test_resampling_keeps_a_tone():
    """A tone resampled by 100 / 90 has its frequency times 0.9 and its length times 10 / 9."""
    tone = np.rint(8000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.int16)
    longer = resample(tone, 100, 90)
    assert len(longer) == 17_777
    peak = np.abs(np.fft.rfft(longer[:16_000])).argmax()
    assert peak == 900
    assert resample(tone, 3, 3) is tone


def test_the_lock_names_the_first_difference():
    """A changed item, a missing one and one too many are told apart."""
    lines = ["one", "two", "three"]
    lock = "\n".join([root_hash(lines), *(short_hash(line) for line in lines)])
    assert compare_with_lock(lines, lock) == ""
    assert compare_with_lock(["one", "zwei", "three"], lock).startswith("item 1 differs: got ")
    assert compare_with_lock(lines[:2], lock) == "the manifest ends after 2 items, the lock has 3"
    assert compare_with_lock([*lines, "four"], lock) == "item 3 is not in the lock, which ends after 3 items"


@pytest.mark.flite
def test_flite_speaks_the_locked_items():
    """The first utterance of the corpus is the one in the lock.

    It is built in a process of its own: flite draws from the C library's rand(), so that what a voice says depends on
    all that drew before it. The corpus is spoken in one order by one process, and so comes out the same.
    """
    from importlib.resources import files

    lock = files("reference_runner.laboratory.corpus").joinpath("corpus_lock.txt").read_text(encoding="ascii").split()
    script = (
        "from reference_runner.laboratory.corpus.builder import CorpusPlan, build_item, plan_corpus\n"
        "from reference_runner.laboratory.corpus.flite import FliteLibrary\n"
        "from reference_runner.laboratory.corpus.locks import short_hash\n"
        "item = build_item(FliteLibrary(), next(iter(plan_corpus(CorpusPlan()))))\n"
        "assert item.durations.sum() == len(item.log_mel) == len(item.prosody)\n"
        "print(short_hash(item.manifest_line()))\n"
    )
    spoken = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert spoken.stdout.strip() == lock[1]
    assert TARGET_SPEAKERS[0].name == "target-slt"


def test_a_missing_library_is_named():
    """Where flite is not installed the builder says what to install."""
    from reference_runner.laboratory.corpus import flite

    with pytest.raises(PackageMissing, match="libflite1"):
        flite._load("flite_of_nowhere")
