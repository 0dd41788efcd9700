"""Controlled imperfection of samples (clause 6.7, stage `pcm`): one function from clean PCM and a plan to PCM and log.

It is exact: integers alone, no library's generator, no rounding that is not written down. The instrument applies it,
and the verifier applies it again to the clean PCM that it takes out of the file: equal bytes and equal rows, or not.

Opportunities lie every 10 ms of the clean PCM, or where `params.places` of the layer puts them. An event of an
insertion kind adds frames at its place; any other replaces the frames from its place on, which the log keeps
(`removed_pcm`). Events of all layers are taken by place, then by layer; where two would touch the same clean frames,
the later one begins where the earlier one ends.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import schedule
from ttsartifact.formulas.pcm_kinds import KINDS, PITCHED_KINDS, Context, length_us, most_searches
from ttsartifact.terms.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttsartifact.formulas.pcm_kinds import PcmFormat

COLUMNS = TRACE_COLUMNS["imperfection"]
METHOD = "ttsa-pcm/1"
_SLOTS_PER_SECOND = 100
_LARGEST_REMOVAL_BYTES = 3 << 20
_LARGEST_MADE_BYTES = 256 << 20


class _Event(NamedTuple):
    layer: int
    row: int
    place: int
    length: int


def apply(
    pcm: bytes,
    sound: PcmFormat,
    layers: Sequence[Mapping[str, Any]],
    seed: str,
    clips: Mapping[str, bytes] | None = None,
    *,
    most_bytes: int = _LARGEST_MADE_BYTES,
) -> tuple[bytes, list[dict[str, Any]]]:
    """Return the imperfect PCM and the log rows of the enabled layers of this method, in the order of the layers.

    `layers` is the whole list of /imperfection/layers, since a row names its layer by place. `clips` are the frames of
    insertable clips by the SHA-256 (hex) of these bytes.

    Raises:
        Refused: a layer has a kind, shape or parameter that stage `pcm` does not know, the PCM would be longer than
            `most_bytes`, or too many events look for a pitch period.

    Example:
        >>> layer = {"id": "gap", "stage": "pcm", "kind": "block", "trigger": {"at": [1]}, "enabled": True,
        ...          "method": "ttsa-pcm/1", "shape": {"length_us": {"const": 10_000}}, "params": {}}
        >>> made, rows = apply(bytes(640), PcmFormat(16_000, 1, 2), [layer], "7")
        >>> len(made), [row["out_start"] for row in rows if row["fired"]]
        (960, [160])

    """
    frames = len(pcm) // sound.frame_bytes
    rows: list[dict[str, Any]] = []
    events: list[_Event] = []
    for number, layer in enumerate(layers):
        if layer.get("method") != METHOD or not layer["enabled"]:
            continue
        places = opportunities_of(layer, frames, sound.rate_hz)
        for index, (u, fired) in enumerate(schedule(seed, layer, len(places))):
            row = dict.fromkeys(COLUMNS) | {"layer": number, "opp_index": index, "u": u, "fired": int(fired)}
            rows.append(row | {"realised": "exact"})
            if fired:
                length = _length(layer, seed, index, sound.rate_hz)
                events.append(_Event(number, len(rows) - 1, places[index], length))
    searches, most = sum(layers[event.layer]["kind"] in PITCHED_KINDS for event in events), most_searches(sound.rate_hz)
    if searches > most:
        message = f"too many pitch periods are looked for at {sound.rate_hz} Hz"
        raise Refused(message, found=f"{searches} events", expected=f"at most {most}")
    return _made(pcm, sound, layers, seed, clips or {}, rows, events, most_bytes), rows


def opportunities_of(layer: Mapping[str, Any], frames: int, rate_hz: int) -> list[int]:
    """Return the clean frame at which each opportunity of a layer lies.

    Raises Refused for places that do not rise or are outside the PCM.
    """
    places = layer["params"].get("places")
    if places is None:
        if not {"rate_per_min_milli", "per_frame_ppm", "at", "markov"} & layer["trigger"].keys():
            raise Refused(
                f"layer {layer['id']}: its trigger counts what samples do not show",
                found=next(iter(layer["trigger"])).removesuffix("_ppm"),
                expected="params.places, the frame of each opportunity",
            )
        return [slot * rate_hz // _SLOTS_PER_SECOND for slot in range(-(-frames * _SLOTS_PER_SECOND // rate_hz))]
    if not all(type(place) is int for place in places) or any(
        b <= a for a, b in zip([-1, *places], [*places, frames], strict=True)
    ):
        raise Refused(f"layer {layer['id']}: params.places must rise within the {frames} frames", found=places[:8])
    return list(places)


def clean_of(pcm: bytes, sound: PcmFormat, rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """Return the clean PCM that the fired events of stage `pcm` were applied to, or None where a row does not keep it.

    Raises Refused for ranges that run backwards or are outside the PCM.
    """
    width, kept, place = sound.frame_bytes, [], 0
    for row in sorted((row for row in rows if row["fired"]), key=lambda row: (row["out_start"], row["out_end"])):
        start, end = row["out_start"] * width, row["out_end"] * width
        if not place <= start <= end <= len(pcm):
            raise Refused("an event is outside the audio or overlaps a previous event", found=row["out_start"])
        kept.append(pcm[place:start])
        if row["src_end"] > row["src_start"]:
            if row.get("removed_pcm") is None:
                return None
            kept.append(base64.b64decode(row["removed_pcm"]))
        place = end
    return b"".join([*kept, pcm[place:]])


def _made(
    pcm: bytes,
    sound: PcmFormat,
    layers: Sequence[Mapping[str, Any]],
    seed: str,
    clips: Mapping[str, bytes],
    rows: list[dict[str, Any]],
    events: list[_Event],
    most_bytes: int,
) -> bytes:
    width, out, place, length = sound.frame_bytes, [], 0, 0
    for event in sorted(events, key=lambda event: (event.place, event.layer, event.row)):
        layer, row = layers[event.layer], rows[event.row]
        start = max(place, event.place)
        made = KINDS[_kind(layer)](Context(pcm, sound, layer, seed, row["opp_index"], clips), start, event.length)
        out.append(pcm[place * width : made.source[0] * width])
        length += made.source[0] - place
        added = len(made.frames) // width
        if (length + added) * width > most_bytes:
            raise Refused(f"layer {layer['id']}: the plan makes the sound longer than {most_bytes} bytes")
        removed = pcm[made.source[0] * width : made.source[1] * width]
        if len(removed) > _LARGEST_REMOVAL_BYTES:
            raise Refused(
                f"layer {layer['id']}: an event replaces too much", found=f"{len(removed)} bytes", expected="3 MiB"
            )
        rows[event.row] = row | {
            "requested_frames": event.length,
            "src_start": made.source[0],
            "src_end": made.source[1],
            "out_start": length,
            "out_end": length + added,
            "payload_sha256": made.payload,
            "removed_pcm": base64.b64encode(removed).decode() if removed else None,
        }
        out.append(made.frames)
        length, place = length + added, made.source[1]
    return b"".join([*out, pcm[place * width :]])


def _kind(layer: Mapping[str, Any]) -> str:
    kind = layer["kind"]
    if kind not in KINDS:
        raise Refused(f"layer {layer['id']}: stage pcm has no kind {kind}", expected=", ".join(sorted(KINDS)))
    return str(kind)


def _length(layer: Mapping[str, Any], seed: str, index: int, rate_hz: int) -> int:
    """Return the requested length of an event in frames, at least one."""
    return max(1, length_us(layer, seed, index) * rate_hz // 1_000_000)
