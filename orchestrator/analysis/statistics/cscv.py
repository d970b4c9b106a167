"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, Lopez de Prado, Zhu, "The probability of backtest overfitting" (2016). The periods are cut into S even
blocks. Each choice of S/2 of them is in sample, the rest out of sample. The point that is best in sample has, out of
sample, the relative rank w = rank / (N + 1), 1 the worst; l = ln(w / (1 - w)). PBO is the share of choices with l <= 0:
those in which the chosen point did no better than the median afterwards. Pure noise gives about 0.5, not 1.

Only sums per block are needed: mean and deviation of any union of blocks follow from them, and a choice and its
complement share both vectors. The rank is a count, nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched, combinations

import numpy as np

from orchestrator.analysis.statistics.moments import Floats, Returns, blocks, check

#: Blocks, and blocks where there are fewer than MIN_FOR_BLOCKS returns.
BLOCKS, FEW_BLOCKS, MIN_FOR_BLOCKS = 10, 8, 160
#: A block shorter than this has no Sharpe ratio worth the name.
MIN_IN_BLOCK = 2
#: Choices whose sums are made at a time.
BATCH = 8
#: The Sortino ratio of points without a losing period, which would be infinite.
MAX_SORTINO = 1000.0


class Measure(StrEnum):
    """What points are chosen and ranked by: all follow from sums over blocks."""

    #: mean / standard deviation
    SHARPE = "sharpe"
    #: mean / root mean square of the losses
    SORTINO = "sortino"
    #: growth of the account, as mean ln(1 + r); ranks as net_pnl and cagr do
    GROWTH = "growth"


@dataclass(frozen=True)
class Overfitting:
    """How the choice of the best point fared out of sample."""

    #: PBO, 0 to 1
    value: float
    #: S
    blocks: int
    #: measure of the chosen point out of sample against in sample, per choice: its least-squares slope
    slope: float
    #: share of choices in which the chosen point lost out of sample
    probability_of_loss: float
    mean_logit: float
    #: measure per period of the chosen point, in and out of sample; float64, shape (choices,)
    inside: Floats
    outside: Floats
    measure: Measure = Measure.SHARPE


def default_blocks(periods: int) -> int:
    """S for that many periods."""
    return BLOCKS if periods >= MIN_FOR_BLOCKS else FEW_BLOCKS


def probability_of_overfitting(
    returns: Returns, blocks_of_time: int | None = None, measure: Measure = Measure.SHARPE
) -> Overfitting:
    """PBO of choosing the best column of a returns matrix.

    Raises ValueError: not a returns matrix, one point only, an odd number of blocks, fewer than 2 returns a block, or
    points whose returns are all the same, between which there is nothing to choose.
    """
    periods, points = check(returns)
    chosen = blocks_of_time or default_blocks(periods)
    length = periods // chosen
    if chosen < 2 or chosen % 2:
        raise ValueError(f"CSCV wants an even number of blocks, not {chosen}")
    if points < 2:
        raise ValueError("with one point nothing was chosen, so no choice can be overfitted")
    if length < MIN_IN_BLOCK:
        raise ValueError(f"{periods} returns are too few for {chosen} blocks: at least {MIN_IN_BLOCK * chosen}")
    if (returns == returns[:, :1]).all():
        raise ValueError("all points have the same returns: there is nothing to choose between")
    sums = _block_sums(returns, chosen, length, measure)
    pairs = []
    for first, second in _halves_of(sums):
        pairs += _both_ways(first, second, length * chosen // 2, measure)
    inside, outside, rank = np.array(pairs).T
    share = rank / (points + 1)
    logit = np.log(share / (1 - share))
    spread = inside - inside.mean()
    variance = float((spread**2).sum())
    slope = float((spread * outside).sum() / variance) if variance > 0 else 0.0
    return Overfitting(
        float((logit <= 0).mean()),
        chosen,
        slope,
        float((outside < 0).mean()),
        float(logit.mean()),
        inside,
        outside,
        measure,
    )


def _block_sums(returns: Returns, count: int, length: int, measure: Measure) -> Floats:
    """First and second sums of every block, float64, shape (2, S, N)."""
    points = returns.shape[1]
    sums = np.empty((2, count, points))
    for columns in blocks(points):
        block = returns[: count * length, columns].astype(np.float64).reshape(count, length, -1)
        if measure is Measure.GROWTH:
            block = np.log1p(np.maximum(block, -1 + 1e-12))
        second = np.minimum(block, 0.0) if measure is Measure.SORTINO else block
        sums[0, :, columns] = block.sum(axis=1)
        sums[1, :, columns] = (second**2).sum(axis=1)
    return sums


def _halves_of(sums: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Every choice of half of the blocks that holds the first block, and its complement: their sums, shape (2, N)."""
    count = sums.shape[1]
    total = sums.sum(axis=1)
    choices = combinations(range(1, count), count // 2 - 1)
    for some in batched(choices, BATCH):
        picked = np.zeros((len(some), count))
        for row, rest in zip(picked, some, strict=True):
            row[[0, *rest]] = 1.0
        for first in np.matmul(picked, sums).swapaxes(0, 1):
            yield first, total - first


def _both_ways(first: Floats, second: Floats, periods: int, measure: Measure) -> list[tuple[float, float, float]]:
    """(inside, outside, rank outside) of the chosen point with the first half in sample, and with the second."""
    measures = (_measure(first, periods, measure), _measure(second, periods, measure))
    found = []
    for inside, outside in (measures, measures[::-1]):
        best = int(np.argmax(inside))
        # equal ones share the mean of their ranks, so that points that never trade do not rank above each other
        below, equal = np.count_nonzero(outside < outside[best]), np.count_nonzero(outside == outside[best])
        found.append((float(inside[best]), float(outside[best]), below + (equal + 1) / 2))
    return found


def _measure(sums: Floats, periods: int, measure: Measure) -> Floats:
    """The measure of every point from its sums; 0 for one that did not move."""
    mean: Floats = sums[0] / periods
    if measure is Measure.GROWTH:
        return mean
    square = sums[1] / periods
    if measure is Measure.SORTINO:
        scale = np.maximum(square, (mean / MAX_SORTINO) ** 2)
    else:
        scale = (square - mean**2) * (periods / (periods - 1))
    moved = scale > 1e-12 * square
    ratio: Floats = np.divide(mean, np.sqrt(np.where(moved, scale, 1.0)), out=np.zeros_like(mean), where=moved)
    return ratio
