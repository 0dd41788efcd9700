"""Controlled imperfection made again (clause 6.7): samples out of the clean ones, and sounds out of packets.

Its events map the clean sound onto the audio, and back.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import JoinedSource, Span, blocks_of
from ttsartifact.errors import TtsArtifactError, Unavailable
from ttsartifact.formulas.conditions import stages_that_count
from ttsartifact.terms.digest import spelled
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.imp_imperfection import at_row, layers_of, log_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from ttsartifact.container.opus import OpusStream
    from ttsartifact.formulas.pcm_kinds import PcmFormat
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

_INTEGERS = frozenset({"pcm_s16", "pcm_s24", "pcm_s32"})
_ROOM_BYTES = 1 << 20  # of a sound that a false plan makes, so that its first different event is named
_LARGEST_REPLAY_BYTES = 64 << 20  # a quarter of an hour of 24 kHz speech, held twice


@rule("IMP14")
def replayed_samples(evidence: Evidence) -> Answer:
    layers = [layer for _, layer in layers_of(evidence)]
    log = log_of(evidence)
    if log is None or not any("method" in layer for layer in layers):
        return NotApplicable("no layer of method ttsa-pcm/1, or no log")
    from ttsartifact.formulas import pcm_events

    ours = {place for place, layer in enumerate(layers) if layer.get("method") == pcm_events.METHOD}
    if not ours:
        return NotApplicable("no layer of method ttsa-pcm/1, or no log")
    if any(place not in ours and layer["stage"] == "pcm" and layer["enabled"] for place, layer in enumerate(layers)):
        return NotApplicable("a layer of stage pcm was applied with a different method")
    found = _integer_pcm(evidence)
    if isinstance(found, (NotApplicable, Unverifiable)):
        return found
    audio, sound = found
    rows = _rows_of(log, ours)
    try:
        clean = pcm_events.clean_of(audio, sound, rows)
        if clean is None:
            return [
                Mismatch(where="trace/imperfection", found="no removed_pcm", message="replaced frames are not kept")
            ]
        seed = evidence.known("/imperfection/draw/seed")
        clips = _clips_within(audio, sound, rows)
        again, expected = pcm_events.apply(clean, sound, layers, seed, clips, most_bytes=2 * len(audio) + _ROOM_BYTES)
    except (TtsArtifactError, ValueError) as error:
        return [Mismatch(where="/imperfection/layers", found=str(error), message="the plan cannot be applied again")]
    return _first_difference(rows, expected, log) or (
        []
        if again == audio
        else [Mismatch(where="/audio", message="the plan does not give these samples", found="other samples")]
    )


@rule("IMP15")
def replayed_packets(evidence: Evidence) -> Answer:
    if not any("method" in layer for _, layer in layers_of(evidence)):
        return NotApplicable("no layer of method ttsa-opus/1")
    from ttsartifact.container import opus

    ours = [
        (place, layer)
        for place, (_, layer) in enumerate(layers_of(evidence))
        if layer["enabled"] and layer.get("method") == opus.OPUS_METHOD
    ]
    if not ours:
        return NotApplicable("no layer of method ttsa-opus/1")
    (place, layer), log, held = ours[0], log_of(evidence), evidence.trace("packets")
    if log is None:
        return Unverifiable("needs trace imperfection: which packets were lost is not logged")
    fault = _strange_packets(evidence, ours, held)
    if fault is not None or held is None:
        return [fault] if fault is not None else []
    frames = evidence.known("/audio/frames")
    try:
        stream = opus.packets_of(layer["params"]["opus_head"], held.columns["payload"])
        rows = _rows_of(log, {place})
        faults = _first_difference(rows, opus.expected_rows(layer, stream, rows, frames), log)
        faults = faults or _other_sizes(layer, stream, rows)
        if faults:
            return faults
        wanted = layer["params"]["clean_rate_hz"], evidence.known("/imperfection/clean_frames")
        return _other_length(frames, *wanted) or _decoded_again(evidence, layer, stream, opus.lost_packets(layer, rows))
    except (KeyError, TypeError, ValueError, TtsArtifactError) as error:
        if isinstance(error, Unavailable):
            return Unverifiable(str(error))
        return [Mismatch(where="trace/packets", found=str(error), message="the packets cannot be decoded")]


def _strange_packets(evidence: Evidence, ours: list[tuple[int, dict[str, Any]]], held: Trace | None) -> Mismatch | None:
    """Return why there is nothing to decode."""
    (place, _), wave = ours[0], evidence.artifact.wave
    if len(ours) > 1:
        return Mismatch(where="/imperfection/layers", found=f"{len(ours)} layers of packets", expected="one")
    if held is None:
        message = "the packets are not in the file"
        return Mismatch(where="/traces", found="no trace packets", expected="the packets", message=message)
    if any(entry != place for entry in held.columns["layer"]):
        return Mismatch(where="trace/packets/columns/layer", found="a different layer", expected=place)
    if wave is None or (wave.format.subtype, wave.format.sample_rate_hz) != ("pcm_s16", 48_000):
        message = "packets give 16-bit PCM at 48 kHz"
        return Mismatch(where="/audio", found=evidence.known("/audio/subtype"), expected="pcm_s16", message=message)
    return None


def _other_sizes(layer: dict[str, Any], stream: OpusStream, rows: list[dict[str, Any]]) -> list[Mismatch]:
    """Return the first packet that is not of the bitrate in force."""
    from ttsartifact.container import opus

    rates = opus.rates_in_force(layer, (row["fired"] for row in rows))
    for place, (packet, rate) in enumerate(zip(stream.packets, rates, strict=True)):
        if len(packet) != opus.packet_bytes(rate):
            where, found = f"trace/packets/columns/payload/{place}", f"{len(packet)} bytes"
            expected = f"{opus.packet_bytes(rate)} bytes, 20 ms at {rate} bit/s"
            message = "a packet is not of the bitrate in force"
            return [Mismatch(where=where, found=found, expected=expected, message=message)]
    return []


def _other_length(frames: int, rate_hz: int, clean: int) -> list[Mismatch]:
    expected = clean * 48_000 // rate_hz
    if frames == expected:
        return []
    message = "the packets decode to a different number of frames"
    return [Mismatch(where="/audio/frames", found=frames, expected=expected, message=message)]


def _decoded_again(
    evidence: Evidence, layer: dict[str, Any], stream: OpusStream, lost: set[int]
) -> list[Mismatch] | Unverifiable:
    from ttsartifact.container import opus

    here = opus.pinned()
    if layer.get("tool") != here:
        stated = layer.get("tool", {})
        return Unverifiable(
            f"needs {stated.get('name')} {stated.get('version')} ({stated.get('build')}); "
            f"here is {here['version']} ({here['build']})"
        )
    wave = evidence.artifact.wave
    assert wave is not None  # asked before
    start, _ = wave.bare_pcm
    frames = wave.data.size // wave.format.frame_bytes
    audio = JoinedSource(evidence.artifact.audio).read_at(start, wave.data.size)
    conceal = layer["params"].get("conceal", "silence")
    made = opus.decode(stream, lost=lost, conceal=conceal, frames=frames)
    message = "the packets that arrived, decoded again, give other samples than these"
    return [] if made == audio else [Mismatch(where="/audio", found="other samples", message=message)]


def _rows_of(log: Trace, layers: Collection[int]) -> list[dict[str, Any]]:
    """Return the rows of these layers; of the others none is built."""
    held = [row for row, layer in enumerate(log.columns["layer"]) if layer in layers]
    return [{name: column[row] for name, column in log.columns.items()} for row in held]


def _integer_pcm(evidence: Evidence) -> tuple[bytes, PcmFormat] | NotApplicable | Unverifiable:
    """Return the PCM and its format, where it is signed integers of a size that is held in memory."""
    from ttsartifact.formulas.pcm_kinds import PcmFormat

    wave = evidence.artifact.wave
    if wave is None:
        return Unverifiable("needs the PCM of encoded audio")
    if wave.format.subtype not in _INTEGERS:
        return NotApplicable("samples that are not signed integers")
    start, _ = wave.bare_pcm
    if wave.data.size > _LARGEST_REPLAY_BYTES:
        return Unverifiable(f"needs a replay of more than {_LARGEST_REPLAY_BYTES} bytes of PCM")
    audio = JoinedSource(evidence.artifact.audio).read_at(start, wave.data.size)
    return audio, PcmFormat(wave.format.sample_rate_hz, wave.format.channels, wave.format.bit_depth // 8)


def _clips_within(audio: bytes, sound: PcmFormat, rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the clips that were inserted, out of the audio itself; what is not the named clip is not one."""
    found = {}
    for row in rows:
        if row["payload_sha256"] is not None and row["out_start"] is not None and row["out_end"] is not None:
            frames = audio[row["out_start"] * sound.frame_bytes : row["out_end"] * sound.frame_bytes]
            if hashlib.sha256(frames).hexdigest() == row["payload_sha256"]:
                found[row["payload_sha256"]] = frames
    return found


def _first_difference(rows: list[dict[str, Any]], expected: list[dict[str, Any]], log: Trace) -> list[Mismatch]:
    if len(rows) != len(expected):
        message = "the log does not have one row per opportunity of the plan"
        return [Mismatch(where="trace/imperfection", found=len(rows), expected=len(expected), message=message)]
    for place, (row, made) in enumerate(zip(rows, expected, strict=True)):
        for column in log.columns:
            if column != "conf_milli" and row[column] != made[column]:
                return [at_row(place, column, row[column], made[column], "the plan gives a different event")]
    return []


@rule("IMP10")
def clean_audio_returns(evidence: Evidence) -> Answer:
    stated, events = evidence.known("/imperfection/clean_pcm") if layers_of(evidence) else None, _pcm_events(evidence)
    if stated is None or not events:
        return NotApplicable("no digest of clean audio, or no logged event of stage pcm")
    if any(layer["enabled"] and layer["stage"] in stages_that_count("packets") for _, layer in layers_of(evidence)):
        return NotApplicable("something acted on the samples after stage pcm")
    if any(source[0] != source[1] for _, source, _ in events) and not _keeps_what_it_replaced(evidence, events):
        return NotApplicable("the log does not keep the frames that were replaced")
    try:
        clean = _clean_digest(evidence, events)
    except ValueError:  # of a length that base64 does not have
        where, message = "trace/imperfection/columns/removed_pcm", "the frames that were replaced are not base64"
        return [Mismatch(where=where, message=message)]
    if isinstance(clean, Unverifiable):
        return clean
    if stated == clean:
        return []
    return [
        Mismatch(
            where="/imperfection/clean_pcm",
            found=stated,
            expected=clean,
            message="the audio with every event taken back is not the stated clean audio",
        )
    ]


@rule("IMP11")
def mapped_media_time(evidence: Evidence) -> Answer:
    events = _pcm_events(evidence)
    if log_of(evidence) is None or not any(
        layer["stage"] == "pcm" and layer["enabled"] for _, layer in layers_of(evidence)
    ):
        return NotApplicable("no layer of stage pcm is enabled, or no event of it is logged")
    shift, end = 0, 0
    for row, source, out in events:
        if None in source or None in out:
            column = "src_start" if None in source else "out_start"
            return [at_row(row, column, None, "the frames", "an event after the vocoder has no position")]
        if out[0] < end:
            return [at_row(row, "out_start", out[0], f"at least {end}", "two events claim the same frames")]
        if out[0] - source[0] != shift:
            expected = f"{source[0] + shift}, {shift} after src_start"
            return [at_row(row, "out_start", out[0], expected, "the map from clean to final frames does not add up")]
        shift += (out[1] - out[0]) - (source[1] - source[0])
        end = out[1]
    clean, frames = evidence.known("/imperfection/clean_frames"), evidence.known("/audio/frames")
    if clean is None or frames is None or clean + shift == frames:
        return []
    return [
        Mismatch(
            where="/imperfection/clean_frames",
            found=clean,
            expected=f"{frames - shift}, as {frames} frames were made longer by {shift}",
            message="the events do not turn the clean audio into this audio",
        )
    ]


def _pcm_events(evidence: Evidence) -> list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]:
    """Return row, source range and final range of each fired event of stage pcm, in the order of the final frames."""
    log = log_of(evidence)
    if log is None:
        return []
    ours = {place for place, (_, layer) in enumerate(layers_of(evidence)) if layer["stage"] == "pcm"}
    columns = log.columns
    found = [
        (
            row,
            (columns["src_start"][row], columns["src_end"][row]),
            (columns["out_start"][row], columns["out_end"][row]),
        )
        for row, layer in enumerate(columns["layer"])
        if layer in ours and columns["fired"][row]
    ]
    return sorted(found, key=lambda event: (event[2][0] is not None, event[2][0] or 0, event[0]))


def _keeps_what_it_replaced(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> bool:
    log = log_of(evidence)
    kept = log.columns.get("removed_pcm") if log is not None else None
    return kept is not None and all(source[0] == source[1] or kept[row] is not None for row, source, _ in events)


def _clean_digest(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> str | Unverifiable:
    """Return the digest of the audio with every event taken back; reads it block by block."""
    wave, log = evidence.artifact.wave, log_of(evidence)
    if wave is None or log is None:
        return Unverifiable("needs the PCM of encoded audio")
    start, _ = wave.bare_pcm
    width, whole = wave.format.frame_bytes, JoinedSource(evidence.artifact.audio)
    state, place = hashlib.sha256(), 0
    for row, source, (begins, ends) in [*events, (-1, (0, 0), (wave.data.size // width, 0))]:
        for block in blocks_of([Span(whole, start + place, begins * width - place)]):
            state.update(block)
        place = ends * width
        if source[0] != source[1]:
            state.update(base64.b64decode(log.columns["removed_pcm"][row]))
    return spelled(state.hexdigest())
