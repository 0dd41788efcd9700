"""What moves over the runs of a set: pitch, level and speed of each run in the order of submission, by session.

The figures are for the eye. `ttsa session` measures them with a pinned instrument and says what is more than chance.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import TtsArtifactError
from ttsartifact.reporting.page import picture
from ttsartifact.reporting.page.markup import Html, element, joined
from ttsartifact.reporting.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.reading.artifact import Artifact

__all__ = ["Placed", "SoundFigures", "drift", "heard_of"]

_WIDTH, _HEIGHT = 1000, 60
_F0_COLUMNS = 60
_LEVEL_FRAMES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFigures:
    """Two figures of a run's sound; None where it is not voiced, is silent, or cannot be decoded."""

    f0_hz: float | None = None
    """The median over at most 60 places of the run."""
    level_dbfs: float | None = None
    """The root mean square of all samples, over full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A run of the set: its session, when it was submitted, and what was heard of it."""

    session: str
    submitted: str
    heard: SoundFigures
    duration_s: float | None


_MEASURES: tuple[tuple[str, str, Callable[[Placed], float | None]], ...] = (
    ("F0, median", "{:.0f} Hz", lambda run: run.heard.f0_hz),
    ("Level", "{:.1f} dBFS", lambda run: run.heard.level_dbfs),
    ("Duration", "{:.2f} s", lambda run: run.duration_s),
)


def heard_of(artifact: Artifact) -> SoundFigures:
    """Return what is heard of a run."""
    try:
        with sound_of(artifact) as sound:
            if not sound.frames:
                return SoundFigures()
            middles = (np.arange(_F0_COLUMNS) + 0.5) * sound.frames / sound.rate_hz / _F0_COLUMNS
            pitch = picture.fundamental(sound, middles)
            starts = range(0, sound.frames, _LEVEL_FRAMES)
            blocks = (sound.mono(at, min(_LEVEL_FRAMES, sound.frames - at)) for at in starts)
            power = sum(float(np.square(block).sum()) for block in blocks) / sound.frames
    except TtsArtifactError:
        return SoundFigures()
    return SoundFigures(
        f0_hz=None if np.isnan(pitch).all() else float(np.nanmedian(pitch)),
        level_dbfs=10 * float(np.log10(power)) if power > 0 else None,
    )


def drift(runs: Sequence[Placed]) -> Html:
    """Return a picture for each measure: runs from left to right as they were submitted, a rule between sessions."""
    ordered = sorted(runs, key=lambda run: (run.submitted, run.session))
    drawn = [_lane(title, form, [(run.session, of(run)) for run in ordered]) for title, form, of in _MEASURES]
    words = (
        "Runs in the order of submission; a vertical line marks a new session. For viewing only; "
        "`ttsa session` tests for changes."
    )
    return joined(element("p", words, class_="quiet"), *drawn)


def _lane(title: str, form: str, values: list[tuple[str, float | None]]) -> Html:
    known = [value for _, value in values if value is not None]
    if not known:
        return element("p", f"{title}: no run has it.")
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    marks, place, medians = [], 0, []
    for session, group in groupby(values, key=lambda each: each[0]):
        part = [value for _, value in group]
        if place:
            seam = f"{place * _WIDTH / len(values):.1f}"
            marks.append(element("rect", x=seam, y=0, width="1", height=_HEIGHT, class_="stall"))
        for n, value in enumerate(part, place):
            if value is not None:
                across, y = (n + 0.5) * _WIDTH / len(values), 4 + (high - value) / span * (_HEIGHT - 12)
                marks.append(element("rect", x=f"{across - 2:.1f}", y=f"{y:.1f}", width="4", height="4", class_="mark"))
        place += len(part)
        stated = [value for value in part if value is not None]
        if stated:
            medians.append(f"{session} {form.format(statistics.median(stated))}")
    most = medians if len(medians) <= 6 else [*medians[:3], f"{len(medians) - 6} more", *medians[-3:]]
    words = f"{form.format(low)} to {form.format(high)}; medians: {', '.join(most)}"
    svg = element(
        "svg",
        *marks,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title} of {counted(len(known), 'run')}: {words}",
    )
    caption = element("figcaption", element("b", title), " ", element("span", words))
    return element("figure", caption, svg, class_="lane")
