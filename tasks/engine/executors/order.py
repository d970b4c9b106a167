"""Order executors: one order, whose fill is kept as a held position."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import compiled, first_at_or_above, first_at_or_below
from tasks.engine.executors._base import (
    NOT_SET,
    ExecutorKind,
    State,
    Table,
    Trajectory,
    Unfilled,
    side_of,
    undoubled_exposure,
)
from tasks.engine.executors.filled import Filled, fills_of
from tasks.engine.executors.ladder import matching_of, placed
from tasks.engine.executors.matching import DUST, allowance, noted, reaches, rounded_down
from tasks.upstream.names import (
    CloseType,
    ExecutionStrategy,
    ExecutorConfigBase,
    ExecutorSimulation,
    OrderExecutorConfig,
    OrderType,
    TradeType,
)

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine.fills.run import RunFills


def stock(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
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
        state=State(0.0, 0.0, run.trade_cost * filled, filled, entry_price),
    )


def honest(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """With any other fills: filled once, and kept; what is left of it at the end of the period is cancelled."""
    side, path, last = side_of(config), run.path, len(candles) - 1
    chase = config.chaser_config if config.execution_strategy == ExecutionStrategy.LIMIT_CHASER else None
    close = Decimal(candles.close.item(first))
    if chase is not None:
        kind, price = OrderType.LIMIT_MAKER, close * (1 - side * chase.distance)
    else:
        kind = _ORDER_TYPES.get(config.execution_strategy, OrderType.LIMIT)
        price = close if config.price is None else config.price
    entries = placed(candles, first, side, run, config, [(kind, price, config.amount)])
    if entries is None:
        return Unfilled(candles, config, first, first, CloseType.FAILED, 0.0)
    entry = entries[0]
    end = -1
    if entry.at_once:
        events = np.array([[-1.0, 0.0, entry.base, entry.price, 0.0, 0.0]])
    else:
        end, events = _life(
            (path.high, path.low, path.close), run.room, run.used, int(path.first[first + 1]), len(path.row) - 1, side,
            entry.price, entry.base, NOT_SET if chase is None else float(chase.distance),
            0.0 if chase is None else float(chase.refresh_threshold), matching_of(run, config),
        )  # fmt: skip
    if len(events) == 0:
        return Unfilled(candles, config, first, last, CloseType.EXPIRED, 0.0)
    ended = first if entry.at_once else int(path.row[end])
    return Filled(
        first, ended, config, CloseType.POSITION_HOLD, run=run, fills=fills_of(events, first, run), keeps=True,
        before=0.0,
    )  # fmt: skip


class Order(Trajectory):
    """An order executor that fills on its last row and ends there, keeping its position."""

    __slots__ = ("_state",)

    doubles_last_row = False

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        close_type: CloseType,
        fill_row: int,
        *,
        state: State,
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


@compiled
def _life(  # type: ignore[no-untyped-def]  # compiled
    candles, room, used, start, end, side, price, wanted, distance, threshold, matching
):
    """An order that rests over the candles start .. end of the path until it is filled whole.

    `distance` not NaN: it stays that far from the close and is renewed when the close has moved by `threshold`, as
    upstream's OrderExecutor.control_limit_chaser does. Returns (candle of the last fill or `end`, events).
    """
    high, low, close = candles
    book = 0 if side > 0 else 1
    events = np.empty((4, 6))
    count = 0
    left = wanted
    for at in range(start, end + 1):
        bottom = low[at] if side > 0 else -high[at]
        top = high[at] if side > 0 else -low[at]
        if reaches(-bottom, -side * price, matching.depth, matching.strict):
            amount = min(left, allowance(room[book, at], used[book, at], -bottom, -top, -side * price))
            if amount > 0:
                used[book, at] += amount
                left -= amount
                events = noted(events, count, at, 0, amount, price, 1, 0.0)
                count += 1
                if left <= DUST * wanted:
                    return at, events[:count].copy()
        if side * (close[at] - price) > close[at] * threshold:  # never where distance is NaN: see below
            renewed = close[at] * (1 - side * distance)
            if renewed == renewed:
                price = rounded_down(renewed, matching.tick)
    return end, events[:count].copy()


def _stock_exposure(
    simulation: ExecutorSimulation, frame: pd.DataFrame, side: int, *, closes: bool
) -> tuple[Floats, Floats]:
    """Of upstream's simulation, which does not double its last row."""
    return undoubled_exposure(frame, frame["filled_amount_quote"].to_numpy(dtype=np.float64), side, closes=closes)


_ORDER_TYPES = {
    ExecutionStrategy.MARKET: OrderType.MARKET,
    ExecutionStrategy.LIMIT_MAKER: OrderType.LIMIT_MAKER,
}


def _orders(config: ExecutorConfigBase) -> list[tuple[Decimal, Decimal]]:
    return [] if config.price is None else [(config.price, config.amount)]


KIND = ExecutorKind(OrderExecutorConfig, stock, honest, _orders, _stock_exposure)
