"""Sweeps that look like real ones, made up from a seed: for the tests of what a user looks at, and for the screenshots.

The made-up objective has a plateau, depends on every axis, is below 0 for most points and above for some.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.results.store import Store
from tasks.engine.detail import TRADE_COLUMNS
from tasks.grid import Grid
from tasks.protocol.messages import Kind, Rows, SweepDefinition

GRID: dict[str, list[Any]] = {
    "bb_length": [20, 40, 60, 80, 100],
    "bb_std": [1.5, 2.0, 2.5, 3.0],
    "take_profit": [0.003, 0.006, 0.009, 0.012],
    "trading_pair": ["BTC-USDT", "ETH-USDT"],
}
#: 100,000 points
LARGE: dict[str, list[Any]] = {
    "bb_length": list(range(10, 260, 10)),
    "bb_std": [round(1 + 0.1 * step, 1) for step in range(20)],
    "take_profit": [round(0.002 * step, 3) for step in range(1, 11)],
    "stop_loss": [0.005, 0.01, 0.02, 0.04],
    "cooldown_time": [60, 120, 300, 600, 1200],
}
#: What `tasks.engine.regimes` counts, as far as the page draws it.
REGIMES = {
    "month": ["2024-01", "2024-02"],
    "volatility": ["low", "middle", "high"],
    "hour": [f"{hour:02}" for hour in range(24)],
    "weekday": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
}
START = 1_704_067_200  # 2024-01-01 00:00 UTC


def definition(sweep: str, grid: dict[str, list[Any]], **changes: Any) -> SweepDefinition:
    fields: dict[str, Any] = {
        "sweep": sweep,
        "kind": Kind.RUN,
        "controller": {
            "controller_type": "directional_trading",
            "controller_name": "band_reversion",
            "connector_name": "binance_perpetual",
            "trading_pair": "BTC-USDT",
            "interval": "3m",
            "total_amount_quote": 1000,
        },
        "grid": grid,
        "start": START,
        "end": START + 7 * 86_400,
        "resolution": "1m",
        "trade_cost": 0.0006,
        "engine": "jump",
        "shift": 1,
        "fills": "stock",
        "warmup": True,
        "point_timeout_s": 600.0,
        "seed": 0,
        "slices": {"binance_perpetual_BTC-USDT_1m": "3f" * 32, "binance_perpetual_BTC-USDT_3m": "a7" * 32},
        "lead": {"binance_perpetual_BTC-USDT_3m": 100},
        "controllers": "c0" * 32,
        "trading_rules": {"binance_perpetual": {"BTC-USDT": {"min_order_size": "0.001"}}},
        "versions": {"hummingbot": "20260922", "hummingsweep": "0.1.0", "python": "3.12"},
    }
    return SweepDefinition(**(fields | changes))


def row(grid: Grid, point: int, chance: np.random.Generator) -> dict[str, Any]:
    """An ok row; the same for the same point and generator state."""
    size = [len(axis) - 1 or 1 for axis in grid.axes]
    at = [digit / last for digit, last in zip(grid.digits(point), size, strict=True)]
    at += [0.4] * (2 - len(at))
    hill = math.exp(-8 * (at[0] - 0.6) ** 2 - 5 * (at[1] - 0.4) ** 2)
    pnl = 0.12 * hill - 0.05 - 0.02 * sum(at[2:]) / max(1, len(at) - 2) + float(chance.normal(0, 0.006))
    positions = int(20 + 200 * (1 - at[1]))
    won = int(positions * min(0.95, 0.45 + pnl))
    return {
        "point": point,
        "status": "ok",
        "error": "",
        "engine": "jump",
        "seconds": 0.018,
        "net_pnl": pnl,
        "net_pnl_quote": 1000 * pnl,
        "close_types": {"TAKE_PROFIT": won, "STOP_LOSS": positions - won},
        "total_positions": positions,
        "accuracy": won / positions,
        "max_drawdown_pct": -abs(0.02 + 0.4 * max(0.0, -pnl)),
        "profit_factor": 1 + 3 * pnl,
        "total_fees_quote": 0.3 * positions,
        "sharpe": 30 * pnl,
        "sortino": 40 * pnl if pnl > 0 else None,
        "max_drawdown": -abs(0.025 + 0.4 * max(0.0, -pnl)),
        "engine_note": "",
        "warning": "",
    }


def error_row(point: int, error: str) -> dict[str, Any]:
    return {"point": point, "status": "error", "error": error, "engine": "", "seconds": 0.002}


def store(
    folder: Path,
    grid: dict[str, list[Any]] | None = None,
    *,
    sweep: str = "bands-0123456789",
    failed: dict[int, str] | None = None,
    points: range | None = None,
    meta: dict[str, Any] | None = None,
    sweep_file: str = "name: bands\n",
    **changes: Any,
) -> str:
    """An output folder with a sweep in it; `failed` maps points to their errors, `points` leaves the others out."""
    found = definition(sweep, GRID if grid is None else grid, **changes)
    axes = Grid.from_mapping(found.grid)
    chance = np.random.default_rng(11)
    wanted = range(axes.size) if points is None else points
    with Store.create(folder) as made:
        made.add_sweep(found, sweep_file, {"rank_by": "net_pnl", "where": None, **(meta or {})})
        for first in range(0, len(wanted), 5000):
            part = wanted[first : first + 5000]
            rows = [
                error_row(point, failed[point]) if failed and point in failed else row(axes, point, chance)
                for point in part
            ]
            made.insert(sweep, Rows.from_dicts(f"1:{part[0]}-{part[-1]}", "mac-studio/0", 5.0, rows))
    return sweep


def detail_row(point: int, *, candles: int = 2000, trades: int = 60, seed: int = 5) -> dict[str, Any]:
    """A row of Kind.DETAIL: a random walk, trades on it, their pnl as the equity curve."""
    chance = np.random.default_rng(seed + point)
    time = START + 300.0 * np.arange(candles)
    close = 42_000 * np.exp(np.cumsum(chance.normal(0, 0.0011, candles)))
    equity = np.zeros(candles)
    columns: dict[str, list[Any]] = {name: [] for name in TRADE_COLUMNS}
    for place in sorted(chance.choice(candles - 60, trades, replace=False).tolist()):
        end, side = place + int(chance.integers(5, 50)), ("BUY", "SELL")[int(chance.integers(2))]
        sign = 1 if side == "BUY" else -1
        pnl = float(sign * 1000 * (close[end] / close[place] - 1) + chance.normal(1.5, 1))
        equity[end:] += pnl
        kind = "TAKE_PROFIT" if pnl > 0 else "STOP_LOSS"
        entry = (time[place], close[place], time[end], close[end], side, kind, pnl, "position_executor", "")
        for name, value in zip(TRADE_COLUMNS, entry, strict=True):
            columns[name].append(float(value) if isinstance(value, np.floating) else value)
    drawdown = equity - np.maximum.accumulate(np.maximum(equity, 0))
    curve = {"time": time, "equity": equity, "drawdown": drawdown, "close": close}
    detail = {
        "curve": {name: values.tolist() for name, values in curve.items()},
        "trades": columns,
        "regimes": {
            "regimes": [
                {"kind": kind, "name": name, "share": 0.1, "earned": float(chance.normal(0, 20)), "winning": 0.5}
                for kind, names in REGIMES.items()
                for name in names
            ],
            "note": "",
        },
        "trades_total": trades,
        "unfilled": 12,
    }
    return {"point": point, "status": "ok", "error": "", "detail": detail}


CROSS = """
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase,
)

class CrossConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "cross"
    fast: int = 5
    slow: int = 20

class Cross(DirectionalTradingControllerBase):
    pass
"""


def cross_inputs(folder: Path) -> None:
    """What a sweep of the controller `cross` reads, beside its candles: source and trading rules."""
    source = folder / "controllers" / "directional_trading" / "cross.py"
    source.parent.mkdir(parents=True)
    source.write_text(CROSS)
    rules = folder / "data" / "trading_rules"
    rules.mkdir(parents=True)
    (rules / "binance.json").write_text('{"BTC-USDT": {"min_order_size": "0.001"}}')


def flat_candles(folder: Path, minutes: int, without: range = range(0)) -> None:
    """Candles of BTC-USDT at a price of 1, one a minute from 2024-01-01 on, without some."""
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{1_704_067_200 + 60 * minute},1,1,1,1,1" for minute in range(minutes) if minute not in without]
    (folder / "data" / "candles_binance_BTC-USDT_1m.csv").write_text("\n".join(lines) + "\n")
