"""Mean, deviation, Sharpe ratio, skew and kurtosis of every column of a returns matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: A returns matrix, shape (T, N); float32 keeps 100,000 points in little memory.
Returns = npt.NDArray[np.floating[Any]]

#: Columns that are worked on at a time: a block of doubles stays in the processor's cache.
BLOCK = 2048
#: A deviation below this share of the largest absolute return is rounding, not variation.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Moments:
    """One entry a point; float64, shape (N,).

    A point whose returns do not vary (no trade, for one) has `deviation` 0 and `sharpe`, `skew` 0, `kurtosis` 3.
    """

    #: number of periods
    periods: int
    mean: Floats
    #: standard deviation, ddof 1
    deviation: Floats
    #: mean / deviation per period
    sharpe: Floats
    #: third standardised moment, with n
    skew: Floats
    #: fourth standardised moment, with n; 3 for a normal distribution
    kurtosis: Floats

    @property
    def varies(self) -> npt.NDArray[np.bool_]:
        """Which points have a Sharpe ratio at all."""
        return self.deviation > 0


def moments(returns: Returns) -> Moments:
    """The moments of every column. Raises ValueError for fewer than 2 periods or a value that is not finite."""
    periods, points = check(returns)
    found = np.empty((4, points))
    for columns in blocks(points):
        block = returns[:, columns].astype(np.float64)
        mean = block.mean(axis=0)
        reach = np.abs(block).max(axis=0)
        block -= mean
        squares = block * block
        second = squares.mean(axis=0)
        varies = np.sqrt(second) > ROUNDING * reach
        scale = np.where(varies, second, 1.0)
        found[0, columns] = mean
        found[1, columns] = np.where(varies, np.sqrt(second * periods / (periods - 1)), 0.0)
        found[2, columns] = np.where(varies, (squares * block).mean(axis=0) / scale**1.5, 0.0)
        found[3, columns] = np.where(varies, (squares * squares).mean(axis=0) / scale**2, 3.0)
    mean, deviation, skew, kurtosis = found
    sharpe = np.divide(mean, deviation, out=np.zeros(points), where=deviation > 0)
    return Moments(periods, mean, deviation, sharpe, skew, kurtosis)


def check(returns: Returns) -> tuple[int, int]:
    """(periods, points). Raises ValueError for what is no returns matrix, has no point, fewer than 2 periods, or a
    value that is not finite."""
    if returns.ndim != 2 or returns.shape[1] == 0:
        raise ValueError(f"a returns matrix has the shape (periods, points), this one {returns.shape}")
    periods, points = returns.shape
    if periods < 2:
        raise ValueError(f"a Sharpe ratio needs at least 2 returns, there are {periods}")
    for columns in blocks(points):
        if not np.isfinite(returns[:, columns]).all():
            raise ValueError("a returns matrix holds finite numbers only: leave out points that lost their account")
    return periods, points


def blocks(points: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most `size` columns."""
    for first in range(0, points, size):
        yield slice(first, min(first + size, points))
