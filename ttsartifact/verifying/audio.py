"""Audio facts and the chunk log (clauses 6.1 to 6.3): the descriptor says what the file says when it is read back."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.errors import TtsArtifactError
from ttsartifact.terms.chunks import stalls
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Severity, Unverifiable
from ttsartifact.verifying.asking import claims_level
from ttsartifact.verifying.catalogue import rule

if TYPE_CHECKING:
    from ttsartifact.container.sound import SoundFacts
    from ttsartifact.verifying.evidence import Evidence

_LOSSY = frozenset({"mp3", "ogg_vorbis", "ogg_opus"})
_MEDIA_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg_vorbis": "audio/ogg",
    "ogg_opus": "audio/ogg",
}


@rule("AUD01")
def sample_rate(evidence: Evidence) -> Answer:
    """The stated sample rate is the file's (clause 6.1)."""
    return _compared(evidence, "AUD01", ("sample_rate_hz",))


@rule("AUD02")
def channels(evidence: Evidence) -> Answer:
    """The stated number of channels is the file's, and each has a role (clauses 6.1 and 6.9)."""
    answer = _compared(evidence, "AUD02", ("channels",))
    roles, stated = evidence.known("/audio/roles"), evidence.known("/audio/channels")
    if answer or len(roles) == stated:
        return answer
    return [Mismatch(where="/audio/roles", found=len(roles), expected=stated, message="not every channel has one role")]


@rule("AUD03")
def sample_format(evidence: Evidence) -> Answer:
    """The stated subtype and bit depth are the file's; a lossy codec has no depth (clause 6.1)."""
    return _compared(evidence, "AUD03", ("subtype", "bit_depth"))


@rule("AUD04")
def codec(evidence: Evidence) -> Answer:
    """The stated codec is what the bytes are, and the media type is that codec's (clause 6.1)."""
    stated, media_type = evidence.known("/audio/codec"), evidence.known("/audio/media_type")
    seen = "wav"
    if evidence.artifact.wave is None:
        from ttsartifact.container.sound import codec_of

        try:
            seen = codec_of(evidence.artifact.audio)
        except TtsArtifactError as error:
            return _refused(error, "AUD04")
    if stated != seen:
        return [
            Mismatch(
                where="/audio/codec", found=stated, expected=seen, message="the file's first bytes are another codec's"
            )
        ]
    if media_type == _MEDIA_TYPES[seen]:
        return []
    return [
        Mismatch(
            where="/audio/media_type",
            found=media_type,
            expected=_MEDIA_TYPES[seen],
            message="the media type is another codec's",
        )
    ]


@rule("AUD05")
def frames(evidence: Evidence) -> Answer:
    """The stated number of frames is what decoding delivers, without an MP3's delay and padding (clause 6.1)."""
    return _compared(evidence, "AUD05", ("frames",))


@rule("AUD06")
def encoder_named(evidence: Evidence) -> Answer:
    """The encoder of a lossy file states version, mode and bitrate or quality, that of FLAC its level (clause 6.2).

    Below L3 an encoder that nobody knows may be absent.
    """
    stated = evidence.known("/audio/codec")
    if stated == "wav":
        return NotApplicable("a WAV has no encoder settings")
    encoder = evidence.known("/audio/encoder")
    if encoder is None:
        if not claims_level(evidence, "L3"):
            return NotApplicable("the encoder is not known")
        return [
            Mismatch(
                where="/audio/encoder",
                found="absent",
                expected="name, version and settings",
                message=f"what encoded this {stated} is not known",
            )
        ]
    wanted: list[tuple[str, ...]] = [("level",)]
    if stated in _LOSSY:
        wanted = [("version",), ("mode",), ("bitrate_bps", "quality")]
    return [
        Mismatch(
            where=f"/audio/encoder/{keys[0]}",
            expected=" or ".join(keys),
            message=f"the settings of a {stated} encoder are not whole",
        )
        for keys in wanted
        if all(evidence.known(f"/audio/encoder/{key}") is None for key in keys)
    ]


@rule("AUD07")
def decodes(evidence: Evidence) -> Answer:
    """The file decodes to its last frame without an error (clause 6.1)."""
    # The walk over a WAV has found a whole number of frames, and there is nothing else to decode.
    if evidence.artifact.wave is not None:
        return []
    facts = evidence.sound
    return _refused(facts, "AUD07") if isinstance(facts, TtsArtifactError) else []


@rule("AUD12")
def finite(evidence: Evidence) -> Answer:
    """Float samples are finite, and those outside full scale are counted in clipped_samples (clause 6.1)."""
    if evidence.known("/audio/subtype") != "pcm_f32":
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
                message="samples that no ear and no player can use",
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


@rule("HSH13")
def flac_witness(evidence: Evidence) -> Answer:
    """The MD5 in a FLAC's STREAMINFO is that of its PCM (clause 8.3); an encoder that left it out is told."""
    facts = evidence.sound if evidence.artifact.wave is None else None
    if isinstance(facts, TtsArtifactError):
        return Unverifiable(facts.message)
    if facts is None or facts.stated_md5 is None:
        return NotApplicable("no FLAC")
    if facts.stated_md5 == facts.pcm_md5:
        return []
    left_out = not facts.stated_md5.strip("0")
    return [
        Mismatch(
            where="STREAMINFO",
            found="no MD5" if left_out else facts.stated_md5,
            expected=facts.pcm_md5,
            message="the encoder left its own witness out" if left_out else "the samples are not what the encoder saw",
            severity=Severity.WARN if left_out else None,
        )
    ]


@rule("CHK01")
def chunks_contiguous(evidence: Evidence) -> Answer:
    """Chunks are contiguous from frame 0, do not overlap, and none is empty (clause 6.3)."""
    log = evidence.chunks
    if log is None:
        return NotApplicable("no chunk log")
    end = 0
    for row, (start, count) in enumerate(zip(log.columns["frame_start"], log.columns["frame_count"], strict=True)):
        if start != end:
            return [
                Mismatch(
                    where=f"trace/chunks/columns/frame_start/{row}",
                    found=start,
                    expected=end,
                    message="chunks overlap" if start < end else "chunks leave a gap",
                )
            ]
        if count < 1:
            return [
                Mismatch(
                    where=f"trace/chunks/columns/frame_count/{row}",
                    found=count,
                    expected="at least 1",
                    message="a chunk holds no audio",
                )
            ]
        end += count
    return []


@rule("CHK02")
def chunks_add_up(evidence: Evidence) -> Answer:
    """The chunks add up to the file's frames (clause 6.3)."""
    log, total = evidence.chunks, evidence.known("/audio/frames")
    if log is None or total is None:
        return NotApplicable("no chunk log" if log is None else "the number of frames is not known")
    logged = sum(log.columns["frame_count"])
    if logged == total:
        return []
    return [
        Mismatch(
            where="trace/chunks/columns/frame_count",
            found=f"{logged} frames in all",
            expected=total,
            message="the log and the file hold two lengths",
        )
    ]


@rule("CHK03")
def chunk_times_in_order(evidence: Evidence) -> Answer:
    """The times of the chunks never decrease (clause 6.3)."""
    log = evidence.chunks
    if log is None:
        return NotApplicable("no chunk log")
    return [
        Mismatch(
            where=f"trace/chunks/columns/t_ns/{row}",
            found=later,
            expected=f"at least {earlier}",
            message="a chunk arrived before the one it follows",
        )
        for row, (earlier, later) in enumerate(pairwise(log.columns["t_ns"]), 1)
        if later < earlier
    ][:1]


@rule("CHK04")
def log_was_kept_live(evidence: Evidence) -> Answer:
    """The chunks of a streaming run did not all arrive at one instant (clause 6.3)."""
    log = evidence.chunks
    if log is None or log.rows < 2 or not evidence.known("/run/times/streaming"):
        return NotApplicable("no log of several chunks that streamed")
    if len(set(log.columns["t_ns"])) > 1:
        return []
    return [
        Mismatch(
            where="trace/chunks/columns/t_ns",
            found=f"{log.rows} chunks at t = {log.columns['t_ns'][0]}",
            expected="the times at which they arrived",
            message="the log was written after the fact, or nothing streamed",
        )
    ]


@rule("CHK05")
def stalls_recompute(evidence: Evidence) -> Answer:
    """Stalls recompute from the chunk log: how often and how long a player from t_first_token ran dry (clause 6.3)."""
    log, stated = evidence.chunks, evidence.known("/run/times/stalls")
    if log is None or stated is None:
        return NotApplicable("no chunk log" if log is None else "no stalls are stated")
    count, total_ns = stalls(
        log.columns["t_ns"],
        log.columns["frame_start"],
        log.columns["frame_count"],
        evidence.known("/audio/sample_rate_hz"),
    )
    return [
        Mismatch(
            where=f"/run/times/stalls/{key}",
            found=stated[key],
            expected=f"{value}, from the chunk log",
            message="the stalls are not those of the log",
        )
        for key, value in (("count", count), ("total_ns", total_ns))
        if stated[key] != value
    ]


def _refused(error: TtsArtifactError, rule_id: str) -> list[Mismatch] | Unverifiable:
    """Answer for audio that could not be read: the rule that its reader names fails, any other has nothing to go by."""
    if error.rule != rule_id:
        return Unverifiable(error.message)
    return [Mismatch(where=error.where, found=error.found, expected=error.expected, message=error.message)]


def _compared(evidence: Evidence, rule_id: str, keys: tuple[str, ...]) -> list[Mismatch] | Unverifiable:
    """Compare fields of /audio with what the file says of itself; a WAV is asked without loading a decoder."""
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
            message="the file says another thing of itself",
        )
        for key in keys
        if evidence.known(f"/audio/{key}") != seen[key]
    ]
