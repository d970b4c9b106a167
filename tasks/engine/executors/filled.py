"""What an executor is worth, row by row, once its fills are known: under all fills other than stock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.engine.candles import Floats
from tasks.engine.executors._base import Fill, State, Table, Trajectory, side_of
from tasks.engine.executors.matching import BASE, CANDLE, COST, LEVEL, MAKER, PRICE

if TYPE_CHECKING:
    from tasks.engine.fills.run import RunFills
    from tasks.upstream.names import CloseType, ExecutorConfigBase


class Sums(NamedTuple):
    """What a list of fills adds up to; base, and quote."""

    base: float
    #: what `base` has cost
    cost: float
    #: all that was ever entered, and what it cost
    entered_base: float
    entered_cost: float
    #: pnl of exits, before fees and funding
    realised: float
    fees: float
    funding: float
    #: entries and exits
    traded: float


#: Before the first fill.
NOTHING = Sums(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Filled(Trajectory):
    """An executor with its fills."""

    __slots__ = ("_before", "_between", "_ending", "_fills", "_funding", "_keeps", "_run", "_side", "_stop")

    #: net_pnl_pct is the pnl over all that was traded, not over all that was entered
    per_traded = False

    def __init__(
        self, first: int, last: int, config: ExecutorConfigBase, close_type: CloseType,
        *, run: RunFills, fills: list[Fill], keeps: bool, before: float,
    ) -> None:  # fmt: skip
        """`keeps`: what is held on the last row becomes a held position. `before`: the average price to show before
        the first fill."""
        super().__init__(run.candles, config, first, last, close_type, fills[0].row)
        self._run = run
        self._side = side_of(config)
        self._fills = fills
        self._keeps = keeps
        self._before = before
        self._funding = run.funding_per_base(config.trading_pair)
        self._stop: Fill | None = None
        self._ending: State | None = None
        #: sums without funding, and the rows from .. until for which they hold: between two fills
        self._between: tuple[int, float, Sums] = (0, -1, NOTHING)

    def at(self, row: int) -> State:
        """One row, without the table."""
        if row < self.last:
            return self._state(row, self._sums(row))
        if self._ending is None:
            sums = self._sums(row)
            self._ending = self._kept(sums) if self._keeps and sums.base > 0 else self._state(row, sums)
        return self._ending

    def stopped(self, row: int, *, keep: bool) -> State:
        """The state that a stop on a row leaves: what is open is sold at the close, or kept at what it has cost.

        A kept executor's pnl is never booked; what it has gained and paid travels in the average price and the fees.
        """
        self._give_back(row)
        if not self.filled_at(row):
            return self.at(row)
        sums = self._sums(row)
        if keep:
            # what ends on the row that creates it can still be kept there, and then was not sold
            closed = self._fills[-1] if row == self.last and self._fills[-1].base < 0 and not self._keeps else None
            if closed is not None and closed.level < 0:
                self._take_only(self._fills[:-1])
                sums = self._sums(row)
            if sums.base == 0:  # nothing to keep: it ends as any other stop
                return self._state(row, sums)._replace(filled_amount_quote=0.0)
            return self._kept(sums)
        if sums.base == 0 and row == self.last:
            return self.at(row)
        close = float(self.candles.close[row])
        price = self._run.costs.taken(-self._side, close)
        fee = self._run.costs.taker * sums.base * price
        self._stop = Fill(row, float(self.candles.timestamp[row]), -sums.base, price, fee, False, sums.cost, -1)
        return self._state(row, _with(sums, self._stop, self._side))

    def fills(self, end: int) -> list[Fill]:
        """The fills up to a row on which it has ended or was stopped."""
        happened = [fill for fill in self._fills if fill.row <= end]
        return happened if self._stop is None else [*happened, self._stop]

    def exposure(self, end: int, *, closes: bool) -> tuple[Floats, Floats]:
        """See Trajectory."""
        base, _, _, _, traded = self._columns(end)
        value = self._side * base * self.candles.close[self.first : end + 1]
        volume = np.diff(traded, prepend=0.0)
        if closes and base[-1] > 0:
            volume[-1] += base[-1] * self._run.costs.taken(-self._side, float(self.candles.close[end]))
        return value, volume

    def _kept(self, sums: Sums) -> State:
        """What is handed over to a held position: its base at such a price that its later pnl contains the realised.

        Where that would leave no price, what is above 99% of the cost goes into the fees instead.
        """
        moved = min(self._side * sums.realised, 0.99 * sums.cost)
        paid = sums.fees + sums.funding - (sums.realised - self._side * moved)
        return State(0.0, 0.0, paid, sums.cost - moved, (sums.cost - moved) / sums.base)

    def _state(self, row: int, sums: Sums) -> State:
        if sums.entered_base == 0:
            return State(0.0, 0.0, 0.0, 0.0, self._before)
        open_pnl = self._side * (sums.base * float(self.candles.close[row]) - sums.cost)
        pnl = sums.realised + open_pnl - sums.fees - sums.funding
        over = sums.traded if self.per_traded else sums.entered_cost
        return State(pnl / over, pnl, sums.fees, sums.traded, self._average(sums))

    def _average(self, sums: Sums) -> float:
        return sums.entered_cost / sums.entered_base

    def _sums(self, row: int) -> Sums:
        """Over the fills up to a row, with the funding paid until then."""
        if self._funding is not None:
            return self._sums_and_funding(row, self._funding)
        since, until, sums = self._between
        if since <= row < until:
            return sums
        since, until, sums = self.first, math.inf, NOTHING
        for fill in self._fills:
            if fill.row > row:
                until = fill.row
                break
            sums, since = _with(sums, fill, self._side), fill.row
        self._between = (since, until, sums)
        return sums

    def _sums_and_funding(self, row: int, rates: Floats) -> Sums:
        sums, funding, since = NOTHING, 0.0, 0
        for fill in self._fills:
            if fill.row > row:
                break
            if sums.base > 0:
                funding += self._side * sums.base * float(rates[since + 1 : fill.row + 1].sum())
            sums, since = _with(sums, fill, self._side), fill.row
        if sums.base > 0:
            funding += self._side * sums.base * float(rates[since + 1 : row + 1].sum())
        return sums._replace(funding=funding)

    def _columns(self, end: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """(base held, its cost, pnl realised, fees, quote traded) on the rows first .. end."""
        columns = np.zeros((5, end - self.first + 1))
        for fill in self._fills:
            if fill.row > end:
                break
            k, quote = fill.row - self.first, abs(fill.base) * fill.price
            columns[0, k] += fill.base
            columns[1, k] += quote if fill.base > 0 else -fill.cost
            columns[2, k] += 0.0 if fill.base > 0 else self._side * (quote - fill.cost)
            columns[3, k] += fill.fee
            columns[4, k] += quote
        base, cost, realised, fees, traded = np.cumsum(columns, axis=1)
        dust = base < 1e-12 * max(base.max(), 1e-300)  # sums of what was bought and sold again
        base[dust] = cost[dust] = 0.0
        return base, cost, realised, fees, traded

    def _build(self) -> Table:
        base, cost, realised, fees, traded = self._columns(self.last)
        close = self.candles.close[self.first : self.last + 1]
        pnl = realised + self._side * (base * close - cost) - fees
        if self._funding is not None:
            paid = self._side * base[:-1] * self._funding[self.first + 1 : self.last + 1]
            pnl[1:] -= np.cumsum(paid)
        entered = self._entered()
        over = traded if self.per_traded else entered[1]
        pct, average = np.zeros(len(base)), np.full(len(base), self._before)
        np.divide(pnl, over, out=pct, where=over > 0)
        if self.per_traded:
            np.divide(cost, base, out=average, where=base > 0)
        else:
            np.divide(entered[1], entered[0], out=average, where=entered[0] > 0)
        table = Table(pct, pnl, fees, traded, average)
        for column, value in zip(table, self.at(self.last), strict=True):
            column[-1] = value
        return table

    def _entered(self) -> Floats:
        entered = np.zeros((2, self.last - self.first + 1))
        for fill in self._fills:
            if fill.base > 0:
                entered[0, fill.row - self.first] += fill.base
                entered[1, fill.row - self.first] += fill.base * fill.price
        return np.asarray(np.cumsum(entered, axis=1))

    def _give_back(self, row: int) -> None:
        """Volume of the candles that this executor would have taken after its stop is there for others again."""
        path, used = self._run.path, self._run.used
        for fill in self._fills:
            if fill.is_maker and fill.row > row:
                candle = int(path.time.searchsorted(fill.time))
                buys = (fill.base > 0) == (self._side > 0)
                used[0 if buys else 1, candle] -= abs(fill.base)
        if self._fills and self._fills[-1].row > row:
            self._take_only([fill for fill in self._fills if fill.row <= row])

    def _take_only(self, fills: list[Fill]) -> None:
        """These fills happened, and no others."""
        self._fills, self._between = fills, (0, -1, NOTHING)


def fills_of(events: Floats, first: int, run: RunFills) -> list[Fill]:
    """The events of a compiled loop (see tasks.engine.executors.matching) as fills. `first`: row of the creation."""
    path, costs = run.path, run.costs
    found = []
    for event in events.tolist():
        candle, base, price, is_maker = int(event[CANDLE]), event[BASE], event[PRICE], event[MAKER] > 0
        row = first if candle < 0 else int(path.row[candle])
        time = float(run.candles.timestamp[first] if candle < 0 else path.time[candle])
        fee = (costs.maker if is_maker else costs.taker) * abs(base) * price
        found.append(Fill(row, time, base, price, fee, is_maker, event[COST], int(event[LEVEL])))
    return found


def _with(sums: Sums, fill: Fill, side: int) -> Sums:
    """The sums with one more fill."""
    quote = abs(fill.base) * fill.price
    base, cost = sums.base + fill.base, sums.cost
    if fill.base > 0:
        return Sums(
            base, cost + quote, sums.entered_base + fill.base, sums.entered_cost + quote, sums.realised,
            sums.fees + fill.fee, sums.funding, sums.traded + quote,
        )  # fmt: skip
    cost -= fill.cost
    if base < 1e-12 * sums.entered_base:  # no dust from the sums
        base = cost = 0.0
    return Sums(
        base, cost, sums.entered_base, sums.entered_cost, sums.realised + side * (quote - fill.cost),
        sums.fees + fill.fee, sums.funding, sums.traded + quote,
    )  # fmt: skip
