"""Everything a run knows of itself when its last chunk has been taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from reference_runner.synthesis.arithmetic import Arithmetic
    from reference_runner.synthesis.stations import StationRecord

__all__ = ["Margin", "SynthesisReport"]

FRAGILE_MARGIN = 1e-4
"""A decision nearer than this to its boundary may fall otherwise on another stack (native only)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """How near a kind of decision came to falling otherwise."""

    smallest: float
    decisions: int
    """How many were taken."""
    phone: int
    """The place of the nearest one in the run."""

    @property
    def fragile(self) -> bool:
        """Whether another stack's rounding might decide otherwise."""
        return self.smallest < FRAGILE_MARGIN

    @classmethod
    def of(cls, margins: np.ndarray, first_phone: int) -> Margin:
        """Return the smallest of the margins (P,) of phones that begin at `first_phone`."""
        nearest = int(margins.argmin())
        return cls(smallest=float(margins[nearest]), decisions=len(margins), phone=first_phone + nearest)

    def with_more(self, other: Margin) -> Margin:
        """Return the margin of both kinds of decisions together; the earlier of equals is kept."""
        best = other if other.smallest < self.smallest else self
        return Margin(smallest=best.smallest, decisions=self.decisions + other.decisions, phone=best.phone)


@dataclass(frozen=True, kw_only=True, slots=True)
class SynthesisReport:
    """Everything a run knows of itself; the durations and clocks are the recorder's business."""

    arithmetic: Arithmetic
    checkpoint_digest: str
    checkpoint_name: str
    front_end: Mapping[str, str]
    seed: int
    stage_seeds: Mapping[str, int]
    steps: int
    temperature: float
    prosody_temperature: float
    prompt: Mapping[str, object]
    voice: str
    """"references", or which prior sample lent its voice."""
    references: tuple[Mapping[str, object], ...]
    chunk_plan: Mapping[str, int]
    batch_size: int
    batch_place: int
    batch_shapes: tuple[tuple[int, int], ...]
    """(items, frames) of every batch the decoder ran, padding included: part of the conditions of a native run."""
    stage_hashes: Mapping[str, str]
    """noise, phones, codes, durations, mel, pcm; in this order the first that differs says where two runs part."""
    stations: tuple[StationRecord, ...]
    code_margin: Margin
    duration_margin: Margin
    sentences: tuple[str, ...]
    out_of_vocabulary: tuple[str, ...]
    phones: int
    frames: int
    samples: int
    saturated: Mapping[str, int]
    """Activations limited to +-2**7, by operation; over the whole batch."""
    clipped_samples: int
    self_repeat: str
    """"equal", "differs", or "not_measured" (an exact run, or one that was not to be repeated)."""

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON values; margins and temperatures are its only fractions."""
        values = asdict(self)
        values["references"] = [dict(reference) for reference in self.references]
        values["fragile_decisions"] = self.code_margin.fragile or self.duration_margin.fragile
        return values
