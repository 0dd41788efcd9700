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
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import DRAW_ONE, draw, schedule
from ttsartifact.terms.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "CLIP_KINDS",
    "COLUMNS",
    "INSERTIONS",
    "KINDS",
    "METHOD",
    "PcmFormat",
    "apply",
    "clean_of",
    "digest_of_clip",
    "length_us",
    "opportunities_of",
    "period_at",
]

COLUMNS = TRACE_COLUMNS["imperfection"]
METHOD = "ttsa-pcm/1"
_SLOTS_PER_SECOND = 100
_SHORTEST_PERIOD_US, _LONGEST_PERIOD_US = 2_500, 16_000  # 400 Hz to 62.5 Hz, the range of speaking voices
_LARGEST_REMOVAL_BYTES = 3 << 20


class PcmFormat(NamedTuple):
    """Interleaved little-endian signed integers."""

    rate_hz: int
    channels: int
    sample_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Return the bytes of one sample of every channel."""
        return self.channels * self.sample_bytes

    @property
    def full_scale(self) -> int:
        """Return the largest sample."""
        return (1 << 8 * self.sample_bytes - 1) - 1


class _Event(NamedTuple):
    layer: int
    row: int
    place: int
    length: int


class _Made(NamedTuple):
    """What an event puts in the place of `source`, and the digest of the clip where it is one."""

    source: tuple[int, int]
    frames: bytes
    payload: str | None = None


def apply(
    pcm: bytes,
    sound: PcmFormat,
    layers: Sequence[Mapping[str, Any]],
    seed: str,
    clips: Mapping[str, bytes] | None = None,
) -> tuple[bytes, list[dict[str, Any]]]:
    """Return the imperfect PCM and the log rows of the enabled layers of this method, in the order of the layers.

    `layers` is the whole list of /imperfection/layers, since a row names its layer by place. `clips` are the frames of
    insertable clips by the SHA-256 (hex) of these bytes.

    Raises:
        Refused: a layer has a kind, shape or parameter that stage `pcm` does not know.

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
    return _made(pcm, sound, layers, seed, clips or {}, rows, events), rows


def opportunities_of(layer: Mapping[str, Any], frames: int, rate_hz: int) -> list[int]:
    """Return the clean frame at which each opportunity of a layer lies.

    Raises Refused for places that do not rise or lie outside the PCM.
    """
    places = layer["params"].get("places")
    if places is None:
        if not {"rate_per_min_milli", "per_frame_ppm", "at", "markov"} & layer["trigger"].keys():
            raise Refused(
                f"layer {layer['id']}: its trigger counts what samples do not show",
                found=next(iter(layer["trigger"])),
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

    Raises Refused for ranges that run backwards or lie outside the PCM.
    """
    width, kept, place = sound.frame_bytes, [], 0
    for row in sorted((row for row in rows if row["fired"]), key=lambda row: (row["out_start"], row["out_end"])):
        start, end = row["out_start"] * width, row["out_end"] * width
        if not place <= start <= end <= len(pcm):
            raise Refused("an event lies outside the audio or inside another", found=row["out_start"])
        kept.append(pcm[place:start])
        if row["src_end"] > row["src_start"]:
            if row.get("removed_pcm") is None:
                return None
            kept.append(base64.b64decode(row["removed_pcm"]))
        place = end
    return b"".join([*kept, pcm[place:]])


def period_at(samples: Sequence[int], place: int, rate_hz: int) -> int:
    """Return the pitch period, in samples, that fits best from `place` on: the lag of the least mean difference.

    The average magnitude difference over 16 ms (Ross et al. 1974), in integers; of equal ones the shortest.
    """
    shortest = max(1, _SHORTEST_PERIOD_US * rate_hz // 1_000_000)
    longest = max(shortest, _LONGEST_PERIOD_US * rate_hz // 1_000_000)
    window = samples[place : place + 2 * longest]
    if len(window) < 2 * longest:
        return min(longest, max(1, len(samples) - place))
    base = window[:longest]
    return min(
        range(shortest, longest + 1),
        key=lambda lag: (sum(abs(a - b) for a, b in zip(base, window[lag : lag + longest], strict=True)), lag),
    )


def _made(
    pcm: bytes,
    sound: PcmFormat,
    layers: Sequence[Mapping[str, Any]],
    seed: str,
    clips: Mapping[str, bytes],
    rows: list[dict[str, Any]],
    events: list[_Event],
) -> bytes:
    width, out, place, length = sound.frame_bytes, [], 0, 0
    for event in sorted(events, key=lambda event: (event.place, event.layer, event.row)):
        layer, row = layers[event.layer], rows[event.row]
        start = max(place, event.place)
        made = KINDS[_kind(layer)](_Context(pcm, sound, layer, seed, row["opp_index"], clips), start, event.length)
        out.append(pcm[place * width : made.source[0] * width])
        length += made.source[0] - place
        added = len(made.frames) // width
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


class _Context(NamedTuple):
    """What an event may look at."""

    pcm: bytes
    sound: PcmFormat
    layer: Mapping[str, Any]
    seed: str
    opportunity: int
    clips: Mapping[str, bytes]

    @property
    def frames(self) -> int:
        return len(self.pcm) // self.sound.frame_bytes

    def cut(self, start: int, end: int) -> bytes:
        width = self.sound.frame_bytes
        return self.pcm[start * width : end * width]

    def samples(self, start: int, end: int) -> list[int]:
        data, size = self.cut(start, end), self.sound.sample_bytes
        return [int.from_bytes(data[k : k + size], "little", signed=True) for k in range(0, len(data), size)]

    def written(self, samples: Iterator[int] | Sequence[int]) -> bytes:
        most = self.sound.full_scale
        size = self.sound.sample_bytes
        return b"".join(max(-most - 1, min(most, s)).to_bytes(size, "little", signed=True) for s in samples)

    def draw(self, stream: str) -> int:
        return draw(self.seed, f"{self.layer['id']}/{stream}", self.opportunity)

    def number(self, key: str, default: int) -> int:
        value = self.layer["params"].get(key, default)
        if type(value) is not int or value < 0:
            raise Refused(f"layer {self.layer['id']}: params.{key} is not a whole number", found=value)
        return value


def _block(context: _Context, place: int, length: int) -> _Made:
    return _Made((place, place), bytes(length * context.sound.frame_bytes))


def _repetition(context: _Context, place: int, length: int) -> _Made:
    end = min(place + length, context.frames)
    return _Made((place, place), context.cut(place, end) * context.number("times", 1))


def _prolongation(context: _Context, place: int, length: int) -> _Made:
    """Insert whole pitch periods of the sound at the place, the most that fit into the length, at least one."""
    reach = min(context.frames, place + 2 * (_LONGEST_PERIOD_US * context.sound.rate_hz // 1_000_000))
    first = context.samples(place, reach)[:: context.sound.channels]
    period = period_at(first, 0, context.sound.rate_hz)
    return _Made((place, place), context.cut(place, place + period) * max(1, length // period))


def _clip_of(context: _Context, place: int, length: int) -> _Made:
    """Insert one of the layer's clips, drawn from stream `<id>/clip`; the length is the clip's own."""
    del length
    listed = context.layer.get("clips") or []
    if not listed:
        raise Refused(f"layer {context.layer['id']}: a {context.layer['kind']} needs a clip", expected="clips")
    name = listed[context.draw("clip") * len(listed) // DRAW_ONE].removeprefix("sha256:")
    if name not in context.clips:
        raise Refused(f"layer {context.layer['id']}: the clip is not here", found=name)
    return _Made((place, place), context.clips[name], name)


def _dropout(context: _Context, place: int, length: int) -> _Made:
    end = min(place + length, context.frames)
    return _Made((place, end), bytes((end - place) * context.sound.frame_bytes))


def _gain_step(context: _Context, place: int, length: int) -> _Made:
    end, gain = min(place + length, context.frames), context.number("gain_milli", 500)
    return _Made((place, end), context.written([(s * gain + 500) // 1000 for s in context.samples(place, end)]))


def _clipping(context: _Context, place: int, length: int) -> _Made:
    end = min(place + length, context.frames)
    most = context.sound.full_scale * context.number("ceiling_milli", 250) // 1000
    return _Made((place, end), context.written([max(-most, min(most, s)) for s in context.samples(place, end)]))


def _click(context: _Context, place: int, length: int) -> _Made:
    """Replace the frames by an impulse whose sign is drawn from stream `<id>/sign`."""
    end = min(place + length, context.frames)
    peak = context.sound.full_scale * context.number("peak_milli", 900) // 1000
    peak = -peak if context.draw("sign") * 2 < DRAW_ONE else peak
    return _Made((place, end), context.written([peak] * ((end - place) * context.sound.channels)))


def _frame_repeat(context: _Context, place: int, length: int) -> _Made:
    """Replace the frames by those just before them, as a player does that lost a packet."""
    end = min(place + length, context.frames, 2 * place)
    return _Made((place, max(place, end)), context.cut(2 * place - max(place, end), place))


def _cut_off(context: _Context, place: int, length: int) -> _Made:
    """Leave out the frames."""
    return _Made((place, min(place + length, context.frames)), b"")


KINDS: dict[str, Callable[[_Context, int, int], _Made]] = {
    "block": _block,
    "hesitation": _block,
    "sound_repetition": _repetition,
    "word_repetition": _repetition,
    "phrase_repetition": _repetition,
    "prolongation": _prolongation,
    "breath": _clip_of,
    "filled_pause": _clip_of,
    "interjection": _clip_of,
    "dropout": _dropout,
    "gain_step": _gain_step,
    "clip": _clipping,
    "click": _click,
    "frame_repeat": _frame_repeat,
    "cut": _cut_off,
}
"""What stage `pcm` can do, by the kind of registry/imperfections.toml."""
INSERTIONS = frozenset(
    {"block", "hesitation", "sound_repetition", "word_repetition", "phrase_repetition", "prolongation"}
    | {"breath", "filled_pause", "interjection"}
)
CLIP_KINDS = frozenset({"breath", "filled_pause", "interjection"})


def _kind(layer: Mapping[str, Any]) -> str:
    kind = layer["kind"]
    if kind not in KINDS:
        raise Refused(f"layer {layer['id']}: stage pcm has no kind {kind}", expected=", ".join(sorted(KINDS)))
    return str(kind)


def _length(layer: Mapping[str, Any], seed: str, index: int, rate_hz: int) -> int:
    """Return the requested length of an event in frames, at least one."""
    return max(1, length_us(layer, seed, index) * rate_hz // 1_000_000)


def length_us(layer: Mapping[str, Any], seed: str, index: int) -> int:
    """Return how long the event at an opportunity is to be.

    Args:
        layer: The layer as in `/imperfection/layers`; its `shape.length_us` is fixed, or drawn where it varies.
        seed: The seed as the artifact states it.
        index: Index of the opportunity.

    Returns:
        Microseconds; 100,000 where the layer states no length.

    Raises:
        Refused: `shape.length_us` is not a length.
    """
    shape = layer["shape"].get("length_us", {"const": 100_000})
    u = draw(seed, f"{layer['id']}/length", index)
    match shape:
        case {"const": int(value)}:
            pass
        case {"uniform": [int(low), int(high)]} if low <= high:
            value = low + u * (high - low + 1) // DRAW_ONE
        case {"choice": [*values]} if values and all(type(one) is int for one in values):
            value = values[u * len(values) // DRAW_ONE]
        case _:
            raise Refused(
                f"layer {layer['id']}: not a length",
                found=shape,
                expected='shape.length_us of {"const": N}, {"uniform": [A, B]} or {"choice": [...]}',
            )
    return value


def digest_of_clip(frames: bytes) -> str:
    """Return the hex digest by which a clip is named."""
    return hashlib.sha256(frames).hexdigest()
