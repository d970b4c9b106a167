"""Compiles the loops of all executors before the first point."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from tasks.engine.candles import Candles
from tasks.engine.equity import EquityCurve
from tasks.engine.executors.dca import trail_hit
from tasks.engine.executors.registry import simulate
from tasks.engine.fills import STOCK, FillRules, RunFills
from tasks.upstream.names import (
    DCAExecutorConfig,
    ExecutionStrategy,
    GridExecutorConfig,
    OrderExecutorConfig,
    OrderType,
    PositionExecutorConfig,
    TradeType,
    TrailingStop,
    TripleBarrierConfig,
)


def warm() -> None:
    """Compile every loop, or load it from the cache. Seconds the first time on a machine; a child does it once.

    One executor of each kind is simulated with each sort of fills, so that a loop is compiled for the very types it is
    called with.
    """
    rows = 4
    flat = np.full(rows, 100.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), flat)
    candles = Candles(pd.DataFrame(columns, index=pd.Index(60.0 * np.arange(rows), name="epoch_seconds")))
    for rules in (STOCK, FillRules()):
        fills = RunFills(rules, candles, trade_cost=0.0, trading_rules=_no_rules)
        for config in _configs():
            trajectory = simulate(config, candles, 0, fills)
            if trajectory is not None and trajectory.fill_row is not None:
                trajectory.add_to(EquityCurve(candles.close), trajectory.last, 0.0, kept=False)
    trail_hit(flat, 0, 0, 1.0, 1.0)


def _no_rules(connector: str, trading_pair: str) -> None:
    raise KeyError(trading_pair)


def _configs() -> list[object]:
    common = {"timestamp": 0.0, "connector_name": "c", "trading_pair": "A-B", "side": TradeType.BUY}
    barriers = TripleBarrierConfig(
        stop_loss=Decimal("0.5"),
        take_profit=Decimal("0.5"),
        trailing_stop=TrailingStop(activation_price=Decimal("0.5"), trailing_delta=Decimal("0.1")),
        open_order_type=OrderType.LIMIT,
    )
    market = barriers.model_copy(update={"open_order_type": OrderType.MARKET})
    one, price = Decimal(1), Decimal(101)
    return [
        PositionExecutorConfig(**common, entry_price=price, amount=one, triple_barrier_config=barriers),
        PositionExecutorConfig(**common, entry_price=price, amount=one, triple_barrier_config=market),
        DCAExecutorConfig(**common, prices=[price, Decimal(99)], amounts_quote=[one, one], stop_loss=Decimal("0.5")),
        GridExecutorConfig(
            **common,
            start_price=Decimal(90),
            end_price=Decimal(110),
            limit_price=Decimal(80),
            total_amount_quote=Decimal(100),
            triple_barrier_config=barriers,
        ),
        OrderExecutorConfig(**common, amount=one, price=price, execution_strategy=ExecutionStrategy.LIMIT),
        OrderExecutorConfig(
            **common,
            amount=one,
            execution_strategy=ExecutionStrategy.LIMIT_CHASER,
            chaser_config={"distance": Decimal("0.01"), "refresh_threshold": Decimal("0.01")},
        ),
    ]
