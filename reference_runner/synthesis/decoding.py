"""What runs for every chunk, noise to mel and mel to samples: in which precision, and by which means.

Codes, durations, style, mean and noise come before and are float32 in every precision of `native`, so that no choice
hangs on a short product. What is asked for and not here is refused: a silent float32 would be a false condition.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import subprocess
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from reference_runner.errors import DeviceUnavailable
from reference_runner.model.blocks import Convolution, Depthwise, Linear
from reference_runner.model.features import FEATURE_SETTINGS
from reference_runner.model.style_adaptive_encoder import EncodedFrames
from reference_runner.numerics.native import DecodingOps
from reference_runner.synthesis.capturing import Captured, CapturedCodes, fitting
from reference_runner.synthesis.request import Compiled, Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reference_runner.model.model import Parts, StableTts
    from reference_runner.model.prosody_language_model import DecodedProsody, ProsodyPrompt
    from reference_runner.numerics.ops import Activation, Mask, Ops

__all__ = ["Decoder", "Means", "compiler_version", "make_decoder", "refuse_what_is_not_here"]

TENSOR_CORES = (8, 0)
"""The CUDA compute capability from which on TF32 and bfloat16 are kinds of product and not emulations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """How a run decodes; `exact` has one precision, and on CUDA its operations are captured in graphs."""

    precision: Precision = Precision.FLOAT32
    compiled: Compiled = Compiled.NONE
    items: int = 0
    """The shape that is compiled for: items, frames and steps; 0 where nothing is compiled."""
    frames: int = 0
    steps: int = 0


class Decoder:
    """Both networks as they stand, an operation a call."""

    def __init__(self, model: Parts, ops: Ops) -> None:
        self.model, self.ops = model, ops

    def codes(self, text: Activation, prompt: ProsodyPrompt | None, noise: Activation | None = None) -> DecodedProsody:
        """Choose the codes of text vectors (1, P, C), continuing the prompt; noise (1, P, K) is added to the logits."""
        decoded: DecodedProsody = self.model.prosody_language_model.decode(self.ops, text, prompt, noise)
        return decoded

    def shape(self, items: int, frames: int) -> tuple[int, int]:
        """Return the shape that a batch of so many windows is computed in."""
        return items, frames

    def refine(
        self, noise: Activation, frames: EncodedFrames, style: Activation, *, steps: int, mask: Mask | None = None
    ) -> Activation:
        """Noise (B, L, M) around the mean to a mel (B, L, M)."""
        return self.model.refine(self.ops, noise, frames, style, steps=steps, mask=mask)

    def sound(self, mel: Activation, mask: Mask | None = None) -> Activation:
        """Mel (B, L, M) to samples (B, L * hop)."""
        return self.model.vocoder(self.ops, mel, mask)


class Tf32Decoder(Decoder):
    """The same, while products may drop the last 13 bits of their operands."""

    def refine(
        self, noise: Activation, frames: EncodedFrames, style: Activation, *, steps: int, mask: Mask | None = None
    ) -> Activation:
        """Noise (B, L, M) around the mean to a mel (B, L, M)."""
        with _tf32():
            return super().refine(noise, frames, style, steps=steps, mask=mask)

    def sound(self, mel: Activation, mask: Mask | None = None) -> Activation:
        """Mel (B, L, M) to samples (B, L * hop)."""
        with _tf32():
            return super().sound(mel, mask)


class FixedDecoder(Decoder):
    """Both networks at one shape, made once; what is smaller is padded to it and masked."""

    def __init__(self, model: StableTts, ops: Ops, means: Means) -> None:
        super().__init__(model, ops)
        self.means = means
        self._device, self._dtype = ops.device, ops.dtype  # type: ignore[attr-defined]
        self._captured_codes: dict[int, CapturedCodes] = {}
        self._precisely = _tf32 if means.precision is Precision.TF32 else nullcontext
        self._refine: Callable[..., torch.Tensor] = self._eager_refine
        self._sound: Callable[..., torch.Tensor] = self._eager_sound
        examples = self._examples()
        with torch.inference_mode(), self._precisely():
            if means.compiled is Compiled.COMPILE:
                self._compile(examples)
            else:
                # Once without a graph: the schedule's constants must be on the device before anything is captured.
                self._eager_refine(*examples)
                if means.steps:
                    self._refine = Captured(self._eager_refine, examples)
                self._sound = Captured(self._eager_sound, (examples[0], examples[-1]))

    def codes(self, text: Activation, prompt: ProsodyPrompt | None, noise: Activation | None = None) -> DecodedProsody:
        """Choose the codes of text vectors (1, P, C), continuing the prompt; a launch a code where graphs are made."""
        if self.means.compiled is not Compiled.GRAPHS:
            return super().codes(text, prompt, noise)
        length = fitting(text.shape[1] + (0 if prompt is None else prompt.text.shape[1]))
        if length not in self._captured_codes:
            made = CapturedCodes(self.model, self.ops, length, device=self._device, dtype=self._dtype)
            self._captured_codes[length] = made
        return self._captured_codes[length].decode(text, prompt, noise)

    def shape(self, items: int, frames: int) -> tuple[int, int]:
        """Return the one shape."""
        del items, frames
        return self.means.items, self.means.frames

    def refine(
        self, noise: Activation, frames: EncodedFrames, style: Activation, *, steps: int, mask: Mask | None = None
    ) -> Activation:
        """Noise (B, L, M) around the mean to a mel (B, L, M)."""
        assert steps == self.means.steps
        items, length = noise.shape[:2]
        whole = [self._padded(x) for x in (noise, frames.mean, frames.hidden)]
        style = functional.pad(style, (0, 0, 0, self.means.items - items))
        with self._precisely():
            return self._refine(*whole, style, self._mask(items, length, mask))[:items, :length]

    def sound(self, mel: Activation, mask: Mask | None = None) -> Activation:
        """Mel (B, L, M) to samples (B, L * hop)."""
        items, length = mel.shape[:2]
        with self._precisely():
            made = self._sound(self._padded(mel), self._mask(items, length, mask))
        return made[:items, : length * FEATURE_SETTINGS.hop_samples]

    def _compile(self, examples: tuple[torch.Tensor, ...]) -> None:
        self.model.score_decoder = torch.compile(self.model.score_decoder, fullgraph=True, dynamic=False)
        self.model.vocoder = torch.compile(self.model.vocoder, fullgraph=True, dynamic=False)
        self._sound(self._refine(*examples), examples[-1])

    def _eager_refine(
        self, noise: torch.Tensor, mean: torch.Tensor, hidden: torch.Tensor, style: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        frames = EncodedFrames(mean=mean, hidden=hidden)
        refined: torch.Tensor = self.model.refine(self.ops, noise, frames, style, steps=self.means.steps, mask=mask)
        return refined

    def _eager_sound(self, mel: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.model.vocoder(self.ops, mel, mask)
        return made

    def _examples(self) -> tuple[torch.Tensor, ...]:
        """Return noise, mean, hidden, style and mask of the one shape, all of them nothing."""
        items, length, config = self.means.items, self.means.frames, self.model.config
        bands = FEATURE_SETTINGS.mel_bands
        place = {"dtype": self._dtype, "device": self._device}
        zeros = [torch.zeros(items, length, width, **place) for width in (bands, bands, config.hidden_channels)]
        style = torch.zeros(items, config.style_channels, **place)
        return *zeros, style, torch.ones(items, length, dtype=torch.bool, device=self._device)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        items, length = x.shape[:2]
        return functional.pad(x, (0, 0, 0, self.means.frames - length, 0, self.means.items - items))

    def _mask(self, items: int, length: int, mask: torch.Tensor | None) -> torch.Tensor:
        if mask is None:
            mask = torch.ones(items, length, dtype=torch.bool, device=self._device)
        return functional.pad(mask, (0, self.means.frames - length, 0, self.means.items - items))


def make_decoder(model: StableTts, device: torch.device, means: Means) -> Decoder:
    """Return the decoder of a model that lies on `device`; compiles, captures and warms up where that was asked."""
    if means.precision is Precision.BF16:
        model = _narrowed(model)
    elif means.compiled is Compiled.COMPILE:
        model = copy.deepcopy(model)  # its parts are replaced by compiled ones
    ops = DecodingOps(device=device)
    if means.compiled is not Compiled.NONE:
        return FixedDecoder(model, ops, means)
    return Tf32Decoder(model, ops) if means.precision is Precision.TF32 else Decoder(model, ops)


def refuse_what_is_not_here(means: Means, device: torch.device) -> None:
    """Raise DeviceUnavailable for a precision or a means that this machine does not have."""
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    found = "the CPU" if capability is None else f"compute capability {capability[0]}.{capability[1]}"
    least = ".".join(map(str, TENSOR_CORES))
    if means.precision is Precision.TF32 and (capability is None or capability < TENSOR_CORES):
        raise DeviceUnavailable(
            f"TF32 is a product of CUDA devices of compute capability {least} or more, got {found}",
            where="request.precision",
        )
    if means.precision is Precision.BF16 and capability is not None and capability < TENSOR_CORES:
        raise DeviceUnavailable(
            f"bfloat16 needs a CPU or compute capability {least} or more, got {found}", where="request.precision"
        )
    if means.compiled is Compiled.GRAPHS and capability is None:
        raise DeviceUnavailable("CUDA graphs need a CUDA device, got the CPU", where="request.compiled")
    if means.compiled is Compiled.COMPILE:
        if _cpp_compiler() is None:
            raise DeviceUnavailable(
                "torch.compile needs a C++ compiler: g++, or the one that CXX names", where="request.compiled"
            )
        if capability is not None and importlib.util.find_spec("triton") is None:
            raise DeviceUnavailable("torch.compile needs triton for a CUDA device", where="request.compiled")


def compiler_version() -> str:
    """Return what the C++ compiler says of itself; code that it makes is part of the conditions."""
    path = _cpp_compiler()
    if path is None:
        return "none"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return (said.splitlines() or ["unknown"])[0].strip()


def _cpp_compiler() -> str | None:
    return shutil.which(os.environ.get("CXX", "g++"))


def _narrowed(model: StableTts) -> StableTts:
    """Return a copy whose decoding networks hold the weights of their products in bfloat16.

    Norms stay float32, and so does the table of the inverse transform: what it loses is heard at once.
    """
    model = copy.deepcopy(model)
    for network in (model.score_decoder, model.vocoder):
        for module in network.modules():
            if isinstance(module, (Linear, Convolution, Depthwise)):
                module.to(torch.bfloat16)
    return model


@contextmanager
def _tf32() -> Iterator[None]:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
