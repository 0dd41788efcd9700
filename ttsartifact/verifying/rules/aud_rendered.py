"""Traces that were rendered as channels of the audio (clause 6.9, operation multichannel), sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import JoinedSource
from ttsartifact.formulas.rendering import channels_of_traces, held_ranges
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.formulas.rendering import TraceChannel
    from ttsartifact.verifying.evidence import Evidence

_LARGEST_BYTES = 256 << 20


@rule("AUD20")
def rendered_traces(evidence: Evidence) -> Answer:
    derived = evidence.known("/derived_from")
    if derived is None or derived["operation"] != "multichannel":
        return NotApplicable("no trace was rendered as a channel")
    wave, start = evidence.artifact.wave, evidence.known("/run/times/t_first_token_ns")
    if wave is None or wave.format.subtype != "pcm_s32" or start is None:
        found, expected = evidence.known("/audio/subtype"), "pcm_s32, and a known t_first_token_ns"
        return [
            Mismatch(
                where="/audio/subtype",
                found=found,
                expected=expected,
                message="traces cannot be rendered into this audio",
            )
        ]
    if wave.data.size > _LARGEST_BYTES:
        return Unverifiable(f"needs a rendering of more than {_LARGEST_BYTES} bytes")
    names = [entry["name"] for _, entry in entries(evidence, "/traces")]
    traces = [trace for name in names if (trace := evidence.trace(name)) is not None]
    shown = {channel.name: channel for channel in channels_of_traces(traces, evidence.known("/channels") or [])[0]}
    samples = _samples(evidence)
    faults = []
    for place, role in enumerate(evidence.known("/audio/roles")):
        if role["role"] != "sensor":
            continue
        where, channel = f"/audio/roles/{place}", shown.pop(role.get("name"), None)
        if channel is None:
            faults.append(Mismatch(where=where, found=role.get("name"), message="no trace has the channel's readings"))
        elif role != channel.to_role():
            faults.append(
                Mismatch(
                    where=where,
                    found=role,
                    expected=channel.to_role(),
                    message="the scale of the channel is not that of its trace",
                )
            )
        else:
            faults += _first_other(channel, samples[:, place], where, start, wave.format.sample_rate_hz)
    faults += [
        Mismatch(where="/audio/roles", expected=name, message="a trace was not rendered as a channel") for name in shown
    ]
    return faults


def _samples(evidence: Evidence) -> NDArray[np.int32]:
    import numpy as np

    wave = evidence.artifact.wave
    assert wave is not None  # asked before
    start, _ = wave.bare_pcm
    data = JoinedSource(evidence.artifact.audio).read_at(start, wave.data.size)
    found: NDArray[Any] = np.frombuffer(data, "<i4").reshape(-1, wave.format.channels)
    return found


def _first_other(
    channel: TraceChannel, samples: NDArray[np.int32], where: str, start_ns: int, rate_hz: int
) -> list[Mismatch]:
    """Return the first frame that does not hold the reading that it should."""
    for begin, end, expected in held_ranges(channel, start_ns, rate_hz, len(samples)):
        strange = (samples[begin:end] != expected).nonzero()[0]
        if len(strange):
            frame = begin + int(strange[0])
            message = f"frame {frame} of channel {channel.name} is not the reading of its time"
            return [Mismatch(where=where, found=int(samples[frame]), expected=expected, message=message)]
    return []
