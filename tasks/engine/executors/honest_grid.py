"""Grid executors under fills other than stock."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    LIQUIDATED,
    POSITION_HOLD,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    Fill,
    State,
    Trajectory,
    Unfilled,
    fraction,
    side_of,
)
from tasks.engine.executors.filled import Filled, Sums, fills_of
from tasks.engine.executors.ladder import matching_of
from tasks.engine.executors.matching import (
    DUST,
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
    GridExecutorSimulator,
)

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills

INF = math.inf


def honest(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """With any other fills: levels as upstream generates them, prices and amounts as the exchange has them."""
    barriers = config.triple_barrier_config
    last = candles.last_row(config, barriers.time_limit)
    if last < first:
        return None
    middle = Decimal(str(candles.close[first]))
    levels = GridExecutorSimulator._generate_grid_levels(config, middle, run.rules_of(config))
    side, limits, matching = side_of(config), run.limits_of(config), matching_of(run, config)
    orders = [limits.order(level.price, level.amount_quote / level.price) for level in levels]
    kept = [(level, order) for level, order in zip(levels, orders, strict=True) if not order.refusal]
    run.refusals.note("" if kept else orders[0].refusal)
    if not kept:
        return Unfilled(candles, config, first, first, CloseType.FAILED, 0.0)
    prices = np.array([float(order.price) for _, order in kept])
    targets = prices * (1 + side * np.array([float(level.take_profit) for level, _ in kept]))
    amounts = np.array([float(level.amount_quote) for level, _ in kept])
    limit_price = float(config.limit_price) if config.limit_price else None
    path = run.path
    at, how, events = _life(
        (path.open, path.high, path.low, path.close), run.room, run.used, int(path.first[first + 1]),
        int(path.first[last + 1]) - 1, side, float(candles.close[first]), prices, targets, amounts,
        (float(config.end_price if side > 0 else config.start_price),
         math.nan if limit_price is None else limit_price,
         fraction(barriers.stop_loss), run.margin_of(config), MAINTENANCE, float(config.safe_extra_spread),
         limits.amount_step),
        bool(config.keep_position), bool(barriers.take_profit_order_type.is_limit_type()), matching,
    )  # fmt: skip
    if how == LIQUIDATED:
        run.liquidated += 1
    ended = last if how == TIME_LIMIT else (first if at < 0 else int(path.row[at]))
    if len(events) == 0:
        return Unfilled(candles, config, first, ended, CLOSE_TYPES[how], 0.0)
    return HonestGrid(
        first, ended, config, CLOSE_TYPES[how], run=run, fills=fills_of(events, first, run), prices=prices,
        targets=targets, limit_price=limit_price, keeps=how == POSITION_HOLD,
    )  # fmt: skip


class HonestGrid(Filled):
    """A grid executor with its fills."""

    __slots__ = ("_limit_price", "level_prices", "tp_prices")

    per_traded = True

    def __init__(
        self, first: int, last: int, config: ExecutorConfigBase, close_type: CloseType,
        *, run: RunFills, fills: list[Fill], keeps: bool, prices: Floats, targets: Floats, limit_price: float | None,
    ) -> None:  # fmt: skip
        super().__init__(first, last, config, close_type, run=run, fills=fills, keeps=keeps, before=0.0)
        self._limit_price = limit_price
        self.level_prices: list[float] = prices.tolist()
        self.tp_prices: list[float] = targets.tolist()

    def custom_info(self, row: int, state: State) -> dict[str, object]:
        """GridExecutorSimulation.get_custom_info, with the fills up to the row: upstream shows those to come too."""
        return {
            **super().custom_info(row, state),
            "fill_events": [self._event(fill) for fill in self._fills if fill.row <= row and fill.level >= 0],
            "grid_level_prices": self.level_prices,
            "grid_tp_prices": self.tp_prices,
            "grid_side": self.config.side.name,
            "grid_limit_price": self._limit_price,
        }

    def _average(self, sums: Sums) -> float:
        return sums.cost / sums.base if sums.base > 0 else 0.0

    def _event(self, fill: Fill) -> dict[str, object]:
        """In the form of upstream's simulator."""
        return {
            "timestamp": float(self.candles.timestamp[fill.row]),
            "price": fill.price,
            "side": "entry" if fill.base > 0 else "tp",
            "level_idx": fill.level,
            "amount_quote": fill.base * fill.price if fill.base > 0 else fill.cost,
        }


@compiled
def _life(  # type: ignore[no-untyped-def]  # compiled
    candles, room, used, start, end, side, created_at, prices, targets, amounts, barriers, keeps, target_rests,
    matching,
):  # fmt: skip
    """Levels that rest, fill, wait for their target and rest again, over the candles start .. end of the path.

    `prices`, `targets`, `amounts`: shape (levels,), entry price, target and quote of each level. `barriers`: the price
    beyond which the grid has done its work, its limit price and stop loss (NaN where not set), margin, maintenance,
    how far off the market an order rests whose level lies beyond it, as a fraction, and the increment of amounts.

    Returns (candle of the end, -1 for the row of the creation, how, events).
    """
    open_, high, low, close = candles
    exit_price, limit_price, stop_loss, margin, maintenance, extra, step_size = barriers
    entering, leaving = (0, 1) if side > 0 else (1, 0)
    levels = len(prices)
    events = np.empty((64, 6))
    count = 0
    is_open = np.zeros(levels, dtype=np.bool_)  # entered whole: the target rests
    held, paid = np.zeros(levels), np.zeros(levels)
    order = np.empty(levels)  # where each level rests, mirrored
    wanted, left = np.empty(levels), np.empty(levels)  # base of the entry, and what of it is not filled yet
    since = np.full(levels, -1)
    for level in range(levels):
        order[level] = _resting_price(side * prices[level], side * created_at, created_at * extra, side, matching.tick)
        wanted[level] = left[level] = rounded_down(amounts[level] / (side * order[level]), step_size)
    base = cost = 0.0
    if not math.isnan(limit_price) and side * created_at <= side * limit_price:
        return -1, STOP_LOSS, events[:0].copy()
    if side * created_at > side * exit_price:
        return -1, TAKE_PROFIT, events[:0].copy()
    for at in range(start, end + 1):
        opened, closed = side * open_[at], side * close[at]
        bottom = low[at] if side > 0 else -high[at]
        top = high[at] if side > 0 else -low[at]
        adverse_first, after = order_of_extremes(matching, opened, bottom, top)
        for step in range(4):  # targets beyond the open, perhaps targets, entries and stops, targets
            if step == 2:
                for level in range(levels):
                    if is_open[level] or since[level] == at:
                        continue
                    if not reaches(-bottom, -order[level], matching.depth, matching.strict):
                        continue
                    amount = min(
                        left[level], allowance(room[entering, at], used[entering, at], -bottom, -top, -order[level])
                    )
                    if amount <= 0:
                        continue
                    used[entering, at] += amount
                    left[level] -= amount
                    price = side * order[level]
                    held[level] += amount
                    paid[level] += amount * price
                    base += amount
                    cost += amount * price
                    if left[level] <= DUST * wanted[level]:
                        left[level] = 0.0
                        is_open[level], since[level] = True, at
                    events = noted(events, count, at, level, amount, price, 1, 0.0)
                    count += 1
                stop = limit = margin_call = -INF
                if base > 0 and not math.isnan(stop_loss):
                    stop = side * cost / base * (1 - side * stop_loss)
                if not math.isnan(limit_price):
                    limit = side * limit_price
                if base > 0 and not math.isnan(margin):
                    margin_call = side * cost / base - cost / base * max(margin - maintenance, 0.0)
                hit = max(stop, limit, margin_call)
                if bottom <= hit:
                    if keeps and limit == hit and base > 0:
                        return at, POSITION_HOLD, events[:count].copy()
                    how = STOP_LOSS
                    if base > 0:
                        price = side * min(hit, opened) * (1 - side * matching.slippage)
                        if margin_call == hit or (not math.isnan(margin) and side * price <= margin_call):
                            how, price = LIQUIDATED, cost / base * (1 - side * margin)
                        events = noted(events, count, at, -1, -base, price, 0, cost)
                        count += 1
                    return at, how, events[:count].copy()
                continue
            if step == 1 and adverse_first:
                continue
            for level in range(levels):
                if not is_open[level] or (step < 2 and since[level] == at):
                    continue
                reached = opened
                if step == 1 or (step == 3 and (after or since[level] != at)):
                    reached = top
                elif step == 3:
                    reached = closed
                target = rounded_down(targets[level], matching.tick)
                is_maker, price, amount = 1, target, held[level]
                if target_rests:
                    if not reaches(reached, side * target, matching.depth, matching.strict):
                        continue
                    amount = min(amount, allowance(room[leaving, at], used[leaving, at], top, bottom, side * target))
                    if amount <= 0:
                        continue
                    used[leaving, at] += amount
                elif reached >= side * target:
                    is_maker, price = 0, target * (1 - side * matching.slippage)
                else:
                    continue
                gone = paid[level] * (amount / held[level])
                if amount >= held[level] - DUST * wanted[level]:
                    amount, gone = held[level], paid[level]
                    is_open[level], since[level] = False, at
                held[level] -= amount
                paid[level] -= gone
                base -= amount
                cost -= gone
                if base <= DUST * amount:
                    base = cost = 0.0  # no dust from the sums: its average would be a stop of its own
                events = noted(events, count, at, level, -amount, price, is_maker, gone)
                count += 1
        for level in range(levels):
            if not is_open[level] and since[level] == at:  # rests again from this close on
                order[level] = _resting_price(side * prices[level], closed, close[at] * extra, side, matching.tick)
                wanted[level] = left[level] = rounded_down(amounts[level] / (side * order[level]), step_size)
        if closed > side * exit_price:
            if base > 0:
                events = noted(events, count, at, -1, -base, close[at] * (1 - side * matching.slippage), 0, cost)
                count += 1
            return at, TAKE_PROFIT, events[:count].copy()
    if base > 0:
        events = noted(events, count, end, -1, -base, close[end] * (1 - side * matching.slippage), 0, cost)
        count += 1
    return end, TIME_LIMIT, events[:count].copy()


@compiled
def _resting_price(price, closed, extra, side, tick):  # type: ignore[no-untyped-def]  # compiled
    """Where a grid's order rests, mirrored: at its level, or just off the market where that is beyond it.

    Upstream: GridExecutor._get_open_order_candidate.
    """
    if price < closed:
        return price
    return side * rounded_down(side * (closed - extra), tick)
