"""The synthesizer of stable-tts with its parts computed by ONNX Runtime; the host joins them, in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference_runner.errors import DeviceUnavailable, RequestError
from reference_runner.numerics.native import NativeOps
from reference_runner.onnx_runtime.parts import GraphContourEncoder, GraphParts, GraphVoiceEncoder
from reference_runner.onnx_runtime.sessions import SessionPlan
from reference_runner.synthesis.arithmetic import Arithmetic, Prepared, settle_native
from reference_runner.synthesis.decoding import Decoder, Means
from reference_runner.synthesis.request import Numerics
from reference_runner.synthesis.synthesizer import Synthesizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reference_runner.frontend.text_frontend import TextFrontEnd
    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.synthesis.arithmetic import Setting
    from reference_runner.synthesis.stations import Hook, Station

__all__ = ["GraphSynthesizer"]


class GraphSynthesizer(Synthesizer):
    """A checkpoint whose networks are graphs; it has one precision and one profile."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        plan: SessionPlan | None = None,
        *,
        front_end: TextFrontEnd | None = None,
        hooks: Mapping[Station, Hook] | None = None,
    ) -> None:
        super().__init__(checkpoint, front_end=front_end, hooks=hooks)
        self.plan = plan or SessionPlan()
        self.plan.refuse_what_is_not_here()
        self.parts = GraphParts(checkpoint.model, self.plan)

    def ready(self, setting: Setting) -> Prepared:
        """Return the one setting that there is; raises for any other."""
        if setting.numerics is not Numerics.NATIVE or setting.means != Means():
            raise RequestError("ONNX Runtime computes native numerics in float32", where="request.numerics")
        if setting.device != self.plan.device:
            raise DeviceUnavailable(f"the graphs were opened for {self.plan.device}, got {setting.device}")
        settle_native()
        if setting not in self._prepared:
            self._prepared[setting] = self._opened()
        return self._prepared[setting]

    def _opened(self) -> Prepared:
        ops = NativeOps()
        arithmetic = Arithmetic(
            requested=Numerics.NATIVE,
            used=Numerics.NATIVE,
            device="cpu",  # of the host arithmetic; where the graphs compute is the plan's
            carrier="onnxruntime float32",
            known_answers_digest=None,
            known_answers_failed=(),
            weights_digest=None,
            partial_sum_bits=None,
        )
        graphs = {"contour_encoder": GraphContourEncoder, "voice_encoder": GraphVoiceEncoder}
        encoders = {
            name: graphs[name](self.parts, companion.encoder, self.plan)
            for name, companion in self.checkpoint.companions().items()
        }
        decoder = Decoder(self.parts, ops)
        return Prepared(ops=ops, model=self.parts, decoder=decoder, arithmetic=arithmetic, **encoders)
