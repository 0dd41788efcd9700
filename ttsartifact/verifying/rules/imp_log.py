"""The log of a controlled imperfection (clause 6.7): its draws replay, its events are within the audio.

Of method `ttsa-stages/1`, within an engine: what a file can show of it without the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Refused
from ttsartifact.formulas.conditions import stages_that_count
from ttsartifact.formulas.draws import probability, schedule, tails
from ttsartifact.formulas.text_events import STAGE_METHOD, TEXT_KINDS, perturb_text
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.imp_imperfection import NONE, at_row, layers_of, log_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_RANGE = ("src_start", "src_end", "out_start", "out_end")
_UNLIKELY = 1 / 2000
_NO_LOG = NotApplicable("no event is logged")


@rule("IMP05")
def events_inside(evidence: Evidence) -> Answer:
    log = log_of(evidence)
    if log is None:
        return _NO_LOG
    frames, faults = evidence.known("/audio/frames"), []
    ends: dict[int, int] = {}
    for row, layer in enumerate(log.columns["layer"]):
        start, end = log.columns["out_start"][row], log.columns["out_end"][row]
        strange = _strange_place(evidence, row, layer, log)
        if strange is not None:
            faults.append(strange)
            continue
        if start is None or end is None:
            continue
        if end < start or (frames is not None and end > frames):
            faults.append(at_row(row, "out_end", end, f"{start} to {frames}", "an event lies outside the audio"))
        elif start < ends.get(layer, 0):
            faults.append(
                at_row(row, "out_start", start, f"at least {ends[layer]}", "an event begins inside the one before it")
            )
        ends[layer] = max(ends.get(layer, 0), end)
    return faults


def _strange_place(evidence: Evidence, row: int, place: int, log: Trace) -> Mismatch | None:
    """Return where an event within an engine is beside its acoustic frame, or has a place that nobody can know."""
    layers = layers_of(evidence)
    layer = layers[place][1] if place < len(layers) else {}
    if layer.get("method") != STAGE_METHOD:
        return None
    placed = next((name for name in _RANGE if log.columns[name][row] is not None), None)
    if layer["stage"] not in stages_that_count("frames"):
        message = f"an event of stage {layer['stage']} does not say where it came to lie"
        return None if placed is None else at_row(row, placed, log.columns[placed][row], "null", message)
    hop = layer["params"].get("hop_samples")
    if placed is None or type(hop) is not int:
        return None
    index, found = log.columns["opp_index"][row], log.columns["out_start"][row]
    if (found, log.columns["out_end"][row]) == (index * hop, (index + 1) * hop):
        return None
    return at_row(row, "out_start", found, index * hop, "the event does not match its frame")


@rule("IMP06")
def replayed_draws(evidence: Evidence) -> Answer:
    layers = layers_of(evidence)
    if not layers:
        return NONE
    log = log_of(evidence)
    if log is None:
        return Unverifiable("needs trace imperfection: what fired and what did not is not logged")
    seed, faults = evidence.known("/imperfection/draw/seed"), []
    by_layer = _rows_by_layer(log)
    for place in sorted(by_layer.keys() - {place for place, (_, layer) in enumerate(layers) if layer["enabled"]}):
        row = by_layer[place][0]
        faults.append(at_row(row, "layer", place, "an enabled layer", "an event of a layer that was not in force"))
    for place, (_, layer) in enumerate(layers):
        rows = by_layer.get(place, [])
        if not layer["enabled"]:
            continue
        stated = layer.get("opportunities")
        if stated is not None and stated != len(rows):
            faults.append(
                Mismatch(
                    where="trace/imperfection",
                    found=f"{len(rows)} rows of layer {layer['id']}",
                    expected=f"{stated}, one for each opportunity",
                    message="opportunities are missing from the log",
                )
            )
            continue
        if not rows and stated is None and "per_packet_ppm" not in layer["trigger"]:
            faults.append(
                Mismatch(
                    where="trace/imperfection",
                    found=f"no row of layer {place}",
                    expected="a row for every opportunity",
                    message=f"layer {layer['id']} is enabled, but no event log says what it did",
                )
            )
        indices = [log.columns["opp_index"][row] for row in rows]
        gap = next((k for k, index in enumerate(indices) if index != k), None)
        if gap is not None:
            faults.append(at_row(rows[gap], "opp_index", indices[gap], gap, "the opportunities are not all logged"))
        else:
            faults += _replayed(seed, layer, log, rows)
    return faults


@rule("IMP07")
def likely_count(evidence: Evidence) -> Answer:
    log = log_of(evidence)
    if log is None:
        return _NO_LOG
    faults, asked = [], False
    by_layer = _rows_by_layer(log)
    for place, (where, layer) in enumerate(layers_of(evidence)):
        rows, chance = by_layer.get(place, []), probability(layer["trigger"])
        if not rows or chance is None or any(log.columns["u"][row] is not None for row in rows):
            continue
        asked = True
        events = sum(log.columns["fired"][row] for row in rows)
        if min(tails(events, len(rows), chance)) < _UNLIKELY:
            faults.append(
                Mismatch(
                    where=f"{where}/trigger",
                    found=f"{events} events at {len(rows)} opportunities",
                    expected=f"about {len(rows) * chance[0] / chance[1]:.1f}",
                    message="this number of events is not likely at the stated probability",
                )
            )
    return faults if asked else NotApplicable("every draw is replayed, or none has a single probability")


def _rows_by_layer(log: Trace) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, layer in enumerate(log.columns["layer"]):
        rows.setdefault(layer, []).append(row)
    return rows


def _replayed(seed: str, layer: dict[str, Any], log: Trace, rows: list[int]) -> Iterator[Mismatch]:
    """Yield the first row of a layer that the seed does not give; rows without a draw were drawn in another way."""
    drawn = log.columns["u"], log.columns["fired"]
    drew = any(drawn[0][row] is not None for row in rows)
    if not drew and "at" not in layer["trigger"]:
        return
    for row, (u, fires) in zip(rows, schedule(seed, layer, len(rows)), strict=True):
        if drew and drawn[0][row] != u:
            yield at_row(row, "u", drawn[0][row], u, f"seed and stream {layer['id']}/fire give a different draw")
            return
        if drawn[1][row] != fires:
            yield at_row(row, "fired", drawn[1][row], int(fires), "the draw gives a different decision")
            return


@rule("IMP16")
def counted_opportunities(evidence: Evidence) -> Answer:
    log = log_of(evidence)
    ours = [
        (place, layer)
        for place, (_, layer) in enumerate(layers_of(evidence))
        if layer["enabled"] and layer.get("method") == STAGE_METHOD
    ]
    if not ours or log is None:
        return NotApplicable("no layer of method ttsa-stages/1, or no log")
    faults = [*_words(evidence, ours, log), *_frames(evidence, ours, log), *_phones(ours, log)]
    shown = {layer["stage"] for _, layer in ours} - {"phoneme"}
    if not faults and not shown & {"text", *stages_that_count("frames")}:
        return Unverifiable("how many phones an engine makes of a text is not in the file; a rerun shows it")
    return faults


def _words(evidence: Evidence, ours: list[tuple[int, dict[str, Any]]], log: Trace) -> Iterator[Mismatch]:
    """Yield layers of stage text that have another number of rows than words."""
    text, seed = evidence.known("/input/text/value"), evidence.known("/imperfection/draw/seed")
    acting = [(place, layer) for place, layer in ours if layer["stage"] == "text"]
    if not isinstance(text, str) or any(layer["kind"] not in TEXT_KINDS for _, layer in acting):
        return
    for place, layer in acting:
        try:
            text, rows = perturb_text(text, [layer], seed)
        except Refused as error:
            where = f"/imperfection/layers/{place}"
            yield Mismatch(where=where, found=str(error), message="the layer cannot be applied again")
            return
        found = log.columns["layer"].count(place)
        if found != len(rows):
            yield _other_count(layer, place, found, f"{len(rows)}, the words of the text")
            return


def _frames(evidence: Evidence, ours: list[tuple[int, dict[str, Any]]], log: Trace) -> Iterator[Mismatch]:
    """Yield layers of acoustic frames whose rows do not make up the audio."""
    frames = evidence.known("/audio/frames")
    for place, layer in ours:
        hop, found = layer["params"].get("hop_samples"), log.columns["layer"].count(place)
        if (
            layer["stage"] in stages_that_count("frames")
            and type(hop) is int
            and hop > 0
            and frames not in {None, found * hop}
        ):
            yield _other_count(layer, place, found, f"{frames / hop:g}, as {frames} frames of {hop} samples each")


def _phones(ours: list[tuple[int, dict[str, Any]]], log: Trace) -> Iterator[Mismatch]:
    """Yield layers that count the same phones and do not come to the same number."""
    counted = [(place, layer, log.columns["layer"].count(place)) for place, layer in ours]
    same = [entry for entry in counted if entry[1]["stage"] in stages_that_count("phones")]
    for place, layer, found in same[1:]:
        if found != same[0][2]:
            yield _other_count(layer, place, found, f"{same[0][2]}, as layer {same[0][1]['id']} has")


def _other_count(layer: dict[str, Any], place: int, found: int, expected: str) -> Mismatch:
    where = f"/imperfection/layers/{place}/opportunities"
    message = f"layer {layer['id']} logs a number of opportunities that is not the actual one"
    return Mismatch(where=where, found=found, expected=expected, message=message)
