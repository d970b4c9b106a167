"""What a metric is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.intervals import interval_of
from tasks.metrics.ended import TradeLike
from tasks.metrics.formulas import DAY_S, max_drawdown
from tasks.protocol.returns import period_ends, returns_interval

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365
#: How the sentence begins that says why annualised figures are empty.
NOTHING_ANNUALISED = "nothing is annualised"
#: Fewer returns than this say nothing about a year.
MIN_RETURNS = 30
#: Nor does less than a week, which would be extrapolated more than fifty times.
MIN_DAYS = 7


@dataclass(frozen=True)
class BackTest:
    """The curves and trades of one back-test. Arrays are float64, shape (candles,)."""

    #: open times of the candles, seconds, ascending
    timestamps: Floats
    #: change of the account since the start at every close, quote
    equity: Floats
    #: what was held at every close, quote, signed
    position_value: Floats
    #: quote traded in every candle, entries and exits both
    turnover: Floats
    #: length of a candle, seconds
    resolution_s: float
    #: the account at the start, quote
    total_amount_quote: float
    #: executors that filled something
    trades: Sequence[TradeLike]
    #: of the returns, seconds; None: as tasks.protocol.returns.returns_interval chooses it for these candles
    interval_s: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError without candles or without capital."""
        if len(self.timestamps) == 0 or self.total_amount_quote <= 0:
            raise ValueError("metrics need at least one candle and a total_amount_quote above 0")

    @cached_property
    def account(self) -> Floats:
        """Value of the account at every close, quote."""
        return self.total_amount_quote + self.equity

    @property
    def growth(self) -> float:
        """The account at the end over the account at the start."""
        return float(self.account[-1] / self.total_amount_quote)

    @property
    def days(self) -> float:
        """Length of the period."""
        return float(self.timestamps[-1] - self.timestamps[0] + self.resolution_s) / DAY_S

    @cached_property
    def returns_interval_s(self) -> int:
        """Length of the period of one return, seconds."""
        if self.interval_s is not None:
            return self.interval_s
        return returns_interval(int(self.timestamps[0]), int(self.timestamps[-1]), int(self.resolution_s))

    @property
    def periods_per_year(self) -> float:
        """How many returns a year has."""
        return DAYS_PER_YEAR * DAY_S / self.returns_interval_s

    @cached_property
    def returns(self) -> Floats:
        """Changes of the account from the end of one period to the next, as fractions; float64, shape (periods,).

        Periods as tasks.protocol.returns.period_ends places them; one without candles returns 0. NaN or infinite from
        the period on in which the account reached 0.
        """
        first, last = int(self.timestamps[0]), int(self.timestamps[-1])
        ends = period_ends(first, last, int(self.resolution_s), self.returns_interval_s)
        rows = np.searchsorted(self.timestamps, ends, side="left") - 1
        marks = np.where(rows >= 0, self.account[np.maximum(rows, 0)], self.total_amount_quote)
        before = np.append(self.total_amount_quote, marks[:-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(before > 0, marks / before - 1, np.nan), dtype=np.float64)

    @property
    def too_short(self) -> str:
        """Why nothing is annualised; "" where the period is long enough."""
        return _too_short(len(self.returns), self.returns_interval_s, self.days)

    @cached_property
    def drawdown(self) -> tuple[float, float]:
        """The largest drawdown: (fraction, 0 or negative; days until it was made good, or to the end)."""
        return max_drawdown(self.timestamps, self.account, self.total_amount_quote, self.resolution_s)


def too_short(start: int, end: int, resolution_s: int) -> str:
    """Why nothing is annualised over a period (seconds since epoch, candles of `resolution_s`), in a sentence; "" where
    it is long enough."""
    interval_s = returns_interval(start, end, resolution_s)
    periods = len(period_ends(start, end, resolution_s, interval_s))
    return _too_short(periods, interval_s, (end - start) / DAY_S)


def _too_short(periods: int, interval_s: int, days: float) -> str:
    if periods < MIN_RETURNS:
        had, needed = f"{periods} returns of {interval_of(interval_s)}", f"{MIN_RETURNS} returns"
    elif days < MIN_DAYS:
        had, needed = f"{days:.3g} days", f"{MIN_DAYS} days"
    else:
        return ""
    return f"{NOTHING_ANNUALISED} (sharpe, sortino, cagr, calmar are empty): the period has {had}, it takes {needed}"
