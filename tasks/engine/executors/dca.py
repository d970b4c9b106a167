"""DCA executors: entries at several prices, one average price, closed whole."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.candles import Candles
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import ExecutorKind, NotReproduced, Table, Trajectory, Unfilled
from tasks.engine.executors.ladder import Barriers, simulate_ladder
from tasks.upstream.names import (
    CloseType,
    DCAExecutorConfig,
    DCAExecutorSimulator,
    DCAMode,
    ExecutorConfigBase,
    OrderType,
    TradeType,
)

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills


def stock(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """DCAExecutorSimulator.simulate."""
    if config.mode == DCAMode.TAKER:
        raise NotImplementedError("Taker mode is not supported in DCAExecutorSimulator")
    last = candles.last_row(config, config.time_limit)
    if last < first:
        return None
    prices, amounts = config.prices, config.amounts_quote
    buys = config.side == TradeType.BUY
    stages: list[_Stage] = []
    entry = -1
    for level, price in enumerate(prices):
        entry = candles.first_reached(first, last, price, falling=buys)
        if entry < 0:
            break
        break_even = price
        if level > 0:
            break_even = DCAExecutorSimulator.break_even_price_at_index(prices, amounts, level)
        stages.append(_stage_of(candles, config, level, entry, last, break_even, buys))
    if not stages:
        return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, float(prices[0]))

    # Upstream books every stage from the entry it computed last on: the last level's, or nowhere where the price
    # never came to a level.
    booked = []
    close_type, end = CloseType.FAILED, last
    for stage in stages:
        booked.append(stage)
        if stage.close_type is not None:
            close_type, end = stage.close_type, stage.end
            break
    if entry < 0 or entry > end:
        return Unfilled(candles, config, first, end, close_type, float(prices[0]))
    if any(stage.entry > entry for stage in booked):
        raise NotReproduced("a DCA executor whose levels are not reached in their order")
    return DCA(
        candles,
        config,
        first,
        end,
        close_type,
        entry,
        stages=booked,
        both_fees=2 * run.trade_cost,
        before=float(prices[0]),
        after=float(booked[-1].break_even),
    )


def honest(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """With any other fills: every level rests from the start; its target and stops are market orders, as live."""
    if config.mode == DCAMode.TAKER:
        raise NotImplementedError("Taker mode is not supported in DCAExecutorSimulator")
    last = candles.last_row(config, config.time_limit)
    if last < first:
        return None
    barriers = Barriers(
        config.take_profit, config.stop_loss, config.trailing_stop, target_rests=False, after_whole_entry=False
    )
    return simulate_ladder(
        candles, first, last, config, run,
        orders=[(OrderType.LIMIT, price, base) for price, base in _levels(config)],
        barriers=barriers, before=float(config.prices[0]),
    )  # fmt: skip


def _levels(config: ExecutorConfigBase) -> list[tuple[Decimal, Decimal]]:
    """(price, base) of each entry."""
    return [(price, amount / price) for price, amount in zip(config.prices, config.amounts_quote, strict=True)]


class _Stage:
    """One level of a DCA executor, as if it were the last one entered."""

    __slots__ = ("amount", "break_even", "close_type", "end", "entry")

    def __init__(self, entry: int, end: int, close_type: CloseType, amount: float, break_even: Any) -> None:
        self.entry = entry
        self.end = end
        #: None: the next level is entered before anything closes this one
        self.close_type = close_type
        self.amount = amount
        self.break_even = break_even


def _stage_of(
    candles: Candles, config: ExecutorConfigBase, level: int, entry: int, last: int, break_even: Any, buys: bool
) -> _Stage:
    side = 1 if buys else -1
    is_last = level == len(config.prices) - 1
    trail_row = take_row = stop_row = next_row = -1
    if config.trailing_stop:
        activation = break_even * (1 + config.trailing_stop.activation_price * side)
        armed = candles.first_reached(entry, last, activation, falling=not buys)
        if armed >= 0:
            delta = config.trailing_stop.trailing_delta
            factor = float(1 - delta) if buys else float(1 + delta)
            trail_row = trail_hit(candles.close, armed, last, float(side), factor)
    if config.take_profit:
        target = break_even * (1 + config.take_profit * side)
        take_row = candles.first_reached(entry, last, target, falling=not buys)
    if is_last and config.stop_loss:
        stop_row = candles.first_touched(entry, last, break_even * (1 - config.stop_loss * side), falling=buys)
    else:
        # Without a stop loss upstream looks for a level after the last one, and raises IndexError.
        next_row = candles.first_reached(entry, last, config.prices[level + 1], falling=buys)
    end = min(row for row in (take_row, stop_row, trail_row, next_row, last) if row >= 0)
    if end == take_row:
        close_type = CloseType.TAKE_PROFIT
    elif end == stop_row:
        close_type = CloseType.STOP_LOSS
    elif end == trail_row:
        close_type = CloseType.TRAILING_STOP
    elif end == next_row:
        close_type = None
    else:
        close_type = CloseType.TIME_LIMIT
    return _Stage(entry, end, close_type, float(config.amounts_quote[level]), break_even)


class DCA(Trajectory):
    """A DCA executor all of whose levels are booked at `fill_row`."""

    __slots__ = ("_after", "_before", "_both_fees", "_side", "_stages")

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        close_type: CloseType,
        fill_row: int,
        *,
        stages: list[_Stage],
        both_fees: float,
        before: float,
        after: float,
    ) -> None:
        super().__init__(candles, config, first, last, close_type, fill_row)
        self._side = 1 if config.side == TradeType.BUY else -1
        self._stages = stages
        self._both_fees = both_fees
        self._before = before  # average price before the fill
        self._after = after

    def _build(self) -> Table:
        assert self.fill_row is not None
        rows, waiting = self.last - self.first + 1, self.fill_row - self.first
        side = self._side
        pct, pnl, filled = np.zeros(rows), np.zeros(rows), np.zeros(rows)
        for stage in self._stages:
            gained = self.candles.growth[stage.entry : self.last + 1].copy()
            gained[0] = 1.0
            returned = ((np.cumprod(gained) - 1) * side) - self._both_fees
            pnl[waiting:] += returned[self.fill_row - stage.entry :] * stage.amount
            filled[waiting:] += stage.amount
        fees = self._both_fees * filled
        pct[waiting:] = pnl[waiting:] / filled[waiting:]
        filled[-1] = filled[-1] * 2
        average = np.full(rows, self._before)
        average[waiting:] = self._after
        return Table(pct, pnl, fees, filled, average)


@compiled
def trail_hit(close, armed_from, last, side, factor):  # type: ignore[no-untyped-def]  # compiled
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


KIND = ExecutorKind(DCAExecutorConfig, stock, honest, _levels)
