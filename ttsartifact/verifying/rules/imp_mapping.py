"""Imperfection after the vocoder (clause 6.7): its events map the clean sound onto the audio, and back."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import JoinedSource, Span, blocks_of
from ttsartifact.formulas.conditions import stages_that_count
from ttsartifact.terms.digest import spelled
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.imp_imperfection import at_row, layers_of, log_of

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence


@rule("IMP10")
def clean_audio_returns(evidence: Evidence) -> Answer:
    stated, events = evidence.known("/imperfection/clean_pcm") if layers_of(evidence) else None, _pcm_events(evidence)
    if stated is None or not events:
        return NotApplicable("no digest of clean audio, or no logged event of stage pcm")
    if any(layer["enabled"] and layer["stage"] in stages_that_count("packets") for _, layer in layers_of(evidence)):
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
        return NotApplicable("no layer of stage pcm is enabled, or no event of it is logged")
    shift, end = 0, 0
    for row, source, out in events:
        if None in source or None in out:
            column = "src_start" if None in source else "out_start"
            return [at_row(row, column, None, "the frames", "an event after the vocoder has no position")]
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
            message="the events do not turn the clean audio into this audio",
        )
    ]


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


def _keeps_what_it_replaced(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> bool:
    log = log_of(evidence)
    kept = log.columns.get("removed_pcm") if log is not None else None
    return kept is not None and all(source[0] == source[1] or kept[row] is not None for row, source, _ in events)


def _clean_digest(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> str | Unverifiable:
    """Return the digest of the audio with every event taken back; reads it block by block."""
    wave, log = evidence.artifact.wave, log_of(evidence)
    if wave is None or log is None:
        return Unverifiable("needs the PCM of encoded audio")
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
