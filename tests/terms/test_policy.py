"""A check of a policy: what measures it."""

from __future__ import annotations

import pytest

from ttsartifact.terms.policy import METRICS_SOURCE, Check


@pytest.mark.parametrize(
    ("source", "is_score"), [(METRICS_SOURCE, False), ("/summary/power_w/mean_milli", False), ("dnsmos@2.0", True)]
)
def test_a_score_is_measured_by_a_tool_outside(source: str, is_score: bool) -> None:
    """Neither what we compute of the samples nor what the run states is one."""
    assert Check("any", "<", 1, source=source).is_score is is_score
