"""Markets and controllers of the live engine's tests."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.workloads.market import START, market_of, random_walk
from tasks.engine._base import Market
from tasks.upstream.backtest.build import deactivate
from tests.unit.tasks.engine import test_audit

CONNECTOR = "binance_perpetual"
DAY = 86400
#: Seconds of candles before the period.
LEAD = 3 * DAY // 2
PERIOD = 3 * DAY // 4


def resampled(candles: pd.DataFrame, seconds: int) -> pd.DataFrame:
    """Candles of a longer interval, the last one perhaps not whole."""
    group = (candles["timestamp"] // seconds * seconds).rename("open_time")
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return candles.groupby(group).agg(rules).reset_index(names="timestamp")


@pytest.fixture(scope="session")
def two_pairs() -> Market:
    """18 hours of two pairs in 5m, 15m and 1h; the second pair has gaps."""
    rows = (PERIOD + LEAD) // 300
    bitcoin = random_walk(rows, seed=3, seconds=300, volatility=0.002)
    ether = random_walk(rows, seed=4, seconds=300, volatility=0.002, price=2000.0, tick=0.01)
    ether = ether.drop(index=[500, 501, 502, 600]).reset_index(drop=True)
    feeds = {}
    for pair, candles in (("BTC-USDT", bitcoin), ("ETH-USDT", ether)):
        feeds[f"{CONNECTOR}_{pair}_5m"] = candles
        feeds[f"{CONNECTOR}_{pair}_15m"] = resampled(candles, 900)
        feeds[f"{CONNECTOR}_{pair}_1h"] = resampled(candles, 3600)
    return dataclasses.replace(
        market_of(bitcoin, resolution="5m", shift=1),
        feeds=feeds, start=START + LEAD, end=START + LEAD + PERIOD - 300, warmup=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def audited_market() -> Market:
    """Of the audit's tests: some hours of 1m, with 3m and 15m."""
    return dataclasses.replace(test_audit.market_of(test_audit.HOURS), trading_rules={})


@pytest.fixture(scope="module")
def cheats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The controllers folder of the audit's tests."""
    folder = tmp_path_factory.mktemp("cheats")
    path = folder / "directional_trading" / "suspect.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(test_audit.DIRECTIONAL))
    yield folder
    deactivate()
