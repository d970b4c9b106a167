"""What an executor is worth, row by row, once its fills are known."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tasks.engine.fills import kernels
from tasks.engine.fills.costs import Costs
from tasks.engine.jump.candles import Candles, Floats
from tasks.engine.jump.trajectory import State, Table, Trajectory


class Fill(NamedTuple):
    """An entry."""

    row: int
    #: base bought or sold, above 0
    base: float
    #: quote per base, slippage included
    price: float
    #: quote
    fee: float


@dataclass(frozen=True)
class Exit:
    """How the last row ends what is held."""

    #: quote per base, slippage included
    price: float
    #: fraction of the quote amount
    cost: float


class HonestTrajectory(Trajectory):
    """What Ladder and HonestGrid share: what it takes to leave early."""

    __slots__ = ("_costs", "_funding", "_side")

    def __init__(
        self, candles: Candles, config: Any, first: int, last: int, close_type: Any, fill_row: int | None,
        *, side: int, costs: Costs, funding: Floats,
    ) -> None:  # fmt: skip
        super().__init__(candles, config, first, last, close_type, fill_row)
        self._side = side
        self._costs = costs
        self._funding = funding

    def stopped(self, row: int, *, keep: bool) -> State:
        """The state that a stop on a row leaves: what is open is sold at the close, or kept at what it has cost.

        A kept executor's pnl is never booked; what it has gained and paid travels in the average price and the fees.
        """
        # What fills on the row that creates it may have ended there, and can still be stopped or kept on that row.
        sold = row == self.last and not keep and not self.hands_over
        if sold or not self.filled_at(row):
            return self.at(row)
        state, base, cost, realised, funding = self.open_at(row)
        if keep:
            if base == 0:  # nothing to keep: it ends as any other stop
                return state._replace(filled_amount_quote=0.0)
            return self._kept(base, cost, realised, state.cum_fees_quote + funding)
        close = float(self.candles.close[row])
        price = self._costs.taken(-self._side, close)
        fee = self._costs.taker * base * price
        pnl = state.net_pnl_quote + self._side * base * (price - close) - fee
        volume = state.filled_amount_quote + base * price
        return State(pnl / state.filled_amount_quote, pnl, state.cum_fees_quote + fee, volume, state.average_price)

    def _kept(self, base: float, cost: float, realised: float, paid: float) -> State:
        """What is handed over to a held position: `base` at such a price that its later pnl contains `realised`.

        Where that would leave no price, what is above 99% of the cost goes into the fees instead.
        """
        moved = min(self._side * realised, 0.99 * cost)
        paid -= realised - self._side * moved
        return State(0.0, 0.0, paid, cost - moved, (cost - moved) / base)

    @property
    def hands_over(self) -> bool:
        """Whether all that is held on the last row becomes a held position: an order's."""
        return False

    @abstractmethod
    def open_at(self, row: int) -> tuple[State, float, float, float, float]:
        """(state, base open, its cost in quote, pnl realised before fees, funding paid) on a row, before its exit."""


class Ladder(HonestTrajectory):
    """Entries at one or more prices, closed whole on the last row or kept there: position, DCA and order executors."""

    __slots__ = ("_before", "_exit", "_fills", "_paid")

    def __init__(
        self, candles: Candles, config: Any, first: int, last: int, close_type: Any,
        *, side: int, costs: Costs, funding: Floats, fills: list[Fill], exit_: Exit | None, before: float,
    ) -> None:  # fmt: skip
        """`exit_` None: kept. `before`: the average price to show before the first fill."""
        fills.sort()
        super().__init__(
            candles, config, first, last, close_type, fills[0].row, side=side, costs=costs, funding=funding
        )
        self._fills = fills
        self._exit = exit_
        self._before = before

    @property
    def hands_over(self) -> bool:
        """See HonestTrajectory."""
        return self._exit is None

    def open_at(self, row: int) -> tuple[State, float, float, float, float]:
        """See HonestTrajectory."""
        base = cost = fees = funding = 0.0
        for fill in self._fills:
            if fill.row > row:
                break
            base += fill.base
            cost += fill.base * fill.price
            fees += fill.fee
            # Paid at the opens after the fill; at most a few moments a day.
            funding += self._side * fill.base * float(self._funding[fill.row + 1 : row + 1].sum())
        if base == 0:
            return State(0.0, 0.0, 0.0, 0.0, self._before), 0.0, 0.0, 0.0, 0.0
        pnl = self._side * (base * float(self.candles.close[row]) - cost) - fees - funding
        return State(pnl / cost, pnl, fees, cost, cost / base), base, cost, 0.0, funding

    def at(self, row: int) -> State:
        """One row, without the table."""
        state, base, cost, _, funding = self.open_at(row)
        if row < self.last:
            return state
        if self._exit is None:
            return self._kept(base, cost, 0.0, state.cum_fees_quote + funding)
        got = base * self._exit.price
        fees = state.cum_fees_quote + self._exit.cost * got
        pnl = self._side * (got - cost) - fees - funding
        return State(pnl / cost, pnl, fees, cost + got, cost / base)

    def exposure(self, end: int, *, closes: bool) -> tuple[Floats, Floats]:
        """See Trajectory."""
        base, _, traded, _, _ = self._columns(end)
        value = self._side * base * self.candles.close[self.first : end + 1]
        if closes:
            if end == self.last and self._exit is not None:
                price = self._exit.price
            else:
                price = self._costs.taken(-self._side, float(self.candles.close[end]))
            traded[-1] += base[-1] * price
        return value, traded

    def _columns(self, end: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """(base, cost, quote traded, fees, funding paid) on the rows first .. end, without the exit."""
        base, cost, traded, fees, funding = np.zeros((5, end - self.first + 1))
        for fill in self._fills:
            if fill.row > end:
                break
            k = fill.row - self.first
            base[k:] += fill.base
            cost[k:] += fill.base * fill.price
            traded[k] += fill.base * fill.price
            fees[k:] += fill.fee
            funding[k + 1 :] += self._side * fill.base * np.cumsum(self._funding[fill.row + 1 : end + 1])
        return base, cost, traded, fees, funding

    def _build(self) -> Table:
        base, cost, _, fees, funding = self._columns(self.last)
        pnl = self._side * (base * self.candles.close[self.first : self.last + 1] - cost) - fees - funding
        pct, average = np.zeros(len(base)), np.full(len(base), self._before)
        np.divide(pnl, cost, out=pct, where=cost > 0)
        np.divide(cost, base, out=average, where=base > 0)
        table = Table(pct, pnl, fees, cost, average)
        for column, value in zip(table, self.at(self.last), strict=True):
            column[-1] = value
        return table


class HonestGrid(HonestTrajectory):
    """A grid executor. Its rows are computed by one pass over its life, and again where they were released."""

    __slots__ = ("_life", "_limit_price", "_rows", "_state", "fill_events", "level_prices", "tp_prices")

    def __init__(
        self, candles: Candles, config: Any, life: tuple[Any, ...], close_types: dict[int, Any],
        *, side: int, costs: Costs, funding: Floats, prices: Floats, targets: Floats, amounts: Floats,
        limit_price: float | None,
    ) -> None:  # fmt: skip
        """`life`: the arguments of kernels.grid_life."""
        first = life[5]
        last, how, columns, events = kernels.grid_life(*life)
        filled = np.flatnonzero(columns[5] > 0)
        super().__init__(
            candles, config, first, last, close_types[how], first + int(filled[0]) if len(filled) else None,
            side=side, costs=costs, funding=funding,
        )  # fmt: skip
        self._life = life
        self._rows: Floats | None = columns
        self._limit_price = limit_price
        self.level_prices: list[float] = prices.tolist()
        self.tp_prices: list[float] = targets.tolist()
        #: every fill of the executor's whole life, in the form of upstream's simulator
        self.fill_events: list[dict[str, Any]] = [
            {
                "timestamp": float(candles.timestamp[int(row)]),
                "price": price,
                "side": "entry" if is_entry else "tp",
                "level_idx": int(level),
                "amount_quote": float(amounts[int(level)]),
            }
            for row, level, is_entry, price in events.tolist()
        ]
        self._state = self._ending()

    def open_at(self, row: int) -> tuple[State, float, float, float, float]:
        """See HonestTrajectory."""
        k = row - self.first
        realised, _, paid, base, cost, _ = (float(column[k]) for column in self._lived())
        return self.at(row), base, cost, realised, paid

    def at(self, row: int) -> State:
        """One row; the last one without the table."""
        return self._state if row == self.last else super().at(row)

    def release(self) -> None:
        """Forget the rows too."""
        super().release()
        self._rows = None

    def custom_info(self, row: int, state: State) -> dict[str, Any]:
        """GridExecutorSimulation.get_custom_info, with the fills up to the row: upstream tells those to come too."""
        now = self.candles.timestamp[row]
        return {
            **super().custom_info(row, state),
            "fill_events": [event for event in self.fill_events if event["timestamp"] <= now],
            "grid_level_prices": self.level_prices,
            "grid_tp_prices": self.tp_prices,
            "grid_side": self.config.side.name,
            "grid_limit_price": self._limit_price,
        }

    def exposure(self, end: int, *, closes: bool) -> tuple[Floats, Floats]:
        """See Trajectory."""
        rows = self._lived()[:, : end - self.first + 1]
        value = self._side * rows[3] * self.candles.close[self.first : end + 1]
        traded = np.diff(rows[5], prepend=0.0)
        if closes and end < self.last:
            traded[-1] += rows[3, -1] * self._costs.taken(-self._side, float(self.candles.close[end]))
        return value, traded

    def _lived(self) -> Floats:
        if self._rows is None:
            self._rows = kernels.grid_life(*self._life)[2]
        return self._rows

    def _ending(self) -> State:
        """The last row: what is left open is kept, with what the grid has gained and paid in its price and fees."""
        state = super().at(self.last)
        k = self.last - self.first
        realised, fees, paid, base, cost, _ = (float(column[k]) for column in self._lived())
        if base == 0:
            return state
        return self._kept(base, cost, realised, fees + paid)

    def _build(self) -> Table:
        realised, fees, paid, base, cost, traded = self._lived()
        close = self.candles.close[self.first : self.last + 1]
        pnl = realised + self._side * (base * close - cost) - fees - paid
        pct, average = np.zeros(len(base)), np.zeros(len(base))
        np.divide(pnl, traded, out=pct, where=traded > 0)
        np.divide(cost, base, out=average, where=base > 0)
        return Table(pct, pnl, fees.copy(), traded.copy(), average)
