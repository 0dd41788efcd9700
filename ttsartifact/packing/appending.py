"""A run with one more channel: the descriptor is a new one, and says which it was made from (clause 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container import canonical, leaves, riff, schemas
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.hashing import digest_pieces
from ttsartifact.container.source import JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.packing.pack import RunInMemory, write
from ttsartifact.terms import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.trace import Trace

__all__ = ["append_channel"]


def append_channel(
    artifact: Artifact,
    channel: dict[str, Any],
    traces: Sequence[Trace],
    out: Path | str,
    *,
    replace: bool = False,
) -> str:
    """Write the run with `channel` and its `traces`, `channel/<name>` among them; return the new artifact id.

    Attestations speak of the old descriptor and are left out. Raises Refused where the run has such a channel, where
    its audio is not the recorded one, or `out` exists.
    """
    made = {trace.name: (canonical.canonical_bytes(trace.to_value()), trace.rows) for trace in traces}
    value = _with_channel(artifact, channel, made)
    parts = {"descriptor": canonical.canonical_bytes(value)}
    for entry in value["traces"]:
        name = f"trace/{entry['name']}"
        parts[name] = made[entry["name"]][0] if entry["name"] in made else artifact.parts.part(name)
    kept = [name for name in artifact.parts.names() if name == leaves.PART or name.startswith("ref/")]
    parts |= {name: artifact.parts.part(name) for name in kept}
    stated, found = artifact.descriptor.known("/audio/digest"), digest_pieces(artifact.audio)
    if found != stated:
        raise Refused("the audio is not the recorded audio", where=artifact.where, found=found, expected=stated)
    audio = JoinedSource(artifact.audio)
    wave = riff.walk(audio) if artifact.wave is not None else None
    run = RunInMemory(parts=parts, audio=audio, wave=wave, audio_digest=found)
    write(run, out, carrier=carrier_of(out), replace=replace)
    return run.artifact_id


def _with_channel(artifact: Artifact, channel: dict[str, Any], made: Mapping[str, tuple[bytes, int]]) -> dict[str, Any]:
    """Return the new descriptor, held against the schemas."""
    before = artifact.descriptor.value
    if any(one["name"] == channel["name"] for one in before["channels"]):
        raise Refused("the run has a channel of this name", where="/channels", found=channel["name"])
    added = [
        {"name": name, "media_type": "application/json", "size": len(data), "digest": digest.of(data), "rows": rows}
        for name, (data, rows) in made.items()
    ]
    value = before | {
        "channels": [*before["channels"], channel],
        "traces": [*before["traces"], *added],
        "derived_from": {"artifact_id": artifact.artifact_id, "operation": "append_trace", "pcm_equal": True},
    }
    schemas.require_valid("descriptor", value)
    return value
