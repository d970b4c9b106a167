"""The equity curve of a back-test: what the account gained or lost, marked at every candle's close.

Upstream's `pnl_timeseries` leaves out the executors that are still open. Here every executor counts from the candle of
its creation: its running pnl while it lives, its last pnl ever after, and what it hands over to a held position as cash
and inventory. An executor costs work in its own length only; the sums over the whole period are taken once, at the end.

Fees are in the curve at the moment at which the fills ledger them. Stock fills take both sides (2 × trade_cost × filled
amount) off the pnl on the candle of the entry, so an open position is marked as if its exit were already paid; an
executor kept as a held position carries the fees it has booked. Honest fills ledger each side when it trades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tasks.upstream.names import ExecutorInfo


Floats = npt.NDArray[np.float64]


class EquityCurve:
    """Adds up executors and held positions, row by row of the candles stepped over.

    `close`: closing prices in quote per base, float64, shape (n,). Rows are positions in it. `funding`: quote that one
    base of a held long position pays when a row opens, shape (n,); executors bring their own in their pnl. Not
    thread-safe; one per back-test. The order of the calls does not change the result by more than float rounding.
    """

    def __init__(self, close: Floats, funding: Floats | None = None) -> None:
        self._close = np.asarray(close, dtype=np.float64)
        self._funding = funding
        n = len(self._close)
        self._open_pnl = np.zeros(n)
        self._open_value = np.zeros(n)
        self._realised = np.zeros(n)  # pnl that became final on this row
        self._held_base = np.zeros(n)  # base that joined the held positions on this row, signed
        self._held_cash = np.zeros(n)  # quote that was paid (negative) or received for it, fees included
        self._turnover = np.zeros(n)

    def add_executor(
        self,
        first: int,
        net_pnl_quote: Floats,
        position_value: Floats | None = None,
        traded_quote: Floats | None = None,
        *,
        kept: bool = False,
    ) -> None:
        """One ended executor, from the row of its creation to the row on which it ended or was stopped.

        All arrays are float64 of shape (k,) and describe the rows first .. first + k - 1, in quote:
        `net_pnl_quote` its pnl at the row's close, net of the fees booked so far; `position_value` the signed value of
        what it holds (long positive), the last row not looked at because it holds nothing after that; `traded_quote`
        what it traded on the row, both sides counted. None stands for zeros.

        An executor stopped early is handed over cut to its stop: its pnl on that row is final. With `kept` nothing of
        its pnl is realised: what it holds on its last row goes to `add_held`.
        """
        last = first + len(net_pnl_quote) - 1
        if first < 0 or last < first or last >= len(self._close):
            raise ValueError(f"rows {first}..{last} of an executor lie outside the {len(self._close)} candles")
        self._open_pnl[first:last] += net_pnl_quote[:-1]
        if not kept:
            self._realised[last] += net_pnl_quote[-1]
        if position_value is not None:
            self._open_value[first:last] += position_value[:-1]
        if traded_quote is not None:
            self._turnover[first : last + 1] += traded_quote

    def rows(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What `add_executor` adds to in place, for a kernel that does the same: pnl of open executors, value of what
        they hold, pnl that became final, quote traded; float64, shape (n,) each."""
        return self._open_pnl, self._open_value, self._realised, self._turnover

    def add_held(self, row: int, base: float, quote: float, fees_quote: float) -> None:
        """What a kept executor hands over at a row: `base` signed (bought positive), bought or sold for `quote` (> 0).

        Held positions net out, as in upstream's BacktestPositionHold: realised plus unrealised pnl of the netted
        position is the cash spent and received plus the inventory at the close, whatever the order of the fills.
        """
        self._held_base[row] += base
        self._held_cash[row] += (-quote if base > 0 else quote) - fees_quote

    def equity(self) -> Floats:
        """Change since the start in quote at every row's close, shape (n,)."""
        base = np.cumsum(self._held_base)
        held = base * self._close + np.cumsum(self._held_cash)
        if self._funding is not None:
            held[1:] -= np.cumsum(base[:-1] * self._funding[1:])
        return self._open_pnl + np.cumsum(self._realised) + held

    def position_value(self) -> Floats:
        """Signed value in quote of everything held at every row's close, shape (n,)."""
        return self._open_value + np.cumsum(self._held_base) * self._close

    def turnover(self) -> Floats:
        """Quote traded on every row, entries and exits both counted, shape (n,)."""
        return self._turnover


def linear_exposure(
    side: int, cost_quote: Floats, net_pnl_quote: Floats, cum_fees_quote: Floats, *, closes: bool
) -> tuple[Floats, Floats]:
    """Position value and traded quote of an executor that only ever adds to one position and closes it whole.

    True for position, DCA and order executors. `side` is 1 for bought, -1 for sold; `cost_quote` is what has been paid
    for what is held (upstream's filled_amount_quote, without the doubling of its last row), shape (k,). For such a
    position gross pnl is value minus cost, so its value is side × cost + gross pnl and no price is needed:
    long base × close = cost + (close - entry) × base, short -base × close = -(cost - (entry - close) × base).

    `closes`: the position is closed on the last row, at the value it is marked with, which is traded a second time.
    Returns (position_value, traded_quote), float64, shape (k,).
    """
    value = side * cost_quote + (net_pnl_quote + cum_fees_quote)
    value = np.where(cost_quote > 0, value, 0.0)
    traded = cost_quote.copy()
    traded[1:] -= cost_quote[:-1]
    if closes:
        traded[-1] += abs(value[-1])
    return value, traded


def kept_amounts(info: ExecutorInfo) -> tuple[float, float, float]:
    """What an ExecutorInfo that ended as POSITION_HOLD hands over: (signed base, quote, fees in quote), for `add_held`.

    Valued as upstream's BacktestPositionHold.add_executor values it: at `current_position_average_price`, which for a
    limit position executor is its configured entry price, or at the close where there is none.
    """
    price = info.custom_info.get("current_position_average_price")
    if price is None:
        price = info.custom_info.get("close_price", 0)
    quote = float(info.filled_amount_quote)
    base = quote / float(price)
    return (base if info.side.name == "BUY" else -base), quote, float(info.cum_fees_quote)
