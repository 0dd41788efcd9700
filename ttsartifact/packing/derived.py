"""Runs that are made from another: with a channel more, or with traces as channels of sound (clauses 3.6, 6.4, 6.9)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import canonical, hashing, riff, schemas
from ttsartifact.container.carrier import carrier_of
from ttsartifact.container.source import BytesSource, JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.formulas.rendering import channels_of_traces, held_ranges
from ttsartifact.packing.pack import RunInMemory, pack, write
from ttsartifact.packing.restoring import require_recorded
from ttsartifact.reading.artifact import open_artifact, require_named
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.packing.pack import Packed
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.trace import Trace

_COMPUTED = ("spec_version", "level", "audio", "traces")


def derived_draft(artifact: Artifact, operation: str, chunks: Trace | None, *, run_words: Sequence[str]) -> Draft:
    """Return the draft of a run with other samples: conditions, times, traces and clips of the one that it is made of.

    `chunks` is its chunk log, `run_words` what beside the old identity makes the new run_id. The stages of the engine
    do not lead to the new samples, and no claim is taken over.
    """
    value = {key: section for key, section in artifact.descriptor.value.items() if key not in _COMPUTED}
    value["derived_from"] = {"artifact_id": artifact.artifact_id, "operation": operation, "pcm_equal": False}
    value["claims"] = []
    value["generation"] = value["generation"] | {
        "stages": absent("not_applicable", "the samples were changed after the engine made them")
    }
    value["run"] = value["run"] | {"run_id": derived_run_id(artifact.artifact_id, *run_words)}
    names = [name.removeprefix("trace/") for name in artifact.parts.names() if name.startswith("trace/")]
    traces = {name: artifact.trace(name) for name in names} | ({} if chunks is None else {chunks.name: chunks})
    audio = artifact.descriptor.value["audio"]
    clips = [name for name in artifact.parts.names() if name.startswith("ref/")]
    return Draft(
        descriptor=value,
        audio={key: audio[key] for key in ("roles", "encoder", "decoded") if key in audio},
        traces=tuple(trace for trace in traces.values() if trace is not None),
        references={int(name.removeprefix("ref/")): artifact.parts.part(name) for name in clips},
    )


def derived_run_id(*words: str) -> str:
    """Return a UUID (version 8) of what the run is made of: made again, it is the same."""
    raw = bytearray(hashlib.sha256("\0".join(words).encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x80, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def append_channel(
    artifact: Artifact,
    channel: dict[str, Any],
    traces: Sequence[Trace],
    out: Path | str,
    *,
    replace: bool,
) -> str:
    """Write the run with `channel` and its `traces`, `channel/<name>` among them; return the new artifact id.

    Attestations speak of the old descriptor and are left out. Raises Refused where the run has such a channel, where
    its audio is not the recorded one, or `out` exists.
    """
    made = {trace.name: (canonical.canonical_bytes(trace.to_value()), trace.rows) for trace in traces}
    value = _with_channel(artifact, channel, made)
    parts = {"descriptor": canonical.descriptor_bytes(value)}
    for entry in value["traces"]:
        name = f"trace/{entry['name']}"
        parts[name] = made[entry["name"]][0] if entry["name"] in made else artifact.parts.part(name)
    kept = [name for name in artifact.parts.names() if name == hashing.LEAVES_PART or name.startswith("ref/")]
    parts |= {name: artifact.parts.part(name) for name in kept}
    found = require_recorded(artifact)
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


_WIDTHS = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4}
_LARGEST_BYTES = 1 << 30


class Rendered(NamedTuple):
    """The new artifact, and what it shows."""

    packed: Packed
    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    """Columns without a reading, or with readings that 32 bits do not hold."""


def render(path: Path | str, out: Path | str, *, replace: bool = False) -> Rendered:
    """Write the one run of `path` as WAV of 32 bits: its own channels, and one for each column of its traces.

    The traces themselves stay in the artifact, so that no reading is lost, those before and behind the sound among
    them. Raises Refused for audio that is not WAV of signed integers, a run without the time of its first audio or
    without a trace, one that was made imperfect or carries a credential, and a result above 1 GiB.
    """
    artifact = require_named(open_artifact(path))
    known = artifact.descriptor.known
    _require_plain(artifact)
    found, left_out = channels_of_traces(_traces(artifact), known("/channels") or ())
    if not found:
        raise Refused("the run has no trace to show", where=artifact.where, found=", ".join(left_out) or "no trace")
    assert artifact.wave is not None
    start, rate = known("/run/times/t_first_token_ns"), artifact.wave.format.sample_rate_hz
    frames, voices = artifact.wave.frames, artifact.wave.format.channels
    if 4 * frames * (voices + len(found)) > _LARGEST_BYTES:
        raise Refused("the result would be too large", where=artifact.where, expected="at most 1 GiB")
    samples = _voices(artifact, voices + len(found))
    for place, channel in enumerate(found, voices):
        for begin, end, sample in held_ranges(channel, start, rate, frames):
            samples[begin:end, place] = sample
    draft = derived_draft(artifact, "multichannel", artifact.trace("chunks"), run_words=("multichannel",))
    gate = draft.descriptor["gate"]
    if isinstance(gate, dict) and "inputs" in gate:
        draft.descriptor["gate"] = absent("not_applicable", "the gate judged the run without its traces as channels")
    draft.audio["roles"] = [*known("/audio/roles"), *(channel.to_role() for channel in found)]
    form = riff.WaveFormat("pcm_s32", rate, voices + len(found), 32)
    pcm = samples.tobytes()
    packed = pack(draft, BytesSource(riff.header(form, len(pcm)) + pcm), out, replace=replace)
    return Rendered(packed, tuple(channel.name for channel in found), tuple(left_out))


def _require_plain(artifact: Artifact) -> None:
    known, wave = artifact.descriptor.known, artifact.wave
    subtype = None if wave is None else wave.format.subtype
    if wave is None or subtype not in _WIDTHS:
        codec = subtype or known("/audio/codec")
        raise Refused("only WAV of signed integers is shown beside traces", where=artifact.where, found=codec)
    if type(known("/run/times/t_first_token_ns")) is not int:
        raise Refused("when the audio began is not known", where=f"{artifact.where}: /run/times/t_first_token_ns")
    if known("/imperfection") not in (None, "none"):
        raise Refused("a run that was made imperfect stays as it is", where=artifact.where, found="/imperfection")
    if any(isinstance(mark, dict) and mark.get("kind") == "c2pa" for mark in known("/generation/marking") or ()):
        raise Refused("the run carries a credential, which would not hold of other audio", where=artifact.where)


def _traces(artifact: Artifact) -> list[Any]:
    names = [name.removeprefix("trace/") for name in artifact.parts.names() if name.startswith("trace/")]
    return [trace for name in names if (trace := artifact.trace(name)) is not None]


def _voices(artifact: Artifact, channels: int) -> NDArray[np.int32]:
    """Return room for all channels, in which those of the run stand, shifted to 32 bits."""
    import numpy as np

    wave = artifact.wave
    assert wave is not None
    width, count = _WIDTHS[wave.format.subtype], wave.format.channels
    start, _ = wave.bare_pcm
    data = JoinedSource(artifact.audio).read_at(start, wave.data.size)
    wide = np.zeros((wave.frames * count, 4), np.uint8)
    wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    room = np.zeros((wave.frames, channels), "<i4")
    room[:, :count] = wide.view("<i4").reshape(-1, count)
    return room
