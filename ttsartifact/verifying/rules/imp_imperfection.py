"""Controlled imperfection (clause 6.7): the plan replays, the log fits the audio, and the clean audio comes back."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import JoinedSource, Span, blocks_of
from ttsartifact.errors import TtsArtifactError, Unavailable
from ttsartifact.formulas.draws import probability, schedule, tails
from ttsartifact.terms.digest import spelled
from ttsartifact.terms.finding import Answer, Mismatch, NotApplicable, Unverifiable
from ttsartifact.verifying.catalogue import rule
from ttsartifact.verifying.rules.shared import entries

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ttsartifact.container.opus import OpusStream
    from ttsartifact.formulas.pcm_events import PcmFormat
    from ttsartifact.terms.trace import Trace
    from ttsartifact.verifying.evidence import Evidence

# The order of a decode path; spelled once more in registry/stages.toml, and a test holds the two together.
STAGES = (
    "text", "phoneme", "duration", "prosody", "prosody_tokens", "acoustic_tokens", "mel", "vocoder_state", "pcm",
    "codec", "transport",
)  # fmt: skip
STAGE_METHOD = "ttsa-stages/1"
_FRAME_STAGES = frozenset({"mel", "vocoder_state"})
_AFTER_PCM = frozenset({"codec", "transport"})
_CLIP_KINDS = frozenset({"breath", "filled_pause", "interjection"})
_UNLIKELY = 1 / 2000
_INTEGERS = frozenset({"pcm_s16", "pcm_s24", "pcm_s32"})
_LARGEST_REPLAY_BYTES = 64 << 20  # a quarter of an hour of 24 kHz speech, held twice
_NONE = NotApplicable("nothing was made imperfect on purpose")
_NO_LOG = NotApplicable("no event is logged")


@rule("IMP01")
def said_imperfection(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP01")
    if faults or not _layers(evidence) or any(layer["enabled"] for _, layer in _layers(evidence)):
        return faults
    return [
        Mismatch(
            where="/imperfection/layers",
            found="no enabled layer",
            expected="none, or a layer in force",
            message="a parameter set that does nothing",
        )
    ]


@rule("IMP02")
def known_kind(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP02")
    layers = [] if faults else _layers(evidence)
    seen: set[str] = set()
    for where, layer in layers:
        if layer["id"] in seen:
            faults.append(
                Mismatch(
                    where=f"{where}/id",
                    found=layer["id"],
                    expected="an id of its own",
                    message="two layers would share their draws",
                )
            )
        seen.add(layer["id"])
    return faults if layers or faults else _NONE


@rule("IMP03")
def stages_in_order(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP03")
    layers = [] if faults else _layers(evidence)
    for (_, before), (where, layer) in pairwise(layers):
        if STAGES.index(layer["stage"]) < STAGES.index(before["stage"]):
            faults.append(
                Mismatch(
                    where=f"{where}/stage",
                    found=layer["stage"],
                    expected=f"{before['stage']}, or a stage after it",
                    message="the layers are not in the order in which they act",
                )
            )
    return faults if layers or faults else _NONE


@rule("IMP04")
def quantified_trigger(evidence: Evidence) -> Answer:
    faults = evidence.breaches("IMP04")
    layers = [] if faults else _layers(evidence)
    faults += [
        Mismatch(
            where=f"{where}/bitrate_bps",
            expected="the configured bitrate",
            message=f"stage {layer['stage']} without a bitrate",
        )
        for where, layer in layers
        if layer["stage"] in _AFTER_PCM and "bitrate_bps" not in layer
    ]
    return faults if layers or faults else _NONE


@rule("IMP05")
def events_inside(evidence: Evidence) -> Answer:
    log = _log(evidence)
    if log is None:
        return _NO_LOG
    frames, faults = evidence.known("/audio/frames"), []
    ends: dict[int, int] = {}
    for row, layer in enumerate(log.columns["layer"]):
        start, end = log.columns["out_start"][row], log.columns["out_end"][row]
        if start is None or end is None:
            continue
        grid = _grid_fault(evidence, row, layer, log)
        if grid is not None:
            faults.append(grid)
        elif end < start or (frames is not None and end > frames):
            faults.append(_at(row, "out_end", end, f"{start} to {frames}", "an event lies outside the audio"))
        elif start < ends.get(layer, 0):
            faults.append(
                _at(row, "out_start", start, f"at least {ends[layer]}", "an event begins inside the one before it")
            )
        ends[layer] = max(ends.get(layer, 0), end)
    return faults


def _grid_fault(evidence: Evidence, row: int, place: int, log: Trace) -> Mismatch | None:
    """Return where an event of an acoustic frame does not lie on that frame."""
    layers = _layers(evidence)
    layer = layers[place][1] if place < len(layers) else {}
    hop = layer.get("params", {}).get("hop_samples")
    if layer.get("method") != STAGE_METHOD or layer["stage"] not in _FRAME_STAGES or type(hop) is not int:
        return None
    index, found = log.columns["opp_index"][row], log.columns["out_start"][row]
    if (found, log.columns["out_end"][row]) == (index * hop, (index + 1) * hop):
        return None
    return _at(row, "out_start", found, index * hop, "the event does not lie on its frame")


@rule("IMP06")
def replayed_draws(evidence: Evidence) -> Answer:
    layers = _layers(evidence)
    if not layers:
        return _NONE
    log = _log(evidence)
    if log is None:
        return Unverifiable("trace imperfection: what fired and what did not is not logged")
    seed, faults = evidence.known("/imperfection/draw/seed"), []
    by_layer = _rows_by_layer(log)
    for place in sorted(by_layer.keys() - {place for place, (_, layer) in enumerate(layers) if layer["enabled"]}):
        row = by_layer[place][0]
        faults.append(_at(row, "layer", place, "an enabled layer", "an event of a layer that was not in force"))
    for place, (_, layer) in enumerate(layers):
        rows = by_layer.get(place, [])
        if not layer["enabled"]:
            continue
        stated = layer.get("opportunities")
        if stated is not None and stated != len(rows):
            faults.append(
                Mismatch(
                    where="trace/imperfection",
                    found=f"{len(rows)} rows of layer {layer['id']}",
                    expected=f"{stated}, one for each opportunity",
                    message="opportunities are missing from the log",
                )
            )
            continue
        if not rows and stated is None and "per_packet_ppm" not in layer["trigger"]:
            faults.append(
                Mismatch(
                    where="trace/imperfection",
                    found=f"no row of layer {place}",
                    expected="a row for every opportunity",
                    message=f"layer {layer['id']} is in force, and nothing says what it did",
                )
            )
        indices = [log.columns["opp_index"][row] for row in rows]
        gap = next((k for k, index in enumerate(indices) if index != k), None)
        if gap is not None:
            faults.append(_at(rows[gap], "opp_index", indices[gap], gap, "the opportunities are not all logged"))
        else:
            faults += _replayed(seed, layer, log, rows)
    return faults


@rule("IMP07")
def likely_count(evidence: Evidence) -> Answer:
    log = _log(evidence)
    if log is None:
        return _NO_LOG
    faults, asked = [], False
    by_layer = _rows_by_layer(log)
    for place, (where, layer) in enumerate(_layers(evidence)):
        rows, chance = by_layer.get(place, []), probability(layer["trigger"])
        if not rows or chance is None or any(log.columns["u"][row] is not None for row in rows):
            continue
        asked = True
        events = sum(log.columns["fired"][row] for row in rows)
        if min(tails(events, len(rows), chance)) < _UNLIKELY:
            faults.append(
                Mismatch(
                    where=f"{where}/trigger",
                    found=f"{events} events at {len(rows)} opportunities",
                    expected=f"about {len(rows) * chance[0] / chance[1]:.1f}",
                    message="so many events are not likely at the stated probability",
                )
            )
    return faults if asked else NotApplicable("every draw is replayed, or none has a single probability")


@rule("IMP08")
def digested_clips(evidence: Evidence) -> Answer:
    layers = _layers(evidence)
    if not layers:
        return _NONE
    faults = [
        Mismatch(
            where=f"{where}/clips",
            found="no digest",
            expected="the digest of each clip that may be inserted",
            message=f"nothing says which {layer['kind']} was inserted",
        )
        for where, layer in layers
        if layer["enabled"] and layer["stage"] == "pcm" and layer["kind"] in _CLIP_KINDS and not layer.get("clips")
    ]
    log = _log(evidence)
    if log is None or faults:
        return faults
    for row, payload in enumerate(log.columns["payload_sha256"]):
        place = log.columns["layer"][row]
        clips = layers[place][1].get("clips", []) if place < len(layers) else []
        if payload is not None and spelled(payload) not in clips:
            faults.append(_at(row, "payload_sha256", payload, "a clip of the layer", "an inserted clip is not listed"))
    return faults


@rule("IMP10")
def clean_audio_returns(evidence: Evidence) -> Answer:
    stated, events = evidence.known("/imperfection/clean_pcm") if _layers(evidence) else None, _pcm_events(evidence)
    if stated is None or not events:
        return NotApplicable("no digest of clean audio, or no logged event of stage pcm")
    if any(layer["enabled"] and layer["stage"] in _AFTER_PCM for _, layer in _layers(evidence)):
        return NotApplicable("something acted on the samples after stage pcm")
    if any(source[0] != source[1] for _, source, _ in events) and not _keeps_what_it_replaced(evidence, events):
        return NotApplicable("the log does not keep the frames that were replaced")
    clean = _clean_digest(evidence, events)
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
    if _log(evidence) is None or not any(
        layer["stage"] == "pcm" and layer["enabled"] for _, layer in _layers(evidence)
    ):
        return NotApplicable("nothing was changed after the vocoder, or nothing is logged")
    shift, end = 0, 0
    for row, source, out in events:
        if None in source or None in out:
            column = "src_start" if None in source else "out_start"
            return [_at(row, column, None, "the frames", "an event after the vocoder does not say where it lies")]
        if out[0] < end:
            return [_at(row, "out_start", out[0], f"at least {end}", "two events claim the same frames")]
        if out[0] - source[0] != shift:
            expected = f"{source[0] + shift}, {shift} after src_start"
            return [_at(row, "out_start", out[0], expected, "the map from clean to final frames does not add up")]
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
            message="the events do not make this audio out of the clean one",
        )
    ]


@rule("IMP14")
def replayed_samples(evidence: Evidence) -> Answer:
    from ttsartifact.formulas import pcm_events

    layers = [layer for _, layer in _layers(evidence)]
    log = _log(evidence)
    ours = {place for place, layer in enumerate(layers) if layer.get("method") == pcm_events.METHOD}
    if not ours or log is None:
        return NotApplicable("no layer of method ttsa-pcm/1, or no log")
    if any(place not in ours and layer["stage"] == "pcm" and layer["enabled"] for place, layer in enumerate(layers)):
        return NotApplicable("a layer of stage pcm was applied in another way")
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
        again, expected = pcm_events.apply(clean, sound, layers, seed, _clips_within(audio, sound, rows))
    except (TtsArtifactError, ValueError) as error:
        return [Mismatch(where="/imperfection/layers", found=str(error), message="the plan cannot be applied again")]
    return _first_difference(rows, expected, log) or (
        []
        if again == audio
        else [Mismatch(where="/audio", message="the plan gives other samples than these", found="other samples")]
    )


@rule("IMP15")
def replayed_packets(evidence: Evidence) -> Answer:
    from ttsartifact.container import opus

    ours = [
        (place, layer)
        for place, (_, layer) in enumerate(_layers(evidence))
        if layer["enabled"] and layer.get("method") == opus.OPUS_METHOD
    ]
    if not ours:
        return NotApplicable("no layer of method ttsa-opus/1")
    (place, layer), log, held = ours[0], _log(evidence), evidence.trace("packets")
    if log is None:
        return Unverifiable("trace imperfection: which packets were lost is not logged")
    fault = _strange_packets(evidence, ours, held)
    if fault is not None or held is None:
        return [fault] if fault is not None else []
    frames = evidence.known("/audio/frames")
    try:
        stream = opus.packets_of(layer["params"]["opus_head"], held.columns["payload"])
        rows, lost = _rows_of(log, {place}), _lost(log, place)
        faults = _first_difference(rows, opus.expected_rows(stream, rows, frames), log)
        if faults:
            return faults
        wanted = layer["params"]["clean_rate_hz"], evidence.known("/imperfection/clean_frames")
        return _other_length(frames, *wanted) or _decoded_again(evidence, layer, stream, lost)
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
        return Mismatch(where="trace/packets/columns/layer", found="another layer", expected=place)
    if wave is None or (wave.format.subtype, wave.format.sample_rate_hz) != ("pcm_s16", 48_000):
        message = "packets give 16-bit PCM at 48 kHz"
        return Mismatch(where="/audio", found=evidence.known("/audio/subtype"), expected="pcm_s16", message=message)
    return None


def _lost(log: Trace, place: int) -> set[int]:
    columns = zip(log.columns["layer"], log.columns["opp_index"], log.columns["fired"], strict=True)
    return {index for layer, index, fired in columns if layer == place and fired}


def _other_length(frames: int, rate_hz: int, clean: int) -> list[Mismatch]:
    expected = clean * 48_000 // rate_hz
    if frames == expected:
        return []
    message = "the packets are of a sound of another length"
    return [Mismatch(where="/audio/frames", found=frames, expected=expected, message=message)]


def _decoded_again(
    evidence: Evidence, layer: dict[str, Any], stream: OpusStream, lost: set[int]
) -> list[Mismatch] | Unverifiable:
    from ttsartifact.container import opus

    here = opus.pinned()
    if layer.get("tool") != here:
        stated = layer.get("tool", {})
        return Unverifiable(
            f"packets of {stated.get('name')} {stated.get('version')} ({stated.get('build')}); "
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


def _layers(evidence: Evidence) -> list[tuple[str, dict[str, Any]]]:
    found = evidence.known("/imperfection")
    return list(entries(evidence, "/imperfection/layers")) if isinstance(found, dict) else []


def _log(evidence: Evidence) -> Trace | None:
    return evidence.trace("imperfection") if _layers(evidence) else None


def _rows_of(log: Trace, layers: Collection[int]) -> list[dict[str, Any]]:
    """Return the rows of these layers; of the others none is built."""
    held = [row for row, layer in enumerate(log.columns["layer"]) if layer in layers]
    return [{name: column[row] for name, column in log.columns.items()} for row in held]


def _rows_by_layer(log: Trace) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row, layer in enumerate(log.columns["layer"]):
        rows.setdefault(layer, []).append(row)
    return rows


def _replayed(seed: str, layer: dict[str, Any], log: Trace, rows: list[int]) -> Iterator[Mismatch]:
    """Yield the first row of a layer that the seed does not give; rows without a draw were drawn in another way."""
    drawn = log.columns["u"], log.columns["fired"]
    told = any(drawn[0][row] is not None for row in rows)
    if not told and "at" not in layer["trigger"]:
        return
    for row, (u, fires) in zip(rows, schedule(seed, layer, len(rows)), strict=True):
        if told and drawn[0][row] != u:
            yield _at(row, "u", drawn[0][row], u, f"seed and stream {layer['id']}/fire give another draw")
            return
        if drawn[1][row] != fires:
            yield _at(row, "fired", drawn[1][row], int(fires), "the draw decides otherwise")
            return


def _pcm_events(evidence: Evidence) -> list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]:
    """Return row, source range and final range of each fired event of stage pcm, in the order of the final frames."""
    log = _log(evidence)
    if log is None:
        return []
    ours = {place for place, (_, layer) in enumerate(_layers(evidence)) if layer["stage"] == "pcm"}
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


def _at(row: int, column: str, found: Any, expected: Any, message: str) -> Mismatch:
    return Mismatch(where=f"trace/imperfection/columns/{column}/{row}", found=found, expected=expected, message=message)


def _keeps_what_it_replaced(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> bool:
    log = _log(evidence)
    kept = log.columns.get("removed_pcm") if log is not None else None
    return kept is not None and all(source[0] == source[1] or kept[row] is not None for row, source, _ in events)


def _clean_digest(evidence: Evidence, events: list[tuple[int, tuple[Any, Any], tuple[Any, Any]]]) -> str | Unverifiable:
    """Return the digest of the audio with every event taken back; reads it block by block."""
    wave, log = evidence.artifact.wave, _log(evidence)
    if wave is None or log is None:
        return Unverifiable("the PCM of encoded audio")
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


def _integer_pcm(evidence: Evidence) -> tuple[bytes, PcmFormat] | NotApplicable | Unverifiable:
    """Return the PCM and its format, where it is signed integers of a size that is held in memory."""
    from ttsartifact.formulas.pcm_events import PcmFormat

    wave = evidence.artifact.wave
    if wave is None:
        return Unverifiable("the PCM of encoded audio")
    if wave.format.subtype not in _INTEGERS:
        return NotApplicable("samples that are not signed integers")
    start, _ = wave.bare_pcm
    if wave.data.size > _LARGEST_REPLAY_BYTES:
        return Unverifiable(f"a replay of more than {_LARGEST_REPLAY_BYTES} bytes of PCM")
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
        message = "the plan has another number of opportunities"
        return [Mismatch(where="trace/imperfection", found=len(rows), expected=len(expected), message=message)]
    for place, (row, made) in enumerate(zip(rows, expected, strict=True)):
        for column in log.columns:
            if column != "conf_milli" and row[column] != made[column]:
                return [_at(place, column, row[column], made[column], "the plan gives another event")]
    return []
