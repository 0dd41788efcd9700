"""Honest noise for the timbre encoder: disturbed as clips are, in the waveform, and analysed on the device.

White, pink, hum and babble at 0 to 40 dB below the speech, a room's tail, and clipping. Log-mels of the disturbed
waveform have the tilt and the level that noise has; noise drawn on a log-mel has neither.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from reference_runner.model.features import FEATURE_SETTINGS, mel_filters

__all__ = ["DISTURBANCES", "disturb", "log_mel_on_device", "through_channels"]

DISTURBANCES = ("white", "pink", "hum", "babble", "room", "clipped")
_QUIETEST_DB, _LOUDEST_DB = 40.0, 0.0
_BABBLERS = 4
_HUM_HARMONICS = 12
_TAIL_S = 0.5
_TILT_DB = 4.0
_CUT_SHARE = 0.3
_CHANNEL_FLOOR_DB = -60.0


@cache
def _analysis(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    filters = torch.tensor(mel_filters().T, dtype=torch.float32).to(device)
    return torch.hann_window(FEATURE_SETTINGS.window_samples).to(device), filters


def log_mel_on_device(waveform: torch.Tensor) -> torch.Tensor:
    """Waveforms (B, margin + L * hop + margin) to natural log-mel frames (B, L, M), in float32 and off the grid."""
    window, filters = _analysis(waveform.device)
    frames = waveform.unfold(-1, FEATURE_SETTINGS.window_samples, FEATURE_SETTINGS.hop_samples)
    mel: torch.Tensor = torch.fft.rfft(frames * window).abs() @ filters
    return mel.clamp(min=FEATURE_SETTINGS.mel_floor).log()


def disturb(
    waveform: torch.Tensor, others: torch.Tensor, draws: np.random.Generator, generator: torch.Generator, share: float
) -> torch.Tensor:
    """Return waveforms (B, S) of which about a share is disturbed, each in one way, all at the level they had.

    `others` (B * 4, S) is speech that babble is made of. What happens to which is drawn on the host, noise by the
    generator on the device.
    """
    batch = len(waveform)
    kinds = draws.integers(len(DISTURBANCES), size=batch)
    kinds[draws.random(batch) >= share] = -1
    decibels = draws.uniform(_LOUDEST_DB, _QUIETEST_DB, batch)
    level = _rms(waveform)
    ratio = _sent(10 ** (-decibels / 20), waveform)
    noises = _noises(waveform, others, draws, generator)
    peaks = _sent(np.exp(draws.uniform(np.log(0.05), np.log(0.6), batch)), waveform)
    added = [_added(waveform, noise, ratio) for noise in noises]
    candidates = [waveform, *added, _in_a_room(waveform, draws, generator), _clipped(waveform, peaks)]
    chosen = torch.stack(candidates, 1)[torch.arange(batch, device=waveform.device), _whole(kinds + 1, waveform)]
    return chosen * (level / _rms(chosen))


def through_channels(waveform: torch.Tensor, draws: np.random.Generator) -> torch.Tensor:
    """Return waveforms (B, S), each as another microphone hears it, at the level it had.

    Gains at four to ten places of the mel scale, whose deviation is drawn too; about one in three loses its lows,
    and one in three its highs, as on a telephone.
    """
    batch, size = waveform.shape
    hz = np.fft.rfftfreq(size, 1.0 / FEATURE_SETTINGS.sample_rate_hz)
    gains_db = np.stack([_channel_db(hz, draws) for _ in range(batch)])
    gains = torch.from_numpy(10 ** (gains_db / 20)).to(waveform)
    heard: torch.Tensor = torch.fft.irfft(torch.fft.rfft(waveform) * gains, size)
    return heard * (_rms(waveform) / _rms(heard))


def _channel_db(hz: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    mel = 2595 * np.log10(1 + hz / 700)
    places = int(draws.integers(4, 11))
    gains = draws.normal(0.0, _TILT_DB * draws.random(), places)
    found: np.ndarray = np.interp(mel, np.linspace(0, mel[-1], places), gains)
    if draws.random() < _CUT_SHARE:
        found = found - 12 * np.maximum(0, np.log2(draws.uniform(50, 350) / np.maximum(hz, 10)))
    if draws.random() < _CUT_SHARE:
        found = found - 30 * np.maximum(0, np.log2(np.maximum(hz, 10) / draws.uniform(3000, 8000)))
    limited: np.ndarray = np.maximum(found, _CHANNEL_FLOOR_DB)
    return limited


def _noises(
    waveform: torch.Tensor, others: torch.Tensor, draws: np.random.Generator, generator: torch.Generator
) -> tuple[torch.Tensor, ...]:
    """Return white noise, pink noise, hum and babble (B, S), of any level."""
    batch, size = waveform.shape
    device = waveform.device
    white = torch.randn(batch, size, generator=generator, device=device)
    frequency = torch.fft.rfftfreq(size, 1.0 / FEATURE_SETTINGS.sample_rate_hz, device=device)
    pink = torch.fft.irfft(torch.fft.rfft(white) / frequency.clamp(min=20.0).sqrt(), size)
    mains = _sent(draws.choice([50.0, 60.0], batch), waveform)[:, :, None]
    order = torch.arange(1, _HUM_HARMONICS + 1, device=device, dtype=torch.float32)[None, :, None]
    phases = _sent(draws.uniform(0, 2 * np.pi, (batch, _HUM_HARMONICS)), waveform)
    seconds = torch.arange(size, device=device)[None, None, :] / FEATURE_SETTINGS.sample_rate_hz
    hum = (torch.sin(2 * torch.pi * mains * order * seconds + phases) / order).sum(1)
    return white, pink, hum, others.reshape(batch, _BABBLERS, size).sum(1)


def _added(speech: torch.Tensor, noise: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    return speech + noise * (ratio * _rms(speech) / _rms(noise))


def _in_a_room(speech: torch.Tensor, draws: np.random.Generator, generator: torch.Generator) -> torch.Tensor:
    """Return speech with a tail of noise that falls by 60 dB in 0.15 to 0.8 s, 12 dB to 0 dB below the direct sound."""
    batch, size = speech.shape
    taps = int(_TAIL_S * FEATURE_SETTINGS.sample_rate_hz)
    falls_s = _sent(draws.uniform(0.15, 0.8, batch), speech)
    seconds = torch.arange(taps, device=speech.device)[None, :] / FEATURE_SETTINGS.sample_rate_hz
    tail = torch.randn(batch, taps, generator=generator, device=speech.device) * torch.exp(-6.9 * seconds / falls_s)
    tail = tail / tail.norm(dim=1, keepdim=True) * _sent(10 ** (-draws.uniform(0, 12, batch) / 20), speech)
    length = 1 << (size + taps - 1).bit_length()
    wet: torch.Tensor = torch.fft.irfft(torch.fft.rfft(speech, length) * torch.fft.rfft(tail, length), length)[:, :size]
    return speech + wet


def _clipped(speech: torch.Tensor, share_of_peak: torch.Tensor) -> torch.Tensor:
    limit = share_of_peak * speech.abs().amax(1, keepdim=True)
    return torch.minimum(torch.maximum(speech, -limit), limit)


def _rms(x: torch.Tensor) -> torch.Tensor:
    return (x**2).mean(1, keepdim=True).clamp(min=1e-10).sqrt()


def _sent(values: np.ndarray, beside: torch.Tensor) -> torch.Tensor:
    """Return numbers of the host (B,) or (B, N) as (B, 1) or (B, N, 1) beside a tensor."""
    return torch.from_numpy(values.astype(np.float32)).to(beside.device, non_blocking=True)[..., None]


def _whole(values: np.ndarray, beside: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.int64)).to(beside.device, non_blocking=True)
