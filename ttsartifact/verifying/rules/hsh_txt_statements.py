"""Digests and bytes that are stated twice (clause 4.10): stages beside what they read and delivered, sizes, framing.

Also in which form the text was hashed (clause 5.4, family TXT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.verifying.evidence import Evidence

_NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # the digest of no bytes
_OF_ONE_DIGEST = frozenset({"size", "media_type", "sample_rate_hz", "frames"})
# A layer of one of these stages changes what the stage at its left delivers, so that it may differ from what was given.
_CHANGED_BY = {"text": frozenset({"text"}), "phoneme": frozenset({"text", "phoneme"}), "pcm": frozenset({"pcm"})}


@rule("HSH16")
def agreeing_stages(evidence: Evidence) -> Answer:
    if evidence.known("/generation/stages") is None:
        return NotApplicable("no stage digest is stated")
    stated: dict[str, str] = {}
    faults = []
    for where, entry in evidence.entries("/generation/stages"):
        first = stated.setdefault(entry["stage"], entry["digest"])
        if first != entry["digest"]:
            faults.append(_apart(where, entry["stage"], entry["digest"], [first], "the stage is listed twice"))
    for place, (where, entry) in enumerate(evidence.entries("/generation/stages")):
        twins = _twins(evidence, entry["stage"]) if place == list(stated).index(entry["stage"]) else []
        if twins and entry["digest"] not in twins:
            faults.append(
                _apart(
                    where, entry["stage"], entry["digest"], twins, "the run states a different digest for this stage"
                )
            )
    return faults + list(_extended(evidence, stated))


@rule("HSH17")
def recorded_framing(evidence: Evidence) -> Answer:
    framing, wave = evidence.known("/audio/framing"), evidence.artifact.wave
    if framing is None:
        return NotApplicable("no framing is stated")
    if wave is None:
        return NotApplicable("the audio is not a WAV file, so it has no framing")
    import binascii

    start, end = wave.bare_pcm
    whole = evidence.audio
    sides = {"head": (0, start), "tail": (end, whole.size - end)}
    return [
        Mismatch(
            where=f"/audio/framing/{side}",
            found=f"{len(framing[side]) * 3 // 4} bytes or fewer",
            expected=f"the {length} bytes {'before' if side == 'head' else 'behind'} the PCM",
            message="the framing does not match the file, so a stripped copy could not be restored to it",
        )
        for side, (at, length) in sides.items()
        if len(framing[side]) != (length + 2) // 3 * 4
        or framing[side].encode() != binascii.b2a_base64(whole.read_at(at, length), newline=False)
    ]


@rule("HSH18")
def one_length_per_digest(evidence: Evidence) -> Answer:
    facts: dict[str, dict[str, tuple[str, Any]]] = {_NOTHING: {"size": ("an empty file", 0)}}
    faults = []
    for where, entry in reversed(evidence.objects):
        held = entry.get("digest")
        if not isinstance(held, str) or where == "/input/text":  # that no text is another file, HSH14 asks
            continue
        first = facts.setdefault(held, {})
        for key in _OF_ONE_DIGEST.intersection(entry):
            place, value = first.setdefault(key, (where, entry[key]))
            if value != entry[key] and not is_absent(value) and not is_absent(entry[key]):
                faults.append(_two_facts(f"{where}/{key}", entry[key], f"{value}, as {place} of the same digest"))
        if entry.get("size") == 0 and held != _NOTHING:
            message = "an empty file must have the digest of no bytes"
            faults.append(Mismatch(where=f"{where}/digest", found=held, expected=_NOTHING, message=message))
    return faults


def _two_facts(where: str, found: Any, expected: str) -> Mismatch:
    is_size = where.endswith("/size")
    message = "the same bytes cannot have two lengths" if is_size else "the same bytes are described in two ways"
    return Mismatch(where=where, found=found, expected=expected, message=message)


def _twins(evidence: Evidence, stage: str) -> list[str]:
    """Return the digests of which one must be that of `stage`; nothing where no other place speaks of it."""
    if stage not in _CHANGED_BY:
        return []
    changed = bool(_CHANGED_BY[stage] & _imperfect_stages(evidence))
    if stage == "pcm":
        return _delivered(evidence, changed=changed)
    if changed:
        return []
    if stage == "phoneme":
        places = ["/input/phonemes/digest"]
    elif evidence.known("/input/text/form") == "salted":
        return []
    else:
        places = ["/input/text/digest", "/input/normalised_text"]
    found = [evidence.known(place) for place in places]
    return [value for value in found if value is not None] if found[0] is not None else []


def _delivered(evidence: Evidence, *, changed: bool) -> list[str]:
    """Return the digests of what the engine delivered as samples, where the file still holds just that."""
    pcm, clean = evidence.known("/audio/pcm"), evidence.known("/imperfection/clean_pcm") if changed else None
    rendered = any(entry["role"] != "output" for entry in evidence.known("/audio/roles"))
    derived = evidence.known("/derived_from/pcm_equal") is False
    if pcm is None or rendered or derived or (changed and clean is None):
        return []
    return [pcm] if clean is None else [pcm, clean]


def _imperfect_stages(evidence: Evidence) -> set[str]:
    if not isinstance(evidence.known("/imperfection"), dict):
        return set()
    return {layer["stage"] for _, layer in evidence.entries("/imperfection/layers") if layer["enabled"]}


def _extended(evidence: Evidence, stated: dict[str, str]) -> Iterator[Mismatch]:
    """Yield contradicting statements of a registered extension about a stage; unknown extensions are ignored."""
    held = evidence.known("/ext") or {}
    for extension in _spec.table("registry/lists")["extension"]:
        stations = held.get(extension["name"], {}).get("stations") if isinstance(held, dict) else None
        for place, station in enumerate(stations if isinstance(stations, list) else []):
            stage = extension["stations"].get(station.get("station")) if isinstance(station, dict) else None
            if stage in stated and station.get("output_digest") != stated[stage]:
                where = f"/ext/{extension['name']}/stations/{place}/output_digest"
                message = "the extension states a different digest for this stage"
                yield _apart(where, stage, station.get("output_digest"), [stated[stage]], message)


def _apart(where: str, stage: str, found: Any, expected: list[str], message: str) -> Mismatch:
    return Mismatch(
        where=where, found=found, expected=" or ".join(dict.fromkeys(expected)), message=f"stage {stage}: {message}"
    )


@rule("TXT01")
def named_text_form(evidence: Evidence) -> Answer:
    faults = evidence.breaches("TXT01")
    if faults:
        return faults
    form, text = evidence.known("/input/text/form"), evidence.known("/input/text/value")
    if form == "salted" and text is not None:
        return [
            Mismatch(
                where="/input/text/form",
                found="salted, and the text is embedded",
                expected="raw_utf8",
                message="a salted digest hides a text, but this text is stated",
            )
        ]
    normalised = evidence.known("/input/normalised_text")
    if form == "normalised" and normalised not in {None, evidence.known("/input/text/digest")}:
        return [
            Mismatch(
                where="/input/normalised_text",
                found=normalised,
                expected=evidence.known("/input/text/digest"),
                message="the text was hashed in its normalised form and has two digests",
            )
        ]
    return []
