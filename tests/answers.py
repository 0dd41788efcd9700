"""The words of every case: what the verifier says of each broken file, and which rules it does not apply to it.

tests/verifying/answers.json holds them, to be read like any other text; `python tests/write_answers.py` writes it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttsartifact.terms.finding import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttsartifact.terms.finding import Hint
    from ttsartifact.verifying.report import Report

__all__ = ["FILE", "HOW", "anywhere", "approved", "lines", "of_hint", "said"]

FILE = Path(__file__).parent / "verifying" / "answers.json"
HOW = "read what changed; if it is meant, `python tests/write_answers.py` writes tests/verifying/answers.json anew"
_OF_THIS_MACHINE = re.compile(r"(?<=; here is ).*")
_DIGEST = re.compile(r"(?<=sha256:)[0-9a-f]{64}")
"""A digest of a file changes with every other line of it; that both sides are digests is kept."""


@cache
def approved() -> dict[str, Any]:
    """Return what answers.json holds: `cases`, and under `idle` the rules that do not apply to a few sound files."""
    value: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return value


def said(reports: Sequence[Report], folder: Path, idle: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the words of a file's reports, and how the rules that do not apply differ from the nearest of `idle`.

    A rule that passes and one that does not apply are two answers, though neither says a word.
    """
    spoken = [line.replace(f"{folder}/", "") for report in reports for line in lines(report)]
    mine = set().union(*(report.not_applicable for report in reports))
    name = min(idle, key=lambda each: len(mine ^ set(idle[each])))
    signed = [f"+{rule}" for rule in sorted(mine - set(idle[name]))]
    signed += [f"-{rule}" for rule in sorted(set(idle[name]) - mine)]
    return {
        "says": [anywhere(line) for line in spoken],
        "idle": " ".join([name, *signed]),
    }


def anywhere(line: str) -> str:
    """Return words without what another machine or another build of the files says otherwise."""
    return _DIGEST.sub("...", _OF_THIS_MACHINE.sub("...", line))


def lines(report: Report) -> Iterator[str]:
    """Yield a line for each finding, and for each rule that could not be asked."""
    for each in report.findings:
        kind = each.severity if each.outcome == Outcome.FAIL else f"{each.outcome} {each.severity}"
        sides = f"found {each.found}" + ("" if each.expected is None else f", expected {each.expected}")
        yield f"{each.rule} {kind} {each.where}: {each.message}; {sides}"
    for each in report.unchecked:
        if each.outcome == Outcome.UNVERIFIABLE:
            yield f"{each.rule} unverifiable: {each.message}"


def of_hint(hint: Hint) -> str:
    """Return the words of a hint."""
    return f"{hint.id} hint {hint.where}: {hint.message}; found {hint.found}"
