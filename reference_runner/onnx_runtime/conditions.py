"""What a run of `stable_tts_onnx` says of itself, where another engine makes it another thing."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import onnxruntime

from reference_runner import conditions, digests
from reference_runner.exporting.graphs import OPSET, graphs_digest

if TYPE_CHECKING:
    from pathlib import Path

    from reference_runner.onnx_runtime.synthesizer import GraphSynthesizer
    from reference_runner.synthesis.arithmetic import Arithmetic
    from reference_runner.synthesis.report import SynthesisReport
    from reference_runner.synthesis.request import SynthesisRequest
    from ttsartifact import Conditions, Finished, Request

__all__ = ["EXTENSION", "finished", "of"]

EXTENSION = "urn:ttsartifact:stable-tts-onnx"
_CODE = ("exporting", "onnx_runtime", "stable_tts_onnx.py")
_BUILD_PREFIX = "ORT Build Info: "


def of(
    request: Request, wanted: SynthesisRequest, synthesizer: GraphSynthesizer, arithmetic: Arithmetic, path: Path
) -> Conditions:
    """Return everything that is known before the first sample."""
    plan = synthesizer.plan
    told = conditions.of(request, replace(wanted, device=arithmetic.device), synthesizer, arithmetic, path)
    assert told.numerics is not None
    assert told.precision is not None
    return replace(
        told,
        engine=_engine(synthesizer),
        device=plan.device,
        precision=told.precision | {"attention": "two matrix products and a softmax, as ONNX Runtime fuses them"},
        determinism_flags=plan.flags(),
        numerics=_numerics(told.numerics, synthesizer),
        runtime=(_runtime(synthesizer), *told.runtime),
    )


def finished(report: SynthesisReport, synthesizer: GraphSynthesizer) -> Finished:
    """Return what only the end of a run tells."""
    told = conditions.finished(report)
    assert told.numerics is not None
    assert told.ext is not None
    return replace(
        told,
        numerics=_numerics(told.numerics, synthesizer),
        ext=told.ext | {EXTENSION: _extension(synthesizer)},
    )


def _engine(synthesizer: GraphSynthesizer) -> dict[str, Any]:
    graphs = graphs_digest(synthesizer.parts.graphs)
    return {
        "name": "onnxruntime",
        "version": onnxruntime.__version__,
        "build": f"{synthesizer.plan.provider}, graphs {graphs}, source {conditions.source_digest(*_CODE)}",
        "package": "onnxruntime",
    }


def _runtime(synthesizer: GraphSynthesizer) -> dict[str, Any]:
    plan = synthesizer.plan
    built = onnxruntime.get_build_info().removeprefix(_BUILD_PREFIX)
    return {
        "name": "onnxruntime",
        "version": onnxruntime.__version__,
        "build": f"{plan.provider}, threads {plan.threads}; {built}",
    }


def _numerics(numerics: dict[str, Any], synthesizer: GraphSynthesizer) -> dict[str, Any]:
    """Put the engine's own facts beside those of the host's arithmetic, under one fingerprint."""
    facts = {
        "host": numerics["fingerprint"],
        "engine": _engine(synthesizer),
        "runtime": _runtime(synthesizer),
        "machine": platform.machine(),
        "flags": list(synthesizer.plan.flags()),
    }
    return numerics | {"fingerprint": digests.of_json(facts)}


def _extension(synthesizer: GraphSynthesizer) -> dict[str, Any]:
    graphs = synthesizer.parts.graphs.values()
    return {
        "opset": OPSET,
        "graphs": [{"path": graph.file, "size": len(graph.content), "digest": graph.digest} for graph in graphs],
    }
