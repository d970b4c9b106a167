"""Metrics of our own, from an equity curve marked at every candle (see tasks.engine.equity).

They stand beside the stock numbers under other names, because the stock ones mean something else: stock
`sharpe_ratio` is mean over deviation of the cumulative pnl LEVEL and leaves out open executors, `profit_factor` is 1
where nothing was lost. Here, with V the account (total_amount_quote plus the equity change, V_0 = total_amount_quote):

sharpe              mean(r) / std(r) × sqrt(365), r the daily returns below, std with n - 1; no risk-free rate
sortino             mean(r) / sqrt(mean(min(r, 0)²)) × sqrt(365)
cagr                (V_end / V_0) ^ (365 / days) - 1, per year of 365 days; -1 where the account ended at or below 0
max_drawdown        min over the candles of V / (highest V so far, V_0 included) - 1: 0 or negative, as in the stock
                    column and the usual libraries; below -1 where more was lost than the account held
max_drawdown_days   days from the peak of that drawdown to the first close back at it, or to the end where it never was
calmar              cagr / |max_drawdown|
exposure            share of candles at whose close something was held, 0 to 1
turnover            quote traded, entries and exits both counted, as a multiple of total_amount_quote
trades_per_day      executors that traded, per day
expectancy          equity change per executor that traded, in quote
profit_factor_true  what the winners won over what the losers lost; the held position counts as one trade at its
                    marked value
skew, kurtosis      third and fourth standardised moment of r, with n (not n - 1); kurtosis is the excess over 3

r are returns V_d / V_(d-1) - 1 between the ends of UTC days (a candle that opens at 23:59 ends its day). A day without
candles returns 0. A first or last day of which the candles cover less than half is counted with its neighbour, so that
the one candle at 00:00 that an inclusive `end` adds is not a day of its own.

A value that is not defined is None, never NaN or infinity: sharpe, sortino, skew and kurtosis with fewer than 2 daily
returns, without any variation (sortino: without a losing day), or after the account reached 0; cagr and calmar for
less than a day, or beyond what a float holds; calmar without a drawdown; expectancy without a trade;
profit_factor_true without a loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

METRICS = (
    "sharpe",
    "sortino",
    "cagr",
    "max_drawdown",
    "max_drawdown_days",
    "calmar",
    "exposure",
    "turnover",
    "trades_per_day",
    "expectancy",
    "profit_factor_true",
    "skew",
    "kurtosis",
)

DAY_S = 86400
DAYS_PER_YEAR = 365

#: above this share of winners, and with at least this many positions, a row is marked as too good
WIN_RATE_SUSPICIOUS = 0.9
WIN_RATE_POSITIONS = 20


def metrics(
    timestamps: Floats,
    equity: Floats,
    position_value: Floats,
    turnover: Floats,
    *,
    resolution_s: float,
    total_amount_quote: float,
    executors: Iterable[Any],
) -> dict[str, float | None]:
    """The columns of METRICS for one back-test.

    `timestamps`: open times of the candles, seconds, ascending; `equity`: change since the start at every close, quote;
    `position_value`: signed, quote, at every close; `turnover`: quote traded in every candle; all float64, shape (n,).
    `resolution_s`: length of a candle in seconds. `executors`: the ledger, ExecutorInfo or what has their
    filled_amount_quote, net_pnl_quote and close_type. Raises ValueError without
    candles or without capital.
    """
    if len(timestamps) == 0 or total_amount_quote <= 0:
        raise ValueError("metrics need at least one candle and a total_amount_quote above 0")
    account = total_amount_quote + equity
    days = float(timestamps[-1] - timestamps[0] + resolution_s) / DAY_S
    returns = daily_returns(timestamps, account, total_amount_quote, resolution_s)
    cagr = _cagr(account[-1] / total_amount_quote, days)
    drawdown, drawdown_days = max_drawdown(timestamps, account, total_amount_quote, resolution_s)
    trades = [e for e in executors if e.filled_amount_quote > 0]
    columns = {
        **_return_metrics(returns),
        "cagr": cagr,
        "max_drawdown": drawdown,
        "max_drawdown_days": drawdown_days,
        "calmar": cagr / -drawdown if cagr is not None and drawdown < 0 else None,
        "exposure": np.count_nonzero(position_value) / len(timestamps),
        "turnover": turnover.sum() / total_amount_quote,
        "trades_per_day": len(trades) / days,
        "expectancy": equity[-1] / len(trades) if trades else None,
        "profit_factor_true": _profit_factor(trades, equity[-1]),
    }
    return {name: None if columns[name] is None else float(columns[name]) for name in METRICS}


def daily_returns(timestamps: Floats, account: Floats, start_value: float, resolution_s: float) -> Floats:
    """Returns between the ends of UTC days, float64, shape (days,); see the module for partial and missing days."""
    day = (timestamps / DAY_S).astype(np.int64)
    ends = np.append(np.flatnonzero(day[1:] != day[:-1]), len(day) - 1)
    mark_day, mark = day[ends], account[ends]
    if len(mark) > 1 and timestamps[-1] + resolution_s - mark_day[-1] * DAY_S < DAY_S / 2:
        mark_day, mark = mark_day[:-1], np.append(mark[:-2], mark[-1])
    if len(mark) > 1 and (mark_day[0] + 1) * DAY_S - timestamps[0] < DAY_S / 2:
        mark_day, mark = mark_day[1:], mark[1:]
    returns = np.zeros(mark_day[-1] - mark_day[0] + 1)
    before = np.append(start_value, mark[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns[mark_day - mark_day[0]] = np.where(before > 0, mark / before - 1, np.nan)
    return returns


def max_drawdown(timestamps: Floats, account: Floats, start_value: float, resolution_s: float) -> tuple[float, float]:
    """(fraction, 0 or negative; days from its peak to the recovery, or to the end of the candles)."""
    peak = np.maximum.accumulate(np.maximum(account, start_value))
    below = account / peak - 1
    bottom = int(np.argmin(below))
    if below[bottom] >= 0:
        return 0.0, 0.0
    top = peak[bottom]
    reached = np.flatnonzero(account[:bottom] == top)
    # The start of the period is the peak where no close reached it; it lies at the first candle's open.
    began = timestamps[reached[-1]] + resolution_s if len(reached) else timestamps[0]
    back = np.flatnonzero(account[bottom:] >= top)
    ended = timestamps[bottom + back[0] if len(back) else -1] + resolution_s
    return float(below[bottom]), float(ended - began) / DAY_S


def win_rate_warning(results: Mapping[str, Any]) -> str:
    """A sentence for a row whose share of winners is too good, "" for the others; `results` as the stock engine's."""
    accuracy, positions = results.get("accuracy") or 0.0, results.get("total_positions") or 0
    if accuracy <= WIN_RATE_SUSPICIOUS or positions < WIN_RATE_POSITIONS:
        return ""
    return (
        f"{accuracy:.1%} of {positions} positions won: such a rate usually means that the controller sees the future "
        f"or that its losses are still open; `hummingsweep audit` tests for the first"
    )


def _return_metrics(returns: Floats) -> dict[str, float | None]:
    nothing: dict[str, float | None] = dict.fromkeys(("sharpe", "sortino", "skew", "kurtosis"))
    if len(returns) < 2 or not np.isfinite(returns).all() or np.ptp(returns) == 0:
        return nothing
    mean = returns.mean()
    centred = returns - mean
    variance = np.mean(centred**2)
    downside = math.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
    year = math.sqrt(DAYS_PER_YEAR)
    return {
        "sharpe": mean / returns.std(ddof=1) * year,
        "sortino": mean / downside * year if downside > 0 else None,
        "skew": np.mean(centred**3) / variance**1.5,
        "kurtosis": np.mean(centred**4) / variance**2 - 3,
    }


def _cagr(growth: float, days: float) -> float | None:
    if days < 1:
        return None
    if growth <= 0:
        return -1.0
    exponent = math.log(growth) * DAYS_PER_YEAR / days
    return math.expm1(exponent) if exponent < 700 else None


def _profit_factor(trades: list[Any], equity_end: float) -> float | None:
    closed = np.array([float(e.net_pnl_quote) for e in trades if not _is_kept(e)])
    pnl = closed if len(closed) == len(trades) else np.append(closed, equity_end - closed.sum())
    lost = -pnl[pnl < 0].sum()
    return pnl[pnl > 0].sum() / lost if lost > 0 else None


def _is_kept(executor: Any) -> bool:
    return executor.close_type is not None and executor.close_type.name == "POSITION_HOLD"
