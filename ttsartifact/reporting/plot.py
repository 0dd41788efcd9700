"""Pictures without a browser, by matplotlib: a run on one axis, a session, and what a notebook opens."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ttsartifact.comparing.sound import sound_of
from ttsartifact.container.source import write_whole
from ttsartifact.errors import Refused, TtsArtifactError, Unavailable
from ttsartifact.measuring.metrics import shown
from ttsartifact.reading import artifact as reading
from ttsartifact.reading.notebook import draws_with
from ttsartifact.reporting.page import axis as axes
from ttsartifact.reporting.page import picture
from ttsartifact.reporting.page.lanes import readings_of
from ttsartifact.reporting.phrases import stated

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from ttsartifact.claiming.session import Course, Session
    from ttsartifact.comparing.sound import Sound
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.page.axis import Axis, Stretch

FORMATS = ("png", "svg", "pdf")
_SUFFIXES = f"{', '.join(f'.{each}' for each in FORMATS[:-1])} or .{FORMATS[-1]}"
_INCHES = (11.0, 7.0)
_HEIGHTS = (2, 3, 1, 2)
_NS = 10**9


def plot(artifact: Artifact, file: BinaryIO, name: str) -> None:
    """Draw a run into `file`, in the format that the suffix of `name` says.

    The audio stands where a player plays it that starts with the first chunk (clause 6.3), beside what was measured.

    Raises:
        Refused: the suffix is none of FORMATS.
        Unavailable: matplotlib is not installed.
        Damaged, TooLarge: the audio cannot be decoded.

    """
    kind = os.path.splitext(name)[1][1:].lower()
    if kind not in FORMATS:
        raise Refused(f"give a file name that ends in {_SUFFIXES}", where="--plot", found=os.path.basename(name))
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unavailable("matplotlib is not installed; run: pip install 'ttsartifact[analysis]'") from error
    with sound_of(artifact) as sound:
        stretches = axes.stretches_of(artifact, sound.frames, sound.rate_hz)
        axis = axes.axis_of(artifact, stretches)
        figure = Figure(figsize=_INCHES, layout="constrained")
        wave, spectrum, chunks, power = figure.subplots(len(_HEIGHTS), 1, sharex=True, height_ratios=_HEIGHTS)
        _draw_sound(wave, spectrum, sound, stretches, axis)
    _draw_chunks(chunks, artifact, stretches)
    _draw_power(power, artifact)
    engine = artifact.descriptor.at("/pins/engine")
    engine_name = stated(engine.get("name")) if isinstance(engine, dict) and engine.get("name") else stated(engine)
    figure.suptitle(_plain(f"{engine_name}, {artifact.artifact_id[:19]}"), fontsize=10, parse_math=False)
    power.set_xlim(axis.start_s, axis.stop_s)
    power.set_xlabel("seconds after submit")
    figure.savefig(file, format=kind, dpi=120, metadata=_undated(kind))


def _undated(kind: str) -> dict[str, Any]:
    """Return metadata without a clock and without our tools' versions, so that one run gives one picture."""
    return {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}.get(kind, {"CreationDate": None})


def _plain(words: str) -> str:
    """Return words in characters that every font has; line feeds stay."""
    return words.encode("ascii", "backslashreplace").decode()


def _draw_sound(wave: Any, spectrum: Any, sound: Sound, stretches: list[Stretch], axis: Axis) -> None:
    edges = picture.envelope(sound, min(picture.COLUMNS, max(sound.frames, 1)))
    total_s = sound.frames / sound.rate_hz
    for each in stretches:
        first = int(each.media_s / total_s * len(edges))
        part = edges[first : max(first + 1, round((each.media_s + each.length_s) / total_s * len(edges)))]
        places = [each.start_s + each.length_s * (n + 0.5) / len(part) for n in range(len(part))]
        wave.fill_between(places, part[:, 0], part[:, 1], color="tab:blue", linewidth=0.5)
    wave.set_ylim(-1, 1)
    wave.set_ylabel("waveform")
    levels = picture.spectrogram(sound, picture.media_of(axis, stretches))
    extent = (axis.start_s, axis.stop_s, 0, sound.rate_hz / 2000)
    spectrum.imshow(levels, aspect="auto", extent=extent, cmap="magma", vmin=picture.FLOOR_DB, vmax=0)
    spectrum.set_ylabel("kHz")


def _draw_chunks(place: Any, artifact: Artifact, stretches: list[Stretch]) -> None:
    log = axes.columns_of(artifact, "chunks", "t_ns")
    submit = axes.submit_of(artifact)
    if log:
        place.vlines([(t - submit) / _NS for t in axes.thinned(log[0])], 0.55, 1, color="black", linewidth=0.8)
    place.broken_barh([(s.start_s, s.length_s) for s in stretches], (0.05, 0.35), color="tab:green")
    waits = [
        (before.start_s + before.length_s, after.start_s - before.start_s - before.length_s)
        for before, after in pairwise(stretches)
    ]
    place.broken_barh(waits, (0.05, 0.35), color="tab:red")
    place.set_ylim(0, 1)
    place.set_yticks([0.22, 0.78], ["played", "arrived"])


def _draw_power(place: Any, artifact: Artifact) -> None:
    readings = readings_of(artifact, "telemetry", "power_mw", 1000)
    place.set_ylabel("power (W)")
    if readings:
        times, watts = zip(*readings, strict=True)
        # What follows the last reading was not measured; a single reading has no line, so a dot shows it.
        place.step(times, watts, where="post", marker="." if len(times) == 1 else "")
        place.set_ylim(bottom=0)
    else:
        why = stated(artifact.descriptor.at("/summary/power_w"))
        middle = {"ha": "center", "va": "center", "transform": place.transAxes}
        place.text(0.5, 0.5, _plain(f"power: {why}"), parse_math=False, **middle)
        place.set_yticks([])


_WIDTH_INCHES, _DPI = 10.0, 120  # 1,200 pixels
_ROW_INCHES = 1.7
_MOST_MARKS = 8


def draw(found: Session, out: Path | str, *, replace: bool = False) -> None:
    """Write a PNG; raises Unavailable without matplotlib, Refused where `out` exists."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unavailable("a picture needs matplotlib", expected="pip install 'ttsartifact[analysis]'") from error
    count = len(found.courses)
    figure = Figure(figsize=(_WIDTH_INCHES, _ROW_INCHES * count + 1.3), layout="constrained")
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for panel, course in zip(panels, found.courses, strict=True):
        _fill(panel, found, course)
    panels[-1].set_xlabel("run, in the order of t_submit")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    panels[-1].set_xlim(0.5, len(found.runs) + 0.5)
    _name_conditions(panels[0], found)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    of = f" of session {', '.join(found.sessions)}" if found.sessions else ""
    figure.suptitle(_plain(f"{len(found.runs)} runs{of}"), fontsize="medium", parse_math=False)
    with write_whole(out, replace=replace) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})


def _fill(panel: Any, found: Session, course: Course) -> None:
    decimals = course.metric.decimals
    known = [(row.run, value) for row in found.runs if (value := row.values.get(course.metric.name)) is not None]
    runs, values = [run for run, _ in known], [shown(value, decimals) for _, value in known]
    panel.plot(runs, values, "o", color="tab:blue", markersize=4, label="a run")
    points = course.change_points
    edges = [0.5, *(each.run - 0.5 for each in points), len(found.runs) + 0.5]
    levels = [points[0].before, *(each.after for each in points)] if points else [course.mean]
    for place, level in enumerate(levels):
        if level is not None:
            label = "mean between change points" if place == 0 else None
            panel.plot([edges[place], edges[place + 1]], [level, level], color="tab:orange", linewidth=2, label=label)
    marks = {"change point": ("tab:red", "-", [each.run for each in points])}
    marks["a condition changed"] = ("black", "--", [each.run for each in found.changed[:_MOST_MARKS]])
    for name, (color, style, runs) in marks.items():
        for place, run in enumerate(runs):
            label = name if place == 0 else None
            panel.axvline(run - 0.5, color=color, linewidth=1, linestyle=style, label=label)
    panel.set_ylabel(_plain(f"{course.metric.label}\n({course.metric.unit})"), fontsize="small")
    panel.tick_params(labelsize="small")
    panel.margins(y=0.2)
    panel.grid(visible=True, color="0.9")


def _name_conditions(panel: Any, found: Session) -> None:
    """Write the conditions above the first panel, those of one run together, where they changed."""
    named: dict[int, list[str]] = {}
    for each in found.changed[:_MOST_MARKS]:
        named.setdefault(each.run, []).append(each.label)
    for run, labels in named.items():
        words = _plain(f"run {run}: {', '.join(labels)}")
        words = words if len(words) <= 48 else words[:45] + "..."
        right = run > len(found.runs) / 2
        panel.annotate(
            words,
            (run - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if right else 3, 3),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize="x-small",
            parse_math=False,
        )


def open_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Open the one run of a file. Nothing is verified.

    As the last line of a cell, a notebook shows the run: player, picture and conditions; the picture needs
    `pip install "ttsartifact[analysis]"`.

    Args:
        path: An artifact in any carrier; `set.tts.parquet#3` is row 3 of a data set, counted from 0.

    Raises:
        NotAnArtifact: The file carries no artifact.
        Damaged: The structure of the file does not hold.
        InvalidDescriptor: The descriptor breaks the schema.
        TooLarge: The file is over a limit of the reader.
        Refused: The file holds several runs and no row is named.

    Example:
        `open("run.tts.wav").descriptor.at("/pins/engine")`
    """
    draws_with(_drawn)
    return reading.open_artifact(path)


def _drawn(artifact: Artifact) -> bytes | None:
    """Return the picture of a run as PNG; None where it cannot be drawn, which a card does not say."""
    file = io.BytesIO()
    try:
        plot(artifact, file, "run.png")
    except TtsArtifactError:
        return None
    return file.getvalue()
