"""Family GAT: each rule fails alone on a run that a gate promoted."""

from __future__ import annotations

from functools import partial

import kit
import pytest
import refusals
from judged import ON_THE_LINE, gated, gated_set, measured_gate

from ttsartifact.terms import digest
from ttsartifact.terms.descriptor import absent
from ttsartifact.terms.finding import Outcome


def case(rule, slug, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(gated, **edits))


def judged(rule, slug, **edits):
    return kit.Case(rule=rule, slug=slug, make=partial(measured_gate, **edits))


CASES = [
    case("GAT01", "neither-0-nor-1", failed_promotion=2),
    case("GAT01", "true-is-no-number", failed_promotion=True),
    case("GAT04", "no-inputs-said", inputs=...),
    case("GAT02", "no-version", policy__version=...),
    case("GAT02", "digest-of-the-text", policy__digest=digest.of(kit.TEXT.encode())),
    case("GAT03", "failed-though-all-hold", failed_promotion=1),
    case("GAT03", "promoted-though-one-fails", inputs__1__value_milli=3_499),
    case("GAT04", "no-version-of-the-metric", inputs__1__source="utmos"),
    case("GAT04", "moving-version", inputs__1__source="utmos@latest"),
    case("GAT04", "another-value-than-its-source", inputs__0__value_milli=41_000_028_000),
    case("GAT04", "source-leads-nowhere", inputs__0__source="/run/times/t_nothing_ns"),
    case("GAT04", "input-twice", inputs__1__metric="last_token", inputs__1__operator="<", inputs__1__value_milli=3),
    judged("GAT02", "digest-of-another-policy", policy__digest=digest.of(b"another policy")),
    judged("GAT02", "threshold-moved", inputs__4__threshold_milli=2_900),
    judged("GAT02", "check-left-out", inputs__3=...),
    judged("GAT03", "flipped", failed_promotion=1),
    judged("GAT03", "repeats-too-far-apart", inputs__4__repeats_milli=[3_612, 3_600, 3_701]),
    judged("GAT04", "not-the-median", inputs__4__value_milli=3_650),
    judged("GAT04", "measured-once", inputs__4__repeats_milli=...),
    judged("GAT09", "another-peak", inputs__0__value_milli=-20_000),
    judged("GAT09", "a-stall-less", inputs__2__value_milli=51),
    judged("GAT09", "absent-though-measurable", inputs__0__value_milli=absent("not_measured"), failed_promotion=1),
    case("GAT09", "no-such-metric", inputs__1__source="ttsa-metrics@1"),
    case("GAT06", "not-deterministic", policy__deterministic=False),
    case("GAT06", "a-listener-decides", inputs__1__source="human@2026"),
    case("GAT03", "boundary-failed", failed_promotion=1, **ON_THE_LINE),
    case("GAT03", "boundary-promoted", inputs__1__operator=">", **ON_THE_LINE),
    kit.Case(rule="GAT05", slug="a-run-is-missing", make=gated_set(3, 1)),
    kit.Case(rule="GAT05", slug="a-failure-is-missing", make=gated_set(2, 0)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


def test_a_gated_run_passes(tmp_path):
    """6.8: what was decided follows."""
    (report,) = refusals.verify(gated(tmp_path, **ON_THE_LINE))
    assert not kit.failed(report)
    assert {key for key in report.passed if key[:3] == "GAT"} == {"GAT01", "GAT02", "GAT03", "GAT04", "GAT06"}


@pytest.mark.parametrize("name", ["run.tts.wav", "run.tts.parquet"])
def test_one_run_shows_no_set(name, tmp_path):
    """6.8: in either carrier, one run alone leaves the set open."""
    (report,) = refusals.verify(gated(tmp_path, name=name, set={"submitted": 2, "failed": 1}))
    assert [f.rule for f in report.unchecked if f.outcome == Outcome.UNVERIFIABLE] == ["GAT05"]


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [("<", 3, False), ("<=", 3, True), (">", 3, False), (">=", 3, True), ("==", 3, True), ("!=", 3, False)],
)
def test_every_operator(operator, value, holds, tmp_path):
    """6.8: on the threshold each operator decides as it is written."""
    entry = {"inputs__1__operator": operator, "inputs__1__value_milli": value, "inputs__1__threshold_milli": 3}
    (report,) = refusals.verify(gated(tmp_path, failed_promotion=int(not holds), **entry))
    assert not kit.failed(report)
