"""Rescales finished weights so that activations stay far from saturation, without changing what the model says.

Two laws make it free. A stream that is only read through norms may be scaled as a whole. A gate is a square, so halving
what enters it and multiplying by four what leaves it changes nothing. All factors are powers of two, exact in floats.
The `exact` profile saturates at 128; training knows nothing of that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from reference_runner.model.blocks import Depthwise, LayerNorm, Linear
from reference_runner.numerics.ops import GATE_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import nn

    from reference_runner.model.model import StableTts

__all__ = ["balance"]

_HIGHEST_STREAM = 48.0
_HIGHEST_GATE = 48.0

Peaks = dict[str, float]


@torch.no_grad()
def balance(model: StableTts, speak: Callable[[], None]) -> dict[str, float]:
    """Rescale the model in place by what `speak` makes it do; return the factor of each part and gate."""
    factors = {}
    with _listening(model) as peaks:
        speak()
    for name, module in model.named_modules():
        if hasattr(module, "widen") and hasattr(module, "narrow"):
            highest = GATE_SCALE * peaks[f"{name}.widen"] ** 2
            # The gate squares: half the input is a quarter of the output.
            factor = _power_of_two(math.sqrt(_HIGHEST_GATE / max(highest, 1e-9)))
            if factor < 1.0:
                _scale([module.widen.weight, module.widen.bias], factor)
                _scale([module.narrow.weight], factor**-2)
                factors[f"{name}.gate"] = factor**2
    for name, streams in _streams(model).items():
        highest = max(_peak(model, module, peaks) for module in streams)
        factor = _power_of_two(_HIGHEST_STREAM / max(highest, 1e-9))
        if factor < 1.0:
            _SCALERS[name](model, factor)
            factors[name] = factor
    return factors


def _streams(model: StableTts) -> dict[str, tuple[nn.Module, ...]]:
    return {
        "text": (model.text_encoder,),
        "timbre": (model.timbre_encoder,),
        "prosody": (model.prosody_encoder,),
        "language_model": (model.prosody_language_model,),
        # Text plus prosody is read by both, so they are scaled together.
        "content": (model.duration_predictor, model.style_adaptive_encoder),
        "score": (model.score_decoder,),
        "vocoder": (model.vocoder,),
    }


@contextmanager
def _listening(model: StableTts) -> Iterator[Peaks]:
    """Note the greatest magnitude that leaves each linear layer and depthwise convolution, or enters a norm."""
    peaks: Peaks = defaultdict(float)
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, Linear | Depthwise):

            def after(_: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor, name: str = name) -> None:
                del inputs
                peaks[name] = max(peaks[name], float(output.abs().max()))

            handles.append(module.register_forward_hook(after))
        if isinstance(module, Depthwise | LayerNorm):

            def before(_: nn.Module, inputs: tuple[Any, ...], name: str = name) -> None:
                peaks[f"{name} input"] = max(peaks[f"{name} input"], float(inputs[1].abs().max()))

            handles.append(module.register_forward_pre_hook(before))
    try:
        yield peaks
    finally:
        for handle in handles:
            handle.remove()


def _peak(model: StableTts, part: nn.Module, peaks: Peaks) -> float:
    """Return the greatest magnitude of a part's stream: what its convolutions and norms see, what its layers add."""
    names = {name for name, module in model.named_modules() if module in set(part.modules())}
    writers = ("narrow", "output", "depthwise", "input", "norm", "attention_norm", "network_norm")
    return max(
        (value for name, value in peaks.items() if name.split(" ")[0] in names and _last(name) in writers), default=0.0
    )


def _last(name: str) -> str:
    return name.split(" ", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1]


def _power_of_two(limit: float) -> float:
    """Return the greatest power of two that is at most the limit, and at most one."""
    return min(1.0, 2.0 ** math.floor(math.log2(limit)))


def _scale(parameters: Iterable[torch.Tensor], factor: float) -> None:
    for parameter in parameters:
        parameter.mul_(factor)


def _scale_blocks(blocks: Iterable[nn.Module], factor: float) -> None:
    """Scale what blocks add to their stream, and the biases of convolutions that read it before a norm."""
    for block in blocks:
        _scale(block.get_submodule("narrow").parameters(), factor)
        if hasattr(block, "depthwise"):
            _scale([block.get_parameter("depthwise.bias")], factor)
        if hasattr(block, "output"):
            _scale(block.get_submodule("output").parameters(), factor)


def _scale_text(model: StableTts, factor: float) -> None:
    part = model.text_encoder
    _scale([part.phone.table, part.stress.table, part.boundary.table], factor)
    _scale_blocks([*part.blocks, part.sentence], factor)


def _scale_timbre(model: StableTts, factor: float) -> None:
    part = model.timbre_encoder
    _scale([part.input.weight, part.input.bias, part.output.bias], factor)
    _scale_blocks([*part.blocks, part.clip], factor)


def _scale_prosody(model: StableTts, factor: float) -> None:
    part = model.prosody_encoder
    _scale([part.input.weight, part.input.bias, part.output.bias], factor)
    _scale_blocks(part.blocks, factor)


def _scale_language_model(model: StableTts, factor: float) -> None:
    part = model.prosody_language_model
    _scale([part.previous.table, part.text.weight, part.text.bias], factor)
    _scale_blocks(part.blocks, factor)


def _scale_content(model: StableTts, factor: float) -> None:
    text, project = model.text_encoder.norm, model.prosody_quantizer.project
    position = model.style_adaptive_encoder.position
    _scale([text.gain, text.bias, project.weight, project.bias, position.weight, position.bias], factor)
    # The language model reads the same text vectors and must not notice.
    _scale([model.prosody_language_model.text.weight], 1.0 / factor)
    _scale_blocks([*model.duration_predictor.blocks, *model.style_adaptive_encoder.blocks], factor)


def _scale_score(model: StableTts, factor: float) -> None:
    part = model.score_decoder
    for layer in (part.noisy, part.mean, part.hidden):
        _scale([layer.weight, layer.bias], factor)
    _scale_blocks(part.blocks, factor)


def _scale_vocoder(model: StableTts, factor: float) -> None:
    part = model.vocoder
    _scale([part.input.weight, part.input.bias], factor)
    _scale_blocks(part.blocks, factor)


_SCALERS: dict[str, Callable[[StableTts, float], None]] = {
    "text": _scale_text,
    "timbre": _scale_timbre,
    "prosody": _scale_prosody,
    "language_model": _scale_language_model,
    "content": _scale_content,
    "score": _scale_score,
    "vocoder": _scale_vocoder,
}
