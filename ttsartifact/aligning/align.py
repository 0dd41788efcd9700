"""Align one log with one run: the mapping, and the power and energy within the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttsartifact.aligning.fitting import burst_of, load_of, window_of
from ttsartifact.aligning.log import TimeBase
from ttsartifact.aligning.methods import by_clock, by_hand, by_load, by_markers
from ttsartifact.aligning.power import Assumed, Figures, Mapping, Method, figures_of
from ttsartifact.errors import Refused

if TYPE_CHECKING:
    from ttsartifact.aligning.fitting import StepFunction
    from ttsartifact.aligning.log import SensorLog
    from ttsartifact.reading.artifact import Artifact

__all__ = ["Aligned", "Wanted", "align"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a log is to be aligned. Without a method the best that the log allows is taken."""

    method: Method | None = None
    drift: bool = False
    marks: tuple[str, str] | None = None
    offset_ns: int | None = None
    bound_ns: int | None = None
    assumed: Assumed = field(default_factory=Assumed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """A log on the run's timebase."""

    log: SensorLog
    mapping: Mapping
    figures: Figures
    t_submit_ns: int
    t_last_token_ns: int
    load: StepFunction
    """What the run recorded about itself, for the eye."""


def align(artifact: Artifact, log: SensorLog, wanted: Wanted | None = None) -> Aligned:
    """Put `log` on the timebase of the run; raises Refused where no method holds.

    Example:
        found = align(open_artifact("run.tts.wav"), read_log("power.csv", Columns(zone="UTC")))
        found.mapping.offset_ns, found.mapping.bound_ns, found.figures.energy_mj

    """
    wanted = wanted or Wanted()
    submit, last = window_of(artifact)
    mapping = _mapping(artifact, log, wanted)
    return Aligned(
        log=log,
        mapping=mapping,
        figures=figures_of(log, mapping, submit, last),
        t_submit_ns=submit,
        t_last_token_ns=last,
        load=_shown(artifact, mapping),
    )


def _shown(artifact: Artifact, mapping: Mapping) -> StepFunction:
    """Return the load that the log was fitted to, else what the run recorded about itself."""
    burst = burst_of(artifact)
    return burst if burst is not None and burst.name == mapping.against else load_of(artifact)


def _mapping(artifact: Artifact, log: SensorLog, wanted: Wanted) -> Mapping:
    method = wanted.method or (Method.CLOCK if log.base is TimeBase.UTC else Method.LOAD_FIT)
    if method is Method.CLOCK:
        return by_clock(artifact, log, wanted.assumed)
    if method is Method.LOAD_FIT:
        return by_load(artifact, log, wanted.assumed, drift=wanted.drift)
    if method is Method.MARKERS:
        return by_markers(artifact, log, wanted.assumed, wanted.marks)
    if wanted.offset_ns is None or wanted.bound_ns is None:
        raise Refused(
            "a mapping by hand needs its offset and its bound",
            where="--method manual",
            expected="--offset-ms, --bound-ms",
        )
    return by_hand(log, wanted.offset_ns, wanted.bound_ns)
