"""What follows from the file and is never stored in it: figures, bound, UTC of submit, a range held to its leaves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ttsartifact.container import hashing
from ttsartifact.container.figures import ENCODED, chunks_of, figures_of, onset_of
from ttsartifact.container.limits import LEAF_BYTES
from ttsartifact.container.source import JoinedSource
from ttsartifact.errors import Damaged, InvalidDescriptor, Refused
from ttsartifact.formulas.logs import energy_error_ppm, updates_within
from ttsartifact.formulas.timebase import from_utc, to_utc, utc_bound, utc_drift_ppb
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from ttsartifact.container.riff import WaveFormat
    from ttsartifact.container.source import Span
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.descriptor import Descriptor

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


def read_range(artifact: Artifact, offset: int, size: int) -> bytes:
    """Return bytes of the bare file, every one of them verified against `/audio/leaves`.

    Only the leaves that the range touches are read and hashed. That these are the leaves of the recorded file follows
    from `artifact_id`, which the caller compares with the run that is meant; a full verification checks HSH20.

    Args:
        artifact: The opened artifact.
        offset: First byte, counted from 0.
        size: How many bytes.

    Raises:
        Refused: The run states no leaves, or the range is not inside the file.
        Damaged: The part is not the one that the descriptor binds, or a leaf has other bytes.

    Example:
        `read_range(open("run.tts.wav"), 0, 4096)`
    """
    audio = JoinedSource(artifact.audio)
    if offset < 0 or size < 0 or offset + size > audio.size:
        raise Refused(
            "the range is not inside the bare file",
            where="/audio/size",
            found=f"bytes {offset} to {offset + size}",
            expected=f"within 0 to {audio.size}",
        )
    stated = _stated(artifact)
    if len(stated) != -(-audio.size // LEAF_BYTES):
        raise Damaged(
            "the bare file's length does not match its leaves",
            where="/audio/leaves",
            found=f"{audio.size} bytes",
            expected=f"{len(stated)} leaves of {LEAF_BYTES} bytes, the last one shorter",
            rule="HSH04",
        )
    held = bytearray()
    first, end = offset // LEAF_BYTES, -(-(offset + size) // LEAF_BYTES)
    for leaf in range(first, end):
        start = leaf * LEAF_BYTES
        data = audio.read_at(start, min(LEAF_BYTES, audio.size - start))
        found = hashlib.sha256(data).hexdigest()
        if found != stated[leaf]:
            words = hashing.span_words(leaf, leaf + 1, audio.size)
            raise Damaged(
                f"{words} differ", where=f"/audio/leaves leaf {leaf}", found=found, expected=stated[leaf], rule="HSH02"
            )
        held += data
    return bytes(held[offset - first * LEAF_BYTES :][:size])


def _stated(artifact: Artifact) -> tuple[str, ...]:
    root = artifact.descriptor.known("/audio/leaves/root")
    if root is None or hashing.LEAVES_PART not in artifact.parts.names():
        raise Refused("the run states no leaves", where="/audio/leaves", expected="part leaves and its root")
    held = hashing.hex_digests(artifact.parts.part(hashing.LEAVES_PART), root)
    if held is None:
        raise Damaged("the leaves are not those that the descriptor binds", where="part leaves", rule="HSH20")
    return held
