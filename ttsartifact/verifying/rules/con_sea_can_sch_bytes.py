"""The carrier (family CON) and the seal over its bytes (family SEA).

Most of these rules stop the reader: its error carries the rule's id and place, and the engine reports it. What is
asked here confirms a carrier that could be read to its end.

Then the descriptor's bytes (family CAN), its shape and the characters of its names and addresses (SCH, clause 4.5).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from ttsartifact._spec import FORMAT_VERSION
from ttsartifact.container.carrier import CARRIERS, carrier_named
from ttsartifact.formulas.levels import with_options
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable, Verdict, compared
from ttsartifact.terms.level import LEVELS, Level
from ttsartifact.verifying.catalogue import grading, question_of, rule
from ttsartifact.verifying.evidence import Unsound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttsartifact.verifying.evidence import Evidence


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


_UNDERSTOOD: frozenset[str] = frozenset()
"""Extensions that this verifier understands, by their names below /ext."""
# Words for people, and what a caller said in words of his own: any character may stand there.
_FOR_PEOPLE = frozenset({"value", "notes", "detail", "recipe", "consent", "accuracy", "argv", "oov"})
_FREE = ("/generation/params", "/ext", "/run/notes", "/input/phonemes/oov", "/generation/command/argv")
_UNSEEN = frozenset({"Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
_ADDRESSES = frozenset({"uri"})


@rule("CAN01")
def plain_utf8(evidence: Evidence) -> Answer:
    return _byte_faults(evidence, "CAN01")


@rule("CAN02")
def unambiguous_json(evidence: Evidence) -> Answer:
    return _byte_faults(evidence, "CAN02")


@rule("CAN03")
def plain_numbers(evidence: Evidence) -> Answer:
    return _byte_faults(evidence, "CAN03")


@rule("CAN04")
def safe_integers(evidence: Evidence) -> Answer:
    return _byte_faults(evidence, "CAN04")


@rule("CAN05")
def canonical_bytes(evidence: Evidence) -> Answer:
    return [*_byte_faults(evidence, "CAN05"), *evidence.breaches("CAN05")]


@rule("CAN06")
def snake_case_keys(evidence: Evidence) -> Answer:
    return _byte_faults(evidence, "CAN06")


def _byte_faults(evidence: Evidence, rule_id: str) -> list[Mismatch]:
    return [
        Mismatch(where=fault.where, found=fault.found, expected=fault.expected)
        for fault in evidence.artifact.faults
        if fault.rule == rule_id
    ]


@rule("SCH01")
def known_version(evidence: Evidence) -> Answer:
    broken = evidence.breaches("SCH01")
    if broken:
        return broken
    if _is_newer_minor(evidence):
        stated = evidence.known("/spec_version")
        return [
            Mismatch(
                where="/spec_version",
                found=stated,
                expected=FORMAT_VERSION,
                message=f"a newer minor version, verified as {FORMAT_VERSION}",
                severity=Severity.INFO,
            )
        ]
    return []


@rule("SCH02")
def valid_descriptor(evidence: Evidence) -> Answer:
    return evidence.breaches("SCH02")


@rule("SCH03")
def known_fields(evidence: Evidence) -> Answer:
    unknown = evidence.breaches("SCH03")
    if _is_newer_minor(evidence):  # a later version may have added them (clause 2.3)
        return [mismatch._replace(severity=Severity.INFO) for mismatch in unknown]
    return unknown


@rule("SCH05")
def critical_extensions(evidence: Evidence) -> Answer:
    critical = evidence.known("/ext_critical") or []
    if not critical:
        return NotApplicable("no critical extension")
    carried = evidence.known("/ext") or {}
    missing = [(place, name) for place, name in enumerate(critical) if name not in carried]
    if missing:
        return [
            Mismatch(where=f"/ext_critical/{place}", found=name, expected="a field of that name below /ext")
            for place, name in missing
        ]
    unknown = [name for name in critical if name not in _UNDERSTOOD]
    return Unverifiable(f"needs to understand {', '.join(unknown)}") if unknown else []


@rule("SCH06")
def no_outer_white_space(evidence: Evidence) -> Answer:
    return evidence.breaches("SCH06")


@rule("SCH07")
def stated_absences(evidence: Evidence) -> Answer:
    return evidence.breaches("SCH07")


@rule("SCH09")
def one_run_id(evidence: Evidence) -> Answer:
    return evidence.breaches("SCH09")


@rule("SCH10")
def reached_level(evidence: Evidence) -> Answer:
    claimed = evidence.known("/level")
    asked = LEVELS[1 : LEVELS.index(claimed) + 1]
    faults = [
        Mismatch(
            where=missing.partition(":")[0],
            found="absent",
            expected=f"a value, for {level}" + (f":{rest}" if (rest := missing.partition(":")[2]) else ""),
            message=f"the claimed level {claimed} is not reached",
        )
        for level in asked
        for missing in evidence.missing_for(level)
    ]
    if not faults and "L2" in asked and not _was_read(evidence):
        message = f"the claimed level {claimed} is not reached"
        faults.append(
            Mismatch(where="trace/telemetry", found="no reading", expected="a reading, for L2", message=message)
        )
    return _below_demand(evidence) + faults


def _was_read(evidence: Evidence) -> bool:
    """Return whether telemetry holds a reading, where L2 asks for it: a table of nulls covers no run."""
    if evidence.known("/generation/device") == "cpu":
        return True
    try:
        telemetry = evidence.trace("telemetry")
    except Unsound:  # what is wrong with the trace is its own rule's to say
        return True
    if telemetry is None:
        return True
    columns = [values for name, values in telemetry.columns.items() if name not in {"t_ns", "t_before_ns"}]
    return any(value is not None for values in columns for value in values)


def _below_demand(evidence: Evidence) -> list[Mismatch]:
    reached = evidence.level_reached
    if evidence.level is None or LEVELS.index(Level(evidence.level)) <= LEVELS.index(reached):
        return []
    wanted = LEVELS[LEVELS.index(reached) + 1 : LEVELS.index(Level(evidence.level)) + 1]
    lacks = dict.fromkeys(pointer for level in wanted for pointer in evidence.missing_for(level))
    message = f"the run does not reach the requested level; missing: {with_options(lacks)}"
    return [Mismatch(where="/level", found=reached, expected=f"{evidence.level}, as requested", message=message)]


def _is_newer_minor(evidence: Evidence) -> bool:
    if evidence.breaches("SCH01"):
        return False
    stated = evidence.known("/spec_version")
    return int(stated.partition(".")[2]) > int(FORMAT_VERSION.partition(".")[2])


@rule("SCH11")
def visible_characters(evidence: Evidence) -> Answer:
    faults = []
    for where, name in names_of(evidence):
        unseen = next((ch for ch in name if unicodedata.category(ch) in _UNSEEN), None)
        if unseen is not None:
            faults.append(
                Mismatch(
                    where=where,
                    found=f"U+{ord(unseen):04X}",
                    expected="characters that can be seen",
                    message="a name holds a character that is not seen, or that turns the others round",
                )
            )
        elif where.rpartition("/")[2] in _ADDRESSES:
            other = next(ch for ch in name if not ch.isascii())
            faults.append(
                Mismatch(
                    where=where,
                    found=f"U+{ord(other):04X}",
                    expected="ASCII; others percent-encoded or in Punycode (RFC 3986)",
                    message="an address holds a character that no address has",
                )
            )
    return faults


def names_of(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield every name, version and address that is not plain ASCII; most descriptors have none."""
    if evidence.descriptor.raw.isascii():
        return
    waiting: list[tuple[str, Any]] = [("", evidence.descriptor.value)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str) and not value.isascii() and where.rpartition("/")[2] not in _FOR_PEOPLE:
            yield where, value
        elif isinstance(value, dict):
            waiting += [(f"{where}/{key}", each) for key, each in value.items() if f"{where}/{key}" not in _FREE]
        elif isinstance(value, list):
            waiting += [(f"{where}/{place}", each) for place, each in enumerate(value)]
