"""Small markets and controllers folders."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.engine._base import Market

CONNECTOR, PAIR = "binance_perpetual", "BTC-USDT"
START = 1_704_067_200  # 2024-01-01T00:00:00Z


def candles(start: int, seconds: int, rows: int, seed: int = 1) -> pd.DataFrame:
    """A random walk, `rows` candles of `seconds` each from `start` on."""
    rng = np.random.default_rng(seed)
    close = 40_000 * np.exp(np.cumsum(rng.normal(0, 0.001, rows)))
    open_ = np.concatenate([[40_000.0], close[:-1]])
    spread = np.abs(rng.normal(0, 0.0005, (2, rows)))
    return pd.DataFrame(
        {
            "timestamp": (start + seconds * np.arange(rows)).astype(float),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + spread[0]),
            "low": np.minimum(open_, close) * (1 - spread[1]),
            "close": close,
            "volume": rng.uniform(1, 10, rows),
        }
    )


def resampled(minutes: pd.DataFrame, seconds: int) -> pd.DataFrame:
    """Full candles of `seconds` from 1m candles."""
    group = (minutes["timestamp"] // seconds * seconds).rename("open_time")
    columns = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    frame = minutes.groupby(group).agg({**columns, "timestamp": "count"})
    frame = frame[frame["timestamp"] == seconds // 60]
    frame = frame.drop(columns="timestamp").reset_index(names="timestamp")
    return frame[["timestamp", *columns]]


@pytest.fixture
def make_market() -> Callable[..., Market]:
    """`make_market(hours=, lead_hours=, intervals=, shift=, warmup=)`: one pair, several feeds made from one walk."""

    def make(
        *,
        hours: int = 4,
        lead_hours: int = 4,
        intervals: tuple[str, ...] = ("1m",),
        shift: int = 0,
        warmup: bool = False,
        minutes: pd.DataFrame | None = None,
    ) -> Market:
        if minutes is None:
            minutes = candles(START - lead_hours * 3600, 60, (hours + lead_hours) * 60)
        seconds = {"1m": 60, "3m": 180, "15m": 900, "1h": 3600}
        return Market(
            feeds={
                f"{CONNECTOR}_{PAIR}_{interval}": minutes if interval == "1m" else resampled(minutes, seconds[interval])
                for interval in intervals
            },
            trading_rules={},
            start=START,
            end=START + hours * 3600,
            resolution="1m",
            trade_cost=0.0006,
            shift=shift,
            warmup=warmup,
        )

    return make


@pytest.fixture
def write_controllers(tmp_path: Path) -> Callable[..., Path]:
    """`write_controllers(files, name)`: a controllers folder with these files, {relative path: source}."""

    def write(files: dict[str, str], name: str = "bundle") -> Path:
        root = tmp_path / name / "controllers"
        for path, source in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(textwrap.dedent(source))
        return root

    return write
