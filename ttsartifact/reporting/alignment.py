"""What an alignment and a load came to, in words and for machines; numbers are rounded here and nowhere before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.phrases import counted
from ttsartifact.reporting.terminal import safe
from ttsartifact.serving.summing import PROBABILITIES, QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.aligning.align import Aligned
    from ttsartifact.serving.loading import TextCompared
    from ttsartifact.serving.summing import LoadGroup, Quantile, Summary

_SHOWN_ROWS = 3
_NO_METHOD = "no other method gives figures, unless you know the position: --method manual --offset-ms MS --bound-ms MS"


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
        methods = " or ".join(f"--method {method}" for method in found.answering)
        yield f"          {methods} gives figures" if methods else f"          {_NO_METHOD}"
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
            "answering_methods": list(map(str, found.answering)),
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


METHOD = (
    "Latencies are of the requests that came back as audio: from the schedule of an open load, from the request of a "
    "closed one. Quantiles are quantile_cont; [ ] holds the 95 % interval by order statistics (binomial, "
    "distribution-free), - where the values are too few to bound it (p95 needs 72, p99 368)."
)
_MOST_TOLD = 10


def summary_lines(found: Summary) -> Iterator[str]:
    """Yield the statistics of every group, how the requests ended, and what disagrees."""
    rows = (
        f"{counted(found.rows, 'row')} of the attempts table"
        if found.rows
        else "no attempts table: refusals are not known"
    )
    yield f"{counted(found.runs, 'artifact')}, {rows}"
    for group in found.groups:
        yield ""
        yield from _group_lines(group)
    yield ""
    yield METHOD
    for words in found.disagreements[:_MOST_TOLD]:
        yield f"disagrees: {safe(words)}"
    if len(found.disagreements) > _MOST_TOLD:
        yield f"disagrees: {len(found.disagreements) - _MOST_TOLD} more"


def company_lines(found: Sequence[TextCompared]) -> Iterator[str]:
    """Yield for each text whether its samples depend on the load of the server."""
    for each in found:
        sizes = f"{each.alone} alone, {each.in_company} in company"
        yield f"{each.text_digest[:19]}...: {_OUTCOMES[each.outcome]} ({sizes}{_difference(each)})"


_OUTCOMES = {
    "same": "the same samples",
    "depends_on_load": "the samples depend on the load",
    "not_repeatable": "the samples differ even alone",
    "not_compared": "not compared",
}


def _difference(found: TextCompared) -> str:
    if found.run_id is None:
        return ""
    place = "" if found.frame is None else f" from frame {found.frame} on"
    place += "" if found.chunk is None else f", in its chunk {found.chunk}"
    return f"; {found.differing} differ in company; run {safe(found.run_id)} differs{place}"


def summary_value(found: Summary) -> dict[str, Any]:
    """Return the statistics as JSON holds them; times in nanoseconds, nothing rounded."""
    return {
        "artifacts": found.runs,
        "attempts": found.rows,
        "groups": [
            {
                **group.label,
                "statuses": group.statuses,
                "warmups": group.warmups,
                "quantities": {
                    key: {"count": count, **{name: _value(each) for name, each in quantiles.items()}}
                    for key, (count, quantiles) in group.quantities.items()
                },
                "underrun_share": None if group.underrun_share is None else float(group.underrun_share),
                "audio_per_second": group.audio_per_second,
            }
            for group in found.groups
        ],
        "method": METHOD,
        "disagreements": list(found.disagreements),
    }


def _value(found: Quantile) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _group_lines(group: LoadGroup) -> Iterator[str]:
    total = sum(group.statuses.values())
    ended = ", ".join(f"{count} {status}" for status, count in sorted(group.statuses.items()))
    warm = f"; warm-up, not counted: {group.warmups}" if group.warmups else ""
    yield f"{_label(group)}: {counted(total, 'request')}, {ended or 'none counted'}{warm}"
    for status, reason in sorted(group.reasons.items()):
        yield f"  the first {status}: {safe(reason)}"
    if not group.quantities:
        return
    yield _row("", "n", *PROBABILITIES)
    for key, (count, quantiles) in group.quantities.items():
        unit = "" if key == "rtf" else " ms"
        yield _row(f"{QUANTITIES[key]}{unit}", str(count), *(_quantile(key, each) for each in quantiles.values()))
    if group.underrun_share is not None:
        share = group.underrun_share
        yield f"ran dry: {float(share):.1%} of the requests with a chunk log"
    if group.audio_per_second is not None:
        yield f"throughput: {group.audio_per_second:.3g} s of audio in a second"


def _label(group: LoadGroup) -> str:
    label = group.label
    rate = f", {label['rate_mhz'] / 1000:g} requests/s" if label["rate_mhz"] else ""
    flight = f", {label['concurrency']} in flight" if label["concurrency"] and not rate else ""
    engine = f", {safe(label['engine'] or 'engine not known')}" if "engine" in label else ""
    return f"{label['law']}{rate}{flight}{engine}"


def _quantile(key: str, found: Quantile) -> str:
    interval = (
        "-" if found.low is None or found.high is None else f"{_shown(key, found.low)}, {_shown(key, found.high)}"
    )
    return f"{_shown(key, found.value)} [{interval}]"


def _shown(key: str, value: float) -> str:
    return f"{value:.3f}" if key == "rtf" else f"{value / 1e6:.1f}"


def _row(first: str, count: str, *cells: str) -> str:
    return f"  {first:<16}{count:>5}  " + "".join(f"{cell:<26}" for cell in cells).rstrip()
