"""The measures: word errors by hand, an interval that holds what it should, a report with every number in it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from runner_corpus import SMALL_CONFIG, write_small_corpus

from reference_runner.evaluation import prosody_spread
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.prosody_spread import measure_spread
from reference_runner.evaluation.report import to_markdown
from reference_runner.evaluation.word_errors import SentenceErrors, count_errors, paired_bootstrap, word_error_rate


def test_word_errors_by_hand():
    """A substitution, a deletion and an insertion count one each; case and punctuation count nothing."""
    assert count_errors("The cat sat.", "the cat sat") == SentenceErrors(errors=0, words=3)
    assert count_errors("the cat sat", "the bat sat down") == SentenceErrors(errors=2, words=3)
    assert count_errors("the cat sat", "") == SentenceErrors(errors=3, words=3)
    assert word_error_rate([SentenceErrors(errors=1, words=4), SentenceErrors(errors=2, words=2)]) == 0.5


def test_the_bootstrap_is_paired():
    """Two systems that err alike differ by nothing, however much they err; a worse one is surely worse."""
    same = [SentenceErrors(errors=number % 4, words=8) for number in range(40)]
    equal = paired_bootstrap(same, same)
    assert (equal.mean, equal.low, equal.high) == (0.0, 0.0, 0.0)
    worse = [SentenceErrors(errors=one.errors + 2, words=8) for one in same]
    difference = paired_bootstrap(worse, same)
    assert difference.low == difference.high == difference.mean == 0.25


def test_the_report_shows_every_row():
    """Every word error, gate, spread and sentence of the dictionary has its line."""
    report = {
        "weights_sha256": "c" * 64, "corpus_root_sha256": "d" * 64, "recognizer": "someone", "diffusion_steps": 4,
        "temperature": 1.5,
        "word_errors": [
            {"speaker": "slt", "set": "grammar", "sentences": 3, "system": "source", "wer": 0.25},
            {
                "speaker": "slt", "set": "grammar", "sentences": 3, "system": "model", "wer": 0.5,
                "minus_source": {"difference": 0.25, "low": 0.1, "high": 0.4},
            },
        ],
        "gates": [{"name": "a gate", "limit": 0.1, "measured": 0.25, "holds": False}],
        "session_spread": {
            "prior": {"median_pitch_semitones": 0.1, "pitch_spread_semitones": 0.2, "rate_phones_per_s": 0.3}
        },
        "heard": [{"speaker": "slt", "said": "hello", "heard": "yellow"}],
    }  # fmt: skip
    text = to_markdown(report)
    assert "| slt | grammar | 3 | model | 0.500 | +0.250 | +0.100 to +0.400 |" in text
    assert "| a gate | 0.10 | +0.250 | no |" in text
    assert "| prior | 0.10 | 0.20 | 0.30 |" in text
    assert "| slt | hello | yellow |" in text


def test_sessions_spread_as_far_as_what_is_spoken_in_them(tmp_path, monkeypatch):
    """Clips far apart in manner, each with its own seed; deviations over sessions by hand, under each condition."""
    write_small_corpus(tmp_path / "corpus", utterances=15)
    corpus = CorpusReader(tmp_path / "corpus", SMALL_CONFIG)
    model = SimpleNamespace(prosody_quantizer=SimpleNamespace(usage=torch.tensor([1.0, 3.0])))
    lively = {place: float(place * 3 % 5) for place in range(0, 15, 3)}  # those of slt-100, by it: 0, 12, 9, 6, 3
    monkeypatch.setattr(CorpusReader, "manner", lambda _, place: lively[place])
    monkeypatch.setattr(prosody_spread, "prior_of", lambda _, __, place: place)
    spoken = []

    class Voice:
        def __init__(self, _, mels, prompt):
            self.place = next(place for place in lively if torch.equal(corpus.mel(place), mels[0]))
            self.prompt = prompt

        def speak(self, sentence, *, steps, seed, codes):
            kind = "codes" if codes is not None else self.prompt
            spoken.append((self.place, kind, len(sentence), steps, seed))
            assert codes is None or (codes.shape == (1, len(sentence)) and set(codes[0].tolist()) <= {0, 1})
            pitch_hz, seconds = 100.0 * 2 ** (seed / 12 if kind == self.place else 0), 1.0 + (kind == "codes") * seed
            time = np.arange(round(seconds * 16_000)) / 16_000
            return SimpleNamespace(waveform=0.3 * np.sin(2 * np.pi * pitch_hz * time))

    monkeypatch.setattr(prosody_spread, "EvaluationVoice", Voice)
    found = measure_spread(model, corpus, "prior", ["abcde", "ab"], speaker="slt-100", sessions=3, steps=4)
    assert [one for one in spoken if one[2] == 5] == [
        (place, kind if kind != "self" else place, 5, 4, seed)
        for kind in ("prior", "self", "codes")
        for seed, place in enumerate((0, 9, 3))
    ]
    steady, own, drawn = (found[name] for name in ("prior prompt", "self prompt", "no language model"))
    assert steady.to_dict() == pytest.approx(dict.fromkeys(steady.to_dict(), 0.0), abs=0.01)
    assert own.median_pitch_semitones == pytest.approx(np.std([0, 1, 2]), abs=0.05)
    assert own.rate_phones_per_s == pytest.approx(0.0)
    rates = [np.std([count / seconds for seconds in (1.0, 2.0, 3.0)]) for count in (5, 2)]
    assert drawn.rate_phones_per_s == pytest.approx(np.mean(rates), rel=1e-3)
