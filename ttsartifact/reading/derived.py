"""What follows from the file and is never stored in it: durations, RTFs by formula, time to first audio, margins.

Every value is an integer of nanoseconds or frames, a ratio rounded to six digits, or an absence with its reason.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeGuard

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import from_utc, to_utc, utc_bound
from ttsartifact.reading.silence import LONGEST_SECONDS, leading_silence
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from ttsartifact.container.riff import WaveFormat
    from ttsartifact.container.source import Span
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor
    from ttsartifact.terms.trace import Trace

__all__ = ["derive"]

_NS = 10**9


def derive(artifact: Artifact, decoded: tuple[Span, WaveFormat] | None = None) -> dict[str, Any]:
    """Return the values recomputed from one artifact, by name; those of sound need WAV, or its samples `decoded`."""
    known = artifact.descriptor.known
    rate = known("/audio/sample_rate_hz")
    frames = artifact.wave.frames if artifact.wave is not None else known("/audio/frames")
    duration = frames * _NS // rate if _positive(rate) and _positive(frames) else None
    times = {name: known(f"/run/times/t_{name}_ns") for name in ("submit", "start", "first_token", "last_token")}
    log = _log(artifact)
    first_frames = log[0][2] if log else known("/run/times/first_chunk_frames")
    onset = _onset(artifact, decoded)
    return {
        "duration_ns": absent("unknown") if duration is None else duration,
        "time_to_first_token_ns": _between(times["submit"], times["first_token"]),
        "time_to_last_token_ns": _between(times["submit"], times["last_token"]),
        "rtf_e2e": _ratio(times["submit"], times["last_token"], duration),
        "rtf_compute": _ratio(times["start"], times["last_token"], duration),
        "rtf_steady": _ratio(
            times["first_token"],
            times["last_token"],
            duration - first_frames * _NS // rate if duration and _positive(first_frames) else None,
        ),
        "leading_silence_ns": onset * _NS // rate if isinstance(onset, int) and _positive(rate) else onset,
        "time_to_first_audio_ns": _time_to_first_audio(times["submit"], times["first_token"], log, onset, rate),
        "underrun_margin_ns": _underrun_margin(log, rate),
        "chunks": _cadence(log),
        "alignment_bound_ns": _alignment_bound(artifact.descriptor),
        "t_submit_utc": _utc_of(known("/timebase/origin/utc"), times["submit"]),
    }


def _alignment_bound(descriptor: Descriptor) -> int | dict[str, Any]:
    """Return U of clause 7.6: how far from UTC any instant of the run may lie."""
    first, last = (descriptor.known(f"/run/times/t_{end}_ns") for end in ("submit", "last_token"))
    bound = utc_bound(descriptor.at("/timebase"), first, last)
    if bound is None:
        return absent("not_measured", "no UTC snapshot")
    if bound.lacks:
        return absent("unknown", f"over {bound.ns} ns: {', '.join(bound.lacks)} not known")
    return bound.ns


def _log(artifact: Artifact) -> list[tuple[int, int, int]]:
    """Return the chunk log as rows of t_ns, frame_start, frame_count; empty when there is none of sound shape."""
    trace: Trace | None = artifact.trace("chunks")
    columns = [] if trace is None else [trace.columns.get(key) for key in ("t_ns", "frame_start", "frame_count")]
    lists = [column for column in columns if column and all(type(entry) is int for entry in column)]
    if len(lists) != 3 or len({len(column) for column in lists}) != 1:
        return []
    return list(zip(*lists, strict=True))


def _onset(artifact: Artifact, decoded: tuple[Span, WaveFormat] | None) -> int | dict[str, Any]:
    if artifact.pcm is not None and artifact.wave is not None:
        pcm, wave = artifact.pcm, artifact.wave.format
    elif decoded is not None:
        pcm, wave = decoded
    else:
        return absent("not_applicable", "the audio is not WAV; nothing is decoded here")
    roles = artifact.descriptor.known("/audio/roles") or []
    output = [n for n, role in enumerate(roles) if isinstance(role, dict) and role.get("role") == "output"]
    channels = [n for n in output if n < wave.channels] or list(range(wave.channels))
    onset = leading_silence(pcm, wave, channels)
    if onset is None:
        seconds = min(LONGEST_SECONDS, pcm.size // wave.frame_bytes // wave.sample_rate_hz + 1)
        return absent("not_applicable", f"silent below -50 dBFS throughout the first {seconds} s")
    return onset


def _time_to_first_audio(submit: Any, first: Any, log: list[tuple[int, int, int]], onset: Any, rate: Any) -> Any:
    """Return when a player that starts with the first chunk makes the first audible sound, counted from t_submit."""
    if not isinstance(onset, int) or not _positive(rate) or type(submit) is not int or type(first) is not int:
        return absent("unknown")
    if not log:
        return first - submit + onset * _NS // rate
    # In units of 1/rate ns, so that nothing is rounded before the end.
    played = log[0][0] * rate
    for t_ns, start, count in log:
        played = max(played, t_ns * rate)
        if onset < start + count:
            return (played + (onset - start) * _NS) // rate - submit
        played += count * _NS
    return absent("unknown", "the chunk log ends before the voice begins")


def _underrun_margin(log: list[tuple[int, int, int]], rate: Any) -> int | dict[str, Any]:
    if not log or not _positive(rate):
        return absent("not_measured", "no chunk log")
    if len(log) == 1:
        return absent("not_applicable", "one chunk")
    first = log[0][0]
    return min(((first - t_ns) * rate + start * _NS) // rate for t_ns, start, _ in log[1:])


def _cadence(log: list[tuple[int, int, int]]) -> dict[str, Any]:
    if not log:
        return absent("not_measured", "no chunk log")
    gaps = sorted(after[0] - before[0] for before, after in pairwise(log))
    return {
        "count": len(log),
        "first_frames": log[0][2],
        "median_gap_ns": gaps[(len(gaps) - 1) // 2] if gaps else absent("not_applicable", "one chunk"),
        "longest_gap_ns": gaps[-1] if gaps else absent("not_applicable", "one chunk"),
    }


def _between(start: Any, end: Any) -> int | dict[str, Any]:
    if type(start) is int and type(end) is int:
        return end - start
    return absent("unknown")


def _ratio(start: Any, end: Any, duration: int | None) -> float | dict[str, Any]:
    if type(start) is not int or type(end) is not int:
        return absent("unknown", "one of its times is not known")
    if duration is None or duration <= 0:
        return absent("not_applicable", "no audio beyond the first chunk")
    return round((end - start) / duration, 6)


def _utc_of(origin: Any, submit: Any) -> str | dict[str, Any]:
    if not isinstance(origin, str) or type(submit) is not int:
        return absent("unknown")
    try:
        return to_utc(from_utc(origin) + submit)
    except InvalidDescriptor:
        return absent("unknown", "the origin is no UTC time")


def _positive(value: Any) -> TypeGuard[int]:
    return type(value) is int and value > 0
