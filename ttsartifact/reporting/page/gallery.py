"""The page of a gallery: kind by probability and rate, each with its waveform, its sound and its figures."""

from __future__ import annotations

import base64
from itertools import groupby
from math import log10
from typing import TYPE_CHECKING

from ttsartifact.container.riff import WaveFormat, header
from ttsartifact.container.samples import as_floats
from ttsartifact.reporting.page.markup import Html, document, element, joined, table
from ttsartifact.reporting.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttsartifact.formulas.pcm_kinds import PcmFormat
    from ttsartifact.perturbing.gallery import Cell

_WIDTH, _HEIGHT, _COLUMNS = 1000, 60, 250
_SUBTYPES = {2: "pcm_s16", 3: "pcm_s24", 4: "pcm_s32"}


def page_of_gallery(name: str, cells: Sequence[Cell], sound: PcmFormat, seed: str) -> str:
    """Return the whole page, which loads no other resource."""
    introduction = f"Seed {seed}. One opportunity every 10 ms; events are red; lengths are random (clause 6.7)."
    parts = [element("h1", f"Imperfections of {name}"), element("p", introduction), _summary(cells, sound)]
    for kind, group in groupby(cells, key=lambda cell: cell.kind):
        parts += [element("h2", kind), *(_drawn(cell, sound) for cell in group)]
    return document(f"Imperfections of {name}", *parts, data={})


def _summary(cells: Sequence[Cell], sound: PcmFormat) -> Html:
    head = ("kind", "declared", "expected", "events", "tail", "added", "changed", "RMS", "peak")
    return joined(
        element("h2", "Declared and measured"),
        table(head, [(cell.kind, _declared(cell), *_figures(cell, sound)) for cell in cells], class_="facts"),
    )


def _figures(cell: Cell, sound: PcmFormat) -> tuple[str, ...]:
    import numpy as np

    samples = as_floats(cell.pcm, _SUBTYPES[sound.sample_bytes], sound.channels)
    power, peak = float(np.mean(samples**2)), float(np.abs(samples).max(initial=0.0))
    return (
        f"{cell.expected:.1f} of {cell.opportunities}",
        str(cell.events),
        f"{cell.tail:.3f}",
        f"{cell.added_frames * 1000 / sound.rate_hz:+.0f} ms",
        f"{cell.changed_frames * 1000 / sound.rate_hz:.0f} ms",
        f"{10 * log10(power):.1f} dBFS" if power else "silence",
        f"{20 * log10(peak):.1f} dBFS" if peak else "silence",
    )


def _declared(cell: Cell) -> str:
    if "per_frame_ppm" in cell.trigger:
        return f"{cell.trigger['per_frame_ppm'] / 10_000:g} % every 10 ms"
    return f"{cell.trigger['rate_per_min_milli'] / 1000:g} a minute"


def _drawn(cell: Cell, sound: PcmFormat) -> Html:
    """Return one cell: what it was to be, the picture, and the sound."""
    words = f"{_declared(cell)}: {counted(cell.events, 'event')}, {cell.expected:.1f} expected"
    form = WaveFormat(_SUBTYPES[sound.sample_bytes], sound.rate_hz, sound.channels, 8 * sound.sample_bytes)
    data = base64.b64encode(header(form, len(cell.pcm)) + cell.pcm).decode()
    caption = element("figcaption", element("b", _declared(cell)), element("span", words.partition(": ")[2]))
    figure = element("figure", caption, _picture(cell, sound, words), class_="lane")
    audio = element("audio", src=Html(f"data:audio/wav;base64,{data}"), controls=True, preload="none")
    return joined(figure, audio)


def _picture(cell: Cell, sound: PcmFormat, words: str) -> Html:
    import numpy as np

    samples = as_floats(cell.pcm, _SUBTYPES[sound.sample_bytes], sound.channels)[:, 0]
    frames, columns = len(samples), min(_COLUMNS, len(samples))
    edges = np.linspace(0, frames, columns + 1).astype(int)[:-1]
    highs, lows = np.maximum.reduceat(samples, edges), np.minimum.reduceat(samples, edges)
    x = [(n + 0.5) * _WIDTH / columns for n in range(columns)]
    upper = [f"{place:.1f} {30 - high * 29:.1f}" for place, high in zip(x, highs, strict=True)]
    lower = [f"{place:.1f} {30.4 - low * 29:.1f}" for place, low in zip(x, lows, strict=True)]
    shapes = [element("path", d=Html(f"M{'L'.join([*upper, *reversed(lower)])}Z"), class_="wave")]
    for start, end in cell.spans:
        width = max((end - start) * _WIDTH / frames, 1.5)
        at = f"{start * _WIDTH / frames:.1f}"
        shapes.append(element("rect", x=at, y=8, width=f"{width:.1f}", height=44, class_="event"))
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return element("svg", *shapes, viewBox=box, preserveAspectRatio="none", role="img", aria_label=words)
