"""Time series and results of a run on several pairs, in upstream's terms; each position at its own pair's price."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.candles import Floats
from tasks.engine.jump.series import Series, results
from tasks.engine.live.ledger import LiveLedger
from tasks.engine.live.pairs import Books, Pair
from tasks.named_types import Row

if TYPE_CHECKING:
    from tasks.upstream.names import BacktestPositionHold


class PairSeries(Series):
    """Series whose held positions are on several pairs.

    Money is float64 here; with one pair the jump engine's own Series is used, which sums Decimals as upstream does.
    """

    def __init__(self, ledger: LiveLedger, books: Books) -> None:
        entries, ledger.held = ledger.held, []  # valued below, at the pairs' own prices
        super().__init__(ledger, books.main.candles)
        ledger.held = entries
        n = len(books.rows)
        #: realised and unrealised pnl of held positions, value held long and short, positions open; shape (n,) each
        self.position_realized, self.position_unrealized, self._long, self._short, self._open = np.zeros((5, n))
        for place, (held, pairs) in enumerate(zip(entries, ledger.held_pairs, strict=True)):
            end = min(entries[place + 1].row, n) if place + 1 < len(entries) else n
            rows = slice(min(held.row, n), end)
            for (net, average, realized), pair in zip(held.positions, pairs, strict=True):
                self._add(rows, float(net), float(average), float(realized), books.by_pair[pair].candles.close)
        self.total_pnl = self.total_pnl + self.position_realized + self.position_unrealized

    def _add(self, rows: slice, net: float, average: float, realized: float, close: Floats) -> None:
        self.position_realized[rows] += realized
        self.position_unrealized[rows] += net * (close[rows] - average)
        (self._long if net >= 0 else self._short)[rows] += abs(net) * close[rows]
        self._open[rows] += 1

    def _pnl_rows(self) -> list[Row]:
        rows = super()._pnl_rows()
        for place in np.flatnonzero(self._open).tolist():
            rows[place] |= {
                "position_realized_pnl": float(self.position_realized[place]),
                "position_unrealized_pnl": float(self.position_unrealized[place]),
            }
        return rows

    def _held_rows(self) -> list[Row]:
        return [
            {
                "timestamp": self._timestamp[place],
                "long_amount": float(self._long[place]),
                "short_amount": float(self._short[place]),
                "net_amount": float(self._long[place] - self._short[place]),
                "unrealized_pnl": float(self.position_unrealized[place]),
                "realized_pnl": float(self.position_realized[place]),
                "n_holds": int(self._open[place]),
            }
            for place in np.flatnonzero(self._open).tolist()
        ]


class _Priced:
    """A held position that is valued at its own pair's last price, whatever price is asked for."""

    def __init__(self, hold: BacktestPositionHold, price: Decimal) -> None:
        self._hold, self._price = hold, price

    def get_position_summary(self, _: Any) -> Any:
        return self._hold.get_position_summary(self._price)


def pair_results(ledger: LiveLedger, series: PairSeries, books: Books, total_amount_quote: Decimal) -> Row:
    """Upstream's summary, with held positions at the last close of their own pairs."""
    holds = {}
    for key, hold in ledger.holds.items():
        close = books.by_pair[Pair(hold.connector_name, hold.trading_pair)].candles.close[-1]
        holds[key] = _Priced(hold, Decimal(float(close)))
    view: Any = SimpleNamespace(ended=ledger.ended, holds=holds)
    return results(view, series, total_amount_quote, Decimal(1))
