"""The card for a forum: verdict, broken rules, conditions and the alignment bound, a stranger's words in code spans."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ttsartifact.errors import InvalidDescriptor
from ttsartifact.formulas.timebase import utc_bound
from ttsartifact.reporting.card import card_rows
from ttsartifact.reporting.phrases import counted, level_words, meaning, reason_line, rule_sums, seconds, spoken
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.descriptor import text
from ttsartifact.terms.finding import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttsartifact.formulas.timebase import Bound
    from ttsartifact.reading.artifact import Artifact
    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.verifying.report import Report

_MOST_FINDINGS = 100


def span(value: object, *, longest: int = 300) -> str:
    """Return a code span: no markup in it is alive, and neither a bar nor a backtick ends its cell."""
    return code(safe(value, longest=longest))


def code(plain: str) -> str:
    """Return a code span of what has gone through safe(); a bar is spelled in it, a backtick becomes an apostrophe."""
    text = plain.replace("`", "'").replace("|", r"\x7c")
    return f"`{text}`" if text.strip() else "` `"


def image(words: str, path: str) -> str:
    """Return an image by the name of its file: a forum shows what is uploaded under it."""
    name = "".join(c if c.isalnum() or c in "-_." else _in_percent(c) for c in os.path.basename(path))
    return f"![{words}]({name})"


def _in_percent(character: str) -> str:
    return "".join(f"%{byte:02x}" for byte in os.fsencode(character))


def card(artifact: Artifact) -> Iterator[str]:
    """Yield the card of what one file states of its run; nothing was checked."""
    yield f"### {span(artifact.where)}"
    yield ""
    yield "Conditions as stated by the file. Not checked; run `ttsa verify`."
    yield ""
    yield from _conditions(artifact)


def report_card(
    report: Report, artifact: Artifact | None = None, differences: Sequence[ReceiptMismatch] = ()
) -> Iterator[str]:
    """Yield the card of one report, with the conditions of the run where its file could be opened."""
    broken = len({finding.rule for finding in report.failures})
    but = f", {counted(broken, 'rule')} failed" if broken else ""
    yield f"### {report.verdict}{but}: {span(report.where)}"
    yield ""
    yield f"{meaning(report).capitalize()}."
    if report.reason is not None:
        yield ""
        yield code(reason_line(report.reason))
    yield ""
    rows = [
        ("artifact", span(report.artifact_id or "none")),
        ("run", span(report.run_id or "none")),
        ("level", code(level_words(report))),
    ]
    yield from table(("", ""), [*rows, ("rules", rule_sums(report))])
    yield from _findings(report)
    if differences:
        yield ""
        yield from table(
            ("receipt", "the file has", "the receipt says"),
            [(d.part, code(spoken(d.found)), code(spoken(d.expected))) for d in differences],
        )
    if artifact is not None:
        yield ""
        yield from _conditions(artifact, without=frozenset(label for label, _ in rows))


def _findings(report: Report) -> Iterator[str]:
    rows = [
        (f.rule, _word(f.outcome, f.severity), span(f.message), span(f.where or "the file"), _both(f.found, f.expected))
        for f in report.findings[:_MOST_FINDINGS]
    ]
    rows += [
        (f.rule, "unverifiable", span(f.message), "", "") for f in report.unchecked if f.outcome == Outcome.UNVERIFIABLE
    ]
    if rows:
        yield ""
        yield from table(("rule", "", "what", "where", "found, expected"), rows)
    if len(report.findings) > _MOST_FINDINGS:
        yield ""
        yield f"{len(report.findings) - _MOST_FINDINGS} more findings are not shown."


def _word(outcome: str, severity: str) -> str:
    if outcome == Outcome.SUPPRESSED:
        return "suppressed"
    return severity if severity in {Severity.WARN, Severity.INFO} else "**fail**"


def _both(found: object, expected: object) -> str:
    plain = code(spoken(found)) if found is not None else "nothing"
    return plain if expected is None else f"{plain}, {code(spoken(expected))}"


def _conditions(artifact: Artifact, *, without: frozenset[str] = frozenset()) -> Iterator[str]:
    rows = [(label, code(value)) for label, value in card_rows(artifact) if label not in without]
    yield from table(("condition", "as stated"), rows)
    bounds = list(_bounds(artifact))
    if bounds:
        yield ""
        yield from table(("clock", "agrees with UTC within"), bounds)


def _bounds(artifact: Artifact) -> Iterator[tuple[str, str]]:
    at = artifact.descriptor.at
    submit, last = at("/run/times/t_submit_ns"), at("/run/times/t_last_token_ns")
    channels = at("/channels")
    if type(submit) is not int or type(last) is not int or not isinstance(channels, list):
        return
    for channel in [None, *channels]:
        try:
            bound = utc_bound(at("/timebase"), submit, last, channel)
            name = "the timeline" if channel is None else text(channel, "name")
        except InvalidDescriptor:
            continue  # it breaks its schema, and a finding says where
        if bound is not None:
            yield span(name), _bound(bound)


def _bound(bound: Bound) -> str:
    lacks = f", at least: {span(', '.join(bound.lacks))} not known" if bound.lacks else ""
    return f"{seconds(bound.ns)}{lacks}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a table; its cells have gone through span() or code(), or are words of ours."""
    head = tuple(head)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
