"""The tests of a claim (clause 10.9): permutation, bootstrap, t and TOST, over integers.

Values are integers of their metric's grid, so that sums are exact and every machine gets the same statistic, to the
last bit, and the same p-value. The margin is taken off first: a test then asks whether what is left is beyond zero.

Permutation: the p-value of Phipson and Smyth (2010), (1 + hits) / (1 + draws), which never is 0. Bootstrap: the
percentile method (Efron 1979). t: Welch (1947), or over the differences of blocks. TOST: Schuirmann (1987).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from ttsartifact.claiming.claim import ClaimProcedure, Direction, Effect
from ttsartifact.errors import Unavailable
from ttsartifact.formulas.draws import indices, keys, seed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ttsartifact.claiming.claim import ClaimTest

_MICRO = 1_000_000
_P_DIGITS = 9
_INTERVAL_TAIL = 0.025
_TIE = 1e-12
"""How near to the observed statistic a drawn one counts as equal to it, relative to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The values of the runs that are compared with each other, in the order of the runs.

    A claim without blocks has one. Of a claim without groups `a` is empty. Of a slope `a` is the factor, in millionths.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a test says."""

    estimate_micro: int
    """The effect, in millionths of the metric's unit."""
    interval_micro: tuple[int, int]
    """95 % of the bootstrap's estimates are in it."""
    p: float
    """To nine digits."""
    holds: bool
    """Whether p is at most alpha."""


def put_to_test(expected: ClaimTest, blocks: Sequence[Comparison], decimals: int, seed: str) -> Tested:
    """Test an expectation on values that lie on a grid of `decimals`; raises Unavailable without numpy or scipy.

    `seed` names the stream of draws: the digest of the claim and the number of the expectation.
    """
    samples = _Samples(expected.effect, blocks, 10**decimals)
    drawn = samples.resampled(_keys(seed, "bootstrap", expected.draws, samples.columns))
    ends = sorted(drawn.tolist())
    tail = int(len(ends) * _INTERVAL_TAIL)
    p = round(_p_of(expected, _BEYOND[expected.test](samples, drawn, seed)), _P_DIGITS)
    return Tested(
        estimate_micro=round(samples.observed(0.0) * _MICRO),
        interval_micro=(round(ends[tail] * _MICRO), round(ends[-1 - tail] * _MICRO)),
        p=p,
        holds=p * _MICRO <= expected.alpha_ppm,
    )


def _p_of(expected: ClaimTest, beyond: Callable[[float, int], float]) -> float:
    """Return the p-value; `beyond` gives that of lying beyond a margin on one side."""
    margin = expected.margin_micro / _MICRO
    if expected.direction is Direction.GREATER:
        return beyond(margin, 1)
    if expected.direction is Direction.LESS:
        return beyond(margin, -1)
    if expected.direction is Direction.EITHER:  # two tests, so each at half of alpha
        return min(1.0, 2 * min(beyond(margin, 1), beyond(-margin, -1)))
    return max(beyond(-margin, 1), beyond(margin, -1))


def _by_permutation(samples: _Samples, drawn: NDArray[np.float64], seed: str) -> Callable[[float, int], float]:
    draws = len(drawn)

    def beyond(margin: float, sign: int) -> float:
        found = samples.permuted(_keys(seed, "permutation", draws, samples.columns), margin) * sign
        observed = samples.observed(margin) * sign
        hits = int((found >= observed - abs(observed) * _TIE).sum())
        return (1 + hits) / (1 + draws)

    return beyond


def _by_bootstrap(_samples: _Samples, drawn: NDArray[np.float64], _seed: str) -> Callable[[float, int], float]:
    def beyond(margin: float, sign: int) -> float:
        return (1 + int((drawn * sign <= margin * sign).sum())) / (1 + len(drawn))

    return beyond


def _by_t(samples: _Samples, _drawn: NDArray[np.float64], _seed: str) -> Callable[[float, int], float]:
    try:
        from scipy.stats import t as student
    except ImportError as error:
        raise Unavailable("a t-test needs scipy", expected="pip install 'ttsartifact[analysis]'") from error
    estimate, deviation, freedom = samples.welch()

    def beyond(margin: float, sign: int) -> float:
        if deviation == 0:  # values that never differ leave no doubt
            return 0.0 if (estimate - margin) * sign > 0 else 1.0
        return float(student.sf(sign * (estimate - margin) / deviation, freedom))

    return beyond


_BEYOND = {
    ClaimProcedure.PERMUTATION: _by_permutation,
    ClaimProcedure.BOOTSTRAP: _by_bootstrap,
    ClaimProcedure.T: _by_t,
    ClaimProcedure.TOST: _by_t,
}


def _keys(seed: str, stream: str, draws: int, columns: int) -> NDArray[np.uint64]:
    return keys(seed_of(seed, stream), draws, columns)


class _Samples:
    """The values of all blocks, and the statistic of an effect over them and over their rearrangements.

    Rows of a matrix are draws, columns are runs. Sums over runs are of integers; sums over blocks are made one block
    after another, so that no library's order of summation shows.
    """

    def __init__(self, effect: Effect, blocks: Sequence[Comparison], scale: int) -> None:
        import numpy as np

        self.effect, self.scale, self._blocks = effect, scale, tuple(blocks)
        self._resamples_blocks = len(self._blocks) > 1
        self._values = [np.array([*block.a, *block.b], np.int64) for block in self._blocks]

    @property
    def columns(self) -> int:
        """How many keys a draw takes."""
        if self.effect is Effect.SLOPE:
            return len(self._blocks[0].b)
        return sum(len(values) for values in self._values)

    def observed(self, margin: float) -> float:
        """Return the statistic of the values as they are, the margin taken off."""
        if self.effect is Effect.SLOPE:
            return float(self._slopes(*self._row(), margin)[0])
        total = 0.0
        for block, values in zip(self._blocks, self._values, strict=True):
            total += float(self._effects(values[None, :], len(block.a))[0])
        return total / len(self._blocks) - margin

    def permuted(self, found: NDArray[np.uint64], margin: float) -> NDArray[np.float64]:
        """Return the statistic of every draw, in which the values less the margin change places within their block."""
        import numpy as np

        if self.effect is Effect.SLOPE:
            x, y = self._row()
            left = y * _MICRO / self.scale - margin * x
            order = np.argsort(found, axis=1, kind="stable")
            return self._slope_of(x, left[0][order])
        total, first = np.zeros(len(found)), 0
        shift = margin * self.scale
        for block, values in zip(self._blocks, self._values, strict=True):
            order = np.argsort(found[:, first : first + len(values)], axis=1, kind="stable")
            first += len(values)
            # Of integers shifted by the margin the shift is counted, and not added to each: sums stay exact.
            is_b = (order >= len(block.a)).astype(np.int64)
            total += self._shifted(values[order], is_b, len(block.a), shift)
        return total / len(self._blocks)

    def resampled(self, found: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the effect of every draw with replacement: of blocks where there are several, else of runs."""
        import numpy as np

        if self.effect is Effect.SLOPE:
            x, y = self._row()
            chosen = indices(found, x.shape[1])
            return self._slopes(x[0][chosen], y[0][chosen], 0.0)
        if self._resamples_blocks:
            each = np.array(
                [float(self._effects(v[None, :], len(b.a))[0]) for b, v in zip(self._blocks, self._values, strict=True)]
            )
            chosen = indices(found[:, : len(each)], len(each))
            return _summed(each[chosen]) / len(each)
        (block,), (values,) = self._blocks, self._values
        count = len(block.a)
        picked = [indices(found[:, :count], count)] if count else []
        picked.append(indices(found[:, count:], len(block.b)) + count)
        return self._effects(values[np.concatenate(picked, axis=1)], count)

    def welch(self) -> tuple[float, float, float]:
        """Return estimate, standard error and degrees of freedom; of several blocks those of their differences."""
        if self._resamples_blocks:
            each = [
                float(self._effects(v[None, :], len(b.a))[0]) for b, v in zip(self._blocks, self._values, strict=True)
            ]
            mean, square = _mean_and_square(each)
            return mean, sqrt(square), len(each) - 1
        (block,) = self._blocks
        sides = [_of_integers(side, self.scale) for side in (block.a, block.b) if side]
        squares = [square for _, square, _ in sides]
        below = sum(square**2 / (count - 1) for _, square, count in sides)
        estimate = sides[-1][0] - (sides[0][0] if len(sides) == 2 else 0.0)
        return estimate, sqrt(sum(squares)), sum(squares) ** 2 / below if below else 1.0

    def _effects(self, values: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Return mean of b less mean of a of every row, in the metric's unit."""
        found: NDArray[np.float64] = values[:, count:].sum(axis=1) / (values.shape[1] - count) / self.scale
        return found - values[:, :count].sum(axis=1) / count / self.scale if count else found

    def _shifted(
        self, values: NDArray[np.int64], is_b: NDArray[np.int64], count: int, shift: float
    ) -> NDArray[np.float64]:
        found = self._effects(values, count) * self.scale
        of_b = is_b[:, count:].sum(axis=1) / (values.shape[1] - count)
        of_a = is_b[:, :count].sum(axis=1) / count
        shifted: NDArray[np.float64] = (found - shift * (of_b - of_a)) / self.scale
        return shifted

    def _row(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        import numpy as np

        (block,) = self._blocks
        return np.array([block.a], np.float64), np.array([block.b], np.float64)

    def _slopes(self, x: NDArray[np.float64], y: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
        """Return the least-squares slope of every row; x is in millionths, y on its grid."""
        return self._slope_of(x, y * _MICRO / self.scale - margin * x)

    def _slope_of(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        middle = _summed(x)[:, None] / x.shape[1]
        away: Any = x - middle
        below = _summed(away * away)
        above = _summed(away * y)
        return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _summed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row, from the first column to the last."""
    import numpy as np

    total = np.zeros(rows.shape[0])
    for column in range(rows.shape[1]):
        total = total + rows[:, column]
    return total


def _of_integers(values: Sequence[int], scale: int) -> tuple[float, float, int]:
    """Return mean, squared standard error of the mean, and count; the sums are exact."""
    count, total = len(values), sum(values)
    squares = count * sum(value * value for value in values) - total * total
    return total / count / scale, squares / (count * count * (count - 1)) / scale**2, count


def _mean_and_square(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / (len(values) * (len(values) - 1))
