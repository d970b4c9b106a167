"""Whole sweeps on the jump engine, in one process, on random walks: what the verdict says where nothing can be known.

Four controllers of Hummingbot's kinds over a small grid, honest fills, no costs. One-minute candles; a random walk has
no direction and no costs take anything away, so the true mean of every point is 0 or below.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.workloads import controllers
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.returns import period_returns
from tasks.protocol.returns import period_ends, returns_interval

_BARRIERS: dict[str, Any] = {"time_limit": 2700, "cooldown_time": 300}
_LEVELS: dict[str, Any] = {**_BARRIERS, "buy_amounts_pct": "", "sell_amounts_pct": "", "executor_refresh_time": 300}
_BANDS = {"length": (40, 80, 160), "deviations": (1.0, 1.5, 2.0)}
_EXITS = {"take_profit": ("0.003", "0.006", "0.012"), "stop_loss": ("0.005", "0.01", "0.02")}
#: controller -> (config class, settings, axes)
SWEEPS: dict[str, tuple[Any, dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "directional": (controllers.BollingerConfig, _BARRIERS, {**_BANDS, **_EXITS}),
    "making": (
        controllers.SimpleMakerConfig, _LEVELS,
        {"buy_spreads": ("0.001", "0.002", "0.003"), "sell_spreads": ("0.001", "0.002", "0.003"), **_EXITS},
    ),
    "dca": (controllers.BollingerDCAConfig, _BARRIERS, {**_BANDS, **_EXITS}),
    "grid": (controllers.BollingerGridConfig, _BARRIERS, {**_BANDS, **_EXITS}),
}  # fmt: skip
CAPITAL = 1000.0


def engine_sweep(name: str, days: int, seed: int) -> tuple[npt.NDArray[np.float32], int]:
    """(returns, shape (T, 81); seconds of a period) of a controller's grid on one random walk."""
    market = market_of(random_walk(days * 1440, seed=seed, volatility=0.0007), trade_cost=0.0)
    interval_s = returns_interval(market.start, market.end, 60)
    ends = period_ends(market.start, market.end, 60, interval_s)
    rows: list[npt.NDArray[np.float32]] = []

    async def run() -> None:
        engine = JumpEngine(FillRules(maker_cost=0.0, taker_cost=0.0))
        for config in _configs(name):
            random.seed(1)
            outcome = await engine.run(config, market)
            assert outcome.timestamps is not None
            assert outcome.equity is not None
            rows.append(period_returns(outcome.timestamps, CAPITAL + outcome.equity, CAPITAL, ends))

    asyncio.run(run())
    return np.array(rows).T, interval_s


def _configs(name: str) -> Iterator[Any]:
    config, settings, axes = SWEEPS[name]
    common = {"id": "null", "connector_name": "binance_perpetual", "trading_pair": PAIR}
    for values in product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        yield config(**{**common, "total_amount_quote": Decimal(int(CAPITAL)), **settings, **point})
