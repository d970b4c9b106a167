"""The stock engine on a market gives what upstream's engine gives, and says at which candle a controller failed."""

from __future__ import annotations

import asyncio
import importlib.util
import textwrap
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from tasks.engine import stock
from tasks.engine._base import Market
from tasks.engine.stock import StockEngine, plain_results
from tasks.errors import CandlesMissing, ControllerError, TradingRulesMissing
from tasks.upstream.backtest import build
from tasks.upstream.backtest.build import controller_config
from tasks.upstream.backtest.rules import trading_rules
from tasks.upstream.names import BacktestingDataProvider, BacktestingEngineBase

FEED = ("binance_perpetual", "BTC-USDT")
START = 1_704_067_200
HOURS = 5
COST = 0.0006
RULES = {
    FEED[0]: {
        FEED[1]: {
            "min_order_size": "0.001",
            "min_price_increment": "0.1",
            "min_base_amount_increment": "0.001",
            "min_notional_size": "5",
        }
    }
}
COMMON = {"id": "test", "connector_name": FEED[0], "trading_pair": FEED[1], "total_amount_quote": 1000}
CONFIGS = {
    "band_reversion": {
        **COMMON,
        "controller_type": "directional_trading",
        "controller_name": "band_reversion",
        "bb_length": 20,
        "bb_std": 1.5,
        "stop_loss": 0.004,
        "take_profit": 0.003,
        "time_limit": 1800,
        "trailing_stop": "0.002,0.001",
    },
    "dca_reversion": {
        **COMMON,
        "controller_type": "directional_trading",
        "controller_name": "dca_reversion",
        "bb_length": 20,
        "bb_std": 1.5,
        "stop_loss": 0.01,
        "take_profit": 0.003,
        "time_limit": 3600,
        "dca_spreads": "0,0.001,0.003",
    },
    "pmm_plain": {
        **COMMON,
        "controller_type": "market_making",
        "controller_name": "pmm_plain",
        "buy_spreads": "0.0005,0.002",
        "sell_spreads": "0.0005,0.002",
        "buy_amounts_pct": "",
        "sell_amounts_pct": "",
        "stop_loss": 0.004,
        "take_profit": 0.001,
        "time_limit": 600,
        "executor_refresh_time": 240,
    },
    "pmm_natr": {
        **COMMON,
        "controller_type": "market_making",
        "controller_name": "pmm_natr",
        "buy_spreads": [1, 2],
        "sell_spreads": [1, 2],
        "buy_amounts_pct": "",
        "sell_amounts_pct": "",
        "natr_length": 10,
        "executor_refresh_time": 300,
    },
    "range_grid": {
        **COMMON,
        "controller_type": "generic",
        "controller_name": "range_grid",
        "range_length": 8,
        "take_profit": 0.001,
        "stop_loss": 0.01,
        "time_limit": 7200,
    },
}


@pytest.fixture(scope="module")
def examples(repository):
    yield repository / "examples" / "controllers"
    build.deactivate()


@pytest.fixture(scope="session")
def feeds(repository):
    """Candles that reach past the period on both sides, so that upstream's provider is content with them."""
    spec = importlib.util.spec_from_file_location("synthetic", repository / "examples" / "synthetic.py")
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    table = synthetic.candles(FEED[1], START - 6 * 3600, (HOURS + 7) * 60, seed=3)
    minutes = pd.DataFrame(table, columns=synthetic.COLUMNS.split(","))
    feeds = {f"{FEED[0]}_{FEED[1]}_1m": minutes}
    how = dict.fromkeys(minutes.columns, "sum") | {"open": "first", "high": "max", "low": "min", "close": "last"}
    for interval, seconds in {"3m": 180, "15m": 900}.items():
        stamp = minutes["timestamp"] // seconds * seconds
        frame = minutes.groupby(stamp, sort=True).agg({**how, "timestamp": "first"}).reset_index(drop=True)
        feeds[f"{FEED[0]}_{FEED[1]}_{interval}"] = frame
    return feeds


def market_of(feeds, **changes):
    fields = {"shift": 0, "warmup": False, "start": START, "end": START + HOURS * 3600, "rules": RULES, **changes}
    return Market(
        feeds=feeds,
        trading_rules=trading_rules(fields.pop("rules")),
        resolution="1m",
        trade_cost=COST,
        **fields,
    )


def upstream(config, market):
    """Upstream's engine itself, fed by hand as its users feed it."""

    async def run():
        engine = BacktestingEngineBase()
        engine.backtesting_data_provider.candles_feeds = {key: feed.copy() for key, feed in market.feeds.items()}
        engine.backtesting_data_provider.trading_rules = {
            key: dict(rules) for key, rules in market.trading_rules.items()
        }
        return await engine.run_backtesting(config, market.start, market.end, market.resolution, market.trade_cost)

    return asyncio.run(run())


def ledger(executors):
    def plain(info):
        fields = info.model_dump()
        fields.pop("id")
        fields["config"].pop("id")
        return fields

    return [plain(info) for info in executors]


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_upstream(name, feeds, examples, monkeypatch):
    monkeypatch.setattr(BacktestingDataProvider, "initialize_rate_sources", lambda self, pairs: None)
    market = market_of(feeds)
    ours = asyncio.run(StockEngine().run(controller_config(CONFIGS[name], examples), market))
    theirs = upstream(controller_config(CONFIGS[name], examples), market)
    assert ours.results == {**theirs["results"], "close_types": theirs["results"]["close_types"] or {}}
    assert ours.results["total_executors"] > 5, "a run that does nothing shows nothing"
    assert ledger(ours.executors) == ledger(theirs["executors"])
    assert ours.pnl_timeseries == theirs["pnl_timeseries"]
    assert ours.position_held_timeseries == theirs["position_held_timeseries"]
    pd.testing.assert_frame_equal(
        ours.processed_data["features"], theirs["processed_data"]["features"], check_exact=True
    )
    assert all(type(value) in (int, float, dict) for value in ours.results.values())


@pytest.mark.parametrize("name", CONFIGS)
def test_the_curves_end_where_the_results_end(name, feeds, examples):
    outcome = asyncio.run(StockEngine().run(controller_config(CONFIGS[name], examples), market_of(feeds)))
    assert len(outcome.timestamps) == len(outcome.equity) == len(outcome.position_value)
    assert outcome.equity[-1] == pytest.approx(outcome.results["net_pnl_quote"], abs=1e-8)
    np.testing.assert_array_equal(outcome.timestamps, [row["timestamp"] for row in outcome.pnl_timeseries])
    assert np.abs(outcome.position_value).max() > 100


@pytest.mark.parametrize("name", CONFIGS)
def test_the_equity_is_what_upstream_says_of_every_executor_on_every_candle(name, feeds, examples, monkeypatch):
    """Realised so far, plus what upstream's own look-up says of those running and of those opened on this candle."""
    running, opened = [], defaultdict(float)
    update, manage = stock._Engine.update_executors_info, stock._Engine.manage_active_executors

    def watch_update(engine, timestamp):
        update(engine, timestamp)
        running.append(sum(float(info.net_pnl_quote) for info in engine.controller.executors_info if info.is_active))

    def watch_manage(engine, simulation):
        manage(engine, simulation)
        frame = simulation.executor_simulation
        if not frame.empty:
            opened[frame.index[0]] += frame["net_pnl_quote"].iloc[0]

    monkeypatch.setattr(stock._Engine, "update_executors_info", watch_update)
    monkeypatch.setattr(stock._Engine, "manage_active_executors", watch_manage)
    outcome = asyncio.run(StockEngine().run(controller_config(CONFIGS[name], examples), market_of(feeds)))
    realised = np.array([row["executor_realized_pnl"] for row in outcome.pnl_timeseries])
    fresh = np.array([opened[timestamp] for timestamp in outcome.timestamps])
    # the last candle's look-up comes once more, when the run closes
    expected = realised + np.array(running[:-1]) + fresh
    np.testing.assert_allclose(outcome.equity, expected, rtol=0, atol=1e-8)


def test_the_position_value_is_base_times_close(feeds, examples):
    outcome = asyncio.run(StockEngine().run(controller_config(CONFIGS["band_reversion"], examples), market_of(feeds)))
    close = outcome.processed_data["features"]["close"].to_numpy()
    expected = np.zeros(len(close))
    for info in outcome.executors:
        held = (outcome.timestamps >= info.timestamp) & (outcome.timestamps < info.close_timestamp)
        expected += held * close * float(info.config.amount) * (1 if info.side.name == "BUY" else -1)
    np.testing.assert_allclose(outcome.position_value, expected, rtol=0, atol=1e-6)


def test_a_grids_inventory_pays_for_its_pnl(feeds, examples):
    """Cash spent and received plus inventory is the pnl: nothing of a grid's fills is lost or counted twice."""
    outcome = asyncio.run(StockEngine().run(controller_config(CONFIGS["range_grid"], examples), market_of(feeds)))
    traded, fees = outcome.turnover.sum(), outcome.results["total_fees_quote"]
    assert fees == pytest.approx(COST * traded, rel=0.01)  # upstream ledgers the exit at the entry's amount


def test_a_run_leaves_no_trace_in_the_next(feeds, examples):
    engine = StockEngine()
    market = market_of(feeds, shift=1, warmup=True)
    before = {key: feed.copy() for key, feed in feeds.items()}
    alone = asyncio.run(engine.run(controller_config(CONFIGS["pmm_natr"], examples), market))
    asyncio.run(engine.run(controller_config(CONFIGS["band_reversion"], examples), market))
    again = asyncio.run(engine.run(controller_config(CONFIGS["pmm_natr"], examples), market))
    assert alone.results == again.results
    np.testing.assert_array_equal(alone.equity, again.equity)
    assert all(feeds[key].equals(feed) for key, feed in before.items())


def test_curves_can_be_left_out(feeds, examples):
    market = market_of(feeds, end=START + 3600)
    outcome = asyncio.run(StockEngine().run(controller_config(CONFIGS["pmm_plain"], examples), market, curves=False))
    assert outcome.equity is None and outcome.position_value is None and outcome.engine == "stock"


def test_nothing_traded(feeds, examples):
    config = controller_config({**CONFIGS["band_reversion"], "bb_std": 50}, examples)
    outcome = asyncio.run(StockEngine().run(config, market_of(feeds)))
    assert outcome.results["close_types"] == {} and outcome.results["total_executors"] == 0
    assert not outcome.equity.any()


def test_results_are_pythons_own_numbers():
    plain = plain_results({"a": np.float64(0.1), "b": np.int64(3), "close_types": {"TAKE_PROFIT": np.int64(2)}})
    assert plain == {"a": 0.1, "b": 3, "close_types": {"TAKE_PROFIT": 2}}
    assert [type(plain["a"]), type(plain["b"]), type(plain["close_types"]["TAKE_PROFIT"])] == [float, int, int]


@pytest.fixture
def failing(tmp_path):
    """A controller that raises where its config says."""
    file = tmp_path / "controllers" / "market_making" / "failing.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        textwrap.dedent("""
        from hummingbot.strategy_v2.controllers.market_making_controller_base import (
            MarketMakingControllerBase, MarketMakingControllerConfigBase)

        class Config(MarketMakingControllerConfigBase):
            controller_name: str = "failing"
            where: str = "at"

        class Failing(MarketMakingControllerBase):
            async def update_processed_data(self):
                await super().update_processed_data()
                if self.config.where == "before":
                    raise KeyError("close")
                if self.config.where == "feed":
                    self.market_data_provider.get_candles_df("kraken", "BTC-USD", "1m")
            def determine_executor_actions(self):
                if self.config.where == "rules":
                    self.market_data_provider.quantize_order_amount("kraken", "BTC-USD", 1)
                if self.market_data_provider.time() >= 1704067200 + 180:
                    raise ValueError("no more")
                return []
        """)
    )
    yield tmp_path
    build.deactivate()


@pytest.mark.parametrize(
    ("where", "kind", "said"),
    [
        (
            "at",
            ControllerError,
            r"^failing at candle 2024-01-01T00:03:00Z: ValueError: no more "
            r"\(controllers/market_making/failing.py, line 20\)$",
        ),
        ("before", ControllerError, r"^failing before the first candle: KeyError: 'close' \(controllers/"),
        ("feed", CandlesMissing, "kraken_BTC-USD_1m"),
        ("rules", TradingRulesMissing, r"trading_rules/kraken\.json"),
    ],
)
def test_what_a_controller_raises_names_the_candle(feeds, failing, where, kind, said):
    values = {
        "controller_type": "market_making",
        "controller_name": "failing",
        "where": where,
        "connector_name": FEED[0],
        "trading_pair": FEED[1],
        "buy_amounts_pct": "",
        "sell_amounts_pct": "",
    }
    with pytest.raises(kind, match=said):
        asyncio.run(StockEngine().run(controller_config(values, failing), market_of(feeds)))
