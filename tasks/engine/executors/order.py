"""Order executors: one order, whose fill is kept as a held position."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import first_at_or_above, first_at_or_below
from tasks.engine.executors._base import ExecutorKind, State, Table, Trajectory, Unfilled, side_of, undoubled_exposure
from tasks.engine.executors.honest import Fill, Ladder, chased_row, enter, traded_through
from tasks.upstream.names import CloseType, ExecutionStrategy, OrderExecutorConfig, OrderType, TradeType

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills


def stock(candles: Candles, first: int, config: Any, fills: RunFills) -> Trajectory | None:
    """OrderExecutorSimulator.simulate."""
    last = len(candles) - 1
    buys = config.side == TradeType.BUY
    fill = first
    if config.execution_strategy not in (ExecutionStrategy.MARKET, ExecutionStrategy.LIMIT_CHASER):
        level = float(config.price)
        if config.execution_strategy == ExecutionStrategy.LIMIT_MAKER:
            level = (min if buys else max)(level, float(candles.close[first]))
        find = first_at_or_below if buys else first_at_or_above
        fill = find(candles.close, candles.close_minima if buys else candles.close_maxima, first, last, level)
        if fill < 0:
            return Unfilled(candles, config, first, last, CloseType.EXPIRED, 0.0)
    entry_price = float(candles.close[fill])
    filled = float(config.amount) * entry_price
    return Order(
        candles,
        config,
        first,
        fill,
        CloseType.POSITION_HOLD,
        fill,
        state=State(0.0, 0.0, fills.trade_cost * filled, filled, entry_price),
    )


def honest(candles: Candles, first: int, config: Any, fills: RunFills) -> Trajectory | None:
    """An OrderExecutorConfig: filled once, and kept."""
    last, side, costs = len(candles) - 1, side_of(config), fills.costs
    base = float(config.amount)
    if config.execution_strategy == ExecutionStrategy.LIMIT_CHASER:
        chase = config.chaser_config
        row, price = chased_row(
            candles.high, candles.low, candles.close, first, last, side,
            float(chase.distance), float(chase.refresh_threshold),
        )  # fmt: skip
        fill = Fill(row, base, price, costs.maker * base * price)
    else:
        kind = {
            ExecutionStrategy.MARKET: OrderType.MARKET,
            ExecutionStrategy.LIMIT_MAKER: OrderType.LIMIT_MAKER,
        }.get(config.execution_strategy, OrderType.LIMIT)
        price = math.nan if config.price is None else float(config.price)
        fill = enter(candles, first, side, costs, kind, price, base)
        if fill.row < 0:
            fill = fill._replace(row=traded_through(candles, first + 1, last, side, fill.price))
    if fill.row < 0:
        return Unfilled(candles, config, first, last, CloseType.EXPIRED, 0.0)
    return Ladder(
        candles, config, first, fill.row, CloseType.POSITION_HOLD, side=side, costs=costs,
        funding=fills.funding_per_base(config.trading_pair), fills=[fill], exit_=None, before=0.0,
    )  # fmt: skip


class Order(Trajectory):
    """An order executor that fills on its last row and ends there, keeping its position."""

    __slots__ = ("_state",)

    doubles_last_row = False

    def __init__(
        self, candles: Candles, config: Any, first: int, last: int, close_type: Any, fill_row: int, *, state: State
    ) -> None:
        super().__init__(candles, config, first, last, close_type, fill_row)
        self._state = state

    def at(self, row: int) -> State:
        """Zeros before the last row."""
        return self._state if row == self.last else State(0.0, 0.0, 0.0, 0.0, 0.0)

    def _build(self) -> Table:
        columns = np.zeros((5, self.last - self.first + 1))
        columns[:, -1] = self._state
        return Table(*columns)


def _stock_exposure(simulation: Any, frame: Any, side: int, *, closes: bool) -> tuple[Floats, Floats]:
    """Of upstream's simulation, which does not double its last row."""
    return undoubled_exposure(frame, frame["filled_amount_quote"].to_numpy(dtype=np.float64), side, closes=closes)


KIND = ExecutorKind(OrderExecutorConfig, stock, honest, _stock_exposure)
