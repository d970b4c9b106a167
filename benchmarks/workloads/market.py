"""Synthetic markets for benchmarks and for tests of equality: seeded, and never mistaken for real ones."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from tasks.engine._base import Market
from tasks.upstream.names import TradingRule

#: 2024-01-01T00:00:00Z
START = 1704067200
PAIR = "BTC-USDT"


def random_walk(
    rows: int, *, seed: int = 0, seconds: int = 60, volatility: float = 0.001, price: float = 30000.0, tick: float = 0.1
) -> pd.DataFrame:
    """Candles of a random walk on a price grid of `tick`; columns as in Market.feeds, float64."""
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, volatility, rows)))
    opened = np.concatenate([[price], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, volatility / 2, rows)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, volatility / 2, rows)))
    columns = {"open": opened, "high": high, "low": low, "close": close}
    return pd.DataFrame(
        {
            "timestamp": START + float(seconds) * np.arange(rows),
            **{name: np.maximum(np.round(values / tick) * tick, tick) for name, values in columns.items()},
            "volume": rng.uniform(1, 100, rows),
        }
    )


def market_of(
    candles: pd.DataFrame,
    *,
    connector: str = "binance_perpetual",
    resolution: str = "1m",
    trade_cost: float = 0.0002,
    shift: int = 0,
) -> Market:
    """A market of one feed."""
    rule = TradingRule(
        PAIR,
        min_order_size=Decimal("0.001"),
        min_price_increment=Decimal("0.1"),
        min_base_amount_increment=Decimal("0.001"),
        min_notional_size=Decimal("5"),
    )
    return Market(
        feeds={f"{connector}_{PAIR}_{resolution}": candles},
        trading_rules={name: {PAIR: rule} for name in (connector, "binance_perpetual")},
        start=int(candles["timestamp"].iloc[0]),
        end=int(candles["timestamp"].iloc[-1]),
        resolution=resolution,
        trade_cost=trade_cost,
        shift=shift,
    )
