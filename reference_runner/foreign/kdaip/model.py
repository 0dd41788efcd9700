"""Symbols to log-mel frames: text encoder, style encoder, duration predictor and flow-matching decoder.

Attributes have the names of the published tensors, so that a state dict loads as it is. Every item of a batch has the
same length: nothing is masked. Shapes are (B, C, T) unless they are said to be others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEADS", "AcousticModel", "AcousticSizes", "Guidance"]

HEADS = 4
"""Of every attention between symbols or frames; the tensors' shapes do not show it."""
STYLE_HEADS = 2
STYLE_KERNEL = 5
ROTARY_BASE = 10_000.0
TIME_SCALE = 1_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AcousticSizes:
    """What the shapes of a checkpoint's tensors say; the defaults are the published ones."""

    symbols: int = 401
    mel_bands: int = 128
    hidden: int = 256
    filters: int = 1024
    encoder_blocks: int = 3
    decoder_blocks: int = 6
    kernel: int = 3
    style_hidden: int = 128
    style: int = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Guidance:
    """How far the answer is pushed from the one without speaker and content; 1 asks no second answer."""

    strength: float

    @property
    def passes(self) -> int:
        """Evaluations of the network for one of the field."""
        return 1 if self.strength == 1.0 else 2


class RotaryAttention(nn.Module):
    """Attention whose queries and keys are turned by their place, in the first half of each head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (nn.Conv1d(channels, channels, 1) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C, T)."""
        turned = x.shape[1] // HEADS // 2
        place = torch.arange(x.shape[2], device=x.device, dtype=torch.float32)
        rate = ROTARY_BASE ** (-torch.arange(0, turned, 2, device=x.device, dtype=torch.float32) / turned)
        angle = (place[:, None] * rate).repeat(1, 2)
        cosine, sine = angle.cos(), angle.sin()

        def by_head(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(y.shape[0], HEADS, -1, y.shape[2]).transpose(2, 3)

        def turn(y: torch.Tensor) -> torch.Tensor:
            front, rest = y[..., :turned], y[..., turned:]
            low, high = front.chunk(2, dim=-1)
            return torch.cat((front * cosine + torch.cat((-high, low), -1) * sine, rest), -1)

        heard = functional.scaled_dot_product_attention(
            turn(by_head(self.conv_q(x))), turn(by_head(self.conv_k(x))), by_head(self.conv_v(x))
        )
        out: torch.Tensor = self.conv_o(heard.transpose(2, 3).flatten(1, 2))
        return out


class FeedForward(nn.Module):
    """Two convolutions and a SiLU."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(sizes.hidden, sizes.filters, sizes.kernel, padding=sizes.kernel // 2)
        self.conv_2 = nn.Conv1d(sizes.filters, sizes.hidden, sizes.kernel, padding=sizes.kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C, T)."""
        out: torch.Tensor = self.conv_2(functional.silu(self.conv_1(x)))
        return out


class ConditionedBlock(nn.Module):
    """A DiT block: attention and convolutions, each shifted, scaled and gated by the style."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.attn, self.mlp = RotaryAttention(sizes.hidden), FeedForward(sizes)
        same = sizes.style == sizes.hidden
        self.adaLN_modulation = nn.Sequential(
            nn.Identity() if same else nn.Linear(sizes.style, sizes.hidden),
            nn.SiLU(),
            nn.Linear(sizes.hidden, 6 * sizes.hidden),
        )

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, C, T) and (B, S) to (B, C, T)."""
        shift, scale, gate, shift_2, scale_2, gate_2 = self.adaLN_modulation(style).unsqueeze(2).chunk(6, dim=1)
        x = x + gate * self.attn(_normalised(x) * (1 + scale) + shift)
        out: torch.Tensor = x + gate_2 * self.mlp(_normalised(x) * (1 + scale_2) + shift_2)
        return out


class TextEncoder(nn.Module):
    """Symbols to hidden vectors, and to the mean of the mel."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.emb = nn.Embedding(sizes.symbols, sizes.hidden)
        self.encoder = nn.ModuleList([ConditionedBlock(sizes) for _ in range(sizes.encoder_blocks)])
        self.proj = nn.Conv1d(sizes.hidden, sizes.mel_bands, 1)

    def forward(self, symbols: torch.Tensor, style: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L) to (B, C, L) and (B, M, L)."""
        x = self.emb(symbols).transpose(1, 2) * math.sqrt(self.emb.embedding_dim)
        for block in self.encoder:
            x = block(x, style)
        return x, self.proj(x)


class GatedConvolution(nn.Module):
    """A convolution half of which gates the other, beside a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, 2 * channels, STYLE_KERNEL, padding=STYLE_KERNEL // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C, T)."""
        return x + functional.glu(self.conv1(x), dim=1)


class StyleEncoder(nn.Module):
    """A reference's mel to one vector."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        hidden = sizes.style_hidden
        # Places 2 and 5 are dropouts, which speak in training alone; they keep the numbers of the tensors.
        self.spectral = nn.Sequential(
            *(nn.Linear(sizes.mel_bands, hidden), nn.Mish(), nn.Identity()),
            *(nn.Linear(hidden, hidden), nn.Mish(), nn.Identity()),
        )
        self.temporal = nn.Sequential(GatedConvolution(hidden), GatedConvolution(hidden))
        self.slf_attn = nn.MultiheadAttention(hidden, STYLE_HEADS, batch_first=True)
        self.fc = nn.Linear(hidden, sizes.style)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """(B, M, T) to (B, S)."""
        x = self.spectral(mel.transpose(1, 2))
        x = self.temporal(x.transpose(1, 2)).transpose(1, 2)
        heard, _ = self.slf_attn(x, x, x, need_weights=False)
        out: torch.Tensor = self.fc(heard).mean(1)
        return out


class DurationPredictor(nn.Module):
    """Hidden vectors to the logarithm of frames a symbol."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        kernel = sizes.kernel
        self.conv1 = nn.Conv1d(sizes.hidden, sizes.filters, kernel, padding=kernel // 2)
        self.norm1 = nn.LayerNorm(sizes.filters)
        self.conv2 = nn.Conv1d(sizes.filters, sizes.filters, kernel, padding=kernel // 2)
        self.norm2 = nn.LayerNorm(sizes.filters)
        self.proj = nn.Conv1d(sizes.filters, 1, 1)
        self.cond = nn.Conv1d(sizes.style, sizes.hidden, 1)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B, C, L) and (B, S) to (B, L)."""
        x = x + self.cond(style.unsqueeze(2))
        x = self.norm1(self.conv1(x).relu().transpose(1, 2)).transpose(1, 2)
        x = self.norm2(self.conv2(x).relu().transpose(1, 2)).transpose(1, 2)
        out: torch.Tensor = self.proj(x).squeeze(1)
        return out


class TimeScaling(nn.Module):
    """Scale and shift by the time of the flow (FiLM)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.film = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """(B, C, T) and (B, C) to (B, C, T)."""
        scale, shift = self.film(time.unsqueeze(2)).chunk(2, dim=1)
        out: torch.Tensor = scale * x + shift
        return out


class TimedBlock(nn.Module):
    """The time of the flow, then a conditioned block."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.time_fusion, self.block = TimeScaling(sizes.hidden), ConditionedBlock(sizes)

    def forward(self, x: torch.Tensor, style: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C, T)."""
        out: torch.Tensor = self.block(self.time_fusion(x, time), style)
        return out


class TimeEmbedding(nn.Module):
    """A moment of the flow as sines and cosines, through a small network."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Linear(sizes.hidden, sizes.filters), nn.SiLU(), nn.Linear(sizes.filters, sizes.hidden)
        )

    def forward(self, time: torch.Tensor, width: int) -> torch.Tensor:
        """(B,) to (B, C)."""
        steps = torch.arange(width // 2, device=time.device, dtype=torch.float32)
        rate = torch.exp(steps * (-math.log(ROTARY_BASE) / (width // 2 - 1)))
        angle = TIME_SCALE * time[:, None] * rate
        out: torch.Tensor = self.layer(torch.cat((angle.sin(), angle.cos()), -1))
        return out


class VectorField(nn.Module):
    """Which way a noisy mel moves at a moment; outer blocks reach over the inner ones."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        hidden, filters, mel, kernel = sizes.hidden, sizes.filters, sizes.mel_bands, sizes.kernel
        half = kernel // 2
        self.time_mlp = TimeEmbedding(sizes)
        self.cond_proj = nn.Sequential(
            *(nn.Conv1d(mel, filters, kernel, padding=half), nn.SiLU()),
            *(nn.Conv1d(filters, filters, kernel, padding=half), nn.SiLU()),
            nn.Conv1d(filters, hidden, kernel, padding=half),
        )
        self.in_proj = nn.Conv1d(hidden + mel, hidden, 1)
        self.blocks = nn.ModuleList([TimedBlock(sizes) for _ in range(sizes.decoder_blocks)])
        self.lsc_layers = nn.ModuleList(
            [nn.Conv1d(2 * hidden, hidden, kernel, padding=half) for _ in range(sizes.decoder_blocks // 2)]
        )
        self.final_proj = nn.Conv1d(hidden, mel, 1)

    def forward(self, time: torch.Tensor, x: torch.Tensor, mean: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """(B,), (B, M, T), (B, M, T) and (B, S) to (B, M, T)."""
        x = self.in_proj(torch.cat((x, self.cond_proj(mean)), 1))
        moment = self.time_mlp(time, x.shape[1])
        waiting: list[torch.Tensor] = []
        for place, block in enumerate(self.blocks):
            if place < len(self.lsc_layers):
                waiting.append(x)
            else:
                x = self.lsc_layers[place - len(self.lsc_layers)](torch.cat((x, waiting.pop()), 1))
            x = block(x, style, moment)
        out: torch.Tensor = self.final_proj(x)
        return out


class FlowDecoder(nn.Module):
    """Holds the field under its published name."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.estimator = VectorField(sizes)


class AcousticModel(nn.Module):
    """All four networks, and what stands for no speaker and no content."""

    def __init__(self, sizes: AcousticSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder, self.ref_encoder, self.dp = TextEncoder(sizes), StyleEncoder(sizes), DurationPredictor(sizes)
        self.decoder = FlowDecoder(sizes)
        self.fake_speaker = nn.Parameter(torch.zeros(1, sizes.style))
        self.fake_content = nn.Parameter(torch.zeros(1, sizes.mel_bands, 1))

    def style(self, mel: torch.Tensor) -> torch.Tensor:
        """Return the style (B, S) of a reference's log-mel (B, M, T)."""
        out: torch.Tensor = self.ref_encoder(mel)
        return out

    def read(self, symbols: torch.Tensor, style: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean of the mel (B, M, L) and the unrounded frames (B, L) of every symbol (B, L)."""
        hidden, mean = self.encoder(symbols, style)
        return mean, self.dp(hidden, style).exp()

    def field(
        self, mean: torch.Tensor, style: torch.Tensor, guidance: Guidance
    ) -> Callable[[float, torch.Tensor], torch.Tensor]:
        """Return the vector field of a run: from a moment and a mel (B, M, T) to its direction."""
        nobody = self.fake_speaker.expand_as(style)
        nothing = self.fake_content.expand_as(mean)
        estimator = self.decoder.estimator

        def direction(moment: float, x: torch.Tensor) -> torch.Tensor:
            time = torch.full((x.shape[0],), moment, device=x.device, dtype=x.dtype)
            told: torch.Tensor = estimator(time, x, mean, style)
            if guidance.passes == 1:
                return told
            free = estimator(time, x, nothing, nobody)
            out: torch.Tensor = free + guidance.strength * (told - free)
            return out

        return direction


def _normalised(x: torch.Tensor) -> torch.Tensor:
    """Layer norm over channels, without a gain of its own."""
    return functional.layer_norm(x.transpose(1, 2), (x.shape[1],)).transpose(1, 2)
