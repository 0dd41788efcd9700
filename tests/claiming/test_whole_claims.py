"""What is said of claims, their results and of sessions, whole, held to kept outputs (tests/kept)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from claim_kit import CLAIM, drift_claim, measured, run, session, speed_claim
from kept import assert_kept, document_lines

from ttsartifact.claiming.claim import load_claim, parsed_claim
from ttsartifact.claiming.evaluate import evaluate
from ttsartifact.claiming.session import session_of
from ttsartifact.claiming.templates import TEMPLATES
from ttsartifact.errors import Refused
from ttsartifact.measuring.metrics import Measured
from ttsartifact.reporting.claiming import (
    claim_document,
    claim_lines,
    evaluation_lines,
    session_document,
    session_lines,
    session_rows,
)
from ttsartifact.reporting.phrases import Paint
from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent

if TYPE_CHECKING:
    from pathlib import Path

    from ttsartifact.claiming.obstacles import ClaimedRun


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_the_kept_file_and_says_what_it_says(name: str, tmp_path: Path) -> None:
    """The text that `claim new` writes, and the claim that it is."""
    path = tmp_path / f"{name}.toml"
    path.write_text(TEMPLATES[name])
    claim = load_claim(path)
    assert_kept(f"claims/{name}.txt", "\n".join([TEMPLATES[name], *claim_lines(claim), claim.canonical.decode()]))


BY_NONE = [('"/generation/params/speed"\na = 1.0\nb = 1.25', '"none"')]
BY_REFERENCE = [('"/generation/params/speed"\na = 1.0\nb = 1.25', '"reference"')]
WORDS = 'effect = "difference"\ndirection = "less"'
TEST = 'test = "permutation"'
SLOPE = [(WORDS, 'effect = "slope"'), (TEST, "")]
LEVEL = [(WORDS, 'effect = "level"\ndirection = "less"'), (TEST, "")]
CLAIMS: dict[str, list[tuple[str, str]]] = {
    "whole": [],
    "no factor": [("[factor]", "[[factor]]")],
    "a number for a table": [("[held]\n", "held = 5\n[other]\n")],
    "no expectation": [("[[expect]]", "[expect]")],
    "an expectation of words": [(CLAIM[CLAIM.index("[[expect]]") :], ""), ("[factor]", 'expect = ["a"]\n[factor]')],
    "an empty expectation": [(CLAIM[CLAIM.index("[[expect]]") :], ""), ("[factor]", "expect = []\n[factor]")],
    "an unknown effect": [(WORDS, 'effect = "more"')],
    "an unknown aspect": [(WORDS, 'of = "median"')],
    "an unknown test": [(TEST, 'test = "guess"')],
    "a test of another effect": [(TEST, 'test = "tost"')],
    "a margin in words": [("margin = 0.5", 'margin = "much"')],
    "a margin that is true": [("margin = 0.5", "margin = true")],
    "a margin without end": [("margin = 0.5", "margin = inf")],
    "an alpha of many digits": [("alpha = 0.05", "alpha = 0.00000005")],
    "an alpha of one": [("alpha = 0.05", "alpha = 1.0")],
    "no draw": [("alpha = 0.05", "draws = 0")],
    "no title": [('title = "faster"', "")],
    "a tool beside a metric of sound": [("margin = 0.5", 'margin = 0.5\ntool = "a@1"')],
    "an evaluated metric": [('"duration"', '"evaluated:wer"'), ("margin = 0.5", 'margin = 0.5\ntool = "a@1"')],
    "groups of none": BY_NONE,
    "a slope over groups": SLOPE,
    "a slope of none": [*BY_NONE, *SLOPE],
    "a slope by reference of a time": [*BY_REFERENCE, *SLOPE, ('"duration"', '"rtf"')],
    "a slope by reference": [*BY_REFERENCE, *SLOPE, ('"duration"', '"pitch"')],
    "a slope over a number": [("\na = 1.0\nb = 1.25", ""), *SLOPE],
    "a level over groups": LEVEL,
    "a level of none": [*BY_NONE, *LEVEL],
    "an equivalence": [(WORDS, 'effect = "equivalence"'), (TEST, "")],
    "an equivalence of nothing": [(WORDS, 'effect = "equivalence"'), (TEST, ""), ("margin = 0.5", "margin = 0")],
    "an equivalence to one side": [(WORDS, 'effect = "equivalence"\ndirection = "less"'), (TEST, "")],
    "an order": [('by = "/generation/params/speed"\na = 1.0\nb = 1.25', 'by = "order"\nafter = 1')],
    "no block": [("minimum = 30", 'minimum = 30\nblock = "seed"')],
    "a block": [("minimum = 30", 'minimum = 30\nblock = "text"')],
    "an unknown subject": [('"text", "seed"', '"text", "wind"')],
    "a subject of one clip": [('"text", "seed"', '"reference_clip:1"')],
    "nothing free": [('free = ["text", "seed"]', "")],
    "an even word": [("[held]", "[held]\nfree_of = 1")],
    "a word near none": [("[held]", "[held]\nzzz = 1")],
    "a date": [("b = 1.25", "b = 2026-01-01")],
}


def test_a_claim_is_read_or_refused_as_kept() -> None:
    """In words that say what, where, what was found and what would do; one that is read says what it claims."""
    lines = []
    for name, edits in CLAIMS.items():
        text = CLAIM
        for old, new in edits:
            assert old in text, name
            text = text.replace(old, new)
        try:
            claim = parsed_claim(text.encode(), "c.toml")
        except Refused as refused:
            lines += [f"{name}:", f"  {refused}"]
        else:
            lines += [f"{name}:", *(f"  {line}" for line in claim_lines(claim)), f"  {claim.canonical.decode()}"]
    assert_kept("claims/read.txt", "\n".join(lines))


DRIFT = drift_claim()
RISEN = {"pitch": [0.01 * (n % 5) + (0.5 if n > 12 else 0) for n in range(1, 25)]}
FLAT = {"pitch": [0.01 * (n % 5) for n in range(1, 25)]}
PINS = ({"name": "praat", "version": "6.4"}, {"name": "a model", "version": "1", "on": "cpu"})


def revised(n: int, value: dict[str, Any]) -> None:
    """Change the model at run 14, and the text from run to run."""
    value["pins"]["model"] = {"uri": "hf:a/b", "revision": ("a" if n < 14 else "b") * 40, "files": []}
    value["input"]["text"] |= {"digest": digest.of(b"%d" % (n % 5)), "value": absent("withheld")}


def withheld(n: int, value: dict[str, Any]) -> None:
    """Withhold a condition in some runs, leave out attempts, and put one run into a group of its own."""
    value["generation"]["params"] |= {"speed": 3 if n == 5 else 1 + n % 2}
    value["generation"]["device"] = absent("withheld") if n > 20 else "cpu"
    value["run"]["attempt"] = {"index": 2 * n, "retries": 0} if n in {3, 4} else absent("unknown")


def changed(runs: list[ClaimedRun]) -> list[ClaimedRun]:
    """Return runs of which one is not as recorded, one is shown twice, and one was made for nothing."""
    return [*runs[:20], replace(runs[20], verdict="AUDIO_CHANGED", as_recorded=False), runs[3], run(24)]


def repeats(n: int, value: dict[str, Any]) -> None:
    value["audio"]["pcm"] = digest.of(b"%d" % (n % 7))


TWO = [
    {"metric": "pitch", "effect": "equivalence", "margin": Decimal(1), "draws": 999},
    {"metric": "rtf", "effect": "difference", "direction": "either", "margin": 0, "draws": 999, "test": "t"},
]
SPREAD = [
    {"metric": "pitch", "of": "spread", "effect": "level", "direction": "less", "margin": Decimal("0.1"), "draws": 999}
]
SETTLED: dict[str, Any] = {
    "supported": (DRIFT, session(DRIFT, 24), RISEN, {}),
    "proven": (DRIFT, [replace(each, proven=True) for each in session(DRIFT, 24)], RISEN, {}),
    "not supported": (DRIFT, session(DRIFT, 24), FLAT, {}),
    "nothing": (DRIFT, [], RISEN, {}),
    "confounded": (DRIFT, session(DRIFT, 24, revised), RISEN, {}),
    "explored": (DRIFT, session(DRIFT, 24, revised), RISEN, {"exploratory": True}),
    "withheld": (speed_claim(), session(speed_claim(), 24, withheld), RISEN, {}),
    "changed": (DRIFT, changed(session(DRIFT, 24)), RISEN, {}),
    "of a log": (DRIFT, session(DRIFT, 22), RISEN, {"logged": [f"sha256:{n:064x}" for n in range(3)]}),
    "repeats": (DRIFT, session(DRIFT, 24, repeats), RISEN, {}),
    "two": (drift_claim(expect=TWO), session(drift_claim(expect=TWO), 24), RISEN | {"rtf": RISEN["pitch"]}, {}),
    "spread": (
        drift_claim(factor={"by": "none"}, expect=SPREAD),
        session(drift_claim(factor={"by": "none"}, expect=SPREAD), 24),
        {"pitch": [40 + 0.05 * (n % 3) for n in range(24)]},
        {},
    ),
}


@pytest.mark.parametrize("name", SETTLED)
def test_a_result_is_told_as_kept(name: str) -> None:
    """In words, in colours, and for programs."""
    claim, runs, values, more = SETTLED[name]
    found = evaluate(claim, runs, measured(runs, values), **more)
    found = replace(found, instruments=PINS) if name == "supported" else found
    coloured = next(evaluation_lines(found, Paint(on=True))).replace("\x1b", "ESC")
    document = document_lines(claim_document(found))
    assert_kept(
        f"claims/result-{name.replace(' ', '-')}.txt", "\n".join([coloured, *evaluation_lines(found), "", *document])
    )


def stretched(_: ClaimedRun, names: Any) -> list[tuple[int, Measured]]:
    """Return two stretches of a run."""
    return [(start, Measured(values=dict.fromkeys(names, start))) for start in (0, 12_500)]


@pytest.mark.parametrize(("name", "count"), [("drifting", 24), ("long", 45), ("short", 3), ("one", 1)])
def test_a_session_is_told_as_kept(name: str, count: int) -> None:
    """In words, as a table and for programs."""

    def stated(n: int, value: dict[str, Any]) -> None:
        revised(n, value)
        value["run"]["session_id"] = f"evening-{n // 30}"

    runs = session(DRIFT, count, stated if name != "short" else None)
    values = {
        "pitch": [8 + 0.01 * (n % 5) + (0.5 if n >= 13 else 0) for n in range(count)],
        "pause_time": [300 + n % 7 for n in range(count)],
    }
    more = [replace(run(99), verdict="AUDIO_CHANGED", as_recorded=False)] if name == "drifting" else []
    named = ("pitch", "pause_time")
    measure = measured([*runs, *more], {key: [*each, *[0.0] * len(more)] for key, each in values.items()})
    found = session_of([*more, *runs], measure, named, stretches=stretched if name == "one" else None)
    found = replace(found, instruments=PINS)
    lines = [*session_lines(found), "", *list(session_rows(found))[:5], "", *document_lines(session_document(found))]
    assert_kept(f"claims/session-{name}.txt", "\n".join(lines))


def test_a_session_without_a_run_is_refused() -> None:
    """With how many there were that are not as recorded."""
    with pytest.raises(Refused) as refused:
        session_of([replace(run(1), as_recorded=False)], measured([], {}), ("pitch",))
    assert str(refused.value) == "the session has no run whose file is as recorded: found 1"
