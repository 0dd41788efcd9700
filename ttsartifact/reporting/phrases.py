"""Fixed sentences and colours: what each verdict means, how a line is painted, how a count is spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttsartifact._starting import NamedTuple
from ttsartifact.reporting.terminal import safe
from ttsartifact.terms.descriptor import is_absent
from ttsartifact.terms.finding import Outcome, Severity, Verdict

if TYPE_CHECKING:
    from ttsartifact.reporting.receipt import ReceiptMismatch
    from ttsartifact.terms.finding import Finding
    from ttsartifact.verifying.report import Reason, Report

VERDICTS = {
    Verdict.INTACT: "every byte is as it was sealed",
    Verdict.REWRAPPED: "the run and its audio are unchanged; the container around them was rewritten",
    Verdict.RETAGGED: "the samples are the recorded ones; other bytes of the audio file are not",
    Verdict.AUDIO_CHANGED: "the audio is not the recorded audio",
    Verdict.BROKEN: "the file is damaged, or is not the run that it states",
    Verdict.CAPSULE_LOST: "the audio has lost its capsule and no longer states a run",
    Verdict.NOT_AN_ARTIFACT: "the file states no run",
    Verdict.UNREADABLE: "the file is not readable",
    Verdict.NOT_FOUND: "there is no such file, or no such row in it",
    Verdict.NOT_VERIFIED: "this verifier could not check the file; this is not a verdict on the file",
    "NOT_HASHED": "structure and schema only; no digest was computed",
}
INCOMPLETE = "; the recording is incomplete"
_SGR = {"good": "32", "bad": "31", "warn": "33", "quiet": "2", "strong": "1"}


class Paint(NamedTuple):
    """Colours, or none: a pipe and NO_COLOR get plain words."""

    on: bool = False

    def __call__(self, kind: str, text: str) -> str:
        """Return `text`, coloured where colours are on."""
        return f"\x1b[{_SGR[kind]}m{text}\x1b[0m" if self.on else text

    def verdict(self, verdict: str) -> str:
        """Return a verdict in its colour."""
        kind = {Verdict.INTACT: "good", "NOT_HASHED": "quiet"}
        kind |= dict.fromkeys((Verdict.REWRAPPED, Verdict.RETAGGED, Verdict.NOT_VERIFIED), "warn")
        return self(kind.get(verdict, "bad"), verdict)

    def outcome(self, outcome: str, severity: str) -> str:
        """Return the word for a finding in its colour: `fail`, `warn`, `info`, `suppressed`."""
        if outcome == Outcome.SUPPRESSED:
            return self("quiet", "suppressed")
        word = severity if severity in {Severity.WARN, Severity.INFO} else "fail"
        return self({"fail": "bad", "warn": "warn"}.get(word, "quiet"), word)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return `1 rule`, `2 rules`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def seconds(nanoseconds: int) -> str:
    """Return a duration for eyes: three digits after the point of the unit that suits it."""
    magnitude = abs(nanoseconds)
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if magnitude >= size:
            return f"{nanoseconds / size:.3f} {unit}"
    return f"{nanoseconds} ns"


def spoken(value: object) -> str:
    """Return any value of a finding in one safe piece; a list or an object as compact JSON."""
    if isinstance(value, (dict, list, tuple)):
        import json

        value = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return "true" if value is True else "false" if value is False else safe(value)


def stated(value: Any) -> str:
    """Return any value of a descriptor in words; an absent value in the words of its reason."""
    if is_absent(value):
        reason = safe(value["reason"]).replace("_", " ")
        return f"{reason} ({safe(value['detail'])})" if value.get("detail") else reason
    return "not stated" if value is None else spoken(value)


def meaning(report: Report) -> str:
    """Return what the verdict of a report means, and whether the recording is incomplete."""
    return VERDICTS[report.verdict] + INCOMPLETE * report.incomplete


def finding_line(finding: Finding) -> str:
    """Return a finding in one safe line: what is wrong, both sides, the address last."""
    found = f": found {spoken(finding.found)}" if finding.found is not None else ""
    expected = f", expected {spoken(finding.expected)}" if finding.expected is not None else ""
    return f"{safe(finding.message)}{found}{expected}" + (f" (at {safe(finding.where)})" if finding.where else "")


def level_words(report: Report) -> str:
    """Return the level that a run reaches, and the one that it claims.

    It is established where all digests and the seal recompute (clause 9.2), and SCH10 was asked.
    """
    broken = any(finding.rule.startswith("HSH") for finding in report.findings)
    unasked = any(finding.rule == "SCH10" for finding in report.unchecked)
    claimed = "" if report.level_claimed is None else f"{spoken(report.level_claimed)} claimed"
    if report.verdict != Verdict.INTACT or broken or unasked:
        return "; ".join(filter(None, ("not established", claimed)))
    if report.level_claimed == report.level_reached:
        return f"{report.level_reached}, as claimed"
    return ", ".join(filter(None, (f"{report.level_reached} reached", claimed)))


def rule_sums(report: Report) -> str:
    """Return how many rules had each outcome; those that no rule had are left out, save `failed`."""
    suppressed = {finding.rule for finding in report.findings if finding.outcome == Outcome.SUPPRESSED}
    unverifiable = sum(finding.outcome == Outcome.UNVERIFIABLE for finding in report.unchecked)
    warned = len({finding.rule for finding in report.warnings})
    optional = {
        counted(warned, "warning"): warned,
        f"{len(suppressed)} suppressed": len(suppressed),
        f"{unverifiable} unverifiable": unverifiable,
        f"{len(report.unchecked) - unverifiable} not run": len(report.unchecked) - unverifiable,
    }
    failed = len({finding.rule for finding in report.failures})
    sums = [f"{len(report.passed)} passed", f"{failed} failed", *filter(optional.get, optional)]
    return ", ".join([*sums, f"{len(report.not_applicable)} not applicable"])


def reason_line(reason: Reason) -> str:
    """Return in one safe line why nothing was verified."""
    found = f": found {spoken(reason.found)}" if reason.found is not None else ""
    expected = f", expected {spoken(reason.expected)}" if reason.expected is not None else ""
    return f"{safe(reason.message, longest=1000)}{found}{expected}"


def broken_part(part: ReceiptMismatch) -> str:
    """Return in one safe line how a run differs from its receipt."""
    return f"{part.part} is not that of the receipt: found {spoken(part.found)}, expected {spoken(part.expected)}"
