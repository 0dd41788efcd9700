"""A run before it is packed: what was recorded, without what follows from the bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttsartifact.terms.policy import Policy
    from ttsartifact.terms.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything that the recorder knows.

    `descriptor` has every section of the schema except `level`, `traces` and `audio`; packing computes those.
    `audio` holds what only the recorder can know of the audio: `roles`, `encoder`, `clipped_samples`, `decoded`.
    """

    descriptor: dict[str, Any]
    audio: dict[str, Any] = field(default_factory=dict)
    traces: tuple[Trace, ...] = ()
    """Packing digests each chunk in the pass that digests the file; `pcm_sha256` of a given chunk log is replaced."""
    references: dict[int, bytes] = field(default_factory=dict)
    """Bytes of the reference clips that are embedded, by their index in /input/refs."""
    lock: bytes | None = None
    """The lines that /pins/lock digests, where they are kept (clause 5.8)."""
    leaves: bool = False
    """Whether packing digests each MiB of the bare file too (clause 8.10)."""
    policy: Policy | None = None
    """The gate that judges the run when it is packed; /gate is then written by it (clause 6.8)."""
