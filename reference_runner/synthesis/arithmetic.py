"""The arithmetic of a run: what was asked for, what it got and why, and the networks made ready for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from reference_runner.synthesis.decoding import Decoder, Means
from reference_runner.synthesis.request import Compiled, Numerics, SynthesisRequest
from reference_runner.synthesis.voice import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_runner.model.model import Parts

__all__ = ["Arithmetic", "Prepared", "Setting", "settle_native"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What has to be prepared once for the runs that share it."""

    numerics: Numerics = Numerics.EXACT
    device: str = "cpu"
    means: Means = field(default_factory=Means)

    @classmethod
    def of(cls, requests: Sequence[SynthesisRequest]) -> Setting:
        """Return the setting of the requests of one batch."""
        first = requests[0]
        shape = {}
        compiled = first.compiled
        if first.numerics is Numerics.EXACT and first.device != "cpu":
            compiled = Compiled.GRAPHS  # the numbers are the same, and a launch each would take longer than the work
        if compiled is not Compiled.NONE:
            shape = {"items": len(requests), "frames": first.chunk.window_frames, "steps": first.steps}
        means = Means(precision=first.precision, compiled=compiled, **shape)
        return cls(numerics=first.numerics, device=first.device, means=means)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arithmetic:
    """The profile a run was asked for, the one it got, and why."""

    requested: Numerics
    used: Numerics
    device: str
    carrier: str
    known_answers_digest: str | None
    """None where none were asked: a native run."""
    known_answers_failed: tuple[str, ...]
    weights_digest: str | None
    """Of the quantised integers, for `exact`."""
    partial_sum_bits: float | None
    """The certificate: no partial sum leaves 2**this."""
    means: Means = field(default_factory=Means)
    """How the run decodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A setting made ready: the operations that plan, the networks where they lie, and what decodes."""

    ops: Any
    model: Parts
    decoder: Decoder
    arithmetic: Arithmetic
    contour_encoder: Any = None
    """Called as `ContourEncoder`; None for a checkpoint that has none."""
    voice_encoder: Any = None
    """Called as `VoiceEncoder`; likewise."""
    kept: Kept = field(default_factory=Kept)
    """Of the prior samples that have spoken, or been compared with a voice."""


def settle_native() -> None:
    """Set torch so that it repeats itself where it can; the settings are recorded with the environment."""
    # The host program may have asked torch for short products, and torch refuses to mix its two ways to ask.
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
