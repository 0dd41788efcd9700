"""Audio facts (clauses 6.1, 6.2 and 6.9, family AUD): the descriptor states the properties of the file as read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.codecs import CODECS, LOSSY
from ttsartifact.container.source import JoinedSource
from ttsartifact.errors import TtsArtifactError
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.container.sound import SoundFacts
    from ttsartifact.formulas.rendering import TraceChannel
    from ttsartifact.verifying.evidence import Evidence

_LARGEST_BYTES = 256 << 20


@rule("AUD01")
def true_sample_rate(evidence: Evidence) -> Answer:
    return _compared(evidence, "AUD01", ("sample_rate_hz",))


@rule("AUD02")
def true_channels(evidence: Evidence) -> Answer:
    answer = _compared(evidence, "AUD02", ("channels",))
    roles, stated = evidence.known("/audio/roles"), evidence.known("/audio/channels")
    if answer:
        return answer
    if len(roles) != stated:
        return [
            Mismatch(where="/audio/roles", found=len(roles), expected=stated, message="not every channel has one role")
        ]
    if any(entry["role"] == "output" for entry in roles):
        return []
    return [
        Mismatch(
            where="/audio/roles",
            found=", ".join(dict.fromkeys(entry["role"] for entry in roles)),
            expected="a channel of role output",
            message="no channel holds what was spoken",
        )
    ]


@rule("AUD14")
def possible_counts(evidence: Evidence) -> Answer:
    clipped, frames = evidence.known("/audio/clipped_samples"), evidence.known("/audio/frames")
    faults = []
    if clipped is not None and frames is not None and clipped > frames * evidence.known("/audio/channels"):
        faults.append(
            Mismatch(
                where="/audio/clipped_samples",
                found=clipped,
                expected=f"at most {frames * evidence.known('/audio/channels')}, all of them",
                message="more clipped samples are stated than the audio has",
            )
        )
    return faults + [
        Mismatch(
            where=f"/audio/roles/{place}/{key}",
            expected="a value",
            message="a sensor's channel does not state its unit or its scale",
        )
        for place, entry in enumerate(evidence.known("/audio/roles"))
        for key in ("unit", "scale")
        if entry["role"] == "sensor" and key not in entry
    ]


@rule("AUD03")
def true_sample_format(evidence: Evidence) -> Answer:
    return _compared(evidence, "AUD03", ("subtype", "bit_depth"))


@rule("AUD04")
def true_codec(evidence: Evidence) -> Answer:
    stated, media_type = evidence.known("/audio/codec"), evidence.known("/audio/media_type")
    seen = "wav"
    if evidence.artifact.wave is None:
        from ttsartifact.container.bare import codec_of

        try:
            seen = codec_of(JoinedSource(evidence.artifact.audio))
        except TtsArtifactError as error:
            return _refused(error, "AUD04")
    if stated != seen:
        return [
            Mismatch(
                where="/audio/codec",
                found=stated,
                expected=seen,
                message="the file's first bytes belong to a different codec",
            )
        ]
    if media_type == CODECS[seen].media_type:
        return []
    return [
        Mismatch(
            where="/audio/media_type",
            found=media_type,
            expected=CODECS[seen].media_type,
            message="the media type belongs to a different codec",
        )
    ]


@rule("AUD05")
def true_frames(evidence: Evidence) -> Answer:
    return _compared(evidence, "AUD05", ("frames",))


@rule("AUD06")
def named_encoder(evidence: Evidence) -> Answer:
    stated = evidence.known("/audio/codec")
    if stated == "wav":
        return NotApplicable("a WAV has no encoder settings")
    encoder = evidence.known("/audio/encoder")
    if encoder is None:
        if not evidence.claims_level("L3"):
            return NotApplicable("the encoder is not known")
        return [
            Mismatch(
                where="/audio/encoder",
                found="absent",
                expected="name, version and settings",
                message=f"the encoder of this {stated} is not stated",
            )
        ]
    wanted: list[tuple[str, ...]] = [("level",)]
    if stated in LOSSY:
        wanted = [("version",), ("mode",), ("bitrate_bps", "quality")]
    return [
        Mismatch(
            where=f"/audio/encoder/{keys[0]}",
            expected=" or ".join(keys),
            message=f"a setting of the {stated} encoder is missing",
        )
        for keys in wanted
        if all(evidence.known(f"/audio/encoder/{key}") is None for key in keys)
    ]


@rule("AUD07")
def decodes_to_the_end(evidence: Evidence) -> Answer:
    # The walk over a WAV has found a whole number of frames, and there is nothing else to decode.
    if evidence.artifact.wave is not None:
        return []
    facts = evidence.sound
    return _refused(facts, "AUD07") if isinstance(facts, TtsArtifactError) else []


@rule("AUD15")
def one_sound(evidence: Evidence) -> Answer:
    bare = evidence.bare
    if not isinstance(bare, TtsArtifactError):
        return []
    return [Mismatch(where=bare.where, found=bare.found, expected=bare.expected, message=bare.message)]


@rule("AUD12")
def finite_samples(evidence: Evidence) -> Answer:
    if evidence.known("/audio/subtype") not in {"pcm_f32", "pcm_f64"}:
        return NotApplicable("the samples are integers")
    facts = evidence.sound
    if isinstance(facts, TtsArtifactError):
        return Unverifiable(facts.message)
    if facts.not_finite:
        return [
            Mismatch(
                where="/audio/subtype",
                found=f"{facts.not_finite} samples that are NaN or infinite",
                expected="numbers",
                message="samples that are not finite numbers",
            )
        ]
    counted = evidence.known("/audio/clipped_samples")
    if counted is None or counted >= facts.beyond_full_scale:
        return []
    return [
        Mismatch(
            where="/audio/clipped_samples",
            found=counted,
            expected=f"at least {facts.beyond_full_scale}, the samples outside full scale",
            message="samples that every player clips are not counted",
        )
    ]


def _refused(error: TtsArtifactError, rule_id: str) -> list[Mismatch] | Unverifiable:
    """Answer for audio that could not be read: the rule that its reader names fails, any other has nothing to go by."""
    if error.rule != rule_id:
        return Unverifiable(error.message)
    return [Mismatch(where=error.where, found=error.found, expected=error.expected, message=error.message)]


def _compared(evidence: Evidence, rule_id: str, keys: tuple[str, ...]) -> list[Mismatch] | Unverifiable:
    """Compare fields of /audio with what the file says about itself; a WAV is asked without loading a decoder."""
    wave = evidence.artifact.wave
    seen: dict[str, Any]
    if wave is not None:
        seen = {
            "subtype": wave.format.subtype,
            "sample_rate_hz": wave.format.sample_rate_hz,
            "channels": wave.format.channels,
            "bit_depth": wave.format.bit_depth,
            "frames": wave.frames,
        }
    else:
        facts: SoundFacts | TtsArtifactError = evidence.sound
        if isinstance(facts, TtsArtifactError):
            return _refused(facts, rule_id)
        seen = {key: getattr(facts, key) for key in keys}
    return [
        Mismatch(
            where=f"/audio/{key}",
            found="absent" if (stated := evidence.known(f"/audio/{key}")) is None else stated,
            expected="absent" if seen[key] is None else seen[key],
            message="the file's own header disagrees",
        )
        for key in keys
        if evidence.known(f"/audio/{key}") != seen[key]
    ]


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
    from ttsartifact.formulas.rendering import channels_of_traces

    names = [entry["name"] for _, entry in evidence.entries("/traces")]
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
    from ttsartifact.formulas.rendering import held_ranges

    for begin, end, expected in held_ranges(channel, start_ns, rate_hz, len(samples)):
        strange = (samples[begin:end] != expected).nonzero()[0]
        if len(strange):
            frame = begin + int(strange[0])
            message = f"frame {frame} of channel {channel.name} is not the reading of its time"
            return [Mismatch(where=where, found=int(samples[frame]), expected=expected, message=message)]
    return []
