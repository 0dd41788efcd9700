"""Prosody language model: given the text and a prompt's prosody, which code comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import nn

from reference_runner.model.blocks import Embedding, LayerNorm, Linear, TransformerBlock

if TYPE_CHECKING:
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops

    Past = list[tuple[Activation, Activation] | None]

__all__ = ["DecodedProsody", "ProsodyDecoding", "ProsodyLanguageModel", "ProsodyPrompt"]

_EXTRA_TOKENS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ProsodyPrompt:
    """An utterance whose manner is to be continued: its text vectors (1, P, C) and codes (1, P)."""

    text: Activation
    codes: Integers
    past: Past | None = None
    """Its keys and values, where they were computed already: the same for every sentence that continues it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedProsody:
    """Codes (1, P) and, for each, how clearly it won (1, P)."""

    codes: Integers
    margins: Activation


class ProsodyDecoding:
    """One code after another, each the likeliest after those before it, or drawn, whoever computes the network."""

    config: StableTtsConfig

    @property
    def begin_token(self) -> int:
        """Stands before the first code of all."""
        return self.config.prosody_codes

    @property
    def join_token(self) -> int:
        """Stands between the prompt's last code and the first of the text."""
        return self.config.prosody_codes + 1

    def extend(self, ops: Ops, text: Activation, previous: Integers, past: Past) -> tuple[Activation, Past]:
        """Text (B, Q, C) and the codes before each (B, Q), after the past, to logits (B, Q, K) and the longer past."""
        raise NotImplementedError

    def read_prompt(self, ops: Ops, prompt: ProsodyPrompt) -> Past:
        """Return the keys and values of a prompt's text and codes."""
        begin = ops.integers([[self.begin_token]])
        shifted = ops.concat_integers([begin, prompt.codes[:, :-1]], axis=1)
        _, past = self.extend(ops, prompt.text, shifted, [None] * self.config.language_model_blocks)
        return past

    def decode(
        self, ops: Ops, text: Activation, prompt: ProsodyPrompt | None = None, noise: Activation | None = None
    ) -> DecodedProsody:
        """Choose the codes of text vectors (1, P, C), continuing the prompt; noise (1, P, K) is added to the logits."""
        past: Past = [None] * self.config.language_model_blocks
        previous = ops.integers([[self.begin_token if prompt is None else self.join_token]])
        if prompt is not None:
            past = prompt.past or self.read_prompt(ops, prompt)
        codes: list[Integers] = []
        margins: list[Activation] = []
        for place in range(text.shape[1]):
            logits, past = self.extend(ops, text[:, place : place + 1], previous, past)
            if noise is not None:
                logits = ops.add(logits, noise[:, place : place + 1])
            previous, margin = ops.argmax_with_margin(logits)
            codes.append(previous)
            margins.append(margin)
        return DecodedProsody(codes=ops.concat_integers(codes, axis=1), margins=ops.concat(margins, axis=1))


class ProsodyLanguageModel(ProsodyDecoding, nn.Module):
    """A causal transformer over [text_i + code_(i-1)]; it never hears the speaker."""

    def __init__(self, config: StableTtsConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.hidden_channels
        self.previous = Embedding(config.prosody_codes + _EXTRA_TOKENS, channels)
        self.text = Linear(channels, channels)
        self.blocks = nn.ModuleList(
            [
                TransformerBlock(channels, config.language_model_heads, config.feed_forward_channels, causal=True)
                for _ in range(config.language_model_blocks)
            ]
        )
        self.norm = LayerNorm(channels)
        self.logits = Linear(channels, config.prosody_codes)

    def forward(self, ops: Ops, text: Activation, previous: Integers) -> Activation:
        """Text vectors (B, P, C) and the codes before each (B, P) to logits (B, P, K)."""
        logits, _ = self.extend(ops, text, previous, [None] * len(self.blocks))
        return logits

    def extend(self, ops: Ops, text: Activation, previous: Integers, past: Past) -> tuple[Activation, Past]:
        """Attend from text (B, Q, C) to the past and itself."""
        x = ops.add(self.text(ops, text), self.previous(ops, previous))
        longer: Past = []
        for block, before in zip(self.blocks, past, strict=True):
            x, after = cast("TransformerBlock", block).extend(ops, x, before)
            longer.append(after)
        return self.logits(ops, self.norm(ops, x)), longer

    def step(
        self, ops: Ops, text: Activation, previous: Integers, cache: list[tuple[Activation, Activation]], here: Mask,
        visible: Mask,
    ) -> Activation:  # fmt: skip
        """Text (1, 1, C) and the code before it (1, 1) to logits (1, 1, K); keys and values are kept in the cache.

        The cache holds (1, L, C) a block and keeps its length: `here` (1, L) is true at this place, `visible` up to it.
        """
        x = ops.add(self.text(ops, text), self.previous(ops, previous))
        for block, (keys, values) in zip(self.blocks, cache, strict=True):
            x = cast("TransformerBlock", block).step(ops, x, keys, values, here, visible)
        return self.logits(ops, self.norm(ops, x))
