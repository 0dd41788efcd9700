"""An alignment in words: the position of the log, its error bound, and the figures of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.aligning.align import Aligned

__all__ = ["alignment_document", "alignment_lines"]

_SHOWN_ROWS = 3


def alignment_lines(found: Aligned) -> Iterator[str]:
    """Yield the lines of `ttsa align`."""
    log, mapping = found.log, found.mapping
    yield f"log       {log.dialect}, column {safe(log.column)}, {len(log.t_ns)} readings, every {_s(log.period_ns)}"
    for row in log.left_out[:_SHOWN_ROWS]:
        yield f"          skipped: {safe(row)}"
    if len(log.left_out) > _SHOWN_ROWS:
        yield f"          skipped: {len(log.left_out) - _SHOWN_ROWS} more rows"
    yield f"method    {mapping.method}, against {safe(mapping.against)}"
    first = _s(mapping.to_run_ns(log.t_ns[0]))
    yield f"position  the first reading is at {first} of the run's timebase, \N{PLUS-MINUS SIGN}{_s(mapping.bound_ns)}"
    for name, ns in mapping.terms:
        yield f"          {_s(ns)}  {name}"
    if mapping.lacks:
        yield f"          not measured, so the true bound is larger: {', '.join(map(safe, mapping.lacks))}"
    if mapping.drift_error_ppb is not None:
        yield f"drift     {_drift(mapping.drift_ppb, mapping.drift_error_ppb)}"
    if mapping.ambiguity is not None and mapping.residual_mw is not None:
        yield f"fit       residual {mapping.residual_mw / 1000:.3f} W, second place {mapping.ambiguity:.0%} of the best"
    yield from _figures(found)


def _figures(found: Aligned) -> Iterator[str]:
    figures = found.figures
    yield f"run       {_s(found.t_last_token_ns - found.t_submit_ns)}, {figures.readings} readings within it"
    if figures.why:
        yield f"power     none: {figures.why}"
    else:
        yield f"power     mean {_pm(figures.mean_mw, figures.mean_error_mw, 'W')}"
        yield f"peak      {_pm(figures.peak_mw, figures.peak_error_mw, 'W')}"
        yield f"energy    {_pm(figures.energy_mj, figures.energy_error_mj, 'J')}"
    yield f"          mean of the whole log, which is not the run's: {_milli(figures.naive_mean_mw)} W"


def alignment_document(found: Aligned) -> dict[str, Any]:
    """Return the same as a JSON value: integers in the units that their names state."""
    log, mapping, figures = found.log, found.mapping, found.figures
    return {
        "log": {
            "dialect": log.dialect,
            "column": log.column,
            "digest": log.digest,
            "readings": len(log.t_ns),
            "period_ns": log.period_ns,
            "left_out": list(log.left_out),
        },
        "mapping": {
            "method": str(mapping.method),
            "against": mapping.against,
            "offset_ns": mapping.offset_ns,
            "anchor_ns": mapping.anchor_ns,
            "drift_ppb": mapping.drift_ppb,
            "drift_error_ppb": mapping.drift_error_ppb,
            "bound_ns": mapping.bound_ns,
            "terms": [{"of": name, "ns": ns} for name, ns in mapping.terms],
            "lacks": list(mapping.lacks),
            "ambiguity": mapping.ambiguity,
            "residual_mw": mapping.residual_mw,
        },
        "run": {"t_submit_ns": found.t_submit_ns, "t_last_token_ns": found.t_last_token_ns},
        "figures": {
            "readings": figures.readings,
            "covered": figures.covered,
            "mean_mw": figures.mean_mw,
            "mean_error_mw": figures.mean_error_mw,
            "peak_mw": figures.peak_mw,
            "peak_error_mw": figures.peak_error_mw,
            "energy_mj": figures.energy_mj,
            "energy_error_mj": figures.energy_error_mj,
            "naive_mean_mw": figures.naive_mean_mw,
            "why": figures.why or None,
        },
    }


def _drift(ppb: int, error_ppb: int) -> str:
    """Return a drift with how far it may be off, or what would have to be exceeded for there to be one."""
    error = f"{error_ppb / 1000:.3f} ppm"
    if abs(ppb) <= error_ppb:
        return f"not resolved, within ±{error}"
    return f"{ppb / 1000:+.3f} ppm ±{error}"


def _s(ns: int) -> str:
    return f"{ns / 1e9:.4f} s"


def _milli(value: int | None) -> str:
    return "none" if value is None else f"{value / 1000:.3f}"


def _pm(value: int | None, error: int | None, unit: str) -> str:
    return f"{_milli(value)} {unit} \N{PLUS-MINUS SIGN}{_milli(error)} {unit}"
