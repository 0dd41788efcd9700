"""Align one log with one run: the mapping, power and energy within it, and the picture of both."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ttsartifact.aligning.fitting import burst_of, load_of, window_of
from ttsartifact.aligning.log import TimeBase
from ttsartifact.aligning.methods import by_clock, by_hand, by_load, by_markers
from ttsartifact.aligning.power import Assumed, Figures, Mapping, Method, as_power, figures_of
from ttsartifact.container.source import write_whole
from ttsartifact.errors import Refused, Unavailable
from ttsartifact.terms.trace import SYNC_BURST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttsartifact.aligning.fitting import StepFunction
    from ttsartifact.aligning.log import SensorLog
    from ttsartifact.reading.artifact import Artifact


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
    answering: tuple[Method, ...] = ()
    """Where there are no figures: the other methods by which the log gives them."""


def align(artifact: Artifact, log: SensorLog, wanted: Wanted | None = None) -> Aligned:
    """Put `log` on the timebase of the run; raises Refused where no method holds.

    Example:
        found = align(open_artifact("run.tts.wav"), read_log("power.csv", Columns(zone="UTC")))
        found.mapping.offset_ns, found.mapping.bound_ns, found.figures.energy_mj

    """
    wanted = wanted or Wanted()
    submit, last = window_of(artifact)
    mapping = _mapping(artifact, log, wanted)
    figures = figures_of(log, mapping, submit, last)
    return Aligned(
        log=log,
        mapping=mapping,
        figures=figures,
        answering=tuple(_answering(artifact, log, wanted, mapping.method, (submit, last))) if figures.why else (),
        t_submit_ns=submit,
        t_last_token_ns=last,
        load=_shown(artifact, mapping),
    )


def _answering(
    artifact: Artifact, log: SensorLog, wanted: Wanted, used: Method, window: tuple[int, int]
) -> Iterator[Method]:
    for method in (Method.CLOCK, Method.LOAD_FIT, Method.MARKERS):
        if method is not used:
            with contextlib.suppress(Refused):
                mapping = _mapping(artifact, log, replace(wanted, method=method))
                if not figures_of(log, mapping, *window).why:
                    yield method


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


_WATTS_OF = {"power_mw": 1000.0}
_LABELS = {
    "power_mw": "the run's own power (W)",
    "util_gpu_pct": "the run's own utilisation (%)",
    SYNC_BURST: "the coded load around the run (1 is loaded)",
}
_MARGIN = 0.6


def draw(found: Aligned, out: Path | str, *, replace: bool = False) -> None:
    """Write a PNG: the log's power on the run's time axis, the run's own load, the window and the bound.

    Raises Unavailable without matplotlib, Refused when `out` exists.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unavailable("a picture needs matplotlib", expected="pip install 'ttsartifact[analysis]'") from error
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    _fill(figure.add_subplot(), found)
    with write_whole(out, replace=replace) as file:
        figure.savefig(file, format="png", dpi=110)


def _fill(axes: Any, found: Aligned) -> None:
    mapping, log = found.mapping, found.log
    start, stop = found.t_submit_ns / 1e9, found.t_last_token_ns / 1e9
    times, values = as_power(log)
    at = [mapping.to_run_ns(t) / 1e9 for t in times]
    axes.axvspan(start, stop, color="0.92", label="t_submit to t_last_token")
    for edge in (start, stop):
        reach = mapping.bound_ns / 1e9
        label = f"bound: \N{PLUS-MINUS SIGN}{reach:.3f} s" if edge == start else None
        axes.axvspan(edge - reach, edge + reach, color="tab:orange", alpha=0.15, linewidth=0, label=label)
    marker = "." if len(at) < 2000 else ""
    axes.plot(at, [v / 1000 for v in values], color="tab:red", marker=marker, label=f"{log.dialect}: {log.column}")
    handles, labels = axes.get_legend_handles_labels()
    own = _own(axes, found)
    axes.set_xlabel("time on the run's timebase (s)")
    axes.set_ylabel("power of the log (W)")
    axes.set_title(f"{mapping.method} against {mapping.against}", fontsize="medium")
    margin = _MARGIN * (stop - start) + mapping.bound_ns / 1e9
    first, last = (found.load.t_ns[place] / 1e9 for place in (0, -1)) if found.load.gaps_ns else (start, stop)
    axes.set_xlim(min(first, start - margin), max(last, stop + margin))
    axes.figure.legend(
        [*handles, *own[0]], [*labels, *own[1]], loc="outside lower center", ncols=2, fontsize="small"
    )  # fmt: skip


def _own(axes: Any, found: Aligned) -> tuple[list[Any], list[str]]:
    """Draw what the run recorded about itself: power on the same axis, anything else on an axis of its own."""
    load = found.load
    label = _LABELS.get(load.name, f"the run's load: {load.name} (1 is computing)")
    scale = _WATTS_OF.get(load.name, 1.0)
    target = axes if load.name in _WATTS_OF else axes.twinx()
    if target is not axes:
        target.set_ylabel(label)
    # The level that led up to a time is the one drawn before it.
    unknown = {begin for begin, _ in load.gaps_ns}
    level = [load.level[0]]
    level += [math.nan if t in unknown else value for t, value in zip(load.t_ns, load.level, strict=False)]
    (line,) = target.step(
        [t / 1e9 for t in load.t_ns], [value / scale for value in level], where="pre", color="tab:blue", alpha=0.7
    )
    return [line], [label]
