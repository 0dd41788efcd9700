"""The neural teacher: it says our phones, its times are theirs, and one utterance does not hang on another."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import sys
from itertools import islice

import numpy as np
import pytest

from reference_runner.errors import PackageMissing
from reference_runner.frontend.phones import PAUSE, PHONES, Phone, PhoneSequence
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.laboratory.corpus.builder import build_items, build_taught_item, write_corpus
from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS, HibariTeacher, scale_contour
from reference_runner.laboratory.corpus.locks import TeacherLock
from reference_runner.laboratory.corpus.manners import PlannedUtterance
from reference_runner.laboratory.corpus.polyphase import change_rate
from reference_runner.laboratory.corpus.processes import in_processes
from reference_runner.laboratory.corpus.teacher_symbols import SYMBOLS, phone_ends, settle_pauses, write_phones
from reference_runner.laboratory.corpus.teaching import OWN_VOICE, TeacherPlan, plan_teacher
from reference_runner.laboratory.corpus.virtual_speakers import Delivery
from reference_runner.laboratory.product import material

OWN = next(speaker for speaker in HEART_SPEAKERS if speaker.name == OWN_VOICE)


@pytest.fixture(scope="module")
def teacher() -> HibariTeacher:
    """Return the network, loaded once."""
    return HibariTeacher()


@pytest.fixture(scope="module")
def front_end() -> TextFrontEnd:
    """Return what reads for it."""
    return TextFrontEnd()


def utterance(text: str, **changes: object) -> PlannedUtterance:
    """Return one for the teacher's own voice."""
    return dataclasses.replace(
        PlannedUtterance(split="manner", speaker=OWN, text=text, delivery=Delivery(), number=3), **changes
    )


def written(front_end: TextFrontEnd, text: str) -> str:
    """Return a text in the teacher's alphabet."""
    (read,) = front_end.read(text).sentences
    return "".join(write_phones(read.phones, read.text.split()).symbols)


def test_every_phone_has_symbols_that_the_teacher_knows(teacher):
    """The mapping is total over our alphabet, and the teacher drops nothing of it."""
    assert set(SYMBOLS) == set(PHONES) - {"<padding>", PAUSE}
    assert set("".join(SYMBOLS.values()) + "ɜTˈˌ ,.?") <= set(teacher._numbers)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("The old barn leaned hard.", "$ði ˈOld bˈɑɹn lˈind hˈɑɹd.$"),
        ("Letter, city, and party?", "$lˈɛTəɹ, sˈɪTi, ænd pˈɑɹTi?$"),
        ("A button for the nurse.", "$ə bˈʌtən fɔɹ ðə nˈɜɹs.$"),
        ("International.", "$ˌɪntəɹnˈæʃənəl.$"),
        ("But not him.", "$bˌʌt nˌɑt hˌɪm.$"),
    ],
)
def test_stress_flaps_and_pauses_are_the_teachers_own_habit(front_end, text, symbols):
    """Function words are weak, t between vowels is a flap but not in "button", er has two forms."""
    assert written(front_end, text) == symbols


def test_phones_end_where_the_network_is_heard():
    """Half the last symbol and 30 ms early, the time of a space shared, that of a stress mark the vowel's."""
    sequence = PhoneSequence.from_words([[("t", 0), ("uw", 1)], [("ey", 1)]], [None, "statement"])
    symbols = write_phones(sequence, ["two", "eight"])
    assert "".join(symbols.symbols) == "$tˈu ˈA.$"
    steps = np.array([10, 2, 1, 4, 2, 1, 20, 6, 1])
    expected = [10 - 2, 12 - 1, 17 - 2 + 1, 40 - 2]
    ends = phone_ends(symbols, steps)
    assert ends.tolist() == pytest.approx([0.025 * end - 0.03 for end in expected] + [0.025 * 47])


def test_a_pause_ends_where_its_silence_ends():
    """The sound decides where a pause lies, and a pause without silence stays."""
    phones = (Phone(name=PAUSE, boundary="phrase_start"), Phone(name="s"), Phone(name=PAUSE, boundary="statement"))
    waveform = np.zeros(16_000)
    waveform[4_096:8_192] = 0.1
    end_s = np.array([0.2, 0.7, 1.0])
    settle_pauses(end_s, PhoneSequence(phones=phones), waveform, 16_000)
    assert end_s.tolist() == [0.256, 0.512, 1.0]
    settle_pauses(end_s, PhoneSequence(phones=phones), np.ones(16_000), 16_000)
    assert end_s.tolist() == [0.256, 0.512, 1.0]


def test_the_networks_durations_are_those_of_its_sound(teacher, front_end):
    """The added output counts the frames of the spectra: two a step; so do the durations of our phones theirs."""
    item = build_taught_item(teacher, front_end, utterance("By the river, a man saw the old house."))
    ids = np.array([[0, *(teacher._numbers[symbol] for symbol in "hˈO."), 0]])
    *_, spectrum, steps = teacher._session.run(["lh", "/Round_output_0"], {"ids": ids, "speed": np.ones(1, np.float32)})
    assert spectrum.shape[2] == 2 * steps.sum()
    assert item.durations.sum() == len(item.log_mel) == len(item.prosody) == len(item.samples) / 256
    pauses = [phone.name == PAUSE for phone in item.phones.phones]
    levels = item.log_mel.mean(axis=1).astype(float)
    spoken = ~np.repeat(pauses, item.durations)
    assert levels[spoken].mean() > -2
    assert levels[~spoken].mean() < -6


def test_an_utterance_is_independent_of_those_before_it(teacher, front_end):
    """Its noise comes from its own number; another number is another noise."""
    first = build_taught_item(teacher, front_end, utterance("Bring the wet coats in."))
    build_taught_item(teacher, front_end, utterance("Seven ducks swam past.", number=4))
    again = build_taught_item(teacher, front_end, utterance("Bring the wet coats in."))
    other = build_taught_item(teacher, front_end, utterance("Bring the wet coats in.", number=5))
    assert first.manifest_line() == again.manifest_line()
    assert first.source_sha256 != other.source_sha256


def test_the_own_voice_is_left_as_it_is_and_others_are_asked_for():
    """Ratio and width of one change no pitch; else the median moves and the width is of semitones."""
    f0 = np.array([0.0, 100.0, 200.0, 400.0, 38.0], np.float32)
    assert scale_contour(f0, 1.0, 1.0) is f0
    assert scale_contour(f0, 0.5, 0.5).tolist() == pytest.approx([0.0, 70.71, 100.0, 141.42, 38.0], abs=0.01)
    assert [(one.name, one.formant_percent) for one in HEART_SPEAKERS][::11] == [("heart-085", 85), ("heart-118", 118)]


def test_a_tone_keeps_its_frequency_when_the_rate_changes():
    """Through every speaker's ratio, to a part in a thousand of its height, but at the ends."""
    for speaker in HEART_SPEAKERS:
        up, down = 16_000 * 100, 24_000 * speaker.formant_percent
        tone = np.sin(2 * np.pi * 440 * np.arange(12_000) / 24_000)
        found = change_rate(tone, up, down)
        expected = np.sin(2 * np.pi * 440 * np.arange(len(found)) * down / up / 24_000)
        assert np.abs(found - expected)[100:-100].max() < 1e-3
        assert len(found) == -(-12_000 * up // down)


def test_the_plan_has_blocks_of_one_delivery_and_holds_some_out():
    """Twelve speakers, the own voice four times as much, 24 blocks of seven held out."""
    planned = list(plan_teacher(TeacherPlan(blocks_a_speaker=1)))
    blocks = {one.block: (one.split, one.speaker.name, one.delivery) for one in planned}
    assert len(planned) == 7 * len(blocks) == 7 * (11 + 4 + 24)
    assert all((one.split, one.speaker.name, one.delivery) == blocks[one.block] for one in planned)
    assert [one.number for one in planned] == list(range(len(planned)))
    assert sum(split == "test_manner" for split, _, _ in blocks.values()) == 24
    assert sum((split, name) == ("manner", OWN_VOICE) for split, name, _ in blocks.values()) == 4
    assert any(one.text.endswith("?") for one in planned)


def test_processes_keep_the_order_and_leave_no_setting_behind():
    """Two processes yield in the order of the plan, on one thread each; afterwards the environment is as it was."""
    before = dict(os.environ)
    assert list(in_processes(operator.neg, range(20), jobs=2)) == [-number for number in range(20)]
    assert list(in_processes(os.getenv, ["OPENBLAS_NUM_THREADS"], jobs=1)) == ["1"]
    assert dict(os.environ) == before


@pytest.mark.exhaustive
def test_two_processes_make_what_one_makes(tmp_path):
    """Two blocks by one process and by two: the same manifest, with the arrays that the training reads."""
    planned = list(islice(plan_teacher(TeacherPlan(sentences_a_block=4)), 8))
    alone = write_corpus(build_items(planned, 1), tmp_path / "alone")
    together = write_corpus(build_items(planned, 2), tmp_path / "together")
    assert alone == together


def test_the_lock_names_the_first_difference(teacher, front_end):
    """A sound that differs is counted and named, other words are refused."""
    texts = ("Bring the wet coats in.", "Seven ducks swam past.")
    lines = [build_taught_item(teacher, front_end, utterance(text)).manifest_line() for text in texts]
    found = TeacherLock.of(lines)
    assert TeacherLock.parse(found.format()) == found
    assert found.compare(found, lines) == ("", "")
    heard = dataclasses.replace(found, sounds=(found.sounds[0], "10:0:0:0:0"))
    said = (
        f"utterances that sound otherwise than the committed ones: 1; first item 1: got {found.sounds[1]}, "
        "expected 10:0:0:0:0; it is heart-100 saying 'Seven ducks swam past.'"
    )
    assert found.compare(heard, lines) == ("", said)
    other = TeacherLock.of(lines[:1])
    refused = f"got {found.plan_sha256}, expected {other.plan_sha256}"
    assert found.compare(other, lines) == (f"its texts, speakers, deliveries or phones differ: {refused}", "")


def test_the_built_in_voices_own_sound_is_the_teachers(tmp_path, teacher, monkeypatch):
    """The evaluation has the teacher say its sentences."""
    monkeypatch.setattr(material, "HibariTeacher", lambda: teacher)
    stage = material.Material(tmp_path, sentences=2)
    (clip,) = stage.sources(OWN_VOICE, stage.sentences[:1])
    assert clip.path == tmp_path / "source-heart-100" / "000.wav"
    assert clip.path.stat().st_size > 32_000
    assert stage.sources("nobody", stage.sentences) is None


def test_arrays_are_those_that_the_training_reads(tmp_path, teacher, front_end):
    """One process writes what flite's corpora have: as many phones, durations and frames as the index says.

    Into a folder that is made, or over what is there.
    """
    planned = list(islice(plan_teacher(TeacherPlan(sentences_a_block=1)), 2))
    made, folder = [build_taught_item(teacher, front_end, one) for one in planned], tmp_path / "new" / "corpus"
    for built in (made[:1], made):
        write_corpus(built, folder)
    items = json.loads((folder / "index.json").read_text())["items"]
    assert [item["block"] for item in items] == [0, 1]
    assert sum(item["frames"] for item in items) == len(np.load(folder / "log_mel.npy"))
    assert sum(item["phones"] for item in items) == len(np.load(folder / "durations.npy"))


def test_a_missing_teacher_is_one_sentence(monkeypatch):
    """Where hibari-tts is not installed the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "hibari", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PackageMissing) as raised:
        HibariTeacher()
    assert str(raised.value) == (
        "the neural teacher needs hibari, which is not installed; "
        'run: pip install "ttsartifact-reference-runner[training]"'
    )
