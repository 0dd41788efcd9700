"""The corpus without a synthesiser: symbols and stresses by words, plans, speakers, what a build writes and says."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from reference_runner.frontend.phones import PAUSE, Phone, PhoneSequence
from reference_runner.laboratory.corpus import builder, hibari, joining, locks, processes
from reference_runner.laboratory.corpus.flite import SpokenSegment
from reference_runner.laboratory.corpus.hibari import HEART_SPEAKERS, HibariTeacher, say_as_taught, scale_contour
from reference_runner.laboratory.corpus.locks import LOCK_FILES, TeacherLock
from reference_runner.laboratory.corpus.manners import (
    ContoursPlan,
    MannersPlan,
    PlannedUtterance,
    plan_contours,
    plan_manners,
)
from reference_runner.laboratory.corpus.splitmix import SplitMix64
from reference_runner.laboratory.corpus.teacher_symbols import SYMBOLS, phone_ends, settle_pauses, write_phones
from reference_runner.laboratory.corpus.teaching import TeacherPlan, plan_teacher
from reference_runner.laboratory.corpus.virtual_speakers import TARGET_SPEAKERS, TRAINING_SPEAKERS, Delivery, resample

WEAK = (
    "a am an and are as at be been by can could for from had has have he her his if in is it its my of or our she than "
    "that the their there these they this those to was we were will with would you your"
)
HALF = "but him how me might not off on shall should so some them up us what when where which who why"


def spelt(words: list[str], phones: list[list[tuple[str, int]]], stop: str = "statement") -> str:
    """Return words in the teacher's alphabet."""
    breaks = [None] * (len(words) - 1) + [stop]
    return "".join(write_phones(PhoneSequence.from_words(phones, breaks), words).symbols)


@pytest.mark.parametrize(("words", "mark"), [(WEAK, ""), (HALF, "ˌ"), ("river no go i", "ˈ")])
def test_a_sentence_stresses_no_function_word(words, mark):
    """Weak words of English have no mark, those in between a second one, all others the first."""
    each = words.split()
    assert {word: spelt([word], [[("b", 0), ("iy", 1)]]) for word in each} == dict.fromkeys(each, f"$b{mark}i.$")


def test_no_two_phones_are_written_alike():
    """Each has a symbol of its own, or it would be said as another."""
    assert all(SYMBOLS.values())
    assert len(set(SYMBOLS.values())) == len(SYMBOLS) == 40


@pytest.mark.parametrize(
    ("phones", "symbols"),
    [
        ([("iy", 0), ("t", 0), ("iy", 0)], "iTi"), ([("r", 0), ("t", 0), ("ax", 0)], "ɹTə"),
        ([("iy", 0), ("t", 0), ("iy", 1)], "itˈi"), ([("s", 0), ("t", 0), ("iy", 0)], "sti"),
        ([("ah", 0), ("t", 0), ("ax", 0), ("n", 0)], "ʌtən"), ([("ah", 0), ("t", 0), ("ax", 0), ("l", 0)], "ʌTəl"),
        ([("ah", 0), ("t", 0), ("iy", 0), ("n", 0)], "ʌTin"), ([("iy", 0), ("t", 0), ("r", 0)], "itɹ"),
        ([("t", 0), ("iy", 0)], "ti"), ([("iy", 0), ("t", 0)], "it"), ([("iy", 0), ("d", 0), ("iy", 0)], "idi"),
        ([("er", 0), ("t", 0), ("er", 1)], "əɹtˈɜɹ"),
    ],
)  # fmt: skip
def test_where_a_t_is_a_flap(phones, symbols):
    """Between a vowel or r and an unstressed vowel of one word; before a syllabic n it stays."""
    assert spelt(["nonce"], [phones]) == f"${symbols}.$"


def test_a_t_between_words_is_none():
    """Neither the last of a word nor the first of the next."""
    assert spelt(["at", "a"], [[("ae", 0), ("t", 0)], [("ax", 0)]]) == "$æt ə.$"
    assert spelt(["a", "ta"], [[("ax", 0)], [("t", 0), ("ax", 0)]]) == "$ə tə.$"


@pytest.mark.parametrize(("stop", "symbols"), [("statement", ".$"), ("question", "?$"), ("comma", ", ")])
def test_how_a_sentence_ends(stop, symbols):
    """Each pause has its signs, the last with the network's own padding."""
    assert spelt(["be"], [[("b", 0), ("iy", 1)]], stop) == "$bi" + symbols


@pytest.mark.parametrize(
    ("stresses", "marked"),
    [((1, 1, 1), "ˌbiˈbiˌbi"), ((1, 0, 1), "ˈbibiˌbi"), ((0, 0, 1), "bibiˈbi"), ((0, 1, 0), "biˈbibi"),
     ((0, 0, 0), "bibibi"), ((1, 1, 0), "ˌbiˈbibi")],
)  # fmt: skip
def test_the_main_stress_is_the_last_but_the_final_one(stresses, marked):
    """Every other stressed syllable has the second mark; the marks stand before their vowels."""
    phones = [phone for stress in stresses for phone in (("b", 0), ("iy", stress))]
    expected = marked.replace("ˌb", "bˌ").replace("ˈb", "bˈ")
    assert spelt(["bibibi"], [phones]) == f"${expected}.$"


@pytest.mark.parametrize(("steps", "ends_s"), [(2, 0.02), (4, 0.045), (6, 0.095), (20, 0.445)])
def test_a_long_symbol_ends_in_silence(steps, ends_s):
    """A sound ends half of itself early, and at most two steps; then 30 ms."""
    written = write_phones(PhoneSequence.from_words([[("s", 0)]], ["statement"]), ["s"])
    ends = phone_ends(written, np.array([1, steps, 1, 1]))
    assert ends.tolist()[1] == pytest.approx(ends_s)
    assert ends.tolist()[2] == pytest.approx(0.025 * (steps + 3))


def test_a_pause_inside_takes_its_longest_silence():
    """Both of its borders move to it; of two silences the longer one, and what lies past the neighbours is not seen."""
    phones = (
        Phone(name=PAUSE, boundary="phrase_start"), Phone(name="s", boundary="word_end"),
        Phone(name=PAUSE, boundary="comma"), Phone(name="s", boundary="word_end"),
        Phone(name=PAUSE, boundary="statement"),
    )  # fmt: skip
    waveform = np.full(6_400, 0.5)
    for start, stop in ((0, 640), (1_920, 2_048), (2_560, 3_200), (5_760, 6_400)):
        waveform[start:stop] = 0.0
    end_s = np.array([0.01, 0.15, 0.17, 0.3, 0.4])
    settle_pauses(end_s, PhoneSequence(phones=phones), waveform, 16_000)
    assert end_s.tolist() == pytest.approx([0.04, 0.16, 0.2, 0.36, 0.4])


@pytest.mark.parametrize(("share", "moved"), [(0.0149, True), (0.0151, False)])
def test_how_quiet_silence_is(share, moved):
    """36 dB under the whole: just below it is silence, just above it is not."""
    waveform = np.ones(64 * 100)
    waveform[-640:] = share * np.sqrt((5760 + 640 * share**2) / 6400)
    end_s = np.array([0.0, 0.2, 0.4])
    phones = (Phone(name=PAUSE, boundary="phrase_start"), Phone(name="s"), Phone(name=PAUSE, boundary="statement"))
    settle_pauses(end_s, PhoneSequence(phones=phones), waveform, 16_000)
    assert end_s.tolist() == pytest.approx([0.0, 0.36 if moved else 0.2, 0.4])


def digest_of(planned) -> str:
    lines = [
        f"{one.split}|{one.speaker.name}|{one.text}|{one.delivery.f0_deviation_factor}|{one.delivery.stretch_factor}|"
        f"{one.delivery.contour_factor}|{one.block}|{one.number}\n"
        for one in planned
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    ("planned", "count", "digest"),
    [
        (lambda: plan_manners(MannersPlan()), 5880, "18595a1f542ccf32df4d87209d79e837c645b767091d9b0a79600a0dc06d4491"),
        (
            lambda: plan_contours(ContoursPlan()),
            5040,
            "9733dd711bc5d6e01838d86004512d20dadbd03fa24fbf066181739845fece99",
        ),
        (lambda: plan_teacher(TeacherPlan()), 3738, "1f99a3c4f26107e4bfcc0e80bac76bb5990a51e46743a9645c9ca8a7be71e3c1"),
    ],
    ids=["manners", "contours", "teacher"],
)
def test_the_plans_are_those_that_were_locked(planned, count, digest):
    """Every text, delivery, block and number of the locked corpora: a redrawn word is seen without speaking."""
    utterances = list(planned())
    assert len(utterances) == count
    assert digest_of(utterances) == digest


def test_the_speakers_of_the_training():
    """Three voices through eight tracts: formants in percent, pitch and its deviation in Hz, tempo."""
    table = [(one.name, one.f0_mean_hz, one.f0_deviation_hz, one.duration_stretch) for one in TRAINING_SPEAKERS]
    assert table[:8] == [
        ("slt-090", 161.0, 25.8, 1.04), ("slt-094", 189.0, 30.2, 0.98), ("slt-097", 150.5, 24.1, 1.08),
        ("slt-100", 175.0, 28.0, 1.0), ("slt-103", 199.5, 31.9, 0.94), ("slt-106", 168.0, 26.9, 1.06),
        ("slt-109", 210.0, 33.6, 0.96), ("slt-112", 185.5, 29.7, 1.0),
    ]  # fmt: skip
    assert [table[11], table[19]] == [("rms-100", 105.0, 15.0, 1.0), ("awb-100", 130.0, 22.0, 1.0)]
    assert {(one.flite_voice, one.name[:3]) for one in TRAINING_SPEAKERS} == {(each, each) for each in
                                                                            ("slt", "rms", "awb")}  # fmt: skip
    assert all(one.formant_percent == int(one.name[4:]) for one in TRAINING_SPEAKERS)
    assert [dataclasses.astuple(one) for one in TARGET_SPEAKERS] == [
        ("target-slt", "slt", 92, 200.0, 30.0, 1.1), ("target-rms", "rms", 108, 118.0, 20.0, 0.95),
        ("target-kal", "kal16", 100, 100.0, 12.0, 1.0),
    ]  # fmt: skip


def test_the_speakers_of_the_neural_teacher():
    """Twelve tracts, a lower voice for a longer one."""
    assert [dataclasses.astuple(one) for one in HEART_SPEAKERS] == [
        ("heart-085", 85, 105.0), ("heart-088", 88, 118.0), ("heart-091", 91, 135.0), ("heart-094", 94, 155.0),
        ("heart-097", 97, 175.0), ("heart-100", 100, 190.0), ("heart-103", 103, 200.0), ("heart-106", 106, 210.0),
        ("heart-109", 109, 220.0), ("heart-112", 112, 228.0), ("heart-115", 115, 237.0), ("heart-118", 118, 245.0),
    ]  # fmt: skip


def test_pitch_stays_between_its_limits():
    """60 and 400 Hz; what is at most 40 Hz is no voice, and one change alone is a change."""
    f0 = np.array([40.0, 41.0, 100.0, 100.0, 399.0], np.float32)
    assert scale_contour(f0, 2.0, 1.0).tolist() == [40.0, 82.0, 200.0, 200.0, 400.0]
    assert scale_contour(f0, 0.5, 1.0).tolist() == [40.0, 60.0, 60.0, 60.0, 199.5]
    assert scale_contour(f0, 1.0, 2.0).tolist() == pytest.approx([40.0, 60.0, 100.0, 100.0, 400.0])
    mute = np.array([0.0, 40.0], np.float32)
    assert scale_contour(mute, 2.0, 2.0) is mute


class Network:
    """Stands for the neural teacher's network and vocoder: five spectra, a pitch of 200 Hz, two steps a symbol."""

    def __init__(self) -> None:
        self.asked: list = []
        self.heard: list = []

    def run(self, names, given):
        self.asked.append((names, given))
        steps = np.full(given["ids"].shape[1], 2.0)
        spectra = [np.full((1, 2), float(place)) for place in range(5)]
        return [*spectra, np.full((1, 4), 200.0, np.float32), steps]

    def synth(self, *parts):
        self.heard.append(parts)
        return np.full(24_000, 0.5)


def fake_teacher() -> tuple[HibariTeacher, Network]:
    network = Network()
    teacher = HibariTeacher.__new__(HibariTeacher)
    teacher._session = teacher._vocoder = network
    teacher._numbers = {symbol: place for place, symbol in enumerate("$ˈˌ .?,biɜɹəTt")}
    return teacher, network


@pytest.mark.parametrize(("percent", "f0_hz", "length"), [(100, 200.0, 16_000), (85, 105.0, 18_824)])
def test_what_the_neural_teacher_is_asked_for(percent, f0_hz, length):
    """A longer tract is asked for faster and higher; resampling then moves the formants, and gives both back."""
    teacher, network = fake_teacher()
    speaker = next(one for one in HEART_SPEAKERS if one.formant_percent == percent)
    phones = PhoneSequence.from_words([[("b", 0), ("iy", 1)]], ["statement"])
    read = SimpleNamespace(phones=phones, text="bee")
    said = teacher.say(read, speaker, Delivery(stretch_factor=1.25), seed=7)
    ((names, given),) = network.asked
    assert names == ["lh", "theta", "ln", "lr", "phi", "f0", "/Round_output_0"]
    assert given["ids"].tolist() == [[0, 7, 1, 8, 4, 0]]
    assert given["speed"].tolist() == [pytest.approx(1 / (1.25 * percent / 100))]
    (parts,) = network.heard
    assert [part[0] for part in parts[:5]] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert parts[5].tolist() == [pytest.approx(200 * (f0_hz if percent != 100 else 190.0) / 190 / percent * 100)] * 4
    assert parts[6].normal() == np.random.default_rng(7).normal()
    assert len(said.waveform) == length
    assert said.end_s[-1] == pytest.approx(0.025 * 12 / percent * 100)
    assert said.phones is phones
    assert said.source_sha256 == hashlib.sha256(np.full(24_000, 0.5, "<f4").tobytes()).hexdigest()


def test_a_text_is_said_sentence_by_sentence():
    """End to end, each by a seed of its own, in 16 bits that do not wrap round."""
    teacher, network = fake_teacher()
    samples = say_as_taught(teacher, HEART_SPEAKERS[5])("Bee. Bee.")
    assert (len(samples), samples.dtype, int(samples[1000])) == (32_000, np.int16, 16_384)
    draws = [parts[6].normal() for parts in network.heard]
    assert draws == [np.random.default_rng(seed).normal() for seed in (0, 1)]


@pytest.mark.parametrize("name", ["/Round_output_0", "x"])
def test_an_output_more(name):
    """The bytes of a message of three levels: 7, 12 and 1, each with its length."""
    content = hibari._one_more_output(name)
    size = len(name)
    assert content == bytes([0x3A, size + 4, 0x62, size + 2, 0x0A, size]) + name.encode()


def test_resampling_is_right_at_every_phase():
    """A constant stays one, a tone stays itself, and full scale does not wrap round."""
    assert set(resample(np.full(400, 1000, np.int16), 4, 3)[30:-30].tolist()) == {1000}
    time = np.arange(1_600) / 16_000
    tone = np.rint(9000 * np.sin(2 * np.pi * 700 * time)).astype(np.int16)
    for up, down in ((4, 3), (3, 4), (100, 92), (8, 6)):
        found = resample(tone, up, down)
        assert len(found) == 1_600 * up // down
        expected = 9000 * np.sin(2 * np.pi * 700 * np.arange(len(found)) * down / up / 16_000)
        assert np.abs(found - expected)[60:-60].max() < 30
    square = np.where(np.arange(600) // 30 % 2, 32_767, -32_768).astype(np.int16)
    loud = resample(square, 3, 2)
    assert (loud.max(), loud.min()) == (32_767, -32_768)
    assert (loud[45:90].min(), loud[0:45].max()) > (0, 0)


def test_draws_by_hand():
    """Of one of two and of none; an order is drawn from the end."""
    draws = SplitMix64(1234567)
    first = 6457827717110365317 / 2**64
    assert draws.between(10.0, 20.0) == pytest.approx(10 + 10 * first, abs=1e-8)
    assert [SplitMix64(1234567).chance(each) for each in (0.0, 0.35, 0.3501, 1.0)] == [False, False, True, True]
    assert SplitMix64(1234567).choice("abc") == "b"
    assert SplitMix64(1234567).below(100) == 35
    assert SplitMix64(2**64 + 5).next_word() == SplitMix64(5).next_word()
    # 0.350, 0.173 and 0.532 of four, three and two: places 1, 0 and 1.
    assert SplitMix64(1234567).shuffled("abcd") == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("ends_s", "frames", "durations"),
    [
        ([0.16, 0.32], 20, [10, 10]), ([0.0, 0.0, 0.0], 9, [1, 1, 7]), ([9.0, 9.0, 9.0], 9, [7, 1, 1]),
        ([0.16, 0.1, 0.5], 30, [10, 1, 19]), ([0.5], 3, [3]), ([0.0248, 0.1], 10, [2, 8]), ([0.0232, 0.1], 10, [1, 9]),
    ],
)  # fmt: skip
def test_frames_of_phones(ends_s, frames, durations):
    """62.5 frames a second, the nearest; never none, never past the end."""
    assert builder.align(ends_s, frames).tolist() == durations


@pytest.mark.parametrize(
    ("text", "last"), [("hm.", "statement"), ("hm?", "question"), ("hm", "statement"), ("hm? hm!", "statement")]
)
def test_the_last_pause_is_the_last_marks(text, last):
    """Without any mark it is a statement; pauses before are commas."""
    segments = [
        SpokenSegment(phone=phone, end_s=0.0, stress=1, word=word, word_index=index)
        for phone, word, index in (("pau", "", -1), ("m", "hm", 0), ("pau", "", -1), ("m", "hm", 1), ("pau", "", -1))
    ]
    sequence = builder.phones_of(segments, text)
    assert [phone.boundary for phone in sequence.phones if phone.name == PAUSE] == ["phrase_start", "comma", last]
    assert sequence.stress_ids() == [0] * 5


def item(split: str, text: str, frames: int, *, speaker=TRAINING_SPEAKERS[3], block: int | None = None):
    phones = PhoneSequence(phones=(Phone(name=PAUSE, boundary="phrase_start"), Phone(name="iy", stress=1)))
    planned = PlannedUtterance(split=split, speaker=speaker, text=text, delivery=Delivery(), block=block)
    return builder.CorpusItem(
        planned=planned, phones=phones, durations=np.array([1, frames - 1], np.int16),
        samples=np.arange(frames * 256, dtype=np.int16), log_mel=np.full((frames, 80), 0.3, np.float16),
        prosody=np.zeros((frames, 3), np.float32), source="flite", source_sha256="00",
    )  # fmt: skip


def test_what_the_manifest_says_of_an_item():
    """One line of sorted keys; a contour that flite drew is not named; the neural teacher's has a coarse sound."""
    samples = hashlib.sha256(np.arange(512, dtype="<i2").tobytes()).hexdigest()
    line = (
        '{"delivery":{"f0_deviation_factor":1.0,"stretch_factor":1.0},"durations":[1,1],"flite_pcm_sha256":"00",'
        f'"pcm_sha256":"{samples}","phones":["pau","iy"],"speaker":"slt-100","split":"train","text":"Hm."}}'
    )
    assert item("train", "Hm.", 2).manifest_line() == line
    taught = json.loads(item("manner", "Hm.", 2, speaker=HEART_SPEAKERS[0]).manifest_line())
    assert taught.pop("coarse_sound") == "2:3:3:3:3"
    assert sorted(taught) == sorted(json.loads(line))


@pytest.mark.parametrize(
    ("found", "alike"),
    [
        ("100:-31:-40:-52:-68", True), ("103:-31:-40:-52:-68", True), ("104:-31:-40:-52:-68", True),
        ("105:-31:-40:-52:-68", False), ("95:-31:-40:-52:-68", False), ("100:-28:-43:-52:-65", True),
        ("100:-27:-40:-52:-68", False), ("100:-31:-40:-52:-72", False),
    ],
)  # fmt: skip
def test_sounds_are_alike_within_a_tolerance(found, alike):
    """Four frames of a hundred and three tenths of a neper in a region are another processor; more is another sound."""
    assert locks.sounds_alike(found, "100:-31:-40:-52:-68") is alike
    assert locks.sounds_alike("12:0:0:0:0", "9:0:0:0:0")  # three frames, however short
    assert not locks.sounds_alike("13:0:0:0:0", "9:0:0:0:0")


def test_a_coarse_sound_is_a_length_and_four_means():
    """In tenths of a neper, the lowest quarter of the bands first."""
    mel = np.repeat([[-1.0, -2.04, -3.06, -4.0]], 20, axis=1).repeat(7, axis=0)
    assert locks.coarse_sound(mel) == "7:-10:-20:-31:-40"


def test_what_a_build_writes(tmp_path):
    """Arrays end to end, an index that says where each item lies, and a manifest whose root is in it."""
    items = [item("train", "One.", 2), item("test_grammar", "Two.", 3, block=4)]
    lines = builder.write_corpus(items, tmp_path / "a" / "b")
    folder = tmp_path / "a" / "b"
    assert lines == [one.manifest_line() for one in items]
    content = (folder / "manifest.jsonl").read_bytes()
    assert content == "".join(f"{line}\n" for line in lines).encode()
    assert json.loads((folder / "index.json").read_text(encoding="utf-8")) == {
        "root_sha256": hashlib.sha256(content).hexdigest(),
        "items": [
            {"split": "train", "speaker": "slt-100", "text": "One.", "phones": 2, "frames": 2, "block": None},
            {"split": "test_grammar", "speaker": "slt-100", "text": "Two.", "phones": 2, "frames": 3, "block": 4},
        ],
    }
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    assert {name: (array.shape, str(array.dtype)) for name, array in arrays.items()} == {
        "phones": ((4,), "uint8"), "stresses": ((4,), "uint8"), "breaks": ((4,), "uint8"),
        "durations": ((4,), "int16"), "samples": ((1280,), "int16"), "log_mel": ((5, 80), "float16"),
        "prosody": ((5, 3), "float32"),
    }  # fmt: skip
    assert arrays["durations"].tolist() == [1, 1, 1, 2]
    assert arrays["stresses"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("words", "count", "split"),
    [
        (["--sentences-a-speaker", "2"], 2 * (200 + 72) + 24 * 2 + 3 * 24, "test_grammar"),
        (["--plan", "manners"], 5880, "manner"), (["--plan", "contours"], 5040, "contour"),
        (["--plan", "teacher", "--blocks", "1"], 273, "manner"),
    ],
)  # fmt: skip
def test_the_plan_that_is_named_is_built(words, count, split, monkeypatch):
    """By its own numbers."""
    got: dict = {}
    _built(monkeypatch, words, got)
    assert (len(got["planned"]), got["planned"][0].split, got["total"]) == (count, split, count)


def _built(patch: pytest.MonkeyPatch, words: list[str], got: dict, said: tuple[int, str] = (0, "held\n")) -> int:
    """Call the builder without a synthesiser, and return its exit code."""
    patch.setattr(builder, "build_items", lambda planned, jobs: got.update(planned=planned, jobs=jobs))
    patch.setattr(builder, "with_progress", lambda _, total: got.update(total=total))
    patch.setattr(builder, "write_corpus", lambda _, output: got.update(output=str(output)) or ["a line"])
    patch.setattr(builder, "write_lock", lambda plan, lines: got.update(locked=(plan, lines)))
    patch.setattr(builder, "hold_against_lock", lambda plan, lines: got.update(held=(plan, lines)) or said)
    patch.setattr("sys.argv", ["builder", *words])
    with pytest.raises(SystemExit) as ended:
        builder.main()
    return ended.value.code


@pytest.mark.parametrize(
    ("words", "code", "err", "kept"),
    [
        (["--jobs", "3"], 1, "held\n", {"jobs": 1, "held": ("corpus", ["a line"])}),
        (["--jobs", "3", "--plan", "manners", "--write-lock"], 1, "held\n",
         {"jobs": 3, "held": ("manners", ["a line"]), "locked": ("manners", ["a line"])}),
        (["--plan", "teacher", "--output", "x"], 1, "held\n", {"jobs": 1, "held": ("teacher", ["a line"])}),
        (["--plan", "teacher", "--blocks", "1"], 0,
         ("corpus root sha256 786e184927ec9ddac3079c24999ac461b7cb89888f69efc053848f2d6dee7dd6, 1 utterances; "
         "not compared, the lock has --blocks 34\n"), {"jobs": 1}),
    ],
)  # fmt: skip
def test_what_a_build_says(words, code, err, kept, monkeypatch, capsys):
    """The corpus of one process whatever is asked; a lock is written where it is asked for; a part is not compared."""
    got: dict = {}
    assert _built(monkeypatch, words, got, (1, "held\n")) == code
    assert capsys.readouterr().err == err
    assert {name: got[name] for name in ("jobs", "held", "locked") if name in got} == kept
    assert got["output"] == ("x" if "x" in words else ".build/corpus")


LINES = [
    json.dumps({
        "split": "s", "speaker": "heart-100", "delivery": 1, "text": text, "phones": [],
        "coarse_sound": f"{frames}:-30",
    })
    for text, frames in (("one", 100), ("two", 200), ("three", 300))
]  # fmt: skip


@pytest.mark.parametrize("plan", ["corpus", "manners", "contours", "teacher"])
def test_a_lock_that_was_written_holds(plan, tmp_path, monkeypatch):
    """What was accepted is what is expected; another corpus ends with 1 and says where."""
    assert locks._lock_path(plan).name == LOCK_FILES[plan] == f"{plan}_lock.txt"
    assert locks._lock_path(plan).is_file()
    monkeypatch.setattr(locks, "_lock_path", lambda plan: tmp_path / plan)
    locks.write_lock(plan, LINES)
    assert (tmp_path / plan).read_text(encoding="ascii").count("\n") == 4
    root = hashlib.sha256("".join(f"{line}\n" for line in LINES).encode()).hexdigest()
    assert locks.hold_against_lock(plan, LINES) == (0, f"corpus root sha256 {root}, 3 utterances\n")
    code, said = locks.hold_against_lock(plan, LINES[:2])
    assert code == 1
    assert said.startswith("the corpus is not the committed one: ")
    assert said.endswith("\n")


def test_a_teacher_that_sounds_otherwise_is_said_and_not_refused(tmp_path, monkeypatch):
    """The sentence stands behind the root hash; the first of two is named."""
    monkeypatch.setattr(locks, "_lock_path", lambda plan: tmp_path / plan)
    heard = [LINES[0].replace("100:-30", "102:-31"), *(line.replace(":-30", ":-40") for line in LINES[1:])]
    locks.write_lock("teacher", heard)
    code, said = locks.hold_against_lock("teacher", LINES)
    assert code == 0
    assert said.endswith(
        ", 3 utterances; utterances that sound otherwise than the committed ones: 2; first item 1: got 200:-30, "
        "expected 200:-40; it is heart-100 saying 'two'\n"
    )
    assert TeacherLock.of(LINES).sounds == ("100:-30", "200:-30", "300:-30")


@pytest.mark.parametrize("number", range(3))
def test_whichever_item_differs_is_named(number):
    """With both hashes and the beginning of its line."""
    lines = ["one", "two", "x" * 300]
    lock = "\n".join(["root", *map(locks.short_hash, lines)])
    other = [*lines[:number], "y" * 300, *lines[number + 1 :]]
    wanted = hashlib.sha256(lines[number].encode()).hexdigest()[:10]
    found = hashlib.sha256(("y" * 300).encode()).hexdigest()[:10]
    said = f"item {number} differs: got {found}, expected {wanted}; it is {'y' * 200}"
    assert locks.compare_with_lock(other, lock) == said


def small_corpus(folder, blocks: list[int | None]) -> None:
    folder.mkdir()
    for name in joining.CORPUS_ARRAYS:
        np.save(folder / f"{name}.npy", np.full((len(blocks), 2), len(blocks), np.int16))
    items = [{"text": str(place), "block": block} for place, block in enumerate(blocks)]
    (folder / "index.json").write_text(json.dumps({"root_sha256": folder.name, "items": items}), encoding="utf-8")


def test_joined_corpora_keep_their_blocks_apart(tmp_path, monkeypatch, capsys):
    """Numbered on, what has none has none; the command says the root hash, and touches nothing that is there."""
    small_corpus(tmp_path / "a", [0, 0, 1])
    small_corpus(tmp_path / "b", [None, 0])
    small_corpus(tmp_path / "c", [2])
    output = tmp_path / "new" / "together"
    words = [*(str(tmp_path / name) for name in "abc"), "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["joining", *words])
    with pytest.raises(SystemExit) as ended:
        joining.main()
    root = hashlib.sha256(b"a\nb\nc\n").hexdigest()
    assert (ended.value.code, capsys.readouterr().err) == (0, f"corpus root sha256 {root}\n")
    index = json.loads((output / "index.json").read_text(encoding="utf-8"))
    assert index["root_sha256"] == root
    assert [each["block"] for each in index["items"]] == [0, 0, 1, None, 2, 5]
    names = ["phones", "stresses", "breaks", "durations", "samples", "log_mel", "prosody"]
    assert sorted(path.stem for path in output.glob("*.npy")) == sorted(names)
    for name in names:
        assert np.load(output / f"{name}.npy").tolist() == [[3, 3]] * 3 + [[2, 2]] * 2 + [[1, 1]]
    with pytest.raises(SystemExit) as ended:
        joining.main()
    assert (ended.value.code, capsys.readouterr().err) == (2, f"{output} is there already\n")


def test_a_process_has_one_thread_and_gives_the_setting_back(monkeypatch):
    """A count that was set is set again, one that was not is removed."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with processes._one_thread_each():
        assert [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")] == ["1", "1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert not {"MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"} & set(os.environ)


def test_a_bar_where_there_is_rich(monkeypatch, capsys):
    """It says what is going on; without rich the items are the same."""
    assert list(processes.with_progress([1, 2, 3], total=3)) == [1, 2, 3]
    assert "speaking" in capsys.readouterr().out
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    items = [1]
    assert processes.with_progress(items, total=1) is items
