"""Controlled imperfection (clause 6.7): what a plan says, and that its words are those of the format."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.formulas.conditions import stages, stages_that_count
from ttsartifact.terms.digest import spelled
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_CLIP_KINDS = frozenset({"breath", "filled_pause", "interjection"})
NONE = NotApplicable("the run has no deliberate imperfection")


@rule("IMP01")
def stated_imperfection(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP01")
    if faults or not layers_of(evidence) or any(layer["enabled"] for _, layer in layers_of(evidence)):
        return faults
    return [
        Mismatch(
            where="/imperfection/layers",
            found="no enabled layer",
            expected="none, or a layer in force",
            message="imperfection parameters are stated, but no layer is enabled",
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
    return faults if layers or faults else NONE


@rule("IMP03")
def stages_in_order(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP03")
    layers = [] if faults else layers_of(evidence)
    order = list(stages())
    for (_, before), (where, layer) in pairwise(layers):
        if order.index(layer["stage"]) < order.index(before["stage"]):
            faults.append(
                Mismatch(
                    where=f"{where}/stage",
                    found=layer["stage"],
                    expected=f"{before['stage']}, or a stage after it",
                    message="the layers are not in the order in which they act",
                )
            )
    return faults if layers or faults else NONE


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
        if layer["stage"] in stages_that_count("packets") and "bitrate_bps" not in layer
    ]
    return faults if layers or faults else NONE


@rule("IMP08")
def digested_clips(evidence: Evidence) -> Answer:
    layers = layers_of(evidence)
    if not layers:
        return NONE
    faults = [
        Mismatch(
            where=f"{where}/clips",
            found="no digest",
            expected="the digest of each clip that may be inserted",
            message=f"the clips from which a {layer['kind']} may be inserted are not stated",
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


def layers_of(evidence: Evidence) -> list[tuple[str, dict[str, Any]]]:
    found = evidence.known("/imperfection")
    return list(evidence.entries("/imperfection/layers")) if isinstance(found, dict) else []


def log_of(evidence: Evidence) -> Trace | None:
    return evidence.trace("imperfection") if layers_of(evidence) else None


def at_row(row: int, column: str, found: Any, expected: Any, message: str) -> Mismatch:
    return Mismatch(where=f"trace/imperfection/columns/{column}/{row}", found=found, expected=expected, message=message)
