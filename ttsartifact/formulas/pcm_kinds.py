"""What each kind of stage `pcm` does to samples (clause 6.7, method `ttsa-pcm/1`), in integers alone.

A kind is a function of what the plan lets it look at, its place and its length; it returns which clean frames it takes
and what it puts there. Order, log and inversion are of `pcm_events`.
"""

from __future__ import annotations

import hashlib
from operator import sub
from typing import TYPE_CHECKING, Any, NamedTuple

from ttsartifact.errors import Refused
from ttsartifact.formulas.draws import DRAW_ONE, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_SHORTEST_PERIOD_US, _LONGEST_PERIOD_US = 2_500, 16_000  # 400 Hz to 62.5 Hz, the range of speaking voices
_LARGEST_EVENT_BYTES = 64 << 20  # a plan of a stranger asks for no more
_MOST_COMPARED = 1 << 28  # samples, by all searches for a pitch period: some seconds
_RATIOS_MILLI = range(250, 4_001)
_MOST_JITTER_MILLI = 500


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


class Made(NamedTuple):
    """What an event puts in the place of `source`, and the digest of the clip where it is one."""

    source: tuple[int, int]
    frames: bytes
    payload: str | None = None


class Context(NamedTuple):
    """What an event may look at."""

    pcm: bytes
    sound: PcmFormat
    layer: Mapping[str, Any]
    seed: str
    opportunity: int
    clips: Mapping[str, bytes]

    @property
    def frames(self) -> int:
        """Return the length of the clean sound in frames."""
        return len(self.pcm) // self.sound.frame_bytes

    def cut(self, start: int, end: int) -> bytes:
        """Return the bytes of a range of frames."""
        width = self.sound.frame_bytes
        return self.pcm[start * width : end * width]

    def samples(self, start: int, end: int) -> list[int]:
        """Return the samples of a range of frames, interleaved."""
        data, size = self.cut(start, end), self.sound.sample_bytes
        return [int.from_bytes(data[k : k + size], "little", signed=True) for k in range(0, len(data), size)]

    def written(self, samples: Iterator[int] | Sequence[int]) -> bytes:
        """Return samples as bytes, those beyond full scale cut."""
        most = self.sound.full_scale
        size = self.sound.sample_bytes
        return b"".join(max(-most - 1, min(most, s)).to_bytes(size, "little", signed=True) for s in samples)

    def draw(self, stream: str) -> int:
        """Return the draw of this opportunity in a stream of the layer."""
        return draw(self.seed, f"{self.layer['id']}/{stream}", self.opportunity)

    def number(self, key: str, default: int) -> int:
        """Return a parameter; raises Refused for what is not a whole number of at least 0."""
        value = self.layer["params"].get(key, default)
        if type(value) is not int or value < 0:
            raise Refused(f"layer {self.layer['id']}: params.{key} is not a whole number", found=value)
        return value

    def within(self, frames: int) -> int:
        """Return `frames`; raises Refused for more than an event may add."""
        if frames * self.sound.frame_bytes > _LARGEST_EVENT_BYTES:
            raise Refused(f"layer {self.layer['id']}: an event is too long", found=f"{frames} frames")
        return frames

    def span(self, place: int, length: int) -> int:
        """Return where an event ends that begins at `place` and does not pass the end of the sound."""
        return min(place + length, self.frames)

    def period(self, place: int) -> int:
        """Return the pitch period of the first channel from `place` on, in frames."""
        reach = min(self.frames, place + 2 * (_LONGEST_PERIOD_US * self.sound.rate_hz // 1_000_000))
        return period_at(self.samples(place, reach)[:: self.sound.channels], 0, self.sound.rate_hz)

    def stretched(self, start: int, end: int, count: int) -> bytes:
        """Return the frames of a range as `count` frames, by linear interpolation in integers."""
        channels, size = self.sound.channels, end - start
        samples = self.samples(start, end)
        made = []
        for place in range(count):
            at, part = divmod(place * size, count)
            after = min(at + 1, size - 1)
            for channel in range(channels):
                one, other = samples[at * channels + channel], samples[after * channels + channel]
                made.append((one * (count - part) + other * part + count // 2) // count)
        return self.written(made)


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
    return min(range(shortest, longest + 1), key=lambda lag: (sum(map(abs, map(sub, base, window[lag:]))), lag))


def most_searches(rate_hz: int) -> int:
    """Return for how many events a plan may look for the pitch period: the cost of one grows with the rate squared."""
    longest = _LONGEST_PERIOD_US * rate_hz // 1_000_000
    return _MOST_COMPARED // max(1, longest * (longest - _SHORTEST_PERIOD_US * rate_hz // 1_000_000 + 1))


def _block(context: Context, place: int, length: int) -> Made:
    return Made((place, place), bytes(context.within(length) * context.sound.frame_bytes))


def _repetition(context: Context, place: int, length: int) -> Made:
    end, times = context.span(place, length), context.number("times", 1)
    context.within((end - place) * times)
    return Made((place, place), context.cut(place, end) * times)


def _restart(context: Context, place: int, length: int) -> Made:
    """Say again what was said since the utterance began, at most the last `length` frames of it."""
    starts = context.layer["params"].get("starts", [0])
    if not isinstance(starts, list) or not all(type(start) is int and start >= 0 for start in starts):
        raise Refused(f"layer {context.layer['id']}: params.starts are not frames", found=starts)
    begun = max((start for start in starts if start <= place), default=place)
    return Made((place, place), context.cut(max(begun, place - length), place))


def _prolongation(context: Context, place: int, length: int) -> Made:
    """Insert whole pitch periods of the sound at the place, the most that fit into the length, at least one."""
    period = context.period(place)
    return Made((place, place), context.cut(place, place + period) * max(1, context.within(length) // period))


def _clip_of(context: Context, place: int, length: int) -> Made:
    """Insert one of the layer's clips, drawn from stream `<id>/clip`; the length is the clip's own."""
    del length
    listed = context.layer.get("clips") or []
    if not listed:
        raise Refused(f"layer {context.layer['id']}: a {context.layer['kind']} needs a clip", expected="clips")
    name = listed[context.draw("clip") * len(listed) // DRAW_ONE].removeprefix("sha256:")
    if name not in context.clips:
        raise Refused(f"layer {context.layer['id']}: the clip is not here", found=name)
    return Made((place, place), context.clips[name], name)


def _dropout(context: Context, place: int, length: int) -> Made:
    end = context.span(place, length)
    return Made((place, end), bytes((end - place) * context.sound.frame_bytes))


def _gain_step(context: Context, place: int, length: int) -> Made:
    end, gain = context.span(place, length), context.number("gain_milli", 500)
    return Made((place, end), context.written([(s * gain + 500) // 1000 for s in context.samples(place, end)]))


def _clipping(context: Context, place: int, length: int) -> Made:
    end = context.span(place, length)
    most = context.sound.full_scale * context.number("ceiling_milli", 250) // 1000
    return Made((place, end), context.written([max(-most, min(most, s)) for s in context.samples(place, end)]))


def _click(context: Context, place: int, length: int) -> Made:
    """Replace the frames by an impulse whose sign is drawn from stream `<id>/sign`."""
    end = context.span(place, length)
    peak = context.sound.full_scale * context.number("peak_milli", 900) // 1000
    peak = -peak if context.draw("sign") * 2 < DRAW_ONE else peak
    return Made((place, end), context.written([peak] * ((end - place) * context.sound.channels)))


def _frame_repeat(context: Context, place: int, length: int) -> Made:
    """Replace the frames by those just before them, as a player does that lost a packet."""
    end = min(place + length, context.frames, 2 * place)
    return Made((place, max(place, end)), context.cut(2 * place - max(place, end), place))


def _cut_off(context: Context, place: int, length: int) -> Made:
    """Leave out the frames."""
    return Made((place, context.span(place, length)), b"")


def _resample_warp(context: Context, place: int, length: int) -> Made:
    """Play the frames slower or faster, with the pitch that follows."""
    end, ratio = context.span(place, length), context.number("ratio_milli", 1_100)
    if ratio not in _RATIOS_MILLI:
        raise Refused(f"layer {context.layer['id']}: params.ratio_milli", found=ratio, expected="250 to 4000")
    count = max(1, ((end - place) * ratio + 500) // 1000) if end > place else 0
    return Made((place, end), context.stretched(place, end, context.within(count)))


def _f0_jitter(context: Context, place: int, length: int) -> Made:
    """Let each whole pitch period have a length of its own, drawn from stream `<id>/period/<number>`."""
    end, period = context.span(place, length), context.period(place)
    depth = context.number("depth_milli", 50)
    if depth > _MOST_JITTER_MILLI:
        raise Refused(f"layer {context.layer['id']}: params.depth_milli", found=depth, expected="0 to 500")
    most, made = max(1, period * depth // 1000), []
    whole = (end - place) // period if most < period else 0
    for number in range(whole):
        start = place + number * period
        count = period - most + context.draw(f"period/{number}") * (2 * most + 1) // DRAW_ONE
        made.append(context.stretched(start, start + period, count))
    return Made((place, place + whole * period), b"".join(made))


def _dtx_gap(context: Context, place: int, length: int) -> Made:
    """Replace the frames by comfort noise, each sample drawn from stream `<id>/noise/<number>`."""
    end = context.span(place, length)
    most = context.sound.full_scale * context.number("level_milli", 1) // 1000
    count = (end - place) * context.sound.channels
    noise = (context.draw(f"noise/{number}") * (2 * most + 1) // DRAW_ONE - most for number in range(count))
    return Made((place, end), context.written(noise))


def _underrun(context: Context, place: int, length: int) -> Made:
    """Insert what a player without data plays: silence, or its last 10 ms over and over."""
    fill = context.layer["params"].get("fill", "silence")
    if fill not in {"silence", "loop"}:
        raise Refused(f"layer {context.layer['id']}: params.fill", found=fill, expected="silence or loop")
    size = context.within(length) * context.sound.frame_bytes
    last = context.cut(max(0, place - context.sound.rate_hz // 100), place) if fill == "loop" else b""
    return Made((place, place), (last * (size // len(last) + 1))[:size] if last else bytes(size))


KINDS: dict[str, Callable[[Context, int, int], Made]] = {
    "block": _block,
    "hesitation": _block,
    "sound_repetition": _repetition,
    "word_repetition": _repetition,
    "phrase_repetition": _repetition,
    "restart": _restart,
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
    "resample_warp": _resample_warp,
    "f0_jitter": _f0_jitter,
    "dtx_gap": _dtx_gap,
    "jitter_buffer_underrun": _underrun,
}
"""What stage `pcm` can do, by the kind of registry/imperfections.toml."""
CLIP_KINDS = frozenset({"breath", "filled_pause", "interjection"})
PITCHED_KINDS = frozenset({"prolongation", "f0_jitter"})


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
