"""How fast the runs say that they were; comparable between two sets of weights on one idle machine only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

import ttsartifact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Speed", "speed_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """Medians over runs."""

    runs: int
    rtf: float
    """From submission to the last token, over the duration of the sound."""
    first_chunk_s: float
    """From submission to the first token."""

    def to_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def speed_of(paths: Iterable[Path]) -> Speed | None:
    """Return the medians over artifacts; None without one."""
    rtfs, firsts = [], []
    for path in paths:
        known = ttsartifact.open(path).descriptor.known
        submitted = known("/run/times/t_submit_ns")
        frames, rate_hz = known("/audio/frames"), known("/audio/sample_rate_hz")
        rtfs.append((known("/run/times/t_last_token_ns") - submitted) / 1e9 / (frames / rate_hz))
        firsts.append((known("/run/times/t_first_token_ns") - submitted) / 1e9)
    return Speed(runs=len(rtfs), rtf=median(rtfs), first_chunk_s=median(firsts)) if rtfs else None
