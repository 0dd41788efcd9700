"""The metrics of one run: of its samples, of its times, of its phones, and of what other tools measured."""

from __future__ import annotations

import json
import os
import unicodedata
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.sound import sound_of, sound_of_clip
from ttsartifact.container.samples import UNHEARD, is_of_speech
from ttsartifact.container.schemas import fault_of, validator, why
from ttsartifact.container.source import own_bytes
from ttsartifact.errors import Refused, TtsArtifactError, Unavailable
from ttsartifact.gating.metrics import integrated
from ttsartifact.measuring.metrics import EVALUATED, Measured, MetricKind, metric_named
from ttsartifact.measuring.speech import INSTRUMENT, contour_of, speech_of
from ttsartifact.measuring.speech import instrument as pitch_tracker
from ttsartifact.reading.derived import derive
from ttsartifact.terms.descriptor import is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.comparing.sound import Sound
    from ttsartifact.measuring.speech import Contour
    from ttsartifact.reading.artifact import Artifact

_LONGEST_S = 600
_NS_PER_MS = 1_000_000
_PITCHED = frozenset({"pitch", "pitch_range", "phone_pitch"})
_SPOKEN = frozenset({"syllable_rate", "letter_rate", "pause_time", "pauses", "spectral_centroid"})
_TIMES = {"time_to_first_token": "time_to_first_token_ns", "time_to_last_token": "time_to_last_token_ns"}


@dataclass(slots=True)
class _Found:
    """Values as they are found."""

    values: dict[str, int | tuple[int, ...] | None] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: float | None, why: str = "") -> None:
        self.values[name] = None if value is None else metric_named(name).on_grid(value)
        if value is None:
            self.lacks[name] = why


def measure(
    artifact: Artifact, names: Sequence[str], others: Measurements | None = None, *, factor: str | None = None
) -> Measured:
    """Measure a run; raises Unavailable without the extra `analysis`, and Damaged for audio that cannot be decoded.

    `others` is what other tools measured, phones among it. `factor` is the pointer of a number that a slope is over.
    """
    others = others or Measurements()
    kinds = {name: metric_named(name).of for name in names}
    found = _Found()
    heard = [name for name in names if kinds[name] in {MetricKind.SOUND, MetricKind.PHONES}]
    pins: list[Mapping[str, Any]] = []
    if heard:
        pins += _measure_sound(artifact, heard, found, others)
    _measure_times(artifact, [name for name in names if kinds[name] is MetricKind.TIME], found)
    for name in names:
        if kinds[name] is MetricKind.EVALUATED:
            value, tool = others.value_of(artifact.artifact_id, name)
            found.values[name] = None if value is None else metric_named(name).on_grid(value)
            if value is None:
                found.lacks[name] = "no evaluation of it was given"
            pins += [tool] if tool else []
    over = _of_reference(artifact, names, found.lacks) if factor == "reference" else _factor(artifact, factor)
    return Measured(values=found.values, lacks=found.lacks, factor=over, instruments=tuple(_distinct(pins)))


def measure_samples(
    samples: NDArray[np.float64], rate_hz: int, names: Sequence[str], text: str | None = None
) -> Measured:
    """Measure the metrics of sound of mono samples within ±1, for clips that are not artifacts."""
    found = _Found()
    _of_samples(samples, rate_hz, names, text, found)
    return Measured(values=found.values, lacks=found.lacks, instruments=tuple(_pins(names)))


def measure_stretches(artifact: Artifact, names: Sequence[str]) -> list[tuple[int, Measured]]:
    """Return the metrics of sound of each stretch of a run, behind its begin in ms.

    A stretch is as many chunks of the chunk log as make a second; the last may be shorter. Without a chunk log it is a
    second. Metrics that are not of sound are left out.
    """
    heard = [name for name in names if metric_named(name).of is MetricKind.SOUND]
    with sound_of(artifact) as sound:
        samples, rate_hz = _output(artifact, sound), sound.rate_hz
    edges = _edges(artifact, len(samples), rate_hz)
    return [
        (1000 * start // rate_hz, measure_samples(samples[start:end], rate_hz, heard)) for start, end in pairwise(edges)
    ]


def _edges(artifact: Artifact, frames: int, rate_hz: int) -> list[int]:
    """Return where stretches of at least a second begin, and where the last ends."""
    trace = artifact.trace("chunks")
    starts = trace.columns.get("frame_start") if trace is not None else None
    if not starts or not all(type(each) is int for each in starts):
        starts = list(range(0, frames, rate_hz))
    edges = [0]
    for start in sorted(starts):
        if start - edges[-1] >= rate_hz and start < frames:
            edges.append(start)
    return [*edges, frames]


def _measure_sound(
    artifact: Artifact, names: Sequence[str], found: _Found, others: Measurements
) -> list[Mapping[str, Any]]:
    text = artifact.descriptor.known("/input/text/value")
    with sound_of(artifact) as sound:
        rate_hz = sound.rate_hz
        samples = _output(artifact, sound)
    contour = _of_samples(samples, rate_hz, names, text if isinstance(text, str) else None, found)
    pins = list(_pins(names))
    wanted = [name for name in names if name.startswith("phone_")]
    if wanted:
        phones, tool = others.phones_of(artifact.artifact_id)
        pins += [tool] if tool else []
        for name in wanted:
            found.put(name, None, "no phones of it were given")
            if phones:
                _measure_phones(name, phones, rate_hz, contour, found)
    return pins


def _of_samples(
    samples: NDArray[np.float64], rate_hz: int, names: Sequence[str], text: str | None, found: _Found
) -> Contour | None:
    import numpy as np

    if "duration" in names:
        found.put("duration", 1000 * len(samples) / rate_hz)
    if not is_of_speech(rate_hz):
        for name in ({"loudness"} | _SPOKEN | _PITCHED) & set(names):
            found.put(name, None, f"it is not measured {UNHEARD}")
        return None
    if "loudness" in names:
        loudness = integrated(samples[:, None], rate_hz)
        found.put("loudness", loudness, "no block of 400 ms passes the gates of BS.1770")
    if _SPOKEN & set(names):
        _measure_speech(samples, rate_hz, names, text, found)
    if not _PITCHED & set(names):
        return None
    contour = contour_of(samples, rate_hz)
    voiced = contour.voiced
    if "pitch" in names:
        found.put("pitch", float(np.median(voiced)) if len(voiced) else None, "no frame of it is voiced")
    if "pitch_range" in names:
        low, high = np.percentile(voiced, [5, 95]) if len(voiced) else (0.0, 0.0)
        found.put("pitch_range", float(high - low) if len(voiced) else None, "no frame of it is voiced")
    return contour


def _measure_speech(
    samples: NDArray[np.float64], rate_hz: int, names: Sequence[str], text: str | None, found: _Found
) -> None:
    speech = speech_of(samples, rate_hz)
    letters = None if text is None else sum(unicodedata.category(character).startswith("L") for character in text)
    made: dict[str, float | None] = dict.fromkeys(_SPOKEN)
    if speech is not None:
        made = {
            "syllable_rate": speech.syllables / speech.active_s,
            "letter_rate": None if letters is None else letters / speech.active_s,
            "pause_time": 1000 * speech.pause_s,
            "pauses": float(speech.pauses),
            "spectral_centroid": speech.centroid_hz,
        }
    why = "no active speech was found" if speech is None else "its text is not stated"
    for name in names:
        if name in made:
            found.put(name, made[name], why)


def _measure_phones(
    name: str, phones: Sequence[tuple[str, int, int]], rate_hz: int, contour: Contour | None, found: _Found
) -> None:
    import numpy as np

    metric = metric_named(name)
    if name == "phone_duration":
        found.values[name] = tuple(metric.on_grid(1000 * count / rate_hz) for _, _, count in phones)
    elif contour is None:
        found.put(name, None, f"it is not measured {UNHEARD}")
    else:
        parts = [contour.between(start / rate_hz, (start + count) / rate_hz) for _, start, count in phones]
        found.values[name] = tuple(metric.on_grid(float(np.median(part))) for part in parts if len(part)) or None
    if found.values[name] is not None:
        del found.lacks[name]


def _measure_times(artifact: Artifact, names: Sequence[str], found: _Found) -> None:
    if not names:
        return
    derived = derive(artifact)
    for name in names:
        value = derived[_TIMES[name]] if name in _TIMES else derived["rtf_e2e"]
        known = None if is_absent(value) else value / _NS_PER_MS if name in _TIMES else value
        found.put(name, known, "the run does not state its times")


def _output(artifact: Artifact, sound: Sound) -> NDArray[np.float64]:
    """Return the mean over the channels of role output, ten minutes of it at most."""
    roles = artifact.descriptor.known("/audio/roles") or []
    chosen = [n for n, role in enumerate(roles) if isinstance(role, dict) and role.get("role") == "output"]
    channels = [n for n in chosen if n < sound.channels] or list(range(sound.channels))
    samples = sound.read(0, min(sound.frames, _LONGEST_S * sound.rate_hz))
    mixed: NDArray[np.float64] = samples[:, channels].sum(axis=1) / len(channels)
    return mixed


def _of_reference(artifact: Artifact, names: Sequence[str], lacks: dict[str, str]) -> dict[str, int]:
    """Return the metrics of the embedded clip whose manner the run was to follow, in millionths."""
    refs = artifact.descriptor.known("/input/refs") or []
    places = [place for place, entry in enumerate(refs) if entry.get("role") == "prosody"] or list(range(len(refs)))
    if not places or f"ref/{places[0]}" not in artifact.parts.names():
        lacks["reference"] = "no reference clip is embedded"
        return {}
    try:
        with sound_of_clip(artifact.parts.part(f"ref/{places[0]}")) as sound:
            count = min(sound.frames, _LONGEST_S * sound.rate_hz)
            found = measure_samples(sound.mono(0, count), sound.rate_hz, names)
    except Unavailable:
        raise
    except TtsArtifactError as error:
        lacks["reference"] = f"the reference clip: {error.message}"
        return {}
    scales = {name: 10 ** (6 - metric_named(name).decimals) for name in names}
    return {name: value * scales[name] for name, value in found.values.items() if isinstance(value, int)}


def _factor(artifact: Artifact, pointer: str | None) -> dict[str, int]:
    value = artifact.descriptor.known(pointer) if pointer is not None and pointer.startswith("/") else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {}
    return {str(pointer): round(value * 1_000_000)}


def _pins(names: Sequence[str]) -> list[Mapping[str, Any]]:
    pins: list[Mapping[str, Any]] = [pitch_tracker()] if _PITCHED & set(names) else []
    return [*pins, INSTRUMENT] if (_SPOKEN | {"loudness"}) & set(names) else pins


def _distinct(pins: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({str(pin): pin for pin in pins}.values())


_LIMIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Documents of other tools, in the order in which they were given; the first that holds a value decides."""

    documents: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    tools: Mapping[str, str] = field(default_factory=dict)
    """NAME@VERSION of the one tool that counts for a metric."""

    def value_of(self, artifact_id: str, name: str) -> tuple[float | None, Mapping[str, Any] | None]:
        """Return a value of a run by the metric's name, `evaluated:` in front, and the tool that measured it."""
        for document in self.documents:
            tool = f"{document['tool']['name']}@{document['tool']['version']}"
            if self.tools.get(name, tool) != tool:
                continue
            value = document["runs"].get(artifact_id, {}).get("values", {}).get(name.removeprefix(EVALUATED))
            if value is not None:
                return value, document["tool"]
        return None, None

    def phones_of(self, artifact_id: str) -> tuple[list[tuple[str, int, int]], Mapping[str, Any] | None]:
        """Return the phones of a run as (phone, first frame, frames), and the tool that found them."""
        for document in self.documents:
            phones = document["runs"].get(artifact_id, {}).get("phones")
            if phones:
                return [(name, start, count) for name, start, count in phones], document["tool"]
        return [], None

    def of_tools(self, tools: Mapping[str, str]) -> Measurements:
        """Return the same documents, in which a metric that has a tool here is taken from that tool alone."""
        return Measurements(documents=self.documents, tools=tools)


def load_measurements(paths: Iterable[Path | str]) -> Measurements:
    """Read documents; raises Refused for one that cannot be read or is of another shape."""
    return Measurements(documents=tuple(_load(os.fspath(path)) for path in paths))


def _load(path: str) -> dict[str, Any]:
    data = own_bytes(path, "the file of measurements", _LIMIT_BYTES)
    try:
        value = json.loads(data, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the measurements are not JSON: {why(error)}", where=path) from error
    fault = fault_of(validator("measurements"), value)
    if fault is not None:
        raise Refused(f"not measurements: {fault.message}", where=path + fault.where)
    assert isinstance(value, dict)
    return value
