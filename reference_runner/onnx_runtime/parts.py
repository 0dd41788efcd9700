"""The parts of the model as ONNX Runtime computes them; planning, decoding and decisions are those of every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from reference_runner.exporting.graphs import draw
from reference_runner.exporting.weights import weight_arrays
from reference_runner.model.contour_encoder import widened
from reference_runner.model.model import Parts
from reference_runner.model.prosody_language_model import ProsodyDecoding
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.model.voice_encoder import drawn_in
from reference_runner.onnx_runtime.sessions import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.exporting.graphs import Graph
    from reference_runner.model.config import StableTtsConfig
    from reference_runner.model.contour_encoder import ContourEncoder
    from reference_runner.model.model import StableTts
    from reference_runner.model.prosody_language_model import Past
    from reference_runner.model.voice_encoder import VoiceEncoder
    from reference_runner.numerics.ops import Activation, Integers, Mask, Ops
    from reference_runner.onnx_runtime.sessions import SessionPlan

__all__ = ["GraphContourEncoder", "GraphParts", "GraphVoiceEncoder"]

_ENCODER = "style_adaptive_encoder"
_TIMBRE = "timbre_encoder"


class GraphParts(Parts):
    """Every part a graph, with the weights of a loaded model."""

    def __init__(self, model: StableTts, plan: SessionPlan) -> None:
        self.config = model.config
        self.graphs: Mapping[str, Graph] = draw(model)
        weights = weight_arrays(model)
        networks = {name: Network(graph, weights, plan) for name, graph in self.graphs.items()}
        self.text_encoder = networks["text_encoder"]
        self.timbre_encoder = networks[_TIMBRE]
        self.prosody_encoder = networks["prosody_encoder"]
        self.duration_predictor = networks["duration_predictor"]
        self.prosody_quantizer = _Quantizer(networks["prosody_scores"], networks["prosody_embedding"])
        self.prosody_language_model = _LanguageModel(model.config, networks["prosody_language_model"])
        self.style_adaptive_encoder = _StyleAdaptiveEncoder(networks[_ENCODER])
        self.score_decoder = _ScoreDecoder(networks["score_decoder"])
        self.vocoder = _Vocoder(networks["vocoder"])


class _Quantizer:
    def __init__(self, scores: Network, embed: Network) -> None:
        self.scores, self.embed = scores, embed

    def __call__(self, ops: Ops, latents: Activation) -> tuple[Integers, Activation]:
        return ops.argmax_with_margin(self.scores(ops, latents))


class _LanguageModel(ProsodyDecoding):
    def __init__(self, config: StableTtsConfig, network: Network) -> None:
        self.config, self._network = config, network

    def extend(self, ops: Ops, text: Activation, previous: Integers, past: Past) -> tuple[Activation, Past]:
        """Attend from text (B, Q, C) to the past and itself."""
        nothing = text[:, :0]
        flat = [each for pair in past for each in (pair or (nothing, nothing))]
        logits, *kept = self._network(ops, text, previous, *flat)
        return logits, list(zip(kept[::2], kept[1::2], strict=True))


class _StyleAdaptiveEncoder:
    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, ops: Ops, content: Activation, durations: Integers, style: Activation) -> EncodedFrames:
        mean, hidden = self._network(ops, content, durations, style)
        return EncodedFrames(mean=mean, hidden=hidden)


class GraphContourEncoder:
    """The graph of the style-adaptive encoder with the weights of the one that is given a width."""

    def __init__(self, parts: GraphParts, encoder: ContourEncoder, plan: SessionPlan) -> None:
        weights = {f"{_ENCODER}.{name}": values for name, values in weight_arrays(encoder.encoder).items()}
        self._direction = encoder.width
        self._encoder = _StyleAdaptiveEncoder(Network(parts.graphs[_ENCODER], weights, plan))

    def __call__(
        self, ops: Ops, content: Activation, durations: Integers, style: Activation, width: Activation
    ) -> EncodedFrames:
        """As `ContourEncoder`."""
        return self._encoder(ops, widened(ops, content, self._direction, width), durations, style)


class GraphVoiceEncoder:
    """The graph of the timbre encoder with the weights of the one that hears clips."""

    def __init__(self, parts: GraphParts, encoder: VoiceEncoder, plan: SessionPlan) -> None:
        weights = {f"{_TIMBRE}.{name}": values for name, values in weight_arrays(encoder.encoder).items()}
        self._middle = encoder.middle
        self._encoder = Network(parts.graphs[_TIMBRE], weights, plan)

    def __call__(self, ops: Ops, mel: Activation) -> Activation:
        """As `VoiceEncoder`."""
        return drawn_in(ops, self._encoder(ops, mel), self._middle)


class _ScoreDecoder:
    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(
        self,
        ops: Ops,
        noisy: Activation,
        frames: EncodedFrames,
        style: Activation,
        time_angles: Activation,
        mask: Mask | None = None,
    ) -> Activation:
        return self._network(ops, noisy, frames.mean, frames.hidden, style, time_angles, _all(noisy, mask))


class _Vocoder:
    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, ops: Ops, mel: Activation, mask: Mask | None = None) -> Activation:
        return self._network(ops, mel, _all(mel, mask))


def _all(x: Any, mask: Mask | None) -> Mask:
    """Return the mask, or one that hides nothing: a product with one changes no number."""
    return torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
