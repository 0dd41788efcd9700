"""Reference clips as they are handed to an engine, and the caller's statements about markings."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.container import riff
from ttsartifact.container.codecs import OPENING_BYTES, codec_opening
from ttsartifact.container.source import BytesSource
from ttsartifact.errors import Refused, TtsArtifactError
from ttsartifact.recording.pins import tool
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One clip that conditioned the run."""

    path: str | os.PathLike[str]
    role: str = "timbre"
    origin: dict[str, Any] | None = None
    """Where it came from: {"kind": ..., "name": ...}, as the schema's `origin`."""
    segment: tuple[int, int] | None = None
    """The half-open range of its frames that was used; None if not stated."""
    fed: dict[str, Any] | None = None
    """The PCM that the model saw, as the schema's `fed`."""
    transcript: str | None = None
    embed: bool = False
    """Whether the clip itself goes into the artifact. A voice belongs to a person, so only its owner may decide."""

    def read(self) -> bytes:
        """Return the clip as posted; raises Refused for one that cannot be read or holds nothing."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise Refused(f"cannot read a reference: {error.strerror}", where=os.fspath(self.path)) from error
        if not data:
            raise Refused("a reference is empty", where=os.fspath(self.path), expected="audio")
        return data

    def to_value(self, data: bytes) -> dict[str, Any]:
        """Return the entry of /input/refs for the clip whose bytes are `data`."""
        rate, frames = _facts(data)
        codec = codec_opening(data[:OPENING_BYTES])
        return {
            "digest": digest.of(data),
            "size": len(data),
            "media_type": "application/octet-stream" if codec is None else codec.media_type,
            "role": self.role,
            "origin": self.origin or absent("unknown", "not stated"),
            "sample_rate_hz": rate or absent("not_measured", "not decoded"),
            "frames": frames or absent("not_measured", "not decoded"),
            "segment": {"start_frame": self.segment[0], "end_frame": self.segment[1]}
            if self.segment
            else absent("unknown", "the engine does not say"),
            "fed": self.fed or absent("unknown", "the engine does not say"),
            "transcript_digest": digest.of(self.transcript.encode())
            if self.transcript
            else absent("unknown", "not stated"),
            "embedded": self.embed,
        }


def _facts(data: bytes) -> tuple[int, int]:
    """Return rate and frames; zeros for what is neither WAV nor known to libsndfile."""
    try:
        wave = riff.walk(BytesSource(data))
    except TtsArtifactError:
        pass
    else:
        return wave.format.sample_rate_hz, wave.frames
    try:
        import soundfile

        info = soundfile.info(io.BytesIO(data))
    except (ImportError, OSError, RuntimeError):  # soundfile's own errors are RuntimeErrors
        return 0, 0
    return int(info.samplerate), int(info.frames)


_KINDS = ("c2pa", "watermark", "fingerprint", "audible", "other")
_KEYS = ("scheme", "stage", "tool", "message", "detector", "result", "score", "threshold")
_DETECTOR_KEYS = ("result", "score", "threshold")
_FORM = "none, or KIND[:SCHEME][,stage=STAGE][,tool=NAME@VERSION][,message=DIGEST][,detector=NAME@VERSION,result=WORD]"
_MILLI = re.compile(r"-?[0-9]{1,9}")


def marking_of(given: str | Iterable[str | dict[str, Any]] | None) -> Any:
    """Return the value of /generation/marking for words or entries; None without a statement.

    Words are `none` or `KIND[:SCHEME][,KEY=VALUE]...` with the keys stage, tool, message (a digest), detector (a tool),
    result (present, not_found, inconclusive), score and threshold (both in thousandths). An entry that is a dictionary
    is taken as it is. Raises Refused for words of another form; packing checks the rest against the schema.

    >>> marking_of(["watermark:com.example.wavemark.1,stage=pcm"])[0]["scheme"]
    'com.example.wavemark.1'
    """
    if given is None or given == "none":
        return given
    if isinstance(given, dict):  # an absence with the caller's own reason
        return given
    held = list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]
    if held == ["none"]:
        return "none"
    return [entry if isinstance(entry, dict) else _entry(entry) for entry in held]


def _entry(words: Any) -> dict[str, Any]:
    if not isinstance(words, str):
        raise _refused(repr(words)[:200])
    first, *rest = words.split(",")
    kind, _, scheme = first.partition(":")
    members: dict[str, str] = {"scheme": scheme} if scheme else {}
    for pair in rest:
        key, mark, value = pair.partition("=")
        if not mark or not value or key not in _KEYS or key in members:
            raise _refused(words)
        members[key] = value
    if kind not in _KINDS:
        raise _refused(words)
    unsaid = absent("unknown", "not stated")
    return {
        "kind": kind,
        "scheme": members.get("scheme", unsaid),
        "stage": members.get("stage", unsaid),
        "tool": _tool(words, members["tool"]) if "tool" in members else unsaid,
        "message_digest": members.get("message", unsaid),
        "detector": _detector(words, members),
    }


def _detector(words: str, members: dict[str, str]) -> dict[str, Any]:
    if "detector" not in members:
        if any(key in members for key in _DETECTOR_KEYS):
            raise _refused(words)
        return absent("not_measured", "no detector was run")
    numbers = {f"{key}_milli": members[key] for key in ("score", "threshold") if key in members}
    if "result" not in members or not all(_MILLI.fullmatch(number) for number in numbers.values()):
        raise _refused(words)
    whole = {key: int(number) for key, number in numbers.items()}
    return {"tool": _tool(words, members["detector"]), "result": members["result"]} | whole


def _tool(words: str, named: str) -> dict[str, Any]:
    try:
        return tool(named)
    except Refused as error:
        raise _refused(words) from error


def _refused(words: str) -> Refused:
    return Refused("malformed marking", where="--marking", found=words, expected=_FORM)
