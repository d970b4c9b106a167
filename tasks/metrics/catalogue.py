"""The catalogue: every figure of a row.

Ours stand beside the stock engine's under other names, because the stock ones mean something else: stock
`sharpe_ratio` is mean over deviation of the cumulative pnl LEVEL and leaves out open executors, stock `profit_factor`
is 1 where nothing was lost.

A value that is not defined is None, never NaN or infinity. Annualised figures are None for a period that is too short
for them (tasks.metrics.inputs), and the row's warning says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.metrics import formulas
from tasks.metrics.inputs import DAYS_PER_YEAR, BackTest

#: Where a figure is shown without being asked for: in the terminal's ranking, in the report's ranking, in the report's
#: table of one point.
Place = Literal["terminal", "report", "point"]


@dataclass(frozen=True)
class Metric:
    """One figure of a row."""

    name: str
    #: fraction, quote, ratio, days, per day, count; "" for what has none
    unit: str
    #: 1: more is better, -1: less is better, 0: neither
    better: int
    #: what it is, in one sentence; formulas with V the account (total_amount_quote plus the equity change, V_0 at the
    #: start) and r the returns of the sweep's interval
    sentence: str
    shown: frozenset[Place] = frozenset()
    #: extrapolated to a year of 365 days
    annual: bool = False
    #: None: a key of the stock engine's own results, under its own name
    value: Callable[[BackTest], float | None] | None = None

    @property
    def is_stock(self) -> bool:
        """Whether the stock engine computes it."""
        return self.value is None


def _shown(*places: Place) -> frozenset[Place]:
    return frozenset(places)


def _calmar(test: BackTest) -> float | None:
    growth = formulas.annual_growth(test.growth, test.days, DAYS_PER_YEAR)
    return growth / -test.drawdown[0] if growth is not None and test.drawdown[0] < 0 else None


def _kurtosis(test: BackTest) -> float | None:
    fourth = formulas.moment(test.returns, 4)
    return None if fourth is None else fourth - 3


OURS = (
    Metric(
        "sharpe", "ratio", 1,
        "mean(r) / std(r) * sqrt(returns a year), std with n - 1, no risk-free rate; empty without variation or after "
        "the account reached 0.",
        _shown("terminal", "report", "point"), annual=True,
        value=lambda test: formulas.sharpe(test.returns, test.periods_per_year),
    ),
    Metric(
        "sortino", "ratio", 1,
        "mean(r) / sqrt(mean(min(r, 0)²)) * sqrt(returns a year); empty without a losing period.",
        _shown("point"), annual=True,
        value=lambda test: formulas.sortino(test.returns, test.periods_per_year),
    ),
    Metric(
        "cagr", "fraction", 1,
        "(V_end / V_0) ^ (365 / days) - 1; -1 where the account ended at or below 0.",
        _shown("point"), annual=True,
        value=lambda test: formulas.annual_growth(test.growth, test.days, DAYS_PER_YEAR),
    ),
    Metric(
        "max_drawdown", "fraction", 1,
        "The lowest V / (highest V so far, V_0 included) - 1 over all closes: 0 or negative, below -1 where more was "
        "lost than the account held.",
        _shown("terminal", "report", "point"),
        value=lambda test: test.drawdown[0],
    ),
    Metric(
        "max_drawdown_days", "days", -1,
        "Days from the peak of that drawdown to the first close back at it, or to the end where it never was.",
        _shown("point"),
        value=lambda test: test.drawdown[1],
    ),
    Metric(
        "calmar", "ratio", 1,
        "cagr / |max_drawdown|; empty without a drawdown.",
        _shown("point"), annual=True,
        value=_calmar,
    ),
    Metric(
        "exposure", "fraction", 0,
        "Share of candles at whose close something was held.",
        _shown("point"),
        value=lambda test: np.count_nonzero(test.position_value) / len(test.timestamps),
    ),
    Metric(
        "turnover", "ratio", 0,
        "Quote traded, entries and exits both counted, as a multiple of total_amount_quote.",
        _shown("point"),
        value=lambda test: test.turnover.sum() / test.total_amount_quote,
    ),
    Metric(
        "trades_per_day", "per day", 0,
        "Executors that traded, per day.",
        _shown("report", "point"),
        value=lambda test: len(test.trades) / test.days,
    ),
    Metric(
        "expectancy", "quote", 1,
        "Equity change per executor that traded; empty without one.",
        _shown("point"),
        value=lambda test: test.equity[-1] / len(test.trades) if test.trades else None,
    ),
    Metric(
        "profit_factor_true", "ratio", 1,
        "What the winners won over what the losers lost, the held position as one trade at its marked value; empty "
        "without a loss.",
        _shown("report", "point"),
        value=lambda test: formulas.profit_factor(test.trades, float(test.equity[-1])),
    ),
    Metric(
        "skew", "", 0,
        "Third standardised moment of r, with n.",
        _shown("point"),
        value=lambda test: formulas.moment(test.returns, 3),
    ),
    Metric(
        "kurtosis", "", 0,
        "Fourth standardised moment of r, with n, less 3.",
        _shown("point"),
        value=_kurtosis,
    ),
)  # fmt: skip

STOCK = (
    Metric("net_pnl", "fraction", 1, "net_pnl_quote over total_amount_quote.", _shown("terminal", "report", "point")),
    Metric(
        "net_pnl_quote", "quote", 1, "Pnl of ended executors and realised pnl of held positions, after fees.",
        _shown("terminal", "report", "point"),
    ),
    Metric("total_executors", "count", 0, "Executors that ended.", _shown("point")),
    Metric("total_executors_with_position", "count", 0, "Ended executors with a pnl other than 0.", _shown("point")),
    Metric("total_volume", "quote", 0, "Quote traded by executors with a pnl.", _shown("point")),
    Metric("total_long", "count", 0, "Executors with a pnl that bought first.", _shown("point")),
    Metric("total_short", "count", 0, "Executors with a pnl that sold first.", _shown("point")),
    Metric("close_types", "", 0, "How executors ended, and how many of each.", _shown("point")),
    Metric("accuracy_long", "fraction", 1, "Share of winners among total_long.", _shown("point")),
    Metric("accuracy_short", "fraction", 1, "Share of winners among total_short.", _shown("point")),
    Metric(
        "total_positions", "count", 0, "Executors with a pnl other than 0.", _shown("terminal", "report", "point")
    ),
    Metric("accuracy", "fraction", 1, "Share of winners among total_positions.", _shown("terminal", "report", "point")),
    Metric("max_drawdown_usd", "quote", 1, "Largest fall of the pnl of ended executors, 0 or less.", _shown("point")),
    Metric(
        "max_drawdown_pct", "fraction", 1, "max_drawdown_usd over total_amount_quote.", _shown("point")
    ),
    Metric("sharpe_ratio", "ratio", 1, "Mean over deviation of the pnl level, not of returns.", _shown("point")),
    Metric("profit_factor", "ratio", 1, "Won over lost; 1 where nothing was lost.", _shown("point")),
    Metric("win_signals", "count", 0, "Executors that won.", _shown("point")),
    Metric("loss_signals", "count", 0, "Executors that lost.", _shown("point")),
    Metric("unrealized_pnl_quote", "quote", 1, "Pnl of what is still held, at the last price.", _shown("point")),
    Metric("position_realized_pnl_quote", "quote", 1, "Realised pnl of held positions.", _shown("point")),
    Metric("total_fees_quote", "quote", -1, "Fees of all ended executors.", _shown("point")),
)  # fmt: skip

#: Every figure of a row, the stock engine's first.
CATALOGUE: tuple[Metric, ...] = (*STOCK, *OURS)
#: Names of ours, in the order of a row.
METRICS = tuple(metric.name for metric in OURS)

_BY_NAME = {metric.name: metric for metric in CATALOGUE}


def of_name(name: str) -> Metric | None:
    """The entry of a column; None for one that is no figure of the catalogue (an axis, `point`, ...)."""
    return _BY_NAME.get(name)


def metrics(test: BackTest) -> dict[str, float | None]:
    """Our columns of one back-test, in the catalogue's order."""
    short = bool(test.too_short)
    row: dict[str, float | None] = {}
    for metric in OURS:
        assert metric.value is not None
        value = None if metric.annual and short else metric.value(test)
        row[metric.name] = None if value is None else float(value)
    return row
