"""What is built once and committed is what its builder gives: words and their sounds, rules, the voices of a corpus."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from runner_corpus import SMALL_CONFIG, write_small_corpus

from reference_runner import frontend
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.frames import Frames
from reference_runner.evaluation.voice_distances import raw_voice
from reference_runner.frontend.letter_to_sound import LetterRules, parse_rules
from reference_runner.frontend.lexicon import ADDITIONS_FILE, Lexicon, parse_lexicon, read_base
from reference_runner.laboratory import letter_to_sound_trainer, lexicon_builder, voice_population
from reference_runner.laboratory.letter_to_sound_trainer import learn_rules


@pytest.fixture
def called(monkeypatch):
    """Call a command's main with these words."""

    def call(main, *words):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
        main()

    return call


@pytest.mark.flite
def test_the_additions_are_what_the_builder_writes(called, tmp_path):
    """Every word of the list and of the front end, flite's sounds and ours: byte for byte what is committed."""
    called(lexicon_builder.main, "--additions", "--output", tmp_path / "additions.txt")
    committed = (Path(frontend.__file__).parent / ADDITIONS_FILE).read_bytes()
    assert (tmp_path / "additions.txt").read_bytes() == committed


@pytest.mark.flite
def test_a_word_list_becomes_a_lexicon(called, tmp_path, monkeypatch):
    """Plain words of it, our vocabulary, contractions and letters; what flite gets wrong is corrected."""
    monkeypatch.setattr(lexicon_builder, "read_vocabulary", lambda: SmallVocabulary)
    (tmp_path / "words").write_text("harbor\nHarbor\nharbor's\nquiet\nextraordinarilylong\n", encoding="utf-8")
    called(lexicon_builder.main, "--word-list", tmp_path / "words", "--output", tmp_path / "out.gz")
    found = parse_lexicon(gzip.decompress((tmp_path / "out.gz").read_bytes()).decode("ascii").splitlines())
    known = read_base().entries
    corrected = ["doesn't", "hasn't", "haven't", "isn't", "wasn't"]
    assert sorted(found) == sorted([*corrected, *"abcdefghijklmnopqrstuvwxyz", "bright", "harbor", "quiet"])
    assert found == {word: known[word] for word in found}
    assert known["isn't"] == (("ih", 1), ("z", 0), ("ax", 0), ("n", 0), ("t", 0))
    assert (tmp_path / "out.gz").read_bytes()[4:8] == bytes(4)  # no time is in it


class SmallVocabulary:
    """One word and one contraction."""

    contractions = ("Isn't",)

    @staticmethod
    def spellings():
        return ["bright", "bright-eyed"]


def said(*phones):
    return tuple((phone.rstrip("1"), int(phone.endswith("1"))) for phone in phones)


REGULAR = {f"{first}lat": said(sound, "l", "ae1", "t") for first, sound in (("f", "f"), ("b", "b"), ("g", "g"))}


@pytest.mark.parametrize(("exceptions", "heard"), [(["p"], "ae"), (["p", "sp"], "ey")])
def test_a_long_context_counts_from_two_words_on(exceptions, heard):
    """One odd word makes no rule of four letters; two do."""
    odd = {f"{first}lat": said(*first, "l", "ey1", "t") for first in exceptions}
    rules = LetterRules(rules=learn_rules(REGULAR | odd), sha256="")
    assert rules.pronounce("plat") == said("p", "l", f"{heard}1", "t")
    assert rules.pronounce("flat") == said("f", "l", "ae1", "t")


def test_a_letter_that_stands_for_two_phones_is_learnt_as_both():
    """From three words, of which one begins and one ends with it."""
    words = {
        "xig": said("k", "s", "ih1", "g"), "dix": said("d", "ih1", "k", "s"),
        "siban": said("s", "ih1", "b", "ae1", "n"),
    }  # fmt: skip
    rules = learn_rules(words)
    assert {letter: rules[f"<{letter}>"] for letter in "xisbn"} == {
        "x": "k+s", "i": "ih1", "s": "s", "b": "b", "n": "n",
    }  # fmt: skip


def test_the_trainer_holds_out_one_word_in_twenty(called, tmp_path, monkeypatch, capsys):
    """It says how many of those it reads right, and writes the rules of all words."""
    known = {word: phones for word, phones in read_base().entries.items() if word.startswith("q")}
    base = Lexicon(entries=known | {"i'm": said("ay1", "m"), "a": said("ey1")}, sha256="")
    monkeypatch.setattr(letter_to_sound_trainer, "read_base", lambda: base)
    with pytest.raises(SystemExit) as ended:
        called(letter_to_sound_trainer.main, "--output", tmp_path / "rules.gz")
    assert not ended.value.code
    words = sorted(word for word in known if word.isalpha() and len(word) > 1)
    held_out = words[::20]
    seen = LetterRules(rules=learn_rules({word: known[word] for word in words if word not in held_out}), sha256="")
    right = sum([one for one, _ in seen.pronounce(word)] == [one for one, _ in known[word]] for word in held_out)
    rules = parse_rules(gzip.decompress((tmp_path / "rules.gz").read_bytes()).decode("ascii"))
    assert rules == learn_rules({word: known[word] for word in words})
    said_last = f"{len(rules)} rules; held-out words right: {right} of {len(held_out)}\n"
    assert capsys.readouterr().err.endswith(said_last)


def test_a_population_is_measured_on_evenly_spaced_clips_of_each_speaker(called, tmp_path, monkeypatch):
    """Mean and deviation over all of them, in the samples' own scale, with the corpus that they are of."""
    write_small_corpus(tmp_path / "corpus", utterances=18)
    monkeypatch.setattr(voice_population, "CLIPS_A_SPEAKER", 2)
    called(voice_population.main, "--corpus", tmp_path / "corpus", "--output", tmp_path / "voices.json")
    corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
    places = [0, 9, 1, 10, 2, 11]  # of three speakers in turn, six clips each: the first and the fourth
    pcm = [np.rint(corpus.samples(place).numpy() * 32_768).astype(np.int16) for place in places]
    voices = np.array([raw_voice([Frames(pcm=one)]) for one in pcm])
    found = json.loads((tmp_path / "voices.json").read_text(encoding="utf-8"))
    assert found.pop("mean") == pytest.approx(voices.mean(axis=0), abs=1e-9)
    assert found.pop("deviation") == pytest.approx(voices.std(axis=0), abs=1e-9)
    assert found == {
        "clips": 6, "corpus_root_sha256": "0" * 64, "speakers": 3,
        "vector": "mean of c1 to c23, then standard deviation of c1 to c23, over speech frames",
    }  # fmt: skip


def test_the_liveliness_of_an_utterance_is_the_deviation_of_its_voiced_pitch(tmp_path):
    """In octaves, over voiced frames alone; of an utterance without voice it is nothing."""
    write_small_corpus(tmp_path / "corpus", utterances=3)
    pitch = np.load(tmp_path / "corpus" / "prosody.npy")
    corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
    ends = np.cumsum([one.frame_count for one in corpus.utterances])
    pitch[:, :2] = 0.0
    pitch[:3, 0], pitch[:3, 1] = (1.0, 2.0, 6.0), 1.0
    pitch[ends[0] : ends[0] + 4, 0] = 7.0
    np.save(tmp_path / "corpus" / "prosody.npy", pitch)
    corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
    assert corpus.manner(0) == pytest.approx(np.std([1.0, 2.0, 6.0]))
    assert corpus.manner(1) == 0.0
