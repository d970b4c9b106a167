"""The arithmetic that metrics share; arrays are float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.named_types import RowView

if TYPE_CHECKING:
    from tasks.metrics.ended import TradeLike

Floats = npt.NDArray[np.float64]

DAY_S = 86400

#: above this share of winners, and with at least this many positions, a row is marked as too good
WIN_RATE_SUSPICIOUS = 0.9
WIN_RATE_POSITIONS = 20


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


def varies(returns: Floats) -> bool:
    """Whether there are two returns or more, all of them numbers, and not all of them equal."""
    return bool(len(returns) >= 2 and np.isfinite(returns).all() and np.ptp(returns) > 0)


def sharpe(returns: Floats, periods_per_year: float) -> float | None:
    """mean / std (n - 1) × sqrt(periods per year); no risk-free rate. None where the returns do not vary."""
    if not varies(returns):
        return None
    return float(returns.mean() / returns.std(ddof=1) * math.sqrt(periods_per_year))


def sortino(returns: Floats, periods_per_year: float) -> float | None:
    """mean / sqrt(mean(min(r, 0)²)) × sqrt(periods per year). None where the returns do not vary or never fall."""
    if not varies(returns):
        return None
    downside = math.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))
    return float(returns.mean() / downside * math.sqrt(periods_per_year)) if downside > 0 else None


def moment(returns: Floats, order: int) -> float | None:
    """The standardised central moment of an order, with n. None where the returns do not vary."""
    if not varies(returns):
        return None
    centred = returns - returns.mean()
    return float(np.mean(centred**order) / np.mean(centred**2) ** (order / 2))


def annual_growth(growth: float, days: float, days_per_year: float) -> float | None:
    """growth ^ (days per year / days) - 1; -1 where nothing is left, None beyond what a float holds."""
    if growth <= 0:
        return -1.0
    exponent = math.log(growth) * days_per_year / days
    return math.expm1(exponent) if exponent < 700 else None


def profit_factor(trades: Sequence[TradeLike], equity_end: float) -> float | None:
    """What the winners won over what the losers lost; None without a loss.

    The held position counts as one trade: what the account changed beyond the closed executors.
    """
    closed = np.array([float(one.net_pnl_quote) for one in trades if not _is_kept(one)])
    pnl = closed if len(closed) == len(trades) else np.append(closed, equity_end - closed.sum())
    lost = -pnl[pnl < 0].sum()
    return float(pnl[pnl > 0].sum() / lost) if lost > 0 else None


def win_rate_warning(results: RowView) -> str:
    """A sentence for a row whose share of winners is too good, "" for the others; `results` as the stock engine's."""
    accuracy, positions = results.get("accuracy") or 0.0, results.get("total_positions") or 0
    if accuracy <= WIN_RATE_SUSPICIOUS or positions < WIN_RATE_POSITIONS:
        return ""
    return (
        f"{accuracy:.1%} of {positions} positions won: such a rate usually means that the controller sees the future "
        f"or that its losses are still open; `hummingsweep audit` tests for the first"
    )


def _is_kept(executor: TradeLike) -> bool:
    return executor.close_type is not None and executor.close_type.name == "POSITION_HOLD"
