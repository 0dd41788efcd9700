"""A graph with its weights, ready to compute: fixed options, one provider, nothing chosen by the machine in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from reference_runner.errors import DeviceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.exporting.graphs import Graph
    from reference_runner.numerics.ops import Ops

__all__ = ["Network", "SessionPlan"]

_PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    # The other searches time kernels against each other, and so choose differently from run to run.
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}),
}
_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionPlan:
    """How every session is opened; each field is a condition of the run."""

    device: str = "cpu"
    threads: int = 1

    @property
    def provider(self) -> str:
        """The execution provider, in ONNX Runtime's words."""
        return _PROVIDERS[self.device][0]

    def refuse_what_is_not_here(self) -> None:
        """Raise DeviceUnavailable where this build of ONNX Runtime cannot compute on the device."""
        available = onnxruntime.get_available_providers()
        if self.provider not in available:
            raise DeviceUnavailable(
                f"this onnxruntime {onnxruntime.__version__} has no {self.provider}, it has {', '.join(available)}",
                where="request.device",
            )

    def flags(self) -> tuple[str, ...]:
        """Return the options, as the descriptor lists them."""
        return (
            "use_deterministic_compute",
            "graph_optimization_level=all",
            "execution_mode=sequential",
            f"intra_op_num_threads={self.threads}",
            "inter_op_num_threads=1",
            "session.intra_op.allow_spinning=0",
            *(f"{self.provider}.{key}={value}" for key, value in _PROVIDERS[self.device][1].items()),
        )

    def options(self) -> onnxruntime.SessionOptions:
        """Return the options, as ONNX Runtime takes them."""
        options = onnxruntime.SessionOptions()
        options.use_deterministic_compute = True
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Each graph has threads of its own; those that wait must not take the core from those that compute.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ERRORS_ONLY
        return options


class Network:
    """One graph, called as the part of the model that it was drawn from."""

    def __init__(self, graph: Graph, weights: Mapping[str, np.ndarray], plan: SessionPlan) -> None:
        options = plan.options()
        names = [place.name for place in graph.weights]
        # Held here: a session reads them from where they lie.
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name]) for name in names]
        options.add_external_initializers(names, self._weights)
        name, settings = _PROVIDERS[plan.device]
        self._session = onnxruntime.InferenceSession(graph.content, options, providers=[(name, settings)])
        self._session.disable_fallback()
        if name not in self._session.get_providers():
            raise DeviceUnavailable(f"{name} did not begin, and nothing else computes in its place", where="device")
        self._inputs = [each.name for each in self._session.get_inputs()]

    def __call__(self, ops: Ops, *given: torch.Tensor) -> Any:
        """Compute one output, or several as a list."""
        del ops
        arrays = [np.ascontiguousarray(each.numpy()) for each in given]
        made = self._session.run(None, dict(zip(self._inputs, arrays, strict=True)))
        tensors = [torch.from_numpy(each) for each in made]
        return tensors[0] if len(tensors) == 1 else tensors
