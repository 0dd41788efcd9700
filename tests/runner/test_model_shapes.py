"""Every part of the model: its shapes, and that padding does not leak into what it says."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from runner_corpus import SMALL_CONFIG

from reference_runner.model.config import ConfigError, StableTtsConfig
from reference_runner.model.duration_predictor import DurationPredictor
from reference_runner.model.features import FEATURE_SETTINGS, fundamental_hz, log_mel, prosody
from reference_runner.model.model import StableTts
from reference_runner.model.noise_schedule import NoiseSchedule
from reference_runner.model.prosody_encoder import ProsodyEncoder, ProsodyQuantizer
from reference_runner.model.prosody_language_model import ProsodyLanguageModel, ProsodyPrompt
from reference_runner.model.score_decoder import TIME_FREQUENCIES, ScoreDecoder
from reference_runner.model.style_adaptive_encoder import EncodedFrames, StyleAdaptiveEncoder
from reference_runner.model.text_encoder import TextEncoder
from reference_runner.model.timbre_encoder import TimbreEncoder
from reference_runner.model.vocoder import Vocoder
from reference_runner.numerics.native import NativeOps

OPS = NativeOps()
CONFIG = SMALL_CONFIG
HIDDEN, STYLE, MEL = CONFIG.hidden_channels, CONFIG.style_channels, FEATURE_SETTINGS.mel_bands
DURATIONS = torch.tensor([[3, 4, 5], [6, 2, 0]])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def ids(high: int, *shape: int) -> torch.Tensor:
    return torch.randint(high, shape)


def test_text_encoder():
    """(B, P) ids to (B, P, C); a padded item says what it says alone."""
    module = TextEncoder(CONFIG)
    columns = (ids(20, 2, 7), ids(2, 2, 7), ids(6, 2, 7))
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    y = module(OPS, *columns, mask)
    assert y.shape == (2, 7, HIDDEN)
    alone = module(OPS, *(column[1:, :4] for column in columns), mask[1:, :4])
    torch.testing.assert_close(y[1:, :4], alone, atol=1e-5, rtol=1e-5)


def test_timbre_encoder():
    """(B, L, M) to (B, S); frames after a clip's end do not count."""
    module = TimbreEncoder(CONFIG)
    mel = torch.randn(2, 9, MEL)
    mask = torch.tensor([[True] * 9, [True] * 5 + [False] * 4])
    y = module(OPS, mel, mask)
    assert y.shape == (2, STYLE)
    torch.testing.assert_close(y[1:], module(OPS, mel[1:, :5], mask[1:, :5]), atol=1e-5, rtol=1e-5)


def test_prosody_encoder():
    """(B, L, F) and durations (B, P) to latents (B, P, D) of unit size."""
    module = ProsodyEncoder(CONFIG)
    y = module(OPS, torch.randn(2, 12, CONFIG.prosody_mel_bands + 3), DURATIONS)
    assert y.shape == (2, 3, CONFIG.prosody_code_channels)
    assert y[0].std().item() == pytest.approx(1.0, abs=0.2)


def test_the_quantizer_finds_the_nearest_code():
    """Linear scores and the definition by distance agree."""
    module = ProsodyQuantizer(CONFIG)
    latents = torch.randn(2, 5, CONFIG.prosody_code_channels)
    codes, margins = module(OPS, latents)
    nearest = torch.cdist(latents, module.codebook[None]).argmin(-1)
    assert torch.equal(codes, nearest)
    assert margins.shape == (2, 5)
    assert module.embed(OPS, codes).shape == (2, 5, HIDDEN)


def test_an_unused_code_starts_again_at_a_latent():
    """A codebook does not collapse: what nobody chooses is moved to where latents are."""
    module = ProsodyQuantizer(CONFIG)
    latents = torch.randn(40, CONFIG.prosody_code_channels)
    draws = torch.Generator().manual_seed(1)
    for _ in range(60):
        module.update(latents, torch.zeros(40, dtype=torch.int64), draws)
    distance = torch.cdist(module.codebook[1:], latents).min(dim=1).values
    assert distance.max() < 1e-4


def test_language_model_steps_like_it_reads():
    """Decoding with cached keys gives the codes that the whole sequence at once would give."""
    module = ProsodyLanguageModel(CONFIG)
    text, prompt_text = torch.randn(1, 6, HIDDEN), torch.randn(1, 4, HIDDEN)
    prompt = ProsodyPrompt(text=prompt_text, codes=ids(CONFIG.prosody_codes, 1, 4))
    decoded = module.decode(OPS, text, prompt)
    assert decoded.codes.shape == decoded.margins.shape == (1, 6)
    begin, join = torch.tensor([[module.begin_token]]), torch.tensor([[module.join_token]])
    previous = torch.cat([begin, prompt.codes[:, :-1], join, decoded.codes[:, :-1]], 1)
    logits = module(OPS, torch.cat([prompt_text, text], 1), previous)
    assert logits.shape == (1, 10, CONFIG.prosody_codes)
    assert torch.equal(logits[:, 4:].argmax(-1), decoded.codes)


def test_the_language_model_does_not_see_the_future():
    """Changing a later phone leaves earlier logits alone."""
    module = ProsodyLanguageModel(CONFIG)
    text, previous = torch.randn(1, 6, HIDDEN), ids(CONFIG.prosody_codes, 1, 6)
    changed = text.clone()
    changed[:, 4] += 1.0
    torch.testing.assert_close(module(OPS, text, previous)[:, :4], module(OPS, changed, previous)[:, :4])


def test_duration_predictor():
    """(B, P, C) and (B, S) to log frames (B, P)."""
    assert DurationPredictor(CONFIG)(OPS, torch.randn(2, 3, HIDDEN), torch.randn(2, STYLE)).shape == (2, 3)


def test_style_adaptive_encoder():
    """(B, P, C), durations (B, P) and (B, S) to frames (B, L, ...), L the longest item."""
    frames = StyleAdaptiveEncoder(CONFIG)(OPS, torch.randn(2, 3, HIDDEN), DURATIONS, torch.randn(2, STYLE))
    assert frames.mean.shape == (2, 12, MEL)
    assert frames.hidden.shape == (2, 12, HIDDEN)


def test_score_decoder():
    """(B, L, M) to (B, L, M)."""
    frames = EncodedFrames(mean=torch.randn(2, 5, MEL), hidden=torch.randn(2, 5, HIDDEN))
    angles = torch.rand(2, len(TIME_FREQUENCIES))
    y = ScoreDecoder(CONFIG)(OPS, torch.randn(2, 5, MEL), frames, torch.randn(2, STYLE), angles)
    assert y.shape == (2, 5, MEL)


def test_vocoder():
    """(B, L, M) to (B, L * hop)."""
    assert Vocoder(CONFIG)(OPS, torch.randn(2, 6, MEL)).shape == (2, 6 * FEATURE_SETTINGS.hop_samples)


def test_the_synthesis_table_inverts_the_analysis():
    """True windowed spectra through the table and overlap-add give the waveform back."""
    vocoder = Vocoder(CONFIG)
    samples = torch.randn(FEATURE_SETTINGS.hop_samples * 20) * 0.1
    frames = torch.nn.functional.pad(samples, (384, 384)).unfold(0, 1024, 256)
    spectra = torch.fft.rfft(frames * torch.hann_window(1024))
    y = OPS.linear(torch.cat([spectra.real, spectra.imag], 1)[None] / 16, vocoder.table)
    y = OPS.overlap_add(y, 256)[0, 384:-384]
    torch.testing.assert_close(y[1024:-1024], samples[1024:-1024], atol=1e-5, rtol=0)


def test_whole_road_from_phones_to_samples():
    """plan, frames, refine and vocoder fit together, and no step leaves the mean."""
    model = StableTts(CONFIG)
    style = model.timbre_encoder(OPS, torch.randn(1, 8, MEL))
    text = model.text_encoder(OPS, ids(20, 1, 5), ids(2, 1, 5), ids(6, 1, 5))
    decoded = model.prosody_language_model.decode(OPS, text)
    plan = model.plan(OPS, text, decoded.codes, decoded.margins, style)
    frames = model.style_adaptive_encoder(OPS, plan.content, plan.durations, style)
    noise = torch.randn_like(frames.mean)
    assert torch.equal(model.refine(OPS, noise, frames, style, steps=0), frames.mean)
    mel = model.refine(OPS, noise, frames, style, steps=3)
    assert model.vocoder(OPS, mel).shape == (1, int(plan.durations.sum()) * FEATURE_SETTINGS.hop_samples)


def test_the_sampler_reaches_a_constant_estimate():
    """If the network always answers R, every number of steps ends at R."""
    schedule = NoiseSchedule(beta_start=0.05, beta_end=20.0, residual_deviation=0.3)
    for steps in (1, 4, 10):
        x, residual = 2.0, 0.7
        times = schedule.times(steps)
        for t, earlier in pairwise(times):
            from_x, from_estimate = schedule.step(t, earlier)
            x = from_x * x + from_estimate * residual
        assert x == pytest.approx(residual)


def test_what_the_network_is_fed_has_unit_variance():
    """Preconditioning by hand, at times near both ends: R = a r, X = a R + s N, and F answers for what is left of R."""
    schedule = NoiseSchedule(beta_start=0.05, beta_end=20.0, residual_deviation=0.3)
    for t in (0.02, 0.4, 1.0):
        signal = math.exp(-0.5 * (0.05 * t + 0.5 * 19.95 * t * t))
        noise = math.sqrt(1 - signal**2)
        assert (schedule.signal(t), schedule.noise(t)) == (pytest.approx(signal), pytest.approx(noise))
        variance = (0.3 * signal) ** 2 + noise**2
        found = schedule.balance(t)
        assert found.feed == pytest.approx(variance**-0.5)
        assert found.keep == pytest.approx(0.09 * signal / variance)
        # The variance of R that X does not tell: 0.3^2 - keep^2 * variance.
        assert found.answer == pytest.approx((0.09 - found.keep**2 * variance) ** 0.5)


def test_features_have_a_frame_a_hop():
    """Log-mel and prosody of S samples have ceil(S / hop) frames and lie on their grid."""
    waveform = np.sin(2 * np.pi * 150.0 * np.arange(8_000) / 16_000) * 0.3
    mel, manner = log_mel(waveform), prosody(waveform)
    assert mel.shape == (32, MEL)
    assert manner.shape == (32, 3)
    assert np.array_equal(mel * 1024, np.round(mel * 1024))
    assert np.median(fundamental_hz(waveform)[4:-4]) == pytest.approx(150.0, rel=0.01)


def test_config_returns_from_json():
    """A configuration survives its JSON; an unknown or missing field is named."""
    assert StableTtsConfig.from_json(CONFIG.to_json()) == CONFIG
    with pytest.raises(ConfigError, match=r"config\.surprise: not a field that this version knows"):
        StableTtsConfig.from_json('{"surprise": 1}')
    with pytest.raises(ConfigError, match=r"config\.beta_end: missing"):
        StableTtsConfig.from_json("{}")
    with pytest.raises(ConfigError, match=r"config\.text_blocks: got 0, expected a positive integer"):
        StableTtsConfig(text_blocks=0)


def test_the_released_size_fits():
    """Weights of the default configuration stay under 25 MB in float32."""
    model = StableTts(StableTtsConfig())
    assert sum(value.numel() for value in model.state_dict().values()) * 4 < 24_400_000
