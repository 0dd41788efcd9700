"""The tests of a claim agree with scipy's, draw portably, and reject at their level (clause 10.9)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ttsartifact.claiming.claim import Aspect, ClaimProcedure, ClaimTest, Direction, Effect
from ttsartifact.claiming.testing import Comparison, put_to_test
from ttsartifact.formulas.draws import indices, keys, seed_of
from ttsartifact.measuring.metrics import metric_named

A = (112, 96, 130, 88, 101, 119, 95, 140, 99, 107, 93, 126)
B = (131, 118, 149, 97, 140, 133, 121, 150, 109, 125, 133, 138)


def expected(effect: str, test: str, direction: str = "greater", margin_micro: int = 0, draws: int = 9999) -> ClaimTest:
    return ClaimTest(
        metric=metric_named("pitch"),
        tool=None,
        of=Aspect.LEVEL,
        effect=Effect(effect),
        direction=Direction(direction),
        margin_micro=margin_micro,
        test=ClaimProcedure(test),
        alpha_ppm=50_000,
        draws=draws,
    )


def asked(effect: str, test: str, *blocks: Comparison, **more):
    return put_to_test(expected(effect, test, **more), blocks or [Comparison(a=A, b=B)], 2, "a seed")


def test_keys_are_splitmix64() -> None:
    """The published outputs for seed 1234567, so that any language can draw them."""
    assert [int(key) for key in keys(1234567, 1, 3)[0]] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]
    assert seed_of("a", "b") == int(hashlib.sha256(b"ttsa-keys/1\0a\0b").hexdigest()[:16], 16)
    assert indices(np.array([0, 2**63, 2**64 - 1], np.uint64), 10).tolist() == [0, 5, 9]


@pytest.mark.parametrize("sign", ["greater", "less"])
def test_welch_is_scipys(sign: str) -> None:
    """To nine digits."""
    found = asked("difference", "t", direction=sign)
    assert found.p == pytest.approx(stats.ttest_ind(B, A, equal_var=False, alternative=sign).pvalue, abs=1e-9)


def test_pairs_are_scipys_related_samples() -> None:
    """Blocks of one and one."""
    found = asked("difference", "t", *(Comparison(a=(a,), b=(b,)) for a, b in zip(A, B, strict=True)))
    assert found.p == pytest.approx(stats.ttest_rel(B, A, alternative="greater").pvalue, abs=1e-9)


def test_one_group_is_scipys_one_sample() -> None:
    """Against the margin."""
    found = asked("level", "t", Comparison(a=(), b=A), direction="less", margin_micro=1_150_000)
    assert found.p == pytest.approx(stats.ttest_1samp(np.array(A) / 100, 1.15, alternative="less").pvalue, abs=1e-9)


def test_tost_is_two_of_scipys() -> None:
    """The larger of both p-values (Schuirmann 1987)."""
    found = asked("equivalence", "tost", direction="within", margin_micro=400_000)
    a, b = np.array(A) / 100, np.array(B) / 100
    low = stats.ttest_ind(b + 0.4, a, equal_var=False, alternative="greater").pvalue
    high = stats.ttest_ind(b - 0.4, a, equal_var=False, alternative="less").pvalue
    assert found.p == pytest.approx(max(low, high), abs=1e-9)


def test_permutation_comes_near_to_every_permutation() -> None:
    """Of five against five all 252 are known; the drawn p-value lies within its binomial interval."""
    a, b = A[:5], B[:5]
    pooled = (*a, *b)
    sums = [sum(pooled[i] for i in chosen) for chosen in combinations(range(10), 5)]
    exact = sum(each >= sum(b) for each in sums) / len(sums)
    found = asked("difference", "permutation", Comparison(a=a, b=b))
    assert abs(found.p - exact) < 4 * (exact * (1 - exact) / 9999) ** 0.5


def test_permutation_within_blocks_keeps_each_block() -> None:
    """Of pairs all 4,096 swaps are known."""
    away = [b - a for a, b in zip(A, B, strict=True)]
    sums = [sum(d if bit >> i & 1 else -d for i, d in enumerate(away)) for bit in range(1 << len(away))]
    exact = sum(each >= sum(away) for each in sums) / len(sums)
    found = asked("difference", "permutation", *(Comparison(a=(a,), b=(b,)) for a, b in zip(A, B, strict=True)))
    assert found.p <= exact + 4 * (exact / 9999) ** 0.5 + 1e-4


@pytest.mark.parametrize(("alpha_ppm", "holds"), [(50_000, True), (49_999, False)])
def test_a_p_value_that_is_alpha_is_enough(alpha_ppm: int, holds: bool) -> None:
    """Of 19 draws none is as extreme: p is one in twenty, which is 0.05 and no more."""
    sure = replace(expected("difference", "permutation", draws=19), alpha_ppm=alpha_ppm)
    found = put_to_test(sure, [Comparison(a=tuple(range(20)), b=tuple(range(1000, 1020)))], 2, "a seed")
    assert (found.p, found.holds) == (0.05, holds)


def test_the_margin_is_taken_off_before_the_test() -> None:
    """Groups that lie exactly a margin apart are as good as equal."""
    shifted = tuple(value + 50 for value in A)
    found = asked("difference", "permutation", Comparison(a=A, b=shifted), margin_micro=500_000)
    assert 0.45 < found.p < 0.75
    assert asked("difference", "permutation", Comparison(a=A, b=shifted), margin_micro=100_000).holds


def test_a_slope_is_least_squares_and_its_margin_counts() -> None:
    """Against scipy's line, and a slope of 0.7 that is more than 0.5 and not more than 0.7."""
    x = tuple(range(1_000_000, 21_000_000, 1_000_000))
    y = tuple(70 * place + (-1) ** place * 13 for place in range(20))
    found = asked("slope", "permutation", Comparison(a=x, b=y), margin_micro=500_000)
    assert found.estimate_micro == round(stats.linregress(range(20), np.array(y) / 100).slope * 1e6)
    assert found.holds
    assert not asked("slope", "permutation", Comparison(a=x, b=y), margin_micro=700_000).holds
    assert asked("slope", "bootstrap", Comparison(a=x, b=y), margin_micro=500_000).holds


def test_the_bootstrap_interval_is_scipys_percentile() -> None:
    """Within what 9,999 draws leave open."""
    found = asked("level", "bootstrap", Comparison(a=(), b=A))
    low, high = stats.bootstrap(
        (np.array(A) / 100,), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.interval_micro[0] / 1e6 == pytest.approx(low, abs=0.01)
    assert found.interval_micro[1] / 1e6 == pytest.approx(high, abs=0.01)


def test_either_side_is_two_tests_at_half_of_alpha() -> None:
    """Twice the smaller p-value."""
    one = asked("difference", "t")
    assert asked("difference", "t", direction="either").p == pytest.approx(2 * one.p, abs=1e-9)


def test_values_that_never_differ_leave_no_doubt() -> None:
    """A deviation of zero is no division by zero."""
    same = Comparison(a=(5,) * 10, b=(9,) * 10)
    assert asked("difference", "t", same).p == 0.0
    assert asked("difference", "t", same, direction="less").p == 1.0
    assert asked("slope", "permutation", same).estimate_micro == 0
