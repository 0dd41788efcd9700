"""Where the readings of a log lie on the run's timebase, and how far they may lie from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ASSUMED_LAG_NS", "ASSUMED_SYNC_NS", "Assumed", "Mapping", "Method"]

ASSUMED_SYNC_NS = 400_000_000
"""How far the clock of a log may be from UTC where it is not stated: the difference that MLPerf Power allows."""
ASSUMED_LAG_NS = 200_000_000
"""How late a meter may show what it measures where it is not stated; no fit can see that."""
_PPB = 1_000_000_000


class Method(StrEnum):
    """How a log is put on the run's timebase."""

    CLOCK = "clock"
    """Both state UTC."""
    LOAD_FIT = "load-fit"
    """The log's power follows the load that the run recorded about itself."""
    MARKERS = "markers"
    """Begin and end of the run are marked in the log."""
    MANUAL = "manual"
    """The user states the offset and its bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What no file states: how late the meter shows, and how far the log's clock is from UTC. None where not stated."""

    lag_ns: int | None = None
    sync_ns: int | None = None

    @property
    def lag(self) -> int:
        """The lag that counts."""
        return ASSUMED_LAG_NS if self.lag_ns is None else self.lag_ns

    @property
    def sync(self) -> int:
        """The distance from UTC that counts."""
        return ASSUMED_SYNC_NS if self.sync_ns is None else self.sync_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """t_run = t_log + offset + drift * (t_log - anchor), within `bound_ns` for every reading within the run.

    `drift_error_ppb` is how far the drift may be off: one that is not greater is not resolved. None where no drift was
    measured. `ambiguity` is the second-best place of a fit as a share of the best one: 0 where there is no other, 1
    where they are equal. `residual_mw` is the root mean square of what the fit leaves. `terms` names what the bound is
    the sum of, and `lacks` the terms that were not measured: with any of them the true bound is larger.
    """

    method: Method
    offset_ns: int
    anchor_ns: int
    bound_ns: int
    drift_ppb: int = 0
    drift_error_ppb: int | None = None
    ambiguity: float | None = None
    residual_mw: int | None = None
    against: str = ""
    terms: tuple[tuple[str, int], ...] = ()
    lacks: tuple[str, ...] = ()

    def to_run_ns(self, t_ns: int) -> int:
        """Return where a time of the log lies on the run's timebase."""
        return t_ns + self.offset_ns + self.drift_ppb * (t_ns - self.anchor_ns) // _PPB
