"""Entries at one or more prices that are closed whole: position and DCA executors under fills other than stock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.engine.candles import Candles
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    LIQUIDATED,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    TRAILING_STOP,
    Trajectory,
    Unfilled,
    fraction,
    side_of,
)
from tasks.engine.executors.filled import Filled, fills_of
from tasks.engine.executors.matching import (
    DUST,
    Matching,
    allowance,
    noted,
    order_of_extremes,
    reaches,
    rounded_down,
)
from tasks.engine.fills.run import MAINTENANCE
from tasks.upstream.names import (
    CloseType,
    ExecutorConfigBase,
    OrderType,
)

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills

INF = math.inf


@dataclass(frozen=True)
class Barriers:
    """What closes what the entries have bought. Fractions as hummingbot's configs have them, None where not set."""

    take_profit: Any
    stop_loss: Any
    #: hummingbot's TrailingStop
    trailing: Any
    #: the take profit is a limit order
    target_rests: bool
    #: nothing but the time limit acts before the entries are filled whole, as in a bot's position executor
    after_whole_entry: bool


class Entry(NamedTuple):
    """An entry placed at a row's close."""

    price: float
    base: float
    #: filled at that close already, as taker; otherwise it rests
    at_once: bool


def simulate_ladder(
    candles: Candles, first: int, last: int, config: ExecutorConfigBase, run: RunFills,
    *, orders: list[tuple[OrderType, Decimal, Decimal]], barriers: Barriers, before: float,
) -> Trajectory:  # fmt: skip
    """The life of an executor that enters by `orders` (hummingbot OrderType, price, base).

    `last`: the last row of its window. `before`: the average price to show before the first fill.
    """
    side = side_of(config)
    entries = placed(candles, first, side, run, config, orders)
    if entries is None:
        return Unfilled(candles, config, first, first, CloseType.FAILED, before)
    path, matching = run.path, matching_of(run, config)
    start, end = int(path.first[first + 1]), int(path.first[last + 1]) - 1
    if not any(entry.at_once for entry in entries):
        nearest = (max if side > 0 else min)(entry.price for entry in entries)
        start = first_match(run, matching, start, end, side, nearest)
        if start < 0:
            return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, before)
    at, how, events = _life(
        (path.open, path.high, path.low, path.close), run.room, run.used, start, end, side, float(candles.close[first]),
        np.array([entry.price for entry in entries]), np.array([entry.base for entry in entries]),
        np.array([entry.at_once for entry in entries]),
        (fraction(barriers.take_profit), fraction(barriers.stop_loss),
         fraction(barriers.trailing.activation_price if barriers.trailing else None),
         fraction(barriers.trailing.trailing_delta if barriers.trailing else None), run.margin_of(config), MAINTENANCE),
        barriers.target_rests, barriers.after_whole_entry, matching,
    )  # fmt: skip
    if len(events) == 0:
        return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, before)
    if how == LIQUIDATED:
        run.liquidated += 1
    ended = last if how == TIME_LIMIT else int(path.row[at])
    fills = fills_of(events, first, run)
    return Filled(first, ended, config, CLOSE_TYPES[how], run=run, fills=fills, keeps=False, before=before)


def placed(
    candles: Candles,
    first: int,
    side: int,
    run: RunFills,
    config: ExecutorConfigBase,
    orders: list[tuple[OrderType, Decimal, Decimal]],
) -> list[Entry] | None:
    """Orders placed at a row's close, as the exchange rounds them; None where it refuses one."""
    limits, close = run.limits_of(config), float(candles.close[first])
    entries = []
    for order_type, price, base in orders:
        rests = order_type.is_limit_type()
        order = limits.order(price if rests else Decimal(close), base, at_market=not rests)
        if order.refusal:
            run.refusals.note(order.refusal)
            return None
        entries.append(_entry(close, side, run, order_type, float(order.price), float(order.amount)))
    run.refusals.note("")
    return entries


def _entry(close: float, side: int, run: RunFills, order_type: OrderType, price: float, base: float) -> Entry:
    through = side * price > side * close
    if not order_type.is_limit_type():
        return Entry(run.costs.taken(side, close), base, True)
    if not through or order_type == OrderType.LIMIT_MAKER:
        return Entry(close if through else price, base, False)
    return Entry(side * min(side * price, side * run.costs.taken(side, close)), base, True)


def matching_of(run: RunFills, config: ExecutorConfigBase) -> Matching:
    """The run's rules for one trading pair, as the compiled loops take them."""
    rules, tick = run.rules, run.limits_of(config).tick
    # a hair less than the ticks: a price that stands on a tick is not always the float next to it
    depth = max(rules.ticks_through * tick - 1e-6 * tick, 0.0)
    strict = rules.ticks_through > 0 and tick == 0
    return Matching(
        depth, strict, tick, rules.path != "best", rules.path == "best", rules.path == "nearest", run.costs.slippage
    )


def first_match(run: RunFills, matching: Matching, start: int, end: int, side: int, price: float) -> int:
    """The first candle of the path in start .. end that fills a resting order, whatever the volume; or -1."""
    level = price - side * matching.depth
    if matching.strict:
        level = math.nextafter(price, -INF if side > 0 else INF)
    return run.path.first_touched(start, end, level, falling=side > 0)


@compiled
def _life(  # type: ignore[no-untyped-def]  # compiled
    candles, room, used, start, end, side, created_at, prices, bases, at_once, barriers, target_rests, whole_first,
    matching,
):  # fmt: skip
    """Looks at the candles start .. end of the path. `created_at`: the close of the row that created the executor.

    `prices`, `bases`, `at_once`: shape (levels,). `barriers`: take profit, stop loss, activation, delta, margin,
    maintenance as fractions, NaN where not set; the stop loss holds once all levels are filled.

    Returns (candle of the end, how, events).
    """
    open_, high, low, close = candles
    take_profit, stop_loss, activation, delta, margin, maintenance = barriers
    entering, leaving = (0, 1) if side > 0 else (1, 0)
    levels = len(prices)
    left = bases.copy()
    events = np.empty((levels + 4, 6))
    count = 0
    base = cost = entered_base = 0.0
    resting = levels
    for level in range(levels):
        if at_once[level]:
            events = noted(events, count, -1, level, bases[level], prices[level], 0, 0.0)
            count += 1
            base += bases[level]
            entered_base += bases[level]
            cost += bases[level] * prices[level]
            left[level] = 0.0
            resting -= 1
    armed = False
    trigger = -INF
    for at in range(start, end + 1):
        opened, closed = side * open_[at], side * close[at]
        bottom = low[at] if side > 0 else -high[at]
        top = high[at] if side > 0 else -low[at]
        adverse_first, after = order_of_extremes(matching, opened, bottom, top)
        entered = False
        for step in range(4):  # targets beyond the open, perhaps targets, entries and stops, targets
            if step == 2:
                if resting > 0:
                    for level in range(levels):
                        price = side * prices[level]
                        if left[level] <= 0 or not reaches(-bottom, -price, matching.depth, matching.strict):
                            continue
                        amount = min(
                            left[level], allowance(room[entering, at], used[entering, at], -bottom, -top, -price)
                        )
                        if amount <= 0:
                            continue
                        used[entering, at] += amount
                        left[level] -= amount
                        if left[level] <= DUST * bases[level]:
                            left[level] = 0.0
                            resting -= 1
                            entered = True
                        events = noted(events, count, at, level, amount, prices[level], 1, 0.0)
                        count += 1
                        base += amount
                        entered_base += amount
                        cost += amount * prices[level]
                if base <= 0:
                    continue
                average = cost / base
                stop = trail = margin_call = -INF
                if resting == 0 and not math.isnan(stop_loss):
                    stop = side * average * (1 - side * stop_loss)
                if armed:
                    trail = side * average * (1 + side * trigger)
                if not math.isnan(margin):
                    margin_call = side * average - average * max(margin - maintenance, 0.0)
                hit = max(stop, trail, margin_call)
                if bottom <= hit:
                    how = STOP_LOSS
                    if trail > stop:
                        how = TRAILING_STOP
                    price = side * min(hit, opened) * (1 - side * matching.slippage)
                    if margin_call == hit or (not math.isnan(margin) and side * price <= margin_call):
                        how, price = LIQUIDATED, average - side * average * margin
                    events = noted(events, count, at, -1, -base, price, 0, cost)
                    return at, how, events[: count + 1].copy()
                continue
            if base <= 0 or math.isnan(take_profit) or (whole_first and resting > 0):
                continue
            if (step == 0 or step == 1) and entered:
                continue
            if step == 1 and adverse_first:
                continue
            reached = opened
            if step == 1 or (step == 3 and (after or not entered)):
                reached = top
            elif step == 3:
                reached = closed
            average = cost / base
            target = rounded_down(average * (1 + side * take_profit), matching.tick)
            if target_rests:
                if not reaches(reached, side * target, matching.depth, matching.strict):
                    continue
                amount = min(base, allowance(room[leaving, at], used[leaving, at], top, bottom, side * target))
                if amount <= 0:
                    continue
                used[leaving, at] += amount
                if amount >= base - DUST * entered_base:
                    events = noted(events, count, at, -1, -base, target, 1, cost)
                    return at, TAKE_PROFIT, events[: count + 1].copy()
                events = noted(events, count, at, -1, -amount, target, 1, average * amount)
                count += 1
                base -= amount
                cost -= average * amount
            elif reached >= side * target:
                events = noted(events, count, at, -1, -base, target * (1 - side * matching.slippage), 0, cost)
                return at, TAKE_PROFIT, events[: count + 1].copy()
        if base > 0 and not (whole_first and resting > 0):
            gain = side * (close[at] * base / cost - 1)
            if gain > activation:
                armed = True
            if armed:
                trigger = max(trigger, gain - delta)
    if base > 0:
        price = close[end] if end >= start else created_at
        at = end if end >= start else -1
        events = noted(events, count, at, -1, -base, price * (1 - side * matching.slippage), 0, cost)
        count += 1
    return end, TIME_LIMIT, events[:count].copy()
