"""A run made imperfect on purpose: the plan applied to its samples, everything that follows computed again.

The result is an artifact of its own. It names its source, keeps the conditions and times of the run, and
carries the plan and a log of every opportunity, so that a verifier takes each event back and applies the plan again.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttsartifact.container import riff
from ttsartifact.container.opus import RATE_HZ as OPUS_RATE_HZ
from ttsartifact.container.source import BytesSource, JoinedSource
from ttsartifact.errors import Refused
from ttsartifact.formulas.logs import stalls
from ttsartifact.formulas.pcm_events import COLUMNS, METHOD, apply, opportunities_of
from ttsartifact.formulas.pcm_kinds import PcmFormat, digest_of_clip
from ttsartifact.packing.derived import derived_draft
from ttsartifact.packing.pack import Packed, pack
from ttsartifact.reading.artifact import open_artifact, require_named
from ttsartifact.terms import digest
from ttsartifact.terms.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttsartifact.perturbing.plan import ImperfectionPlan
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.terms.draft import Draft

_INTEGERS = {"pcm_s16": 2, "pcm_s24": 3, "pcm_s32": 4}
_LARGEST_PCM_BYTES = 64 << 20
_LONGEST_SHOWN_SECONDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCount:
    """How often a layer fired, beside what its trigger makes likely."""

    id: str
    kind: str
    opportunities: int
    events: int
    expected: float | None
    """Opportunities times probability; None for a trigger without one probability."""
    added_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbed:
    """What came out: the artifact, and each layer's count."""

    packed: Packed
    counts: tuple[LayerCount, ...]


def perturb(path: Path | str, plan: ImperfectionPlan, out: Path | str, *, replace: bool = False) -> Perturbed:
    """Apply a plan of controlled imperfection to a run; equal input gives equal bytes.

    Args:
        path: The artifact to start from; it stays as it is.
        plan: The layers and the seed, from `load_plan`.
        out: The imperfect artifact, which names the one that it was derived from.
        replace: Whether a file `out` may be written over.

    Raises:
        Refused: The audio is not WAV of signed integers, the run was made imperfect already, a layer is of a stage that
            samples do not have, or a clip has another format.

    Example:
        `perturb("run.tts.wav", load_plan("plan.toml"), "worse.tts.wav")`
    """
    artifact = require_named(open_artifact(path))
    if artifact.descriptor.known("/imperfection") not in (None, "none"):
        raise Refused("the run was made imperfect already", where=str(path), expected='"none" at /imperfection')
    pcm, sound, head, tail = _samples(artifact)
    layers, clips = _with_clips(plan, sound)
    if any(layer["stage"] == "codec" and layer["enabled"] for layer in layers):
        return _sent(artifact, plan, layers, pcm, sound, out, replace=replace)
    for layer in layers:
        if layer.get("method") == METHOD:
            layer["opportunities"] = len(opportunities_of(layer, len(pcm) // sound.frame_bytes, sound.rate_hz))
        elif layer["enabled"]:
            raise Refused(
                f"layer {layer['id']}: a finished file has samples only",
                found=f"stage {layer['stage']}",
                expected="stage pcm or codec; earlier stages belong to `ttsa run --imperfection`",
            )
    made, rows = apply(pcm, sound, layers, plan.seed, clips)
    log = artifact.trace("chunks")
    moved = None if log is None else _moved(log, rows, len(pcm) // sound.frame_bytes)
    draft = _draft(artifact, plan, layers, rows, pcm, sound, moved)
    bare = _wav(head, made, tail)
    packed = pack(draft, BytesSource(bare), out, replace=replace)
    return Perturbed(packed=packed, counts=tuple(_counts(layers, rows)))


def _sent(
    artifact: Artifact,
    plan: ImperfectionPlan,
    layers: list[dict[str, Any]],
    pcm: bytes,
    sound: PcmFormat,
    out: Path | str,
    *,
    replace: bool,
) -> Perturbed:
    """Send the samples of a run as packets; the file is then of 48 kHz, whatever it was."""
    from ttsartifact.perturbing.packets import perturb_packets

    acting = [place for place, layer in enumerate(layers) if layer["enabled"]]
    if len(acting) > 1:
        raise Refused(
            "a run that is sent as packets has no other layer",
            found=", ".join(layers[place]["id"] for place in acting),
            expected="one enabled layer of stage codec",
        )
    (place,) = acting
    sent = perturb_packets(pcm, sound, layers[place], plan.seed, place)
    layers[place] = sent.layer
    log = artifact.trace("chunks")
    moved = None if log is None else _resampled(log, sound.rate_hz, len(sent.pcm) // sent.sound.frame_bytes)
    draft = _draft(artifact, plan, layers, sent.rows, pcm, sound, moved, sent.sound.rate_hz)
    draft = dataclasses.replace(draft, traces=(*draft.traces, sent.packets))
    form = riff.WaveFormat("pcm_s16", sent.sound.rate_hz, sent.sound.channels, 16)
    packed = pack(draft, BytesSource(riff.header(form, len(sent.pcm)) + sent.pcm), out, replace=replace)
    return Perturbed(packed=packed, counts=tuple(_counts(layers, sent.rows)))


def _resampled(log: Trace, rate_hz: int, frames: int) -> Trace:
    """Return the chunk log with its frames at the rate of the packets' decoder."""
    columns = log.columns
    counted = zip(columns["frame_start"], columns["frame_count"], strict=True)
    ends = [(start + count) * OPUS_RATE_HZ // rate_hz for start, count in counted]
    ends = [*ends[:-1], frames]
    starts = [0, *ends[:-1]]
    counts = [end - start for start, end in zip(starts, ends, strict=True)]
    return Trace("chunks", columns | {"frame_start": starts, "frame_count": counts})


def perturb_wav(pcm: bytes, sound: PcmFormat, plan: ImperfectionPlan) -> tuple[bytes, list[dict[str, Any]]]:
    """Apply a plan to PCM of any engine; the library call behind `perturb`, without a file.

    Args:
        pcm: Interleaved little-endian signed integers.
        sound: Rate in Hz, channels and bytes per sample of `pcm`.
        plan: The layers and the seed.

    Returns:
        The PCM, and one row of trace `imperfection` for every opportunity.

    Raises:
        Refused: A layer is of a stage that samples do not have, or a clip has another format.

    Example:
        `perturb_wav(pcm, PcmFormat(24_000, 1, 2), load_plan("plan.toml"))`
    """
    layers, clips = _with_clips(plan, sound)
    return apply(pcm, sound, layers, plan.seed, clips)


def samples_to_perturb(path: Path | str) -> tuple[bytes, PcmFormat]:
    """Return the samples of a run that a gallery shows: at most 8 s, since the page holds each of its sounds.

    Raises Refused for what `perturb` refuses, and for a longer run.
    """
    pcm, sound, _, _ = _samples(open_artifact(path))
    frames = len(pcm) // sound.frame_bytes
    if frames > _LONGEST_SHOWN_SECONDS * sound.rate_hz:
        found, expected = f"{frames / sound.rate_hz:.1f} s", f"at most {_LONGEST_SHOWN_SECONDS} s"
        raise Refused("the run is too long for a gallery", where=str(path), found=found, expected=expected)
    return pcm, sound


def _samples(artifact: Artifact) -> tuple[bytes, PcmFormat, bytes, bytes]:
    """Return PCM, its format, and the bytes of the bare file before and behind it."""
    wave = artifact.wave
    subtype = None if wave is None else wave.format.subtype
    if wave is None or subtype not in _INTEGERS:
        raise Refused(
            "only WAV of signed integers is changed sample by sample",
            where=artifact.where,
            found=subtype or artifact.descriptor.known("/audio/codec"),
            expected="16, 24 or 32 bits; decode the audio and record it as WAV first",
        )
    if wave.data.size > _LARGEST_PCM_BYTES:
        raise Refused("the audio is too long", found=f"{wave.data.size} bytes", expected=_LARGEST_PCM_BYTES)
    whole = JoinedSource(artifact.audio)
    start, _ = wave.bare_pcm
    end = start + wave.data.size
    sound = PcmFormat(wave.format.sample_rate_hz, wave.format.channels, _INTEGERS[wave.format.subtype])
    return whole.read_at(start, wave.data.size), sound, whole.read_at(0, start), whole.read_at(end, whole.size - end)


def _wav(head: bytes, pcm: bytes, tail: bytes) -> bytes:
    """Return the bare file with other samples: both sizes rewritten, the pad byte as the length asks."""
    if head[:4] != b"RIFF":
        raise Refused("only RIFF files can be rewritten", found=head[:4], expected="RIFF")
    behind = tail[1:] if (int.from_bytes(head[-4:], "little") & 1) else tail
    body = head[8:-4] + len(pcm).to_bytes(4, "little") + pcm + b"\0" * (len(pcm) & 1) + behind
    return head[:4] + len(body).to_bytes(4, "little") + body


def _with_clips(plan: ImperfectionPlan, sound: PcmFormat) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    layers: list[dict[str, Any]] = []
    held: dict[str, bytes] = {}
    for layer, files in zip(plan.layers, plan.clips, strict=True):
        frames = [clip_of(file, sound) for file in files]
        held |= {digest_of_clip(one): one for one in frames}
        listed = [f"sha256:{digest_of_clip(one)}" for one in frames]
        layers.append(layer | ({"clips": listed} if listed else {}))
    return layers, held


def clip_of(path: str, sound: PcmFormat) -> bytes:
    """Return the frames of a clip in the run's own format; raises Refused for another, since nothing is resampled."""
    import wave

    try:
        with wave.open(path, "rb") as file:
            found = PcmFormat(file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise Refused("the clip is not a readable WAV file", where=path, found=str(error)) from error
    if found != sound:
        raise Refused("the clip's format differs from the run's", where=path, found=tuple(found), expected=tuple(sound))
    return frames


def _draft(
    artifact: Artifact,
    plan: ImperfectionPlan,
    layers: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    pcm: bytes,
    sound: PcmFormat,
    chunks: Trace | None,
    rate_hz: int | None = None,
) -> Draft:
    made = derived_draft(artifact, "perturb", chunks, run_words=(plan.seed, repr(layers)))
    value = made.descriptor
    value["imperfection"] = {
        "spec": "ttsa-imperfection/1",
        "draw": {"algorithm": "sha256-ctr/1", "seed": plan.seed},
        "layers": layers,
        "clean_pcm": digest.of(pcm),
        "clean_frames": len(pcm) // sound.frame_bytes,
    }
    value["claims"] = ["imperfection"]
    if chunks is not None:
        value["run"] = _times(value["run"], chunks, rate_hz or sound.rate_hz)
    log = Trace("imperfection", {name: [row[name] for row in rows] for name in COLUMNS})
    return dataclasses.replace(made, traces=(*(trace for trace in made.traces if trace.name != log.name), log))


def _moved(log: Trace, rows: list[dict[str, Any]], frames: int) -> Trace:
    """Return the chunk log with its frames where the events put them; what was inserted belongs to the next chunk."""
    events = sorted((row for row in rows if row["fired"]), key=lambda row: row["out_start"])

    def place(frame: int) -> int:
        moved: int = frame
        for row in events:
            if row["src_end"] <= frame and (row["src_end"] < frame or row["src_start"] < frame):
                moved += (row["out_end"] - row["out_start"]) - (row["src_end"] - row["src_start"])
            elif row["src_start"] < frame:
                return int(min(row["out_end"], row["out_start"] + frame - row["src_start"]))
        return moved

    added = sum((row["out_end"] - row["out_start"]) - (row["src_end"] - row["src_start"]) for row in events)
    ends = [start + count for start, count in zip(log.columns["frame_start"], log.columns["frame_count"], strict=True)]
    moved_ends = [frames + added if end == frames else place(end) for end in ends]
    starts = [0, *moved_ends[:-1]]
    counts = [end - start for start, end in zip(starts, moved_ends, strict=True)]
    return Trace("chunks", log.columns | {"frame_start": starts, "frame_count": counts})


def _times(run: dict[str, Any], log: Trace, rate_hz: int) -> dict[str, Any]:
    """Return the run with what follows from the moved chunk log: the first chunk's frames and the stalls."""
    columns = log.columns
    count, total_ns = stalls(columns["t_ns"], columns["frame_start"], columns["frame_count"], rate_hz)
    first = next((frames for frames in columns["frame_count"] if frames), 0)
    times = run["times"] | {"first_chunk_frames": first, "stalls": {"count": count, "total_ns": total_ns}}
    return run | {"times": times}


def _counts(layers: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Iterator[LayerCount]:
    from ttsartifact.formulas.draws import probability

    for number, layer in enumerate(layers):
        ours = [row for row in rows if row["layer"] == number]
        fired = [row for row in ours if row["fired"]]
        chance = probability(layer["trigger"])
        moved = [row for row in fired if row["src_start"] is not None]
        added = sum((row["out_end"] - row["out_start"]) - (row["src_end"] - row["src_start"]) for row in moved)
        yield LayerCount(
            id=layer["id"],
            kind=layer["kind"],
            opportunities=len(ours),
            events=len(fired),
            expected=None if chance is None else len(ours) * chance[0] / chance[1],
            added_frames=added,
        )
