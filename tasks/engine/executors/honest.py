"""What executors share under fills other than stock: entries, the ladder of entries, and their lives row by row."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    TRAILING_STOP,
    State,
    Table,
    Trajectory,
    Unfilled,
    fraction,
    side_of,
)
from tasks.engine.fills.costs import Costs
from tasks.upstream.names import CloseType, OrderType

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills

INF = math.inf


def ladder(
    candles: Candles, first: int, last: int, config: Any, fills: RunFills,
    *, orders: list[tuple[Any, float, float]], take_profit: Any, stop_loss: Any, trailing: Any,
    target_rests: bool, before: float,
) -> Trajectory:  # fmt: skip
    """An executor that enters at one or more prices and closes whole: position and DCA.

    `orders`: (hummingbot OrderType, price, base) of each entry. `target_rests`: the take profit is a limit order.
    `before`: the average price to show before the first fill.
    """
    side, costs = side_of(config), fills.costs
    entries = [enter(candles, first, side, costs, *order) for order in orders]
    start = first + 1
    if all(entry.row < 0 for entry in entries):
        nearest = (max if side > 0 else min)(entry.price for entry in entries)
        start = traded_through(candles, start, last, side, nearest)
        if start < 0:
            return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, before)
    rows = np.array([entry.row for entry in entries])
    end, how, price = ladder_life(
        candles.open, candles.high, candles.low, candles.close, start, last, side,
        np.array([entry.price for entry in entries]), np.array([entry.base for entry in entries]), rows,
        fraction(take_profit), fraction(stop_loss),
        fraction(trailing.activation_price if trailing else None),
        fraction(trailing.trailing_delta if trailing else None), target_rests,
    )  # fmt: skip
    filled = [entry._replace(row=int(row)) for entry, row in zip(entries, rows, strict=True) if row >= 0]
    resting = how == TAKE_PROFIT and target_rests
    exit_ = Exit(price, costs.maker) if resting else Exit(costs.taken(-side, price), costs.taker)
    return Ladder(
        candles, config, first, end, CLOSE_TYPES[how], side=side, costs=costs,
        funding=fills.funding_per_base(config.trading_pair), fills=filled, exit_=exit_, before=before,
    )  # fmt: skip


def enter(candles: Candles, first: int, side: int, costs: Costs, order_type: Any, price: float, base: float) -> Fill:
    """An entry placed at a row's close: filled there as taker, or with row -1 where it rests."""
    close = float(candles.close[first])
    through = side * price > side * close
    if not order_type.is_limit_type():
        price = costs.taken(side, close)
    elif not through or order_type == OrderType.LIMIT_MAKER:
        price = close if through else price
        return Fill(-1, base, price, costs.maker * base * price)
    else:
        price = side * min(side * price, side * costs.taken(side, close))
    return Fill(first, base, price, costs.taker * base * price)


def traded_through(candles: Candles, first: int, last: int, side: int, price: float) -> int:
    """The first row in first .. last that trades beyond a resting order's price; or -1."""
    beyond = math.nextafter(price, -math.inf if side > 0 else math.inf)
    return candles.first_touched(first, last, beyond, falling=side > 0)


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


@compiled
def ladder_life(  # type: ignore[no-untyped-def]  # compiled
    open_,
    high,
    low,
    close,
    start,
    last,
    side,
    prices,
    bases,
    fill_rows,
    take_profit,
    stop_loss,
    activation,
    delta,
    target_rests,
):
    """An executor that enters at one or more prices and closes whole: position and DCA.

    Looks at the rows start .. last. `prices`, `bases`: float64, shape (levels,), what each level pays and gets.
    `fill_rows`: int64, shape (levels,), -1 for a level that rests, or the row on which it has filled; written to.
    take_profit, stop_loss, activation, delta: fractions, NaN where not set; the stop loss holds once all levels are
    filled. `target_rests`: the take profit is a limit order.

    Returns (last row, how, price of the exit before slippage; NaN where nothing was filled).
    """
    levels = len(prices)
    base = cost = 0.0
    resting = 0
    for level in range(levels):
        if fill_rows[level] >= 0:
            base += bases[level]
            cost += bases[level] * prices[level]
        else:
            resting += 1
    armed = False
    trigger = -INF
    for row in range(start, last + 1):
        opened, closed = side * open_[row], side * close[row]
        bottom = low[row] if side > 0 else -high[row]
        top = high[row] if side > 0 else -low[row]
        if base > 0:
            target = cost / base * (1 + side * take_profit)
            if side * target < opened or (not target_rests and side * target == opened):
                return row, TAKE_PROFIT, target
        entered = False
        if resting > 0:
            for level in range(levels):
                if fill_rows[level] < 0 and bottom < side * prices[level]:
                    fill_rows[level] = row
                    base += bases[level]
                    cost += bases[level] * prices[level]
                    resting -= 1
                    entered = True
        if base == 0:
            continue
        average = cost / base
        stop = -INF
        if resting == 0 and not math.isnan(stop_loss):
            stop = side * average * (1 - side * stop_loss)
        trail = side * average * (1 + side * trigger) if armed else -INF
        level_hit = max(stop, trail)
        if bottom <= level_hit:
            return row, TRAILING_STOP if trail > stop else STOP_LOSS, side * min(level_hit, opened)
        target = average * (1 + side * take_profit)
        reached = closed if entered else top
        if side * target < reached or (not target_rests and side * target == reached):
            return row, TAKE_PROFIT, target
        gain = side * (close[row] / average - 1)
        if gain > activation:
            armed = True
        if armed:
            trigger = max(trigger, gain - delta)
    return last, TIME_LIMIT, close[last] if base > 0 else math.nan


@compiled
def chased_row(high, low, close, first, last, side, distance, threshold):  # type: ignore[no-untyped-def]  # compiled
    """An order that rests at a distance from the close and is renewed when the close has moved away.

    Returns (row of its fill or -1, its price). Upstream: OrderExecutor.control_limit_chaser.
    """
    price = close[first] * (1 - side * distance)
    for row in range(first + 1, last + 1):
        if (low[row] < price) if side > 0 else (high[row] > price):
            return row, price
        if side * (close[row] - price) > close[row] * threshold:
            price = close[row] * (1 - side * distance)
    return -1, price
