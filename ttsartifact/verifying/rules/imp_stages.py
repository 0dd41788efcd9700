"""Imperfection within an engine (clause 6.7, method `ttsa-stages/1`): what a file can show of it without the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.errors import Refused
from ttsartifact.formulas.conditions import stages_that_count
from ttsartifact.formulas.text_events import STAGE_METHOD, TEXT_KINDS, perturb_text
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.imp_imperfection import layers_of, log_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence


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
