"""What the simulation of an executor returns: its whole life, from the row of its creation to the row of its end.

An executor is simulated once, when it is created, over the candles from then on. What it is worth on a row is
computed when someone asks for that row, because most executors are never looked at between creation and end.

What the engines rely on, whatever the kind of executor and the fills:

- `first` is the row handed to the simulation; `first <= last < len(candles)`.
- The executor runs on the rows first .. last - 1 and has ended on row `last`, with `close_type`. An engine sees the
  end on row `last`, or on the row after `first` when both are one. It may stop the executor on any row before that.
- `filled_amount_quote` is above 0 from `fill_row` to the row before `last`, and 0 before `fill_row`; None means 0 on
  every row. On row `last` it may be 0 again (a grid that hands its open levels over to a held position).
- `close_type` FAILED means that the engine forgets the executor, as upstream does.
- Before `fill_row` every number but `average_price` is 0.
- All numbers are finite; a simulation that would give another raises `NotReproduced`, and the stock engine runs.
- `config` (hummingbot's, or a `LazyPositionConfig`) is kept as it is and read when an ExecutorInfo is built, as
  upstream does. Between an executor's end and that moment it may be put away (see tasks.engine.jump.compact): nothing
  but `custom_info` and a late `at` or `table` happens then.
- A simulation never writes into the candles.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.equity import EquityCurve, linear_exposure
from tasks.upstream.names import (
    CloseType,
    ExecutorConfigBase,
    ExecutorSimulation,
    TradeType,
)

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

    from tasks.engine.fills.run import RunFills

#: How an executor ended, as the compiled loops say it.
TIME_LIMIT, TAKE_PROFIT, STOP_LOSS, TRAILING_STOP, POSITION_HOLD, LIQUIDATED, EXPIRED = range(7)
#: The same in hummingbot's words, which have none for a position that lost its margin.
CLOSE_TYPES = {
    TIME_LIMIT: CloseType.TIME_LIMIT,
    TAKE_PROFIT: CloseType.TAKE_PROFIT,
    STOP_LOSS: CloseType.STOP_LOSS,
    TRAILING_STOP: CloseType.TRAILING_STOP,
    POSITION_HOLD: CloseType.POSITION_HOLD,
    LIQUIDATED: CloseType.STOP_LOSS,
    EXPIRED: CloseType.EXPIRED,
}
#: What a compiled loop takes for a barrier that is not set.
NOT_SET = math.nan


class NotReproduced(Exception):
    """This run holds something the jump-ahead engine does not reproduce; the message says what. Not for users."""


class State(NamedTuple):
    """An executor on one row, floats; the columns of upstream's executor_simulation frame."""

    net_pnl_pct: float
    net_pnl_quote: float
    cum_fees_quote: float
    filled_amount_quote: float
    #: upstream's current_position_average_price
    average_price: float


class Table(NamedTuple):
    """An executor on the rows first .. last, float64 arrays of shape (last - first + 1,)."""

    net_pnl_pct: Floats
    net_pnl_quote: Floats
    cum_fees_quote: Floats
    filled_amount_quote: Floats
    average_price: Floats


class Fill(NamedTuple):
    """A trade of an executor."""

    #: the engine's row in which it happened
    row: int
    #: open time of the candle in which it happened, seconds: the finest there is
    time: float
    #: base; positive for an entry, negative for what ends it
    base: float
    #: quote per base, slippage included
    price: float
    #: quote
    fee: float
    is_maker: bool
    #: what the base given up by an exit had cost, quote; 0 for an entry
    cost: float
    #: number of the level of a DCA or a grid
    level: int


class Trajectory:
    """One simulated executor. Subclasses give `_build`, and `at` where a single row is cheaper than the table."""

    __slots__ = ("_built", "candles", "close_type", "config", "fill_row", "first", "last")

    #: whether filled_amount_quote counts the exit too on the last row of an executor that closed by itself
    doubles_last_row = True

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        close_type: CloseType,
        fill_row: int | None,
    ) -> None:
        self.candles = candles
        self.config = config
        self.first = first
        self.last = last
        #: hummingbot CloseType
        self.close_type = close_type
        self.fill_row = fill_row
        self._built: Table | None = None

    @abstractmethod
    def _build(self) -> Table:
        """The rows first .. last. Called once."""

    def table(self) -> Table:
        """The rows first .. last; not to be written to."""
        if self._built is None:
            self._built = self._build()
        return self._built

    def at(self, row: int) -> State:
        """The executor on a row, first <= row <= last."""
        pct, pnl, fees, filled, price = self._built or self.table()
        k = row - self.first
        return State(pct.item(k), pnl.item(k), fees.item(k), filled.item(k), price.item(k))

    def stopped(self, row: int, *, keep: bool) -> State:
        """What a stop on a row leaves, by itself or (`keep`) as a held position. Stock fills have booked both fees."""
        return self.at(row)

    def add_to(self, curve: EquityCurve, row: int, final_pnl: float, *, kept: bool) -> None:
        """Add an executor that filled something to the equity curve; it ended or was stopped on `row`.

        `final_pnl`: its net_pnl_quote there. `kept`: what it holds becomes a held position.
        """
        value, traded = self.exposure(row, closes=not kept)
        pnl = np.append(self.table().net_pnl_quote[: row - self.first], final_pnl)
        curve.add_executor(self.first, pnl, value, traded, kept=kept)

    def release(self) -> None:
        """Forget the table: the executor has ended and its last state is kept elsewhere."""
        self._built = None

    def filled_at(self, row: int) -> bool:
        """Whether anything was filled on a row or before."""
        return self.fill_row is not None and row >= self.fill_row

    def fills(self, end: int) -> list[Fill] | None:
        """The fills of an executor that ended or was stopped on row `end`; None: its ExecutorInfo says all there is."""
        return [] if self.fill_row is None else None

    def custom_info(self, row: int, state: State) -> dict[str, object]:
        """A fresh dict: upstream's ExecutorSimulation.get_custom_info."""
        candles, config = self.candles, self.config
        moved = self.fill_row if self.fill_row is not None and state.filled_amount_quote > 0 else row
        return {
            "close_price": candles.close[row],
            "level_id": config.level_id,
            "side": config.side,
            "current_position_average_price": np.float64(state.average_price),
            "open_order_last_update": float(candles.timestamp[moved]),
        }

    def exposure(self, end: int, *, closes: bool) -> tuple[Floats, Floats]:
        """(position value, quote traded) on the rows first .. end, for tasks.engine.equity; see linear_exposure.

        `closes`: what is held on row `end` is sold there; otherwise it is kept.
        """
        table, k = self.table(), end - self.first + 1
        cost = table.filled_amount_quote[:k].copy()
        if end == self.last and self.doubles_last_row:
            cost[-1] /= 2
        return linear_exposure(
            side_of(self.config), cost, table.net_pnl_quote[:k], table.cum_fees_quote[:k], closes=closes
        )


class Unfilled(Trajectory):
    """An executor on whose rows nothing is ever filled: zeros, and an average price that is the configured one."""

    __slots__ = ("_average_price",)

    def __init__(
        self,
        candles: Candles,
        config: ExecutorConfigBase,
        first: int,
        last: int,
        close_type: CloseType,
        average_price: float,
    ) -> None:
        super().__init__(candles, config, first, last, close_type, None)
        self._average_price = average_price

    def at(self, row: int) -> State:
        """The same on every row."""
        return State(0.0, 0.0, 0.0, 0.0, self._average_price)

    def _build(self) -> Table:
        zeros = np.zeros(self.last - self.first + 1)
        return Table(zeros, zeros, zeros, zeros, np.full(len(zeros), self._average_price))


#: (candles, row of the creation, hummingbot's executor config, the run's fills) -> its life; None where the window
#: holds no row, and the engine forgets the executor. Raises what upstream's simulator raises for that config.
Simulation = Callable[[Candles, int, ExecutorConfigBase, "RunFills"], Trajectory | None]


def stock_exposure(
    simulation: ExecutorSimulation, frame: pd.DataFrame, side: int, *, closes: bool
) -> tuple[Floats, Floats]:
    """(position value, quote traded) per row of upstream's simulation of an executor that enters once and closes whole.

    `frame`: the rows of `simulation.executor_simulation` that it lived.
    """
    cost = frame["filled_amount_quote"].to_numpy(dtype=np.float64).copy()
    if len(frame) == len(simulation.executor_simulation):
        cost[-1] /= 2  # upstream doubles the last row of an executor that closed by itself
    return undoubled_exposure(frame, cost, side, closes=closes)


def undoubled_exposure(frame: pd.DataFrame, cost: Floats, side: int, *, closes: bool) -> tuple[Floats, Floats]:
    """The same, with what was paid for what is held, shape (rows of the frame,)."""
    pnl = frame["net_pnl_quote"].to_numpy(dtype=np.float64)
    fees = frame["cum_fees_quote"].to_numpy(dtype=np.float64)
    return linear_exposure(side, cost, pnl, fees, closes=closes)


@dataclass(frozen=True)
class ExecutorKind:
    """All that is known of one kind of executor."""

    #: hummingbot's config class
    config: type[BaseModel]
    #: upstream's simulator on arrays, to the last bit
    stock: Simulation
    #: the simulation with any other fills, see tasks.engine.fills
    honest: Simulation
    #: (price, base) of the entries of a config, as far as they have a price of their own
    orders: Callable[[ExecutorConfigBase], list[tuple[Decimal, Decimal]]]
    #: (simulation, rows it lived, 1 bought or -1 sold, closes=) -> (position value, quote traded) per row, of upstream
    stock_exposure: Callable[..., tuple[Floats, Floats]] = stock_exposure


def side_of(config: ExecutorConfigBase) -> int:
    """1 for an executor that buys first, -1 for one that sells first."""
    return 1 if config.side == TradeType.BUY else -1


def fraction(value: Any) -> float:
    """A barrier as a float; NOT_SET for None and 0, which upstream takes as not set."""
    return float(value) if value else NOT_SET
