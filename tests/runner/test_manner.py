"""What a prompt lends: its tempo on the way, and how much of its manner is measured in what follows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from runner_corpus import SMALL_CONFIG

from reference_runner.evaluation.manner_slope import SpokenManner, measure_slopes
from reference_runner.frontend.phones import Phone, PhoneSequence
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
