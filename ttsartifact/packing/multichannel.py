"""A run with its traces as channels of sound beside the voice, on one axis that any editor shows (clause 6.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.container import riff
from ttsartifact.container.source import BytesSource, JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.formulas.rendering import channels_of_traces, held_ranges
from ttsartifact.packing.derived import derived_draft, trace_of
from ttsartifact.packing.pack import pack
from ttsartifact.reading.artifact import open_artifact
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.packing.pack import Packed
    from ttsartifact.reading.artifact import Artifact

__all__ = ["Rendered", "render"]

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
    artifact = open_artifact(path)
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
    draft = derived_draft(artifact, "multichannel", trace_of(artifact, "chunks"), run_words=("multichannel",))
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
