"""A session in words, as a table and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.measuring.metrics import metric_named, shown
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.phrases import counted
from ttsartifact.reporting.safe import safe
from ttsartifact.reporting.tsv import row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.claiming.session import Course, Session, SessionRow

__all__ = ["session_document", "session_lines", "session_rows"]

_MOST = 40
_EDGE = 8


def session_document(found: Session) -> dict[str, Any]:
    """Return what `session --format json` says (session.schema.json)."""
    head = {"schema": "urn:ttsartifact:1.0:session", "spec_version": _spec.FORMAT_VERSION, "tool": tool()}
    return head | found.to_value()


def session_rows(found: Session) -> Iterator[str]:
    """Yield a header, then a line for each run and for each stretch."""
    yield row(["run", "artifact_id", "start_ms", *found.names])
    for each in (*found.runs, *found.stretches):
        yield row([each.run, each.artifact_id, each.start_ms, *_values(each, found)])


def session_lines(found: Session) -> Iterator[str]:
    """Yield the table of runs, each metric's course, and the conditions that changed."""
    of = f" of session {', '.join(map(safe, found.sessions))}" if found.sessions else ""
    yield f"{counted(len(found.runs), 'run')}{of}, in the order of t_submit"
    yield from (f"not recorded so: {safe(each)}" for each in found.not_recorded)
    yield ""
    widths = [max(len(name), _EDGE) for name in found.names]
    yield "run  " + "  ".join(f"{name:>{width}}" for name, width in zip(found.names, widths, strict=True))
    yield from _table(found, found.runs, widths)
    if found.stretches:
        yield ""
        yield "run  at s" + "".join(f"  {name:>{width}}" for name, width in zip(found.names, widths, strict=True))
        yield from _table(found, found.stretches, widths)
    yield ""
    for course in found.courses:
        yield from _course(course)
    for each in found.changed:
        yield f"condition   {safe(str(each))}"
    if found.varying:
        yield f"condition   from run to run: {', '.join(map(safe, found.varying))}"
    for pin in found.instruments:
        on = f" on {pin['on']}" if pin.get("on") else ""
        yield f"measured by {safe(pin['name'])} {safe(pin['version'])}{safe(on)}"


def _table(found: Session, rows: tuple[SessionRow, ...], widths: list[int]) -> Iterator[str]:
    for number, each in enumerate(rows):
        if len(rows) > _MOST and _EDGE <= number < len(rows) - _EDGE:
            if number == _EDGE:
                yield f"     ... {len(rows) - 2 * _EDGE} more; --format tsv has them all"
            continue
        at = "" if each.start_ms is None else f"{each.start_ms / 1000:4.1f}"
        cells = "  ".join(
            f"{'-' if value is None else _figure(value, name):>{width}}"
            for value, name, width in zip(_values(each, found), found.names, widths, strict=True)
        )
        yield f"{each.run:>3}  {at}{'  ' if at else ''}{cells}"


def _values(each: SessionRow, found: Session) -> list[float | None]:
    values = (each.values.get(name) for name in found.names)
    return [
        None if value is None else shown(value, metric_named(name).decimals)
        for value, name in zip(values, found.names, strict=True)
    ]


def _figure(value: float, name: str) -> str:
    return f"{value:.{metric_named(name).decimals}f}"


def _course(course: Course) -> Iterator[str]:
    name = f"{safe(course.metric.label)} ({safe(course.metric.unit)})"
    if course.mean is None:
        yield f"{name}: known of no run"
        return
    spread = "" if course.deviation is None else f", deviation {course.deviation:.3g}"
    yield f"{name}: mean {course.mean:.2f}{spread}"
    if course.halves is not None and course.halves_interval is not None:
        low, high = course.halves_interval
        yield f"  second half less first: {course.halves:+.3g}, 95 % in [{low:+.3g}, {high:+.3g}]"
    for each in course.change_points:
        with_it = (
            f"; there changed: {', '.join(map(safe, each.with_it))}" if each.with_it else "; no condition changed there"
        )
        yield f"  changes at run {each.run}: {each.before:.2f} -> {each.after:.2f} (p {each.p:.3g}){with_it}"
