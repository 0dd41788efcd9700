"""Log-mel frames to samples: the published Vocos vocoder, ConvNeXt blocks and an inverse short-time transform.

Attributes have the names of the published tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from reference_runner.foreign.kdaip.mel import HOP_SAMPLES, WINDOW_SAMPLES

__all__ = ["Vocos", "VocosSizes", "overlap_add"]

KERNEL = 7
GREATEST_MAGNITUDE = 100.0
_EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class VocosSizes:
    """What the shapes of a checkpoint's tensors say; the defaults are the published ones."""

    mel_bands: int = 128
    hidden: int = 512
    inner: int = 1536
    blocks: int = 8


class ConvNextBlock(nn.Module):
    """A convolution a channel, then a small network a frame, scaled, beside a residual."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(sizes.hidden, sizes.hidden, KERNEL, padding=KERNEL // 2, groups=sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden, eps=_EPSILON)
        self.pwconv1, self.pwconv2 = nn.Linear(sizes.hidden, sizes.inner), nn.Linear(sizes.inner, sizes.hidden)
        self.gamma = nn.Parameter(torch.full((sizes.hidden,), 1 / sizes.blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C, T)."""
        y = self.norm(self.dwconv(x).transpose(1, 2))
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        out: torch.Tensor = x + y.transpose(1, 2)
        return out


class Backbone(nn.Module):
    """The blocks between two norms."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.embed = nn.Conv1d(sizes.mel_bands, sizes.hidden, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(sizes.hidden, eps=_EPSILON)
        self.convnext = nn.ModuleList([ConvNextBlock(sizes) for _ in range(sizes.blocks)])
        self.final_layer_norm = nn.LayerNorm(sizes.hidden, eps=_EPSILON)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """(B, M, T) to (B, T, C)."""
        x = self.norm(self.embed(mel).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        out: torch.Tensor = self.final_layer_norm(x.transpose(1, 2))
        return out


class InverseTransform(nn.Module):
    """Holds the window under its published name."""

    window: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES))


class Head(nn.Module):
    """A magnitude and a phase for every bin, then the inverse transform."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.out = nn.Linear(sizes.hidden, WINDOW_SAMPLES + 2)
        self.istft = InverseTransform()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, C) to (B, T * hop)."""
        magnitude, phase = self.out(x).chunk(2, dim=2)
        magnitude = magnitude.exp().clamp(max=GREATEST_MAGNITUDE)
        spectrum = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
        window = self.istft.window
        frames = torch.fft.irfft(spectrum, WINDOW_SAMPLES, dim=2) * window
        weight = overlap_add(window.square().expand(1, x.shape[1], -1))
        return overlap_add(frames) / weight


class Vocos(nn.Module):
    """The whole vocoder."""

    def __init__(self, sizes: VocosSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.backbone, self.head = Backbone(sizes), Head(sizes)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel (B, M, T) to samples (B, T * hop)."""
        out: torch.Tensor = self.head(self.backbone(mel))
        return out


def overlap_add(frames: torch.Tensor) -> torch.Tensor:
    """(B, T, W) to (B, T * hop): frames a hop apart are added up; what hangs over at both ends is cut.

    A fixed number of sums of whole blocks: no scatter, whose order a GPU would choose.
    """
    batch, count, window = frames.shape
    blocks = frames.reshape(batch, count, window // HOP_SAMPLES, HOP_SAMPLES)
    total = frames.new_zeros(batch, count + blocks.shape[2] - 1, HOP_SAMPLES)
    for place in range(blocks.shape[2]):
        total[:, place : place + count] += blocks[:, :, place]
    margin = (window - HOP_SAMPLES) // 2
    return total.flatten(1)[:, margin : margin + count * HOP_SAMPLES]
