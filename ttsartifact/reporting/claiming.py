"""Claims and sessions in words, as tables and as documents: the answer first, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.claiming.claim import Aspect, Direction, Effect, RunGroup
from ttsartifact.claiming.evaluate import Answer, Registered
from ttsartifact.claiming.obstacles import ObstacleKind
from ttsartifact.measuring.metrics import metric_named, shown
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.phrases import Paint, counted
from ttsartifact.reporting.tables import row
from ttsartifact.reporting.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.claiming.claim import Claim, ClaimTest
    from ttsartifact.claiming.evaluate import Decided, Evaluation
    from ttsartifact.claiming.session import Course, Session, SessionRow

_MOST_NAMES = 8
_KINDS = {Answer.SUPPORTED: "good", Answer.NOT_SUPPORTED: "bad", Answer.NOT_DECIDABLE: "warn"}
_OF_CONFOUNDERS = (ObstacleKind.CONFOUNDER, ObstacleKind.NOT_KNOWN)
_REGISTERED = {
    Registered.PROVEN: "proven: a run log holds it under a time-stamp before every run",
    Registered.STATED: "stated by every run; no run log proves when it was written",
    Registered.NO: "no: not every run states it",
}


def claim_document(found: Evaluation) -> dict[str, Any]:
    """Return what `claim check --format json` says (claim-result.schema.json)."""
    head = {"schema": "urn:ttsartifact:1.0:claim-result", "spec_version": _spec.FORMAT_VERSION, "tool": tool()}
    return head | found.to_value()


def claim_lines(claim: Claim) -> Iterator[str]:
    """Yield what a claim says, and its digest."""
    yield f"claim       {safe(claim.title)}"
    yield f"digest      {claim.digest}"
    yield f"factor      {_factor(claim)}"
    yield f"free        {', '.join(map(safe, claim.free)) or 'none'}"
    of = " of each group" if claim.has_groups else ""
    yield f"runs        at least {claim.minimum_runs}{of}{', within equal texts' if claim.blocked else ''}"
    for each in claim.expectations:
        yield f"expected    {_expected(each)}"
        yield f"            by {each.test}, alpha {shown(each.alpha_ppm, 6):g}, {each.draws} draws"


def evaluation_lines(found: Evaluation, paint: Paint | None = None) -> Iterator[str]:
    """Yield the lines of `claim check` with runs."""
    paint = paint or Paint()
    yield f"{paint(_KINDS[found.answer], str(found.answer))}: {safe(found.claim.title)}"
    for reason in found.reasons:
        runs = f" ({counted(reason.count, 'run')})" if reason.why in _OF_CONFOUNDERS else ""
        yield f"  because {safe(reason.message)}{runs}"
    yield f"claim       {found.claim.digest}"
    yield f"registered  {_REGISTERED[found.registered] if _counts(found) else 'no run was counted'}"
    yield f"runs        {_runs(found)}"
    yield from _conditions(found)
    for each in found.decided:
        yield from _decided(each)
    for pin in found.instruments:
        on = f" on {pin['on']}" if pin.get("on") else ""
        yield f"measured by {safe(pin['name'])} {safe(pin['version'])}{safe(on)}"


def _factor(claim: Claim) -> str:
    factor = claim.value["factor"]
    if claim.by == "order":
        return f"order of t_submit: a is the first {counted(factor['after'], 'run')}, b the others"
    if "a" in factor:
        return f"{safe(claim.by)}: a = {safe(factor['a'])}, b = {safe(factor['b'])}"
    return {"none": "none: one group", "reference": "the reference clip"}.get(claim.by, safe(claim.by))


def _expected(each: ClaimTest) -> str:
    unit = each.metric.unit
    what = f"{'spread of ' if each.of is Aspect.SPREAD else ''}{safe(each.metric.label)}"
    margin = f"{shown(each.margin_micro, 6):g}"
    if each.effect is Effect.EQUIVALENCE:
        return f"{what} of b within {margin} of a ({unit})"
    side = {Direction.GREATER: "more than", Direction.LESS: "less than"}.get(each.direction, "at least")
    if each.effect is Effect.SLOPE:
        return f"slope of {what} {side} {margin}"
    if each.effect is Effect.LEVEL:
        return f"{what} {side} {margin} ({unit})"
    if each.direction is Direction.EITHER:
        return f"{what} of b and a more than {margin} apart ({unit})"
    return f"{what} of b less that of a: {side} {margin} ({unit})"


def _runs(found: Evaluation) -> str:
    groups = found.matched.groups
    named = [(group, groups.count(group)) for group in (RunGroup.A, RunGroup.B, RunGroup.ALL) if group in groups]
    line = (
        ", ".join(f"{count} {'in all' if group is RunGroup.ALL else f'in {group}'}" for group, count in named) or "none"
    )
    left = groups.count(RunGroup.NONE)
    return line + (f"; {left} in neither group, not counted" if left else "")


def _counts(found: Evaluation) -> bool:
    return any(group is not RunGroup.NONE for group in found.matched.groups)


def _conditions(found: Evaluation) -> Iterator[str]:
    matched = found.matched
    if matched.confounders:
        yield f"conditions  {counted(len(matched.confounders), 'confounder')}, named above"
    else:
        yield "conditions  match" if _counts(found) else "conditions  not compared: no run was counted"
    if matched.free:
        yield f"            free and different: {', '.join(safe(each.label) for each in matched.free[:_MOST_NAMES])}"
    if matched.unstated:
        yield f"            stated by no run: {', '.join(matched.unstated[:_MOST_NAMES])}"


def _decided(each: Decided) -> Iterator[str]:
    e, t = each.expected, each.tested
    low, high = (shown(end, 6) for end in t.interval_micro)
    yield f"expected    {_expected(e)}: {'yes' if t.holds else 'not shown'}"
    n = f"{each.n_b}" if each.mean_a is None else f"{each.n_a} and {each.n_b}"
    repeats = f", {each.repeats} repeats excluded" if each.repeats else ""
    yield f"            found {shown(t.estimate_micro, 6):g}, 95 % of bootstraps in [{low:g}, {high:g}], n {n}{repeats}"
    yield f"            {e.test}: p {t.p:.6g}, alpha {shown(e.alpha_ppm, 6):g}"


_MOST_RUNS = 40
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
        if len(rows) > _MOST_RUNS and _EDGE <= number < len(rows) - _EDGE:
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
