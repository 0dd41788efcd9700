"""The measures of evaluation/2: against values by hand, and relations that any such measure must keep."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ttsartifact
from reference_runner.evaluation import artifact_report, recordings
from reference_runner.evaluation.__main__ import main
from reference_runner.evaluation.distances import DECIBELS, measure_distances, warp
from reference_runner.evaluation.frames import Frames, cosine_transform
from reference_runner.evaluation.intervals import difference_interval, mean_interval, spread_interval
from reference_runner.evaluation.measuring import Voice, Yardsticks, measure, spoken_words
from reference_runner.evaluation.prosody_transfer import measure_transfer, melody
from reference_runner.evaluation.recordings import Recording, read_artifact
from reference_runner.evaluation.sessions import Manner, intraclass_correlation, measure_consistency, measure_manner
from reference_runner.evaluation.speaker_encoder import SpeakerEncoder
from reference_runner.evaluation.word_errors import SentenceErrors, count_character_errors
from reference_runner.laboratory.corpus.flite import FliteLibrary
from reference_runner.laboratory.corpus.virtual_speakers import (
    TRAINING_SPEAKERS,
    Delivery,
    VirtualSpeaker,
    resample,
    speak,
)
from reference_runner.laboratory.speaker_trainer import equal_error_rate

RATE_HZ = 16_000
ALONE = ("--no-listener", "--no-encoder", "--no-naturalness")
SENTENCES = ("The ripe pear fell from the tree.", "Nine men rowed home before the rain.")


def buzz(f0_hz: float, seconds: float = 1.0, lead_s: float = 0.2) -> Frames:
    """Return a pulse train through a falling spectrum, with silence before and after."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    harmonics = np.arange(1, int(4000 / f0_hz))
    wave = (np.sin(2 * np.pi * f0_hz * np.outer(harmonics, time)) / harmonics[:, None] ** 1.5).sum(axis=0)
    lead = np.zeros(int(lead_s * RATE_HZ))
    breath = np.random.default_rng(1).normal(0.0, 0.002, len(time))
    samples = np.concatenate([lead, 0.3 * wave / np.abs(wave).max() + breath, lead])
    return Frames(pcm=np.rint(samples * 32_767).astype(np.int16))


@pytest.fixture(scope="module")
def flite() -> FliteLibrary:
    return FliteLibrary()


@pytest.fixture(scope="module")
def voices(flite) -> dict[str, list[Frames]]:
    """Three voices of the corpus, two sentences each."""
    chosen = [speaker for speaker in TRAINING_SPEAKERS if speaker.name in {"slt-100", "rms-100", "awb-094"}]
    return {
        speaker.name: [Frames(pcm=speak(flite, speaker, text, Delivery())[0].samples) for text in SENTENCES]
        for speaker in chosen
    }


def recording(frames: Frames, **known: object) -> Recording:
    facts = {"name": "a", "system": "s", "pcm_digest": "sha256:0", "text": None}
    return Recording(frames=frames, **(facts | known))


def test_cepstra_of_a_ripple_are_one_coefficient():
    """ln|mel| = 3 + 2 cos(5 angle) is c0 = 6, c5 = 2 and nothing else."""
    angle = np.pi * (np.arange(80) + 0.5) / 80
    found = cosine_transform((3 + 2 * np.cos(5 * angle))[None], 13)[0]
    expected = np.zeros(13)
    expected[0], expected[5] = 6.0, 2.0
    assert np.allclose(found, expected)


def test_the_usual_constant():
    """(10 / ln 10) sqrt(2): a cepstral distance of one is 6.142 dB."""
    assert pytest.approx(6.14185, abs=1e-5) == DECIBELS


def test_warping_by_hand():
    """Of [0, 1, 2] and [0, 0, 1, 2] the first frame is met twice and nothing is lost."""
    rows, columns = warp(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [0.0], [1.0], [2.0]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 0, 1, 2], [0, 1, 2, 3])


def test_a_peak_above_full_scale_is_cut_and_does_not_turn_over():
    """A click in quiet speech, which is raised by 17 dB: upside down the clip has the same spectrum."""
    clip = Frames(pcm=buzz(120.0, seconds=3.0).pcm // 64)
    click = np.rint(8_000 * np.sin(np.pi * np.arange(320) / 320)).astype(np.int16)
    clip.pcm[20_000:20_320] += click
    overturned = Frames(pcm=-clip.pcm)
    assert 8_000 * 0.1 * 10 ** (-clip.speech_level_db / 20) > 1.5 * 32_768
    assert np.abs(clip.log_mel - overturned.log_mel).max() < 0.1


def test_the_same_audio_is_no_distance_away():
    """Similarity one, distances zero, whatever silence stands around it and however loud it is."""
    one, quiet = buzz(120.0), buzz(120.0, lead_s=0.408)
    quiet = Frames(pcm=(quiet.pcm // 2).astype(np.int16))
    same = measure_distances(one, one)
    assert (same.mcd_db, same.f0_rmse_semitones, same.voicing_error, same.duration_error_s) == (0.0, 0.0, 0.0, 0.0)
    assert measure_distances(one, quiet).mcd_db < 1.0
    alike = Voice([one], SpeakerEncoder()).similarity(Voice([one], SpeakerEncoder()))
    assert alike["similarity"] == pytest.approx(1.0)
    assert alike["encoder_similarity"] == pytest.approx(1.0)
    assert alike["pitch_gap_semitones"] == 0.0


def analysed(cepstra: np.ndarray, pitch: list[float]) -> Frames:
    """Return a clip whose frames are given: cepstra (L, 24), pitch (L,), all of it speech."""
    clip = Frames(pcm=np.zeros(0, np.int16))
    clip.__dict__.update({"cepstra": cepstra, "pitch_semitones": np.array(pitch), "extent": slice(0, len(cepstra))})
    return clip


def test_distances_by_hand():
    """One unit in c13 of one frame of four; c0 and c14 on count nothing; one frame is voiced on one side only."""
    nan = float("nan")
    mine = 100.0 * np.arange(4.0)[:, None] * np.eye(1, 24, 1)  # frames so far apart that only the diagonal is cheap
    theirs = mine.copy()
    theirs[:, 0] += 7.0
    theirs[:, 14:] += 7.0
    theirs[2, 13] += 1.0
    found = measure_distances(
        analysed(mine, [80.0, 82.0, nan, nan]), analysed(theirs, [79.0, 79.0, nan, 90.0])
    ).to_dict()
    assert found == {
        "mcd_db": pytest.approx(6.14185 / 4, abs=1e-5),
        "f0_rmse_semitones": pytest.approx(np.sqrt((1 + 9) / 2)),
        "f0_contour_rmse_semitones": pytest.approx(1.0),
        "voicing_error": 0.25,
        "duration_error_s": 0.0,
        "duration_ratio": 1.0,
    }
    longer = measure_distances(analysed(np.repeat(mine, 2, axis=0), [nan] * 8), analysed(mine, [80.0] * 4))
    assert (longer.mcd_db, longer.f0_rmse_semitones, longer.voicing_error) == (0.0, None, 1.0)
    assert (longer.duration_error_s, longer.duration_ratio) == (pytest.approx(4 * 0.016), 2.0)


@pytest.mark.parametrize("semitones", [-4, 3, 7])
def test_a_known_pitch_gap(semitones):
    """A voice that many semitones higher is found that much higher, and so is its F0 error."""
    low, high = buzz(120.0), buzz(120.0 * 2 ** (semitones / 12))
    gap = Voice([high], None).similarity(Voice([low], None))["pitch_gap_semitones"]
    assert gap == pytest.approx(semitones, abs=0.1)
    found = measure_distances(high, low)
    assert found.f0_rmse_semitones == pytest.approx(abs(semitones), abs=0.15)
    assert found.f0_contour_rmse_semitones < 0.1


def test_extent_and_pauses():
    """Half a second of silence between two seconds of sound is a fifth of the extent."""
    parts = [buzz(150.0, lead_s=0.0).pcm, np.zeros(8000, np.int16), buzz(150.0, lead_s=0.0).pcm]
    clip = Frames(pcm=np.concatenate([np.zeros(4000, np.int16), *parts]))
    assert clip.speech_s == pytest.approx(2.5, abs=0.07)
    found = measure_manner(clip, 25)
    assert found.pause_ratio == pytest.approx(0.2, abs=0.03)
    assert found.rate_phones_per_s == pytest.approx(10.0, abs=0.3)
    assert found.median_pitch_semitones == pytest.approx(12 * np.log2(150.0), abs=0.05)
    assert found.pitch_spread_semitones < 0.3


def test_character_errors_by_hand():
    """The blanks between words count, case and stops do not."""
    assert count_character_errors("The cat.", "the bat s") == SentenceErrors(errors=3, words=7)


def test_numbers_are_heard_as_words():
    """What a listener hears has no digits."""
    assert spoken_words("Order 42, please.") == "order forty two please"


def test_intervals():
    """A constant has no width; a difference is taken over the sentences that both said."""
    assert mean_interval({"a": 2.0, "b": 2.0}).to_dict() == {"mean": 2.0, "low": 2.0, "high": 2.0}
    found = difference_interval({"a": 3.0, "b": 4.0}, {"a": 1.0, "c": 9.0})
    assert found is not None
    assert found.mean == 2.0
    assert difference_interval({"a": 1.0}, {"b": 1.0}) is None
    spread = mean_interval({str(number): float(number % 2) for number in range(100)})
    assert spread.low < 0.45 < 0.55 < spread.high
    assert spread_interval({"a": 2.0, "b": 2.0}).to_dict() == {"mean": 0.0, "low": 0.0, "high": 0.0}
    halves = spread_interval({str(number): float(number % 2) for number in range(100)})
    assert (halves.mean, halves.high) == (0.5, 0.5)
    assert 0.45 < halves.low < 0.5


def test_icc_of_shrout_and_fleiss():
    """Their example of six targets and four judges: ICC(2,1) = 0.29."""
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert intraclass_correlation(table) == pytest.approx(0.29, abs=0.005)


@pytest.mark.parametrize("value", [0.1, 0.3, 12.7])
def test_a_table_of_one_value_has_no_icc(value):
    """0 / 0, whatever its mean is rounded to."""
    assert intraclass_correlation(np.full((3, 3), value)) is None


def test_a_text_that_the_listener_cannot_hear_has_no_word_errors():
    """What was heard is told; errors by no words would be no number."""
    listener = SimpleNamespace(identity="deaf", hear_pcm=lambda _: "the")
    said = [recording(buzz(120.0), text=text, name=text) for text in ("\u4f60\u597d", "The cat.")]
    report = measure(said, Yardsticks(recognizer=listener))
    assert [clip["word_errors"] for clip in report["clips"]] == [None, {"errors": 1, "of": 2}]
    assert [clip["heard"] for clip in report["clips"]] == ["the", "the"]
    assert report["systems"]["s"]["word_errors"]["wer"] == 0.5
    assert measure(said[:1], Yardsticks(recognizer=listener))["systems"]["s"]["word_errors"] is None


def test_consistency_by_hand():
    """Three sessions a semitone apart drift by one each; sessions that repeat deviate by exactly nothing."""
    manners = {
        (sentence, session): Manner(
            median_pitch_semitones=pitch + number, pitch_spread_semitones=2.1, rate_phones_per_s=10.3,
            pause_ratio=0.1, level_db=-20.3,
        )
        for sentence, pitch in (("one", 80.0), ("two", 90.0), ("three", 84.0))
        for number, session in enumerate(("x", "y", "z"))
    }  # fmt: skip
    found = measure_consistency(manners, ["x", "y", "z"])
    pitch, level = found["median_pitch_semitones"], found["level_db"]
    assert pitch.deviation == pytest.approx(np.sqrt(2 / 3))
    assert pitch.drift_per_session == pytest.approx(1.0)
    assert 0.9 < pitch.icc < 1.0
    assert (level.deviation, level.icc, level.drift_per_session) == (0.0, None, 0.0)
    assert measure_consistency(manners, ["x", "elsewhere"]) == {}


def test_melodies():
    """A melody is the same in every key and tempo; its opposite correlates with minus one."""

    def sung(semitones: np.ndarray) -> Frames:
        clip = buzz(100.0)
        clip.__dict__["pitch_semitones"] = semitones
        clip.__dict__["extent"] = slice(0, len(semitones))
        return clip

    rise = np.linspace(0.0, 5.0, 60)
    assert np.allclose(melody(sung(rise)), melody(sung(np.linspace(12.0, 17.0, 90))))
    assert melody(sung(np.full(60, np.nan))) is None
    said = [
        recording(sung(rise), prompt="a", text="t"), recording(sung(rise * 2 + 3), prompt="a", text="t"),
        recording(sung(-rise), prompt="b", text="t", conditions="b1"), recording(sung(rise), prompt="b", text="u"),
        recording(sung(-rise), prompt="b", text="t", conditions="b1"),  # a run made again proves no prompt
    ]  # fmt: skip
    found = measure_transfer(said)
    assert found["same_prompt"] == pytest.approx(1.0)
    assert found["other_prompt"] == pytest.approx(-1.0)
    assert (found["same_prompt_pairs"], found["other_prompt_pairs"]) == (1, 4)
    assert found["effect"] == pytest.approx(2.0)


def test_equal_error_rate_by_hand():
    """One of four same pairs lies under one of four other pairs."""
    assert equal_error_rate([0.9, 0.8, 0.7, 0.3], [0.1, 0.2, 0.4, 0.0]) == 0.25
    assert equal_error_rate([0.9, 0.8], [0.1, 0.2]) == 0.0


@pytest.mark.flite
def test_a_voice_is_nearer_to_itself_than_to_others(voices):
    """By both measures, for another sentence of the same voice."""
    encoder = SpeakerEncoder()
    for name, (first, second) in voices.items():
        mine = Voice([first], encoder)
        own = mine.similarity(Voice([second], encoder))
        for other, clips in voices.items():
            if other != name:
                theirs = mine.similarity(Voice([clips[1]], encoder))
                assert own["similarity"] > theirs["similarity"] + 0.2
                assert own["encoder_similarity"] > theirs["encoder_similarity"] + 0.2


@pytest.mark.flite
def test_formants_count_where_pitch_does_not(flite):
    """The same voice through a shorter vocal tract is less similar, though its pitch is kept."""
    slt = next(speaker for speaker in TRAINING_SPEAKERS if speaker.name == "slt-100")
    small = VirtualSpeaker(
        name="small", flite_voice="slt", formant_percent=112, f0_mean_hz=slt.f0_mean_hz,
        f0_deviation_hz=slt.f0_deviation_hz, duration_stretch=slt.duration_stretch,
    )  # fmt: skip
    first, second, other = (
        Voice([Frames(pcm=speak(flite, speaker, text, Delivery())[0].samples)], None)
        for speaker, text in ((slt, SENTENCES[0]), (slt, SENTENCES[1]), (small, SENTENCES[1]))
    )
    assert abs(other.similarity(first)["pitch_gap_semitones"]) < 2.0
    assert first.similarity(second)["similarity"] > other.similarity(first)["similarity"] + 0.1


@pytest.mark.flite
def test_resampling_is_heard_as_pitch(voices):
    """Played a sixth faster, a voice lies 12 log2(6 / 5) semitones higher."""
    clip = voices["rms-100"][0]
    fast = Frames(pcm=resample(clip.pcm, 5, 6))
    gap = Voice([fast], None).similarity(Voice([clip], None))["pitch_gap_semitones"]
    assert gap == pytest.approx(12 * np.log2(6 / 5), abs=0.3)


@pytest.fixture
def artifacts(tmp_path):
    """Four runs in two folders, the first two of equal conditions, the last in Parquet."""
    paths = []
    for folder, name, pitch_hz, seed in (
        ("low", "a.tts.wav", 110.0, 1), ("low", "b.tts.wav", 110.0, 1), ("high", "a.tts.wav", 165.0, 1),
        ("high", "b.tts.parquet", 165.0, 2),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / name
        with ttsartifact.Recorder(
            path, text="Ah, ah.", sample_rate_hz=RATE_HZ, channels=1, subtype="pcm_s16",
            seeds=[{"stage": "voice", "requested": str(seed), "effective": str(seed), "generator": "none"}],
        ) as recorder:  # fmt: skip
            recorder.submit()
            recorder.start()
            recorder.chunk(buzz(pitch_hz).pcm.tobytes())
            recorder.finish()
        paths.append(path)
    return paths


def test_any_carrier_is_read():
    """FLAC and MP3 of the kit, alone and in Parquet: the same run, the same samples."""
    kit = Path(__file__).resolve().parents[2] / "fixtures" / "valid" / "L1"
    for codec in ("flac", "mp3"):
        alone = read_artifact(kit / codec / f"{codec}.tts.{codec}")
        row = read_artifact(kit / "parquet" / f"{codec}.tts.parquet")
        assert (alone.artifact_id, alone.pcm_digest, alone.text) == (row.artifact_id, row.pcm_digest, row.text)
        assert alone.frames.pcm.any()


def test_a_run_of_the_runner_says_whose_manner_it_continues():
    """Its prompt, its seed and its conditions, which are those of a rerun and not those of another voice."""
    released = Path(__file__).resolve().parents[2] / "fixtures" / "released" / "0.1.0"
    exact, cloned = (read_artifact(released / f"stable-tts-{name}.tts.wav") for name in ("exact", "exact-cloned"))
    assert [(one.prompt, one.session) for one in (exact, cloned)] == [("prior 1", "mel 7")] * 2
    assert exact.conditions != cloned.conditions
    assert exact.text == cloned.text


def test_whose_manner_is_continued_follows_from_the_prompt():
    """A prior's number, the clip that lends its prosody, or nobody's; an engine without prompts has none."""
    timbre, prosody = ({"role": role, "digest": f"sha256:{role}"} for role in ("timbre", "prosody"))
    for parameters, references, named in (
        ({}, [timbre], None),
        ({"prompt": "prior"}, [], "prior 0"),
        ({"prompt": "prior", "prior": 3}, [timbre], "prior 3"),
        ({"prompt": "prior", "prior": -1}, [timbre], "prior nearest"),
        ({"prompt": "none"}, [timbre], "none"),
        ({"prompt": "clip"}, [timbre, prosody], "clip sha256:prosody"),
        ({"prompt": "clip"}, [timbre], "clip"),
        ({"prompt": "reference"}, [timbre, prosody], "reference sha256:timbre"),
    ):
        assert recordings.prompt_name(parameters, references) == named


def test_runs_are_compared_within_their_folders(artifacts):
    """Equal conditions are found and differ by nothing; sessions are told by their seeds; the source is no distance."""
    low, again, high, parquet = (read_artifact(path) for path in artifacts)
    assert low.pcm_digest == again.pcm_digest
    assert high.pcm_digest == parquet.pcm_digest
    assert low.conditions == again.conditions == high.conditions != parquet.conditions
    assert (low.system, high.system, low.session) == ("low", "high", "voice 1")
    report = measure([low, again, high, parquet], Yardsticks(target=[low], sources=[low]))
    assert report["systems"]["low"]["reruns"] == {"pairs": 1, "equal": 1, "greatest_difference": 0}
    assert report["systems"]["low"]["against_source"]["mcd_db"]["mean"] == 0.0
    assert report["systems"]["high"]["voice"]["pitch_gap_semitones"]["mean"] == pytest.approx(7.02, abs=0.1)
    assert report["systems"]["high"]["sessions"]["figures"]["level_db"]["deviation"] == 0.0


def test_the_command_gives_the_same_bytes_twice(artifacts, tmp_path, monkeypatch, capsys):
    """JSON, Markdown and the picture; every system has its line."""
    clip = tmp_path / "clip.wav"
    ttsartifact.strip(artifacts[0], clip)
    outputs = [tmp_path / "first", tmp_path / "second"]
    for output in outputs:
        words = ["evaluation", "artifacts", *map(str, artifacts), "--no-listener", "--no-people", "--no-naturalness"]
        words += ["--target", str(clip)]
        monkeypatch.setattr("sys.argv", [*words, "--output", str(output)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0
    first, second = ({path.name: path.read_bytes() for path in output.iterdir()} for output in outputs)
    assert first == second
    assert set(first) == {"evaluation.json", "evaluation.md", "evaluation.png"}
    report = json.loads(first["evaluation.json"])
    assert report["evaluation"] == "evaluation/2"
    text = artifact_report.to_markdown(report)
    assert "| low | - | 1.000 (1.000 to 1.000) |" in text
    lines = text.splitlines()
    headed = {line: lines[place + 2] for place, line in enumerate(lines) if line.startswith("## ")}
    assert headed == {
        "## Words": "| system | clips | sentences | WER | CER | source WER | minus source |",
        "## Voice": "| system | similarity, people's encoder | similarity, model-free | similarity, encoder | "
        "pitch gap, semitones |",
        "## Naturalness": "| system | DNSMOS, overall | DNSMOS, speech | DNSMOS, background |",
        "## Against the source": "| system | MCD, dB | F0 RMSE, semitones | F0 RMSE without level, semitones | "
        "voicing error | duration error, s |",
        "## Manner": "| system | median pitch, semitones | pitch spread, semitones | rate, phones/s | pause ratio | "
        "level, dB |",
        "## Sessions": "| system | sessions | figure | deviation | ICC(2,1) | drift a session |",
        "## Prompts and reruns": "| system | same prompt | different prompt | effect | runs of equal conditions | "
        "equal | greatest difference |",
    }
    measures = {
        group: set(report["systems"]["low"][group]) for group in ("voice", "naturalness", "against_source", "manner")
    }
    assert measures == {
        "voice": {"people_similarity", "similarity", "encoder_similarity", "pitch_gap_semitones"},
        "naturalness": {"dnsmos_ovr", "dnsmos_sig", "dnsmos_bak"},
        "against_source": {
            "mcd_db", "f0_rmse_semitones", "f0_contour_rmse_semitones", "voicing_error", "duration_error_s",
            "duration_ratio",
        },
        "manner": {
            "median_pitch_semitones", "pitch_spread_semitones", "rate_phones_per_s", "pause_ratio", "level_db",
        },
    }  # fmt: skip
    capsys.readouterr()


def test_an_input_that_is_none_is_named(tmp_path, monkeypatch, capsys):
    """Exit 2 and the file's name, not a traceback."""
    path = tmp_path / "noise.tts.wav"
    path.write_bytes(b"no sound")
    monkeypatch.setattr("sys.argv", ["evaluation", "artifacts", str(path), *ALONE])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "noise.tts.wav" in capsys.readouterr().err


def test_a_source_without_words_is_refused(artifacts, tmp_path, monkeypatch, capsys):
    """Otherwise nothing would be held against it, in silence."""
    clip = tmp_path / "read.wav"
    ttsartifact.strip(artifacts[0], clip)
    words = ["evaluation", "artifacts", str(artifacts[0]), *ALONE, "--source", str(clip)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = "read.wav: the sentence of this source is not stated; give --source-text"
    assert said in " ".join(capsys.readouterr().err.split())
