"""Is any point of a sweep better than nothing? A test of the best of all points together.

White's Reality Check (2000), Hansen's SPA (2005) and the stepwise StepM of Romano and Wolf (2005), on a stationary
bootstrap (Politis, Romano 1994): periods are drawn in blocks of random length, the same for all points, so that a draw
keeps how points move together and how periods hang together. In each draw every point is moved to a true mean of 0 and
the best of all is noted. The share of draws whose best is above the real one is the p-value: selection is inside, and
points that trade alike count once by themselves.

Two statistics. SHARPE, the default, is mean / deviation, with the deviation of the draw itself: fat tails and few
periods make large ratios by luck, and so they do in the draws. MEAN is the mean return, as the papers and `arch` have
it; one wild point then hides the others.

Recentring (Hansen): `upper` moves every point to 0, `lower` only those above 0, `consistent` those that are not clearly
below, which is what is used: a hundred hopeless points beside a good one must not count against it.

A draw is a count of how often each period came, so all draws are a product: counts (B x T) times returns (T x N).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.statistics.moments import BLOCK, Floats, Moments, Returns, moments

Integers = npt.NDArray[np.int64]

#: Draws of a bootstrap.
DRAWS = 1000
#: The deviation of a point in a draw is at least this share of its real one: a draw that misses most of a point's few
#: trades would divide by next to nothing.
MIN_DEVIATION = 0.5


class Statistic(StrEnum):
    """What the best is the best of."""

    SHARPE = "sharpe"
    MEAN = "mean"


@dataclass(frozen=True)
class FamilyTest:
    """Whether the best of all points is above what luck gives. Ratios are per period."""

    statistic: Statistic
    #: of every point, float64, shape (N,)
    observed: Floats
    #: the best of every draw, ascending, float64, shape (draws,); recentred `consistent`
    by_luck: Floats
    #: p-values of the best of all: share of draws whose best is above it
    lower: float
    consistent: float
    upper: float
    #: points that are above 0 while, with probability 1 - level, none of them is so by luck (StepM); ascending
    survivors: Integers
    level: float
    block_length: float

    @property
    def draws(self) -> int:
        """How many draws were made."""
        return len(self.by_luck)

    def p_of(self, value: float) -> float:
        """Probability that the best of as many worthless points shows `value` or more: (1 + draws above) / (draws + 1),
        never 0."""
        above = self.draws - int(np.searchsorted(self.by_luck, value, side="left"))
        return (1 + above) / (self.draws + 1)


def default_block(periods: int) -> float:
    """Mean length of the blocks, in periods: 1.5 T^(1/3), at least 2."""
    return max(2.0, float(round(1.5 * float(periods) ** (1 / 3))))


def draw_counts(periods: int, draws: int, block_length: float, rng: np.random.Generator) -> Integers:
    """How often each period comes in each draw of a stationary bootstrap; int64, shape (draws, periods)."""
    places = draw_places(periods, draws, block_length, rng)
    counts = np.zeros((draws, periods), dtype=np.int64)
    for row, drawn in zip(counts, places, strict=True):
        row += np.bincount(drawn, minlength=periods)
    return counts


def draw_places(periods: int, draws: int, block_length: float, rng: np.random.Generator) -> Integers:
    """Which period stands at each place of each draw: blocks of geometric length that wrap around; int64, shape
    (draws, periods)."""
    fresh = rng.random((draws, periods)) < 1 / block_length
    fresh[:, 0] = True
    starts = rng.integers(periods, size=(draws, periods))
    since = np.arange(periods) - np.maximum.accumulate(np.where(fresh, np.arange(periods), 0), axis=1)
    first = np.take_along_axis(starts, np.arange(periods) - since, axis=1)
    places: Integers = (first + since) % periods
    return places


def family_test(
    returns: Returns,
    *,
    statistic: Statistic = Statistic.SHARPE,
    draws: int = DRAWS,
    block_length: float | None = None,
    level: float = 0.05,
    seed: int = 0,
    counts: Integers | None = None,
    found: Moments | None = None,
) -> FamilyTest:
    """Test the best column of a returns matrix against draws in which every column has a true mean of 0.

    `counts`: draws made elsewhere, shape (draws, T), in place of `draws` and `seed`. `found`: the moments of `returns`,
    where they are there already. Points whose returns do not vary take no part. Raises ValueError: not a returns
    matrix, or no point varies.
    """
    known = found or moments(returns)
    length = block_length or default_block(known.periods)
    if counts is None:
        counts = draw_counts(known.periods, draws, length, np.random.default_rng(seed))
    part = np.flatnonzero(known.varies)
    if not len(part):
        raise ValueError("no point's returns vary: nothing was traded, so there is nothing to test")
    observed = known.sharpe if statistic is Statistic.SHARPE else known.mean
    part = part[np.argsort(observed[part], kind="stable")]
    scan = _Scan(returns, known, counts, statistic, part)
    best = observed[part[-1]]
    lower, consistent, upper = scan.best.max(axis=0)
    return FamilyTest(
        statistic,
        observed,
        np.sort(consistent),
        float((lower > best).mean()),
        float((consistent > best).mean()),
        float((upper > best).mean()),
        np.sort(scan.survivors(observed, level)),
        level,
        length,
    )


class _Scan:
    """The best of every draw, block by block of the columns in the order of their observed statistic.

    `best`: shape (blocks, 3, draws), the best of each block with the means recentred lower, consistent, upper.
    """

    def __init__(self, returns: Returns, found: Moments, counts: Integers, statistic: Statistic, part: Integers):
        self._returns, self._found, self._statistic, self._part = returns, found, statistic, part
        self._counts = counts.astype(returns.dtype)
        # a draw has as many periods as there are
        self._periods = float(found.periods)
        self.best = np.array([self._block(part[first : first + BLOCK]) for first in range(0, len(part), BLOCK)])

    def survivors(self, observed: Floats, level: float) -> Integers:
        """StepM: drop what is above the critical value, and again with the critical value of those that are left."""
        left = len(self._part)
        values = observed[self._part]
        while left:
            critical = np.percentile(self._best_of(left), 100 * (1 - level))
            fewer = int(np.searchsorted(values[:left], critical, side="right"))
            if fewer == left:
                break
            left = fewer
        return self._part[left:]

    def _best_of(self, left: int) -> Floats:
        """The best of every draw among the first `left` columns, recentred consistent."""
        whole, rest = divmod(left, BLOCK)
        parts = [*self.best[:whole, 1]]
        if rest:
            parts.append(self._block(self._part[whole * BLOCK : left])[1])
        best: Floats = np.max(parts, axis=0)
        return best

    def _block(self, columns: Integers) -> Floats:
        """The best of these columns in every draw, shape (3, draws)."""
        found = self._found
        mean, deviation = found.mean[columns], found.deviation[columns]
        standard = ((self._returns[:, columns] - mean) / deviation).astype(self._counts.dtype)
        drawn = self._counts @ standard / standard.dtype.type(self._periods)
        ratio = mean / deviation
        # Hansen's threshold, with the variance of the mean as the draws show it
        clearly_below = ratio < -np.sqrt(drawn.var(axis=0) * 2 * _log_log(found.periods))
        if self._statistic is Statistic.SHARPE:
            square = self._counts @ (standard * standard) / standard.dtype.type(self._periods)
            square -= drawn * drawn
            ddof = standard.dtype.type(self._periods / (self._periods - 1))
            scale = 1 / np.sqrt(np.maximum(square * ddof, MIN_DEVIATION**2))
        else:
            scale = deviation.astype(standard.dtype)
        kept = np.where(ratio < 0, ratio, 0.0), np.where(clearly_below, ratio, 0.0), 0.0
        best = np.empty((3, len(drawn)))
        for row, moved in enumerate(kept):
            best[row] = ((drawn + np.asarray(moved, dtype=standard.dtype)) * scale).max(axis=1)
        return best


def _log_log(periods: int) -> float:
    """ln ln T of Hansen's threshold; 0 for fewer than 3 periods."""
    return math.log(max(math.log(periods), 1.0)) if periods > 2 else 0.0
