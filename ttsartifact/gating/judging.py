"""A run that is described but not yet written, as a gate looks at it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ttsartifact.container.floats import samples_of
from ttsartifact.gating.deciding import gate_of
from ttsartifact.gating.metrics import GatedRun
from ttsartifact.terms.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.container import riff
    from ttsartifact.container.source import Piece
    from ttsartifact.terms.policy import Policy
    from ttsartifact.terms.trace import Trace

__all__ = ["judged", "measured"]


def judged(
    policy: Policy, value: dict[str, Any], chunks: Trace | None, audio: Sequence[Piece], wave: riff.Riff | None
) -> dict[str, Any]:
    """Return /gate of a run that is being packed; `value` is its descriptor with /audio. No score is known yet."""
    return gate_of(policy, measured(value, chunks, audio, wave))


def measured(value: dict[str, Any], chunks: Trace | None, audio: Sequence[Piece], wave: riff.Riff | None) -> GatedRun:
    """Return a run as the metrics look at it; its samples are read once, when first needed."""
    return GatedRun(descriptor=Descriptor(b"", value), chunks=chunks, samples=cache(lambda: samples_of(audio, wave)))
