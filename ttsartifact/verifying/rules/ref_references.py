"""Reference clips and text (clauses 5.6 and 5.7): where they came from and what of them the model was fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttsartifact.container import riff
from ttsartifact.container.codecs import CODECS, OPENING_BYTES, codec_opening
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.formulas.chain import TRAINING_ROLES
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.verifying.evidence import Evidence

_CONDITIONED_MODES = frozenset({"prompted", "cloned", "adapted"})
_CONDITIONING_ROLES = frozenset({"timbre", "prosody", "style"})
_BYTES = "application/octet-stream"  # which says nothing of what they are
_ORIGIN_NEEDS = {"dataset": "item", "url": "retrieved"}


@rule("REF01")
def references_of_mode(evidence: Evidence) -> Answer:
    mode, refs = evidence.known("/input/mode"), list(evidence.entries("/input/refs"))
    if mode is None:
        return NotApplicable("the mode is not stated")
    if mode in _CONDITIONED_MODES:
        roles = {entry["role"] for _, entry in refs}
        if roles & _CONDITIONING_ROLES or (roles and mode == "adapted"):
            return []
        return [
            Mismatch(
                where="/input/refs",
                found=", ".join(sorted(roles)) or "no reference",
                expected="at least one" + ("" if mode == "adapted" else " of role timbre, prosody or style"),
                message=f"a run of mode {mode} names no reference clip",
            )
        ]
    return [
        Mismatch(
            where=f"{where}/role",
            found=entry["role"],
            expected="no conditioning clip",
            message="a plain run lists a clip that conditioned it",
        )
        for where, entry in refs
        if entry["role"] in _CONDITIONING_ROLES
    ]


@rule("REF02")
def stated_origin(evidence: Evidence) -> Answer:
    refs = list(evidence.entries("/input/refs"))
    faults = []
    for where, entry in refs:
        origin = entry["origin"]
        if is_absent(origin):
            if evidence.claims_level("L3"):
                faults.append(
                    Mismatch(
                        where=f"{where}/origin",
                        found=origin["reason"],
                        expected="where the clip came from",
                        message="a reference without an origin",
                    )
                )
            continue
        needed = _ORIGIN_NEEDS.get(origin["kind"])
        if needed and needed not in origin:
            faults.append(
                Mismatch(
                    where=f"{where}/origin/{needed}",
                    expected=f"the {needed} of {origin['kind']} {origin['name']}",
                    message="the origin is incomplete",
                )
            )
    return faults if refs else NotApplicable("no reference")


@rule("REF03")
def clip_as_stated(evidence: Evidence) -> Answer:
    faults, asked = [], False
    held = set(evidence.artifact.parts.names())
    for place, (where, entry) in enumerate(evidence.entries("/input/refs")):
        if f"ref/{place}" not in held:
            continue
        clip = BytesSource(evidence.artifact.parts.part(f"ref/{place}"))
        faults += _other_type(where, entry["media_type"], clip.read_at(0, min(OPENING_BYTES, clip.size)))
        if not riff.recognise(clip.read_at(0, min(12, clip.size))):
            continue
        asked = True
        try:
            walked = riff.walk(clip)
        except TtsArtifactError as error:
            faults.append(Mismatch(where=f"ref/{place}", found=error.found, message=f"the clip: {error.message}"))
            continue
        facts = {"sample_rate_hz": walked.format.sample_rate_hz, "frames": walked.frames}
        faults += [
            Mismatch(
                where=f"{where}/{key}",
                found=entry[key],
                expected=fact,
                message="the embedded clip does not match its entry",
            )
            for key, fact in facts.items()
            if not is_absent(entry[key]) and entry[key] != fact
        ]
    return faults if asked or faults else NotApplicable("no WAV clip is embedded")


def _other_type(where: str, stated: str, opening: bytes) -> list[Mismatch]:
    """Return a media type that is another codec's, or no audio's, than that of the clip's first bytes."""
    codec = codec_opening(opening)
    types = {each.media_type for each in CODECS.values()}
    if codec is None or stated in {codec.media_type, _BYTES} or (stated not in types and stated.startswith("audio/")):
        return []
    message = "the media type is not that of the embedded clip"
    return [Mismatch(where=f"{where}/media_type", found=stated, expected=codec.media_type, message=message)]


@rule("REF04")
def segment_and_fed(evidence: Evidence) -> Answer:
    refs = list(evidence.entries("/input/refs"))
    faults = []
    for where, entry in refs:
        segment, frames = entry["segment"], entry["frames"]
        if not is_absent(segment):
            end = segment["end_frame"]
            if segment["start_frame"] >= end or (not is_absent(frames) and end > frames):
                faults.append(
                    Mismatch(
                        where=f"{where}/segment",
                        found=f"[{segment['start_frame']}, {end})",
                        expected=f"a range within [0, {'frames' if is_absent(frames) else frames})",
                        message="the segment is outside its clip",
                    )
                )
        if not evidence.claims_level("L3") or entry["role"] in TRAINING_ROLES:
            continue
        faults += [
            Mismatch(
                where=f"{where}/{key}",
                found=entry[key]["reason"],
                expected=what,
                message="the model's actual input is not stated",
            )
            for key, what in (("segment", "the frames that were used"), ("fed", "the PCM's digest and its recipe"))
            if is_absent(entry[key])
        ]
    return faults if refs else NotApplicable("no reference")


@rule("REF05")
def kept_order(evidence: Evidence) -> Answer:
    faults = evidence.breaches("REF05")
    if faults:
        return faults
    adaptation, refs = evidence.known("/pins/adaptation"), list(evidence.entries("/input/refs"))
    if not refs:
        return NotApplicable("no reference")
    if not evidence.known("/input/refs_ordered") or adaptation is None:
        return []
    for key, role in (("target_refs", "target"), ("prior_refs", "prior")):
        listed = [entry["digest"] for _, entry in refs if entry["role"] == role]
        place = {clip: index for index, clip in reversed(list(enumerate(listed)))}
        order = [place[clip] for clip in adaptation[key] if clip in place]
        if order != sorted(order):
            faults.append(
                Mismatch(
                    where=f"/pins/adaptation/{key}",
                    found=f"places {order[:16]} of the {role} clips",
                    expected="their order in /input/refs",
                    message="the stated order of the clips contradicts their order in /input/refs",
                )
            )
    return faults


@rule("REF06")
def target_speech_sum(evidence: Evidence) -> Answer:
    declared = evidence.known("/input/target_speech_ms")
    if declared is None:
        return NotApplicable("no amount of target speech is declared")
    clips = [(where, entry) for where, entry in evidence.entries("/input/refs") if entry["role"] == "target"]
    from fractions import Fraction

    total_ms, slack_ms = Fraction(0), len(clips)
    for where, entry in clips:
        rate, segment = entry["sample_rate_hz"], entry["segment"]
        frames = entry["frames"] if is_absent(segment) else segment["end_frame"] - segment["start_frame"]
        if is_absent(rate) or is_absent(frames):
            return Unverifiable(f"needs the length of the clip at {where}")
        total_ms += Fraction(1000 * frames, rate)
    if abs(total_ms - declared) <= slack_ms:
        return []
    return [
        Mismatch(
            where="/input/target_speech_ms",
            found=f"{declared} ms",
            expected=f"{float(total_ms):.3f} ms within {slack_ms} ms",
            message="the clips of role target are not as long as declared",
        )
    ]
