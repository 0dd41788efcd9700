"""A session as a picture: each metric over the runs, its level, and where conditions changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact.container.source import write_whole
from ttsartifact.errors import Unavailable
from ttsartifact.measuring.metrics import shown

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.claiming.session import Course, Session

__all__ = ["draw"]

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


def _plain(words: str) -> str:
    """Return words in characters that every font has; line feeds stay."""
    return "\n".join(line.encode("ascii", "backslashreplace").decode() for line in words.split("\n"))
