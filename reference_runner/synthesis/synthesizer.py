"""A checkpoint ready to speak: each profile and device is prepared once, and requests become speeches."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from reference_runner.errors import RequestError
from reference_runner.frontend.text_frontend import TextFrontEnd
from reference_runner.numerics import kat
from reference_runner.numerics.exact import ExactOps, find_device
from reference_runner.numerics.native import NativeOps
from reference_runner.numerics.weights import QuantisedWeights
from reference_runner.synthesis.arithmetic import Arithmetic, Prepared, Setting, settle_native
from reference_runner.synthesis.decoding import Decoder, FixedDecoder, Means, make_decoder, refuse_what_is_not_here
from reference_runner.synthesis.request import Compiled, Numerics, SynthesisRequest
from reference_runner.synthesis.run import Host
from reference_runner.synthesis.speech import Speech
from reference_runner.synthesis.transcription import Transcriber
from reference_runner.synthesis.voice import find_voice, hears_clips, keep_prior_styles, seeks_prior

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reference_runner.model.checkpoint import Checkpoint
    from reference_runner.model.model import StableTts
    from reference_runner.numerics.integers import IntegerOps
    from reference_runner.synthesis.stations import Hook, Station

__all__ = ["Synthesizer"]


class Synthesizer:
    """A checkpoint ready to speak; profiles and devices are prepared once and kept."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        front_end: TextFrontEnd | None = None,
        hooks: Mapping[Station, Hook] | None = None,
        exact_ops: Callable[[QuantisedWeights, str], IntegerOps] | None = None,
        native_ops: Callable[[str], NativeOps] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.front_end = front_end or TextFrontEnd()
        self.hooks = dict(hooks or {})
        self._make_exact = exact_ops or (lambda weights, device: ExactOps(weights, device=device))
        self._make_native = native_ops
        self._prepared: dict[Setting, Prepared] = {}
        self._placed: dict[torch.device, StableTts] = {torch.device("cpu"): checkpoint.model}

    def prepare(self, numerics: Numerics, device: str = "cpu") -> Arithmetic:
        """Make a profile ready; a machine that fails the known answers gets `native`, and the run says so."""
        return self.ready(Setting(numerics=numerics, device=device)).arithmetic

    def prepare_for(self, requests: Sequence[SynthesisRequest]) -> Arithmetic:
        """Make ready what these requests, as one batch, will need: compiled and warm where they ask for it.

        The voice of a prior sample is made too, and their styles where a clip is compared with them: constants of the
        checkpoint.
        """
        ready = self.ready(Setting.of(requests))
        transcriber = Transcriber(ready.model, ready.ops, self.front_end, voice_encoder=ready.voice_encoder)
        with torch.inference_mode():
            for request in requests:
                if not hears_clips(request):
                    find_voice(self.checkpoint, transcriber, request, ready.kept)
                elif seeks_prior(self.checkpoint, request):
                    keep_prior_styles(self.checkpoint, transcriber, ready.kept)
        return ready.arithmetic

    def ready(self, setting: Setting) -> Prepared:
        """Return a setting made ready, now or before; raises DeviceUnavailable for what is not here."""
        if setting not in self._prepared:
            refuse_what_is_not_here(setting.means, find_device(setting.device))
            self._prepared[setting] = self._prepare(setting)
        return self._prepared[setting]

    def _prepare(self, setting: Setting) -> Prepared:
        report = None
        if setting.numerics is Numerics.EXACT:
            weights = QuantisedWeights(self.checkpoint.model)
            companions = self.checkpoint.companions()
            for name, companion in companions.items():
                weights.lend(name, companion.encoder)
            report = kat.check(lambda fixed: self._make_exact(fixed, setting.device))
            if report.passed:
                ops = self._make_exact(weights, setting.device)
                arithmetic = Arithmetic(
                    requested=setting.numerics,
                    used=setting.numerics,
                    device=setting.device,
                    carrier=ops.carrier.name,
                    known_answers_digest=report.digest,
                    known_answers_failed=(),
                    weights_digest=weights.digest,
                    partial_sum_bits=weights.largest_partial_sum_bits,
                    means=setting.means,
                )
                model, captured = self.checkpoint.model, setting.means.compiled is Compiled.GRAPHS
                decoder = FixedDecoder(model, ops, setting.means) if captured else Decoder(model, ops)
                encoders = {name: companion.encoder for name, companion in companions.items()}
                return Prepared(ops=ops, model=model, decoder=decoder, arithmetic=arithmetic, **encoders)
        return self._prepare_native(setting, report)

    def _prepare_native(self, setting: Setting, report: kat.KnownAnswerReport | None) -> Prepared:
        device, means = find_device(setting.device), setting.means
        settle_native()
        if device not in self._placed:
            self._placed[device] = copy.deepcopy(self.checkpoint.model).to(device)
        model = self._placed[device]
        ops = self._make_native(setting.device) if self._make_native else NativeOps(device=device)
        plain = means == Means() and (device.type == "cpu" or self._make_native is not None)
        arithmetic = Arithmetic(
            requested=setting.numerics,
            used=Numerics.NATIVE,
            device=setting.device,
            carrier=f"torch {str(ops.dtype).removeprefix('torch.')}",
            known_answers_digest=report.digest if report else None,
            known_answers_failed=report.failed if report else (),
            weights_digest=None,
            partial_sum_bits=None,
            means=means,
        )
        decoder = Decoder(model, ops) if plain else make_decoder(model, device, means)
        companions = self.checkpoint.companions()
        encoders = {name: copy.deepcopy(companion.encoder).to(device) for name, companion in companions.items()}
        return Prepared(ops=ops, model=model, decoder=decoder, arithmetic=arithmetic, **encoders)

    def speak(self, request: SynthesisRequest) -> Speech:
        """Begin to speak one request; the speech is decoded as it is iterated."""
        return self.speak_together([request])

    def speak_together(self, requests: Sequence[SynthesisRequest]) -> Speech:
        """Begin to speak several requests as one batch; `Speech.together` yields (place, chunk)."""
        if not requests:
            raise RequestError("a batch has at least one request")
        shared = {(Setting.of([request]), request.steps, request.chunk) for request in requests}
        if len(shared) != 1:
            raise RequestError("the requests of a batch share numerics, device, precision, steps and chunk plan")
        host = Host(checkpoint=self.checkpoint, front_end=self.front_end, hooks=self.hooks)
        return Speech(host, list(requests), self.ready(Setting.of(requests)))
