"""What a maker's spread earns on real candles: nothing with stock fills, which ledger at the close.

Before costs, so that fewer trades are not mistaken for better ones. Every position is closed after a minute.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.workloads.controllers import SimpleMakerConfig
from tasks.engine._base import Market, Outcome
from tasks.engine.fills import STOCK, FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.upstream.names import TradingRule

CONNECTOR, PAIR = "binance_perpetual", "DOGE-USDT"
DAYS = 1
#: fractions of the price; from one that fills every other minute to one that fills a few times a day
SPREADS = (0.0005, 0.0015, 0.004)


@pytest.fixture(scope="module")
def market(shared_data: Path) -> Market:
    candles = pd.read_parquet(shared_data / "quants_lab_binance_perpetual_DOGE-USDT_1m.parquet").reset_index(drop=True)
    candles = candles[["timestamp", "open", "high", "low", "close", "volume"]].astype(float).iloc[: DAYS * 1440]
    return Market(
        feeds={f"{CONNECTOR}_{PAIR}_1m": candles},
        trading_rules={CONNECTOR: {PAIR: TradingRule(PAIR)}},
        start=int(candles["timestamp"].iloc[0]),
        end=int(candles["timestamp"].iloc[-1]),
        resolution="1m",
        trade_cost=0.0,
        shift=1,
    )


def run(market: Market, fills: FillRules, spreads: str) -> Outcome:
    config = SimpleMakerConfig(
        id="maker",
        connector_name=CONNECTOR,
        trading_pair=PAIR,
        total_amount_quote=1000,
        buy_spreads=spreads,
        sell_spreads=spreads,
        buy_amounts_pct="",
        sell_amounts_pct="",
        executor_refresh_time=60,
        cooldown_time=15,
        stop_loss=None,
        take_profit=None,
        time_limit=60,
    )

    async def go() -> Outcome:
        return await JumpEngine(fills).run(config, market)

    return asyncio.run(go())


def test_stock_pnl_is_flat_in_the_spread_and_honest_pnl_rises(market: Market) -> None:
    stock = [run(market, STOCK, str(spread)).results["net_pnl_quote"] for spread in SPREADS]
    honest = [run(market, FillRules(), str(spread)).results["net_pnl_quote"] for spread in SPREADS]
    print("\nspread   stock  honest  (quote, before costs)")
    for spread, one, other in zip(SPREADS, stock, honest, strict=True):
        print(f"{spread:6.2%} {one:7.1f} {other:7.1f}")
    assert all(narrow < wide for narrow, wide in pairwise(honest))
    rise = honest[-1] - honest[0]
    assert max(stock) - min(stock) < rise / 3
    assert stock[-1] - stock[0] < 0.1 * rise


def test_of_two_orders_that_one_candle_fills_the_wider_earns_the_difference_with_honest_fills_only(
    market: Market,
) -> None:
    spreads = (0.0005, 0.001, 0.0015, 0.002)
    listed = ",".join(map(str, spreads))
    day = replace(market, end=market.start + 43200)
    stock, honest = run(day, STOCK, listed), run(day, FillRules(), listed)
    differences = filled_together(stock)
    assert len(differences) > 50
    assert max(map(abs, (gain for gain, _ in differences))) < 1e-12

    differences = filled_together(honest)
    assert len(differences) > 200
    for gain, levels in differences:
        # One step wider is 0.0005 of the reference price better, and a return counts from the entry.
        assert gain == pytest.approx(0.0005 * levels, rel=0.02)


def filled_together(outcome: Outcome) -> list[tuple[float, int]]:
    """(return of the wider minus that of the narrower, levels between them) of orders placed and filled together."""
    groups: dict[Any, list[tuple[int, float]]] = {}
    for executor in outcome.executors:
        filled = executor.custom_info["open_order_last_update"]
        if executor.filled_amount_quote == 0 or filled == executor.timestamp:  # the market was through it already
            continue
        level = executor.custom_info["level_id"]
        key = (executor.timestamp, level.split("_")[0], filled, executor.close_timestamp)
        groups.setdefault(key, []).append((int(level.split("_")[1]), float(executor.net_pnl_pct)))
    return [
        (wide[1] - narrow[1], wide[0] - narrow[0])
        for together in groups.values()
        for narrow, wide in pairwise(sorted(together))
    ]
