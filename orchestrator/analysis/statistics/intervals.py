"""How far one point's figures could have been others: bootstrap intervals, and a fan of its equity curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.statistics.family import DRAWS, default_block, draw_places
from orchestrator.analysis.statistics.moments import Floats, Returns

#: Quantiles of a fan, and of an interval.
FAN = (0.05, 0.25, 0.5, 0.75, 0.95)
INTERVAL = (0.05, 0.95)

#: An account that grew beyond this in a draw counts as this.
MAX_GROWTH = 1e12


@dataclass(frozen=True)
class PointBootstrap:
    """What one point's returns give when their periods are drawn again, in blocks, in another order.

    Intervals hold 90 % of the draws.
    """

    #: Sharpe ratio per period
    sharpe: tuple[float, float]
    #: lowest fall from a peak as a fraction, 0 or negative
    drawdown: tuple[float, float]
    #: value of the account at the end as a multiple of the start
    end: tuple[float, float]
    #: share of draws that end below the start
    probability_of_loss: float
    #: value of the account after each period as a multiple of the start, at the quantiles FAN; float64, shape (5, T)
    fan: Floats
    #: the real one, shape (T,)
    curve: Floats
    block_length: float


def bootstrap_point(
    returns: Returns, *, draws: int = DRAWS, block_length: float | None = None, seed: int = 0
) -> PointBootstrap:
    """Bootstrap one point's returns, float of shape (T,). Raises ValueError for fewer than 2 or one not finite."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError("a point's bootstrap wants at least 2 finite returns")
    length = block_length or default_block(len(values))
    drawn = values[draw_places(len(values), draws, length, np.random.default_rng(seed))]
    with np.errstate(over="ignore"):
        equity: Floats = np.minimum(np.cumprod(1 + drawn, axis=1, dtype=np.float64), MAX_GROWTH)
    deviation = drawn.std(axis=1, ddof=1)
    sharpe: Floats = np.divide(drawn.mean(axis=1), deviation, out=np.zeros(draws), where=deviation > 1e-300)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    drawdown = np.asarray((equity / peak - 1).min(axis=1), dtype=np.float64)
    return PointBootstrap(
        _interval(sharpe),
        _interval(drawdown),
        _interval(equity[:, -1]),
        float((equity[:, -1] < 1).mean()),
        np.quantile(equity, FAN, axis=0),
        np.minimum(np.cumprod(1 + values), MAX_GROWTH),
        length,
    )


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, INTERVAL)
    return float(low), float(high)
