"""Discriminators of the vocoder, which exist while it is trained: multi-period and multi-resolution, both small.

Each judges a waveform (B, S) and hands out the features on its way; losses are of least squares.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PERIOD_CHANNELS", "Discriminators", "Judgement", "feature_distance", "fooling_loss", "telling_loss"]

Judgement = list[list[torch.Tensor]]
"""Of each discriminator its features, the last of them its verdicts: 1 true, 0 made."""

PERIOD_CHANNELS = (16, 64, 128, 256)
_PERIODS = (2, 3, 5, 7, 11)
"""Samples."""
_RESOLUTIONS = ((1024, 256), (512, 128), (256, 64))
"""(window, hop) in samples."""
_SLOPE = 0.1


class _NormedConvolution(nn.Module):
    """A two-dimensional convolution whose filters have a learned length and a direction."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(outputs, inputs, *kernel))
        self.length = nn.Parameter(torch.ones(outputs, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.stride = stride
        self.padding = (kernel[0] // 2, kernel[1] // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, I, H, W) to (B, O, H', W')."""
        norm = (self.direction**2).sum((1, 2, 3), keepdim=True).clamp(min=1e-12).sqrt()
        weight = self.direction * (self.length / norm)
        return functional.conv2d(x, weight, self.bias, stride=self.stride, padding=self.padding)


def _judge(x: torch.Tensor, layers: nn.ModuleList) -> list[torch.Tensor]:
    features = []
    for layer in layers[:-1]:
        x = functional.leaky_relu(layer(x), _SLOPE)
        features.append(x)
    return [*features, layers[-1](x)]


class _PeriodDiscriminator(nn.Module):
    """Sees every n-th sample in a row: harmonics that lose their phase give speech away."""

    def __init__(self, period: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.period = period
        sizes = [1, *channels]
        strided = [_NormedConvolution(a, b, (5, 1), (3, 1)) for a, b in pairwise(sizes)]
        self.layers = nn.ModuleList([*strided, _NormedConvolution(sizes[-1], 1, (3, 1))])

    def forward(self, waveform: torch.Tensor) -> list[torch.Tensor]:
        """(B, S) to features."""
        rows = waveform.shape[1] // self.period
        return _judge(waveform[:, : rows * self.period].reshape(len(waveform), 1, rows, self.period), self.layers)


class _ResolutionDiscriminator(nn.Module):
    """Sees log magnitudes of one resolution: flat bands where harmonics should be give speech away."""

    shape: torch.Tensor

    def __init__(self, window: int, hop: int, channels: int) -> None:
        super().__init__()
        self.window, self.hop = window, hop
        self.register_buffer("shape", torch.hann_window(window), persistent=False)
        widened = [_NormedConvolution(channels, channels, (9, 3), (2, 1)) for _ in range(3)]
        layers = [_NormedConvolution(1, channels, (9, 3)), *widened, _NormedConvolution(channels, 1, (3, 3))]
        self.layers = nn.ModuleList(layers)

    def forward(self, waveform: torch.Tensor) -> list[torch.Tensor]:
        """(B, S) to features."""
        spectrum = torch.fft.rfft(waveform.unfold(-1, self.window, self.hop) * self.shape)
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-7)
        return _judge(magnitude.log().transpose(1, 2)[:, None], self.layers)


class Discriminators(nn.Module):
    """All of them."""

    def __init__(self, *, period_channels: Sequence[int] = PERIOD_CHANNELS, resolution_channels: int = 32) -> None:
        super().__init__()
        by_period = [_PeriodDiscriminator(period, period_channels) for period in _PERIODS]
        by_resolution = [_ResolutionDiscriminator(*each, resolution_channels) for each in _RESOLUTIONS]
        self.each = nn.ModuleList([*by_period, *by_resolution])

    def forward(self, waveform: torch.Tensor) -> Judgement:
        """(B, S) to what each makes of it."""
        return [discriminator(waveform) for discriminator in self.each]


def telling_loss(true: Judgement, made: Judgement) -> torch.Tensor:
    """Return the discriminators' loss: what is true is to be 1, what is made 0; the mean over them."""
    losses = [((real[-1] - 1) ** 2).mean() + (fake[-1] ** 2).mean() for real, fake in zip(true, made, strict=True)]
    return torch.stack(losses).mean()


def fooling_loss(made: Judgement) -> torch.Tensor:
    """Return the vocoder's loss: what is made is to be taken for true."""
    return torch.stack([((fake[-1] - 1) ** 2).mean() for fake in made]).mean()


def feature_distance(true: Judgement, made: Judgement) -> torch.Tensor:
    """Return how far the features are apart, relative to those of what is true: the mean over layers and all."""
    return torch.stack(
        [
            (a.detach() - b).abs().mean() / a.detach().abs().mean().clamp(min=1e-5)
            for real, fake in zip(true, made, strict=True)
            for a, b in zip(real[:-1], fake[:-1], strict=True)
        ]
    ).mean()
