"""The carrier (family CON) and the seal over its bytes (family SEA).

Most of these rules stop the reader: its error carries the rule's id and place, and the engine reports it. What is
asked here confirms a carrier that could be read to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.container.carrier import CARRIERS, carrier_named
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Verdict, compared
from ttsartifact.verifying.catalogue import grading, question_of, rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttsartifact.verifying.evidence import Evidence

__all__: list[str] = []

_NO_RIFF = NotApplicable("no RIFF in this artifact")
_PART_KINDS = ("descriptor", "trace", "leaves", "lock", "ref", "attestation")


@rule("CON01")
def known_carrier(evidence: Evidence) -> Answer:
    carrier = evidence.artifact.carrier
    return [] if carrier in CARRIERS else [Mismatch(where="offset 0", found=carrier, expected=", ".join(CARRIERS))]


@rule("CON02")
def complete_structure(evidence: Evidence) -> Answer:
    wave, offset = evidence.artifact.wave, 12
    for chunk in wave.chunks if wave is not None else ():
        if chunk.offset != offset:
            return [Mismatch(where=f"offset {offset}", found=chunk.offset, expected=offset)]
        offset = chunk.end
    return []


@rule("CON03")
def zero_pad_byte(evidence: Evidence) -> Answer:
    return _NO_RIFF if evidence.artifact.wave is None else []


@rule("CON04")
def one_capsule(evidence: Evidence) -> Answer:
    names = evidence.artifact.parts.names()
    strangers = [name for name in names if name.partition("/")[0] not in _PART_KINDS]
    if strangers:
        return [
            Mismatch(
                where=f"part {name}", found=name, expected="descriptor, trace/, leaves, lock, ref/ or attestation/"
            )
            for name in strangers
        ]
    ordered = sorted(names, key=_order_of(evidence))
    if list(names) != ordered:
        return [
            Mismatch(where="capsule", found=", ".join(names), expected=", ".join(ordered), message="parts out of order")
        ]
    return []


@rule("CON05")
def determinate_sizes(evidence: Evidence) -> Answer:
    return _NO_RIFF if evidence.artifact.wave is None else []


@rule("CON06")
def nothing_behind(evidence: Evidence) -> Answer:
    wave = evidence.artifact.wave
    if wave is None or wave.chunks[-1].end == wave.size:
        return []
    return [Mismatch(where=f"offset {wave.chunks[-1].end}", found=f"{wave.size} bytes", expected="the end")]


@rule("CON07")
def canonical_framing(evidence: Evidence) -> Answer:
    artifact = evidence.artifact
    if artifact.walked is None:
        return NotApplicable("Parquet has columns for it")
    wrong = carrier_named(artifact.carrier).misframed(artifact.source, artifact.walked, evidence.artifact_id)
    return [
        Mismatch(where=f"offset {place.offset}", found=place.found, expected=place.expected, message=place.message)
        for place in wrong
    ]


@rule("CON08")
def true_rf64(evidence: Evidence) -> Answer:
    wave = evidence.artifact.wave
    return [] if wave is not None and wave.form == b"RF64" else NotApplicable("no RF64")


@rule("CON09")
def whole_continuation(evidence: Evidence) -> Answer:
    return [] if evidence.artifact.carrier in {"flac", "mp3"} else NotApplicable("neither FLAC nor MP3")


@rule("CON11")
def declared_columns(evidence: Evidence) -> Answer:
    file = evidence.artifact.file
    if file is None:
        return NotApplicable("no Parquet file")
    return [
        Mismatch(where=f"column {misfit.column}", found=misfit.found, expected=misfit.expected, severity=Severity.ERROR)
        for misfit in file.misfits
    ]


@rule("CON14")
def nothing_only_in_metadata(evidence: Evidence) -> Answer:
    file = evidence.artifact.file
    if file is None:
        return NotApplicable("no Parquet file")
    return [Mismatch(where=place.where, found=place.found, expected=place.expected) for place in file.foreign]


@rule("CON17")
def true_statistics(evidence: Evidence) -> Answer:
    file = evidence.artifact.file
    if file is None:
        return NotApplicable("no Parquet file")
    return [
        Mismatch(
            where=place.where,
            found=place.found,
            expected=place.expected,
            severity=None if place.checked else Severity.WARN,
            message=""
            if place.checked
            else "the file states something about its rows that this verifier does not check",
        )
        for place in file.contradictions(evidence.artifact.row or 0)
    ]


@rule("CON15")
def within_limits(evidence: Evidence) -> Answer:
    return evidence.breaches("CON15")


def _order_of(evidence: Evidence) -> Callable[[str], tuple[int, int]]:
    listed = evidence.known("/traces") or []
    traces = {f"trace/{trace['name']}": place for place, trace in enumerate(listed)}

    def order(name: str) -> tuple[int, int]:
        kind, _, rest = name.partition("/")
        if kind == "trace":
            return 1, traces.get(name, len(traces))
        return _PART_KINDS.index(kind), int(rest) if rest.isdigit() else 0

    return order


@rule("SEA01")
def sealed(evidence: Evidence) -> Answer:
    if evidence.seal is not None:
        return []
    if evidence.known("/level") == "L0":
        return NotApplicable("level L0 needs no seal")
    return [Mismatch(where="seal", found="none", expected="a seal; software that rewrites the file drops it")]


@rule("SEA02")
def seal_holds(evidence: Evidence) -> Answer:
    if evidence.seal is None:
        return NotApplicable("no seal")
    return compared("seal", evidence.seal_expected, evidence.seal)


@rule("SEA03")
def argued_seal(evidence: Evidence) -> Answer:
    misplaced = any(isinstance(answer, list) and answer for answer in _answers(evidence, "seal_place"))
    if evidence.seal is not None and evidence.seal == evidence.seal_expected and not misplaced:
        return []
    parts_hold = _hold(evidence, "parts")
    if parts_hold and _hold(evidence, "file"):
        word, message = Verdict.REWRAPPED, "descriptor, parts and audio file are as recorded; their container is not"
    elif parts_hold and [] in _answers(evidence, "samples"):
        word, message = Verdict.RETAGGED, "the samples are as recorded; the audio file around them is not"
    else:
        return []
    return [Mismatch(where="seal", found=word, expected=Verdict.INTACT, message=message, severity=Severity.INFO)]


@rule("SEA04")
def seal_place(evidence: Evidence) -> Answer:
    return [] if evidence.seal is not None else NotApplicable("no seal")


def _answers(evidence: Evidence, part: str) -> list[Answer]:
    """Ask the rules that recompute this part of the bytes, whatever family they are of."""
    return [question_of(key)(evidence) for key in grading(part)]


def _hold(evidence: Evidence, part: str) -> bool:
    return all(answer == [] for answer in _answers(evidence, part))
