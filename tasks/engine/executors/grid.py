"""Grid executors: levels that are entered, sold at their target and entered again."""

from __future__ import annotations

from decimal import Decimal
from typing import (
    TYPE_CHECKING,
)

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    NOT_SET,
    POSITION_HOLD,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    ExecutorKind,
    State,
    Table,
    Trajectory,
)
from tasks.engine.executors.honest_grid import honest
from tasks.named_types import JsonObject
from tasks.upstream.names import (
    ExecutorConfigBase,
    ExecutorSimulation,
    GridExecutorConfig,
    GridExecutorSimulator,
    TradeType,
)

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine.fills.run import RunFills


def stock(candles: Candles, first: int, config: ExecutorConfigBase, run: RunFills) -> Trajectory | None:
    """GridExecutorSimulator.simulate."""
    barriers = config.triple_barrier_config
    last = candles.last_row(config, barriers.time_limit)
    if last < first:
        return None
    middle = Decimal(str(candles.close[first]))
    levels = GridExecutorSimulator._generate_grid_levels(config, middle, run.rules_of(config))
    buys = config.side == TradeType.BUY
    prices = np.array([float(level.price) for level in levels])
    gains = np.array([float(level.take_profit) for level in levels])
    return Grid(
        candles,
        config,
        first,
        last,
        side=1.0 if buys else -1.0,
        exit_price=float(config.end_price if buys else config.start_price),
        limit_price=float(config.limit_price) if config.limit_price else None,
        stop_loss=float(barriers.stop_loss) if barriers.stop_loss else None,
        prices=prices,
        tp_prices=prices * (1 + gains) if buys else prices * (1 - gains),
        amounts=np.array([float(level.amount_quote) for level in levels]),
        trade_cost=run.trade_cost,
    )


class Grid(Trajectory):
    """A grid executor. Its rows are computed by one pass over its life, and again where they were released."""

    __slots__ = ("_life", "_limit_price", "_side", "_state", "fill_events", "level_prices", "tp_prices")

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        *,
        side: float,
        exit_price: float,
        limit_price: float | None,
        stop_loss: float | None,
        prices: Floats,
        tp_prices: Floats,
        amounts: Floats,
        trade_cost: float,
    ) -> None:
        self._side = side
        self._limit_price = limit_price
        self._life = (
            candles.close,
            candles.high,
            candles.low,
            first,
            last,
            side,
            exit_price,
            NOT_SET if limit_price is None else limit_price,
            bool(config.keep_position),
            NOT_SET if stop_loss is None else stop_loss,
            prices,
            tp_prices,
            amounts,
            trade_cost,
        )
        end, how, *columns, events = grid_life(*self._life)
        super().__init__(candles, config, first, end, CLOSE_TYPES[how], None)
        self._built = _grid_table(*columns)
        filled = np.flatnonzero(self._built.filled_amount_quote > 0)
        if len(filled):
            self.fill_row = first + int(filled[0])
        self._state = super().at(end)
        self.level_prices: list[float] = prices.tolist()
        self.tp_prices: list[float] = tp_prices.tolist()
        #: every fill of the executor's whole life, from its first row on, as upstream shows them
        self.fill_events: list[JsonObject] = [
            {
                "timestamp": float(candles.timestamp[row]),
                "price": self.level_prices[level] if is_entry else self.tp_prices[level],
                "side": "entry" if is_entry else "tp",
                "level_idx": level,
                "amount_quote": float(amounts[level]),
            }
            for row, level, is_entry in events.tolist()
        ]

    def at(self, row: int) -> State:
        """One row; the last one without the table."""
        return self._state if row == self.last else super().at(row)

    def _build(self) -> Table:
        return _grid_table(*grid_life(*self._life)[2:6])

    def custom_info(self, row: int, state: State) -> dict[str, object]:
        """GridExecutorSimulation.get_custom_info."""
        return {
            **super().custom_info(row, state),
            "fill_events": self.fill_events,
            "grid_level_prices": self.level_prices,
            "grid_tp_prices": self.tp_prices,
            "grid_side": self.config.side.name,
            "grid_limit_price": self._limit_price,
        }

    def exposure(self, end: int, *, closes: bool) -> tuple[Floats, Floats]:
        """A grid's inventory from its fills: a level's take-profit gives back the base its entry took."""
        rows = end - self.first + 1
        base, traded = np.zeros(rows), np.zeros(rows)
        for event in self.fill_events:
            row = self.candles.row_at(event["timestamp"]) - self.first
            if row >= rows:
                break
            amount = event["amount_quote"] / self.level_prices[event["level_idx"]]
            base[row] += amount if event["side"] == "entry" else -amount
            traded[row] += amount * event["price"]
        value = self._side * np.cumsum(base) * self.candles.close[self.first : end + 1]
        if closes:
            traded[-1] += abs(value[-1])
        return value, traded


def _grid_table(net: Floats, filled: Floats, fees: Floats, average: Floats) -> Table:
    pct = np.zeros(len(net))
    np.divide(net, filled, out=pct, where=filled > 0)
    filled[-1] = filled[-1] * 2
    return Table(pct, net, fees, filled, average)


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


def _stock_exposure(
    simulation: ExecutorSimulation, frame: pd.DataFrame, side: int, *, closes: bool
) -> tuple[Floats, Floats]:
    """Of upstream's simulation: its inventory from its fills, as Grid.exposure."""
    base, traded = np.zeros(len(frame)), np.zeros(len(frame))
    for event in simulation.fill_events:
        if event["timestamp"] > frame.index[-1]:
            break
        row = frame.index.searchsorted(event["timestamp"])
        amount = event["amount_quote"] / simulation.grid_level_prices[event["level_idx"]]
        base[row] += amount if event["side"] == "entry" else -amount
        traded[row] += amount * event["price"]
    value = side * np.cumsum(base) * frame["close"].to_numpy(dtype=np.float64)
    if closes:
        traded[-1] += abs(value[-1])
    return value, traded


def _orders(config: ExecutorConfigBase) -> list[tuple[Decimal, Decimal]]:
    return []  # upstream makes the levels of the exchange's minimums


KIND = ExecutorKind(GridExecutorConfig, stock, honest, _orders, _stock_exposure)
