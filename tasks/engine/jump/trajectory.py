"""What a simulator returns: one executor's whole life, from the row of its creation to the row on which it ends.

An executor is simulated once, when it is created, over the candles from then on. What it is worth on a row is
computed when someone asks for that row, because most executors are never looked at between creation and end.

What the engine relies on (a second set of simulators keeps to it too):

- `first` is the row handed to the simulator; `first <= last < len(candles)`.
- The executor runs on the rows first .. last - 1 and has ended on row `last`, with `close_type`. The engine sees the
  end on row `last`, or on the row after `first` when both are one. It may stop the executor on any row before that.
- `filled_amount_quote` is above 0 from `fill_row` to the row before `last`, and 0 before `fill_row`; None means 0 on
  every row. On row `last` it may be 0 again (a grid that hands its open levels over to a held position).
- `close_type` FAILED means that the engine forgets the executor, as upstream does.
- Before `fill_row` every number but `average_price` is 0.
- All numbers are finite; a simulator that would give another raises `NotReproduced`, and the stock engine runs.
- `config` (hummingbot's, or an `LazyPositionConfig`) is kept as it is and read when an ExecutorInfo is built, as
upstream does.
  Between an executor's end and that moment it may be put away (see `frozen`): nothing but `custom_info` and a late `at`
  or `table` happens then.
- Simulators keep no state between calls and never write into the candles.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Protocol

import numpy as np

from tasks.engine.equity import EquityCurve, linear_exposure
from tasks.engine.jump.candles import Candles, Floats


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


class Trajectory:
    """One simulated executor. Subclasses give `_build`, and `at` where a single row is cheaper than the table."""

    __slots__ = ("_built", "candles", "close_type", "config", "fill_row", "first", "last")

    def __init__(
        self, candles: Candles, config: Any, first: int, last: int, close_type: Any, fill_row: int | None
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

    def custom_info(self, row: int, state: State) -> dict[str, Any]:
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
        if end == self.last and self.config.type != "order_executor":
            cost[-1] /= 2  # the simulators double the last row
        side = 1 if self.config.side.name == "BUY" else -1
        return linear_exposure(side, cost, table.net_pnl_quote[:k], table.cum_fees_quote[:k], closes=closes)


class Simulators(Protocol):
    """One method per kind of executor. None: the window holds no row, and upstream forgets the executor.

    `first` is the row of the creation, `config` hummingbot's executor config, `trade_cost` a fraction per side.
    They raise what upstream's simulators raise for that config.
    """

    def funding_per_base(self, candles: Candles, pair: str) -> Floats | None:
        """Quote that one long base of a held position pays when a row opens, shape (n,); None: nothing is paid."""
        ...

    def position(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """A PositionExecutorConfig."""
        ...

    def dca(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """A DCAExecutorConfig."""
        ...

    def grid(
        self, candles: Candles, first: int, config: Any, trade_cost: float, trading_rules: Any
    ) -> Trajectory | None:
        """A GridExecutorConfig. `trading_rules`: hummingbot's TradingRule of the pair, or None."""
        ...

    def order(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """An OrderExecutorConfig."""
        ...
