"""Loops over candles, compiled. Plain IEEE float64 operations in upstream's order: no fastmath, no parallel loops.

The compiled code is cached on disk (beside this file, in NUMBA_CACHE_DIR or in the user's cache folder, whichever can
be written); where nothing can be written it is compiled once per process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

#: Rows per block of the minima and maxima that let a search skip what cannot hold an answer.
BLOCK = 256

#: How an executor ended, in the kernels' words.
TIME_LIMIT, TAKE_PROFIT, STOP_LOSS, TRAILING_STOP, POSITION_HOLD = range(5)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of numbers and arrays when it is first called."""
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": False, "boundscheck": False}
    try:
        return cast(Callable[..., Any], numba.njit(cache=True, **options)(function))
    except RuntimeError:  # no folder for the cache can be written
        return cast(Callable[..., Any], numba.njit(**options)(function))


@compiled
def first_at_or_below(values, block_minima, first, last, level):  # type: ignore[no-untyped-def]  # compiled
    """The first row in first .. last with values[row] <= level, or -1."""
    row = first
    while row <= last:
        if row % BLOCK == 0 and block_minima[row // BLOCK] > level:
            row += BLOCK
            continue
        if values[row] <= level:
            return row
        row += 1
    return -1


@compiled
def first_at_or_above(values, block_maxima, first, last, level):  # type: ignore[no-untyped-def]  # compiled
    """The first row in first .. last with values[row] >= level, or -1."""
    row = first
    while row <= last:
        if row % BLOCK == 0 and block_maxima[row // BLOCK] < level:
            row += BLOCK
            continue
        if values[row] >= level:
            return row
        row += 1
    return -1


@compiled
def position_end(  # type: ignore[no-untyped-def]  # compiled
    growth, low, high, start, last, side, both_fees, take_profit, stop_price, activation, delta, before
):
    """Where a filled position closes: (row, how, net_pnl_pct on that row).

    Filled at the close of `start`; a barrier that is not set is NaN. `before`: the trailing stop's level before the
    fill, -inf when the fill is on the first row. Upstream: PositionExecutorSimulator.simulate.
    """
    gained = 1.0
    armed = False
    trail = before
    net = 0.0
    for row in range(start, last + 1):
        if row > start:
            gained = gained * growth[row]
        net = ((gained - 1) * side) - both_fees
        if net > take_profit:
            return row, TAKE_PROFIT, net
        if side > 0:
            if low[row] <= stop_price:
                return row, STOP_LOSS, net
        elif high[row] >= stop_price:
            return row, STOP_LOSS, net
        if net > activation:
            armed = True
        if net - delta > trail:
            trail = net - delta
        if armed and net < trail:
            return row, TRAILING_STOP, net
    return last, TIME_LIMIT, net


@compiled
def add_position(  # type: ignore[no-untyped-def]  # compiled
    open_pnl, open_value, realised, turnover, growth, fill, end, side, both_fees, filled, final_pnl, kept
):
    """Add a position that was filled whole at the close of row `fill` to the rows of an equity curve.

    It ended on row `end` with `final_pnl`, and was sold there unless `kept`. The sums are those of
    tasks.engine.equity's linear_exposure and add_executor over trajectories.Position's table, in their order.
    """
    gained = 1.0
    value = 0.0
    fees = both_fees * filled
    for row in range(fill, end + 1):
        if row > fill:
            gained = gained * growth[row]
        pnl = (((gained - 1) * side) - both_fees) * filled
        if filled > 0:
            value = side * filled + (pnl + fees)
        if row < end:
            open_pnl[row] += pnl
            open_value[row] += value
    if kept:
        turnover[fill] += filled
        return
    if fill == end:
        turnover[fill] += filled + abs(value)
    else:
        turnover[fill] += filled
        turnover[end] += abs(value)
    realised[end] += final_pnl


@compiled
def dca_trail_hit(close, armed_from, last, side, factor):  # type: ignore[no-untyped-def]  # compiled
    """The first row on which the close is at or beyond the trailing level of a DCA executor, or -1."""
    trail = -math.inf if side > 0 else math.inf
    for row in range(armed_from, last + 1):
        level = close[row] * factor
        if side > 0:
            trail = max(trail, level)
            if close[row] <= trail:
                return row
        else:
            trail = min(trail, level)
            if close[row] >= trail:
                return row
    return -1


@compiled
def grid_life(  # type: ignore[no-untyped-def]  # compiled
    close, high, low, first, last, side, exit_price, limit_price, keeps, stop_loss, prices, tp_prices, amounts, cost
):
    """A grid's life, row by row: upstream's GridExecutorSimulator.simulate, early end included.

    limit_price and stop_loss are NaN where not set. Returns (last row lived, how, net_pnl_quote, filled, fees,
    average price: float64 per row; events: int64 (k, 3) of row, level, 1 for an entry and 0 for a take-profit).
    """
    n = last - first + 1
    levels = len(prices)
    net, filled, fees, average = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    events = np.empty((64, 3), dtype=np.int64)
    happened = 0
    is_open = np.zeros(levels, dtype=np.bool_)
    order = np.empty(levels, dtype=np.int64)  # open levels in the order in which they were entered
    opened = 0
    realized_pnl = realized_fees = realized_amount = 0.0
    how = TIME_LIMIT
    ended = False
    k = 0
    for row in range(first, last + 1):
        k = row - first
        price, top, bottom = close[row], high[row], low[row]
        if (side > 0 and price > exit_price) or (side < 0 and price < exit_price):
            how, ended = TAKE_PROFIT, True
        if not ended and ((side > 0 and price <= limit_price) or (side < 0 and price >= limit_price)):
            how = POSITION_HOLD if keeps else STOP_LOSS
            ended = True
        if happened + 2 * levels > len(events):
            grown = np.empty((2 * len(events) + 2 * levels, 3), dtype=np.int64)
            grown[:happened] = events[:happened]
            events = grown

        still = 0
        for position in range(opened):
            level = order[position]
            take_profit = tp_prices[level]
            if (side > 0 and top >= take_profit) or (side < 0 and bottom <= take_profit):
                entry, amount = prices[level], amounts[level]
                gain = (take_profit - entry) * side * (amount / entry)
                paid = cost * amount * 2
                gain -= paid
                realized_pnl += gain
                realized_fees += paid
                realized_amount += amount
                is_open[level] = False
                events[happened, 0], events[happened, 1], events[happened, 2] = row, level, 0
                happened += 1
            else:
                order[still] = level
                still += 1
        opened = still

        if not ended:
            for level in range(levels):
                if is_open[level]:
                    continue
                if (side > 0 and bottom <= prices[level]) or (side < 0 and top >= prices[level]):
                    is_open[level] = True
                    order[opened] = level
                    opened += 1
                    events[happened, 0], events[happened, 1], events[happened, 2] = row, level, 1
                    happened += 1

        unrealized = active_amount = weighted = 0.0
        for position in range(opened):
            level = order[position]
            entry, amount = prices[level], amounts[level]
            value = (price - entry) * side * (amount / entry)
            value -= cost * amount * 2
            unrealized += value
            active_amount += amount
            weighted += entry * amount
        if ended and how == POSITION_HOLD:
            pnl, traded, paid_total = realized_pnl, realized_amount, realized_fees
        else:
            pnl = realized_pnl + unrealized
            traded = realized_amount + active_amount
            paid_total = realized_fees + (cost * active_amount * 2)
        net[k], filled[k], fees[k] = pnl, traded, paid_total
        if traded > 0 and (realized_amount + active_amount) > 0 and weighted > 0:
            average[k] = weighted / active_amount if active_amount > 0 else 0.0
        else:
            average[k] = average[k - 1] if k > 0 else 0.0
        if traded > 0 and pnl / traded <= -stop_loss:
            how, ended = STOP_LOSS, True
        if ended:
            break
    lived = k + 1
    return (
        first + k,
        how,
        net[:lived].copy(),
        filled[:lived].copy(),
        fees[:lived].copy(),
        average[:lived].copy(),
        events[:happened].copy(),
    )


def warm() -> None:
    """Compile all kernels, or load them from the cache. Seconds the first time on a machine; a node does it once."""
    one = np.ones(1)
    first_at_or_below(one, one, 0, 0, 1.0)
    first_at_or_above(one, one, 0, 0, 1.0)
    position_end(one, one, one, 0, 0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    add_position(one, one, one, one, one, 0, 0, 1.0, 0.0, 1.0, 0.0, False)
    dca_trail_hit(one, 0, 0, 1.0, 1.0)
    grid_life(one, one, one, 0, 0, 1.0, 1.0, 1.0, False, 1.0, one, one, one, 0.0)
