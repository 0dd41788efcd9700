"""The worked example of clause 7.6, reckoned by the code and by the sum in the text."""

from __future__ import annotations

import re

import vectors

from ttsartifact import _spec
from ttsartifact.formulas.timebase import utc_bound


def test_the_worked_example_is_what_the_code_reckons() -> None:
    """7.6: the text alone gives the number, and its sum adds up."""
    base = vectors.timebase([(0, 0, 310), (4_200_000_000, 2_100, 290)], 900_000)
    bound = utc_bound(base, 0, 4_200_000_000)
    assert bound is not None
    found = re.search(
        r"= ([0-9,]+) \+ ([0-9,]+) \+ ([0-9,]+) \+ ([0-9,]+) = ([0-9,]+) ns", _spec.read("ttsartifact.md").decode()
    )
    assert found is not None
    *terms, total = (int(digits.replace(",", "")) for digits in found.groups())
    assert sum(terms) == total == bound.ns
