"""The report on a claim: its answer first, then conditions, missing runs and the test, and the document of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact import _spec
from ttsartifact.claiming.claim import Aspect, Direction, Effect, RunGroup
from ttsartifact.claiming.evaluate import Answer, Registered
from ttsartifact.measuring.metrics import shown
from ttsartifact.reporting.documents import tool
from ttsartifact.reporting.phrases import Paint, counted
from ttsartifact.reporting.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttsartifact.claiming.claim import Claim, ClaimTest
    from ttsartifact.claiming.evaluate import Decided, Evaluation
    from ttsartifact.claiming.matching import Confounder

__all__ = ["claim_document", "claim_lines", "evaluation_lines"]

_MOST = 8
_KINDS = {Answer.SUPPORTED: "good", Answer.NOT_SUPPORTED: "bad", Answer.NOT_DECIDABLE: "warn"}
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
        yield f"  because {safe(reason.message)}"
    yield f"claim       {found.claim.digest}"
    yield f"registered  {_REGISTERED[found.registered]}"
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
        return f"order of t_submit: a up to run {factor['after']}, b behind it"
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


def _conditions(found: Evaluation) -> Iterator[str]:
    matched = found.matched
    if matched.confounders:
        yield f"conditions  {counted(len(matched.confounders), 'confounder')}:"
        yield from (f"            {_confounder(each)}" for each in matched.confounders[:_MOST])
    else:
        yield "conditions  match"
    if matched.free:
        yield f"            free and different: {', '.join(safe(each.label) for each in matched.free[:_MOST])}"
    if matched.unstated:
        yield f"            stated by no run: {', '.join(matched.unstated[:_MOST])}"


def _confounder(each: Confounder) -> str:
    return f"{safe(str(each))} ({counted(each.runs, 'run')})"


def _decided(each: Decided) -> Iterator[str]:
    e, t = each.expected, each.tested
    low, high = (shown(end, 6) for end in t.interval_micro)
    yield f"expected    {_expected(e)}: {'yes' if t.holds else 'not shown'}"
    n = f"{each.n_b}" if each.mean_a is None else f"{each.n_a} and {each.n_b}"
    repeats = f", {each.repeats} repeats excluded" if each.repeats else ""
    yield f"            found {shown(t.estimate_micro, 6):g}, 95 % of bootstraps in [{low:g}, {high:g}], n {n}{repeats}"
    yield f"            {e.test}: p {t.p:.6g}, alpha {shown(e.alpha_ppm, 6):g}"
