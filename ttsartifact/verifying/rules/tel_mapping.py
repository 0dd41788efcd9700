"""Logs of other instruments (clause 6.4): whether a mapping is the one that the run's own clocks give."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.timebase import drift_ns, snapshots_of, utc_bound
from ttsartifact.terms import digest
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []

_BURST = "sync_burst"
_PPB = 1_000_000_000


@rule("TEL27")
def recomputed_mapping(evidence: Evidence) -> Answer:
    mapped = [
        (f"{where}/mapping", each["mapping"]) for where, each in entries(evidence, "/channels") if "mapping" in each
    ]
    faults = []
    for where, mapping in mapped:
        total = sum(term["ns"] for term in mapping["terms"])
        if mapping["bound_ns"] != total:
            faults.append(_otherwise(f"{where}/bound_ns", mapping["bound_ns"], f"{total}, the sum of its terms"))
        if mapping["against"] == _BURST and all(each["name"] != _BURST for _, each in entries(evidence, "/channels")):
            faults.append(_otherwise(f"{where}/against", _BURST, "a channel of this name"))
        if mapping["method"] == "clock":
            faults += _by_clock(evidence, where, mapping)
    return faults if mapped else NotApplicable("no foreign log")


@rule("TEL28")
def carried_log(evidence: Evidence) -> Answer:
    held = [each["name"] for _, each in entries(evidence, "/traces") if each["name"].startswith("log/")]
    mapped = {each["name"]: each["mapping"]["log"] for _, each in entries(evidence, "/channels") if "mapping" in each}
    faults = []
    for name in held:
        trace, stated = evidence.trace(name), mapped.get(name.removeprefix("log/"))
        if trace is None:
            continue
        try:
            data = b"".join(base64.b64decode(each, validate=True) for each in trace.columns["bytes"])
        except ValueError as error:
            faults.append(Mismatch(where=f"trace/{name}", found=str(error), message="the log is not base64"))
            continue
        found = {"digest": digest.of(data), "size": len(data)}
        expected = None if stated is None else {key: stated[key] for key in found}
        if found != expected:
            message = "the mapping belongs to a different log"
            faults.append(Mismatch(where=f"trace/{name}", found=found, expected=expected, message=message))
    return faults if held else NotApplicable("no log travels in the artifact")


def _by_clock(evidence: Evidence, where: str, mapping: dict[str, Any]) -> Iterator[Mismatch]:
    """Yield what a mapping by UTC says otherwise than the run's snapshots of UTC do."""
    timebase = evidence.known("/timebase")
    places = snapshots_of(timebase)
    if not places:
        yield _otherwise(f"{where}/method", "clock", "a snapshot of UTC, or a different method")
        return
    expected = int(mapping["anchor"]["log_ns"]) - places[0].offset_ns
    if mapping["anchor"]["t_ns"] != expected:
        yield _otherwise(
            f"{where}/anchor/t_ns", mapping["anchor"]["t_ns"], f"{expected}, from the first snapshot of UTC"
        )
    gained, over = drift_ns(places[0], places[-1]), places[-1].t_ns - places[0].t_ns
    drift = -gained * _PPB // over if over else 0
    if mapping["drift_ppb"] != drift:
        yield _otherwise(f"{where}/drift_ppb", mapping["drift_ppb"], f"{drift}, from the snapshots of UTC")
    start, end = evidence.known("/run/times/t_submit_ns"), evidence.known("/run/times/t_last_token_ns")
    bound = utc_bound(timebase, start, end)
    if bound is not None and mapping["bound_ns"] < bound.ns:
        yield _otherwise(
            f"{where}/bound_ns", mapping["bound_ns"], f"at least {bound.ns}, the run's own distance from UTC"
        )


def _otherwise(where: str, found: Any, expected: str) -> Mismatch:
    return Mismatch(
        where=where, found=found, expected=expected, message="the mapping is not the one that the run's clocks give"
    )
