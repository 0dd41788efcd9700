"""Controlled imperfection (clause 6.7): the plan replays, the log fits the audio, and the clean audio comes back."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import JoinedSource, Span, blocks_of
from ttsartifact.formulas.draws import probability, schedule, tails
from ttsartifact.terms.digest import spelled
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

# The order of a decode path; spelled once more in registry/stages.toml, and a test holds the two together.
STAGES = (
    "text", "phoneme", "duration", "prosody", "prosody_tokens", "acoustic_tokens", "mel", "vocoder_state", "pcm",
    "codec", "transport",
)  # fmt: skip
STAGE_METHOD = "ttsa-stages/1"
_FRAME_STAGES = frozenset({"mel", "vocoder_state"})
_AFTER_PCM = frozenset({"codec", "transport"})
_CLIP_KINDS = frozenset({"breath", "filled_pause", "interjection"})
_UNLIKELY = 1 / 2000
_NONE = NotApplicable("nothing was made imperfect on purpose")
_NO_LOG = NotApplicable("no event is logged")


@rule("IMP01")
def said_imperfection(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP01")
    if faults or not layers_of(evidence) or any(layer["enabled"] for _, layer in layers_of(evidence)):
        return faults
    return [
        Mismatch(
            where="/imperfection/layers",
            found="no enabled layer",
            expected="none, or a layer in force",
            message="a parameter set that does nothing",
        )
    ]


@rule("IMP02")
def known_kind(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP02")
    layers = [] if faults else layers_of(evidence)
    seen: set[str] = set()
    for where, layer in layers:
        if layer["id"] in seen:
            faults.append(
                Mismatch(
                    where=f"{where}/id",
                    found=layer["id"],
                    expected="an id of its own",
                    message="two layers would share their draws",
                )
            )
        seen.add(layer["id"])
    return faults if layers or faults else _NONE


@rule("IMP03")
def stages_in_order(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP03")
    layers = [] if faults else layers_of(evidence)
    for (_, before), (where, layer) in pairwise(layers):
        if STAGES.index(layer["stage"]) < STAGES.index(before["stage"]):
            faults.append(
                Mismatch(
                    where=f"{where}/stage",
                    found=layer["stage"],
                    expected=f"{before['stage']}, or a stage after it",
                    message="the layers are not in the order in which they act",
                )
            )
    return faults if layers or faults else _NONE


@rule("IMP04")
def quantified_trigger(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP04")
    layers = [] if faults else layers_of(evidence)
    faults += [
        Mismatch(
            where=f"{where}/bitrate_bps",
            expected="the configured bitrate",
            message=f"stage {layer['stage']} without a bitrate",
        )
        for where, layer in layers
        if layer["stage"] in _AFTER_PCM and "bitrate_bps" not in layer
    ]
    return faults if layers or faults else _NONE


@rule("IMP05")
def events_inside(evidence: Evidence) -> Answer:
    log = log_of(evidence)
    if log is None:
        return _NO_LOG
    frames, faults = evidence.known("/audio/frames"), []
    ends: dict[int, int] = {}
    for row, layer in enumerate(log.columns["layer"]):
        start, end = log.columns["out_start"][row], log.columns["out_end"][row]
        if start is None or end is None:
            continue
        grid = _grid_fault(evidence, row, layer, log)
        if grid is not None:
            faults.append(grid)
        elif end < start or (frames is not None and end > frames):
            faults.append(at_row(row, "out_end", end, f"{start} to {frames}", "an event lies outside the audio"))
        elif start < ends.get(layer, 0):
            faults.append(
                at_row(row, "out_start", start, f"at least {ends[layer]}", "an event begins inside the one before it")
            )
        ends[layer] = max(ends.get(layer, 0), end)
    return faults


def _grid_fault(evidence: Evidence, row: int, place: int, log: Trace) -> Mismatch | None:
    """Return where an event of an acoustic frame does not lie on that frame."""
    layers = layers_of(evidence)
    layer = layers[place][1] if place < len(layers) else {}
    hop = layer.get("params", {}).get("hop_samples")
    if layer.get("method") != STAGE_METHOD or layer["stage"] not in _FRAME_STAGES or type(hop) is not int:
        return None
    index, found = log.columns["opp_index"][row], log.columns["out_start"][row]
    if (found, log.columns["out_end"][row]) == (index * hop, (index + 1) * hop):
        return None
    return at_row(row, "out_start", found, index * hop, "the event does not lie on its frame")


@rule("IMP06")
def replayed_draws(evidence: Evidence) -> Answer:
    layers = layers_of(evidence)
    if not layers:
        return _NONE
    log = log_of(evidence)
    if log is None:
        return Unverifiable("trace imperfection: what fired and what did not is not logged")
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
                    message=f"layer {layer['id']} is in force, and nothing says what it did",
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
                    message="so many events are not likely at the stated probability",
                )
            )
    return faults if asked else NotApplicable("every draw is replayed, or none has a single probability")


@rule("IMP08")
def digested_clips(evidence: Evidence) -> Answer:
    layers = layers_of(evidence)
    if not layers:
        return _NONE
    faults = [
        Mismatch(
            where=f"{where}/clips",
            found="no digest",
            expected="the digest of each clip that may be inserted",
            message=f"nothing says which {layer['kind']} was inserted",
        )
        for where, layer in layers
        if layer["enabled"] and layer["stage"] == "pcm" and layer["kind"] in _CLIP_KINDS and not layer.get("clips")
    ]
    log = log_of(evidence)
    if log is None or faults:
        return faults
    for row, payload in enumerate(log.columns["payload_sha256"]):
        place = log.columns["layer"][row]
        clips = layers[place][1].get("clips", []) if place < len(layers) else []
        if payload is not None and spelled(payload) not in clips:
            faults.append(
                at_row(row, "payload_sha256", payload, "a clip of the layer", "an inserted clip is not listed")
            )
    return faults


@rule("IMP10")
def clean_audio_returns(evidence: Evidence) -> Answer:
    stated, events = evidence.known("/imperfection/clean_pcm") if layers_of(evidence) else None, _pcm_events(evidence)
    if stated is None or not events:
        return NotApplicable("no digest of clean audio, or no logged event of stage pcm")
    if any(layer["enabled"] and layer["stage"] in _AFTER_PCM for _, layer in layers_of(evidence)):
        return NotApplicable("something acted on the samples after stage pcm")
    if any(source[0] != source[1] for _, source, _ in events) and not _keeps_what_it_replaced(evidence, events):
        return NotApplicable("the log does not keep the frames that were replaced")
    clean = _clean_digest(evidence, events)
    if isinstance(clean, Unverifiable):
        return clean
    if stated == clean:
        return []
    return [
        Mismatch(
            where="/imperfection/clean_pcm",
            found=stated,
            expected=clean,
            message="the audio with every event taken back is not the stated clean audio",
        )
    ]


@rule("IMP11")
def mapped_media_time(evidence: Evidence) -> Answer:
    events = _pcm_events(evidence)
    if log_of(evidence) is None or not any(
        layer["stage"] == "pcm" and layer["enabled"] for _, layer in layers_of(evidence)
    ):
        return NotApplicable("nothing was changed after the vocoder, or nothing is logged")
    shift, end = 0, 0
    for row, source, out in events:
        if None in source or None in out:
            column = "src_start" if None in source else "out_start"
            return [at_row(row, column, None, "the frames", "an event after the vocoder does not say where it lies")]
        if out[0] < end:
            return [at_row(row, "out_start", out[0], f"at least {end}", "two events claim the same frames")]
        if out[0] - source[0] != shift:
            expected = f"{source[0] + shift}, {shift} after src_start"
            return [at_row(row, "out_start", out[0], expected, "the map from clean to final frames does not add up")]
        shift += (out[1] - out[0]) - (source[1] - source[0])
        end = out[1]
    clean, frames = evidence.known("/imperfection/clean_frames"), evidence.known("/audio/frames")
    if clean is None or frames is None or clean + shift == frames:
        return []
    return [
        Mismatch(
            where="/imperfection/clean_frames",
            found=clean,
            expected=f"{frames - shift}, as {frames} frames were made longer by {shift}",
            message="the events do not make this audio out of the clean one",
        )
    ]


def layers_of(evidence: Evidence) -> list[tuple[str, dict[str, Any]]]:
    found = evidence.known("/imperfection")
    return list(entries(evidence, "/imperfection/layers")) if isinstance(found, dict) else []


def log_of(evidence: Evidence) -> Trace | None:
    return evidence.trace("imperfection") if layers_of(evidence) else None


def _rows_by_layer(log: Trace) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, layer in enumerate(log.columns["layer"]):
        rows.setdefault(layer, []).append(row)
    return rows


def _replayed(seed: str, layer: dict[str, Any], log: Trace, rows: list[int]) -> Iterator[Mismatch]:
    """Yield the first row of a layer that the seed does not give; rows without a draw were drawn in another way."""
    drawn = log.columns["u"], log.columns["fired"]
    told = any(drawn[0][row] is not None for row in rows)
    if not told and "at" not in layer["trigger"]:
        return
    for row, (u, fires) in zip(rows, schedule(seed, layer, len(rows)), strict=True):
        if told and drawn[0][row] != u:
            yield at_row(row, "u", drawn[0][row], u, f"seed and stream {layer['id']}/fire give another draw")
            return
        if drawn[1][row] != fires:
            yield at_row(row, "fired", drawn[1][row], int(fires), "the draw decides otherwise")
            return


def _pcm_events(evidence: Evidence) -> list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]:
    """Return row, source range and final range of each fired event of stage pcm, in the order of the final frames."""
    log = log_of(evidence)
    if log is None:
        return []
    ours = {place for place, (_, layer) in enumerate(layers_of(evidence)) if layer["stage"] == "pcm"}
    columns = log.columns
    found = [
        (
            row,
            (columns["src_start"][row], columns["src_end"][row]),
            (columns["out_start"][row], columns["out_end"][row]),
        )
        for row, layer in enumerate(columns["layer"])
        if layer in ours and columns["fired"][row]
    ]
    return sorted(found, key=lambda event: (event[2][0] is not None, event[2][0] or 0, event[0]))


def at_row(row: int, column: str, found: Any, expected: Any, message: str) -> Mismatch:
    return Mismatch(where=f"trace/imperfection/columns/{column}/{row}", found=found, expected=expected, message=message)


def _keeps_what_it_replaced(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> bool:
    log = log_of(evidence)
    kept = log.columns.get("removed_pcm") if log is not None else None
    return kept is not None and all(source[0] == source[1] or kept[row] is not None for row, source, _ in events)


def _clean_digest(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> str | Unverifiable:
    """Return the digest of the audio with every event taken back; reads it block by block."""
    wave, log = evidence.artifact.wave, log_of(evidence)
    if wave is None or log is None:
        return Unverifiable("the PCM of encoded audio")
    start, _ = wave.bare_pcm
    width, whole = wave.format.frame_bytes, JoinedSource(evidence.artifact.audio)
    state, place = hashlib.sha256(), 0
    for row, source, (begins, ends) in [*events, (-1, (0, 0), (wave.data.size // width, 0))]:
        for block in blocks_of([Span(whole, start + place, begins * width - place)]):
            state.update(block)
        place = ends * width
        if source[0] != source[1]:
            state.update(base64.b64decode(log.columns["removed_pcm"][row]))
    return spelled(state.hexdigest())
