"""The audit on controllers that cheat, each in its own way, and on controllers that do not."""

import asyncio
import json
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine._base import Market
from tasks.engine.audit import AuditReport, State, audit
from tasks.engine.audit.truncation import Candles, changed_market, cut_market, cut_moments
from tasks.engine.jump.engine import JumpEngine
from tasks.errors import ControllerError
from tasks.upstream.backtest.build import controller_config, deactivate
from tasks.upstream.names import TradingRule

START = 1_704_067_200  # 2024-01-01 00:00 UTC
HOURS = 3
#: For what happens seldom.
MANY_HOURS = 6
LEAD = 3
FEED = "binance_perpetual_BTC-USDT"

DIRECTIONAL = """
    import random
    import time

    import numpy as np
    import pandas as pd
    from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
    from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
        DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase)


    class SuspectConfig(DirectionalTradingControllerConfigBase):
        controller_name: str = "suspect"
        kind: str
        interval: str = "1m"
        shifts_itself: bool = False
        until: int = 0


    class Suspect(DirectionalTradingControllerBase):
        seen = []

        def get_candles_config(self):
            intervals = {"1m", self.config.interval} | ({"15m"} if self.config.kind == "several" else set())
            return [CandlesConfig(connector=self.config.connector_name, trading_pair=self.config.trading_pair,
                                  interval=interval, max_records=60) for interval in sorted(intervals)]

        def candles(self, interval=None):
            return self.market_data_provider.get_candles_df(
                self.config.connector_name, self.config.trading_pair, interval or self.config.interval, 60)

        async def update_processed_data(self):
            df = self.candles()
            getattr(self, self.config.kind)(df, df["close"])
            if "signal" not in df:
                df["signal"] = np.sign(df["z"]).where(df["z"].abs() > 0.5, 0).fillna(0).astype(int)
            self.processed_data.update({"signal": df["signal"].iloc[-1], "features": df})

        def get_executor_config(self, trade_type, price, amount):
            config = super().get_executor_config(trade_type, price, amount)
            return config.model_copy(update={"timestamp": time.time()}) if self.config.kind == "clock" else config

        def determine_executor_actions(self):
            row = self.market_data_provider.time()
            features = self.processed_data["features"]
            if self.config.kind == "last_row":
                last = features["close"].iloc[-1]
                self.processed_data["signal"] = 1 if last > self.processed_data["close"] else -1
            elif self.config.kind == "next_row" and row + 60 in features.index:
                self.processed_data["signal"] = self.turn(row, 60)
            elif self.config.kind == "raw_feed":
                raw = self.market_data_provider.candles_feeds["binance_perpetual_BTC-USDT_1m"]
                later = raw["close"][raw["timestamp"] >= row].iloc[:6]
                self.processed_data["signal"] = int(np.sign(later.iloc[-1] - later.iloc[0]))
            elif self.config.kind == "asks_every_candle":
                seen = self.candles()["close"]
                self.processed_data["signal"] = int(np.sign(seen.iloc[-1] - seen.iloc[-20:].mean()))
            elif self.config.kind == "rng":
                self.processed_data["signal"] = random.choice([-1, 0, 1])
            elif self.config.kind == "ten_minutes" and row < self.config.until - 600:
                self.processed_data["signal"] = self.turn(row, 600)
            return super().determine_executor_actions()

        def turn(self, row, later):
            close = self.processed_data["features"]["close"]
            return int(np.sign(close.loc[row + later] - close.loc[row]))

        # cheats in the features

        def whole_window(self, df, close):
            df["z"] = (close - close.mean()) / close.std()

        def negative_shift(self, df, close):
            df["z"] = ((close.shift(-5) / close - 1) * 500).fillna(0)

        def negative_shift_nan(self, df, close):
            df["z"] = (close.shift(-1) / close - 1) * 500

        def centred(self, df, close):
            df["z"] = (close - close.rolling(21, center=True, min_periods=1).mean()) / close.std() * 0 + (
                close.rolling(21, center=True, min_periods=1).mean() / close - 1) * 500

        def rank(self, df, close):
            df["z"] = (close.rank(pct=True) - 0.5) * 4

        def hour_high(self, df, close):
            high = df["high"].groupby((df["timestamp"] - 1) // 3600).transform("max")
            df["z"] = (high / close - 1.005) * 500

        def backfill(self, df, close):
            turned = close.where(close.rolling(30).max() == close)
            df["z"] = (turned.bfill().ffill() / close - 1) * 500

        def line_fit(self, df, close):
            slope, level = np.polyfit(np.arange(len(df)), close, 1)
            df["z"] = (close / (level + slope * np.arange(len(df))) - 1) * 500

        # honest features

        def bands(self, df, close):
            df["z"] = ((close - close.rolling(30).mean()) / close.rolling(30).std()).fillna(0)

        def several(self, df, close):
            slow = self.candles("15m")
            slow = pd.DataFrame({"timestamp": slow["timestamp"], "slow": slow["close"].ewm(span=5).mean()})
            fast = close.ewm(span=12, adjust=False).mean() / close.ewm(span=26, adjust=False).mean() - 1
            merged = pd.merge_asof(df[["timestamp"]], slow, on="timestamp")
            df["slow"] = merged["slow"].to_numpy()
            df["z"] = (fast * 500 + (close / df["slow"] - 1) * 100).fillna(0)

        def expanding(self, df, close):
            df["z"] = ((close - close.expanding().mean()) / close.expanding().std()).fillna(0)

        def own_shift(self, df, close):
            before = close.shift(1)
            df["high"], df["low"], df["close"], df["volume"] = df["high"].shift(1), df["low"].shift(1), before, 0
            df["z"] = ((before - before.rolling(30).mean()) / before.rolling(30).std()).fillna(0)
            df.drop(df.index[:1], inplace=True)

        def seldom(self, df, close):
            ahead = close.shift(-4) / close - 1
            df["z"] = np.where(df["timestamp"] // 60 % 97 == 5, np.sign(ahead), 0)

        def late(self, df, close):
            self.bands(df, close)
            df.loc[df["timestamp"] > self.config.until - 900, "z"] = 1000 * (close.shift(-2) / close - 1)

        def named_bt(self, df, close):
            self.bands(df, close)
            df["edge_bt"] = (close.shift(-4) / close).fillna(1)

        def kept(self, df, close):
            longest = max([*Suspect.seen, close], key=len)
            Suspect.seen.append(longest)
            df["z"] = 500 * (longest.shift(-4).reindex(close.index) / close - 1).fillna(0)

        def second(self, df, close):
            self.bands(df, close)
            df["z"] *= 1 - 2 * min(len(Suspect.seen), 1)
            Suspect.seen.append(close)

        def elsewhere(self, df, close):
            self.bands(df, close)
            seen = vars(pd).get("seen", 0)
            pd.seen = seen + 1
            df["z"] *= 1 - 2 * min(seen, 1)

        last_row = next_row = raw_feed = asks_every_candle = rng = clock = ten_minutes = bands
"""

MAKER = """
    from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
    from hummingbot.strategy_v2.controllers.market_making_controller_base import (
        MarketMakingControllerBase, MarketMakingControllerConfigBase)
    from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
    from hummingbot.strategy_v2.models.executor_actions import StopExecutorAction


    class MakerConfig(MarketMakingControllerConfigBase):
        controller_name: str = "maker"
        kind: str


    class Maker(MarketMakingControllerBase):
        def get_candles_config(self):
            return [CandlesConfig(connector=self.config.connector_name, trading_pair=self.config.trading_pair,
                                  interval="3m", max_records=40)] if self.config.kind == "dynamic" else []

        async def update_processed_data(self):
            if self.config.kind != "dynamic":
                return await super().update_processed_data()
            df = self.market_data_provider.get_candles_df(
                self.config.connector_name, self.config.trading_pair, "3m", 40)
            natr = (df["high"] - df["low"]).ewm(span=14).mean() / df["close"]
            df["spread_multiplier"] = natr
            df["reference_price"] = df["close"] * (1 + 0.2 * natr * (df["close"].diff() > 0))
            self.processed_data = {"reference_price": df["reference_price"].iloc[-1],
                                   "spread_multiplier": df["spread_multiplier"].iloc[-1], "features": df}

        def ahead(self, level_id, seconds):
            # The rise of the close over the next seconds, a fall for the selling side.
            feed = self.market_data_provider.candles_feeds["binance_perpetual_BTC-USDT_1m"]
            closes = feed["close"][feed["timestamp"] <= self.market_data_provider.time() + seconds]
            rise = closes.iloc[-1] / float(self.processed_data["close"]) - 1
            return rise if level_id.startswith("buy") else -rise

        def get_levels_to_execute(self):
            levels = super().get_levels_to_execute()
            rare = self.config.kind == "rare_level"
            return [level for level in levels if not rare or self.ahead(level, 900) > -0.009]

        def executors_to_early_stop(self):
            if self.config.kind != "rare_stop":
                return []
            return [StopExecutorAction(controller_id=self.config.id, executor_id=executor.id)
                    for executor in self.executors_info if executor.is_active and not executor.is_trading
                    and self.ahead(executor.custom_info["level_id"], 300) < -0.005]

        def get_executor_config(self, level_id, price, amount):
            if self.config.kind == "rare_amount" and self.ahead(level_id, 900) < -0.009:
                amount = amount / 10
            common = dict(timestamp=self.market_data_provider.time(), connector_name=self.config.connector_name,
                          trading_pair=self.config.trading_pair, side=self.get_trade_type_from_level_id(level_id),
                          leverage=self.config.leverage, level_id=level_id)
            return PositionExecutorConfig(entry_price=price, amount=amount,
                                          triple_barrier_config=self.config.triple_barrier_config, **common)
"""


#: What a maker does on few rows, where the price is about to move against it.
RARE = ("rare_level", "rare_amount", "rare_stop")


def walk(hours: int, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = (LEAD + hours) * 60 + 1
    close = 40_000 * np.exp(np.cumsum(rng.normal(0, 0.0012, rows)))
    opened = np.concatenate([[40_000.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.0006, (2, rows)))
    return pd.DataFrame(
        {
            "timestamp": (START - LEAD * 3600 + 60.0 * np.arange(rows)),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wick[0]),
            "low": np.minimum(opened, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.uniform(1, 10, rows),
        }
    )


def every(minutes: pd.DataFrame, seconds: int) -> pd.DataFrame:
    group = minutes["timestamp"] // seconds * seconds
    frame = minutes.groupby(group.rename("open_time")).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    return frame.reset_index(names="timestamp")


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(HOURS)


@pytest.fixture(scope="module")
def longer_market() -> Market:
    return market_of(MANY_HOURS)


def market_of(hours: int) -> Market:
    minutes = walk(hours)
    feeds = {f"{FEED}_1m": minutes, f"{FEED}_3m": every(minutes, 180), f"{FEED}_15m": every(minutes, 900)}
    rule = TradingRule("BTC-USDT")
    return Market(
        feeds=feeds,
        trading_rules={"binance_perpetual": {"BTC-USDT": rule}},
        start=START,
        end=START + hours * 3600,
        resolution="1m",
        trade_cost=0.0006,
        shift=1,
        warmup=True,
    )


@pytest.fixture(scope="module")
def controllers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("audited")
    for name, source in (("directional_trading/suspect", DIRECTIONAL), ("market_making/maker", MAKER)):
        path = folder / f"{name}.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(source))
    yield folder
    deactivate()


def audited(market: Market, controllers: Path, kind: str, *, cuts: int = 3, **values: Any) -> AuditReport:
    maker = kind in ("plain", "dynamic", *RARE)
    config = {
        "controller_type": "market_making" if maker else "directional_trading",
        "controller_name": "maker" if maker else "suspect",
        "connector_name": "binance_perpetual",
        "trading_pair": "BTC-USDT",
        "total_amount_quote": 1000,
        "kind": kind,
        "stop_loss": 0.01,
        "take_profit": 0.004,
        "time_limit": 1800,
        "cooldown_time": 300,
    }
    if maker:
        config |= {"buy_spreads": "0.001,0.002", "sell_spreads": "0.001,0.002", "executor_refresh_time": 300}
        config |= {"buy_amounts_pct": "", "sell_amounts_pct": ""}
    config |= values

    async def run() -> AuditReport:
        return await audit(JumpEngine(), lambda: controller_config(config, controllers), market, cuts, seed=1)

    report = asyncio.run(run())
    json.dumps(report.to_dict())
    return report


def found(report: AuditReport, what: str) -> set[str]:
    return {finding.field for finding in report.findings if finding.what == what}


# Cheats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    ["whole_window", "negative_shift", "negative_shift_nan", "centred", "rank", "hour_high", "backfill", "line_fit"],
)
def test_a_feature_that_knows_the_future_is_named(market: Market, controllers: Path, kind: str) -> None:
    report = audited(market, controllers, kind)
    assert report.state is State.LOOK_AHEAD, report.verdict
    assert "z" in found(report, "feature")
    assert not found(report, "feature") - {"z", "signal", "(row)"}
    assert "z" in report.verdict


@pytest.mark.parametrize(("kind", "column"), [("seldom", "z"), ("late", "z"), ("named_bt", "edge_bt"), ("kept", "z")])
def test_a_feature_that_knows_the_future_now_and_then_is_named(
    market: Market, controllers: Path, kind: str, column: str
) -> None:
    """On a few rows, in the last minutes, under a name like the engine's, or kept in the class from a longer run."""
    report = audited(market, controllers, kind, until=market.end)
    assert report.state is State.LOOK_AHEAD, report.verdict
    assert column in found(report, "feature")


def test_what_is_kept_elsewhere_between_runs_is_told(market: Market, controllers: Path) -> None:
    try:
        report = audited(market, controllers, "elsewhere")
    finally:
        vars(pd).pop("seen", None)
    assert report.state is State.NOT_REPRODUCIBLE, report.verdict
    assert "an earlier run left" in report.verdict and report.cuts == []


def test_what_its_class_keeps_is_put_back_between_runs(market: Market, controllers: Path) -> None:
    report = audited(market, controllers, "second")
    assert report.state is State.CLEAN, report.verdict


def as_stock(market: Market) -> Market:
    """With a shift, candles_feeds ends at the current candle; without one it is whole, as on the stock engine."""
    return replace(market, shift=0, warmup=False)


@pytest.mark.parametrize("kind", ["last_row", "next_row", "raw_feed"])
def test_a_decision_that_knows_the_future_is_caught(market: Market, controllers: Path, kind: str) -> None:
    report = audited(as_stock(market) if kind == "raw_feed" else market, controllers, kind)
    assert report.state is State.LOOK_AHEAD, report.verdict
    assert not found(report, "feature")
    assert found(report, "decision") & {"created", "side", "stopped"}


@pytest.mark.parametrize("kind", RARE)
def test_a_maker_that_seldom_knows_the_future_is_caught(longer_market: Market, controllers: Path, kind: str) -> None:
    report = audited(as_stock(longer_market), controllers, kind, cuts=8, executor_refresh_time=600)
    assert report.state is State.LOOK_AHEAD, report.verdict
    assert not found(report, "feature")


def test_with_a_shift_the_feeds_hold_no_future_to_look_into(market: Market, controllers: Path) -> None:
    report = audited(market, controllers, "raw_feed")
    assert report.state is State.NOT_TESTED, report.verdict
    assert "decided nothing" in report.verdict


def test_failing_without_the_future_is_caught(market: Market, controllers: Path) -> None:
    """It looks ten minutes ahead, which raises where the candles are cut away."""
    report = audited(market, controllers, "ten_minutes", until=market.end)
    assert report.state is State.LOOK_AHEAD, report.verdict
    (raised,) = [finding for finding in report.findings if finding.field == "raised"]
    assert "KeyError" in raised.cut


def test_what_the_controller_raises_on_the_whole_period_is_raised(market: Market, controllers: Path) -> None:
    with pytest.raises(ControllerError, match=r"suspect at candle .*KeyError"):
        audited(market, controllers, "ten_minutes", until=market.end + 3600)


def test_a_long_candle_steers_the_rows_before_its_close_without_the_shift(market: Market, controllers: Path) -> None:
    """The stock engine's own leak: honest indicators on 3m candles, merged on open times."""
    report = audited(replace(market, shift=0), controllers, "bands", interval="3m", cuts=6)
    assert report.state is State.LOOK_AHEAD, report.verdict
    assert "z" in found(report, "feature")
    assert audited(market, controllers, "bands", interval="3m", cuts=6).state is State.CLEAN


def test_the_finding_says_when_how_often_and_by_how_much(market: Market, controllers: Path) -> None:
    report = audited(market, controllers, "whole_window")
    (z,) = [finding for finding in report.findings if finding.field == "z"]
    assert z.first_time == START
    assert z.cuts == len(report.cuts) == 3
    assert z.max_size is not None and z.max_size > 0.01
    assert float(z.full) != float(z.cut)
    assert report.to_dict()["findings"][0]["first_time_utc"] == "2024-01-01T00:00:00Z"


# Honest controllers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bands", {}),
        ("bands", {"interval": "15m"}),
        ("several", {"interval": "3m"}),
        ("expanding", {}),
        ("asks_every_candle", {}),
        ("own_shift", {"interval": "3m", "shifts_itself": True}),
        ("plain", {}),
        ("dynamic", {}),
    ],
)
def test_an_honest_controller_is_not_accused(
    market: Market, longer_market: Market, controllers: Path, kind: str, values: Any
) -> None:
    report = audited(longer_market if values.get("interval") == "15m" else market, controllers, kind, **values)
    assert report.state is State.CLEAN, (report.verdict, report.to_dict()["findings"])
    assert report.decisions > 5
    assert len(report.cuts) == 3
    assert report.verdict.startswith("clean")


def test_candles_of_the_engines_own_interval_do_not_leak_without_the_shift(market: Market, controllers: Path) -> None:
    assert audited(replace(market, shift=0, warmup=False), controllers, "bands").state is State.CLEAN


# Neither ----------------------------------------------------------------------------------------------------------


def test_dice_are_not_called_look_ahead(market: Market, controllers: Path) -> None:
    report = audited(market, controllers, "rng")
    assert report.state is State.NOT_REPRODUCIBLE
    assert report.cuts == []
    assert "random" in report.verdict


def test_a_clock_in_the_executors_is_named_and_left_out(market: Market, controllers: Path) -> None:
    report = audited(market, controllers, "clock")
    assert report.state is State.CLEAN, report.verdict
    assert report.not_reproducible == ["timestamp"]


def test_fills_that_look_ahead_are_not_held_against_the_controller(market: Market, controllers: Path) -> None:
    """Stock fills let a stop end a limit order that has not filled yet: its level follows from the LATER entry.

    A quiet price with a wick every 5 minutes and a dip to the buy order's level once an hour.
    """
    minutes = market.feeds[f"{FEED}_1m"].copy()
    row = np.arange(len(minutes))
    minutes["open"] = minutes["close"] = np.where(row % 60 == 50, 39_955.0, 40_000.0)
    minutes["high"] = 40_001.0
    minutes["low"] = np.where(row % 5 == 0, 39_900.0, minutes["close"] - 1)
    quiet = replace(market, feeds={**market.feeds, f"{FEED}_1m": minutes})
    report = audited(quiet, controllers, "plain", stop_loss=0.001, executor_refresh_time=7200)
    assert report.state is State.FILLS, report.verdict
    assert "close_type" in found(report, "fills") and not found(report, "feature")
    assert "the controller is clean" in report.verdict


# Cuts -------------------------------------------------------------------------------------------------------------


def test_a_cut_market_knows_the_forming_candle_by_its_open_only(market: Market) -> None:
    moment = START + 3600 + 240.0  # the second minute of a 3m candle that opens at 01:03
    cut = cut_market(market, moment)
    minutes, threes = cut.feeds[f"{FEED}_1m"], cut.feeds[f"{FEED}_3m"]
    whole = market.feeds[f"{FEED}_3m"]
    assert minutes["timestamp"].iloc[-1] == moment
    assert threes["timestamp"].iloc[-1] == moment - 60
    for frame in (minutes, threes):
        last = frame.iloc[-1]
        assert last["high"] == last["low"] == last["close"] == last["open"]
        assert last["volume"] == 0
    pd.testing.assert_frame_equal(threes.iloc[:-1], whole.iloc[: len(threes) - 1])
    assert cut.end == moment
    assert len(market.feeds[f"{FEED}_1m"]) == (LEAD + HOURS) * 60 + 1
    assert whole.iloc[len(threes) - 1]["high"] > whole.iloc[len(threes) - 1]["low"]


def test_a_changed_market_is_the_same_up_to_the_moment_and_sound_after_it(market: Market) -> None:
    moment = START + 3600 + 240.0
    changed, whole = changed_market(market, moment).feeds[f"{FEED}_3m"], market.feeds[f"{FEED}_3m"]
    forming = int((whole["timestamp"] + 180 <= moment).sum())
    pd.testing.assert_frame_equal(changed.iloc[:forming], whole.iloc[:forming])
    after = changed.iloc[forming:]
    assert after["open"].iloc[0] == pytest.approx(whole["open"].iloc[forming])
    assert (after["high"] >= after[["open", "close"]].max(axis=1) - 1e-6).all()
    assert (after["low"] <= after[["open", "close"]].min(axis=1) + 1e-6).all()
    rise = whole["close"].iloc[-1] / whole["open"].iloc[forming]
    assert after["close"].iloc[-1] / after["open"].iloc[0] == pytest.approx(1 / rise)


def candles_of(rows: int) -> Candles:
    return Candles(START + 60.0 * np.arange(rows), np.full(rows, 100.0))


def test_cuts_lie_behind_decisions_the_last_one_near_the_end() -> None:
    candles = candles_of(1000)
    decided = candles.opened[[3, 400, 700, 980, 999]]
    moments = {moment for moment, _ in cut_moments(candles, START, 8, seed=1, decided=decided)}
    assert len(moments) == 8 and candles.opened[981] in moments
    assert len({candles.opened[401], candles.opened[701]} & moments) >= 1


def test_cuts_lie_before_the_largest_moves() -> None:
    candles = candles_of(1000)
    candles.close[500:] *= 1.05  # the close of row 499 is the last that does not know
    candles.close[800:] *= 0.93
    moments = {moment for moment, _ in cut_moments(candles, START, 8, seed=1)}
    assert any(candles.opened[800 - 14] <= moment <= candles.opened[800] for moment in moments)
    assert any(candles.opened[500 - 14] <= moment <= candles.opened[500] for moment in moments)


def test_cuts_are_seeded_sorted_and_behind_the_warm_up() -> None:
    candles = candles_of(100)
    cuts = cut_moments(candles, START + 60.0 * 20, 10, seed=5)
    assert cuts == cut_moments(candles, START + 60.0 * 20, 10, seed=5)
    assert cuts != cut_moments(candles, START + 60.0 * 20, 10, seed=6)
    assert cuts == sorted(cuts) and len(cuts) == 10
    assert all(moment >= START + 60 * 22 and moment - last == 60 for moment, last in cuts)
    assert len(cut_moments(candles_of(5), START, 10, seed=0)) == 3
