"""The lives of stock fills: what `simulators` makes of an executor, row by row, in upstream's arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tasks.engine.equity import EquityCurve
from tasks.engine.jump import kernels
from tasks.engine.jump.candles import Candles, Floats
from tasks.engine.jump.trajectory import State, Table, Trajectory
from tasks.upstream.names import CloseType, TradeType

#: Hummingbot's close types in the kernels' words.
CLOSE_TYPES = {
    kernels.TIME_LIMIT: CloseType.TIME_LIMIT,
    kernels.TAKE_PROFIT: CloseType.TAKE_PROFIT,
    kernels.STOP_LOSS: CloseType.STOP_LOSS,
    kernels.TRAILING_STOP: CloseType.TRAILING_STOP,
    kernels.POSITION_HOLD: CloseType.POSITION_HOLD,
}
#: What a kernel takes for a barrier that is not set.
NOT_SET = math.nan


class Unfilled(Trajectory):
    """An executor on whose rows nothing is ever filled: zeros, and an average price that is the configured one."""

    __slots__ = ("_average_price",)

    def __init__(
        self, candles: Candles, config: Any, first: int, last: int, close_type: Any, average_price: float
    ) -> None:
        super().__init__(candles, config, first, last, close_type, None)
        self._average_price = average_price

    def at(self, row: int) -> State:
        """The same on every row."""
        return State(0.0, 0.0, 0.0, 0.0, self._average_price)

    def _build(self) -> Table:
        zeros = np.zeros(self.last - self.first + 1)
        return Table(zeros, zeros, zeros, zeros, np.full(len(zeros), self._average_price))


class Position(Trajectory):
    """A position executor that is filled at the close of `fill_row`."""

    __slots__ = ("_average_price", "_both_fees", "_filled", "_net_pnl_pct", "_side")

    def __init__(
        self,
        candles: Candles,
        config: Any,
        first: int,
        last: int,
        close_type: Any,
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
        kernels.add_position(
            *curve.rows(), self.candles.growth, self.fill_row, row, float(self._side), self._both_fees, self._filled,
            final_pnl, kept,
        )  # fmt: skip


class Stage:
    """One level of a DCA executor, as if it were the last one entered."""

    __slots__ = ("amount", "break_even", "close_type", "end", "entry")

    def __init__(self, entry: int, end: int, close_type: Any, amount: float, break_even: Any) -> None:
        self.entry = entry
        self.end = end
        #: None: the next level is entered before anything closes this one
        self.close_type = close_type
        self.amount = amount
        self.break_even = break_even


def stage_of(candles: Candles, config: Any, level: int, entry: int, last: int, break_even: Any, buys: bool) -> Stage:
    side = 1 if buys else -1
    is_last = level == len(config.prices) - 1
    trail_row = take_row = stop_row = next_row = -1
    if config.trailing_stop:
        activation = break_even * (1 + config.trailing_stop.activation_price * side)
        armed = candles.first_reached(entry, last, activation, falling=not buys)
        if armed >= 0:
            delta = config.trailing_stop.trailing_delta
            factor = float(1 - delta) if buys else float(1 + delta)
            trail_row = kernels.dca_trail_hit(candles.close, armed, last, float(side), factor)
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
    return Stage(entry, end, close_type, float(config.amounts_quote[level]), break_even)


class DCA(Trajectory):
    """A DCA executor all of whose levels are booked at `fill_row`."""

    __slots__ = ("_after", "_before", "_both_fees", "_side", "_stages")

    def __init__(
        self,
        candles: Candles,
        config: Any,
        first: int,
        last: int,
        close_type: Any,
        fill_row: int,
        *,
        stages: list[Stage],
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


class Grid(Trajectory):
    """A grid executor. Its rows are computed by one pass over its life, and again where they were released."""

    __slots__ = ("_life", "_limit_price", "_side", "_state", "fill_events", "level_prices", "tp_prices")

    def __init__(
        self,
        candles: Candles,
        config: Any,
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
        end, how, *columns, events = kernels.grid_life(*self._life)
        super().__init__(candles, config, first, end, CLOSE_TYPES[how], None)
        self._built = _grid_table(*columns)
        filled = np.flatnonzero(self._built.filled_amount_quote > 0)
        if len(filled):
            self.fill_row = first + int(filled[0])
        self._state = super().at(end)
        self.level_prices: list[float] = prices.tolist()
        self.tp_prices: list[float] = tp_prices.tolist()
        #: every fill of the executor's whole life, from its first row on, as upstream shows them
        self.fill_events: list[dict[str, Any]] = [
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
        return _grid_table(*kernels.grid_life(*self._life)[2:6])

    def custom_info(self, row: int, state: State) -> dict[str, Any]:
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


class Order(Trajectory):
    """An order executor that fills on its last row and ends there, keeping its position."""

    __slots__ = ("_state",)

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
