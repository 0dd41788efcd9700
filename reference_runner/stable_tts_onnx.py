"""Stable-TTS with ONNX Runtime as its engine: the checkpoint, front end, noise, chunks and parameters of `stable_tts`.

It computes `native` numerics alone: no runtime promises the integers of `exact`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reference_runner.stable_tts import PARAMETERS, StableTtsRunner

if TYPE_CHECKING:
    from pathlib import Path

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.synthesis.arithmetic import Arithmetic
    from reference_runner.synthesis.report import SynthesisReport
    from reference_runner.synthesis.request import SynthesisRequest
    from reference_runner.synthesis.synthesizer import Synthesizer
    from ttsartifact import Conditions, Finished, Parameter, Request

__all__ = ["StableTtsOnnxRunner"]

# The names are those of stable-tts, so that either engine can be asked to make the other's run again.
_ONLY = {
    "numerics": ("native", "ONNX Runtime rounds as its kernels do: the same samples on the same stack"),
    "precision": ("float32", "of the graphs"),
    "compile": ("none", "ONNX Runtime optimises the graphs itself"),
}
_HELP = {
    "device": "where the graphs compute: the CPU or the CUDA execution provider",
    "threads": "within an operator",
}


def _narrowed(parameter: Parameter) -> Parameter:
    if parameter.name in _ONLY:
        value, words = _ONLY[parameter.name]
        return replace(parameter, default=value, choices=(value,), help=words)
    return replace(parameter, help=_HELP.get(parameter.name, parameter.help))


class StableTtsOnnxRunner(StableTtsRunner):
    """A checkpoint that speaks through ONNX Runtime."""

    name = "stable-tts-onnx"
    packages = ("onnxruntime", "onnx", "torch", "safetensors")
    extra = "onnx"
    parameters = tuple(map(_narrowed, PARAMETERS))
    imperfection_stages = ()

    def _synthesizer_of(self, checkpoint: Checkpoint, request: Request) -> Synthesizer:
        from reference_runner.onnx_runtime.sessions import SessionPlan
        from reference_runner.onnx_runtime.synthesizer import GraphSynthesizer

        plan = SessionPlan(device=request.parameters["device"], threads=request.parameters["threads"])
        return GraphSynthesizer(checkpoint, plan)

    def _told(
        self, request: Request, wanted: SynthesisRequest, synthesizer: Any, arithmetic: Arithmetic, path: Path
    ) -> Conditions:
        from reference_runner.onnx_runtime import conditions

        return conditions.of(request, wanted, synthesizer, arithmetic, path)

    def _learned(self, report: SynthesisReport, synthesizer: Any) -> Finished:
        from reference_runner.onnx_runtime import conditions

        return conditions.finished(report, synthesizer)
