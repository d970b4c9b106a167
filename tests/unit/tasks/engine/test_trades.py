"""The ledger as data, for every kind of executor on every engine: its trades add up to its pnl and fees."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads.controllers import (
    BollingerConfig,
    BollingerDCAConfig,
    BollingerGridConfig,
    PatientConfig,
    SimpleMakerConfig,
)
from benchmarks.workloads.market import PAIR, market_of, random_walk
from benchmarks.workloads.stateful import CallerConfig, HourlyBuyerConfig, PairsTraderConfig
from tasks.engine._base import Market, Outcome
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.live.engine import LiveEngine
from tasks.engine.stock import StockEngine
from tasks.engine.trades import EXECUTOR_COLUMNS, FILL_COLUMNS, trades

DIRECTIONAL = {"length": 30, "stop_loss": "0.01", "take_profit": "0.006", "time_limit": 3600, "cooldown_time": 600}
MAKER = {
    "buy_spreads": "0.001,0.002", "sell_spreads": "0.001,0.002", "buy_amounts_pct": "1,1", "sell_amounts_pct": "1,1",
    "executor_refresh_time": 600, "cooldown_time": 300, "stop_loss": "0.02", "take_profit": "0.004",
}  # fmt: skip
#: controller -> (config, its values)
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "position": (BollingerConfig, DIRECTIONAL),
    "DCA": (BollingerDCAConfig, DIRECTIONAL),
    "grid": (BollingerGridConfig, DIRECTIONAL),
    "maker": (SimpleMakerConfig, MAKER),
    "kept": (PatientConfig, {}),
}
ENGINES: dict[str, Any] = {
    "stock": StockEngine,
    "jump, stock fills": JumpEngine,
    "jump, honest fills": lambda: JumpEngine(FillRules()),
    "live, honest fills": lambda: LiveEngine(FillRules()),
}
#: What only the live engine runs rightly.
LIVE: dict[str, tuple[Any, dict[str, Any]]] = {
    "orders kept": (HourlyBuyerConfig, {}),
    "orders by calls": (CallerConfig, {}),
}


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(600, seed=8, volatility=0.0015), shift=1)


def run(engine: Any, case: tuple[Any, dict[str, Any]], market: Market) -> Outcome:
    kind, values = case
    names = {"connector_name": "binance_perpetual", "trading_pair": PAIR}
    names = {name: value for name, value in names.items() if name in kind.model_fields}

    async def go() -> Outcome:
        random.seed(2)
        config = kind(id="point", total_amount_quote=1000, **names, **values)
        return await engine().run(config, market)

    return asyncio.run(go())


def rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def checked(outcome: Outcome) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Executors and fills of an outcome, after what holds for all of them."""
    found = trades(outcome)
    assert tuple(found["executors"]) == EXECUTOR_COLUMNS
    assert tuple(found["fills"]) == FILL_COLUMNS
    executors, fills = rows(found["executors"]), rows(found["fills"])
    assert [one["executor"] for one in executors] == list(range(len(outcome.executors)))
    assert [fill["time"] for fill in fills] == sorted(fill["time"] for fill in fills)
    for number, one in enumerate(executors):
        own = [fill for fill in fills if fill["executor"] == number]
        entries = [fill for fill in own if fill["side"] == one["side"]]
        exits = [fill for fill in own if fill["side"] != one["side"]]
        assert (one["filled"] is None) == (not entries)
        assert one["amount"] == pytest.approx(sum(fill["amount"] for fill in entries))
        assert all(one["created"] <= fill["time"] for fill in own)
        if not own:
            assert one["volume_quote"] == one["pnl_quote"] == 0
            continue
        assert one["volume_quote"] == pytest.approx(sum(fill["amount"] * fill["price"] for fill in own))
        if one["close_type"] != "POSITION_HOLD":
            assert sum(fill["amount"] for fill in exits) == pytest.approx(one["amount"])
            assert one["fees_quote"] == pytest.approx(sum(fill["fee_quote"] for fill in own))
    return executors, fills


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_trades_add_up_to_what_the_ledger_says(case: str, engine: str, market: Market) -> None:
    outcome = run(ENGINES[engine], CASES[case], market)
    executors, fills = checked(outcome)
    assert sum(one["filled"] is not None for one in executors) >= 3
    closed = [one for one in executors if one["filled"] is not None and one["close_type"] != "POSITION_HOLD"]
    liquidity = {fill["liquidity"] for fill in fills}
    if "honest" not in engine:
        assert liquidity == {""}
        return
    assert liquidity <= {"maker", "taker"}
    for one in closed:
        sign = 1 if one["side"] == "BUY" else -1
        own = [fill for fill in fills if fill["executor"] == one["executor"]]
        bought = sum((1 if fill["side"] == "SELL" else -1) * fill["amount"] * fill["price"] for fill in own)
        assert one["pnl_quote"] == pytest.approx(bought - one["fees_quote"], abs=1e-6)
        assert one["pnl_quote"] == pytest.approx(
            sign * one["amount"] * (one["exit_price"] - one["entry_price"]) - one["fees_quote"], abs=1e-6
        )


@pytest.mark.parametrize("case", LIVE)
def test_what_a_live_controller_orders_is_there_too(case: str, market: Market) -> None:
    executors, fills = checked(run(ENGINES["live, honest fills"], LIVE[case], market))
    assert len(fills) >= 10
    assert {one["type"] for one in executors} == {"order_executor"}


def test_the_ledger_of_stock_and_jump_engine_is_the_same(market: Market) -> None:
    one, other = (trades(run(ENGINES[name], CASES["position"], market)) for name in ("stock", "jump, stock fills"))
    for table in ("executors", "fills"):
        for name, values in one[table].items():
            if name != "id":
                assert values == other[table][name], name


def test_two_pairs_name_the_pair_of_each_executor() -> None:
    first, second = random_walk(600, seed=3), random_walk(600, seed=4, price=2000.0, tick=0.01)
    market = market_of(first, shift=1)
    rules = {"binance_perpetual": {"BTC-USDT": market.trading_rules["binance_perpetual"][PAIR]}}
    feeds = {**market.feeds, "binance_perpetual_ETH-USDT_1m": second}
    both = Market(feeds, rules, market.start, market.end, "1m", 0.0002, shift=1)
    executors, fills = checked(run(ENGINES["live, honest fills"], (PairsTraderConfig, {}), both))
    assert {one["trading_pair"] for one in executors} == {"BTC-USDT", "ETH-USDT"}
    prices = {one["trading_pair"]: one["entry_price"] for one in executors if one["filled"] is not None}
    assert prices["BTC-USDT"] > 10 * prices["ETH-USDT"]
    assert np.isfinite([fill["price"] for fill in fills]).all()
