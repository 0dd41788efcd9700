"""Policies as people write them: what a check becomes, and each refusal with all of its words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import refusals

from ttsartifact.errors import Refused
from ttsartifact.formulas.levels import OPERATORS
from ttsartifact.gating import policy_file
from ttsartifact.gating.policy_file import load_policy, milli, policy_of
from ttsartifact.terms.policy import Check

if TYPE_CHECKING:
    from pathlib import Path

PEAK = {"metric": "peak", "operator": "<", "threshold": -1}
SCORE = {"metric": "wer", "operator": "<=", "threshold": Decimal("0.05"), "source": "asr@1.2", "spread": 0}


def policy(*checks: Any, **edits: Any) -> dict[str, Any]:
    return {"id": "house", "version": "2.0", "check": list(checks)} | edits


def test_a_check_as_it_is_written() -> None:
    """In thousandths; what is computed here has no spread, and a score has its tool."""
    found = policy_of(policy(PEAK, SCORE, PEAK | {"operator": ">", "source": "/run/times/t_first_token_ns"}))
    assert (found.id, found.version) == ("house", "2.0")
    assert found.checks == (
        Check("peak", "<", -1_000, "ttsa-metrics@1", None),
        Check("wer", "<=", 50, "asr@1.2", 0),
        Check("peak", ">", -1_000, "/run/times/t_first_token_ns", None),
    )
    assert [check.is_score for check in found.checks] == [False, True, False]
    assert found.scores == (found.checks[1],)
    assert found.to_value() == {
        "spec": "ttsa-gate/1",
        "id": "house",
        "version": "2.0",
        "checks": [
            {"metric": "peak", "operator": "<", "threshold_milli": -1_000, "source": "ttsa-metrics@1"},
            {"metric": "wer", "operator": "<=", "threshold_milli": 50, "source": "asr@1.2", "spread_milli": 0},
            {
                "metric": "peak",
                "operator": ">",
                "threshold_milli": -1_000,
                "source": "/run/times/t_first_token_ns",
            },
        ],
    }
    assert list(OPERATORS) == ["<", "<=", ">", ">=", "==", "!="]


@pytest.mark.parametrize(
    ("value", "thousandths"),
    [
        (0, 0),
        (Decimal("0.001"), 1),
        (Decimal("-12.5"), -12_500),
        (Decimal("9007199254740.991"), 9_007_199_254_740_991),
        (Decimal("9007199254740.992"), None),
        (Decimal("-9007199254740.992"), None),
        (Decimal("0.0001"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (True, None),
        ("1", None),
        (0.5, None),
    ],
    ids=str,
)
def test_a_number_is_in_thousandths(value: Any, thousandths: int | None) -> None:
    """At most three decimals, below 2^53 / 1000."""
    if thousandths is None:
        with refusals.raises(Refused):
            milli(value, "peak: threshold")
    else:
        assert milli(value, "") == thousandths


REFUSED: dict[str, dict[str, Any]] = {
    "another word": policy(PEAK, checks=[]),
    "no id": {"version": "1", "check": [PEAK]},
    "an empty version": policy(PEAK, version=""),
    "a number as its version": policy(PEAK, version=2),
    "no check": policy(),
    "one check that is not a list": policy() | {"check": PEAK},
    "a check that is a word": policy("peak"),
    "a word that is nearly one": policy(PEAK | {"treshold": 1}),
    "a word that is none": policy(PEAK | {"zzz": 1}),
    "a check without a threshold": policy({"operator": "<", "metric": "peak"}),
    "a check without a metric": policy({"operator": "<", "threshold": 1}, {"threshold": 1}),
    "an operator that is none": policy(PEAK | {"operator": "=<"}),
    "a metric twice": policy(PEAK, PEAK | {"threshold": -2}),
    "a metric that nobody computes": policy(PEAK | {"metric": "beauty"}),
    "a score without its spread": policy({key: value for key, value in SCORE.items() if key != "spread"}),
    "a score of a negative spread": policy(SCORE | {"spread": -1}),
    "a computed metric with a spread": policy(PEAK | {"spread": 1}),
    "a pointer with a spread": policy(PEAK | {"spread": 1, "source": "/audio/frames"}),
    "a version that moves": policy(PEAK, version="Latest"),
    "a tool without a version": policy(SCORE | {"source": "asr"}),
    "a tool whose version moves": policy(SCORE | {"source": "asr@main"}),
    "a person": policy(SCORE | {"source": "human@1"}),
    "an id that no artifact states": policy(PEAK, id="x" * 1_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_policy_that_is_none(name: str) -> None:
    """The check and the word are named, with what is known."""
    with refusals.raises(Refused):
        policy_of(REFUSED[name])


def test_a_policy_may_have_a_mebibyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a byte more; a file that is not there is named."""
    assert policy_file._LIMIT_BYTES == 1_048_576
    path = tmp_path / "p.toml"
    path.write_text('id = "a"\nversion = "1"\n[[check]]\nmetric = "peak"\noperator = "<"\nthreshold = -0.5\n')
    monkeypatch.setattr(policy_file, "_LIMIT_BYTES", path.stat().st_size)
    assert load_policy(path).checks[0].threshold_milli == -500
    monkeypatch.setattr(policy_file, "_LIMIT_BYTES", path.stat().st_size - 1)
    with pytest.raises(Refused, match="the policy is too long: expected at most"):
        load_policy(path)
    with refusals.raises(Refused):
        load_policy(tmp_path / "none.toml")
