"""The worked example of clause 7.6, reckoned by the code and by the sum in the text."""

from __future__ import annotations

import re

import vectors

from ttsartifact import _spec
from ttsartifact.formulas.timebase import mutual_bound, utc_bound


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


def test_the_bound_between_two_runs_is_step_8_by_hand() -> None:
    """7.6, step 8: both brackets and errors (none in one domain), the larger distance and the larger rate."""
    one = vectors.timebase([(0, 0, 310), (4_200_000_000, 2_100, 290)], 900_000)
    other = vectors.timebase([(0, 0, 501), (9_000, 9, 10)], 70_000)
    whole, short = (0, 4_200_000_000), (0, 20_000)
    wander = 2_100_000_000 * 9 // 9_000  # the other's rate, over the distance of the first
    expected = (310 + 501 + 1) // 2 + 900_000 + 70_000 + wander + 1
    assert mutual_bound(one, whole, other, short).ns == expected
    for base in (one, other):
        base["clocks"][1]["domain"] = "boot 1"
    assert mutual_bound(one, whole, other, short).ns == expected - 970_000
    assert mutual_bound(one, whole, other | {"snapshots": []}, short) is None


def test_the_bracket_of_a_meter_counts_by_hand() -> None:
    """7.2, 7.6: half of both brackets and of the window, the error, the meter's latency and its steps."""
    base = vectors.timebase([(0, 0, 310)], 900_000)
    base["snapshots"].append({"at": "start", "t_ns": 9, "clock": "meter", "value_ns": 5, "bracket_ns": 30_000_000})
    channel = vectors.CHANNEL | {"clock": "meter"}
    assert utc_bound(base, 0, 0, channel).ns == (310 + 30_000_000 + 100_000_000) // 2 + 900_000 + 1_000_000 + 1_000_000
    assert utc_bound(base, 0, 0, vectors.CHANNEL).ns == (310 + 100_000_000) // 2 + 900_000 + 1_000_000 + 1
