"""Noise for the timbre encoder is that of clips: as loud as it is said to be; the analysis is the model's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reference_runner.laboratory.training import disturbing
from reference_runner.laboratory.training.disturbing import DISTURBANCES, disturb, log_mel_on_device
from reference_runner.laboratory.training.resident import MARGIN
from reference_runner.model.features import log_mel

SIZE = 32 * 256


def speech(count=1):
    n = torch.arange(SIZE + 2 * MARGIN)
    pulses = sum(torch.sin(2 * torch.pi * 150 * k * n / 16_000) / k for k in range(1, 30))
    return 0.05 * pulses.repeat(count, 1) * (n % 4_000 < 3_000)


def disturbed(kind, decibels):
    """Return one stretch of speech disturbed in one way, and the speech."""

    class Drawn:
        def __init__(self):
            self._draws = np.random.Generator(np.random.Philox(key=5))

        def integers(self, _, size):
            return np.full(size, DISTURBANCES.index(kind))

        def uniform(self, low, high, size):
            levels = (disturbing._LOUDEST_DB, disturbing._QUIETEST_DB)
            return np.full(size, decibels) if (low, high) == levels else self._draws.uniform(low, high, size)

        def __getattr__(self, name):
            return getattr(self._draws, name)

    clean = speech(2)
    babble = (
        torch.randn(8, clean.shape[1], generator=torch.Generator().manual_seed(1))
        .cumsum(1)
        .diff(prepend=torch.zeros(8, 1))
    )
    return disturb(clean, babble, Drawn(), torch.Generator().manual_seed(2), 1.0), clean


def test_frames_on_the_device_are_those_of_the_model():
    """In float32, and off the grid of 2^-10."""
    waveform = speech()[0]
    own = log_mel(waveform[MARGIN:-MARGIN].double().numpy())
    found = log_mel_on_device(waveform[None])[0].numpy()
    np.testing.assert_allclose(found[4:-4], own[4:-4], atol=2e-2)


@pytest.mark.parametrize("kind", ["white", "pink", "hum", "babble"])
@pytest.mark.parametrize("decibels", [0.0, 20.0])
def test_noise_is_as_loud_as_drawn(kind, decibels):
    """The speech that is left in the mixture, found by projection, stands so far above the rest."""
    heard, clean = disturbed(kind, decibels)
    for mixed, own in zip(heard, clean, strict=True):
        scale = (mixed @ own) / (own @ own)
        rest = mixed - scale * own
        assert 20 * torch.log10((scale * own).norm() / rest.norm()) == pytest.approx(decibels, abs=1.0)
        assert mixed.norm() == pytest.approx(float(own.norm()), rel=1e-4)


def test_a_room_rings_after_the_speech_and_clipping_flattens_its_peaks():
    """Both at the level of before."""
    heard, clean = disturbed("room", 0.0)
    silent = clean[0].abs() < 1e-6
    assert heard[0][silent].abs().mean() > 0.005
    heard, clean = disturbed("clipped", 0.0)
    assert (heard[0].abs() > 0.999 * heard[0].abs().max()).sum() > 20
    assert heard[0].norm() == pytest.approx(float(clean[0].norm()), rel=1e-4)


def test_half_of_the_references_stay_clean():
    """Bit by bit, but for the level's rounding."""
    clean = speech(400)[:, :2_000]
    draws = np.random.Generator(np.random.Philox(key=3))
    heard = disturb(clean, torch.randn(1600, 2_000), draws, torch.Generator().manual_seed(2), 0.5)
    same = torch.isclose(heard, clean, rtol=1e-4, atol=1e-6).all(1).sum()
    assert 160 < same < 240
