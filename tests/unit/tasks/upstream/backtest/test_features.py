"""The merged frame: upstream's where nothing is shifted, honest where it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import CandlesNotCovering, ControllerError
from tasks.isolation.notes import notes
from tasks.upstream.backtest.build import controller_config, deactivate, make_controller
from tasks.upstream.backtest.features import NO_FEATURES, merged, prepare_market_data
from tasks.upstream.names import BacktestingEngineBase
from tests.cases import cases

FEED = ("binance_perpetual", "BTC-USDT")
START = 1_704_067_200

CONTROLLERS = {
    "directional_trading/three_feeds.py": """
        import pandas as pd
        from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
        from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
            DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase)

        class Config(DirectionalTradingControllerConfigBase):
            controller_name: str = "three_feeds"
            max_records: int = 20
            nan_column: bool = False
            stamp: str = "timestamp"

        class Controller(DirectionalTradingControllerBase):
            def get_candles_config(self):
                return [CandlesConfig(connector=self.config.connector_name, trading_pair=self.config.trading_pair,
                                      interval=interval, max_records=self.config.max_records)
                        for interval in ("1m", "3m", "1h")]

            async def update_processed_data(self):
                merged = None
                for interval in ("1m", "3m", "1h"):
                    candles = self.market_data_provider.get_candles_df(
                        self.config.connector_name, self.config.trading_pair, interval, self.config.max_records)
                    frame = candles[["timestamp"]].copy()
                    frame["sum_" + interval] = candles[["open", "high", "low", "close"]].sum(axis=1)
                    frame["mean_" + interval] = candles["close"].rolling(2).mean()
                    frame["opened_" + interval] = candles["timestamp"]
                    merged = frame if merged is None else pd.merge_asof(merged, frame, on="timestamp")
                merged["signal"] = (merged["mean_1m"] > merged["mean_3m"]).astype(int)
                if self.config.nan_column:
                    merged["supertrend_long"] = float("nan")
                merged = merged.rename(columns={"timestamp": self.config.stamp})
                self.processed_data = {"signal": 0, "features": merged}
        """,
    "directional_trading/bare.py": """
        from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
            DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase)

        class Config(DirectionalTradingControllerConfigBase):
            controller_name: str = "bare"

        class Controller(DirectionalTradingControllerBase):
            async def update_processed_data(self):
                self.processed_data = {"signal": 1}
        """,
    "market_making/plain.py": """
        from hummingbot.strategy_v2.controllers.market_making_controller_base import (
            MarketMakingControllerBase, MarketMakingControllerConfigBase)

        class Config(MarketMakingControllerConfigBase):
            controller_name: str = "plain"

        class Controller(MarketMakingControllerBase):
            pass
        """,
}


@pytest.fixture
def features(write_controllers):
    """`features(market, name=, **values)`: the merged frame of a controller on a market."""
    root = write_controllers(CONTROLLERS)

    def make(market, name="three_feeds", **values):
        kind = "market_making" if name == "plain" else "directional_trading"
        expensive = {
            "controller_type": kind,
            "controller_name": name,
            "connector_name": FEED[0],
            "trading_pair": FEED[1],
        }

        async def prepare():
            controller = make_controller(controller_config({**expensive, **values}, root, "test"), market)
            await controller.update_processed_data()
            frame = prepare_market_data(controller, "1m")
            assert controller.processed_data["features"] is frame
            assert controller.market_data_provider.stepping
            return frame, controller

        frame, make.controller = asyncio.run(prepare())
        return frame

    yield make
    deactivate()


@pytest.mark.parametrize("name", ["three_feeds", "plain"])
def test_without_shift_the_frame_is_upstreams(make_market, features, name):
    market = make_market(intervals=("1m", "3m", "1h"))
    ours = features(market, name)

    async def upstream():
        controller = make_controller(features.controller.config, market)
        await controller.update_processed_data()
        engine = BacktestingEngineBase.__new__(BacktestingEngineBase)
        engine.controller, engine.backtesting_resolution = controller, "1m"
        return engine.prepare_market_data()

    pd.testing.assert_frame_equal(ours, asyncio.run(upstream()), check_exact=True)


def test_with_warmup_the_first_row_has_features(make_market, features):
    market = make_market(intervals=("1m", "3m", "1h"), shift=1, warmup=True)
    assert features(market).index[0] == START
    cold = make_market(intervals=("1m", "3m", "1h"), shift=1)
    assert features(cold).index[0] == START + 2 * 3600  # two 1h candles have to close first


def test_each_row_holds_the_newest_closed_candle(make_market, features):
    market = make_market(intervals=("1m", "3m", "1h"), shift=1, warmup=True)
    frame = features(market)
    for interval, seconds in {"1m": 60, "3m": 180, "1h": 3600}.items():
        raw = market.feeds[f"binance_perpetual_BTC-USDT_{interval}"].set_index("timestamp")
        newest = frame.index // seconds * seconds - seconds
        expected = raw.loc[newest, ["open", "high", "low", "close"]].sum(axis=1).to_numpy()
        np.testing.assert_array_equal(frame[f"sum_{interval}"].to_numpy(), expected)


@settings(max_examples=cases(12), deadline=None)
@given(cut=st.integers(1, 4 * 60 - 1), shift=st.integers(1, 3), warmup=st.booleans(), seed=st.integers(0, 1000))
def test_no_row_depends_on_a_candle_that_closes_later(cut, shift, warmup, seed):
    """Change every 1m candle that closes after t, and the 3m and 1h candles made of them: rows up to t stay."""
    make_market, features = _WORLD["make_market"], _WORLD["features"]
    base = make_market(intervals=("1m", "3m", "1h"), shift=shift, warmup=warmup)
    minutes = base.feeds["binance_perpetual_BTC-USDT_1m"].copy()
    t = START + cut * 60
    later = minutes["timestamp"] + 60 > t
    prices = ["open", "high", "low", "close"]
    minutes.loc[later, prices] *= np.random.default_rng(seed).uniform(0.5, 2, (later.sum(), 1))
    changed = make_market(intervals=("1m", "3m", "1h"), shift=shift, warmup=warmup, minutes=minutes)

    def derived(market, name):
        try:
            frame = features(market, name).loc[:t]
        except ControllerError:  # without warm-up, a large shift leaves no row of a short period
            return None
        own = [f"{column}{suffix}" for column in [*prices, "volume"] for suffix in ("", "_bt")]
        return frame.drop(columns=own)

    for name in ("three_feeds", "plain"):
        before, after = derived(base, name), derived(changed, name)
        if before is not None:
            pd.testing.assert_frame_equal(before, after, check_exact=True)


_WORLD = {}


@pytest.fixture(autouse=True)
def _world(make_market, features):
    """Hypothesis takes no function-scoped fixtures; its test finds them here."""
    _WORLD.update(make_market=make_market, features=features)


def test_without_features_the_reference_price_is_held_back(make_market, features):
    warm = features(make_market(shift=2, warmup=True), "plain")
    raw = make_market().feeds["binance_perpetual_BTC-USDT_1m"].set_index("timestamp")["close"]
    np.testing.assert_array_equal(warm["reference_price"].to_numpy(), raw.loc[warm.index - 120].to_numpy())
    assert warm.index[0] == START
    cold = features(make_market(shift=2), "plain")
    assert cold.index[0] == START + 120
    assert cold["reference_price"].iloc[0] == raw.loc[START]


@pytest.mark.parametrize(("name", "warned"), [("bare", True), ("plain", False), ("three_feeds", False)])
def test_a_directional_controller_without_features_is_warned_of(make_market, features, name, warned):
    notes.clear()
    features(make_market(intervals=("1m", "3m", "1h")), name)
    assert (NO_FEATURES in notes.warnings()) is warned
    notes.clear()


def test_a_column_of_nan_is_named(make_market, features):
    market = make_market(intervals=("1m", "3m", "1h"))
    with pytest.raises(ControllerError, match=r"of 240 rows .*supertrend_long 240, mean_1h 60"):
        features(market, nan_column=True)


def test_features_without_timestamp_are_named(make_market, features):
    with pytest.raises(ControllerError, match=r"no column `timestamp`.*it has: when, sum_1m"):
        features(make_market(intervals=("1m", "3m", "1h")), stamp="when")


def test_a_period_without_candles_is_named(make_market, features):
    market = make_market()
    object.__setattr__(market, "start", START + 86400 * 30)
    object.__setattr__(market, "end", START + 86400 * 31)
    with pytest.raises(CandlesNotCovering, match="has no candle between"):
        features(market, "plain")


def test_without_shift_the_future_leaks_as_it_does_upstream(make_market, features):
    """What the property above would see if nothing were held back."""
    frame = features(make_market(intervals=("1m", "3m", "1h")))
    hour = frame.loc[START + 2 * 3600]
    raw = make_market(intervals=("1h",)).feeds["binance_perpetual_BTC-USDT_1h"].set_index("timestamp")
    assert hour["sum_1h"] == raw.loc[START + 2 * 3600, ["open", "high", "low", "close"]].sum()


@settings(max_examples=cases(70), deadline=None)
@given(data=st.data())
def test_merged_rows_are_upstreams_whatever_the_features_look_like(data):
    rows = data.draw(st.integers(1, 30))
    opened = START + 60.0 * np.arange(rows)
    raw = pd.DataFrame({"timestamp": opened, **{name: np.arange(rows) + 0.5 for name in ("open", "high", "low")}})
    raw["close"], raw["volume"] = raw["open"] + 1, 3.0
    stamps = data.draw(st.lists(st.integers(-120, 60 * rows), min_size=1, max_size=20))
    if data.draw(st.integers(0, 5)):
        stamps.sort()
    features = pd.DataFrame({"timestamp": START + np.array(stamps, dtype=float)})
    kinds = {
        "whole": np.arange(len(stamps)),
        "flag": np.arange(len(stamps)) % 2 == 0,
        "small": np.arange(len(stamps), dtype="float32"),
        "gaps": np.where(np.arange(len(stamps)) % 3, 1.5, np.nan),
        "text": [str(stamp) for stamp in stamps],
        "when": pd.to_datetime(features["timestamp"], unit="s"),
        "close": np.full(len(stamps), 7.0),
        "open_bt": np.full(len(stamps), 7.0),
    }
    for name in data.draw(st.lists(st.sampled_from(list(kinds)), unique=True)):
        features[name] = kinds[name]
    if data.draw(st.booleans()):
        features.index = pd.to_datetime(features["timestamp"], unit="s")

    def upstream():
        engine = BacktestingEngineBase.__new__(BacktestingEngineBase)
        engine.backtesting_resolution = "1m"
        config = SimpleNamespace(connector_name="a", trading_pair="b")
        provider = SimpleNamespace(get_candles_df=lambda **_: raw.copy())
        engine.controller = SimpleNamespace(
            config=config, market_data_provider=provider, processed_data={"features": features.copy()}
        )
        return engine.prepare_market_data()

    try:
        expected = upstream()
    except Exception as error:
        with pytest.raises(type(error)):
            merged(raw, features)
        return
    pd.testing.assert_frame_equal(merged(raw, features)[0].dropna(), expected, check_exact=True)
