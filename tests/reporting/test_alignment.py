"""Statistics of a load in lines and in JSON, of groups that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from ttsartifact.reporting.alignment import METHOD, company_lines, summary_lines, summary_value
from ttsartifact.serving.loading import BatchEffect, TextCompared
from ttsartifact.serving.summing import LoadGroup, Quantile, Summary

LABEL = {"law": "closed", "rate_mhz": None, "concurrency": 4}
KNOWN = {name: Quantile(value=1.5e6, low=1.25e6, high=2e6) for name in ("p50", "p95", "p99")}
OPEN = {name: Quantile(value=2.5, low=None, high=None) for name in ("p50", "p95", "p99")}


def group(**more: Any) -> LoadGroup:
    """Return a group of five requests with two quantities."""
    facts: dict[str, Any] = {
        "label": LABEL,
        "statuses": {"timeout": 1, "ok": 4},
        "warmups": 0,
        "quantities": {"ttfa_ns": (4, KNOWN), "rtf": (4, OPEN)},
        "underrun_share": None,
        "audio_per_second": None,
    }
    return LoadGroup(**facts | more)


def summary(*groups: LoadGroup, rows: int = 5, disagreements: tuple[str, ...] = ()) -> Summary:
    return Summary(runs=4, rows=rows, groups=groups, disagreements=disagreements)


HEAD = "                      n  p50                       p95                       p99"
TTFA = "  TTFA ms             4  1.5 [1.2, 2.0]            1.5 [1.2, 2.0]            1.5 [1.2, 2.0]"
RTF = "  RTF                 4  2.500 [-]                 2.500 [-]                 2.500 [-]"


def test_a_group_in_lines() -> None:
    """Milliseconds with their interval, a ratio without one, how the requests ended, and shares."""
    made = group(
        warmups=2,
        underrun_share=Fraction(1, 4),
        audio_per_second=12.345,
        reasons={"timeout": "no end within 2 s", "refused": "rate \x1blimited"},
    )
    assert list(summary_lines(summary(made))) == [
        "4 artifacts, 5 rows of the attempts table",
        "",
        "closed, 4 in flight: 5 requests, 4 ok, 1 timeout; warm-up, not counted: 2",
        "  the first refused: rate \\x1blimited",
        "  the first timeout: no end within 2 s",
        HEAD,
        TTFA,
        RTF,
        "ran dry: 25.0% of the requests with a chunk log",
        "throughput: 12.3 s of audio in a second",
        "",
        METHOD,
    ]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ({"law": "poisson", "rate_mhz": 2500, "concurrency": 64}, "poisson, 2.5 requests/s"),
        ({"law": "closed", "rate_mhz": None, "concurrency": None}, "closed"),
        (LABEL | {"engine": "a@1"}, "closed, 4 in flight, a@1"),
        (LABEL | {"engine": None}, "closed, 4 in flight, engine not known"),
    ],
)
def test_a_group_has_a_label(label: dict[str, Any], words: str) -> None:
    """Without values it is one line."""
    found = list(summary_lines(summary(group(label=label, statuses={}, quantities={}), rows=0)))
    assert found[0] == "4 artifacts, no attempts table: refusals are not known"
    assert found[2:4] == [f"{words}: 0 requests, none counted", ""]


def test_one_is_not_spelled_as_many() -> None:
    """One artifact, one row, one request."""
    one = replace(summary(group(statuses={"ok": 1}, quantities={}), rows=1), runs=1)
    found = list(summary_lines(one))
    assert found[0] == "1 artifact, 1 row of the attempts table"
    assert found[2].endswith(": 1 request, 1 ok")


@pytest.mark.parametrize(
    ("count", "told"), [(0, []), (10, []), (11, ["disagrees: 1 more"]), (13, ["disagrees: 3 more"])]
)
def test_ten_disagreements_are_told_and_the_others_counted(count: int, told: list[str]) -> None:
    """None of them is left out in silence."""
    words = tuple(f"row {n}" for n in range(count))
    lines = [line for line in summary_lines(summary(group(), disagreements=words)) if line.startswith("disagrees")]
    assert lines == [*(f"disagrees: row {n}" for n in range(min(count, 10))), *told]


def test_the_same_for_programs() -> None:
    """Nanoseconds, nothing rounded; what is not known is null."""
    found = summary_value(summary(group(underrun_share=Fraction(1, 4), audio_per_second=2.0), disagreements=("row 1",)))
    quantile, ratio = {"value": 1.5e6, "low": 1.25e6, "high": 2e6}, {"value": 2.5, "low": None, "high": None}
    assert found == {
        "artifacts": 4,
        "attempts": 5,
        "groups": [
            LABEL
            | {
                "statuses": {"timeout": 1, "ok": 4},
                "warmups": 0,
                "quantities": {
                    "ttfa_ns": {"count": 4, "p50": quantile, "p95": quantile, "p99": quantile},
                    "rtf": {"count": 4, "p50": ratio, "p95": ratio, "p99": ratio},
                },
                "underrun_share": 0.25,
                "audio_per_second": 2.0,
            }
        ],
        "method": METHOD,
        "disagreements": ["row 1"],
    }
    assert summary_value(summary(group()))["groups"][0]["underrun_share"] is None


@pytest.mark.parametrize(
    ("outcome", "more", "words"),
    [
        (BatchEffect.SAME, {}, "the same samples (3 alone, 2 in company)"),
        (
            BatchEffect.DEPENDS_ON_LOAD,
            {"run_id": "r", "frame": 7, "chunk": 1},
            ("the samples depend on the load (3 alone, 2 in company; 1 differ in company; run r differs from frame 7 "
            "on, in its chunk 1)"),
        ),
        (
            BatchEffect.NOT_REPEATABLE,
            {"run_id": "r"},
            "the samples differ even alone (3 alone, 2 in company; 1 differ in company; run r differs)",
        ),
        (BatchEffect.NOT_COMPARED, {}, "not compared (3 alone, 2 in company)"),
    ],
)  # fmt: skip
def test_a_text_in_company(outcome: BatchEffect, more: dict[str, Any], words: str) -> None:
    """Whether its samples depend on what else the server did, and where."""
    made = TextCompared(text_digest="sha256:" + "ab" * 32, alone=3, in_company=2, differing=1, outcome=outcome, **more)
    assert list(company_lines([made])) == [f"sha256:abababababab...: {words}"]
