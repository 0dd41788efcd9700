"""What follows from the file and is never stored in it: figures, alignment bound, UTC of submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.figures import ENCODED, chunks_of, figures_of, onset_of
from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.logs import energy_error_ppm, updates_within
from ttsartifact.formulas.timebase import from_utc, to_utc, utc_bound, utc_drift_ppb
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from ttsartifact.container.riff import WaveFormat
    from ttsartifact.container.source import Span
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

__all__ = ["derive", "figures_of_artifact"]

_WINDOW = ("/run/times/t_submit_ns", "/run/times/t_last_token_ns")
_BROKEN = "the timebase breaks its schema; `ttsa validate` says where"


def derive(artifact: Artifact, decoded: tuple[Span, WaveFormat] | None = None) -> dict[str, Any]:
    """Return the values recomputed from one artifact, by name; those of sound need WAV, or its samples `decoded`."""
    known = artifact.descriptor.known
    drift, drift_error = _utc_drift(artifact.descriptor)
    return figures_of_artifact(artifact, decoded) | {
        "utc_drift_ppb": drift,
        "utc_drift_error_ppb": drift_error,
        "alignment_bound_ns": _alignment_bound(artifact.descriptor),
        "channel_bounds": _channel_bounds(artifact.descriptor),
        "energy_error_mj": _energy_error(artifact),
        "t_submit_utc": _utc_of(known("/timebase/origin/utc"), known("/run/times/t_submit_ns")),
    }


def figures_of_artifact(artifact: Artifact, decoded: tuple[Span, WaveFormat] | None = None) -> dict[str, Any]:
    """Return the figures of clause 7.7 of one artifact; those of sound need WAV, or its samples `decoded`."""
    if artifact.pcm is not None and artifact.wave is not None:
        decoded = artifact.pcm, artifact.wave.format
    trace = artifact.trace("chunks")
    return figures_of(
        artifact.descriptor,
        chunks_of(None if trace is None else trace.columns),
        ENCODED if decoded is None else onset_of(artifact.descriptor, *decoded),
        frames=None if artifact.wave is None else artifact.wave.frames,
    )


def _alignment_bound(descriptor: Descriptor, channel: dict[str, Any] | None = None) -> int | dict[str, Any]:
    """Return U of clause 7.6: how far from UTC any instant of the run, or reading of `channel`, may lie."""
    first, last = (descriptor.known(f"/run/times/t_{end}_ns") for end in ("submit", "last_token"))
    if type(first) is not int or type(last) is not int:
        return absent("unknown", "one of its times is not known")
    try:
        bound = utc_bound(descriptor.at("/timebase"), first, last, channel)
    except InvalidDescriptor:
        return absent("unknown", _BROKEN)
    if bound is None:
        return absent("not_measured", "no UTC snapshot")
    if bound.lacks:
        return absent("unknown", f"over {bound.ns} ns: {', '.join(bound.lacks)} not known")
    return bound.ns


def _energy_error(artifact: Artifact) -> int | dict[str, Any]:
    """Return the standard uncertainty of /summary/energy_mj that the counter's updates leave (clause 6.5)."""
    known, telemetry = artifact.descriptor.known, artifact.trace("telemetry")
    energy, start, end = (known(where) for where in ("/summary/energy_mj", *_WINDOW))
    if telemetry is None or not all(type(each) is int for each in (energy, start, end)):
        return absent("not_measured", "no energy is stated")
    t_ns, counter_mj = (telemetry.columns.get(name, []) for name in ("t_ns", "energy_mj"))
    readings = [each for each in counter_mj if each is not None]
    if len(t_ns) != len(counter_mj) or not all(type(each) is int for each in (*t_ns, *readings)):
        return absent("unknown", "the telemetry breaks its schema; `ttsa validate` says where")
    updates = updates_within(t_ns, counter_mj, start, end)
    if not updates:
        return absent("unknown", "the counter was never renewed within the run")
    return int(-(-energy * energy_error_ppm(updates) // 1_000_000))


def _channel_bounds(descriptor: Descriptor) -> dict[str, Any]:
    """Return the bound of each channel by its name; a channel that breaks its schema has none."""
    channels = descriptor.known("/channels")
    return {
        channel["name"]: _alignment_bound(descriptor, channel)
        for channel in (channels if isinstance(channels, list) else ())
        if isinstance(channel, dict) and isinstance(channel.get("name"), str)
    }


def _utc_drift(descriptor: Descriptor) -> tuple[int | dict[str, Any], int | dict[str, Any]]:
    """Return by how many parts in 10^9 UTC gained on the origin's clock, and how far off that may be.

    There is no drift where the snapshots do not resolve it.
    """
    try:
        drift = utc_drift_ppb(descriptor.at("/timebase"))
    except InvalidDescriptor:
        return (absent("unknown", _BROKEN),) * 2
    if drift is None:
        return (absent("not_measured", "UTC was read at one instant"),) * 2
    found, error = drift
    if abs(found) > error:
        return found, error
    return absent("not_measured", f"below {error / 1000:.3g} ppm, which the snapshots do not resolve"), error


def _utc_of(origin: Any, submit: Any) -> str | dict[str, Any]:
    if not isinstance(origin, str) or type(submit) is not int:
        return absent("unknown")
    try:
        return to_utc(from_utc(origin) + submit)
    except InvalidDescriptor:
        return absent("unknown", "the origin is not a UTC time")
