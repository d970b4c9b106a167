"""Grid executors under fills other than stock."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.compiled import compiled
from tasks.engine.executors._base import (
    CLOSE_TYPES,
    POSITION_HOLD,
    STOP_LOSS,
    TAKE_PROFIT,
    TIME_LIMIT,
    State,
    Table,
    Trajectory,
    fraction,
    side_of,
)
from tasks.engine.executors.honest import HonestTrajectory
from tasks.engine.fills.costs import Costs
from tasks.upstream.names import GridExecutorSimulator

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills

INF = math.inf


def honest(candles: Candles, first: int, config: Any, fills: RunFills) -> Trajectory | None:
    """A GridExecutorConfig: levels as upstream generates them."""
    barriers = config.triple_barrier_config
    last = candles.last_row(config, barriers.time_limit)
    if last < first:
        return None
    middle = Decimal(str(candles.close[first]))
    levels = GridExecutorSimulator._generate_grid_levels(config, middle, fills.rules_of(config))
    side = side_of(config)
    costs = fills.costs
    funding = fills.funding_per_base(config.trading_pair)
    prices = np.array([float(level.price) for level in levels])
    targets = prices * (1 + side * np.array([float(level.take_profit) for level in levels]))
    amounts = np.array([float(level.amount_quote) for level in levels])
    limit_price = float(config.limit_price) if config.limit_price else None
    life = (
        candles.open, candles.high, candles.low, candles.close, funding, first, last, side, prices, targets,
        amounts, float(config.end_price if side > 0 else config.start_price),
        math.nan if limit_price is None else limit_price, bool(config.keep_position),
        fraction(barriers.stop_loss), float(config.safe_extra_spread),
        bool(barriers.take_profit_order_type.is_limit_type()), costs.maker, costs.taker, costs.slippage,
    )  # fmt: skip
    return HonestGrid(
        candles, config, life, side=side, costs=costs, funding=funding, prices=prices,
        targets=targets, amounts=amounts, limit_price=limit_price,
    )  # fmt: skip


class HonestGrid(HonestTrajectory):
    """A grid executor. Its rows are computed by one pass over its life, and again where they were released."""

    __slots__ = ("_life", "_limit_price", "_rows", "_state", "fill_events", "level_prices", "tp_prices")

    def __init__(
        self, candles: Candles, config: Any, life: tuple[Any, ...],
        *, side: int, costs: Costs, funding: Floats, prices: Floats, targets: Floats, amounts: Floats,
        limit_price: float | None,
    ) -> None:  # fmt: skip
        """`life`: the arguments of grid_life."""
        first = life[5]
        last, how, columns, events = grid_life(*life)
        filled = np.flatnonzero(columns[5] > 0)
        super().__init__(
            candles, config, first, last, CLOSE_TYPES[how], first + int(filled[0]) if len(filled) else None,
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
            self._rows = grid_life(*self._life)[2]
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


@compiled
def grid_life(  # type: ignore[no-untyped-def]  # compiled
    open_,
    high,
    low,
    close,
    funding,
    first,
    last,
    side,
    prices,
    targets,
    amounts,
    exit_price,
    limit_price,
    keeps,
    stop_loss,
    extra,
    target_rests,
    maker,
    taker,
    slippage,
):
    """A grid: levels that rest, fill, wait for their target and rest again.

    `prices`, `targets`, `amounts`: float64, shape (levels,), entry, take-profit price and quote of each level;
    `funding`: quote one long base pays at a row's open, shape (n,); limit_price and stop_loss NaN where not set.

    Returns (last row, how, then float64 per row first .. last: pnl realised before fees, fees, funding paid, base open,
    its cost, quote traded so far; then events: float64 (k, 4) of row, level, 1 for an entry and 0 for a target, price).
    """
    n, levels = last - first + 1, len(prices)
    columns = np.zeros((6, n))
    events = np.empty((64, 4))
    happened = 0
    is_open = np.zeros(levels, dtype=np.bool_)
    entry, held = np.zeros(levels), np.zeros(levels)
    order = np.empty(levels)  # where each level rests, mirrored
    since = np.full(levels, -1)
    for level in range(levels):
        order[level] = resting_price(side * prices[level], side * close[first], close[first] * extra)
    realised = fees = paid = base = cost = traded = 0.0
    standing = 0  # levels that are open
    how, k = TIME_LIMIT, 0
    for row in range(first, last + 1):
        k = row - first
        closed, opened = side * close[row], side * open_[row]
        bottom = low[row] if side > 0 else -high[row]
        top = high[row] if side > 0 else -low[row]
        ended = False
        if row > first:
            if happened + 4 * levels > len(events):
                grown = np.empty((2 * len(events) + 4 * levels, 4))
                grown[:happened] = events[:happened]
                events = grown
            paid += side * base * funding[row]
            for turn in range(2):  # targets beyond the open, then entries and stops, then the other targets
                if turn == 1:
                    for level in range(levels):
                        if is_open[level] or since[level] == row or not bottom < order[level]:
                            continue
                        is_open[level], since[level] = True, row
                        entry[level] = side * order[level]
                        held[level] = amounts[level] / entry[level]
                        standing += 1
                        base += held[level]
                        cost += amounts[level]
                        traded += amounts[level]
                        fees += maker * amounts[level]
                        events[happened, 0], events[happened, 1] = row, level
                        events[happened, 2], events[happened, 3] = 1, entry[level]
                        happened += 1
                    stop = -INF
                    if base > 0 and not math.isnan(stop_loss):
                        stop = side * cost / base * (1 - side * stop_loss)
                    limit = -INF if math.isnan(limit_price) else side * limit_price
                    hit = max(stop, limit)
                    if bottom <= hit:
                        ended = True
                        how = POSITION_HOLD if keeps and limit >= stop and base > 0 else STOP_LOSS
                        if how == STOP_LOSS:
                            price = side * min(hit, opened) * (1 - side * slippage)
                            realised += side * (base * price - cost)
                            fees += taker * base * price
                            traded += base * price
                            base = cost = 0.0
                        break
                for level in range(levels):
                    if not is_open[level]:
                        continue
                    reached = opened
                    if turn == 1:
                        reached = closed if since[level] == row else top
                    elif since[level] == row:
                        continue
                    target = side * targets[level]
                    if not (target < reached or (not target_rests and target == reached)):
                        continue
                    price, fee = targets[level], maker
                    if not target_rests:
                        price, fee = targets[level] * (1 - side * slippage), taker
                    got = held[level] * price
                    realised += side * (got - amounts[level])
                    fees += fee * got
                    traded += got
                    base -= held[level]
                    cost -= amounts[level]
                    is_open[level], since[level] = False, row
                    standing -= 1
                    if standing == 0:
                        base = cost = 0.0  # no dust from the sums: its average would be a stop of its own
                    events[happened, 0], events[happened, 1] = row, level
                    events[happened, 2], events[happened, 3] = 0, price
                    happened += 1
            for level in range(levels):
                if not is_open[level] and since[level] == row:  # rests again from this close on
                    order[level] = resting_price(side * prices[level], closed, close[row] * extra)
        elif not math.isnan(limit_price) and closed <= side * limit_price:
            how, ended = STOP_LOSS, True
        if not ended:
            if closed > side * exit_price:
                how, ended = TAKE_PROFIT, True
            if (ended or row == last) and base > 0:
                price = close[row] * (1 - side * slippage)
                realised += side * (base * price - cost)
                fees += taker * base * price
                traded += base * price
                base = cost = 0.0
        columns[0, k], columns[1, k], columns[2, k] = realised, fees, paid
        columns[3, k], columns[4, k], columns[5, k] = base, cost, traded
        if ended:
            break
    return first + k, how, columns[:, : k + 1].copy(), events[:happened].copy()


@compiled
def resting_price(price, closed, extra):  # type: ignore[no-untyped-def]  # compiled
    """Where a grid's order rests, mirrored: at its level, or just off the market where that is beyond it.

    Upstream: GridExecutor._get_open_order_candidate.
    """
    return price if price < closed else closed - extra
