"""What a checkpoint holds, once its bytes have been compared with their digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from reference_runner.frontend.phones import PhoneSequence
    from reference_runner.model.model import StableTts


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PriorSample:
    """An utterance of the training corpus that lends its manner, and its voice where none is given."""

    name: str
    phones: PhoneSequence
    codes: np.ndarray
    """int64 (P,)."""
    log_mel: np.ndarray
    """float64 (L, M), not normalised."""
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """A model ready to run and what it says of itself."""

    name: str
    digest: str
    """sha256 of the file or files."""
    model: StableTts
    priors: tuple[PriorSample, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
