"""One thing said twice agrees (clause 4.10): each rule fails alone where it does not."""

from __future__ import annotations

import kit
import pytest
import statements

CASES = statements.CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_breaks(case, tmp_path):
    """Nothing but the rule of the case fails."""
    kit.assert_breaks(case, tmp_path)


@pytest.mark.parametrize("rule", statements.NEAR)
def test_near_misses(rule, tmp_path):
    """What a careless reading of the rule would call broken holds."""
    (report,) = kit.verify(statements.NEAR[rule](tmp_path))
    assert kit.failed(report) == set()
