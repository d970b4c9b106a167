"""A walk-forward on the engine, without processes: what was learned by heart is worth nothing later, an edge stays."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from benchmarks.workloads.market import PAIR, START, market_of, random_walk
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.folds import Window, windows_of
from orchestrator.validation.joined import piece_of
from orchestrator.validation.walk import Chosen, WindowResult, walk
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.returns import period_returns
from tasks.protocol.returns import period_ends
from tests.unit.orchestrator.sweepfile.test_validate import SWEEP

STEP_S = 300
DAYS = 7
CAPITAL = 1000.0
INTERVAL_S = 3600


class ByHeartConfig(BollingerConfig):
    """`table` names one course of ups and downs over all hours."""

    controller_name: str = "by_heart"
    table: int = 0

    def get_controller_class(self) -> Any:
        return ByHeart


class ByHeart(Bollinger):
    """Knows one course of all hours by heart and trades on it, whatever the market does."""

    async def update_processed_data(self) -> None:
        config = self.config
        df = self.market_data_provider.get_candles_df(config.connector_name, config.trading_pair, "5m", 10).copy()
        hours = (df["timestamp"] // 3600).astype(int)
        course = {hour: random.Random(f"{config.table} {hour}").choice((-1, 1)) for hour in hours.unique()}
        df["signal"] = hours.map(course)
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


def reverting(seed: int) -> pd.DataFrame:
    """Candles whose price comes back to 30,000 within an hour or two."""
    candles = random_walk(DAYS * 288 + 1, seed=seed, seconds=STEP_S)
    rng, away, price = np.random.default_rng(seed), 0.0, []
    for shock in rng.normal(0, 0.002, len(candles)):
        away = 0.93 * away + shock
        price.append(30_000 * np.exp(away))
    close = np.round(price, 1)
    opened = np.concatenate([[30_000.0], close[:-1]])
    candles["open"], candles["close"] = opened, close
    candles["high"], candles["low"] = np.maximum(opened, close), np.minimum(opened, close)
    return candles


def sweep_of(grid: dict[str, list[Any]]) -> Sweep:
    keys = {
        **SWEEP,
        "grid": grid,
        "resolution": "5m",
        "period": {"start": START, "end": START + DAYS * 86400},
        "rank_by": "net_pnl",
        "validate": {"embargo": "1h", "walk_forward": {"train": "2d", "test": "1d"}},
    }
    return Sweep.from_mapping(keys, "sweep.yml")


async def result(engine: JumpEngine, config: type[BollingerConfig], values: dict[str, Any], candles: pd.DataFrame,
                 window: Window) -> WindowResult:  # fmt: skip
    """A point on the candles of a window, as a child runs it."""
    inside = candles[candles["timestamp"].between(window.start, window.end)].reset_index(drop=True)
    market = market_of(inside, resolution="5m", trade_cost=0.0)
    made = config(
        id="case", connector_name="binance_perpetual", trading_pair=PAIR, total_amount_quote=Decimal(int(CAPITAL)),
        interval="5m", cooldown_time=60, max_executors_per_side=1, time_limit=3600, **values,
    )  # fmt: skip
    outcome = await engine.run(made, market)
    assert outcome.timestamps is not None
    assert outcome.equity is not None
    ends = period_ends(window.start, window.end, STEP_S, INTERVAL_S)
    returns = period_returns(outcome.timestamps, CAPITAL + outcome.equity, CAPITAL, ends).astype(np.float64)
    piece = piece_of(window, INTERVAL_S, returns, ends.astype(np.float64))
    return WindowResult(piece, piece.total, "ok", float(outcome.results["total_positions"]))


async def walked(config: type[BollingerConfig], grid: dict[str, list[Any]], candles: pd.DataFrame) -> dict[str, Any]:
    """The answer of a walk-forward in which every point runs on every window."""
    about, engine = sweep_of(grid), JumpEngine()
    folds = []
    for fold in windows_of(about).folds:
        points = range(about.grid.size)
        train, test = [
            {point: await result(engine, config, about.grid.values(point), candles, window) for point in points}
            for window in (fold.train, fold.test)
        ]
        order = sorted(points, key=lambda point: (-train[point].objective, point))
        control = random.Random(fold.number).sample(list(points), min(10, len(points)))
        folds.append(Chosen(fold, tuple(order), tuple(control), len(order), train, test))
    return walk(folds, about.grid, ("best", 0), "net_pnl")


def test_what_was_learned_by_heart_wins_in_every_training_window_and_not_in_the_tests() -> None:
    candles = random_walk(DAYS * 288 + 1, seed=8, seconds=STEP_S)
    answer = asyncio.run(walked(ByHeartConfig, {"table": list(range(20))}, candles))
    assert len(answer["folds"]) == 4
    assert all(fold["return_in"] > 0.01 for fold in answer["folds"])
    # ten choices of four folds: what is left of a gain in training is around nothing
    inside = np.mean([fold["return_in_per_year"] for fold in answer["folds"]])
    outside = np.mean([place["return_per_year"] for place in answer["choices"]])
    assert abs(outside) < 0.25 * inside
    assert answer["joined"]["efficiency"] < 0.5
    assert answer["joined"]["sharpe_low"] <= 0 <= answer["joined"]["sharpe_high"]


def test_an_edge_that_is_there_is_kept() -> None:
    answer = asyncio.run(walked(BollingerConfig, {"length": [10, 20, 40], "deviations": [1.0, 2.0]}, reverting(8)))
    assert all(fold["return_out"] > 0 for fold in answer["folds"])
    assert answer["joined"]["efficiency"] > 0.5
    assert answer["joined"]["sharpe_low"] > 0
