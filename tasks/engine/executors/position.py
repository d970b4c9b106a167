"""Position executors: one entry, one exit at a target, a stop, a trailing stop or a time limit."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tasks.engine.candles import Candles
from tasks.engine.compiled import compiled
from tasks.engine.equity import EquityCurve
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    NOT_SET,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    TRAILING_STOP,
    ExecutorKind,
    NotReproduced,
    State,
    Table,
    Trajectory,
    Unfilled,
)
from tasks.engine.executors.ladder import Barriers, simulate_ladder
from tasks.upstream.names import (
    CloseType,
    ExecutorConfigBase,
    PositionExecutorConfig,
    TradeType,
)

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills


def stock(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """PositionExecutorSimulator.simulate."""
    barriers = config.triple_barrier_config
    last = candles.last_row(config, barriers.time_limit)
    if config.entry_price is None:
        raise NotReproduced("a position executor without an entry_price")
    configured_price = float(config.entry_price)
    if last < first:
        return None
    buys = config.side == TradeType.BUY
    start = first
    if barriers.open_order_type.is_limit_type():
        start = candles.first_reached(first, last, config.entry_price, falling=buys)
        if start < 0:
            return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, configured_price)

    entry_price = candles.close[start]
    side = 1 if buys else -1
    stop_price = NOT_SET
    if barriers.stop_loss:
        stop_price = entry_price * (1 - float(barriers.stop_loss) * side)
        # Upstream looks for the stop from the creation on, also where nothing is filled yet.
        touched = candles.first_touched(first, start - 1, stop_price, falling=buys) if start > first else -1
        if touched >= 0:
            return Unfilled(candles, config, first, touched, CloseType.STOP_LOSS, configured_price)
    activation = delta = NOT_SET
    if barriers.trailing_stop:
        activation = float(barriers.trailing_stop.activation_price)
        delta = float(barriers.trailing_stop.trailing_delta)
    both_fees = 2 * run.trade_cost
    end, how, net_pnl_pct = position_end(
        candles.growth,
        candles.low,
        candles.high,
        start,
        last,
        float(side),
        both_fees,
        float(barriers.take_profit) if barriers.take_profit else NOT_SET,
        stop_price,
        activation,
        delta,
        -delta if start > first else -math.inf,
    )
    return Position(
        candles,
        config,
        first,
        end,
        CLOSE_TYPES[how],
        start,
        configured_price,
        side=side,
        both_fees=both_fees,
        filled=float(config.amount) * entry_price,
        net_pnl_pct=net_pnl_pct,
    )


def honest(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """With any other fills. Without an entry_price it enters at the close."""
    triple = config.triple_barrier_config
    last = candles.last_row(config, triple.time_limit)
    if last < first:
        return None
    price = Decimal(candles.close.item(first)) if config.entry_price is None else config.entry_price
    barriers = Barriers(
        triple.take_profit,
        triple.stop_loss,
        triple.trailing_stop,
        target_rests=triple.take_profit_order_type.is_limit_type(),
        after_whole_entry=True,
    )
    return simulate_ladder(
        candles, first, last, config, run,
        orders=[(triple.open_order_type, price, config.amount)], barriers=barriers, before=float(price),
    )  # fmt: skip


class Position(Trajectory):
    """A position executor that is filled at the close of `fill_row`."""

    __slots__ = ("_average_price", "_both_fees", "_filled", "_net_pnl_pct", "_side")

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        close_type: CloseType,
        fill_row: int,
        average_price: float,
        *,
        side: int,
        both_fees: float,
        filled: float,
        net_pnl_pct: float,
    ) -> None:
        super().__init__(candles, config, first, last, close_type, fill_row)
        #: upstream reports the configured entry price, not the close it fills at
        self._average_price = average_price
        self._side = side
        self._both_fees = both_fees
        self._filled = filled
        self._net_pnl_pct = net_pnl_pct  # on the last row

    def at(self, row: int) -> State:
        """One row; the last one, which is asked for most, without the table."""
        if row == self.last:
            pct, filled = self._net_pnl_pct, self._filled
            return State(pct, pct * filled, self._both_fees * filled, filled * 2, self._average_price)
        if not self.filled_at(row):
            return State(0.0, 0.0, 0.0, 0.0, self._average_price)
        return super().at(row)

    def _build(self) -> Table:
        assert self.fill_row is not None
        rows, waiting = self.last - self.first + 1, self.fill_row - self.first
        gained = self.candles.growth[self.fill_row : self.last + 1].copy()
        gained[0] = 1.0
        pct, filled = np.zeros(rows), np.zeros(rows)
        pct[waiting:] = ((np.cumprod(gained) - 1) * self._side) - self._both_fees
        filled[waiting:] = self._filled
        pnl, fees = pct * filled, self._both_fees * filled
        filled[-1] = filled[-1] * 2
        return Table(pct, pnl, fees, filled, np.full(rows, self._average_price))

    def add_to(self, curve: EquityCurve, row: int, final_pnl: float, *, kept: bool) -> None:
        """As Trajectory's, to the last bit, in one pass over the rows."""
        assert self.fill_row is not None
        add_position(
            *curve.rows(), self.candles.growth, self.fill_row, row, float(self._side), self._both_fees, self._filled,
            final_pnl, kept,
        )  # fmt: skip


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


def _orders(config: ExecutorConfigBase) -> list[tuple[Decimal, Decimal]]:
    return [] if config.entry_price is None else [(config.entry_price, config.amount)]


KIND = ExecutorKind(PositionExecutorConfig, stock, honest, _orders)
