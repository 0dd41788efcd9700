"""The evaluation of what users get: what is spoken, what is asked of the numbers, one run from sentence to table."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

import ttsartifact
from reference_runner.errors import EvaluationError
from reference_runner.evaluation.measuring import Yardsticks
from reference_runner.evaluation.sharing import shared
from reference_runner.laboratory.ablation import human
from reference_runner.laboratory.ablation.human import choose_prompts, read_person
from reference_runner.laboratory.ablation.targets import Clip
from reference_runner.laboratory.product import __main__ as command
from reference_runner.laboratory.product import figures, systems
from reference_runner.laboratory.product.material import PROMPT_DELIVERIES
from reference_runner.laboratory.product.report import to_markdown
from reference_runner.laboratory.product.systems import Part
from reference_runner.laboratory.product.trials import Studio, Trial
from ttsartifact import Refused


def clip(system, text, *, name="a", rating=None, likeness=None, errors=None, rate=10.0, spread=2.0, pitch=80.0):
    """Return a measured clip as the report keeps it."""
    return {
        "system": system, "text": text, "name": name,
        "naturalness": None if rating is None else {"dnsmos_ovr": rating},
        "voice": None if likeness is None else {"people_similarity": likeness, "encoder_similarity": likeness},
        "word_errors": None if errors is None else {"errors": errors, "of": 10},
        "manner": {
            "rate_phones_per_s": rate, "pitch_spread_semitones": spread, "median_pitch_semitones": pitch,
            "pause_ratio": 0.0, "level_db": -20.0,
        },
    }  # fmt: skip


def test_the_prompts_changes_do_not_go_together():
    """Tempo, pitch spread and level are uncorrelated, or a slope of one would be another's."""
    columns = list(zip(*PROMPT_DELIVERIES, strict=True))
    for place, one in enumerate(columns):
        for other in columns[place + 1 :]:
            means = [sum(column) / len(column) for column in (one, other)]
            assert sum((x - means[0]) * (y - means[1]) for x, y in zip(one, other, strict=True)) == pytest.approx(
                0.0, abs=0.2
            )


def test_no_two_trials_share_a_file():
    """Every run of every part has a place of its own."""
    texts, lent = ["one", "two", "three"], [Clip(path=None, text="x")] * 3
    trials = [
        *systems.voice_trials("voice", texts, 2),
        *systems.prior_trials(texts, 16),
        *(trial for group in systems.manner_trials(texts, lent) for trial in group),
        *systems.session_trials(texts, lent),
    ]
    assert len({trial.file for trial in trials}) == len(trials) == 6 + 48 + 18 + 18
    assert (systems.few(8, share=8, least=3), systems.few(50, share=8, least=3), systems.few(2, share=8, least=3)) == (
        3, 6, 2,
    )  # fmt: skip


def test_plain_prompts_are_chosen():
    """Names with their words: whole sentences without digits or signs, 8 to 22 words."""
    lines = [
        "a: Please enter your agent number followed by the pound key.", "b: Press 1 to hear it all again if you like.",
        "c: too short", "d/e: In a folder there are other words that we do not use.",
        "f: Welcome to the directory ... using your touch tone keypad please.",
    ]  # fmt: skip
    assert choose_prompts("\n".join(lines)) == {"a": "Please enter your agent number followed by the pound key."}


def test_a_folder_without_a_person(tmp_path):
    """The refusal says how to get the clips."""
    with pytest.raises(EvaluationError) as refused:
        read_person(tmp_path)
    assert str(refused.value) == f"{tmp_path} holds no person's clips; `make person` fetches them"


def test_forty_prompts_are_taken_evenly():
    """Of the names in order, every so many-th; of fewer than forty, all."""
    lines = [f"{number:03d}: Please wait while we put your call through to somebody." for number in range(120)]
    assert list(choose_prompts("\n".join(reversed(lines)))) == [f"{number:03d}" for number in range(0, 120, 3)]
    assert len(choose_prompts("\n".join(lines[:39]))) == 39


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_persons_prompts_become_clips_with_their_words(tmp_path, monkeypatch, capsys):
    """G.722 of a telephone to WAV of 16 kHz; a file that is none is named with what ffmpeg says of it."""
    sound = tmp_path / "tone.wav"
    soundfile.write(sound, 0.3 * np.sin(np.arange(16_000) / 8), 16_000)
    spoken = {"agent": "Please enter your agent number followed by the pound key.",
              "bell": "When the bell rings please say your name and your number."}  # fmt: skip
    for name in spoken:
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", sound, tmp_path / f"{name}.g722"], check=True)
    words = tmp_path / "words.gz"
    words.write_bytes(gzip.compress("".join(f"{name}:  {said}\n" for name, said in spoken.items()).encode()))
    call = ["human", "--sounds", str(tmp_path), "--words", str(words), "--output", str(tmp_path / "a" / "person")]
    monkeypatch.setattr("sys.argv", call)
    for _ in range(2):  # again into the same folder
        with pytest.raises(SystemExit) as ended:
            human.main()
        assert not ended.value.code
        assert capsys.readouterr().err == f"{tmp_path / 'a' / 'person'}: 2 clips of one person\n"
    clips = read_person(tmp_path / "a" / "person")
    assert {one.path.stem: one.text for one in clips} == spoken
    for one in clips:
        about = soundfile.info(one.path)
        assert (about.samplerate, about.channels, round(about.duration, 1)) == (16_000, 1, 1.0)
    (tmp_path / "bell.g722").unlink()
    with pytest.raises(SystemExit) as ended:
        human.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "bell.g722: " in line
    assert "No such file or directory" in line
    assert "ffmpeg version" not in line


def test_slopes_follow_the_prompts_order():
    """Twice the rate after a prompt twice as fast is a slope of one; a group with an unvoiced clip is left out."""
    prompts = [clip("prompts", "p", name=str(place), rate=rate) for place, rate in enumerate((8.0, 16.0))]
    after = [clip("manner-01", "t", name=f"00{place}-1", rate=rate) for place, rate in enumerate((6.0, 12.0))]
    mute = [clip("manner-00", "t", name=f"00{place}-1", rate=3.0, spread=None) for place in range(2)]
    groups = [[(one["system"], one["name"]) for one in group] for group in (after, mute)]
    found = figures.slopes([*after, *prompts, *mute], groups, "prompts")
    assert found["rate_phones_per_s"].mean == pytest.approx(1.0)
    assert found["level_db"] is None
    assert figures.slopes([*prompts, *mute], groups[1:], "prompts") == {}


def test_steadiness_is_a_ratio():
    """A rate that moves by one where its own clips move it by four is a quarter."""
    clips = [
        clip(system, text, rate=10.0 + place * step)
        for system, step in ((systems.SESSION_PRIOR, 1.0), (systems.SESSION_SELF, 4.0))
        for text in ("one", "two")
        for place in range(3)
    ]
    assert figures.spread_ratio(clips, "rate_phones_per_s").mean == pytest.approx(0.25)
    assert figures.spread_ratio(clips, "median_pitch_semitones") is None


def report_of(clips, **known):
    facts = {"priors": ["slt-100"], "manner_slopes": {}, "strangers": [], "systems": {}}
    return {"clips": clips, **facts, **known}


def test_gates_by_hand():
    """Each is held against its limit on the side it says, and what was not measured has no answer."""
    clips = [
        one
        for text in ("one", "two")
        for one in (
            clip("voice", text, rating=3.1, likeness=0.6, errors=2), clip("zero-shot", text, likeness=0.7, errors=2),
            clip("zero-shot-10dB", text, likeness=0.5, errors=3), clip("prior-00", text, rating=2.5),
            clip("source-slt-100", text, rating=2.6),
        )
    ]  # fmt: skip
    strangers = [{"people_similarity": 0.65}, {"people_similarity": 0.74}]
    slope = {"mean": 0.8, "low": 0.4, "high": 0.9}
    found = figures.gates(report_of(clips, strangers=strangers, manner_slopes={"rate_phones_per_s": slope}))
    answers = {gate["name"]: (round(gate["measured"]["mean"], 6), gate["holds"]) for gate in found if gate["measured"]}
    assert answers == {
        "DNSMOS of the built-in voice": (3.1, False),
        "DNSMOS of a prior's source above its voice, the worst (slt-100)": (0.1, True),
        "manner slope, rate": (0.8, True),
        "similarity (people's encoder), zero-shot above the built-in voice": (0.1, True),
        "similarity (people's encoder), zero-shot above zero-shot-10dB": (0.2, False),
        "WER, zero-shot above the built-in voice": (0.0, True),
        "similarity (people's encoder), zero-shot above the nearest stranger": (-0.04, False),
    }
    assert [gate["sure"] for gate in found if gate["name"] == "manner slope, rate"] == [False]
    assert all(gate["holds"] is None for gate in figures.gates(report_of([])))


def test_new_against_old():
    """The same sentences, figure by figure; fewer word errors are better, a lower rating is worse."""
    old = {"systems": {"voice": {}}, "clips": [clip("voice", t, rating=3.0, errors=4) for t in ("one", "two", "x")]}
    new = {
        "systems": {"voice": {}, "more": {}},
        "clips": [clip("voice", t, rating=2.5, errors=1) for t in ("one", "two")],
    }
    found = {row["figure"]: (row["new_minus_old"]["mean"], row["is"]) for row in figures.changes(new, old)}
    assert found == {"DNSMOS, overall": (-0.5, "worse"), "WER": (pytest.approx(-0.3), "better")}
    assert {row["is"] for row in figures.changes(old, old)} == {"unsure"}


def test_shared_work_comes_in_order():
    """By one process or three, of a function that no process could be sent."""
    offset = 100
    for jobs in (1, 3):
        with shared(lambda number: number + offset, jobs) as each_of:
            assert list(each_of(range(7))) == list(range(100, 107))


def test_what_was_refused_once_is_refused_alike_again(tmp_path):
    """Folders that are not there are made, and those that a refusal left do not stand in the way."""
    studio = Studio(folder=tmp_path / "new" / "runs", weights={}, numerics="loud", origin={})
    for _ in range(2):
        with pytest.raises(Refused, match="clip"):
            studio.adapt("voice", [])
        with pytest.raises(Refused, match="loud"):
            studio.speak(Trial(system="voice", number=0, text="Hello."))


@pytest.mark.flite
def test_from_sentence_to_table(small_checkpoint_path, tmp_path):
    """A very small random model: artifacts that verify, a report with every gate; nothing is made twice."""
    wanted = command.Wanted(
        checkpoint=small_checkpoint_path, released=False, sentences=1, seeds=1, numerics="native",
        parts=(Part.VOICE, Part.PRIORS), person=None, artifacts=(), output=tmp_path, material=tmp_path / "material",
    )  # fmt: skip
    found = command.evaluate(wanted, Yardsticks())
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*.tts.wav")}
    assert sorted(path.parent.name for path in made) == ["prior-00", "prior-01", "voice"]
    known = ttsartifact.open(next(path for path in made if path.parent.name == "prior-00")).descriptor.known
    assert known("/generation/params/prior") == 0
    assert found["speed"]["runs"] == 1
    text = to_markdown({"command": "", "changes": [], **found})
    assert "| WER of the built-in voice above its source | <= 0.05 | not measured | - |" in text
    assert json.dumps(command.evaluate(wanted, Yardsticks()), sort_keys=True) == json.dumps(found, sort_keys=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*.tts.wav")} == made
