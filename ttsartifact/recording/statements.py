"""What the caller says of a run, and the sections of the descriptor that it fills.

A recorder measures times, bytes and machines; which model ran, on what, with which seed, only the caller can know.
Values have the shapes of the descriptor's schema. Whatever is not said is absent, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast

from ttsartifact.errors import Refused
from ttsartifact.recording import pins
from ttsartifact.recording.marking import marking_of
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.recording.references import Reference

__all__ = ["Stated", "generation_section", "input_section", "optional_sections", "pins_section", "said", "spelled_out"]


class Stated(TypedDict, total=False):
    """Keyword arguments that `Recorder` and `record_command` share."""

    lang: str
    withhold_text: bool
    """Keep the text's digest and leave the text itself out."""
    normalised_text: str
    phonemes: dict[str, Any]
    mode: str
    references: Sequence[Reference]
    learnt_from: Sequence[dict[str, Any]]
    """Entries of /input/refs behind those of `references`: clips that the voice was adapted to, not at hand."""
    refs_ordered: bool
    model: dict[str, Any] | str
    """A repository; as words `REPO@COMMIT`, with its files where the Hugging Face cache holds that commit."""
    vocoder: dict[str, Any] | str
    engine: dict[str, Any] | str
    """A tool; as words `NAME@VERSION`."""
    frontend: Sequence[dict[str, Any]]
    adaptation: dict[str, Any]
    lock: dict[str, Any]
    container_image: str
    device: str
    """Where the model computed: cpu, cuda, rocm, mps, xpu, npu, other."""
    runner: dict[str, Any]
    seeds: Sequence[dict[str, Any]]
    precision: dict[str, Any]
    determinism: str
    """bitwise, same_device, statistical, none; what a rerun is expected to give."""
    determinism_flags: Sequence[str]
    self_repeat: str
    """equal or differs, of an engine that made the run twice."""
    numerics: dict[str, Any]
    stages: Sequence[dict[str, Any]]
    clipped_samples: int
    """Samples that the engine cut to full scale before they reached the recorder."""
    runtime: Sequence[dict[str, Any]]
    """Libraries that computed, beside those that the sensor saw."""
    params: dict[str, Any]
    marking: str | Sequence[str | dict[str, Any]]
    """What marks the audio as generated: `none`, or entries of /generation/marking, as words or whole."""
    leaves: bool
    """Whether each MiB of the bare file is digested too, for readers of ranges (clause 8.10)."""
    session: str
    attempt: int
    """Which attempt this was; those before it were not published."""
    notes: str
    claims: Sequence[str]
    concurrency: int
    warmup_runs: int
    first_call: bool
    imperfection: Any
    gate: dict[str, Any]
    ext: dict[str, Any]
    ext_critical: Sequence[str]
    derived_from: dict[str, Any]


_UNSAID = "not stated"


def said(stated: Stated, key: str, reason: str = "unknown", detail: str | None = _UNSAID) -> Any:
    """Return what the caller says under `key`, or its absence."""
    value = stated.get(key)
    return absent(reason, detail) if value is None else value


def spelled_out(stated: Stated) -> Stated:
    """Return what is stated with pins in words made whole; raises Refused for one that pins nothing."""
    told: dict[str, Any] = dict(stated)
    for key, pin in (("model", pins.repository), ("vocoder", pins.repository), ("engine", pins.tool)):
        if isinstance(told.get(key), str):
            told[key] = pin(told[key])
    if "marking" in told:
        told["marking"] = marking_of(told["marking"])
    return cast("Stated", told)


def input_section(text: str | bytes, stated: Stated, clips: Sequence[tuple[Reference, bytes]]) -> dict[str, Any]:
    """Return /input. The text is digested as it was given to the engine (clause 5.7)."""
    raw = text.encode() if isinstance(text, str) else text
    if not raw:
        raise Refused("the text is empty", where="/input/text", expected="at least one byte")
    entries = [*(reference.to_value(data) for reference, data in clips), *stated.get("learnt_from", ())]
    return {
        "text": {
            "digest": digest.of(raw),
            "size": len(raw),
            "form": "raw_utf8",
            "lang": said(stated, "lang"),
            "value": absent("withheld") if stated.get("withhold_text") else _embeddable(raw),
        },
        "normalised_text": said(stated, "normalised_text"),
        "phonemes": said(stated, "phonemes"),
        "mode": said(stated, "mode") if clips or "mode" in stated else "plain",
        "refs_ordered": stated.get("refs_ordered", True),
        "refs": entries,
        "target_speech_ms": _target_ms(entries),
    }


def pins_section(stated: Stated, lock: dict[str, Any]) -> dict[str, Any]:
    """Return /pins; `lock` is what the recorder itself can say of the installed set."""
    return {
        "model": said(stated, "model"),
        "vocoder": said(stated, "vocoder"),
        "engine": said(stated, "engine"),
        "frontend": list(stated["frontend"]) if stated.get("frontend") else absent("unknown", _UNSAID),
        "adaptation": said(stated, "adaptation"),
        "lock": stated.get("lock", lock),
        "container_image": said(stated, "container_image"),
    }


def generation_section(stated: Stated, *, command: dict[str, Any], self_repeat: str | dict[str, Any]) -> dict[str, Any]:
    """Return /generation."""
    return {
        "device": said(stated, "device"),
        "command": command,
        "runner": said(stated, "runner", "not_applicable", "no runner made this"),
        "seeds": list(stated["seeds"]) if stated.get("seeds") else absent("unknown", _UNSAID),
        "precision": said(stated, "precision"),
        "determinism": {
            "class": stated.get("determinism", "unclaimed"),
            "self_repeat": self_repeat,
            "flags": list(stated.get("determinism_flags", ())),
        },
        "numerics": said(stated, "numerics"),
        "stages": list(stated["stages"]) if stated.get("stages") else absent("unknown", _UNSAID),
        "marking": said(stated, "marking"),
        "params": stated.get("params", {}),
    }


def optional_sections(stated: Stated) -> dict[str, Any]:
    """Return the sections at the top that the caller alone decides."""
    sections: dict[str, Any] = {
        "claims": list(stated.get("claims", ())),
        "imperfection": said(stated, "imperfection"),
        "gate": said(stated, "gate", "not_applicable", "no gate was asked"),
    }
    if "ext" in stated:
        sections["ext"] = stated["ext"]
    if "ext_critical" in stated:
        sections["ext_critical"] = list(stated["ext_critical"])
    if "derived_from" in stated:
        sections["derived_from"] = stated["derived_from"]
    return sections


def _embeddable(raw: bytes) -> str | dict[str, Any]:
    """Return the text, where JSON can carry it so that it still hashes to its digest."""
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError:
        return absent("withheld", "the text is not UTF-8")
    return value if len(value) <= 65_536 else absent("withheld", "longer than a descriptor carries")


def _target_ms(entries: Sequence[dict[str, Any]]) -> int | dict[str, Any]:
    """Return the sum over clips of role `target`; the verifier sums again (rule REF06)."""
    clips = [entry for entry in entries if entry["role"] == "target"]
    if not clips:
        return absent("not_applicable", "no clip of role target")
    lengths = [_length_ms(entry) for entry in clips]
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else absent("not_measured", "a clip was not decoded")


def _length_ms(entry: dict[str, Any]) -> int | None:
    rate, frames, segment = entry["sample_rate_hz"], entry["frames"], entry["segment"]
    if "start_frame" in segment:
        frames = segment["end_frame"] - segment["start_frame"]
    if not isinstance(rate, int) or not isinstance(frames, int):
        return None
    return (frames * 1000 + rate // 2) // rate
