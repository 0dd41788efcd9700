"""The parts of Stable-TTS as graphs: what each takes and gives, drawn by its own `forward`.

Sentences are planned one at a time, so only the two networks that decode batches take a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnx import TensorProto, helper

from reference_runner import digests
from reference_runner.exporting.tracing import GraphOps, Traced
from reference_runner.exporting.weights import WEIGHTS_FILE, lay_out
from reference_runner.model.features import FEATURE_SETTINGS, PROSODY_CHANNELS
from reference_runner.model.score_decoder import TIME_FREQUENCIES
from reference_runner.model.style_adaptive_encoder import EncodedFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx import TensorProto as Tensor

    from reference_runner.exporting.weights import WeightPlace
    from reference_runner.model.model import StableTts

__all__ = ["OPSET", "Graph", "draw", "graphs_digest"]

OPSET = 18
"""Layer normalisation is an operator from 17 on, and reductions take their axes as inputs from 18 on."""
_IR_VERSION = 8  # that of the same release of ONNX
_PRODUCER = "ttsartifact"

_REAL, _WHOLE, _MASK = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """One part of the model as an ONNX file without weights."""

    name: str
    content: bytes
    weights: tuple[WeightPlace, ...]
    """Those that it names, in the order of their places."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.onnx"

    @property
    def digest(self) -> str:
        """Of its bytes."""
        return digests.of_bytes(self.content)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    inputs: Mapping[str, tuple[int, tuple[int | str, ...]]]
    """Name to type and axes; an axis that is a word is free."""
    outputs: tuple[tuple[str, tuple[int | str, ...]], ...]
    forward: Callable[..., Any]
    """Of the ops and the inputs, to one output or several."""


def draw(model: StableTts) -> dict[str, Graph]:
    """Draw every graph of a model; models of the same sizes give the same bytes."""
    places = lay_out(model)
    return {name: _drawn(name, part, places) for name, part in _parts(model).items()}


def graphs_digest(graphs: Mapping[str, Graph]) -> str:
    """Return the digest over all graphs: sorted lines "sha256  file", as sha256sum writes them."""
    lines = sorted(f"{graph.digest.removeprefix('sha256:')}  {graph.file}\n" for graph in graphs.values())
    return digests.of_bytes("".join(lines).encode())


def _drawn(name: str, part: _Part, places: dict[int, WeightPlace]) -> Graph:
    ops = GraphOps(places)
    given = [
        Traced(ops, key, tuple(size if isinstance(size, int) else None for size in axes))
        for key, (_, axes) in part.inputs.items()
    ]
    made = part.forward(ops, *given)
    made = made if isinstance(made, (list, tuple)) else [made]
    for traced, (output, _) in zip(made, part.outputs, strict=True):
        ops.nodes.append(helper.make_node("Identity", [traced.name], [output], name=output))
    used = tuple(sorted(ops.used.values(), key=lambda place: place.offset))
    model = helper.make_model(
        helper.make_graph(
            ops.nodes,
            name,
            [helper.make_tensor_value_info(key, kind, axes) for key, (kind, axes) in part.inputs.items()],
            [helper.make_tensor_value_info(key, _REAL, axes) for key, axes in part.outputs],
            initializer=[*ops.constants.values(), *map(_outside, used)],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name=_PRODUCER,
    )
    return Graph(name=name, content=model.SerializeToString(deterministic=True), weights=used)


def _outside(place: WeightPlace) -> Tensor:
    """Return a tensor whose values are in the file of weights."""
    tensor = TensorProto(name=place.name, data_type=_REAL, dims=place.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", WEIGHTS_FILE), ("offset", place.offset), ("length", place.size)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _parts(model: StableTts) -> dict[str, _Part]:
    """Return the parts in the order of a run: what reads a clip or a text, what decides, what sounds."""
    return _encoders(model) | _deciders(model) | _decoders(model)


def _encoders(model: StableTts) -> dict[str, _Part]:
    config = model.config
    ids, phones = (_WHOLE, ("items", "phones")), ("items", "phones", config.hidden_channels)
    mel = ("items", "frames", FEATURE_SETTINGS.mel_bands)
    return {
        "text_encoder": _Part(
            inputs={"phones": ids, "stresses": ids, "breaks": ids},
            outputs=(("text", phones),),
            forward=model.text_encoder,
        ),
        "timbre_encoder": _Part(
            inputs={"mel": (_REAL, mel)},
            outputs=(("style", ("items", config.style_channels)),),
            forward=model.timbre_encoder,
        ),
        "prosody_encoder": _Part(
            inputs={
                "features": (_REAL, ("items", "frames", config.prosody_mel_bands + PROSODY_CHANNELS)),
                "durations": ids,
            },
            outputs=(("latents", ("items", "phones", config.prosody_code_channels)),),
            forward=model.prosody_encoder,
        ),
    }


def _deciders(model: StableTts) -> dict[str, _Part]:
    config = model.config
    ids, phones = (_WHOLE, ("items", "phones")), ("items", "phones", config.hidden_channels)
    return {
        "prosody_scores": _Part(
            inputs={"latents": (_REAL, ("items", "phones", config.prosody_code_channels))},
            outputs=(("scores", ("items", "phones", config.prosody_codes)),),
            forward=model.prosody_quantizer.scores,
        ),
        "prosody_embedding": _Part(
            inputs={"codes": ids},
            outputs=(("prosody", phones),),
            forward=model.prosody_quantizer.embed,
        ),
        "prosody_language_model": _language_model(model, config.hidden_channels),
        "duration_predictor": _Part(
            inputs={"content": (_REAL, phones), "style": (_REAL, ("items", config.style_channels))},
            outputs=(("log_frames", ("items", "phones")),),
            forward=model.duration_predictor,
        ),
    }


def _decoders(model: StableTts) -> dict[str, _Part]:
    config = model.config
    ids, phones = (_WHOLE, ("items", "phones")), ("items", "phones", config.hidden_channels)
    mel, hidden = ("items", "frames", FEATURE_SETTINGS.mel_bands), ("items", "frames", config.hidden_channels)
    voice = (_REAL, ("items", config.style_channels))
    return {
        "style_adaptive_encoder": _Part(
            inputs={"content": (_REAL, phones), "durations": ids, "style": voice},
            outputs=(("mean", mel), ("hidden", hidden)),
            forward=lambda ops, *given: _both(model.style_adaptive_encoder(ops, *given)),
        ),
        "score_decoder": _Part(
            inputs={
                "noisy": (_REAL, mel),
                "mean": (_REAL, mel),
                "hidden": (_REAL, hidden),
                "style": voice,
                "time_angles": (_REAL, ("items", len(TIME_FREQUENCIES))),
                "mask": (_MASK, ("items", "frames")),
            },
            outputs=(("residual", mel),),
            forward=lambda ops, noisy, mean, hidden, *given: model.score_decoder(
                ops, noisy, EncodedFrames(mean=mean, hidden=hidden), *given
            ),
        ),
        "vocoder": _Part(
            inputs={"mel": (_REAL, mel), "mask": (_MASK, ("items", "frames"))},
            outputs=(("samples", ("items", "samples")),),
            forward=model.vocoder,
        ),
    }


def _language_model(model: StableTts, channels: int) -> _Part:
    """One step, or a whole prompt: text and the codes before it after what is past, which grows."""
    network = model.prosody_language_model
    kept = [f"{kind}_{number}" for number in range(len(network.blocks)) for kind in ("keys", "values")]

    def forward(ops: GraphOps, text: Traced, previous: Traced, *past: Traced) -> list[Traced]:
        pairs = list(zip(past[::2], past[1::2], strict=True))
        logits, longer = network.extend(ops, text, previous, pairs)
        return [logits, *(each for pair in longer for each in pair)]

    return _Part(
        inputs={
            "text": (_REAL, ("items", "phones", channels)),
            "previous": (_WHOLE, ("items", "phones")),
            **{f"past_{name}": (_REAL, ("items", "past", channels)) for name in kept},
        },
        outputs=(
            ("logits", ("items", "phones", model.config.prosody_codes)),
            *((name, ("items", "positions", channels)) for name in kept),
        ),
        forward=forward,
    )


def _both(frames: EncodedFrames) -> tuple[Any, Any]:
    return frames.mean, frames.hidden
