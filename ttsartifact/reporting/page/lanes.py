"""The pictures of one run, one below the other on one axis: sound, chunks, queue, sensors, imperfection events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ttsartifact.reporting.page import axis as axes
from ttsartifact.reporting.page import picture
from ttsartifact.reporting.page.markup import Html, element
from ttsartifact.reporting.phrases import counted, seconds, stated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.page.axis import Axis, Stretch

WIDTH, HEIGHT = 1000, 60
_NS = 10**9
_LEAST_WIDTH = 1.5  # so that a mark, or a single reading, is seen
_LEAST_FILL = 0.02  # of the height, so that a constant reading is seen above the ground

# What a lane shows: its title, trace, column, how many of the trace's units make one of the unit, the unit, and where
# the descriptor says why there is none.
_READINGS = (
    ("Power", "telemetry", "power_mw", 1000, "W", "/summary/power_w"),
    ("Clock", "telemetry", "clock_mhz", 1, "MHz", "/summary/clock_mhz"),
    ("Utilisation", "telemetry", "util_gpu_pct", 1, "%", "/summary/util_gpu"),
    ("Queue, waiting", "queue", "waiting", 1, "requests", "/run/load/queue_depth_at_submit"),
    ("Queue, running", "queue", "running", 1, "requests", "/run/load/running_at_start"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One picture with its title, and what it shows in words."""

    title: str
    words: str
    svg: Html
    tall: bool = False


def lanes_of(
    artifact: Artifact, sound: Sound | None, stretches: list[Stretch], axis: Axis
) -> tuple[list[Lane], list[str]]:
    """Return the pictures of a run, and for each that cannot be drawn why not."""
    lanes: list[Lane] = []
    lacks: list[str] = []
    if sound is not None:
        lanes += [_wave(sound, stretches, axis), _spectrum(sound, stretches, axis)]
    pitch = [] if sound is None else [_pitch(sound, stretches, axis)]
    chunks, events = _chunks(artifact, stretches, axis), _events(artifact, stretches, axis)
    for lane in (*pitch, chunks, *_sensors(artifact, axis), events):
        if isinstance(lane, Lane):
            lanes.append(lane)
        else:
            lacks.append(lane)
    return lanes, lacks


def drawn(lane: Lane) -> Html:
    """Return a lane as HTML: title and words at its side, the picture on the axis."""
    caption = element("figcaption", element("b", lane.title), " ", element("span", lane.words))
    return element("figure", caption, lane.svg, class_="lane tall" if lane.tall else "lane")


def scale(axis: Axis) -> Html:
    """Return the ticks of the axis, in seconds after submit."""
    marks = []
    for tick in axis.ticks():
        place = axis.x(tick, 100)
        anchor = "start" if place < 4 else "end" if place > 96 else "middle"
        marks.append(element("line", x1=f"{place:.3f}%", x2=f"{place:.3f}%", y1="0", y2="5"))
        marks.append(element("text", f"{tick:g} s", x=f"{place:.3f}%", y="17", text_anchor=anchor))
    svg = element("svg", *marks, class_="scale", width="100%", height="20", aria_hidden="true")
    caption = element("figcaption", element("span", "seconds after submit"))
    return element("figure", caption, svg, class_="lane axis")


def _svg(words: str, *content: Html, height: int = HEIGHT) -> Html:
    return element(
        "svg", *content, viewBox=f"0 0 {WIDTH} {height}", preserveAspectRatio="none", role="img", aria_label=words
    )


def _wave(sound: Sound, stretches: list[Stretch], axis: Axis) -> Lane:
    """Return the envelope, each stretch where it is played."""
    shapes, peak = [], 0.0
    total_s = sound.frames / sound.rate_hz
    columns = max(2, min(picture.COLUMNS, sound.frames))
    edges = picture.envelope(sound, columns)
    for each in stretches:
        first = int(each.media_s / total_s * columns)
        stop = max(first + 1, round((each.media_s + each.length_s) / total_s * columns))
        part = edges[first:stop]
        places = [axis.x(each.start_s + each.length_s * (n + 0.5) / len(part)) for n in range(len(part))]
        upper = [f"{x:.1f} {30 - high * 29:.1f}" for x, (_, high) in zip(places, part, strict=True)]
        lower = [f"{x:.1f} {30.4 - low * 29:.1f}" for x, (low, _) in zip(places, part, strict=True)]
        shapes.append(element("path", d=Html(f"M{'L'.join([*upper, *reversed(lower)])}Z"), class_="wave"))
        peak = max(peak, float(abs(part).max(initial=0.0)))
    words = f"peak {peak:.3f} of full scale, {sound.format_name}"
    return Lane(title="Waveform", words=words, svg=_svg(f"Waveform: {words}", *shapes))


def _spectrum(sound: Sound, stretches: list[Stretch], axis: Axis) -> Lane:
    levels = picture.spectrogram(sound, picture.media_of(axis, stretches))
    image = picture.data_uri("image/png", picture.png(picture.shades(levels), picture.SEQUENTIAL))
    words = f"0 to {sound.rate_hz / 2000:g} kHz, {picture.FLOOR_DB:g} to 0 dBFS"
    drawn_in = element("image", href=Html(image), width=WIDTH, height=HEIGHT * 2, preserveAspectRatio="none")
    svg = _svg(f"Spectrogram: {words}", drawn_in, height=HEIGHT * 2)
    return Lane(title="Spectrogram", words=words, svg=svg, tall=True)


def _pitch(sound: Sound, stretches: list[Stretch], axis: Axis) -> Lane | str:
    """Return F0 on a scale of semitones, a dot for each voiced column."""
    found = picture.fundamental(sound, picture.media_of(axis, stretches))
    voiced = np.flatnonzero(~np.isnan(found))
    if not len(voiced):
        return "F0: no voiced frame was found"
    low, high = picture.LOWEST_F0_HZ, picture.HIGHEST_F0_HZ
    share = np.log(found[voiced] / low) / np.log(high / low)
    places = (voiced + 0.5) * WIDTH / len(found)
    dots = [f"M{x:.1f} {HEIGHT - 2 - y * (HEIGHT - 4):.1f}h.1" for x, y in zip(places, share, strict=True)]
    line = element("path", d=Html("".join(dots)), class_="pitch", vector_effect="non-scaling-stroke")
    quartiles = np.percentile(found[voiced], (25, 50, 75))
    words = f"{low:g} to {high:g} Hz; median {quartiles[1]:.0f}, quartiles {quartiles[0]:.0f} to {quartiles[2]:.0f} Hz"
    return Lane(title="F0", words=words, svg=_svg(f"F0: {words}", line))


def _chunks(artifact: Artifact, stretches: list[Stretch], axis: Axis) -> Lane | str:
    """Return when chunks arrived (above), and what a player would have played and waited for (below)."""
    log = axes.columns_of(artifact, "chunks", "t_ns", "frame_count")
    if not log:
        return "Chunks: no chunk log"
    submit = axes.submit_of(artifact)
    shapes = [_bar(axis, (t - submit) / _NS, None, "arrival", top=2, height=26) for t in axes.thinned(log[0])]
    stalls = 0.0
    for n, each in enumerate(stretches):
        shapes.append(_bar(axis, each.start_s, each.start_s + each.length_s, "played", top=34, height=18))
        if n:
            before = stretches[n - 1].start_s + stretches[n - 1].length_s
            shapes.append(_bar(axis, before, each.start_s, "stall", top=34, height=18))
            stalls += each.start_s - before
    stalled = f"{counted(len(stretches) - 1, 'stall')}, {stalls:.3f} s" if len(stretches) > 1 else "no stall"
    words = f"{counted(len(log[0]), 'arrival')} (above), playback (below): {stalled}"
    return Lane(title="Chunks", words=words, svg=_svg(f"Chunks: {words}", *shapes))


def _sensors(artifact: Artifact, axis: Axis) -> Iterator[Lane | str]:
    for title, trace, column, units, unit, pointer in _READINGS:
        readings = readings_of(artifact, trace, column, units)
        if readings:
            yield _curve(title, readings, unit, axis)
        else:
            yield f"{title}: {stated(artifact.descriptor.at(pointer)) if _is_absent(artifact, pointer) else 'no trace'}"
    for name in artifact.parts.names():
        if name.startswith("trace/channel/"):
            readings = readings_of(artifact, name[6:], "value", 1)
            if readings:
                yield _curve(name[14:], readings, _unit_of(artifact, name[14:]), axis)


def _is_absent(artifact: Artifact, pointer: str) -> bool:
    return artifact.descriptor.known(pointer) is None


def _unit_of(artifact: Artifact, name: str) -> str:
    channels = artifact.descriptor.known("/channels")
    found = (
        [c.get("unit") for c in channels if isinstance(c, dict) and c.get("name") == name]
        if isinstance(channels, list)
        else []
    )
    return stated(found[0]) if found else ""


def readings_of(artifact: Artifact, trace: str, column: str, units: int) -> list[tuple[float, float]]:
    """Return what arrived as (seconds after submit, value)."""
    log = axes.columns_of(artifact, trace, "t_ns", column)
    submit = axes.submit_of(artifact)
    rows = [(t, v) for t, v in zip(*log, strict=True) if type(v) is int]
    return [((t - submit) / _NS, v / units) for t, v in axes.thinned(rows)]


def _curve(title: str, readings: list[tuple[float, float]], unit: str, axis: Axis) -> Lane:
    """Return readings as sample and hold, from zero (or the lowest, below it) to the highest.

    The line ends at the last reading: what follows it was not measured.
    """
    values = [value for _, value in readings]
    low, high = min(*values, 0.0) if len(values) > 1 else min(values[0], 0.0), max(values)
    span = (high - low) or 1.0
    steps = []
    places = [axis.x(t_s) for t_s, _ in readings]
    stop = max(places[-1], min(places[0] + _LEAST_WIDTH, WIDTH))
    for x, next_x, value in zip(places, [*places[1:], stop], values, strict=True):
        share = max((value - low) / span, _LEAST_FILL)
        y = f"{HEIGHT - share * (HEIGHT - 2):.1f}"
        steps += [f"{x:.1f} {y}", f"{next_x:.1f} {y}"]
    ends = [f"{places[0]:.1f} {HEIGHT}", f"{stop:.1f} {HEIGHT}"]
    area = element("path", d=Html(f"M{'L'.join([ends[0], *steps, ends[1]])}Z"), class_="area")
    line = element("path", d=Html(f"M{'L'.join(steps)}"), class_="line", vector_effect="non-scaling-stroke")
    words = f"{min(values):g} to {high:g} {unit}"
    return Lane(title=title, words=words, svg=_svg(f"{title}: {words}", area, line))


def _events(artifact: Artifact, stretches: list[Stretch], axis: Axis) -> Lane | str:
    """Return the imperfection events that fired and are within the audio."""
    spans = fired_of(artifact)
    if not spans:
        return f"Imperfection events: {'none' if artifact.descriptor.at('/imperfection') == 'none' else 'no log'}"
    shapes = []
    for start, stop, _ in axes.thinned(spans):
        for each in stretches:
            begun, ended = max(start, each.media_s), min(stop, each.media_s + each.length_s)
            if begun <= ended:
                offset = each.start_s - each.media_s
                shapes.append(_bar(axis, begun + offset, ended + offset, "event", top=8, height=44))
    words = f"{counted(len(spans), 'event')} in the audio"
    return Lane(title="Imperfection", words=words, svg=_svg(f"Imperfection: {words}", *shapes))


def fired_of(artifact: Artifact) -> list[tuple[float, float, int]]:
    """Return the events that fired as (second from, second to, layer) of the audio."""
    log = axes.columns_of(artifact, "imperfection", "layer", "fired", "out_start", "out_end")
    rate = artifact.descriptor.known("/audio/sample_rate_hz")
    if type(rate) is not int or rate <= 0:
        return []
    rows: list[tuple[Any, ...]] = [row for row in zip(*log, strict=True) if row[1] == 1]
    return [(start / rate, stop / rate, layer) for layer, _, start, stop in rows if type(start) is type(stop) is int]


def _bar(axis: Axis, start_s: float, stop_s: float | None, kind: str, *, top: int, height: int) -> Html:
    x = axis.x(start_s)
    width = _LEAST_WIDTH if stop_s is None else max(axis.x(stop_s) - x, 1.0)
    return element(
        "rect", x=f"{min(x, WIDTH - _LEAST_WIDTH):.1f}", y=top, width=f"{width:.1f}", height=height, class_=kind
    )


def event_words(artifact: Artifact) -> list[tuple[str, str, str]]:
    """Return the first events that fired: from, to, and which layer of the descriptor."""
    layers = artifact.descriptor.known("/imperfection/layers")
    found = []
    for start, stop, layer in fired_of(artifact)[:200]:
        inside = isinstance(layers, list) and type(layer) is int and 0 <= layer < len(layers)
        layer_facts = layers[layer] if inside and isinstance(layers[layer], dict) else {}
        kind = (
            f"{stated(layer_facts.get('kind'))} in {stated(layer_facts.get('stage'))}"
            if layer_facts
            else f"layer {stated(layer)}"
        )
        found.append((seconds(round(start * _NS)), seconds(round(stop * _NS)), kind))
    return found
