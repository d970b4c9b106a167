"""Where orders fill, candle by candle, compiled. The rules are those of tasks.engine.fills, in its order.

Both sides run on one set of comparisons: prices are multiplied by `side` (1 bought, -1 sold), so that "down" is always
against the position.
"""

from __future__ import annotations

import math

import numpy as np

from tasks.engine.jump.kernels import (
    POSITION_HOLD,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    TRAILING_STOP,
    compiled,
)

INF = math.inf


@compiled
def ladder_life(  # type: ignore[no-untyped-def]  # compiled
    open_,
    high,
    low,
    close,
    start,
    last,
    side,
    prices,
    bases,
    fill_rows,
    take_profit,
    stop_loss,
    activation,
    delta,
    target_rests,
):
    """An executor that enters at one or more prices and closes whole: position and DCA.

    Looks at the rows start .. last. `prices`, `bases`: float64, shape (levels,), what each level pays and gets.
    `fill_rows`: int64, shape (levels,), -1 for a level that rests, or the row on which it has filled; written to.
    take_profit, stop_loss, activation, delta: fractions, NaN where not set; the stop loss holds once all levels are
    filled. `target_rests`: the take profit is a limit order.

    Returns (last row, how, price of the exit before slippage; NaN where nothing was filled).
    """
    levels = len(prices)
    base = cost = 0.0
    resting = 0
    for level in range(levels):
        if fill_rows[level] >= 0:
            base += bases[level]
            cost += bases[level] * prices[level]
        else:
            resting += 1
    armed = False
    trigger = -INF
    for row in range(start, last + 1):
        opened, closed = side * open_[row], side * close[row]
        bottom = low[row] if side > 0 else -high[row]
        top = high[row] if side > 0 else -low[row]
        if base > 0:
            target = cost / base * (1 + side * take_profit)
            if side * target < opened or (not target_rests and side * target == opened):
                return row, TAKE_PROFIT, target
        entered = False
        if resting > 0:
            for level in range(levels):
                if fill_rows[level] < 0 and bottom < side * prices[level]:
                    fill_rows[level] = row
                    base += bases[level]
                    cost += bases[level] * prices[level]
                    resting -= 1
                    entered = True
        if base == 0:
            continue
        average = cost / base
        stop = -INF
        if resting == 0 and not math.isnan(stop_loss):
            stop = side * average * (1 - side * stop_loss)
        trail = side * average * (1 + side * trigger) if armed else -INF
        level_hit = max(stop, trail)
        if bottom <= level_hit:
            return row, TRAILING_STOP if trail > stop else STOP_LOSS, side * min(level_hit, opened)
        target = average * (1 + side * take_profit)
        reached = closed if entered else top
        if side * target < reached or (not target_rests and side * target == reached):
            return row, TAKE_PROFIT, target
        gain = side * (close[row] / average - 1)
        if gain > activation:
            armed = True
        if armed:
            trigger = max(trigger, gain - delta)
    return last, TIME_LIMIT, close[last] if base > 0 else math.nan


@compiled
def chased_row(high, low, close, first, last, side, distance, threshold):  # type: ignore[no-untyped-def]  # compiled
    """An order that rests at a distance from the close and is renewed when the close has moved away.

    Returns (row of its fill or -1, its price). Upstream: OrderExecutor.control_limit_chaser.
    """
    price = close[first] * (1 - side * distance)
    for row in range(first + 1, last + 1):
        if (low[row] < price) if side > 0 else (high[row] > price):
            return row, price
        if side * (close[row] - price) > close[row] * threshold:
            price = close[row] * (1 - side * distance)
    return -1, price


@compiled
def grid_life(  # type: ignore[no-untyped-def]  # compiled
    open_,
    high,
    low,
    close,
    funding,
    first,
    last,
    side,
    prices,
    targets,
    amounts,
    exit_price,
    limit_price,
    keeps,
    stop_loss,
    extra,
    target_rests,
    maker,
    taker,
    slippage,
):
    """A grid: levels that rest, fill, wait for their target and rest again.

    `prices`, `targets`, `amounts`: float64, shape (levels,), entry, take-profit price and quote of each level;
    `funding`: quote one long base pays at a row's open, shape (n,); limit_price and stop_loss NaN where not set.

    Returns (last row, how, then float64 per row first .. last: pnl realised before fees, fees, funding paid, base open,
    its cost, quote traded so far; then events: float64 (k, 4) of row, level, 1 for an entry and 0 for a target, price).
    """
    n, levels = last - first + 1, len(prices)
    columns = np.zeros((6, n))
    events = np.empty((64, 4))
    happened = 0
    is_open = np.zeros(levels, dtype=np.bool_)
    entry, held = np.zeros(levels), np.zeros(levels)
    order = np.empty(levels)  # where each level rests, mirrored
    since = np.full(levels, -1)
    for level in range(levels):
        order[level] = resting_price(side * prices[level], side * close[first], close[first] * extra)
    realised = fees = paid = base = cost = traded = 0.0
    standing = 0  # levels that are open
    how, k = TIME_LIMIT, 0
    for row in range(first, last + 1):
        k = row - first
        closed, opened = side * close[row], side * open_[row]
        bottom = low[row] if side > 0 else -high[row]
        top = high[row] if side > 0 else -low[row]
        ended = False
        if row > first:
            if happened + 4 * levels > len(events):
                grown = np.empty((2 * len(events) + 4 * levels, 4))
                grown[:happened] = events[:happened]
                events = grown
            paid += side * base * funding[row]
            for turn in range(2):  # targets beyond the open, then entries and stops, then the other targets
                if turn == 1:
                    for level in range(levels):
                        if is_open[level] or since[level] == row or not bottom < order[level]:
                            continue
                        is_open[level], since[level] = True, row
                        entry[level] = side * order[level]
                        held[level] = amounts[level] / entry[level]
                        standing += 1
                        base += held[level]
                        cost += amounts[level]
                        traded += amounts[level]
                        fees += maker * amounts[level]
                        events[happened, 0], events[happened, 1] = row, level
                        events[happened, 2], events[happened, 3] = 1, entry[level]
                        happened += 1
                    stop = -INF
                    if base > 0 and not math.isnan(stop_loss):
                        stop = side * cost / base * (1 - side * stop_loss)
                    limit = -INF if math.isnan(limit_price) else side * limit_price
                    hit = max(stop, limit)
                    if bottom <= hit:
                        ended = True
                        how = POSITION_HOLD if keeps and limit >= stop and base > 0 else STOP_LOSS
                        if how == STOP_LOSS:
                            price = side * min(hit, opened) * (1 - side * slippage)
                            realised += side * (base * price - cost)
                            fees += taker * base * price
                            traded += base * price
                            base = cost = 0.0
                        break
                for level in range(levels):
                    if not is_open[level]:
                        continue
                    reached = opened
                    if turn == 1:
                        reached = closed if since[level] == row else top
                    elif since[level] == row:
                        continue
                    target = side * targets[level]
                    if not (target < reached or (not target_rests and target == reached)):
                        continue
                    price, fee = targets[level], maker
                    if not target_rests:
                        price, fee = targets[level] * (1 - side * slippage), taker
                    got = held[level] * price
                    realised += side * (got - amounts[level])
                    fees += fee * got
                    traded += got
                    base -= held[level]
                    cost -= amounts[level]
                    is_open[level], since[level] = False, row
                    standing -= 1
                    if standing == 0:
                        base = cost = 0.0  # no dust from the sums: its average would be a stop of its own
                    events[happened, 0], events[happened, 1] = row, level
                    events[happened, 2], events[happened, 3] = 0, price
                    happened += 1
            for level in range(levels):
                if not is_open[level] and since[level] == row:  # rests again from this close on
                    order[level] = resting_price(side * prices[level], closed, close[row] * extra)
        elif not math.isnan(limit_price) and closed <= side * limit_price:
            how, ended = STOP_LOSS, True
        if not ended:
            if closed > side * exit_price:
                how, ended = TAKE_PROFIT, True
            if (ended or row == last) and base > 0:
                price = close[row] * (1 - side * slippage)
                realised += side * (base * price - cost)
                fees += taker * base * price
                traded += base * price
                base = cost = 0.0
        columns[0, k], columns[1, k], columns[2, k] = realised, fees, paid
        columns[3, k], columns[4, k], columns[5, k] = base, cost, traded
        if ended:
            break
    return first + k, how, columns[:, : k + 1].copy(), events[:happened].copy()


@compiled
def resting_price(price, closed, extra):  # type: ignore[no-untyped-def]  # compiled
    """Where a grid's order rests, mirrored: at its level, or just off the market where that is beyond it.

    Upstream: GridExecutor._get_open_order_candidate.
    """
    return price if price < closed else closed - extra
