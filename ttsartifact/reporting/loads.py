"""What a load came to, for eyes and for machines; numbers are rounded here and nowhere before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.reporting.terminal import safe
from ttsartifact.serving.summing import PROBABILITIES, QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttsartifact.serving.company import TextCompared
    from ttsartifact.serving.summing import LoadGroup, Quantile, Summary

__all__ = ["METHOD", "company_lines", "summary_lines", "summary_value"]

METHOD = (
    "Latencies are of the requests that came back as audio: from the schedule of an open load, from the request of a "
    "closed one. Quantiles are quantile_cont; [ ] holds the 95 % interval by order statistics (binomial, "
    "distribution-free), - where the values are too few to bound it (p95 needs 72, p99 368)."
)
_MOST_TOLD = 10


def summary_lines(found: Summary) -> Iterator[str]:
    """Yield the statistics of every group, how the requests ended, and what disagrees."""
    rows = f"{found.rows} rows of the attempts table" if found.rows else "no attempts table: refusals are not known"
    yield f"{found.runs} artifacts, {rows}"
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
        counted = f"{each.alone} alone, {each.in_company} in company"
        yield f"{each.text_digest[:19]}...: {_OUTCOMES[each.outcome]} ({counted}{_difference(each)})"


_OUTCOMES = {
    "same": "the same samples",
    "depends_on_load": "the samples depend on the load",
    "not_repeatable": "the samples differ even alone",
    "not_compared": "not compared",
}


def _difference(found: TextCompared) -> str:
    if found.run_id is None:
        return ""
    place = "" if found.frame is None else f" from frame {found.frame} on, in its chunk {found.chunk}"
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
    yield f"{_label(group)}: {total} requests, {ended or 'none counted'}{warm}"
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
