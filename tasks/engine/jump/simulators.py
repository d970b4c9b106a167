"""Upstream's executor simulators on arrays: the same numbers, bit for bit, without a frame per executor.

Each class reproduces one module of hummingbot.strategy_v2.backtesting.executors_simulator, oddities included; what
each oddity is stands where it is reproduced. tasks.upstream.fingerprint says for which source they were verified.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from tasks.engine.jump import kernels
from tasks.engine.jump.candles import Candles, Floats
from tasks.engine.jump.trajectories import CLOSE_TYPES, DCA, NOT_SET, Grid, Order, Position, Stage, Unfilled, stage_of
from tasks.engine.jump.trajectory import NotReproduced, State, Trajectory
from tasks.upstream.names import (
    CloseType,
    DCAExecutorSimulator,
    DCAMode,
    ExecutionStrategy,
    GridExecutorSimulator,
    TradeType,
)


class StockSimulators:
    """The Simulators of stock fills."""

    def funding_per_base(self, candles: Candles, pair: str) -> Floats | None:
        """Upstream's back-test knows no funding."""
        return None

    def position(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """PositionExecutorSimulator.simulate."""
        barriers = config.triple_barrier_config
        last = candles.last_row(config, barriers.time_limit)
        if config.entry_price is None:
            raise NotReproduced("a position executor without an entry_price")
        configured_price = float(config.entry_price)
        if last < first:
            return None
        buys = config.side == TradeType.BUY
        start = first
        if barriers.open_order_type.is_limit_type():
            start = candles.first_reached(first, last, config.entry_price, falling=buys)
            if start < 0:
                return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, configured_price)

        entry_price = candles.close[start]
        side = 1 if buys else -1
        stop_price = NOT_SET
        if barriers.stop_loss:
            stop_price = entry_price * (1 - float(barriers.stop_loss) * side)
            # Upstream looks for the stop from the creation on, also where nothing is filled yet.
            touched = candles.first_touched(first, start - 1, stop_price, falling=buys) if start > first else -1
            if touched >= 0:
                return Unfilled(candles, config, first, touched, CloseType.STOP_LOSS, configured_price)
        activation = delta = NOT_SET
        if barriers.trailing_stop:
            activation = float(barriers.trailing_stop.activation_price)
            delta = float(barriers.trailing_stop.trailing_delta)
        both_fees = 2 * trade_cost
        end, how, net_pnl_pct = kernels.position_end(
            candles.growth,
            candles.low,
            candles.high,
            start,
            last,
            float(side),
            both_fees,
            float(barriers.take_profit) if barriers.take_profit else NOT_SET,
            stop_price,
            activation,
            delta,
            -delta if start > first else -math.inf,
        )
        return Position(
            candles,
            config,
            first,
            end,
            CLOSE_TYPES[how],
            start,
            configured_price,
            side=side,
            both_fees=both_fees,
            filled=float(config.amount) * entry_price,
            net_pnl_pct=net_pnl_pct,
        )

    def dca(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """DCAExecutorSimulator.simulate."""
        if config.mode == DCAMode.TAKER:
            raise NotImplementedError("Taker mode is not supported in DCAExecutorSimulator")
        last = candles.last_row(config, config.time_limit)
        if last < first:
            return None
        prices, amounts = config.prices, config.amounts_quote
        buys = config.side == TradeType.BUY
        stages: list[Stage] = []
        entry = -1
        for level, price in enumerate(prices):
            entry = candles.first_reached(first, last, price, falling=buys)
            if entry < 0:
                break
            break_even = price
            if level > 0:
                break_even = DCAExecutorSimulator.break_even_price_at_index(prices, amounts, level)
            stages.append(stage_of(candles, config, level, entry, last, break_even, buys))
        if not stages:
            return Unfilled(candles, config, first, last, CloseType.TIME_LIMIT, float(prices[0]))

        # Upstream ledgers every stage from the entry it computed last on: the last level's, or nowhere where the price
        # never came to a level.
        booked = []
        close_type, end = CloseType.FAILED, last
        for stage in stages:
            booked.append(stage)
            if stage.close_type is not None:
                close_type, end = stage.close_type, stage.end
                break
        if entry < 0 or entry > end:
            return Unfilled(candles, config, first, end, close_type, float(prices[0]))
        if any(stage.entry > entry for stage in booked):
            raise NotReproduced("a DCA executor whose levels are not reached in their order")
        return DCA(
            candles,
            config,
            first,
            end,
            close_type,
            entry,
            stages=booked,
            both_fees=2 * trade_cost,
            before=float(prices[0]),
            after=float(booked[-1].break_even),
        )

    def grid(
        self, candles: Candles, first: int, config: Any, trade_cost: float, trading_rules: Any
    ) -> Trajectory | None:
        """GridExecutorSimulator.simulate."""
        barriers = config.triple_barrier_config
        last = candles.last_row(config, barriers.time_limit)
        if last < first:
            return None
        middle = Decimal(str(candles.close[first]))
        levels = GridExecutorSimulator._generate_grid_levels(config, middle, trading_rules)
        buys = config.side == TradeType.BUY
        prices = np.array([float(level.price) for level in levels])
        gains = np.array([float(level.take_profit) for level in levels])
        return Grid(
            candles,
            config,
            first,
            last,
            side=1.0 if buys else -1.0,
            exit_price=float(config.end_price if buys else config.start_price),
            limit_price=float(config.limit_price) if config.limit_price else None,
            stop_loss=float(barriers.stop_loss) if barriers.stop_loss else None,
            prices=prices,
            tp_prices=prices * (1 + gains) if buys else prices * (1 - gains),
            amounts=np.array([float(level.amount_quote) for level in levels]),
            trade_cost=trade_cost,
        )

    def order(self, candles: Candles, first: int, config: Any, trade_cost: float) -> Trajectory | None:
        """OrderExecutorSimulator.simulate."""
        last = len(candles) - 1
        buys = config.side == TradeType.BUY
        fill = first
        if config.execution_strategy not in (ExecutionStrategy.MARKET, ExecutionStrategy.LIMIT_CHASER):
            level = float(config.price)
            if config.execution_strategy == ExecutionStrategy.LIMIT_MAKER:
                level = (min if buys else max)(level, float(candles.close[first]))
            find = kernels.first_at_or_below if buys else kernels.first_at_or_above
            fill = find(candles.close, candles.close_minima if buys else candles.close_maxima, first, last, level)
            if fill < 0:
                return Unfilled(candles, config, first, last, CloseType.EXPIRED, 0.0)
        entry_price = float(candles.close[fill])
        filled = float(config.amount) * entry_price
        return Order(
            candles,
            config,
            first,
            fill,
            CloseType.POSITION_HOLD,
            fill,
            state=State(0.0, 0.0, trade_cost * filled, filled, entry_price),
        )
