"""What a prompt lends: its tempo on the way, and how much of its manner is measured in what follows it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from runner_corpus import SMALL_CONFIG, write_small_corpus

from reference_runner.evaluation import slope_report
from reference_runner.evaluation.corpus_reader import CorpusReader
from reference_runner.evaluation.manner_slope import SpokenManner, measure_slopes
from reference_runner.frontend.phones import Phone, PhoneSequence
from reference_runner.model.checkpoint import load_checkpoint
from reference_runner.model.model import StableTts
from reference_runner.model.prompt_tempo import GREATEST_TEMPO, prompt_tempo
from reference_runner.model.prosody_language_model import ProsodyPrompt
from reference_runner.numerics.exact import ExactOps
from reference_runner.numerics.integers import host
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.weights import QuantisedWeights

PHONES = PhoneSequence(phones=tuple(Phone(name=name) for name in ("pau", "hh", "ax", "l", "ow", "pau")))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return StableTts(SMALL_CONFIG).eval().requires_grad_(requires_grad=False)


def prompt_of(model, ops):
    ids = (PHONES.phone_ids(), PHONES.stress_ids(), PHONES.break_ids())
    text = model.text_encoder(ops, *(ops.integers(np.array([column])) for column in ids))
    return ProsodyPrompt(text=text, codes=ops.integers(np.array([[0, 1, 2, 3, 4, 5]])))


def tempo_of(model, ops, factor):
    """Return the tempo of a prompt whose spoken phones last `factor` times what the model expects of its codes."""
    prompt, style = prompt_of(model, ops), ops.activation(np.zeros((1, SMALL_CONFIG.style_channels)))
    planned, _ = model.durations(ops, model.content(ops, prompt.text, prompt.codes), style)
    frames = host(planned).astype(np.int64) * factor
    frames[:, [0, -1]] = 99  # pauses do not count
    tempo = prompt_tempo(model, ops, prompt, PHONES, ops.integers(frames), style)
    slower, _ = model.durations(ops, model.content(ops, prompt.text, prompt.codes), style, tempo=tempo)
    return tempo, host(slower).sum() / host(planned).sum()


def test_a_prompt_of_the_expected_tempo_changes_nothing(model):
    """The logarithm is exactly zero."""
    assert tempo_of(model, NativeOps(), 1) == (0.0, 1.0)


def test_a_slow_prompt_slows_what_follows_within_a_limit(model):
    """Twice as slow is more than the limit; both profiles find the same tempo."""
    native, stretched = tempo_of(model, NativeOps(), 2)
    assert native == GREATEST_TEMPO
    assert stretched == pytest.approx(np.exp(GREATEST_TEMPO), rel=0.1)
    exact, _ = tempo_of(model, ExactOps(QuantisedWeights(model)), 2)
    assert exact == native


def manner(rate, spread, level):
    return SpokenManner(rate_phones_per_s=rate, pitch_spread_semitones=spread, level_db=level)


def test_slopes_are_ratios_of_changes():
    """All of a doubled rate, half of a widened contour, nothing of a level; what differs between groups is not seen."""
    groups = [
        [
            (manner(10.0, 1.0, -20.0), manner(own * 6.0, 2.0, -23.0)),
            (manner(20.0, 4.0, -10.0), manner(own * 12.0, 4.0, -23.0)),
        ]
        for own in (1.0, 1.3, 0.8)
    ]
    found = measure_slopes(groups)
    slopes = {figure: round(interval.mean, 9) for figure, interval in found.items()}
    assert slopes == {"rate_phones_per_s": 1.0, "pitch_spread_semitones": 0.5, "level_db": 0.0}
    assert found["rate_phones_per_s"].low == pytest.approx(1.0)


def test_equal_prompts_have_no_slope():
    """There is no change to divide by; a hundredth of a decibel is none."""
    pairs = [(manner(10.0, 1.0, -20.0 + change), manner(9.0, 1.1, -21.0 + 50 * change)) for change in (0.0, 0.01)]
    assert measure_slopes([pairs]) == dict.fromkeys(("rate_phones_per_s", "pitch_spread_semitones", "level_db"))


def test_the_slope_of_a_checkpoint_is_measured_with_its_interval(tmp_path, small_checkpoint_path, monkeypatch):
    """From prompts of blocks held out; a corpus with too few of them is refused in a sentence."""
    write_small_corpus(tmp_path / "manners", block_size=4)
    index = json.loads((tmp_path / "manners" / "index.json").read_text())
    index["items"] = [item | {"split": "test_manner"} for item in index["items"]]
    (tmp_path / "manners" / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(slope_report, "_LEAST_PHONES", 5)
    # Noise bursts and a model of chance have no pitch: it is given one that rises with the length.
    monkeypatch.setattr(slope_report, "fundamental_hz", lambda wave: np.linspace(100, 100 + len(wave) / 500, 50))
    checkpoint = load_checkpoint(small_checkpoint_path)
    corpus = CorpusReader(tmp_path / "manners", checkpoint.config)
    found = slope_report.slopes_of(checkpoint, corpus, prompts=4, sentences=["Oh, no."])
    assert set(found) == {"rate_phones_per_s", "pitch_spread_semitones", "level_db"}
    assert found["rate_phones_per_s"]["low"] <= found["rate_phones_per_s"]["mean"] <= found["rate_phones_per_s"]["high"]
    with pytest.raises(ValueError, match="6 blocks of test_manner have a sentence to prompt with, expected 9"):
        slope_report.slopes_of(checkpoint, corpus, prompts=9)


def test_the_manner_of_a_wave_is_its_phones_its_pitch_and_its_level():
    """Eight phones in 0.512 s beside pauses; a glide over an octave spreads by a third of it; a tenth of full scale."""
    n = np.arange(16_384)
    sweep = 120 * 2 ** (n / len(n))
    wave = 0.1 * 2**0.5 * np.sin(2 * np.pi * np.cumsum(sweep) / 16_000)
    found = slope_report.manner_of(wave, [16, *[4] * 8, 16], ["pau", *["ax"] * 8, "pau"])
    assert found.rate_phones_per_s == pytest.approx(8 / 0.512)
    assert found.pitch_spread_semitones == pytest.approx(12 * 0.68 / 2, abs=0.2)
    assert found.level_db == pytest.approx(-20, abs=0.05)
    with pytest.raises(ValueError, match="no pitch is heard in the speech"):
        slope_report.manner_of(np.zeros(16_384), [16, *[4] * 8, 16], ["pau", *["ax"] * 8, "pau"])
