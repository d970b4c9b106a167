"""From an executor's config to its simulated life, on its own pair's candles.

The one place where the live engine meets the simulators.
"""

from __future__ import annotations

from typing import Any

from tasks.engine.jump.accepted import accepted
from tasks.engine.jump.trajectory import Simulators, Trajectory
from tasks.engine.live.pairs import Books
from tasks.errors import ControllerError
from tasks.upstream.names import (
    DCAExecutorConfig,
    GridExecutorConfig,
    OrderExecutorConfig,
    PositionExecutorConfig,
)

#: Executors that need more than candles -> what they need.
_NEEDS = {
    "arbitrage_executor": "the order books of two connectors",
    "xemm_executor": "the order books of two connectors",
    "lp_executor": "a liquidity pool",
    "twap_executor": "a simulator that is not there",
}


def simulate(
    simulators: Simulators, books: Books, row: int, config: Any, trade_cost: float, trading_rules: Any
) -> Trajectory | None:
    """The life of an executor created on a row; None where its window holds no row.

    `trading_rules`: connector -> trading pair -> Hummingbot's TradingRule. Raises ControllerError for an executor that
    candles cannot simulate, and what Books.of raises.
    """
    if isinstance(config, DCAExecutorConfig):
        candles = books.of(config.connector_name, config.trading_pair, row).candles
        return simulators.dca(candles, row, accepted(config, DCAExecutorConfig), trade_cost)
    if isinstance(config, PositionExecutorConfig):
        candles = books.of(config.connector_name, config.trading_pair, row).candles
        return simulators.position(candles, row, accepted(config, PositionExecutorConfig), trade_cost)
    if isinstance(config, GridExecutorConfig):
        candles = books.of(config.connector_name, config.trading_pair, row).candles
        rules = trading_rules.get(config.connector_name, {}).get(config.trading_pair)
        return simulators.grid(candles, row, accepted(config, GridExecutorConfig), trade_cost, rules)
    if isinstance(config, OrderExecutorConfig):
        candles = books.of(config.connector_name, config.trading_pair, row).candles
        return simulators.order(candles, row, accepted(config, OrderExecutorConfig), trade_cost)
    kind = str(getattr(config, "type", "?"))
    needs = _NEEDS.get(kind, "a simulator that is not there")
    raise ControllerError(
        f"creates an executor of type {kind!r} ({type(config).__name__}), which needs {needs}; candles can simulate "
        "position_executor, dca_executor, grid_executor and order_executor"
    )
