"""The page of a set of runs: a table to sort and filter, RTF and TTFA by engine, drift over sessions.

The figures are for the eye. `ttsa session` measures them with a pinned instrument and says what is more than chance.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ttsartifact.comparing.sound import sound_of
from ttsartifact.errors import TtsArtifactError
from ttsartifact.formulas.latency import name_of
from ttsartifact.reporting.documents import columns_of, derived_of, report_document
from ttsartifact.reporting.page import picture
from ttsartifact.reporting.page.markup import Html, document, element, footer, joined, section, table
from ttsartifact.reporting.page.parts import amount, cut_of
from ttsartifact.reporting.phrases import counted, seconds, spoken, stated
from ttsartifact.terms.descriptor import absent, is_absent
from ttsartifact.verifying.report import exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.verifying.report import Report

_MOST_ENGINES = 30
_WIDTH = 1000
_MEASURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    (name_of("rtf_e2e"), "rtf_e2e", lambda value: f"{value:.3f}"),
    (name_of("time_to_first_audio_ns"), "time_to_first_audio_ns", lambda value: seconds(int(value))),
    (name_of("time_to_first_token_ns"), "time_to_first_token_ns", lambda value: seconds(int(value))),
)
_TIMES = ("time_to_first_token_ns", "time_to_first_audio_ns", "rtf_e2e", "rtf_compute", "duration_ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What the table says of one run; its audio is no longer held."""

    where: str
    engine: str
    verify: dict[str, Any]
    columns: dict[str, Any]
    derived: dict[str, Any]
    session: Any
    heard: SoundFigures


def row_of(artifact: Artifact, report: Report) -> RunRow:
    """Return the row of a run."""
    columns = columns_of(artifact)
    return RunRow(
        where=artifact.where,
        engine=stated(columns.get("engine")),
        verify=report_document(report, exit_code=exit_code(report)),
        columns=columns,
        derived=derived_of(artifact),
        session=artifact.descriptor.at("/run/session_id"),
        heard=heard_of(artifact),
    )


def page_of_many(rows: Sequence[RunRow], unread: Sequence[str] = ()) -> str:
    """Return the page; `unread` states for each skipped file why it could not be read."""
    verdicts: dict[str, int] = {}
    for row in rows:
        verdicts[row.verify["verdict"]] = verdicts.get(row.verify["verdict"], 0) + 1
    sums = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    cut = sum(bool(cut_of(row.verify)) for row in rows)
    first = [f"Verdicts: {sums}."]
    first += (
        [f"{counted(cut, 'recording')} incomplete: only the recorded part is heard, and counts below."] if cut else []
    )
    first += [f"{counted(len(unread), 'file')} not readable."] if unread else []
    return document(
        f"{len(rows)} runs",
        element("header", element("h1", counted(len(rows), "run")), element("p", " ".join(first))),
        element(
            "main",
            section("By engine", *(_distribution(rows, *measure) for measure in _MEASURES)),
            section("Drift over sessions", _drift(rows)),
            section("Failed promotion", _rejects(rows)),
            section("Not readable", element("ul", *(element("li", spoken(why)) for why in unread))) if unread else None,
            section("Runs", _runs(rows)),
        ),
        footer(),
        data={"players": []},
    )


def _distribution(rows: Sequence[RunRow], title: str, key: str, say: Callable[[float], str]) -> Html:
    """Return a strip of runs for each engine, and its median and quartiles in words."""
    engines: dict[str, list[float]] = {}
    for row in rows:
        value = row.derived.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            engines.setdefault(row.engine, []).append(float(value))
    if not engines:
        return joined(element("h3", title), element("p", "No run states it."))
    high = max(max(values) for values in engines.values()) or 1.0
    most = sorted(engines, key=lambda name: (-len(engines[name]), name))[:_MOST_ENGINES]
    strips = [_strip(name, engines[name], high, say) for name in most]
    left = [element("p", f"{len(engines) - len(most)} more engines are not drawn.")] if len(engines) > len(most) else []
    return joined(
        element("h3", title), *strips, *left, element("p", f"Each picture is 0 to {say(high)}.", class_="quiet")
    )


def _strip(name: str, values: list[float], high: float, say: Callable[[float], str]) -> Html:
    low, middle, top = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    words = (
        f"{counted(len(values), 'run')}, median {say(middle)}, quartiles {say(low)} to {say(top)}, "
        f"range {say(min(values))} to {say(max(values))}"
    )
    box = element(
        "rect",
        x=_x(low, high),
        y=4,
        width=f"{max(_place(top, high) - _place(low, high), 2):.1f}",
        height=22,
        class_="box",
    )
    marks = [
        element("rect", x=_x(value, high), y=8, width="2", height=14, class_="mark") for value in sorted(set(values))
    ]
    median = element("rect", x=_x(middle, high), y=2, width="3", height=26, class_="median")
    svg = element(
        "svg",
        box,
        *marks,
        median,
        viewBox=f"0 0 {_WIDTH} 30",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{name}: {words}",
    )
    return element(
        "figure", element("figcaption", element("b", name), " ", element("span", words)), svg, class_="lane strip"
    )


def _place(value: float, high: float) -> float:
    return min(max(value / high, 0.0), 1.0) * (_WIDTH - 3)


def _x(value: float, high: float) -> str:
    return f"{_place(value, high):.1f}"


def _drift(rows: Sequence[RunRow]) -> Html:
    """Return what moves over the runs that state their session and when they were submitted."""
    placed = [
        Placed(
            session=spoken(row.session),
            submitted=str(row.derived["t_submit_utc"]),
            heard=row.heard,
            duration_s=row.derived["duration_ns"] / 1e9 if isinstance(row.derived.get("duration_ns"), int) else None,
        )
        for row in rows
        if not is_absent(row.session) and not is_absent(row.derived.get("t_submit_utc"))
    ]
    return drift(placed) if placed else element("p", "No run states its session and when it was submitted.")


def _rejects(rows: Sequence[RunRow]) -> Html:
    """Return the runs that the gate did not promote."""
    judged = [row for row in rows if row.columns.get("failed_promotion") in (0, 1)]
    failed = [row for row in judged if row.columns["failed_promotion"] == 1]
    if not judged:
        return element("p", "No run states a gate's decision.")
    words = element("p", f"{len(failed)} of {counted(len(judged), 'run')} with a gate's decision failed it.")
    cells: list[tuple[object, ...]] = [
        (spoken(row.where), row.engine, stated(row.columns.get("notes"))) for row in failed
    ]
    return joined(words, table(("run", "engine", "notes"), cells) if cells else None)


def _runs(rows: Sequence[RunRow]) -> Html:
    head = (
        "run",
        "engine",
        "verdict",
        *map(name_of, _TIMES),
        "power",
        "failed promotion",
        "session",
        "model",
        "submitted (UTC)",
    )
    titles = [element("th", element("button", title, type="button"), scope="col", aria_sort="none") for title in head]
    body = [_cells(n, row) for n, row in enumerate(rows)]
    box = element("label", "Show rows that contain ", element("input", type="search", id="filter", autocomplete="off"))
    return joined(
        element("p", box, " ", element("output", "", id="shown")),
        element(
            "div",
            element("table", element("thead", element("tr", *titles)), element("tbody", *body), id="run-table"),
            class_="wide",
        ),
    )


def _cells(n: int, row: RunRow) -> Html:
    key = f"runs.{n}"
    power = row.columns.get("power_w")
    cells: list[object] = [
        row.engine,
        joined(element("strong", row.verify["verdict"], data_key=f"{key}.verify.verdict"), cut_of(row.verify)),
        *(amount(f"{key}.show.derived.{name}", _brief(row.derived.get(name))) for name in _TIMES),
        element("data", f"{power:.1f} W", value=repr(power)) if isinstance(power, (int, float)) else stated(power),
        stated(row.columns.get("failed_promotion")),
        stated(row.session),
        stated(row.columns.get("model_repo")),
        stated(row.derived.get("t_submit_utc")),
    ]
    return element("tr", element("th", spoken(row.where), scope="row"), *(element("td", cell) for cell in cells))


def _brief(value: Any) -> Any:
    """Return an absence without its detail, for which a table of many runs has no room."""
    return absent(value["reason"]) if is_absent(value) else value


_HEIGHT = 60
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


_COURSES: tuple[tuple[str, str, Callable[[Placed], float | None]], ...] = (
    ("F0, median", "{:.0f} Hz", lambda run: run.heard.f0_hz),
    ("Level", "{:.1f} dBFS", lambda run: run.heard.level_dbfs),
    ("Duration", "{:.2f} s", lambda run: run.duration_s),
)


def heard_of(artifact: Artifact) -> SoundFigures:
    """Return what is heard of a run."""
    try:
        with sound_of(artifact) as sound:
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
    drawn = [_lane(title, form, [(run.session, of(run)) for run in ordered]) for title, form, of in _COURSES]
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
