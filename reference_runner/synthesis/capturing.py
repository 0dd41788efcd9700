"""What is computed again and again at one shape, as one launch of a CUDA graph.

Everything that a graph reads or writes keeps its place in memory: inputs are copied in, results are copied out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch

from reference_runner.model.prosody_language_model import DecodedProsody

if TYPE_CHECKING:
    from collections.abc import Callable

    from reference_runner.model.model import Parts
    from reference_runner.model.prosody_language_model import ProsodyPrompt
    from reference_runner.numerics.ops import Activation, Ops

__all__ = ["Captured", "CapturedCodes", "capture", "fitting"]

WARM_UPS = 3
LENGTH_STEP = 64
"""Caches of the language model are multiples of it, so that sentences of like length share a graph."""

Result = TypeVar("Result")


def capture(compute: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
    """Compute a few times, then once more into a graph; return it and what it leaves its results in.

    Libraries load and constants go to the device in the first calls, so nothing but kernels is captured.
    """
    apart = torch.cuda.Stream()
    apart.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(apart):
        for _ in range(WARM_UPS):
            compute()
    torch.cuda.current_stream().wait_stream(apart)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()
    return graph, result


class Captured:
    """A function of tensors as one launch; its inputs are copied in and its output is copied out."""

    def __init__(self, function: Callable[..., torch.Tensor], examples: tuple[torch.Tensor, ...]) -> None:
        self._inputs = [example.clone() for example in examples]
        self._graph, self._output = capture(lambda: function(*self._inputs))

    def __call__(self, *given: torch.Tensor) -> torch.Tensor:
        """Compute with what was given."""
        for mine, theirs in zip(self._inputs, given, strict=True):
            mine.copy_(theirs)
        self._graph.replay()
        return self._output.clone()


class CapturedCodes:
    """The prosody language model, one code a launch, for texts and prompts of up to `length` phones together."""

    def __init__(self, model: Parts, ops: Ops, length: int, *, device: torch.device, dtype: torch.dtype) -> None:
        self._model, self._ops = model.prosody_language_model, ops
        channels = model.config.hidden_channels
        self._text = torch.zeros(1, length, channels, dtype=dtype, device=device)
        self._cache = [
            (torch.zeros_like(self._text), torch.zeros_like(self._text)) for _ in range(len(self._model.blocks))
        ]
        self._places = torch.arange(length, device=device)[None]
        self._place = torch.zeros(1, dtype=torch.int64, device=device)
        self._previous = torch.zeros(1, 1, dtype=torch.int64, device=device)
        self._noise = torch.zeros(1, length, model.config.prosody_codes, dtype=dtype, device=device)
        self._codes = torch.zeros(1, length, dtype=torch.int64, device=device)
        self._margins = torch.zeros(1, length, dtype=torch.float64, device=device)
        self._graph, _ = capture(self._step)

    def decode(self, text: Activation, prompt: ProsodyPrompt | None, noise: Activation | None = None) -> DecodedProsody:
        """Choose the codes of text vectors (1, P, C), continuing the prompt; noise (1, P, K) is added to the logits."""
        model, first = self._model, 0
        self._previous.fill_(model.begin_token)
        if prompt is not None:
            past, first = prompt.past or model.read_prompt(self._ops, prompt), prompt.text.shape[1]
            for (keys, values), (own_keys, own_values) in zip(self._cache, past, strict=True):
                keys[:, :first] = own_keys
                values[:, :first] = own_values
            self._previous.fill_(model.join_token)
        end = first + text.shape[1]
        self._text[:, first:end] = text
        self._noise[:, first:end] = 0.0 if noise is None else noise
        self._place.fill_(first)
        for _ in range(first, end):
            self._graph.replay()
        return DecodedProsody(codes=self._codes[:, first:end].clone(), margins=self._margins[:, first:end].clone())

    def _step(self) -> None:
        """Choose the code at the place, keep it, and go on to the next place."""
        here = self._places == self._place
        text = self._text.index_select(1, self._place)
        logits = self._model.step(self._ops, text, self._previous, self._cache, here, self._places <= self._place)
        logits = self._ops.add(logits, self._noise.index_select(1, self._place))
        code, margin = self._ops.argmax_with_margin(logits)
        self._previous.copy_(code)
        self._codes.copy_(torch.where(here, code, self._codes))
        self._margins.copy_(torch.where(here, margin, self._margins))
        self._place.add_(1)


def fitting(length: int) -> int:
    """Return the length of the cache for so many phones."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP
