"""The jump-ahead engine's Simulators with honest fills; the rules stand in tasks.engine.fills."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tasks.engine.fills import kernels
from tasks.engine.fills.costs import Costs, Funding
from tasks.engine.fills.trajectories import Exit, Fill, HonestGrid, Ladder
from tasks.engine.jump.candles import Candles, Floats
from tasks.engine.jump.kernels import POSITION_HOLD, STOP_LOSS, TAKE_PROFIT, TIME_LIMIT, TRAILING_STOP
from tasks.engine.jump.trajectories import Unfilled
from tasks.engine.jump.trajectory import Trajectory
from tasks.upstream.names import (
    CloseType,
    DCAMode,
    ExecutionStrategy,
    GridExecutorSimulator,
    OrderType,
    TradeType,
)

_CLOSE_TYPES = {
    TIME_LIMIT: CloseType.TIME_LIMIT,
    TAKE_PROFIT: CloseType.TAKE_PROFIT,
    STOP_LOSS: CloseType.STOP_LOSS,
    TRAILING_STOP: CloseType.TRAILING_STOP,
    POSITION_HOLD: CloseType.POSITION_HOLD,
}


class HonestSimulators:
    """Implements tasks.engine.jump.trajectory.Simulators.

    `maker_cost`, `taker_cost`: fractions of the quote amount; None: the market's trade_cost. `slippage_bps`: hundredths
    of a percent, on taker fills. `funding`: trading pair -> [[seconds since epoch, rate as a fraction], ...].
    """

    def __init__(
        self,
        maker_cost: float | None = None,
        taker_cost: float | None = None,
        slippage_bps: float = 0.0,
        funding: Mapping[str, Sequence[Sequence[float]]] | None = None,
    ) -> None:
        self._maker_cost = maker_cost
        self._taker_cost = taker_cost
        self._slippage = slippage_bps / 10_000
        self._funding = Funding(funding)

    def funding_per_base(self, candles: Candles, pair: str) -> Floats:
        """Quote that one long base pays when a row opens, shape (n,); for what is held outside of executors."""
        return self._funding.per_base(candles, pair)

    def position(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """A PositionExecutorConfig. Without an entry_price it enters at the close."""
        barriers = config.triple_barrier_config
        last = candles.last_row(config, barriers.time_limit)
        if last < first:
            return None
        price = float(candles.close[first]) if config.entry_price is None else float(config.entry_price)
        trailing = barriers.trailing_stop
        return self._ladder(
            candles, first, last, config, self._costs(trade_cost),
            orders=[(barriers.open_order_type, price, float(config.amount))],
            take_profit=barriers.take_profit,
            stop_loss=barriers.stop_loss,
            trailing=trailing,
            target_rests=barriers.take_profit_order_type.is_limit_type(),
            before=price,
        )  # fmt: skip

    def dca(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """A DCAExecutorConfig: every level rests from the start; its target and stops are market orders, as live."""
        if config.mode == DCAMode.TAKER:
            raise NotImplementedError("Taker mode is not supported in DCAExecutorSimulator")
        last = candles.last_row(config, config.time_limit)
        if last < first:
            return None
        return self._ladder(
            candles, first, last, config, self._costs(trade_cost),
            orders=[
                (OrderType.LIMIT, float(price), float(amount) / float(price))
                for price, amount in zip(config.prices, config.amounts_quote, strict=True)
            ],
            take_profit=config.take_profit,
            stop_loss=config.stop_loss,
            trailing=config.trailing_stop,
            target_rests=False,
            before=float(config.prices[0]),
        )  # fmt: skip

    def grid(
        self, candles: Candles, first: int, config: Any, trade_cost: float, trading_rules: Any
    ) -> Trajectory | None:
        """A GridExecutorConfig: levels as upstream generates them."""
        barriers = config.triple_barrier_config
        last = candles.last_row(config, barriers.time_limit)
        if last < first:
            return None
        middle = Decimal(str(candles.close[first]))
        levels = GridExecutorSimulator._generate_grid_levels(config, middle, trading_rules)
        side = _side(config)
        costs = self._costs(trade_cost)
        funding = self._funding.per_base(candles, config.trading_pair)
        prices = np.array([float(level.price) for level in levels])
        targets = prices * (1 + side * np.array([float(level.take_profit) for level in levels]))
        amounts = np.array([float(level.amount_quote) for level in levels])
        limit_price = float(config.limit_price) if config.limit_price else None
        life = (
            candles.open, candles.high, candles.low, candles.close, funding, first, last, side, prices, targets,
            amounts, float(config.end_price if side > 0 else config.start_price),
            math.nan if limit_price is None else limit_price, bool(config.keep_position),
            _fraction(barriers.stop_loss), float(config.safe_extra_spread),
            bool(barriers.take_profit_order_type.is_limit_type()), costs.maker, costs.taker, costs.slippage,
        )  # fmt: skip
        return HonestGrid(
            candles, config, life, _CLOSE_TYPES, side=side, costs=costs, funding=funding, prices=prices,
            targets=targets, amounts=amounts, limit_price=limit_price,
        )  # fmt: skip

    def order(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """An OrderExecutorConfig: filled once, and kept."""
        last, side, costs = len(candles) - 1, _side(config), self._costs(trade_cost)
        base = float(config.amount)
        if config.execution_strategy == ExecutionStrategy.LIMIT_CHASER:
            chase = config.chaser_config
            row, price = kernels.chased_row(
                candles.high, candles.low, candles.close, first, last, side,
                float(chase.distance), float(chase.refresh_threshold),
            )  # fmt: skip
            fill = Fill(row, base, price, costs.maker * base * price)
        else:
            kind = {
                ExecutionStrategy.MARKET: OrderType.MARKET,
                ExecutionStrategy.LIMIT_MAKER: OrderType.LIMIT_MAKER,
            }.get(config.execution_strategy, OrderType.LIMIT)
            price = math.nan if config.price is None else float(config.price)
            fill = _enter(candles, first, side, costs, kind, price, base)
            if fill.row < 0:
                fill = fill._replace(row=_traded_through(candles, first + 1, last, side, fill.price))
        if fill.row < 0:
            return Unfilled(candles, config, first, last, CloseType.EXPIRED, 0.0)
        return Ladder(
            candles, config, first, fill.row, CloseType.POSITION_HOLD, side=side, costs=costs,
            funding=self._funding.per_base(candles, config.trading_pair), fills=[fill], exit_=None, before=0.0,
        )  # fmt: skip

    def _costs(self, trade_cost: float) -> Costs:
        maker = trade_cost if self._maker_cost is None else self._maker_cost
        taker = trade_cost if self._taker_cost is None else self._taker_cost
        return Costs(maker, taker, self._slippage)

    def _ladder(
        self, candles: Candles, first: int, last: int, config: Any, costs: Costs,
        *, orders: list[tuple[Any, float, float]], take_profit: Any, stop_loss: Any, trailing: Any,
        target_rests: bool, before: float,
    ) -> Trajectory:  # fmt: skip
        side = _side(config)
        entries = [_enter(candles, first, side, costs, *order) for order in orders]
        start = first + 1
        if all(entry.row < 0 for entry in entries):
            nearest = (max if side > 0 else min)(entry.price for entry in entries)
            start = _traded_through(candles, start, last, side, nearest)
            if start < 0:
                return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, before)
        rows = np.array([entry.row for entry in entries])
        end, how, price = kernels.ladder_life(
            candles.open, candles.high, candles.low, candles.close, start, last, side,
            np.array([entry.price for entry in entries]), np.array([entry.base for entry in entries]), rows,
            _fraction(take_profit), _fraction(stop_loss),
            _fraction(trailing.activation_price if trailing else None),
            _fraction(trailing.trailing_delta if trailing else None), target_rests,
        )  # fmt: skip
        fills = [entry._replace(row=int(row)) for entry, row in zip(entries, rows, strict=True) if row >= 0]
        resting = how == TAKE_PROFIT and target_rests
        exit_ = Exit(price, costs.maker) if resting else Exit(costs.taken(-side, price), costs.taker)
        return Ladder(
            candles, config, first, end, _CLOSE_TYPES[how], side=side, costs=costs,
            funding=self._funding.per_base(candles, config.trading_pair), fills=fills, exit_=exit_, before=before,
        )  # fmt: skip


def _enter(candles: Candles, first: int, side: int, costs: Costs, order_type: Any, price: float, base: float) -> Fill:
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


def _traded_through(candles: Candles, first: int, last: int, side: int, price: float) -> int:
    """The first row in first .. last that trades beyond a resting order's price; or -1."""
    beyond = math.nextafter(price, -math.inf if side > 0 else math.inf)
    return candles.first_touched(first, last, beyond, falling=side > 0)


def _side(config: Any) -> int:
    return 1 if config.side == TradeType.BUY else -1


def _fraction(value: Any) -> float:
    return float(value) if value else math.nan
