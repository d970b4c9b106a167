"""From a ledger to upstream's pnl_timeseries, position_held_timeseries and results."""

from __future__ import annotations

import operator
from collections.abc import (
    Iterable,
    Sequence,
)
from decimal import Decimal
from functools import reduce

import numpy as np
import numpy.typing as npt

from tasks.engine.candles import Candles, Floats
from tasks.engine.jump.lazy import LazyList
from tasks.engine.jump.ledger import Executor, Ledger
from tasks.named_types import Row
from tasks.upstream.names import BacktestingEngineBase, CloseType, TradeType

_ZERO = Decimal("0")


class _Valued:
    """Held positions valued on every row of one stretch of rows without a change; upstream's update_state."""

    __slots__ = ("_sides", "first", "open_positions", "realized", "unrealized")

    def __init__(self, positions: Sequence[tuple[Decimal, Decimal, Decimal]], first: int, closes: list[float]) -> None:
        self.first = first
        self.open_positions = len(positions)
        self.realized = sum(float(realized) for _, _, realized in positions)
        self._sides = [(abs(net), net >= 0, average) for net, average, _ in positions]
        self.unrealized = [self._unrealized(Decimal(repr(close))) for close in closes]

    def _unrealized(self, price: Decimal) -> float:
        return sum(
            float((price - average) * amount if is_long else (average - price) * amount)
            for amount, is_long, average in self._sides
        )

    def amounts(self, price: Decimal) -> tuple[float, float]:
        """Value of what is held long and of what is held short."""
        return (
            sum(float(amount * price) for amount, is_long, _ in self._sides if is_long),
            sum(float(amount * price) for amount, is_long, _ in self._sides if not is_long),
        )


class Series:
    """The time series of a finished run; lists of dicts are made when they are read."""

    def __init__(self, ledger: Ledger, candles: Candles) -> None:
        self._timestamp = candles.timestamp
        self._close = candles.close
        n = len(candles)
        rows = np.minimum(np.frombuffer(ledger.steps.rows, dtype=np.int64), n)
        counts = np.diff(rows, append=n)
        self._realized = np.repeat(np.frombuffer(ledger.steps.realized), counts)
        self._volume = np.repeat(np.frombuffer(ledger.steps.volume), counts)
        self._active: npt.NDArray[np.int64] = np.repeat(np.frombuffer(ledger.steps.active, dtype=np.int64), counts)
        self._valued: list[_Valued] = []
        #: realised and unrealised pnl, float64, shape (n,)
        self.total_pnl: Floats = self._realized + 0.0
        for k, held in enumerate(ledger.held):
            end = ledger.held[k + 1].row if k + 1 < len(ledger.held) else n
            first = min(held.row, n)
            if not held.positions or end <= first:
                continue
            valued = _Valued(held.positions, first, candles.close[first:end].tolist())
            self._valued.append(valued)
            self.total_pnl[first:end] = (self._realized[first:end] + valued.realized) + valued.unrealized

    def pnl_timeseries(self) -> list[Row]:
        """Upstream's list, a dict per candle."""
        return LazyList(self._pnl_rows)

    def position_held_timeseries(self) -> list[Row]:
        """Upstream's list, a dict per candle on which a position is held."""
        return LazyList(self._held_rows)

    def _pnl_rows(self) -> list[Row]:
        rows = [
            {
                "timestamp": timestamp,
                "executor_realized_pnl": realized,
                "position_realized_pnl": 0,
                "position_unrealized_pnl": 0,
                "total_pnl": total,
                "active_executors": active,
                "cumulative_volume": volume,
            }
            for timestamp, realized, total, active, volume in zip(
                self._timestamp,
                self._realized.tolist(),
                self.total_pnl.tolist(),
                self._active.tolist(),
                self._volume.tolist(),
                strict=True,
            )
        ]
        for valued in self._valued:
            for k, unrealized in enumerate(valued.unrealized):
                rows[valued.first + k] |= {
                    "position_realized_pnl": valued.realized,
                    "position_unrealized_pnl": unrealized,
                }
        return rows

    def _held_rows(self) -> list[Row]:
        rows = []
        for valued in self._valued:
            for row, unrealized in enumerate(valued.unrealized, valued.first):
                long, short = valued.amounts(Decimal(repr(float(self._close[row]))))
                rows.append(
                    {
                        "timestamp": self._timestamp[row],
                        "long_amount": long,
                        "short_amount": short,
                        "net_amount": long - short,
                        "unrealized_pnl": unrealized,
                        "realized_pnl": valued.realized,
                        "n_holds": valued.open_positions,
                    }
                )
        return rows


def results(ledger: Ledger, series: Series, total_amount_quote: Decimal, final_price: Decimal | None) -> Row:
    """Upstream's BacktestingEngineBase.summarize_results without its frame of every executor: the same numbers."""
    ended = ledger.ended
    holds = list(ledger.holds.values())
    pnl = series.total_pnl
    if not ended or len(pnl) < 2:
        summary: Row = BacktestingEngineBase.summarize_results(
            [executor.info for executor in ended], total_amount_quote, holds, final_price, series.pnl_timeseries()
        )
        return summary
    figures = [_figures(executor) for executor in ended]
    own = [figure for figure in figures if figure[0] != CloseType.POSITION_HOLD]
    executor_pnl = _total(pnl_quote for _, pnl_quote, _, _, _ in own)

    realized_held = unrealized_held = 0.0
    if final_price is not None:
        for hold in holds:
            held = hold.get_position_summary(final_price)
            realized_held += float(held.realized_pnl_quote)
            unrealized_held += float(held.unrealized_pnl_quote)
    net_pnl_quote = float(executor_pnl) + realized_held

    names: dict[str, int] = {}
    for close_type, *_ in figures:
        names[close_type.name] = names.get(close_type.name, 0) + 1
    traded = [figure for figure in own if figure[1] != 0]
    longs = [pnl_quote > 0 for _, pnl_quote, _, _, side in traded if side == TradeType.BUY]
    shorts = [pnl_quote > 0 for _, pnl_quote, _, _, side in traded if side == TradeType.SELL]
    won = [pnl_quote for _, pnl_quote, _, _, _ in traded if pnl_quote > 0]
    lost = [pnl_quote for _, pnl_quote, _, _, _ in traded if pnl_quote < 0]
    total_won, total_lost = _total(won), -_total(lost) if lost else 0
    capital = float(total_amount_quote)
    drawdown, sharpe_ratio = _drawdown_and_sharpe(pnl, capital)
    return {
        "net_pnl": float(net_pnl_quote / capital),
        "net_pnl_quote": float(net_pnl_quote),
        "total_executors": len(ended),
        "total_executors_with_position": len(traded),
        "total_volume": float(_total(filled for _, _, _, filled, _ in traded)),
        "total_long": len(longs),
        "total_short": len(shorts),
        "close_types": dict(sorted(names.items())),
        "accuracy_long": float(sum(longs) / len(longs)) if longs else 0.0,
        "accuracy_short": float(sum(shorts) / len(shorts)) if shorts else 0.0,
        "total_positions": len(traded),
        "accuracy": len(won) / len(traded) if traded else 0.0,
        "max_drawdown_usd": drawdown,
        "max_drawdown_pct": drawdown / capital,
        "sharpe_ratio": sharpe_ratio,
        "profit_factor": float(total_won / total_lost) if total_lost > 0 else 1.0,
        "win_signals": len(won),
        "loss_signals": len(lost),
        "unrealized_pnl_quote": float(unrealized_held),
        "position_realized_pnl_quote": float(realized_held),
        "total_fees_quote": float(_total(fees for _, _, fees, _, _ in figures)),
    }


def _figures(executor: Executor) -> tuple[CloseType, Decimal, Decimal, Decimal, TradeType]:
    """(close type, net pnl, fees, filled, side) as the ExecutorInfo has them, which its readers may have changed."""
    if executor.was_read:
        info = executor.info
        return info.close_type, info.net_pnl_quote, info.cum_fees_quote, info.filled_amount_quote, info.side
    state = executor.state
    if state is None:  # most of a market maker's
        return executor.close_type, _ZERO, _ZERO, _ZERO, executor.side
    return (
        executor.close_type,
        Decimal(state.net_pnl_quote),
        Decimal(state.cum_fees_quote),
        Decimal(state.filled_amount_quote),
        executor.side,
    )


def _total(amounts: Iterable[Decimal]) -> Decimal | int:
    """The sum as pandas takes it over Decimals: one after the other, beginning with the first, rounded each time."""
    amounts = list(amounts)
    return reduce(operator.add, amounts) if amounts else 0


def _drawdown_and_sharpe(pnl: Floats, capital: float) -> tuple[float, float]:
    import pandas as pd

    drawdown = float((pnl - np.maximum.accumulate(pnl)).min())
    returns = pd.Series(pnl / capital)  # whose deviation is taken as pandas takes it
    deviation = returns.std()
    return drawdown, float(returns.mean() / deviation) if deviation > 0 else 0.0
